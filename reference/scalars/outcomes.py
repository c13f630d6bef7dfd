"""Residues that depend on the outcome of random draws: one scalar holds its values for all outcomes at once.

Each draw has an axis, along which lie its values; the first draw has the last axis. A scalar has the axes of the draws
that it depends on, and NumPy's broadcasting does the rest. So a rule runs once, and what it does before its first draw
costs no more than without noise. Degrees are bounded as in `residues.degrees`, over all outcomes together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ..errors import Undecided, UnsupportedOperation
from ..typing import Array
from .base import Field, FieldArray
from .residues.arithmetic import Modulus
from .residues.array import NO_ORDER, ResidueArray, ResidueField
from .residues.degrees import CONSTANT, Degree

MOST_AXES = 60


class Spread:
    """The values of one number for all outcomes.

    Args:
        modulus: The arithmetic.
        raw: Residues, one axis for each draw.
        degree: A bound on the degree of every value.
    """

    __slots__ = ("degree", "modulus", "raw")

    def __init__(self, modulus: Modulus, raw: Array, degree: Degree = CONSTANT) -> None:
        self.modulus, self.raw, self.degree = modulus, raw, degree

    def __add__(self, other: Spread) -> Spread:
        return Spread(self.modulus, self.modulus.add(self.raw, other.raw), self.degree.join(other.degree))

    def __sub__(self, other: Spread) -> Spread:
        return Spread(self.modulus, self.modulus.subtract(self.raw, other.raw), self.degree.join(other.degree))

    def __mul__(self, other: Spread) -> Spread:
        return Spread(self.modulus, self.modulus.multiply(self.raw, other.raw), self.degree.times(other.degree))

    def __neg__(self) -> Spread:
        return Spread(self.modulus, -self.raw, self.degree)

    def __repr__(self) -> str:
        return f"{self.raw.size} outcomes"


class OutcomeField(Field):
    """The residues of a field, for all outcomes of the draws so far.

    Args:
        residues: The field; its random functions are evaluated, and recorded if it records.
    """

    name = "modular"

    def __init__(self, residues: ResidueField) -> None:
        super().__init__()
        self.residues, self.modulus = residues, residues.modulus

    def _spread(self, raw: Any, degree: Degree = CONSTANT) -> Spread:
        return Spread(self.modulus, np.atleast_1d(np.asarray(raw, dtype=np.float64)), degree)

    def from_ratio(self, numerator: int, denominator: int) -> Spread:
        return self._spread(self.modulus.convert(Fraction(numerator, denominator)))

    def of(self, array: Array) -> FieldArray:
        """Return an array of residues as one of this field: the same for every outcome."""
        raw, degree = self.residues.operand(array)
        return self.array((self._spread(value, degree) for value in raw.reshape(-1).tolist()), raw.shape)

    def axis(self, values: Sequence[Fraction], number: int) -> Spread:
        """Return a random draw.

        Args:
            values: Its values.
            number: The number of draws before it.

        Raises:
            UnsupportedOperation: There are more draws than NumPy has axes.
        """
        if number >= MOST_AXES:
            raise UnsupportedOperation(f"the expectation over more than {MOST_AXES} draws", self.name)
        raw = np.concatenate([self._spread(self.modulus.convert(value)).raw for value in values])
        return self._spread(raw.reshape(len(values), *(1,) * number))

    def mean(self, array: Any, weights: Sequence[Sequence[Fraction]]) -> ResidueArray:
        """Return the expectation of an array of this field, as residues.

        Args:
            array: The array, or one of plain numbers.
            weights: The probabilities of the values of each draw.
        """
        every = [self.native(x) for x in np.asarray(array).reshape(-1).tolist()]
        means = np.array([self._mean(each.raw, weights) for each in every], dtype=np.float64)
        degree = CONSTANT
        for each in every:
            degree = degree.join(each.degree)
        return self.residues.carry(means.reshape(np.shape(array)), degree)

    def _mean(self, raw: Array, weights: Sequence[Sequence[Fraction]]) -> float:
        for number in reversed(range(raw.ndim)):
            if len(raw) > 1:
                factors = [self.modulus.convert(weight) for weight in weights[number]]
                total = self.modulus.multiply(raw[0], factors[0])
                for part, factor in zip(raw[1:], factors[1:], strict=True):
                    total = self.modulus.add(total, self.modulus.multiply(part, factor))
                raw = np.asarray(total)
            else:
                raw = raw[0]
        return float(raw)

    def function(self, name: str, value: Spread) -> Spread:
        raw, degree = self.residues.functions.apply(name, value.raw, value.degree)
        return self._spread(raw, degree)

    def divide(self, a: Spread, b: Spread) -> Spread:
        return a * self._spread(self.modulus.inverse(b.raw), b.degree.inverse(b.raw.size))

    def power(self, a: Spread, n: int) -> Spread:
        result = self._spread(1.0)
        return math.prod([a] * n, start=result)

    def equal(self, a: Spread, b: Spread) -> bool:
        return not self.modulus.canonical((a - b).raw).any()

    def compare(self, symbol: str, a: Spread, b: Spread) -> bool:
        raise Undecided(f"the comparison {symbol}", self.name, NO_ORDER)
