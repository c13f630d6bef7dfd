"""Exact rationals (python-flint): for polynomial activations, nothing is ever rounded."""

from __future__ import annotations

from typing import Any

import flint

from ..errors import UnsupportedOperation
from ..typing import Array
from .base import Field


class RationalField(Field):
    """The rational numbers. identity and relu networks run on it; tanh raises by name."""

    name = "rational"

    def from_ratio(self, numerator: int, denominator: int) -> Any:
        return flint.fmpq(numerator, denominator)

    def function(self, name: str, value: Any) -> Any:
        if name == "heaviside":
            return flint.fmpq(int(value > 0))
        if name == "relu":
            return value if value > 0 else flint.fmpq(0)
        raise UnsupportedOperation(name, self.name, "its values are irrational; use an identity or relu network")

    def compare(self, symbol: str, a: Any, b: Any) -> bool:
        return bool({"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "==": a == b, "!=": a != b}[symbol])

    def absolute(self, a: Any) -> Any:
        return abs(a)

    def matmul(self, a: Array, b: Array) -> Array:
        left = flint.fmpq_mat(a.shape[0], a.shape[1], self.natives(a))
        right = flint.fmpq_mat(b.shape[0], b.shape[1], self.natives(b))
        return self.array((left * right).entries(), (a.shape[0], b.shape[1]))
