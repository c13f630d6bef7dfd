"""Vector-Jacobian products of the NumPy operations that `tape` records, on arrays of any scalar.

For z = f(x, y) a rule gives, per operand, the linear map that carries the cotangent g of z (shape of z)
to the cotangent of that operand; None says that the operand must not be traced. An elementwise rule may
answer in the broadcast shape: `fit` sums it back. Each map is evaluated on payloads only and is linear in
g, so over exact scalars nothing is lost. Where a function has a kink the maps give an element of the
generalised derivative: relu and abs have slope 0 at 0, and two equal arguments of np.maximum share g.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, TypeAlias

import numpy as np

from .cotangents import Product, Term, as_array
from .errors import UnsupportedOperation
from .functions import DERIVATIVES, apply
from .networks.losses import OUTPUTS
from .typing import Array

Linear: TypeAlias = Callable[[Any], Any]
Maps: TypeAlias = tuple[Linear | None, ...]


def scaled(slope: Any) -> Maps:
    """Return the map of an elementwise function with that derivative."""
    return (lambda g: g * slope,)


def _same(g: Any) -> Any:
    return g


def _power(z: Array, x: Array, n: Any) -> Maps:
    n = n.item() if isinstance(n, np.ndarray) and n.ndim == 0 else n
    if isinstance(n, np.ndarray) or not isinstance(n, Real):
        raise UnsupportedOperation("np.power with that exponent", "traced", "one plain number is")
    n = float(n)
    n = int(n) if n.is_integer() else n
    if n in (0, 1):
        return (lambda g: g if n else np.zeros_like(g)), None
    if (2 * n) % 1:  # n - 1 may round, and z/x does not
        return *scaled(n * z / x), None
    return *scaled(n * x ** (n - 1)), None


def _absolute(z: Array, x: Array) -> Maps:
    up, down = x > 0, x < 0
    return (lambda g: np.where(up, g, np.where(down, -g, np.zeros_like(g))),)


def _extreme(sign: int) -> Callable[..., Maps]:
    """Return np.maximum for sign 1, np.minimum for sign -1."""

    def rule(z: Array, x: Any, y: Any) -> Maps:
        for operand, other in ((x, y), (y, x)):
            if isinstance(other, Real) and other == 0:
                (to_operand,) = scaled(DERIVATIVES["relu"](sign * operand))
                return (to_operand, None) if operand is x else (None, to_operand)
        first, second = (x > y, y > x) if sign == 1 else (x < y, y < x)

        def share(mine: Any, others: Any) -> Linear:
            return lambda g: np.where(mine, g, np.where(others, np.zeros_like(g), g / 2))

        return share(first, second), share(second, first)

    return rule


ELEMENTWISE: dict[np.ufunc, Callable[..., Maps]] = {
    np.add: lambda z, x, y: (_same, _same),
    np.subtract: lambda z, x, y: (lambda g: g, lambda g: -g),
    np.multiply: lambda z, x, y: (lambda g: g * y, lambda g: g * x),
    np.divide: lambda z, x, y: (lambda g: g / y, lambda g: -g * z / y),
    np.negative: lambda z, x: (lambda g: -g,),
    np.positive: lambda z, x: (_same,),
    np.reciprocal: lambda z, x: (lambda g: -g * z * z,),
    np.square: lambda z, x: scaled(2 * x),
    np.power: _power,
    np.absolute: _absolute,
    np.fabs: _absolute,
    np.maximum: _extreme(1),
    np.minimum: _extreme(-1),
    np.log1p: lambda z, x: scaled(1 / (1 + x)),
    np.expm1: lambda z, x: scaled(np.exp(x)),
    np.sinh: lambda z, x: scaled(np.cosh(x)),
    np.cosh: lambda z, x: scaled(np.sinh(x)),
    np.tan: lambda z, x: scaled(1 + z * z),
    np.logaddexp: lambda z, x, y: (lambda g: g * apply("logistic", x - y), lambda g: g * apply("logistic", y - x)),
    np.hypot: lambda z, x, y: (lambda g: g * x / z, lambda g: g * y / z),
}
"""NumPy function to its rule, (z, x[, y]) -> maps; the value z is the function itself on the payloads."""


def named(x: Array, *, name: str) -> tuple[Array, Maps]:
    """Return the function `name` of `reference.functions`, elementwise."""
    z = apply(name, x)
    return z, scaled(DERIVATIVES[name](x, z))


def softmax(x: Array) -> tuple[Array, Maps]:
    """Return exp(x) / sum exp(x), shape (K,)."""
    yhat = OUTPUTS["softmax"](x)
    return yhat, (lambda g: yhat * (g - (yhat * g).sum()),)


def matmul(x: Array, y: Array) -> tuple[Array, Maps]:
    """Return the product of vectors and matrices; a matrix's cotangent stays an unformed `Product`."""
    dimensions = getattr(x, "ndim", 0), getattr(y, "ndim", 0)
    if not {1, 2}.issuperset(dimensions):
        raise UnsupportedOperation(
            f"np.matmul of {dimensions[0]}-D and {dimensions[1]}-D arrays",
            "traced",
            "1-D and 2-D are; np.einsum may do",
        )

    def to_x(g: Array) -> Term:
        if x.ndim == 2:
            g, columns = (g, y) if y.ndim == 2 else (g.reshape(-1, 1), y.reshape(-1, 1))
            return Product(g, columns.T)
        return y @ g if y.ndim == 2 else g * y

    def to_y(g: Array) -> Term:
        if y.ndim == 2:
            g, rows = (g, x) if x.ndim == 2 else (g.reshape(1, -1), x.reshape(1, -1))
            return Product(rows.T, g)
        return x.T @ g if x.ndim == 2 else g * x

    return x @ y, (to_x, to_y)


def solve(a: Array, b: Array) -> tuple[Array, Maps]:
    """Return np.linalg.solve(a, b), shape of b; a (n, n), b (n,) or (n, k).

    Source: Giles 2008, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation".
    """
    x = np.linalg.solve(a, b)

    def to_a(g: Array) -> Term:
        back = np.linalg.solve(a.T, g)
        if x.ndim == 2:
            return Product(-back, x.T)
        return Product(-back.reshape(-1, 1), x.reshape(1, -1))

    return x, (to_a, lambda g: np.linalg.solve(a.T, g))


def swap(g: Any) -> Any:
    """Return the map of a matrix transpose, by which the tape knows that products may stay unformed."""
    return g.T


def transpose(x: Array, *, axes: Any = None) -> tuple[Array, Maps]:
    """Return np.transpose."""
    if x.ndim == 2 and axes is None:
        return x.T, (swap,)
    order = tuple(range(x.ndim))[::-1] if axes is None else tuple(a % x.ndim for a in axes)
    back = tuple(order.index(a) for a in range(x.ndim))
    return x.transpose(order), (lambda g: g.transpose(back),)


def total(x: Array, *, axis: Any = None, keepdims: bool = False) -> tuple[Any, Maps]:
    """Return the sum over one axis, several, or all."""
    axes = range(x.ndim) if axis is None else [a % x.ndim for a in np.atleast_1d(axis)]
    kept = tuple(1 if a in axes else n for a, n in enumerate(x.shape))
    return np.sum(x, axis=axis, keepdims=keepdims), (lambda g: g.reshape(kept) + np.zeros_like(x),)


def choose(x: Any, y: Any, *, condition: Any) -> tuple[Array, Maps]:
    """Return np.where(condition, x, y)."""
    return np.where(condition, x, y), (
        lambda g: np.where(condition, g, np.zeros_like(g)),
        lambda g: np.where(condition, np.zeros_like(g), g),
    )


def join(*vectors: Array) -> tuple[Array, Maps]:
    """Join vectors, one after the other."""
    ends = np.cumsum([v.size for v in vectors]).tolist()
    spans = zip([0, *ends], ends, strict=False)
    return np.concatenate(vectors), tuple(lambda g, a=a, b=b: g[a:b] for a, b in spans)


def move(x: Array, *, positions: Any) -> tuple[Any, Maps]:
    """Put entry `positions[i]` of x, counted in C order, at each i: any indexing or rearrangement."""
    places = positions.reshape(-1)
    if places.size == x.size and (places == np.arange(x.size)).all():
        return x.reshape(positions.shape), (lambda g: g.reshape(x.shape),)
    return x.reshape(-1)[positions], (lambda g: _scatter(g.reshape(-1), places, x),)


def _scatter(g: Array, places: Any, like: Array) -> Array:
    """Add each g[i] at places[i] to zeros like `like`; a place may recur."""
    out = np.zeros_like(like).reshape(-1)
    if places.size < 2 or (np.diff(places) > 0).all():
        out[places] = g
        return out.reshape(like.shape)
    while places.size:
        # np.add.at would do, were it known to every kind of array: each round takes every place once.
        _, first = np.unique(places, return_index=True)
        out[places[first]] = out[places[first]] + g[first]
        later = np.delete(np.arange(places.size), first)
        places, g = places[later], g[later]
    return out.reshape(like.shape)


def fit(value: Any, operand: Array, g: Array) -> Term:
    """Sum a map's answer over the axes along which the operand was broadcast."""
    if isinstance(value, Product):
        return value
    summed: Array = as_array(value, g, operand)
    if summed.shape == operand.shape:
        return summed
    extra = summed.ndim - operand.ndim
    for axis in range(summed.ndim):
        if summed.shape[axis] != 1 and (axis < extra or operand.shape[axis - extra] == 1):
            summed = np.sum(summed, axis=axis, keepdims=True)
    return summed.reshape(operand.shape)
