"""Numbers of any chosen number of decimal digits (mpmath): rounded, not enclosed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import mpmath

from ..errors import UnsupportedOperation
from .base import Field


class PreciseField(Field):
    """Reals at `digits` decimal digits, rounded to nearest after every operation."""

    name = "precise"

    def __init__(self, digits: int = 50) -> None:
        super().__init__()
        self.digits = digits

    @contextmanager
    def working(self) -> Iterator[None]:
        with mpmath.workdps(self.digits):
            yield

    def from_ratio(self, numerator: int, denominator: int) -> Any:
        return mpmath.mpf(numerator) / denominator

    def function(self, name: str, value: Any) -> Any:
        if name in ("tanh", "exp", "log", "sqrt", "sin", "cos"):
            result = getattr(mpmath, name)(value)
            if isinstance(result, mpmath.mpc):
                raise UnsupportedOperation(f"{name} of {value}", self.name)
            return result
        if name == "logistic":
            return 1 / (1 + mpmath.exp(-value))
        if name == "softplus":
            return mpmath.log1p(mpmath.exp(value))
        if name == "arctan":
            return mpmath.atan(value)
        if name == "erf":
            return mpmath.erf(value)
        if name == "bell":
            return 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-value * value)
        if name == "heaviside":
            return mpmath.mpf(int(value > 0))
        if name == "relu":
            return max(value, mpmath.mpf(0))
        raise UnsupportedOperation(name, self.name)

    def compare(self, symbol: str, a: Any, b: Any) -> bool:
        return bool({"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "==": a == b, "!=": a != b}[symbol])

    def size(self, a: Any) -> float:
        return float(abs(a))

    def is_finite(self, a: Any) -> bool:
        return bool(mpmath.isfinite(a))
