"""Key of what a network computes: two networks that compare equal may compute something else.

A dataclass field with `compare=False`, an array in a closure, a method that was replaced and a network that was changed
in place all leave `==` as it was. Whatever is kept for a network is kept under `state_of(network)` instead.
"""

from __future__ import annotations

import functools
import itertools
import types
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np

_PACKAGE = __name__.rpartition(".")[0]
_ATOMS = frozenset((type(None), bool, int, float, complex, str, bytes))
_PLAIN = _ATOMS | {tuple, list, dict, types.FunctionType}
"""Kinds of globals and of data of a class that are looked at; so are arrays."""
_CONTAINERS = frozenset((tuple, list, dict, set, frozenset))
_MADE_BY_PYTHON = 1 << 9
"""Flag of a class that Python code made; others keep data that no attribute shows."""
_DEEPEST = 12
"""Objects nested deeper than this count by their identity."""
F = TypeVar("F", bound=Callable[..., Any])


def state_of(network: Any) -> Hashable:
    """Return a key of what the network computes: its class, its data, and the code and data of its methods.

    It holds objects that it cannot look into, so that their identity is given to no other object.
    """
    return _shipped(network) or _state(network, {}, 0)


def cached(most: int) -> Callable[[F], F]:
    """Return a decorator that keeps the `most` latest results of a function by what its first argument computes.

    Args:
        most: How many results are kept.

    Returns:
        The decorator. The function's first argument is a network; the others are hashable. `cache_clear` forgets.
    """

    def decorate(function: F) -> F:
        kept: OrderedDict[Hashable, Any] = OrderedDict()

        @functools.wraps(function)
        def looked_up(network: Any, *arguments: Any, **named: Any) -> Any:
            key = (state_of(network), arguments, tuple(sorted(named.items())))
            if key in kept:
                kept.move_to_end(key)
                return kept[key]
            result = kept[key] = function(network, *arguments, **named)
            while len(kept) > most:
                kept.popitem(last=False)
            return result

        looked_up.cache_clear = kept.clear  # type: ignore[attr-defined]
        return looked_up  # type: ignore[return-value]

    return decorate


def _shipped(network: Any) -> Hashable:
    """Return a key of a network of ours whose parts are ours; None for others."""
    return (type(network), tuple(vars(network).items())) if _ours(network) and hasattr(network, "__dict__") else None


def _ours(value: Any) -> bool:
    """Return whether a value is an atom, or an object of ours whose parts are."""
    if type(value) in _ATOMS:
        return True
    if type(value) is tuple:
        return all(map(_ours, value))
    return type(value).__module__.startswith(_PACKAGE) and all(map(_ours, getattr(value, "__dict__", {}).values()))


class _Same:
    """An object by its identity, held so that it stays the only one with that identity."""

    __slots__ = ("held",)

    def __init__(self, held: Any) -> None:
        self.held = held

    def __hash__(self) -> int:
        return id(self.held)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.held is self.held


def _state(value: Any, seen: dict[int, tuple[int, Any]], depth: int) -> Hashable:
    """Return the key of a value; `seen` holds what was met, lest an identity be given to another object meanwhile."""
    kind = type(value)
    if kind in _ATOMS:
        return kind.__name__, repr(value) if kind is float or kind is complex else value
    again = seen.get(id(value))
    if again is not None:
        return "again", again[0]
    if depth > _DEEPEST or kind is types.ModuleType:
        return _Same(value)
    seen[id(value)] = len(seen), value
    inner = functools.partial(_state, seen=seen, depth=depth + 1)
    if kind in _CONTAINERS:
        return kind.__name__, _contents(value, inner, depth)
    if isinstance(value, np.ndarray):
        content = tuple(map(inner, value.reshape(-1).tolist())) if value.dtype.hasobject else value.tobytes()
        return "array", value.dtype.str, value.shape, content
    if kind is types.FunctionType:
        return _of_function(value, inner)
    if kind is types.MethodType:
        return "method", inner(value.__func__), inner(value.__self__)
    if isinstance(value, type):
        return "class", _Same(value), inner(_own(value))
    if isinstance(value, functools.partial):
        return "partial", inner(value.func), inner(value.args), inner(dict(value.keywords))
    data = {name: getattr(value, name) for name in _slots(kind) if hasattr(value, name)}
    data.update(getattr(value, "__dict__", {}))
    contents = _contents(value, inner, depth)
    if isinstance(contents, _Same) and not data:
        return contents
    items = tuple((name, inner(each)) for name, each in data.items())
    return "object", inner(kind) if _authored(kind) else _Same(kind), items, contents


def _contents(value: Any, inner: Callable[[Any], Hashable], depth: int) -> Hashable:
    """Return a key of what a value holds beside its attributes: as a number, a text or a container.

    It is the value itself, by its identity, where that cannot be read, and None for an object that holds no more.
    """
    if isinstance(value, np.generic):
        return value.dtype.str, value.tobytes()
    if isinstance(value, dict):
        return tuple((inner(name), inner(each)) for name, each in dict.items(value))
    if isinstance(value, (set, frozenset)):  # in no order, so each by itself
        return frozenset(_state(each, {}, depth + 1) for each in value)
    if isinstance(value, (tuple, list, deque)):
        return tuple(map(inner, value))
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    for base in (int, float, complex, str, Decimal):
        if isinstance(value, base):
            return base.__repr__(value)
    compiled = next(base for base in type(value).__mro__ if not base.__flags__ & _MADE_BY_PYTHON)
    return None if compiled in (object, types.SimpleNamespace) else _Same(value)


def _of_function(function: types.FunctionType, inner: Callable[[Any], Hashable]) -> Hashable:
    if function.__module__ and function.__module__.partition(".")[0] in ("numpy", _PACKAGE.partition(".")[0]):
        return _Same(function)
    code = function.__code__
    cells = []
    for cell in function.__closure__ or ():
        try:
            cells.append(cell.cell_contents)
        except ValueError:  # not assigned yet
            cells.append(None)
    around = function.__globals__
    plain = {name: around[name] for name in _names(code) if name in around and _looked_at(around[name])}
    return "function", code, inner(cells), inner(function.__defaults__), inner(function.__kwdefaults__), inner(plain)


def _looked_at(value: Any) -> bool:
    return type(value) in _PLAIN or isinstance(value, np.ndarray)


@functools.lru_cache(4096)
def _names(code: types.CodeType) -> tuple[str, ...]:
    """Return the global names that the code and the functions within it read, each once."""
    within = (_names(constant) for constant in code.co_consts if isinstance(constant, types.CodeType))
    return tuple(dict.fromkeys(itertools.chain(code.co_names, *within)))


def _slots(kind: type) -> list[str]:
    """Return the slots of a class and its bases."""
    found: list[str] = []
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        found += (slots,) if isinstance(slots, str) else slots
    return found


def _authored(kind: type) -> bool:
    """Return True for a class that is not ours: its methods may be replaced, and are looked at."""
    return kind.__module__ != "builtins" and not kind.__module__.startswith(_PACKAGE)


def _own(kind: type) -> dict[str, Any]:
    """Return the methods and data of an authored class and its authored bases, the generated ones left out."""
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        if not _authored(base):
            continue
        for name, value in vars(base).items():
            if name.startswith("__") and name.endswith("__"):
                continue
            if isinstance(value, (staticmethod, classmethod)):
                value = value.__func__
            elif isinstance(value, property):
                value = (value.fget,)
            if _looked_at(value):
                found[name] = value
    return found
