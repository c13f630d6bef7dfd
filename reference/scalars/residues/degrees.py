"""Upper bounds on the degree of the rational function that an array of residues stands for.

Schwartz-Zippel turns such a bound d into a probability: a nonzero polynomial of degree d vanishes at
a uniform point of a field of p elements with probability at most d/p. All entries of an array are
bounded together, as N_i / D: numerators of degree at most `numerator` over one common denominator, a
product of powers of divisors. Remembering which divisors lets a sum take the least common multiple,
so that a denominator met T times in a loop does not count 2^T times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache


class Divisor:
    """Divisor of some division: the product of its divisors' numerators. Equal only to itself."""

    __slots__ = ("degree",)

    def __init__(self, degree: int) -> None:
        self.degree = degree


@dataclass(frozen=True, slots=True)
class Degree:
    """`numerator`: a bound on every N_i. `divisors`: the powers in the common denominator D."""

    numerator: int = 0
    divisors: Mapping[Divisor, int] = field(default_factory=dict)

    @property
    def denominator(self) -> int:
        """A bound on the degree of D."""
        return sum(divisor.degree * power for divisor, power in self.divisors.items())

    @property
    def total(self) -> int:
        return self.numerator + self.denominator

    def join(self, other: Degree) -> Degree:
        """Bound a sum, a difference, and an array into which something else was written."""
        if not self.divisors and not other.divisors:
            return self if self.numerator >= other.numerator else other
        met = {**self.divisors, **other.divisors}
        common = {divisor: max(self.divisors.get(divisor, 0), other.divisors.get(divisor, 0)) for divisor in met}
        both = Degree(0, common).denominator
        numerator = max(self.numerator + both - self.denominator, other.numerator + both - other.denominator)
        return Degree(numerator, common)

    def times(self, other: Degree) -> Degree:
        """Bound products, and sums of products."""
        if not self.divisors and not other.divisors:
            if not (self.numerator and other.numerator):
                return self if self.numerator else other
            return _polynomial(self.numerator + other.numerator)
        powers = dict(self.divisors)
        for divisor, power in other.divisors.items():
            powers[divisor] = powers.get(divisor, 0) + power
        return Degree(self.numerator + other.numerator, powers)

    def power(self, n: int) -> Degree:
        return Degree(n * self.numerator, {d: n * power for d, power in self.divisors.items()} if n else {})

    def inverse(self, entries: int) -> Degree:
        """Bound 1/y for an array y of `entries` entries: D_y prod_(j != i) N_j over prod_j N_j."""
        numerator = self.denominator + max(0, entries - 1) * self.numerator
        return Degree(numerator, {Divisor(entries * self.numerator): 1} if self.numerator else {})

    def solution(self, right: Degree, n: int) -> Degree:
        """Bound the solution of a system with this n x n matrix: adj(N) b D / det N for the matrix N/D."""
        numerator = (n - 1) * self.numerator + self.denominator + right.numerator
        divisors = {Divisor(n * self.numerator): 1} if self.numerator else {}
        return Degree(numerator, {**right.divisors, **divisors})

    def equality(self, other: Degree) -> int:
        """Return the degree of the polynomial that vanishes where an entry of one equals an entry of the other."""
        return self.join(other).numerator


@lru_cache(maxsize=4096)
def _polynomial(numerator: int) -> Degree:
    """Return the degree of a polynomial; cached, for a rule meets the same ones at every step."""
    return Degree(numerator)


CONSTANT, GENERATOR = Degree(0), Degree(1)


class Cell:
    """The degree of an array, in one place for all its views."""

    __slots__ = ("degree",)

    def __init__(self, degree: Degree = CONSTANT) -> None:
        self.degree = degree
