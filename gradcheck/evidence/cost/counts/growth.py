"""Comparison of a count with a claimed bound, as all sizes grow in any way.

For variables that are at least 1 a monomial m is O(b1 + b2 + ...) if and only if its exponents are at most those of
some average of the b's, variable by variable: I D is O(I^2 + D^2). Finding the average is a linear program.
"""

from __future__ import annotations

from collections.abc import Sequence

from .polynomial import Monomial, Polynomial, rank


def outgrowing(count: Polynomial, bound: Polynomial) -> Monomial | None:
    """Return the highest term of the count that is not O(bound), or None. Both are in free variables."""
    terms = sorted(count.leading().terms, key=rank)
    return next((term for term in terms if not within(term, tuple(bound.terms))), None)


def within(monomial: Monomial, bounds: Sequence[Monomial]) -> bool:
    """Return True if monomial <= C (sum of bounds) for some C and all variables >= 1."""
    names = sorted({name for m in (monomial, *bounds) for name, _ in m})
    wanted = [dict(monomial).get(name, 0) for name in names]
    given = [[dict(b).get(name, 0) for name in names] for b in bounds]
    if any(all(g >= w for g, w in zip(row, wanted, strict=True)) for row in given):
        return True
    return len(given) > 1 and _average_reaches(given, wanted)


def _average_reaches(given: Sequence[Sequence[int]], wanted: Sequence[int]) -> bool:
    """Return True if some average of the given exponents is at least the wanted ones, variable by variable.

    The linear program finds weights >= 0, with a sum of at most 1, for the largest slack of all entries. The slack is
    shifted, so that weights of 0 are a start: from others the simplex method of SymPy 1.14 may fail.
    """
    from sympy import Matrix
    from sympy.solvers.simplex import linprog

    n, below = len(given), max(0, *wanted)
    rows = [[*(-row[i] for row in given), 1] for i in range(len(wanted))]
    right = [below - w for w in wanted]
    best, _ = linprog([0] * n + [-1], Matrix([*rows, [1] * n + [0]]), Matrix([*right, 1]))
    return bool(-best >= below)
