"""Floats with a bound on the rounding error that any order of evaluation may have made.

A number is (v, e): v the value in float64, e >= 0 such that a float computation of the same paths, in any
order of summation, lies within e of the true value. Every operation adds its own rounding: u |result| for a
single one, (n + 1) u sum |terms| for a sum of n products, `function_ulps` u |result| for log and the like, and
`function_ulps` u max(|result|, 1) for functions that are written in many ways: tanh as 1 - 2/(exp(2s) + 1), softplus as
log(1 + exp(s)) and its slope as 1 - exp(-a), the logistic function as (1 + tanh(s/2))/2 and its slope as a (1 - a)
(Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., chapter 3: gamma_n; absolute values along every
path, so the order of summation does not matter). u is the unit roundoff of the format under audit. eta is its
smallest normal number: compiled code may run in a mode that flushes anything smaller to zero (XLA does), inputs and
sums as well as products, so that is what underflow is charged. The bound itself is computed in float64 and
rounded up by a relative 2^-20, far more than float64 can lose in it. Overflow gives e = infinity: then
nothing can be concluded.

A comparison that rounding may decide either way, such as the sign of a difference that is within its own bound, leaves
the bound of everything after it unknown: `flips`. One at equality, decided or not, is a `tie`: a kink may be there.

A norm-wise algorithm (rotations, QR, SVD, FFT) mixes the entries of an array, so that each has the rounding error of
the largest. `NormwiseField` charges every array so: each entry gets the largest bound in the array, and the rounding of
a product with an orthogonal matrix, n u |A|_F for an array A whose longest axis has n entries (Higham, chapter 19).
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Self

import numpy as np

from ..functions import DERIVATIVES, apply
from ..typing import Array
from .base import Field, FieldArray

_UP = 1 + 2.0**-20
_RANGES = {"tanh": 2.0, "logistic": 1.0, "sin": 2.0, "cos": 2.0, "arctan": 3.2, "erf": 2.0, "bell": 1.2}
"""Largest distance between two values of a bounded function."""
_REWRITTEN = ("tanh", "softplus", "logistic", "exp")
"""Functions whose usual other forms subtract numbers near 1, so that what is left of them carries an error of u."""


_SLOPES = {**dict.fromkeys(("sin", "cos", "tanh", "logistic", "softplus", "arctan", "bell"), 1.0), "erf": 1.2}
"""Bounds on |f'| anywhere."""


def _steepest(name: str, low: float, high: float) -> float:
    """Return max |f'| between low and high: these derivatives are monotone on either side of 0, or bounded."""
    if name in ("sin", "cos", "bell") or not (math.isfinite(low) and math.isfinite(high)):
        return _SLOPES.get(name, np.inf)
    if name in ("log", "sqrt") and low <= 0:
        return float(np.inf)
    points = (low, high, 0.0) if low < 0 < high else (low, high)
    return max(abs(float(DERIVATIVES[name](np.float64(p)))) for p in points)


class RoundedField(Field):
    """Error-carrying floats for a format: unit roundoff `u`, smallest normal number `eta`, `largest`."""

    name = "rounded"

    def __init__(
        self, u: float, eta: float = 0.0, largest: float = float("inf"), *, function_ulps: float = 8.0
    ) -> None:
        super().__init__()
        self.u, self.eta, self.largest, self.function_ulps = u, eta, largest, function_ulps
        self.tied = self.flips = False

    @classmethod
    def for_dtype(cls, dtype: Any) -> Self:
        """Return the format of np.float64, np.float32, ..."""
        info = np.finfo(dtype)
        return cls(float(info.eps) / 2, float(info.smallest_normal), float(info.max))

    @classmethod
    def for_digits(cls, digits: int) -> Self:
        """Return a format of decimal digits without bounds on the exponent, as mpmath computes."""
        return cls(10.0**-digits)

    def convert(self, number: Any) -> _Rounded:
        if isinstance(number, Fraction):
            return self.made(number.numerator / number.denominator, abs(number.numerator / number.denominator) * self.u)
        value = float(number)
        return self.made(value, abs(value) if abs(value) < self.eta else 0.0)

    def made(self, value: float, error: float) -> _Rounded:
        if abs(value) > self.largest or not (math.isfinite(value) and math.isfinite(error)):
            np.isfinite(value)  # clears the processor's flags, for which NumPy would warn after its loop
            error = float("inf")
        return _Rounded(self, float(value), float(error) if error == error else float("inf"))

    def function(self, name: str, value: _Rounded) -> _Rounded:
        v, e = value.v, value.e
        with np.errstate(all="ignore"):
            result = float(apply(name, np.float64(v)))
        if name in ("relu", "heaviside"):
            straddles = e > 0 and abs(v) <= e
            self.tied = self.tied or abs(v) <= e
            slope = 1.0 if name == "relu" else 0.0
            return self.made(result, slope * e + (1.0 if straddles and name == "heaviside" else 0.0))
        carried = min(_steepest(name, v - e, v + e) * e, _RANGES.get(name, np.inf)) if e else 0.0
        size = max(abs(result), 1.0) if name in _REWRITTEN else abs(result)
        return self.made(result, (carried + self.function_ulps * self.u * size) * _UP + self.eta)

    def softmax(self, values: list[_Rounded]) -> list[_Rounded]:
        """Return softmax, shifted by the largest value, which keeps exp from overflowing."""
        shift = self.made(max(x.v for x in values), 0.0)
        softmax: list[_Rounded] = super().softmax([x - shift for x in values])
        return softmax

    def compare(self, symbol: str, a: _Rounded, b: _Rounded) -> bool:
        if abs(a.v - b.v) <= a.e + b.e:
            self.tied, self.flips = True, self.flips or a.e + b.e > 0
        return bool(
            {"<": a.v < b.v, "<=": a.v <= b.v, ">": a.v > b.v, ">=": a.v >= b.v, "==": a.v == b.v, "!=": a.v != b.v}[
                symbol
            ]
        )

    def is_finite(self, a: _Rounded) -> bool:
        return math.isfinite(a.v) and math.isfinite(a.e)

    def matmul(self, a: Array, b: Array) -> Array:
        left, right = self.natives(a), self.natives(b)
        av, ae = _split(left, a.shape)
        bv, be = _split(right, b.shape)
        n = a.shape[1]
        with np.errstate(all="ignore"):
            size = np.abs(av) @ np.abs(bv)
            error = np.abs(av) @ be + ae @ np.abs(bv) + ae @ be + (n + 1) * self.u * size
            met = ((av != 0) | (ae > 0)).astype(float) @ ((bv != 0) | (be > 0)).astype(float)
            error = error * _UP + 2 * met * self.eta  # for it and the sum; a product with an exact 0 is exact
            value = av @ bv
        return self.array(
            (self.made(v, e) for v, e in zip(value.reshape(-1).tolist(), error.reshape(-1).tolist(), strict=True)),
            value.shape,
        )

    def size(self, a: _Rounded) -> float:
        return abs(a.v)

    def solve(self, a: Array, b: Array) -> Array:
        """Return the solution with a bound that holds for any elimination with partial pivoting.

        The computed x solves (A + E) x = b + e with |E| <= gamma_3n |L| |U| and the errors that A and b carry (Higham,
        chapter 9, theorem 9.4), so |x - true x| <= |A^-1| (E |x| + e) / (1 - norm(|A^-1| E)).
        """
        (av, ae), (bv, be), n = _split(self.natives(a), a.shape), _split(self.natives(b), b.shape), a.shape[0]
        x, error = np.zeros(b.shape), np.full(b.shape, np.inf)
        with np.errstate(all="ignore"):
            try:
                inverse, x = np.abs(np.linalg.inv(av)), np.linalg.solve(av, bv)
            except np.linalg.LinAlgError:
                inverse = np.full(av.shape, np.inf)
            E = 4 * n * self.u * _growth(av) + ae
            contraction = float((inverse @ E).sum(axis=1).max(initial=0.0))
            if contraction < 0.5:
                charged = E @ np.abs(x) + be + 2 * n * self.eta
                error = inverse @ charged / (1 - contraction) * (1 + 2.0**-10) + self.eta
        pairs = zip(x.reshape(-1).tolist(), error.reshape(-1).tolist(), strict=True)
        return self.array((self.made(v, e) for v, e in pairs), b.shape)

    def errors(self, array: Any) -> Array:
        """Return the error bounds of an array of these scalars, as float64."""
        return np.array([x.e for x in self.natives(array)]).reshape(np.shape(array))


class NormwiseField(RoundedField):
    """Error-carrying floats of algorithms that mix the entries of each array."""

    name = "normwise"

    def wrap(self, objects: Array) -> FieldArray:
        values = [x.value for x in objects.reshape(-1).tolist()]
        largest = max((abs(x.v) for x in values), default=0.0)
        error = max((x.e for x in values), default=0.0)
        if 0 < largest < np.inf:
            norm = largest * float(np.linalg.norm([x.v / largest for x in values]))
            error += max(objects.shape, default=1) * self.u * norm * _UP
        if not objects.flags.writeable:
            objects = objects.copy()
        made = (self.scalar(self.made(x.v, error)) for x in values)
        objects.view(np.ndarray)[...] = np.fromiter(made, dtype=object, count=len(values)).reshape(objects.shape)
        return super().wrap(objects)


def _growth(a: Array) -> Array:
    """Return |L| |U| of the elimination with partial pivoting, in the order of the rows of `a`."""
    n, upper, lower, order = len(a), a.astype(float), np.eye(len(a)), np.arange(len(a))
    for i in range(n):
        place = i + int(np.argmax(np.abs(upper[i:, i])))
        upper[[i, place]], order[[i, place]] = upper[[place, i]], order[[place, i]]
        lower[[i, place], :i] = lower[[place, i], :i]
        lower[i + 1 :, i] = upper[i + 1 :, i] / upper[i, i]
        upper[i + 1 :] -= np.outer(lower[i + 1 :, i], upper[i])
    product = np.empty_like(upper)
    product[order] = np.abs(lower) @ np.abs(np.triu(upper))
    return product


def _split(values: list[_Rounded], shape: tuple[int, ...]) -> tuple[Array, Array]:
    return np.array([x.v for x in values]).reshape(shape), np.array([x.e for x in values]).reshape(shape)


class _Rounded:
    __slots__ = ("field", "v", "e")

    def __init__(self, field: RoundedField, v: float, e: float) -> None:
        self.field, self.v, self.e = field, v, e

    def _made(self, v: float, e: float) -> _Rounded:
        field = self.field
        return field.made(v, (e + field.u * abs(v)) * _UP + field.eta)

    def _sum(self, v: float, o: _Rounded) -> _Rounded:
        field, e = self.field, self.e + o.e
        nothing = (self.v == 0 and self.e == 0) or (o.v == 0 and o.e == 0)
        flushed = 0.0 if nothing or abs(v) - e >= field.eta else field.eta
        return field.made(v, (e + field.u * abs(v)) * _UP + flushed)

    def __add__(self, o: _Rounded) -> _Rounded:
        return self._sum(self.v + o.v, o)

    def __sub__(self, o: _Rounded) -> _Rounded:
        return self._sum(self.v - o.v, o)

    def __mul__(self, o: _Rounded) -> _Rounded:
        if (self.v == 0 and self.e == 0) or (o.v == 0 and o.e == 0):
            return self.field.made(0.0, 0.0 if self.e < np.inf and o.e < np.inf else np.inf)
        return self._made(self.v * o.v, abs(self.v) * o.e + self.e * abs(o.v) + self.e * o.e)

    def __truediv__(self, o: _Rounded) -> _Rounded:
        least = abs(o.v) - o.e
        if least <= 0:
            return self.field.made(self.v / o.v if o.v else float("inf"), float("inf"))
        quotient = self.v / o.v
        return self._made(quotient, (self.e + abs(quotient) * o.e) / least)

    def __pow__(self, n: int) -> _Rounded:
        result = self.field.convert(1)
        for _ in range(n):
            result = result * self
        return result

    def __neg__(self) -> _Rounded:
        return self.field.made(-self.v, self.e)

    def __eq__(self, o: object) -> bool:
        return isinstance(o, _Rounded) and (self.v, self.e) == (o.v, o.e)

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"{self.v} +/- {self.e:.3g}"
