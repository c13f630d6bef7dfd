"""Balls of float64: midpoint and radius per entry, in NumPy and BLAS, for enclosures where 53 bits are enough.

An entry (m, r) says that the true value is within r of m. It is carried as the complex number m + i r, so that NumPy
moves entries by itself; what computes with them is answered here or refused by name. With u = 2^-53 and rounding to
nearest:
    x + y   m = fl(mx + my),  r >= rx + ry + u |m|
    x y     m = fl(mx my),    r >= |mx| ry + rx (|my| + ry) + u |m|
    A B     |fl(A B) - A B| <= gamma_n |A| |B| in any order of summation, with or without fused multiply-add
            (Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., section 3.5), gamma_n < (n + 1) u
A radius is itself computed in float64 from terms that are not negative, so it is raised by more than its few
roundings can have lost; 2 u stands for u so that this holds for subnormal radii too, and `_TINY` for products
that underflow, in m or in r. What overflows leaves m infinite or NaN:
`enclosure` takes neither.

Source: Rump 1999, "Fast and parallel interval arithmetic".

There is no order, and few functions: those of the lecture's network with tanh. `enclosure` turns to Arb for the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import flint
import numpy as np

from .. import numpy_functions as FN
from ..errors import GradcheckError, UnsupportedOperation
from ..private import NO_VALUE
from ..typing import Array

_NAME = "float ball"
_U2 = 2.0**-52
_UP = 1 + 2.0**-48
_TINY = 2.0**-1000
_LEAST = 2.0**-1074
"""Loss of the rounding that a number is charged, where it underflows and is then multiplied by a large one."""
_STEP_HIGH = float.fromhex("0x1.62e42fefap-6")  # 36 bits, so that its product with n < 2^11 is exact
_STEP_LOW = float.fromhex("0x1.cf79abc9e3b3ap-45")  # ln 2 / 32 = high + low to within 2^-97
_ROOTS = np.array([int(flint.fmpz(1 << (n + 32 * 60)).root(32)) / 2**60 for n in range(32)])
_POWERS = np.ldexp(np.tile(_ROOTS, 58), np.repeat(np.arange(58), 32))
"""2^(n/32), each within a relative 1.01u."""
_TAYLOR = tuple(1 / math.factorial(n) for n in range(7))
_TANH_ERROR = 2.0**-50


def tanh(x: Array) -> Array:
    """Return tanh of float64 x, within 2^-50 of the true value, by arithmetic alone: no library is believed.

    With 2|x| = n ln 2 / 32 + q and E = 2^(n/32) e^q: tanh |x| = 1 - 2/(E + 1). 2|x| - n high is exact: its terms are
    multiples of the unit in the last place of 2|x|, which is at least 2^-59 where n > 0, and it is below 2^-6.
    Subtracting n low costs less than u/50. The series of e^q stops before q^7/7! < u/25 for |q| < 0.0109, and Horner's
    scheme costs 1.1u. So E is right to a relative 4u, of which at most half reaches tanh (E d/dE of 2/(E + 1)), and the
    three last operations add 3u: 5u < 2^-50. Beyond |x| = 20, tanh is within 2^-56 of 1.
    """
    doubled = np.minimum(2 * np.abs(x), 40.0)
    n = np.rint(doubled * (32 / math.log(2)))
    q = doubled - n * _STEP_HIGH - n * _STEP_LOW
    series = q * _TAYLOR[-1]
    for coefficient in _TAYLOR[-2:0:-1]:
        series += coefficient
        series *= q
    series += 1
    series *= _POWERS.take(n.astype(int), mode="clip")  # of what is not a number any power
    result: Array = np.copysign(1 - 2 / (series + 1), x)
    return result


class FloatBallField:
    """The number system of float balls, as `Problem.over` takes it."""

    name = _NAME

    bits = 53

    def natives(self, array: Any) -> list[Any]:
        """Return the balls as Arb's, in C order."""
        return list(map(flint.arb, array.midpoint.reshape(-1).tolist(), array.radius.reshape(-1).tolist()))

    def working(self) -> nullcontext[None]:
        """Return an empty context. Raises `UnsupportedOperation` if this thread flushes subnormal numbers to 0."""
        if not (np.array([_LEAST]) * np.array([1.0])).any():
            raise UnsupportedOperation("arithmetic that flushes subnormal numbers to zero", _NAME)
        return nullcontext()

    def lift(self, array: Any) -> FloatBallArray:
        """Lift floats and small integers to balls of radius 0. Raises `UnsupportedOperation` if float64 rounds one."""
        if isinstance(array, FloatBallArray):
            return array
        plain = np.asarray(array)
        if plain.dtype.kind not in "biuf" or plain.dtype.itemsize > 8:
            raise UnsupportedOperation(f"an array of {plain.dtype}", _NAME)
        floats = plain.astype(np.float64)
        if plain.dtype.kind in "iu" and (np.abs(floats) >= 2.0**53).any():
            raise UnsupportedOperation("integers beyond 2^53", _NAME)
        return ball(floats, np.zeros(floats.shape))


class FloatBallArray(np.ndarray[Any, np.dtype[np.complex128]]):
    """Balls; `midpoint` and `radius` are float64 arrays of its shape. Single entries are arrays of shape ().

    Results are read-only, down to the memory that they hold, so what was worked out of one, its parts, its tanh and its
    planes, is kept with it.
    """

    parts_kept: tuple[Array, Array] | None = None
    tanh_kept: FloatBallArray | None = None
    planes_kept: _Planes | None = None

    @property
    def parts(self) -> tuple[Array, Array]:
        """Midpoints and radii, not to be written to."""
        kept = self.parts_kept
        if kept is not None and kept[0].shape == self.shape:
            return kept
        plain = np.ndarray.view(self, np.ndarray)
        return plain.real, plain.imag

    @property
    def midpoint(self) -> Array:
        return self.parts[0].copy()

    @property
    def radius(self) -> Array:
        return self.parts[1].copy()

    def __repr__(self) -> str:
        return f"FloatBallArray of shape {self.shape}"

    def __getitem__(self, key: Any) -> Any:
        # NumPy would hand out a complex number, whose arithmetic is another.
        entry = np.ndarray.view(self, np.ndarray)[key]
        return np.asarray(entry).view(FloatBallArray)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def apply_function(self, name: str) -> FloatBallArray:
        """Return tanh of every ball. Raises `UnsupportedOperation` for other functions."""
        if name != "tanh":
            raise UnsupportedOperation(name, _NAME)
        if self.tanh_kept is not None and self.tanh_kept.shape == self.shape:
            return self.tanh_kept
        # The slope at the midpoint is 1 - a^2 to within 2^-48, and |tanh''| / 2 < 1/2; two values are 2 apart at most.
        m, r = self.parts
        a, r = tanh(m), np.minimum(r, 2.0)
        result = ball(a, (r * ((1 - a * a) + (r / 2 + 2.0**-48)) + _TANH_ERROR) * _UP)
        if self.parts_kept is not None:
            self.tanh_kept = result
        return result

    def apply_jointly(self, name: str, *others: Any) -> FloatBallArray:
        raise UnsupportedOperation(name, _NAME)

    # What networks do at each step goes straight to its answer; the rest by way of NumPy, which asks here.
    def __add__(self, other: Any) -> Any:
        return _add(self, other) if type(other) in _OURS else super().__add__(other)

    def __mul__(self, other: Any) -> Any:
        return _multiply(self, other) if type(other) in _OURS else super().__mul__(other)

    def __pow__(self, n: Any, modulo: None = None) -> Any:
        return _power(self, n) if modulo is None and type(n) in (int, float) else super().__pow__(n, modulo)

    def __rsub__(self, other: Any) -> Any:
        return _subtract(other, self) if type(other) in _OURS else super().__rsub__(other)

    def __matmul__(self, other: Any) -> Any:
        return _matmul(self, other) if type(other) in _OURS else super().__matmul__(other)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        for x in inputs:
            if type(x) not in _OURS and hasattr(x, "__array_ufunc__") and not isinstance(x, (np.ndarray, np.generic)):
                return NotImplemented  # a traced array answers for both
        operation = _OPERATIONS.get((ufunc, method))
        if operation is None or kwargs and method == "__call__":
            raise UnsupportedOperation(f"np.{ufunc.__name__}", _NAME)
        return operation(*inputs, **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func is np.sum:
            return np.add.reduce(*args, **{"axis": None, **kwargs})
        if func in FN.FILLS:
            shape = kwargs.get("shape")
            plain = np.full(np.shape(args[0]) if shape is None else shape, FN.FILLS[func], dtype=np.complex128)
            return plain.view(FloatBallArray)
        if func not in _MOVES:
            raise UnsupportedOperation(f"np.{func.__name__}", _NAME)
        moved = super().__array_function__(func, types, args, kwargs)
        return moved.view(FloatBallArray) if isinstance(moved, np.ndarray) else moved

    def sum(self, axis: Any = None, keepdims: bool = False) -> Any:  # type: ignore[override]
        return np.sum(self, axis=axis, keepdims=keepdims)

    def dot(self, other: Any, out: Any = None) -> Any:
        raise UnsupportedOperation("ndarray.dot", _NAME, "write a @ b")


_OURS = {FloatBallArray, np.ndarray, int, float}


def ball(midpoint: Any, radius: Any) -> FloatBallArray:
    """Make balls of two float64 arrays of one shape, which become read-only."""
    alike = type(midpoint) is type(radius) is np.ndarray and midpoint.shape == radius.shape
    out = np.empty(midpoint.shape if alike else np.shape(midpoint), np.complex128)
    out.real, out.imag = midpoint, radius
    out.setflags(write=False)
    balls = out.view(FloatBallArray)
    if alike:
        midpoint.setflags(write=False)
        radius.setflags(write=False)
        balls.parts_kept = midpoint, radius
    return balls


class _Planes(NamedTuple):
    """Planes that products of matrices read, each apart so that BLAS takes it. radius: None where it is 0."""

    midpoint: Array
    size: Array
    radius: Array | None

    @property
    def T(self) -> _Planes:
        return _Planes(self.midpoint.T, self.size.T, None if self.radius is None else self.radius.T)


def _planes(x: Any) -> _Planes:
    """Return the planes of an array; a transposed one shares them with its base."""
    if not isinstance(x, FloatBallArray):
        m, _ = _parts(x)
        return _Planes(m, np.abs(m), None)
    if x.planes_kept is not None and x.planes_kept.midpoint.shape == x.shape:
        return x.planes_kept
    base, fixed = x.base, x.parts_kept is not None
    if isinstance(base, FloatBallArray) and x.shape == base.shape[::-1] and x.strides == base.strides[::-1]:
        planes, fixed = _planes(base).T, base.planes_kept is not None
    else:
        m, r = map(np.ascontiguousarray, x.parts) if x.ndim else x.parts
        planes = _Planes(m, np.abs(m), r if m.size in m.shape or r.any() else None)  # a vector costs less than to look
    if fixed:
        x.planes_kept = planes
    return planes


def _parts(x: Any) -> tuple[Any, Any]:
    if isinstance(x, FloatBallArray):
        return x.parts
    if isinstance(x, np.ndarray) and x.dtype == np.float64:
        return x, 0.0
    if isinstance(x, (int, float)) and not isinstance(x, bool) and float(x) == x:
        return float(x), 0.0
    raise GradcheckError(f"expected float balls or float64 numbers; got {type(x).__name__} {x!r:.60}")


def _add(x: Any, y: Any) -> FloatBallArray:
    (mx, rx), (my, ry) = _parts(x), _parts(y)
    m = mx + my
    return ball(m, (rx + ry + _U2 * np.abs(m)) * _UP)


def _subtract(x: Any, y: Any) -> FloatBallArray:
    (mx, rx), (my, ry) = _parts(x), _parts(y)
    m = mx - my
    return ball(m, (rx + ry + _U2 * np.abs(m)) * _UP)


def _multiply(x: Any, y: Any) -> FloatBallArray:
    (mx, rx), (my, ry) = _parts(x), _parts(y)
    m = mx * my
    r = np.abs(mx) * ry + np.abs(m) * _U2
    if isinstance(rx, np.ndarray):  # not of a plain number
        r += rx * (np.abs(my) + ry)
    return ball(m, r * _UP + _TINY)


def _square(x: Any) -> FloatBallArray:
    m, r = _parts(x)
    square = m * m
    return ball(square, (r * (np.abs(m) * 2 + r) + square * _U2) * _UP + _TINY)


def _power(x: Any, n: Any) -> FloatBallArray:
    if isinstance(n, FloatBallArray) or np.ndim(n) or n != 2:
        raise UnsupportedOperation(f"the power {n!r}", _NAME)
    return _square(x)


def _negative(x: Any) -> FloatBallArray:
    m, r = x.parts
    return ball(-m, r)


def _positive(x: Any) -> FloatBallArray:
    return x.copy()  # type: ignore[no-any-return]


def _matmul(x: Any, y: Any) -> FloatBallArray:
    left, right = _planes(x), _planes(y)
    m = left.midpoint @ right.midpoint
    n = left.midpoint.shape[-1]
    charged = (n + 2) * _U2 * right.size + _LEAST
    radius = left.size @ (charged if right.radius is None else charged + right.radius)
    if left.radius is not None:
        radius = radius + left.radius @ (right.size if right.radius is None else right.size + right.radius)
    return ball(m, radius * (_UP + 4 * n * _U2) + n * _TINY)


def _sum(x: Any, axis: Any = 0, keepdims: bool = False, **rest: Any) -> FloatBallArray:
    if any(value is not None and value is not NO_VALUE and value is not True for value in rest.values()):
        raise UnsupportedOperation(f"np.sum with {', '.join(rest)}", _NAME)
    (m, r), how = _parts(x), {"axis": axis, "keepdims": keepdims}
    n = m.size
    size = np.add.reduce(np.abs(m), **how)
    return ball(np.add.reduce(m, **how), (np.add.reduce(r, **how) + n * _U2 * size) * (_UP + 4 * n * _U2))


_OPERATIONS: dict[tuple[np.ufunc, str], Callable[..., Any]] = {
    (np.add, "__call__"): _add,
    (np.subtract, "__call__"): _subtract,
    (np.multiply, "__call__"): _multiply,
    (np.power, "__call__"): _power,
    (np.square, "__call__"): _square,
    (np.negative, "__call__"): _negative,
    (np.positive, "__call__"): _positive,
    (np.matmul, "__call__"): _matmul,
    (np.add, "reduce"): _sum,
    (np.tanh, "__call__"): lambda x: x.apply_function("tanh"),
}
_MOVES = FN.REARRANGES | FN.JOINS | {np.transpose, np.shape, np.ndim, np.size, np.copy}
"""Functions that only move entries, and so are right on complex numbers as they are."""
