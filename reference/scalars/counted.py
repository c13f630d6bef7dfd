"""Numbers that are counted: what a rule computes, operation by operation, and how many of them it keeps.

A counted number is a float that tells its field's `Tally` of each operation, and of its own beginning and end, so
that an unmodified NumPy rule is counted as it runs. A subtraction counts as an addition; a power x**n as n - 1
multiplications; relu, and anything else by name, as one function. Comparisons, and numbers that NumPy copies into a new
array, are counted apart; signs cost nothing. A number that stands in two arrays is one number. CPython frees a number
when the last array that has it goes, so the peak is that of the rule's own arrays and of what NumPy holds for a moment
on the way, one or two numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..functions import apply
from ..typing import Array
from .base import Field
from .scalar import Scalar


@dataclass
class Tally:
    """Operations so far; numbers copied or compared; numbers that live now, and the most that ever did."""

    additions: int = 0
    multiplications: int = 0
    divisions: int = 0
    functions: int = 0
    moves: int = 0
    live: int = 0
    peak: int = 0

    @property
    def operations(self) -> int:
        return self.additions + self.multiplications + self.divisions + self.functions


class CountedField(Field):
    """Floats whose operations go into `tally`."""

    name = "counted"

    def __init__(self) -> None:
        super().__init__()
        self.tally = Tally()
        self.scalar = type("CountedScalar", (CountedScalar,), {"__slots__": (), "field": self})

    @contextmanager
    def counting(self) -> Iterator[Tally]:
        """Yield a `Tally` of the operations within; its peak counts numbers that lived beside those before."""
        tally, before = self.tally, self.tally.live
        tally.additions = tally.multiplications = tally.divisions = tally.functions = tally.moves = 0
        tally.peak = before
        seen = Tally()
        try:
            yield seen
        finally:
            seen.additions, seen.multiplications = tally.additions, tally.multiplications
            seen.divisions, seen.functions, seen.moves = tally.divisions, tally.functions, tally.moves
            seen.live, seen.peak = tally.live - before, tally.peak - before

    def convert(self, number: Any) -> float:
        return float(number)

    def from_ratio(self, numerator: int, denominator: int) -> float:
        return numerator / denominator

    def function(self, name: str, value: float) -> float:
        self.tally.functions += 1
        with np.errstate(all="ignore"):
            return float(apply(name, np.float64(value)))

    def divide(self, a: float, b: float) -> float:
        self.tally.divisions += 1
        with np.errstate(all="ignore"):
            return float(np.float64(a) / np.float64(b))

    def power(self, a: float, n: int) -> float:
        self.tally.multiplications += max(n - 1, 0)
        return float(np.float64(a) ** n)

    def absolute(self, a: float) -> float:
        return abs(a)

    def copied(self, size: int) -> None:
        self.tally.moves += size

    def compare(self, symbol: str, a: float, b: float) -> bool:
        self.tally.moves += 1
        return bool({"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "==": a == b, "!=": a != b}[symbol])

    def size(self, a: float) -> float:
        return abs(a)

    def is_finite(self, a: float) -> bool:
        return math.isfinite(a)

    def matmul(self, a: Array, b: Array) -> Array | None:
        """Multiply the values at once, and count what NumPy does entry by entry: a sum, its next term, the new sum."""
        own, (rows, inner), columns = self.scalar, a.shape, b.shape[1]
        if any(type(x) is not own for array in (a, b) for x in array.reshape(-1).tolist()):
            return None
        left, right = (np.array(self.natives(array)).reshape(array.shape) for array in (a, b))
        with np.errstate(all="ignore"):
            product = self.array((left @ right).reshape(-1).tolist(), (rows, columns))
        tally = self.tally
        tally.multiplications += rows * inner * columns
        tally.additions += rows * (inner - 1) * columns
        tally.peak = max(tally.peak, tally.live + (2 if inner > 1 else 0))
        return product

    def softmax(self, values: list[float]) -> list[float]:
        powers = [self.function("exp", v) for v in values]
        self.tally.additions += len(powers) - 1
        total = math.fsum(powers)
        return [self.divide(power, total) for power in powers]


class CountedScalar(Scalar):
    """One counted number."""

    __slots__ = ()
    field: CountedField  # type: ignore[misc]

    def __init__(self, value: Any) -> None:
        self.value = value
        tally = self.field.tally
        tally.live += 1
        if tally.live > tally.peak:
            tally.peak = tally.live

    def __del__(self) -> None:
        self.field.tally.live -= 1

    def __add__(self, other: Any) -> Any:
        own = type(self)
        if type(other) is own:  # nearly always, and most of the time of a count is spent here
            self.field.tally.additions += 1
            return own(self.value + other.value)
        return self._counted("additions", super().__add__(other))

    def __radd__(self, other: Any) -> Any:
        return self._counted("additions", super().__radd__(other))

    def __sub__(self, other: Any) -> Any:
        return self._counted("additions", super().__sub__(other))

    def __rsub__(self, other: Any) -> Any:
        return self._counted("additions", super().__rsub__(other))

    def __mul__(self, other: Any) -> Any:
        own = type(self)
        if type(other) is own:
            self.field.tally.multiplications += 1
            return own(self.value * other.value)
        return self._counted("multiplications", super().__mul__(other))

    def __rmul__(self, other: Any) -> Any:
        return self._counted("multiplications", super().__rmul__(other))

    def _counted(self, kind: str, result: Any) -> Any:
        if type(result) is type(self):
            tally = self.field.tally
            setattr(tally, kind, getattr(tally, kind) + 1)
        return result
