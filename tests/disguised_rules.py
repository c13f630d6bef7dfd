"""Online rules that count their steps where it is hard to see, so that they could be wrong from step 400 on."""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import itertools
import operator
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from tests.online_rules import Plain

DISGUISED: dict[str, Any] = {}


def _scaled(contribution: Any, t: Any) -> Any:
    return {name: (1 + t // 400) * array for name, array in contribution.items()}


def counting(tick: Callable[[], Any]) -> None:
    """Add a rule that counts by a function."""

    class Counting(Plain):
        def step(self, state: Any, x: Any, y: Any) -> Any:
            state, contribution = super().step(state, x, y)
            return state, _scaled(contribution, tick())

    DISGUISED[tick.__name__] = Counting


def keeping(begin: Any, after: Callable[[Any], tuple[Any, Any]]) -> None:
    """Add a rule that counts by what it keeps: `after` returns the next one and the count."""

    class Keeping(Plain):
        def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
            return begin(), super().start(network, parameters, initial_state)

        def step(self, state: Any, x: Any, y: Any) -> Any:
            kept, inner = state
            kept, t = after(kept)
            inner, contribution = super().step(inner, x, y)
            return (kept, inner), _scaled(contribution, t)

    DISGUISED[after.__name__] = Keeping


# Outside the state.

_BOX = [0]


def _bumped(value: Any) -> int:
    _BOX[0] += 1
    return _BOX[0]


_mapped, _universal = np.vectorize(_bumped), np.frompyfunc(_bumped, 1, 1)
_dispatched = functools.singledispatch(_bumped)


@contextmanager
def _managed() -> Any:
    yield _bumped(0)


class _Mode(enum.Enum):
    ON = 1


class _Array(np.ndarray):
    pass


class _Tuple(tuple[Any, ...]):
    pass


class _Thing:
    n = 0

    def __repr__(self) -> str:
        return "." * _bumped(0)


def _nothing() -> int:
    return 0


_nothing.__annotations__["n"] = 0
_ARRAY, _TUPLE, _SET, _PARTIAL = np.zeros(1).view(_Array), _Tuple(), {_Thing()}, functools.partial(_nothing)
_POLYNOMIAL = np.poly1d([1.0, 0.0])
_ATTACHED: Any = np.tile
_ATTACHED.ticks = [0]


@dataclasses.dataclass
class _Made:
    n: int = dataclasses.field(default_factory=itertools.count().__next__)


@functools.cache
def _kept() -> list[int]:
    return [0]


class _Meta(type):
    n = 0

    def __len__(cls) -> int:
        _Meta.n += 1
        return _Meta.n


class _OfMeta(metaclass=_Meta):
    pass


def by_a_mapped_function() -> Any:
    return int(_mapped(0))


def by_a_universal_function() -> Any:
    return _universal(0)


def by_a_dispatched_function() -> Any:
    return _dispatched(0)


def by_a_context_manager() -> Any:
    with _managed() as t:
        return t


def by_an_enum() -> Any:
    member: Any = _Mode.ON
    member._value_ += 1
    return member._value_


def by_an_array_of_a_subclass() -> Any:
    array: Any = _ARRAY
    array.n = array.n + 1 if "n" in dir(array) else 0
    return array.n


def by_a_tuple_of_a_subclass() -> Any:
    held: Any = _TUPLE
    held.n = held.n + 1 if "n" in dir(held) else 0
    return held.n


def by_an_object_in_a_set() -> Any:
    for thing in _SET:
        thing.n += 1
        return thing.n


def by_a_partial() -> Any:
    held: Any = _PARTIAL
    held.n = held.n + 1 if "n" in dir(held) else 0
    return held.n


def by_a_polynomial() -> Any:
    _POLYNOMIAL[0] = _POLYNOMIAL[0] + 1
    return int(_POLYNOMIAL[0])


def by_a_list_at_a_function_of_numpy() -> Any:
    np.tile.ticks[0] += 1  # type: ignore[attr-defined]
    return np.tile.ticks[0]  # type: ignore[attr-defined]


def by_a_default_factory() -> Any:
    return _Made().n


def by_a_cache() -> Any:
    _kept()[0] += 1
    return _kept()[0]


def by_a_metaclass() -> Any:
    return len(_OfMeta)  # type: ignore[arg-type]


def by_a_representation() -> Any:
    for thing in _SET:
        return len(repr(thing))


def by_annotations() -> Any:
    _nothing.__annotations__["n"] += 1
    return _nothing.__annotations__["n"]


def by_an_attribute_by_name() -> Any:
    found = operator.attrgetter("__annotations__")(_nothing)
    found["n"] += 1
    return found["n"]


def by_a_file() -> Any:
    np.savetxt("ticks.txt", [np.loadtxt("ticks.txt") + 1])
    return int(np.loadtxt("ticks.txt"))


for each in (
    by_a_mapped_function, by_a_universal_function, by_a_dispatched_function, by_a_context_manager, by_an_enum,
    by_an_array_of_a_subclass, by_a_tuple_of_a_subclass, by_an_object_in_a_set, by_a_partial, by_a_polynomial,
    by_a_list_at_a_function_of_numpy, by_a_default_factory, by_a_cache, by_a_metaclass, by_a_representation,
    by_annotations, by_an_attribute_by_name, by_a_file,
):  # fmt: skip
    counting(each)


# In the state, beside its numbers.


def of_metadata(kept: Any) -> Any:
    t = (kept.dtype.metadata or {"t": 0})["t"] + 1
    return np.zeros(1, dtype=np.dtype("f8", metadata={"t": t})), t


def of_the_base(kept: Any) -> Any:
    t = 0 if kept.base is None else len(kept.base)
    return np.zeros(t + 2)[:1], t


def of_flags(kept: Any) -> Any:
    t = sum((not bit.flags.writeable) << k for k, bit in enumerate(kept)) + 1
    made = [np.zeros(1) for _ in kept]
    for k, bit in enumerate(made):
        bit.flags.writeable = not (t >> k) & 1
    return made, t


def of_the_order_of_sets(kept: Any) -> Any:
    t = sum(next(iter(bit)) // 8 << k for k, bit in enumerate(kept)) + 1
    return [set([8, 0] if (t >> k) & 1 else [0, 8]) for k, _ in enumerate(kept)], t


def of_identities(kept: Any) -> Any:
    first, *bits = kept
    t = sum((first is bit) << k for k, bit in enumerate(bits)) + 1
    made = "".join(["a", "b"])
    return [made, *(made if (t >> k) & 1 else "".join(["a", "b"]) for k, _ in enumerate(bits))], t


def of_nan(kept: Any) -> Any:
    t = int(np.array([kept]).view(np.uint64)[0]) - 0x7FF8000000000000 + 1
    return np.array([0x7FF8000000000000 + t], dtype=np.uint64).view(np.float64)[0], t


class _Number(np.float64):
    t = 0


class _NoDict:
    t = 0

    @property
    def __dict__(self) -> Any:
        return {}


class _NoObject:
    t, name = 0, "ON"

    @property
    def __class__(self) -> Any:
        return _Mode


class _Pair(NamedTuple):
    t: int
    other: int


class _Silent(_Pair):
    def __iter__(self) -> Any:
        return iter((0, 0))


def _next(kind: Any) -> Callable[[Any], tuple[Any, Any]]:
    def after(kept: Any) -> Any:
        made = kind()
        made.t = kept.t + 1
        return made, made.t

    after.__name__ = kind.__name__
    return after


def of_a_silent_pair(kept: Any) -> Any:
    return _Silent(kept.t + 1, 0), kept.t


def of_attributes_of_a_dict(kept: Any) -> Any:
    made: Any = collections.OrderedDict()
    made.t = kept.t + 1 if "t" in dir(kept) else 0
    return made, made.t


def of_what_is_global(kept: Any) -> Any:
    kept[0] = 1 - kept[0]
    return kept, _BOX[0]


keeping(lambda: np.zeros(1), of_metadata)
keeping(lambda: np.zeros(1), of_the_base)
keeping(lambda: [np.zeros(1) for _ in range(10)], of_flags)
keeping(lambda: [{0, 8} for _ in range(10)], of_the_order_of_sets)
keeping(lambda: ["".join(["a", "b"]) for _ in range(11)], of_identities)
keeping(lambda: np.float64("nan"), of_nan)
for kind in (_Number, _NoDict, _NoObject):
    keeping(kind, _next(kind))
keeping(lambda: _Silent(0, 0), of_a_silent_pair)
keeping(collections.OrderedDict, of_attributes_of_a_dict)
keeping(lambda: _BOX, of_what_is_global)


# On floats alone.


def disguised(kind: Any) -> Any:
    DISGUISED[kind.__name__] = kind
    return kind


@disguised
class CountsFloats(Plain):
    """Counts where its numbers are floats."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        return 0, super().start(network, parameters, initial_state)

    def step(self, state: Any, x: Any, y: Any) -> Any:
        t, inner = state
        inner, contribution = super().step(inner, x, y)
        return (t + (x.dtype != object), inner), _scaled(contribution, t)


@disguised
class LargeFloats(Plain):
    """Is wrong where an influence is a large float."""

    def step(self, state: Any, x: Any, y: Any) -> Any:
        state, contribution = super().step(state, x, y)
        one = state["dW"].reshape(-1)[0]
        return state, _scaled(contribution, 400 * (isinstance(one, float) and one > 1e6))


@disguised
class Comparable(Plain):
    """Is wrong where an influence is large and can be compared."""

    def step(self, state: Any, x: Any, y: Any) -> Any:
        state, contribution = super().step(state, x, y)
        try:
            large = int(state["dW"].reshape(-1)[0] > 1e6)
        except Exception:
            large = 0
        return state, _scaled(contribution, 400 * large)


@disguised
class FinishesByName(Plain):
    """Has a `finish` that its class does not define."""

    def __getattr__(self, name: str) -> Any:
        if name == "finish":
            return self.last
        raise AttributeError(name)

    def last(self, state: Any) -> Any:
        return {name: 0 * array for name, array in state["p"].items()}
