"""Upper bounds on a count that is no polynomial in T, such as that of a tree of halves.

At a fixed length such a count is a polynomial in I, D and K. Lengths that are powers of 2 show how each of its
coefficients grows: as a sum of T^j and T^j log T, which a recurrence tells exactly, or by steps from one length to the
next that at most grow by 2^d each time, so that the coefficient is O(T^d), for d >= 1. Counts are whole numbers, so
T log T is told from T, however slowly it grows. Other lengths must not cost more: the count is at most that at the next
power of 2, and grows no faster along 3, 6, 12, ... and the like.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from ....reference.typing import Array
from .fitting import HIGHEST, Measure, Values, degree_along
from .polynomial import Monomial, Polynomial, interpolate

LENGTHS = (4, 8, 16, 32, 64, 128)
"""Lengths at which the count is a polynomial in the other sizes."""
_BETWEEN = (5, 6, 7, 9, 11, 12, 13, 15, 17, 19, 23, 24, 29, 31, 33, 37, 48, 61, 63, 200)
_SUMS = (
    (1, (1, 1)),
    (1, (1, 2)),
    (1, (1, 1, 2)),
    (2, (1, 2, 2)),
    (2, (1, 1, 2, 2)),
    (2, (1, 2, 4)),
    (2, (1, 1, 2, 4)),
    (3, (1, 2, 4, 8)),
)
"""Degrees of upper bounds, and the roots of a recurrence: 2^j stands for T^j, and twice for T^j log T too."""
_LINES = (tuple(4 * 2**k for k in range(7)), *(tuple(odd * 2**k for k in range(5)) for odd in (3, 5, 7, 9)))
"""Lengths that double, at which the whole count is looked at with the other sizes small."""
_FIRST = {"I": 2, "D": 2, "K": 2}
_HELD_OUT = ({"I": 5, "D": 3, "K": 4}, {"I": 3, "D": 6, "K": 3}, {"I": 11, "D": 2, "K": 2})


def upper_bound(measure: Measure, kind: str) -> Polynomial | None:
    """Return a polynomial of which the count is at most a constant times, as far as it was counted.

    Args:
        measure: Returns the counts at T, I, D and K.
        kind: The name of the count.

    Returns:
        The sum of the monomials that bound the count's terms, or None if none was found.
    """

    def count(T: int, others: Values) -> int:
        return measure({**others, "T": T})[kind]

    degrees = {name: degree_along(lambda values: count(LENGTHS[1], values), _FIRST, name) for name in _FIRST}
    if None in degrees.values():
        return None
    fitted = [_at(T, count, {name: degree or 0 for name, degree in degrees.items()}) for T in LENGTHS]
    if None in fitted or not _between(count):
        return None
    bound, most = Polynomial({}), 0
    for monomial in {m for polynomial in fitted if polynomial for m in polynomial.terms}:
        degree = _degree([polynomial.terms.get(monomial, Fraction(0)) for polynomial in fitted if polynomial])
        if degree is None:
            return None
        if degree >= 0:
            bound += Polynomial({_with_length(monomial, degree): Fraction(1)})
            most = max(most, degree)
    lines = [_degree([Fraction(count(T, _FIRST)) for T in lengths]) for lengths in _LINES]
    return bound if all(degree is not None and degree <= most for degree in lines) else None


def _at(T: int, count: Callable[[int, Values], int], degrees: Values) -> Polynomial | None:
    """Return the count at a fixed length as a polynomial in the other sizes, or None if it is none."""
    nodes = [[_FIRST[name] + n for n in range(degrees[name] + 1)] for name in _FIRST]
    grid: Array = np.empty([len(values) for values in nodes], dtype=object)
    for index in np.ndindex(*grid.shape):
        chosen = (values[n] for values, n in zip(nodes, index, strict=True))
        grid[index] = count(T, dict(zip(_FIRST, chosen, strict=True)))
    fitted = interpolate(list(_FIRST), nodes, grid)
    held_out = _HELD_OUT if T <= LENGTHS[2] else _HELD_OUT[:1]
    return fitted if all(fitted(values) == count(T, values) for values in held_out) else None


def _between(count: Callable[[int, Values], int]) -> bool:
    """Return whether the count at a length is at most that at the next power of 2."""
    return all(count(T, _FIRST) <= count(2 ** (T - 1).bit_length(), _FIRST) for T in _BETWEEN)


def _degree(values: Sequence[Fraction]) -> int | None:
    """Return the least d for which the values, at lengths that double, are O(T^d).

    It is -1 if they are nowhere above 0 and do not grow, and None if no degree up to `HIGHEST` will do.
    """
    steps = [after - before for before, after in itertools.pairwise(values)]
    if all(value <= 0 for value in values) and all(step <= 0 for step in steps):
        return -1
    if not any(steps):
        return 0
    for degree, roots in _SUMS:
        if _satisfies(values, roots):
            return degree
    if any(step < 0 for step in steps):
        return None
    pairs = list(itertools.pairwise(steps[-4:]))
    return next((d for d in range(1, HIGHEST + 1) if all(b <= 2**d * a for a, b in pairs)), None)


def _satisfies(values: Sequence[Fraction], roots: Sequence[int]) -> bool:
    """Return whether the values satisfy the linear recurrence with these roots, and at least two tell so."""
    left = list(values)
    for root in roots:
        left = [after - root * before for before, after in itertools.pairwise(left)]
    return len(left) >= 2 and not any(left)


def _with_length(monomial: Monomial, degree: int) -> Monomial:
    return tuple(sorted((*monomial, *([("T", degree)] if degree else []))))
