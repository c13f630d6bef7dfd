"""Algebraic laws of generators in a ring of polynomials: square roots, inverses, and cosines.

A generator with a law stands for a function of those made before it:
    root r of q     r^2 = q
    inverse i of d  i d = 1
A polynomial P in such generators is 0 as a function, wherever it is defined, if it is 0 after the generators with laws
are eliminated, the newest first: the remainder of P modulo r^2 - q has degree 1 in r at most, and d^n P(1/d), for P of
degree n in i, holds no i. Where no q is a product of others and a square, the converse holds too, since the ring is
then an integral domain (Lang, "Algebra", 3rd ed., chapter VI, section 8). So two right ways of writing a
gradient may differ here only if a network takes roots of both a, b and a b; a difference is never a proof.

Elimination is costly, so a polynomial is evaluated at a complex point first that keeps the laws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from ..errors import GradcheckError
from ..typing import Array


class Law(Enum):
    """The law of a generator."""

    ROOT = "root"
    INVERSE = "inverse"


@dataclass(frozen=True)
class Bound:
    """A generator with a law.

    Attributes:
        place: Its number in the ring.
        generator: The generator.
        law: ROOT for generator^2 = argument, INVERSE for generator * argument = 1.
        argument: A polynomial in generators made before it.
    """

    place: int
    generator: Any
    law: Law
    argument: Any


class TooLarge(GradcheckError):
    """A polynomial of more terms than fit into memory."""


_FAR = 1e-4
"""Relative distance of two values at the point beyond which polynomials are not equal."""
MOST_TERMS = 20_000
"""Number of terms of a polynomial beyond which it is not formed."""


def check_product(a: Any, b: Any) -> None:
    """Raise `TooLarge` where the product of two polynomials may have more than `MOST_TERMS` terms."""
    if len(a) * len(b) > 10 * MOST_TERMS:
        raise TooLarge(f"a product of polynomials of {len(a)} and {len(b)} terms")


class Laws:
    """The generators with laws of one ring, in the order in which they were made."""

    def __init__(self) -> None:
        self.bound: list[Bound] = []
        self._point: list[complex] = []
        self._unvalued = 0

    def add(self, bound: Bound) -> None:
        """Note a generator, newer than all before it."""
        self.bound.append(bound)

    def simplified(self, polynomial: Any) -> Any:
        """Return an equal polynomial of degree 1 at most in every root that no inverse holds."""
        for each in reversed(self.bound):
            if each.law is Law.ROOT:
                polynomial = self._without_squares(polynomial, each)
        return polynomial

    def vanishes(self, polynomial: Any) -> bool:
        """Return whether a polynomial is 0 by these laws, wherever it is defined. Raises `TooLarge`."""
        if polynomial != 0 and self._differs_at_a_point(polynomial):
            return False
        for each in reversed(self.bound):
            if polynomial == 0:
                return True
            if each.law is Law.ROOT:
                polynomial = self._without_squares(polynomial, each)
            else:
                polynomial = self._without_inverses(polynomial, each)
        return bool(polynomial == 0)

    def _differs_at_a_point(self, polynomial: Any) -> bool:
        """Return whether a polynomial is far from 0 at a complex point that keeps the laws: then it is not 0.

        Rounding could at worst make two equal polynomials seem different, which proves nothing.
        """
        value, size = self.value(polynomial)
        return abs(value) > _FAR * size

    def value(self, polynomial: Any) -> tuple[complex, float]:
        """Return the value of a polynomial at the point, and the sum of the magnitudes of its terms."""
        coefficients = polynomial.coeffs()
        exponents = np.array(polynomial.monoms(), dtype=float).reshape(len(coefficients), -1)
        if not coefficients:
            return 0j, 0.0
        with np.errstate(all="ignore"):
            logarithms = exponents @ np.log(self._values(exponents.shape[1]))
            terms = np.exp(logarithms) * np.array([int(c.p) / int(c.q) for c in coefficients])
        return complex(terms.sum()), float(np.abs(terms).sum())

    def _values(self, count: int) -> Array:
        """Return the values of all generators at the point."""
        if not self._point:
            rng = np.random.default_rng(0)
            self._point = list(np.exp(rng.uniform(-0.5, 0.5, count) + 1j * rng.uniform(-3, 3, count)))
        for each in self.bound[self._unvalued :]:
            value = self._evaluated(each.argument)
            self._point[each.place] = np.sqrt(value) if each.law is Law.ROOT else 1 / value
        self._unvalued = len(self.bound)
        return np.array(self._point)

    def _evaluated(self, polynomial: Any) -> complex:
        total = 0j
        for exponents, coefficient in zip(polynomial.monoms(), polynomial.coeffs(), strict=True):
            term = complex(int(coefficient.p) / int(coefficient.q))
            for place, n in enumerate(exponents):
                term = term * self._point[place] ** int(n) if n else term
            total += term
        return total

    @staticmethod
    def near(first: tuple[complex, float], second: tuple[complex, float]) -> bool:
        """Return whether two polynomials with these values may be equal."""
        return not abs(first[0] - second[0]) > _FAR * (first[1] + second[1])

    @staticmethod
    def _without_squares(polynomial: Any, each: Bound) -> Any:
        if polynomial == 0:
            return polynomial
        n = int(polynomial.degrees()[each.place])
        if n < 2:
            return polynomial
        parts = _by_powers(polynomial, each.place, n)
        even, odd = (_horner(parts[k::2][::-1], each.argument) for k in (0, 1))
        return even + odd * each.generator

    def _without_inverses(self, polynomial: Any, each: Bound) -> Any:
        n = int(polynomial.degrees()[each.place])
        if not n:
            return polynomial
        return _horner(_by_powers(polynomial, each.place, n), each.argument, self.simplified)


def _by_powers(polynomial: Any, place: int, n: int) -> list[Any]:
    """Return the coefficients of g^0, ..., g^n for the generator at that place."""
    parts: list[dict[tuple[int, ...], Any]] = [{} for _ in range(n + 1)]
    for exponents, coefficient in polynomial.to_dict().items():
        power = int(exponents[place])
        parts[power][exponents[:place] + (0,) + exponents[place + 1 :]] = coefficient
    context = polynomial.context()
    return [context.from_dict(part) for part in parts]


def _horner(coefficients: list[Any], x: Any, simplify: Callable[[Any], Any] = lambda p: p) -> Any:
    """Return c0 x^n + c1 x^(n-1) + ... + cn for coefficients c0, ..., cn. Raises `TooLarge`."""
    total, *rest = coefficients
    for coefficient in rest:
        check_product(total, x)
        total = simplify(total * x + coefficient)
    return total
