"""Decomposition of a wrong result into lag terms: the losses, lags and steps that it counts, and how often.

Let g(t, k) be the contribution of the loss at time t through the parameters' use at time t - k. A result is often
sum c(t, k) g(t, k) with a few simple numbers c: 1 where the rule is right, 0 for a missing path, 2 for a path counted
twice. At random points of a finite field the terms are linearly independent unless they are dependent as polynomials.
One linear system gives the c there, and further points check the match. On floats, least squares gives the c, which
are rounded to simple fractions and checked within the derived allowance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import flint
import numpy as np

from ...problems.lively import lively_problem
from ...reference import arrays, lags
from ...reference.claims import LagClaim
from ...reference.errors import GradcheckError
from ...reference.networks.base import Sizes
from ...reference.networks.sizes import fitting
from ...reference.problem import Problem
from ...reference.typing import Gradient
from ...reference.wanted import DEFAULT, kinds_of
from .comparison import Comparison
from .points import SIZES, Point, ResiduePoint, matched

Coefficients = dict[tuple[int, int], Fraction]
"""(t, k) to c(t, k)."""

_LARGEST = 10_000
_DENOMINATOR = 64


def combination(coefficients: Coefficients, name: str) -> Any:
    """Return a candidate for one array: the sum of c(t, k) g(t, k).

    Args:
        coefficients: The c(t, k).
        name: The array. The others of its kind are returned as placeholders, with the problem's own values.

    Returns:
        The candidate.
    """

    def candidate(problem: Problem) -> Gradient:
        terms = lags.by_lag(problem, kinds_of([name]))
        like = arrays.wanted(problem, kinds_of([name]))
        total = {name: np.zeros_like(like[name])}
        for key, c in coefficients.items():
            if c:
                total[name] = total[name] + terms[key][name] * float(c)
        return {other: total.get(other, array) for other, array in like.items()}

    return candidate


def decompose(comparison: Comparison, name: str) -> dict[int, Coefficients] | None:
    """Solve for the coefficients of a parameter at two lengths.

    Args:
        comparison: The points of the diagnosis.
        name: The parameter.

    Returns:
        A map from T to the c(t, k), or None if the parameter is no such sum or the sum is not unique.
    """
    found: dict[int, Coefficients] = {}
    for sizes in SIZES[1:3]:
        terms = sizes.T * (sizes.T + 1) // 2
        count = 1 + -(-2 * terms // int(np.prod(_shape(comparison, name, sizes))))
        try:
            points = [comparison.make(sizes, 20 + seed) for seed in range(count + 1)]
        except GradcheckError:
            return None
        solved = _solve(points[:-1], name)
        # The last point is not part of the system.
        if solved is None or name not in matched(points[-1:], combination(solved, name)):
            return None
        found[sizes.T] = solved
    return found


def place(comparison: Comparison) -> str:
    """Return in words the points at which a sum was checked.

    Args:
        comparison: The points of the diagnosis.

    Returns:
        Words to put in parentheses.
    """
    kind = "random points of a finite field" if comparison.exact else "problems, within rounding"
    return f"at further {kind}, T = {SIZES[1].T} and {SIZES[2].T}"


def _shape(comparison: Comparison, name: str, sizes: Sizes) -> tuple[int, ...]:
    network = comparison.points[0].problem.network
    problem = lively_problem(network, fitting(network, sizes), 0)
    return arrays.wanted(problem, kinds_of([name]))[name].shape


def _solve(points: Sequence[Point], name: str) -> Coefficients | None:
    terms = [point.terms for point in points]
    keys = [
        key
        for key in terms[0]
        if any(_lives(point, each[key][name]) for point, each in zip(points, terms, strict=True))
    ]
    if not keys:
        return None
    solve = _exactly if isinstance(points[0], ResiduePoint) else _nearly
    values = solve(points, name, [[each[key][name] for key in keys] for each in terms])
    return None if values is None else dict(zip(keys, values, strict=True))


def _lives(point: Point, term: Any) -> bool:
    """Return whether a term has a nonzero entry; otherwise its coefficient is undetermined."""
    field: Any = point.problem.inputs.field  # type: ignore[attr-defined]
    return any(v != 0 for v in field.natives(term))


def _exactly(points: Sequence[Any], name: str, columns: list[list[Any]]) -> list[Fraction] | None:
    """Return the unique solution modulo the prime, as small fractions; None if there is none."""
    p, n = points[0].field.prime, len(columns[0])
    rows: list[int] = []
    for point, terms in zip(points, columns, strict=True):
        flat = [[int(v) for v in point.field.natives(array)] for array in (*terms, point.result[name])]
        rows += [column[i] for i in range(len(flat[0])) for column in flat]
    reduced, rank = flint.nmod_mat(len(rows) // (n + 1), n + 1, rows, p).rref()
    if rank != n or any(int(reduced[i, i]) != 1 for i in range(n)):
        return None
    values = [_small(int(reduced[i, n]), p) for i in range(n)]
    return None if None in values else [v for v in values if v is not None]


def _small(residue: int, p: int) -> Fraction | None:
    """Return the fraction of small numerator and denominator that equals the residue, or None."""
    for denominator in range(1, _DENOMINATOR + 1):
        numerator = residue * denominator % p
        numerator = numerator - p if numerator > p // 2 else numerator
        if abs(numerator) <= _LARGEST:
            return Fraction(numerator, denominator)
    return None


def _nearly(points: Sequence[Any], name: str, columns: list[list[Any]]) -> list[Fraction] | None:
    """Return the least-squares solution, rounded to simple fractions; None if it is not unique."""
    blocks = [
        np.array([[float(v.mid()) for v in point.field.natives(array)] for array in terms]).T
        for point, terms in zip(points, columns, strict=True)
    ]
    matrix = np.concatenate(blocks)
    wanted = np.concatenate([np.asarray(point.result[name], dtype=float).reshape(-1) for point in points])
    if not (np.isfinite(matrix).all() and np.isfinite(wanted).all()):
        return None
    scale = np.abs(matrix).max(axis=0)
    solved, _, rank, _ = np.linalg.lstsq(matrix / scale, wanted, rcond=1e-12)
    if rank < len(scale) or not np.isfinite(solved).all():
        return None
    return [Fraction(float(v)).limit_denominator(_DENOMINATOR) for v in solved / scale]


def counted(comparison: Comparison, name: str) -> str | None:
    """Describe the paths that a parameter counts.

    Args:
        comparison: The points of the diagnosis.
        name: The parameter.

    Returns:
        A sentence, or None if the parameter is no sum of lag terms or its coefficients have no simple description.
    """
    sums = decompose(comparison, name)
    return sentence(sums, comparison.claim, name) if sums else None


def sentence(found: dict[int, Coefficients], claim: Any, name: str) -> str | None:
    """Describe coefficients in words that fit both lengths.

    Args:
        found: A map from T to the c(t, k).
        claim: The rule's claim.
        name: The parameter.

    Returns:
        A sentence, or None if no simple description fits both lengths.
    """
    use = "the parameters' use at" if kinds_of([name]) == DEFAULT else "the use at"
    descriptions = [_words(T, c, claim, use) for T, c in found.items()]
    common = [words for words in descriptions[0] if all(words in others for others in descriptions)]
    return f"{name} counts {common[0]}" if common else None


def _words(T: int, c: Coefficients, claim: Any, use: str) -> list[str]:
    """Return descriptions of the coefficients, with steps and lags counted from the start and from the end."""
    wanted = {key: Fraction(bool(not isinstance(claim, LagClaim) or claim.keeps(*key, T))) for key in c}
    if c == wanted:
        return []
    if len(set(c.values())) == 1:  # `factors` describes any other factor
        return ["every lag, those that the claim leaves out too"] if 1 in c.values() else []
    ways: list[str] = []
    for say in (str, lambda n: "T" if n == T else f"T-{T - n}"):
        if by_lag := _by(c, lambda t, k: k):
            ways += _lag_words(by_lag, say)
        elif by_loss := _by(c, lambda t, k: t):
            ways += _time_words("the loss at", by_loss, say)
        elif by_use := _by(c, lambda t, k: t - k):
            ways += _time_words(use, by_use, say)
        elif cuts := _cuts(c, T):
            where = " or ".join(f"from step {say(s + 1)} back to step {say(s)}" for s in cuts)
            ways.append(f"every path but those that lead {where}")
        else:
            off = [key for key in sorted(c) if c[key] != wanted[key]]
            words = (f"the loss at step {say(t)} through lag {say(k)} {_times(c[t, k])}" for t, k in off[:4])
            ways += ["; ".join(words)] if len(off) <= 3 else []
    return ways


def _cuts(c: Coefficients, T: int) -> list[int]:
    """Return the steps s if exactly the paths that cross from after s back to s or earlier are missing, else []."""
    cuts = [s for s in range(1, T) if c.get((s + 1, 1)) == 0]
    crossing = {(t, k) for t, k in c if any(t - k <= s < t for s in cuts)}
    return cuts if all(v == (0 if key in crossing else 1) for key, v in c.items()) else []


def _by(c: Coefficients, group: Callable[[int, int], int]) -> dict[int, Fraction]:
    """Map each group to the one coefficient of all its terms; return {} if a group has several."""
    groups: dict[int, set[Fraction]] = {}
    for key, value in c.items():
        groups.setdefault(group(*key), set()).add(value)
    return {g: v.pop() for g, v in sorted(groups.items())} if all(len(v) == 1 for v in groups.values()) else {}


def _lag_words(c: dict[int, Fraction], say: Callable[[int], str]) -> list[str]:
    exact = next(k for k in c if c[k] != 1)
    if all(c[k] == 0 for k in c if k >= exact):
        return [f"the lags up to {say(exact - 1)} exactly, and none beyond" if exact else "no lag at all"]
    off = [k for k in c if c[k] != 1]
    return [", ".join(f"lag {say(k)} {_times(c[k])}" for k in off)] if len(off) <= 4 else []


def _time_words(what: str, c: dict[int, Fraction], say: Callable[[int], str]) -> list[str]:
    off = {t: v for t, v in c.items() if v != 1}
    if len(off) == len(c) - 1 and len(set(off.values())) == 1:
        kept = next(t for t in c if t not in off)
        return [f"{what} every step but step {say(kept)} {_times(next(iter(off.values())))}"]
    if len(off) <= 3:
        return [", ".join(f"{what} step {say(t)} {_times(v)}" for t, v in off.items())]
    return []


def _times(c: Fraction) -> str:
    named = {Fraction(0): "not at all", Fraction(1): "once", Fraction(2): "twice", Fraction(-1): "with the wrong sign"}
    return named.get(c, f"{c} times")
