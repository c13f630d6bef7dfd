"""Dual numbers a + b eps with eps^2 = 0, over any other number system.

Running a network's equations on them yields a directional derivative from the forward pass alone:
no rule, no reverse pass, no stored history.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..functions import DERIVATIVES
from ..typing import Array
from .base import Field, FieldArray


class _Pair:
    """primal + tangent * eps; both are scalars of the inner field."""

    __slots__ = ("primal", "tangent")

    def __init__(self, primal: Any, tangent: Any) -> None:
        self.primal, self.tangent = primal, tangent

    def __add__(self, other: _Pair) -> _Pair:
        return _Pair(self.primal + other.primal, self.tangent + other.tangent)

    def __sub__(self, other: _Pair) -> _Pair:
        return _Pair(self.primal - other.primal, self.tangent - other.tangent)

    def __mul__(self, other: _Pair) -> _Pair:
        return _Pair(self.primal * other.primal, self.primal * other.tangent + self.tangent * other.primal)

    def __truediv__(self, other: _Pair) -> _Pair:
        quotient = self.primal / other.primal
        return _Pair(quotient, (self.tangent - quotient * other.tangent) / other.primal)

    def __neg__(self) -> _Pair:
        return _Pair(-self.primal, -self.tangent)

    def __str__(self) -> str:
        return f"{self.primal} + {self.tangent} eps"


class DualField(Field):
    """Dual numbers over `inner`."""

    name = "dual"

    def __init__(self, inner: Field) -> None:
        super().__init__()
        self.inner = inner

    @contextmanager
    def working(self) -> Iterator[None]:
        with self.inner.working():
            yield

    def from_ratio(self, numerator: int, denominator: int) -> _Pair:
        inner = self.inner
        return _Pair(inner.scalar(inner.from_ratio(numerator, denominator)), inner.scalar(inner.from_ratio(0, 1)))

    def power(self, a: _Pair, n: int) -> _Pair:
        result: _Pair = self.convert(1)
        for _ in range(n):
            result = result * a
        return result

    def function(self, name: str, value: _Pair) -> _Pair:
        primal = value.primal.apply_function(name)
        return _Pair(primal, DERIVATIVES[name](value.primal, primal) * value.tangent)

    def jointly(self, name: str, index: int, arguments: tuple[Any, ...]) -> _Pair:
        """Return L(u, y), whose derivative in u_k is e_k(u, y); targets must carry no tangent."""
        inner = self.inner
        natives = tuple(a.primal.value for a in arguments)
        if name != "L":
            return super().jointly(name, index, arguments)  # type: ignore[no-any-return]
        tangent = inner.scalar(inner.convert(0))
        for k in range(len(arguments) // 2):
            tangent = tangent + inner.scalar(inner.jointly("e", k, natives)) * arguments[k].tangent
        return _Pair(inner.scalar(inner.jointly("L", 0, natives)), tangent)

    def compare(self, symbol: str, a: _Pair, b: _Pair) -> bool:
        return self.inner.compare(symbol, a.primal.value, b.primal.value)

    def size(self, a: _Pair) -> float:
        return self.inner.size(a.primal.value)

    def divide(self, a: _Pair, b: _Pair) -> _Pair:
        return a / b

    def is_finite(self, a: _Pair) -> bool:
        return self.inner.is_finite(a.primal.value) and self.inner.is_finite(a.tangent.value)

    def join(self, primal: Array, tangent: Array) -> FieldArray:
        """Return dual numbers from arrays of inner scalars of the same shape."""
        inner = self.inner
        pairs = zip(inner.natives(primal), inner.natives(tangent), strict=True)
        return self.array((_Pair(inner.scalar(p), inner.scalar(t)) for p, t in pairs), np.shape(primal))

    def tangents(self, array: Any) -> FieldArray:
        """Return the tangent parts, as inner scalars, same shape."""
        return self.inner.array((pair.tangent.value for pair in self.natives(array)), np.shape(array))
