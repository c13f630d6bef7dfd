"""Elementwise functions by name, on any array: floats, scalars, traced arrays.

`apply("tanh", s)` is `np.tanh(s)` on floats; on arrays of other scalars the scalar's own
number system answers. A few functions have no NumPy name (logistic, softplus, relu, the step
that is relu's derivative, erf and bell, which is its derivative 2/sqrt(pi) exp(-s^2), and the undefined functions f and
f'), which is why they go through here.

`DERIVATIVES` states each function's derivative once, in terms of these same functions;
dual numbers, the reverse pass and the activations read it.

NumPy's and SciPy's functions are sorted here too: `name_of` says by which of these names a ufunc goes, `COMPOSED`
states others in terms of these, and both hold for every kind of array.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from .errors import GradcheckError


def _float_logistic(s: Any) -> Any:
    if type(s) is np.float64:  # the same operations, of which those that are not chosen are left out
        if np.abs(s) < 1:
            return 0.5 + 0.5 * np.tanh(s * 0.5)
        small = np.exp(-np.abs(s))
        return small / (1 + small) if s < 0 else 1 / (1 + small)
    half = np.tanh(np.asarray(s) * 0.5)
    small = np.exp(-np.abs(s))
    tail = small / (1 + small)
    return np.where(np.abs(s) < 1, 0.5 + 0.5 * half, np.where(np.asarray(s) < 0, tail, 1 / (1 + small)))


def _float_softplus(s: Any) -> Any:
    return np.maximum(s, 0) + np.log1p(np.exp(-np.abs(s)))


def _float_heaviside(s: Any) -> Any:
    s = np.asarray(s)
    return (s > 0).astype(s.dtype if s.dtype.kind == "f" else float)


def _float_erf(s: Any) -> Any:
    s = np.asarray(s)
    return np.array(np.frompyfunc(math.erf, 1, 1)(s), dtype=s.dtype if s.dtype.kind == "f" else float)[()]


def _float_bell(s: Any) -> Any:
    return np.exp(-np.square(s)) * (2 / math.sqrt(math.pi))


_FLOAT: dict[str, Callable[[Any], Any]] = {
    "tanh": np.tanh,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "arctan": np.arctan,
    "erf": _float_erf,
    "bell": _float_bell,
    "logistic": _float_logistic,
    "softplus": _float_softplus,
    "relu": lambda s: np.maximum(s, 0),
    "heaviside": _float_heaviside,
    "identity": lambda s: +np.asarray(s),
}

FUNCTION_NAMES = frozenset(_FLOAT) | {"f", "f'"}


def apply(name: str, x: Any) -> Any:
    """Apply the function `name` to every element.

    Args:
        name: One of `FUNCTION_NAMES`.
        x: An array of any scalar and shape.

    Returns:
        An array of the same shape.

    Raises:
        UnsupportedOperation: The number system of `x` has no such function.
    """
    if name == "identity":
        return +x
    own = getattr(x, "apply_function", None)
    if own is not None:
        return own(name)
    if isinstance(x, np.ndarray) and x.dtype == object:
        return np.frompyfunc(lambda element: apply(name, element), 1, 1)(x)
    if name not in _FLOAT:
        raise GradcheckError(
            f"the undefined function {name} has no floating-point value; it exists on formal and modular scalars only"
        )
    return _FLOAT[name](x)


def _undefined_second_derivative(s: Any, known: Any = None) -> Any:
    raise GradcheckError("the second derivative of the undefined activation f is not used anywhere")


def _value(name: str, s: Any, known: Any) -> Any:
    return apply(name, s) if known is None else known


def _logistic_slope(s: Any, known: Any = None) -> Any:
    value = _value("logistic", s, known)
    return value * (1 - value)


DERIVATIVES: dict[str, Callable[..., Any]] = {
    "identity": lambda s, known=None: s * 0 + 1,
    "tanh": lambda s, known=None: 1 - _value("tanh", s, known) ** 2,
    "exp": lambda s, known=None: _value("exp", s, known),
    "log": lambda s, known=None: 1 / s,
    "sqrt": lambda s, known=None: 0.5 / _value("sqrt", s, known),
    "sin": lambda s, known=None: apply("cos", s),
    "cos": lambda s, known=None: -apply("sin", s),
    "arctan": lambda s, known=None: 1 / (1 + s * s),
    "erf": lambda s, known=None: apply("bell", s),
    "bell": lambda s, known=None: -2 * s * _value("bell", s, known),
    "logistic": _logistic_slope,
    "softplus": lambda s, known=None: apply("logistic", s),
    "relu": lambda s, known=None: apply("heaviside", s),
    "heaviside": lambda s, known=None: s * 0,
    "f": lambda s, known=None: apply("f'", s),
    "f'": _undefined_second_derivative,
}
"""Function name to its derivative: takes the argument, and the function's value there where that is known."""


def _logaddexp(x: Any, y: Any) -> Any:
    return x + apply("softplus", y - x)


COMPOSED: dict[np.ufunc, Callable[..., Any]] = {
    np.log1p: lambda x: apply("log", 1 + x),
    np.expm1: lambda x: apply("exp", x) - 1,
    np.sinh: lambda x: (apply("exp", x) - apply("exp", -x)) / 2,
    np.cosh: lambda x: (apply("exp", x) + apply("exp", -x)) / 2,
    np.tan: lambda x: apply("sin", x) / apply("cos", x),
    np.logaddexp: _logaddexp,
    np.hypot: lambda x, y: apply("sqrt", x * x + y * y),
}
"""NumPy functions in terms of the named ones, for arrays that are not floats."""

_NUMPY = {
    np.tanh: "tanh", np.exp: "exp", np.log: "log", np.sqrt: "sqrt", np.sin: "sin", np.cos: "cos", np.arctan: "arctan",
}  # fmt: skip
_SCIPY = {"expit": "logistic", "erf": "erf"}


def name_of(ufunc: np.ufunc) -> str | None:
    """Return the name by which a ufunc of NumPy or of `scipy.special` goes here; None where it has none."""
    if ufunc in _NUMPY:
        return _NUMPY[ufunc]
    name = _SCIPY.get(ufunc.__name__)
    # A ufunc of SciPy is known by its name, so SciPy is not needed; another of that name is another function.
    special = sys.modules.get("scipy.special")
    return name if name and getattr(special, ufunc.__name__, None) is ufunc else None
