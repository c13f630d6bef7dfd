"""Exact arithmetic modulo a prime below 2^31 on float64 arrays, so that products run in BLAS.

A residue is an integer x of magnitude at most B = (p - 1)/2 + 2, held in a float64; it need not be
the only representative of its class. Every intermediate below is an integer of magnitude at most
EXACT < 2^53, so float64 holds it exactly, whatever the order of summation and with or without fused
multiply-add. Where a product of two residues is too large for that, one factor is split into
y = high * 2^s + low with |low| <= 2^(s-1), |high| <= B / 2^s + 1/2, s = half the bits of p.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from ...errors import GradcheckError, MixedNumbers, UnsupportedOperation
from ...typing import Array
from ..scalar import Scalar

EXACT = 2**53 - 2**33
_NAME = "modular"
_BLOCK = 2**15  # a quotient of this many entries stays in the second-level cache


@cache
def _is_prime(n: int) -> bool:
    return n == 2 or (n > 2 and n % 2 == 1 and all(n % d for d in range(3, int(n**0.5) + 1, 2)))


class Modulus:
    """Arithmetic modulo the odd prime `prime` < 2^31, on plain float64 arrays of residues.

    Raises `GradcheckError` for any other number.
    """

    def __init__(self, prime: int) -> None:
        if not 2 < prime < 2**31 or not _is_prime(prime):
            raise GradcheckError(f"residues need an odd prime below 2^31; got {prime}")
        self.prime = prime
        base = 2.0 ** ((prime.bit_length() + 1) // 2)
        self._whole, self._middle = (np.array(n, dtype=np.int64) for n in (prime, prime // 2))
        # Arrays of one number: NumPy takes them in half the time of Python's floats, most of it for a short vector.
        self._p, self._inverse_p, self._base, self._inverse_base = map(
            np.asarray, (float(prime), 1 / prime, base, 1 / base)
        )
        self.bound = bound = (prime - 1) // 2 + 2
        low, high = int(base) // 2, int(bound / base) + 1
        # How many products can be added up: of two residues; of a residue and a half, after which
        # high's reduced sum times the base (at most bound * base) is added to low's sum.
        self.direct_terms = EXACT // bound**2
        self.split_terms = min(EXACT // (bound * high), (EXACT - bound * int(base)) // (bound * low))

    def reduce(self, x: Array) -> Array:
        """Bring integers |x| <= EXACT back to |x| <= B, in place; a float gives a 0-d array.

        The quotient x/p carries two roundings, so it is wrong by less than |x|/p * 2^-52 < 2/p, and
        |x - p rint(.)| < p/2 + 2. p * rint(.) is an integer below EXACT + p < 2^53: the difference is exact.
        """
        if type(x) is not np.ndarray or not x.ndim:
            x = np.asarray(x)
            if not x.ndim:
                return np.asarray(x - self._p * np.rint(x * self._inverse_p))
        if x.size <= _BLOCK:
            quotient = x * self._inverse_p
            np.rint(quotient, out=quotient)
            quotient *= self._p
            x -= quotient
            return x
        flat = x.reshape(-1) if x.flags.c_contiguous else x
        for part in (flat[i : i + _BLOCK] for i in range(0, flat.shape[0], _BLOCK)) if flat.ndim == 1 else (x,):
            quotient = np.multiply(part, self._inverse_p)
            np.rint(quotient, out=quotient)
            np.multiply(quotient, self._p, out=quotient)
            np.subtract(part, quotient, out=part)
        return x

    def halves(self, y: Any) -> tuple[Any, Any]:
        """Return high, low with y = high * base + low; both divisions by the base, a power of two, are exact."""
        high = np.rint(y * self._inverse_base)
        return high, y - high * self._base

    def add(self, x: Any, y: Any) -> Array:
        return self.reduce(np.add(x, y))  # |x + y| <= 2 B < 2^32

    def subtract(self, x: Any, y: Any) -> Array:
        return self.reduce(np.subtract(x, y))

    def multiply(self, x: Any, y: Any) -> Array:
        """Return the elementwise product, broadcast."""
        if self.direct_terms:
            return self.reduce(np.multiply(x, y))
        if getattr(x, "size", 1) < getattr(y, "size", 1):
            x, y = y, x
        if isinstance(y, float) and self.bound * abs(y) <= EXACT:
            return self.reduce(np.multiply(x, y))
        high, low = self.halves(y)
        product = self.reduce(np.multiply(x, high))  # |x high| <= B (B/base + 1/2) < 2^46
        product *= self._base  # <= B base < 2^47
        product += np.multiply(x, low)  # <= B base / 2 < 2^46 more
        return self.reduce(product)

    def matmul(self, a: Array, b: Array) -> Array:
        """Return np.matmul of residues: any shapes that np.matmul takes. Raises ValueError for those it does not."""
        if not type(a) is type(b) is np.ndarray:
            a, b = np.asarray(a), np.asarray(b)
        n = a.shape[-1] if a.ndim else 0
        if not a.ndim or not b.ndim or n != b.shape[-2 if b.ndim > 1 else 0]:
            np.matmul(a, b)  # raises NumPy's own error about the shapes
        split = self.direct_terms < min(n, 64)
        product, most = (self._split_product, self.split_terms) if split else (self._product, self.direct_terms)
        if n <= most:
            return product(a, b)
        total: Array | None = None
        for start in range(0, n, max(1, most)):
            rows = slice(start, start + max(1, most))
            part = product(a[..., rows], b[rows] if b.ndim == 1 else b[..., rows, :])
            total = part if total is None else self.add(total, part)
        assert total is not None  # n > 0 here
        return total

    def _product(self, a: Array, b: Array) -> Array:
        return self.reduce(np.matmul(a, b))

    def _split_product(self, a: Array, b: Array) -> Array:
        """Multiply with the smaller operand in halves: add high's sum, reduced, times the base, to low's."""
        if a.size <= b.size:
            high, low = self.halves(a)
            total = self.reduce(np.matmul(high, b))
            total *= self._base
            total += np.matmul(low, b)
        else:
            high, low = self.halves(b)
            total = self.reduce(np.matmul(a, high))
            total *= self._base
            total += np.matmul(a, low)
        return self.reduce(total)

    def sum(self, x: Array, axis: Any = None, keepdims: bool = False) -> Array:
        """Return np.sum. Raises `UnsupportedOperation` where EXACT / B terms (4 million at least) are exceeded."""
        total: Array = np.asarray(np.add.reduce(x, axis=axis, keepdims=keepdims))  # type: ignore[call-overload]
        self._check_terms(np.size(x) // max(1, np.size(total)))
        return self.reduce(total)

    def cumsum(self, x: Array, axis: int) -> Array:
        self._check_terms(x.shape[axis])
        return self.reduce(np.add.accumulate(x, axis=axis))

    def _check_terms(self, terms: int) -> None:
        if terms * self.bound > EXACT:
            raise UnsupportedOperation(f"a sum of {terms} terms", _NAME, f"at most {EXACT // self.bound} stay exact")

    def power(self, x: Any, n: int) -> Array:
        """Return x ** n for a whole n >= 0, by squaring."""
        result = np.ones_like(x, dtype=np.float64)
        while n:
            if n & 1:
                result = self.multiply(result, x)
            n >>= 1
            x = self.multiply(x, x) if n else x
        return result

    def inverse(self, x: Any) -> Array:
        """Return 1 / x elementwise. Raises `UnsupportedOperation` where a residue is zero.

        The entries are multiplied in pairs until one product is left to invert: three products an entry.
        """
        x = np.asarray(x, dtype=np.float64)
        if not self.canonical(x).all():
            raise UnsupportedOperation("division by zero", _NAME)
        return self._inverse(x.reshape(-1)).reshape(x.shape)

    def _inverse(self, x: Array) -> Array:
        if x.size <= 1:
            return np.array([float(self.convert(Fraction(1, int(v)))) for v in x])
        even, odd = x[0::2], x[1::2]
        paired = even[: odd.size]
        last = even[odd.size :]
        inverses = self._inverse(np.concatenate([self.multiply(paired, odd), last]))
        out = np.empty_like(x)
        out[0::2][: odd.size] = self.multiply(inverses[: odd.size], odd)
        out[1::2] = self.multiply(inverses[: odd.size], paired)
        out[0::2][odd.size :] = inverses[odd.size :]
        return out

    def solve(self, a: Array, b: Array) -> Array:
        """Solve a linear system by Gauss-Jordan elimination.

        Args:
            a: Residues, shape (n, n).
            b: Right sides, shape (n, k).

        Returns:
            The solution, shape (n, k).

        Raises:
            UnsupportedOperation: The matrix is singular.
        """
        n, rows = len(a), np.concatenate([a, b], axis=1)
        for i in range(n):
            there = np.flatnonzero(self.canonical(rows[i:, i]))
            if not there.size:
                raise UnsupportedOperation("the solution of a singular system", _NAME)
            rows[[i, i + there[0]]] = rows[[i + there[0], i]]
            rows[i] = self.multiply(rows[i], self.inverse(rows[i : i + 1, i]))
            column = rows[:, i : i + 1].copy()
            column[i] = 0
            rows = self.subtract(rows, self.multiply(column, rows[i : i + 1]))
        return rows[:, n:]

    def canonical(self, x: Any) -> Array:
        """Return the representatives in [0, p), int64."""
        return np.mod(np.asarray(x).astype(np.int64), self._whole)

    def signed(self, x: Array) -> Array:
        """Return the representatives of magnitude at most (p - 1)/2, int64, from those in [0, p)."""
        small: Array = x - self._whole * (x > self._middle)
        return small

    def balanced(self, x: Any) -> Array:
        """Return the representatives of `signed` in float64."""
        return self.signed(x).astype(np.float64)

    def convert(self, number: Any) -> float:
        """Return the residue of an int, float or Fraction; a float is the dyadic rational that it is.

        Raises `UnsupportedOperation` for NaN, infinity and a denominator divisible by the prime.
        """
        if isinstance(number, (float, np.floating)) and not np.isfinite(number):
            raise UnsupportedOperation(f"the constant {number}", _NAME)
        if isinstance(number, (bool, np.bool_, np.integer)):
            number = int(number)
        numerator, denominator = number.as_integer_ratio()
        if denominator % self.prime == 0:
            raise UnsupportedOperation(f"the constant {number}", _NAME, "its denominator is a multiple of the prime")
        residue = numerator % self.prime
        if denominator != 1:
            residue = residue * pow(denominator, -1, self.prime) % self.prime
        return float(residue - self.prime if 2 * residue > self.prime else residue)

    def convert_array(self, array: Array) -> Array:
        """Convert every element of a boolean, integer, float or object array; keep the shape, return float64."""
        kind = array.dtype.kind
        if kind in "biu":
            if array.dtype == np.uint64:
                return self.balanced((array % np.uint64(self.prime)).astype(np.int64))
            return self.balanced(array.astype(np.int64) % self.prime)
        if kind == "f" and array.dtype.itemsize <= 8:
            x = array.astype(np.float64)
            with np.errstate(invalid="ignore"):
                whole = bool((np.abs(x) <= EXACT).all() and (x == np.rint(x)).all())
            if whole:
                return self.reduce(x)
            if not np.isfinite(x).all():
                raise UnsupportedOperation(f"the constant {x[~np.isfinite(x)].flat[0]}", _NAME)
            mantissas, exponents = np.frexp(x)  # x = (mantissa 2^53) 2^(exponent - 53), the first whole
            scales, which = np.unique(exponents, return_inverse=True)
            powers = np.array([self.convert(Fraction(2) ** (int(e) - 53)) for e in scales])
            whole_part = self.balanced((mantissas * 2.0**53).astype(np.int64) % self.prime)
            return self.multiply(whole_part, powers[which].reshape(x.shape))
        flat = [self._convert_object(v) for v in array.reshape(-1).tolist()]
        return np.array(flat, dtype=np.float64).reshape(array.shape)

    def _convert_object(self, value: Any) -> float:
        if isinstance(value, (bool, int, float, Fraction, np.integer, np.floating)):
            return self.convert(value)
        if isinstance(value, Scalar):
            raise MixedNumbers(value.field)
        raise GradcheckError(f"expected numbers to carry over to residues; got {type(value).__name__} {value!r}")

    def einsum(self, subscripts: str, *operands: Array) -> Array:
        """Return np.einsum for any number of operands, contracted from the left, through `matmul`.

        Raises `GradcheckError` for subscripts that do not fit the operands.
        """
        terms, output = _parse(subscripts, operands)
        x, labels = operands[0], terms[0]
        for i in range(1, len(operands)):
            x, labels = self._contract(x, labels, operands[i], terms[i], set(output).union(*terms[i + 1 :]))
        x, labels = self._sum_out(*_diagonal(x, labels), set(output))
        return x.transpose([labels.index(label) for label in output]).copy()

    def _sum_out(self, x: Array, labels: str, keep: set[str]) -> tuple[Array, str]:
        axes = tuple(i for i, label in enumerate(labels) if label not in keep)
        return (self.sum(x, axis=axes) if axes else x), "".join(label for label in labels if label in keep)

    def _contract(self, x: Array, tx: str, y: Array, ty: str, keep: set[str]) -> tuple[Array, str]:
        (x, tx), (y, ty) = _diagonal(x, tx), _diagonal(y, ty)
        for label in set(tx) & set(ty):  # einsum broadcasts an axis of length 1 against a longer one
            if x.shape[tx.index(label)] < y.shape[ty.index(label)]:
                x, tx = x.squeeze(tx.index(label)), tx.replace(label, "")
            elif x.shape[tx.index(label)] > y.shape[ty.index(label)]:
                y, ty = y.squeeze(ty.index(label)), ty.replace(label, "")
        (x, tx), (y, ty) = self._sum_out(x, tx, keep | set(ty)), self._sum_out(y, ty, keep | set(tx))
        batch = [label for label in tx if label in ty and label in keep]
        inner = [label for label in tx if label in ty and label not in keep]
        left, right = [label for label in tx if label not in ty], [label for label in ty if label not in tx]
        size = {label: x.shape[i] for i, label in enumerate(tx)} | {label: y.shape[i] for i, label in enumerate(ty)}
        count = [int(np.prod([size[label] for label in group])) for group in (batch, left, inner, right)]
        x = x.transpose([tx.index(label) for label in batch + left + inner]).reshape(count[0], count[1], count[2])
        y = y.transpose([ty.index(label) for label in batch + inner + right]).reshape(count[0], count[2], count[3])
        product = self.matmul(x, y) if inner else self.multiply(x, y)
        labels = batch + left + right
        return product.reshape([size[label] for label in labels]), "".join(labels)


def _diagonal(x: Array, labels: str) -> tuple[Array, str]:
    once = "".join(dict.fromkeys(labels))
    return (np.einsum(f"{labels}->{once}", x) if once != labels else x), once


def _parse(subscripts: str, operands: Sequence[Array]) -> tuple[list[str], str]:
    left, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    unused = [c for c in string.ascii_letters if c not in subscripts]
    spread = [x.ndim - len(t.replace("...", "")) if "..." in t else 0 for t, x in zip(terms, operands, strict=False)]
    dots = "".join(unused[: max(spread, default=0)])
    if len(terms) == len(operands) and min(spread) >= 0:
        terms = [t.replace("...", dots[len(dots) - k :]) for t, k in zip(terms, spread, strict=True)]
    letters = "".join(terms)
    if not arrow:
        output = "..." + "".join(sorted(c for c in set(letters) - set(dots) if letters.count(c) == 1))
    output = output.replace("...", dots)
    fits = len(terms) == len(operands) and all(len(t) == x.ndim for t, x in zip(terms, operands, strict=True))
    fits = fits and len(set(output)) == len(output) and set(output) <= set(letters) and (letters + "a").isalpha()
    if fits:
        axes = [axis for t, x in zip(terms, operands, strict=True) for axis in zip(t, x.shape, strict=True)]
        fits = all(len({size for c, size in axes if c == label} - {1}) <= 1 for label in set(letters))
    if not fits:
        shapes = ", ".join(str(x.shape) for x in operands)
        raise GradcheckError(f"einsum subscripts {subscripts!r} do not fit operands of shapes {shapes}")
    return terms, output
