"""Elementwise functions by name, on any array: floats, scalars, traced arrays.

`apply("tanh", s)` is `np.tanh(s)` on floats; on arrays of other scalars the scalar's own
number system answers. A few functions have no NumPy name (logistic, softplus, relu, the step
that is relu's derivative, and the undefined functions f and f'), which is why they go through here.

`DERIVATIVES` states each function's derivative once, in terms of these same functions;
dual numbers, the reverse pass and the activations read it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .errors import GradcheckError


def _float_logistic(s: Any) -> Any:
    half = np.tanh(np.asarray(s) * 0.5)
    small = np.exp(-np.abs(s))
    tail = small / (1 + small)
    return np.where(np.abs(s) < 1, 0.5 + 0.5 * half, np.where(np.asarray(s) < 0, tail, 1 / (1 + small)))


def _float_softplus(s: Any) -> Any:
    return np.maximum(s, 0) + np.log1p(np.exp(-np.abs(s)))


def _float_heaviside(s: Any) -> Any:
    s = np.asarray(s)
    return (s > 0).astype(s.dtype if s.dtype.kind == "f" else float)


_FLOAT: dict[str, Callable[[Any], Any]] = {
    "tanh": np.tanh,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
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


def _undefined_second_derivative(s: Any) -> Any:
    raise GradcheckError("the second derivative of the undefined activation f is not used anywhere")


DERIVATIVES: dict[str, Callable[[Any], Any]] = {
    "identity": lambda s: s * 0 + 1,
    "tanh": lambda s: 1 - apply("tanh", s) ** 2,
    "exp": lambda s: apply("exp", s),
    "log": lambda s: 1 / s,
    "sqrt": lambda s: 0.5 / apply("sqrt", s),
    "sin": lambda s: apply("cos", s),
    "cos": lambda s: -apply("sin", s),
    "logistic": lambda s: apply("logistic", s) * (1 - apply("logistic", s)),
    "softplus": lambda s: apply("logistic", s),
    "relu": lambda s: apply("heaviside", s),
    "heaviside": lambda s: s * 0,
    "f": lambda s: apply("f'", s),
    "f'": _undefined_second_derivative,
}
"""Function name to its derivative, as a function of the same argument."""
