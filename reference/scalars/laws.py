"""Algebraic laws of generators in a ring of polynomials: square roots, inverses, and cosines.

A generator with a law stands for a function of those made before it:
    root r of q     r^2 = q
    inverse i of d  i d = 1
A polynomial P in such generators is 0 as a function, wherever it is defined, if it is 0 after the generators with laws
are eliminated, the newest first: the remainder of P modulo r^2 - q has degree 1 in r at most, and d^n P(1/d), for P of
degree n in i, holds no i. Where no q is a product of others and a square, the converse holds too, since the ring is
then an integral domain (Lang, "Algebra", 3rd ed., chapter VI, section 8). So two right ways of writing a
gradient may differ here only if a network takes roots of both a, b and a b; a difference is never a proof.

Generators with laws come first in the lexicographic order, the newest of them foremost, so that r^2 is the leading
monomial of r^2 - q.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


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


class Laws:
    """The generators with laws of one ring, in the order in which they were made."""

    def __init__(self) -> None:
        self.bound: list[Bound] = []

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
        """Return whether a polynomial is 0 by these laws, wherever it is defined."""
        for each in reversed(self.bound):
            if polynomial == 0:
                return True
            if each.law is Law.ROOT:
                polynomial = self._without_squares(polynomial, each)
            elif polynomial.degrees()[each.place]:
                name = str(each.generator)
                polynomial = polynomial.resultant(each.generator * each.argument - 1, name)
        return bool(polynomial == 0)

    @staticmethod
    def _without_squares(polynomial: Any, each: Bound) -> Any:
        if polynomial == 0 or polynomial.degrees()[each.place] < 2:
            return polynomial
        return polynomial % (each.generator**2 - each.argument)
