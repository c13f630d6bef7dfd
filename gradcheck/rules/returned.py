"""Results of untrusted rules: their form, and the numbers that they hold."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..reference import errors as reference_errors
from ..reference.errors import MixedNumbers, UnsupportedOperation
from ..reference.scalars.scalar import Scalar
from ..reference.typing import Gradient
from .adapt import WrongResult
from .failures import class_name, cut, raised_by_us, shown_error


def checked(raw: Any, parameters: Mapping[str, Any], name: str) -> Gradient:
    """Return a rule's result as a dict of plain arrays, which run no code of the rule.

    Args:
        raw: The rule's result.
        parameters: The problem's parameters by name.
        name: The rule's name, for messages.

    Raises:
        WrongResult: It is no dict of arrays with these names and shapes, or reading it raises an error. The message
            says what the rule returned and what was wanted.
    """
    try:
        return _checked(raw, parameters, name)
    except WrongResult:
        raise
    except UnsupportedOperation as error:
        if raised_by_us(error):
            raise
        raise WrongResult(f"{name} returned {_kind(raw)} that cannot be read: {shown_error(error)}") from None
    except BaseException as error:
        raise WrongResult(f"{name} returned {_kind(raw)} that cannot be read: {shown_error(error)}") from None


def _checked(raw: Any, parameters: Mapping[str, Any], name: str) -> Gradient:
    wanted = ", ".join(f"{k} {p.shape}" for k, p in parameters.items())
    example = "{" + ", ".join(f'"{k}": ...' for k in parameters) + "}"
    if not issubclass(type(raw), dict):
        if inspect.iscoroutine(raw):
            raw.close()
        raise WrongResult(f"{name} returned {_kind(raw)}; wanted a dict of arrays with {wanted}: return {example}")
    result = dict(dict.items(raw))
    if set(result) != set(parameters):
        missing = sorted(set(parameters) - set(result))
        extra = sorted(cut(key if type(key) is str else repr(key), 60) for key in set(result) - set(parameters))
        more = f" and {len(extra) - _MOST_KEYS} more" if len(extra) > _MOST_KEYS else ""
        parts = [f"lacks {', '.join(missing)}"] * bool(missing)
        parts += [f"has the unknown {', '.join(extra[:_MOST_KEYS])}{more}"] * bool(extra)
        raise WrongResult(f"{name}'s result {' and '.join(parts)}; wanted {wanted}: return {example}")
    try:
        return {k: _array(result[k], parameter, f"{name} returned", f"for {k}") for k, parameter in parameters.items()}
    except WrongResult as error:
        raise WrongResult(str(error), {key: np.shape(result[key]) for key in parameters}) from None


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


def all_of_one_kind(gradient: Gradient, parameters: Mapping[str, Any]) -> None:
    """Raise `MixedNumbers` for a result whose numbers are not of the number system of the parameters, nor plain."""
    for name, array in gradient.items():
        returned, wanted = system_of(array), system_of(parameters[name])
        if returned is not None and returned is not wanted and repr(returned) != repr(wanted):
            raise MixedNumbers(wanted, returned)


def system_of(array: Any) -> Any:
    """Return the number system of an array; None for plain numbers, and where it cannot be told."""
    if isinstance(array, np.ndarray) and type(array) is np.ndarray and array.dtype == object:
        return next((each.field for each in array.reshape(-1) if isinstance(each, Scalar)), None)
    return getattr(array, "field", None)


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
