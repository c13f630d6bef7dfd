"""Ball arithmetic: each number is an interval that provably contains the true value (Arb).

Source: Johansson 2017, "Arb: efficient arbitrary-precision midpoint-radius interval arithmetic".
Comparisons of balls that overlap raise `Undecided`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import flint

from ..errors import Undecided, UnsupportedOperation
from ..typing import Array
from .base import Field


def _logistic(x: Any) -> Any:
    return 1 / (1 + (-x).exp())


def _softplus(x: Any) -> Any:
    return x.exp().log1p()


class BallField(Field):
    """Balls at `bits` of working precision."""

    name = "ball"

    def __init__(self, bits: int = 256) -> None:
        super().__init__()
        self.bits = bits

    @contextmanager
    def working(self) -> Iterator[None]:
        before, flint.ctx.prec = flint.ctx.prec, self.bits
        try:
            yield
        finally:
            flint.ctx.prec = before

    def from_ratio(self, numerator: int, denominator: int) -> Any:
        return flint.arb(numerator) if denominator == 1 else flint.arb(flint.fmpq(numerator, denominator))

    def function(self, name: str, value: Any) -> Any:
        if name in ("tanh", "exp", "log", "sqrt", "sin", "cos"):
            return getattr(value, name)()
        if name == "logistic":
            return _logistic(value)
        if name == "softplus":
            return _softplus(value)
        if name == "arctan":
            return value.atan()
        if name == "erf":
            return value.erf()
        if name == "bell":
            return 2 * (-value * value).exp() / flint.arb.pi().sqrt()
        if name == "heaviside":
            return flint.arb(int(self.compare(">", value, flint.arb(0))))
        if name == "relu":
            return value if self.compare(">", value, flint.arb(0)) else flint.arb(0)
        raise UnsupportedOperation(name, self.name)

    def compare(self, symbol: str, a: Any, b: Any) -> bool:
        if symbol in ("==", "!="):
            if a.is_exact() and b.is_exact():
                return bool((a == b) == (symbol == "=="))
            if not a.overlaps(b):
                return symbol == "!="
            raise Undecided(f"{a} {symbol} {b}", self.name, "the balls overlap at this precision")
        yes, no = {
            "<": (a < b, a >= b), "<=": (a <= b, a > b), ">": (a > b, a <= b), ">=": (a >= b, a < b),
        }[symbol]  # fmt: skip
        if yes == no:
            raise Undecided(f"{a} {symbol} {b}", self.name, "the balls overlap at this precision")
        return bool(yes)

    def absolute(self, a: Any) -> Any:
        return abs(a)

    def is_finite(self, a: Any) -> bool:
        return bool(a.is_finite())

    def equal(self, a: Any, b: Any) -> bool:
        """Return whether the balls overlap: both enclose the true value unless the two differ."""
        return bool(a.overlaps(b))

    def size(self, a: Any) -> float:
        return float(abs(a.mid())) if a.is_finite() else 0.0

    def solve(self, a: Array, b: Array) -> Array:
        left = flint.arb_mat(a.shape[0], a.shape[1], self.natives(a))
        try:
            entries = left.solve(flint.arb_mat(b.shape[0], b.shape[1], self.natives(b))).entries()
        except ZeroDivisionError:
            raise Undecided("the solution of a system", self.name, "it may be singular at this precision") from None
        return self.array(entries, b.shape)

    def matmul(self, a: Array, b: Array) -> Array:
        left = flint.arb_mat(a.shape[0], a.shape[1], self.natives(a))
        right = flint.arb_mat(b.shape[0], b.shape[1], self.natives(b))
        return self.array((left * right).entries(), (a.shape[0], b.shape[1]))
