"""Results of untrusted rules: their form, and the numbers that they hold."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..reference import arrays, wanted
from ..reference import errors as reference_errors
from ..reference.errors import MixedNumbers, UnsupportedOperation
from ..reference.problem import Problem
from ..reference.scalars.scalar import Scalar
from ..reference.scalars.scalar import system_of as system_of
from ..reference.tree import children, flatten, path_name
from ..reference.typing import Array, Gradient, State
from .adapt import WrongResult
from .failures import class_name, cut, raised_by_us, shown_error


@dataclass(frozen=True)
class Asked:
    """Arrays whose gradient a rule is to return.

    Attributes:
        arrays: The problem's arrays by name, each of an initial state's nest by a name of its own.
        keys: The keys of the rule's dict, in order; "initial_state" is one of them.
        state: The initial state as it is nested; None if it is not asked for.
        kinds: The kinds of arrays.
        parameters: The names of all parameters.
    """

    arrays: dict[str, Array]
    keys: tuple[str, ...]
    state: State | None
    kinds: wanted.Of
    parameters: frozenset[str]

    @classmethod
    def of(cls, problem: Problem, kinds: wanted.Of) -> Asked:
        found = arrays.wanted(problem, kinds)
        first = [wanted.INITIAL_STATE] if wanted.INITIAL_STATE in kinds else []
        keys = [name for name in found if wanted.kind_of(name) != wanted.INITIAL_STATE]
        return cls(
            found, (*keys, *first), problem.initial_state if first else None, kinds, frozenset(problem.parameters)
        )

    def shape(self, key: str) -> str:
        """Return the shape of what belongs at a key, in words."""
        if key != wanted.INITIAL_STATE or children(self.state) is None:
            return f"{key} {self.arrays[key].shape}"
        names = (f"{name} {array.shape}" for name, array in self.arrays.items() if wanted.kind_of(name) == key)
        return f"{key} nested as the state is: {', '.join(names)}"


def flattened(nest: Any, like: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield the name and the value of each leaf of a nest that is nested as another is.

    Raises:
        WrongResult: It is nested otherwise.
    """
    parts = children(like)
    if parts is None:
        yield name, nest
        return
    keys = [key for key, _ in parts]
    kind = type(nest)
    mapping = isinstance(like, Mapping)
    if mapping and issubclass(kind, dict):
        given = dict(dict.items(nest))
    elif not mapping and issubclass(kind, (tuple, list)):
        given = dict(enumerate(tuple.__iter__(nest) if issubclass(kind, tuple) else list.__iter__(nest)))
    else:
        given = {}
    if set(given) != set(keys):
        came = f"the keys {', '.join(map(str, given))}" if given else _kind(nest)
        form = "{" + ", ".join(f"{key!r}: ..." for key in keys) + "}" if mapping else f"{len(keys)} parts"
        raise WrongResult(f"{came} for {name}; wanted {form}, as problem.initial_state is nested")
    for key, part in parts:
        yield from flattened(given[key], part, path_name(name, (key,)))


def by_name(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the leaves of a rule's unchecked result by name: W, inputs, initial_state[0], ..."""
    return {path_name(str(path[0]), path[1:]): array for path, array in flatten(raw)}


def of_plain_floats(raw: Any) -> bool:
    """Return True for a dict of arrays of floats, which is read without a call of code that is the rule's."""
    if type(raw) is not dict or any(type(name) is not str for name in raw):
        return False
    return all(type(array) is np.ndarray and array.dtype.kind == "f" for array in raw.values())


def checked(raw: Any, asked: Asked, name: str) -> Gradient:
    """Return a rule's result as a dict of plain arrays, which run no code of the rule.

    Args:
        raw: The rule's result.
        asked: What the rule is to return the gradient of.
        name: The rule's name, for messages.

    Raises:
        WrongResult: It is no dict of arrays with these names and shapes, or reading it raises an error. The message
            says what the rule returned and what was wanted.
    """
    try:
        return _checked(raw, asked, name)
    except WrongResult:
        raise
    except UnsupportedOperation as error:
        if raised_by_us(error):
            raise
        raise WrongResult(f"{name} returned {_kind(raw)} that cannot be read: {shown_error(error)}") from None
    except BaseException as error:
        raise WrongResult(f"{name} returned {_kind(raw)} that cannot be read: {shown_error(error)}") from None


def _checked(raw: Any, asked: Asked, name: str) -> Gradient:
    needed = ", ".join(map(asked.shape, asked.keys))
    example = "{" + ", ".join(f'"{k}": ...' for k in asked.keys) + "}"
    if not issubclass(type(raw), dict):
        if inspect.iscoroutine(raw):
            raw.close()
        raise WrongResult(f"{name} returned {_kind(raw)}; wanted a dict of arrays with {needed}: return {example}")
    result = dict(dict.items(raw))
    if set(result) != set(asked.keys):
        missing = sorted(set(asked.keys) - set(result))
        surplus = set(result) - set(asked.keys)
        extra = sorted(cut(key if type(key) is str else repr(key), 60) for key in surplus)
        more = f" and {len(extra) - _MOST_KEYS} more" if len(extra) > _MOST_KEYS else ""
        parts = [f"lacks {', '.join(missing)}"] * bool(missing)
        parts += [f"has the unknown {', '.join(extra[:_MOST_KEYS])}{more}"] * bool(extra)
        hint = _to_declare(asked, surplus)
        raise WrongResult(f"{name}'s result {' and '.join(parts)}; wanted {needed}: return {example}{hint}")
    if asked.state is not None:
        try:
            result |= dict(flattened(result.pop(wanted.INITIAL_STATE), asked.state, wanted.INITIAL_STATE))
        except WrongResult as error:
            raise WrongResult(f"{name} returned {error}") from None
    try:
        return {k: _array(result[k], array, f"{name} returned", f"for {k}") for k, array in asked.arrays.items()}
    except WrongResult as error:
        raise WrongResult(str(error), {key: np.shape(result[key]) for key in asked.arrays}) from None


def _to_declare(asked: Asked, surplus: set[Any]) -> str:
    """Return how to declare gradients that were returned beyond what is declared; empty if these are none."""
    more = {key for key in (wanted.INPUTS, wanted.INITIAL_STATE) if key in surplus}
    if asked.parameters <= surplus:
        more, surplus = more | {wanted.PARAMETERS}, surplus - asked.parameters
    if not more or surplus - more:
        return ""
    kinds = tuple(kind for kind in wanted.KINDS if kind in asked.kinds or kind in more)
    return f", or declare what it returns: gradcheck.Exact(of={kinds!r})"


def _array(value: Any, parameter: Any, returned: str, key: str) -> Any:
    kind = type(value)
    if not issubclass(kind, (np.ndarray, np.generic, float, int, Scalar)):
        hint = "; convert it with np.asarray" if issubclass(kind, (list, tuple)) else ""
        raise WrongResult(f"{returned} {_kind(value)} {key}; wanted a NumPy array of shape {parameter.shape}{hint}")
    if issubclass(kind, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise WrongResult(f"{returned} a masked array with masked entries {key}; fill them with numbers")
    array = value if issubclass(kind, np.ndarray) else np.asarray(value)
    if not kind.__module__.startswith(_REFERENCE):
        array = np.ndarray.view(array, np.ndarray)  # a subclass may run code of the rule
    if array.shape != parameter.shape:
        hint = "; it looks transposed" if array.shape == parameter.shape[::-1] else ""
        raise WrongResult(f"{returned} shape {array.shape} {key}; wanted {parameter.shape}{hint}")
    if array.dtype.kind not in "fiubO":
        hint = "; take its real part" if array.dtype.kind == "c" else ""
        raise WrongResult(f"{returned} dtype {array.dtype} {key}; wanted {parameter.dtype}{hint}")
    if array.dtype.kind == "O" and type(array) is np.ndarray:
        numbers = _REAL if parameter.dtype.kind == "f" else (*_REAL, Scalar)
        for each in array.reshape(-1):
            if not issubclass(type(each), numbers):
                raise WrongResult(f"{returned} dtype object with {_kind(each)} in it {key}; wanted {parameter.dtype}")
        if parameter.dtype.kind == "f":
            array = np.array([_float(each) for each in array.reshape(-1)], dtype=float).reshape(array.shape)
    return array


def _float(number: Any) -> float:
    """Convert a real number to a float by the methods of the class that it extends, not by its own."""
    kind = type(number)
    if issubclass(kind, float):
        return float.__pos__(number)
    return float(int.__index__(number) if issubclass(kind, int) else number)


def all_of_one_kind(gradient: Gradient, given: Mapping[str, Any]) -> None:
    """Raise `MixedNumbers` for a result whose numbers are not of the number system of the problem, nor plain."""
    for name, array in gradient.items():
        returned, own = system_of(array), system_of(given[name])
        if returned is not None and returned is not own and repr(returned) != repr(own):
            raise MixedNumbers(own, returned)


_REAL = (float, int, np.floating, np.integer, np.bool_)
_REFERENCE = reference_errors.__name__.rpartition(".")[0]
_MOST_KEYS = 10


def _kind(value: Any) -> str:
    name, module = class_name(value), type(value).__module__
    kind = f"{module}.{name}" if type(module) is str and module != "builtins" else name
    hint = " (a torch tensor: return t.detach().numpy())" if kind.split(".")[0] == "torch" else ""
    if value is None:
        return "None"
    return f"{'an' if kind[:1].lower() in 'aeiou' else 'a'} {kind}{hint}"
