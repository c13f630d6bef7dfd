"""Points at which a rule differs from its claim, on residues or on floats: the data of a diagnosis."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ...evidence.base import Case
from ...problems.lively import branching_problems, lively_problem
from ...reference.claims import Claim, Settings
from ...reference.errors import GradcheckError
from ...reference.networks.base import Sizes
from ...reference.problem import Problem
from .points import AVERAGED_SIZES, SIZES, Candidate, FloatPoint, Point, ResiduePoint, matched, stored_as, wrong_at

_MOST = 3000
"""Largest T * I**2 of a counterexample that is compared on residues; larger ones are compared on floats."""

Make = Callable[[Sizes, int], Point]
"""Constructor of a point of given sizes from a seed."""


@dataclass(frozen=True)
class Comparison:
    """The points of one diagnosis, the parameters that are wrong there, and constructors of more points.

    Attributes:
        points: The points; those at which the rule is wrong come first.
        wrong: The names of the wrong parameters.
        claim: The claim, bound to the settings.
        settings: The rule's keyword arguments.
        seen: The sizes of the counterexample.
        make: Constructor of further points of the same kind.
        on_floats: Constructor of a float point from a problem.
        weighted: Whether losses have weights.
        averaged: True if the rule is the expectation of a stochastic one.
    """

    points: tuple[Point, ...]
    wrong: tuple[str, ...]
    claim: Claim
    settings: Settings
    seen: Sizes
    make: Make
    on_floats: Callable[[Problem], FloatPoint]
    weighted: bool = False
    averaged: bool = False

    @property
    def exact(self) -> bool:
        return all(point.exact for point in self.points)

    def matched(self, candidate: Candidate, names: Iterable[str] | None = None) -> set[str]:
        """Return the parameters, of these or of all, in which rule and candidate agree in all entries of all points."""
        return matched(self.points, candidate, names=names)

    def entries(self, names: Iterable[str]) -> int:
        """Count the entries of these parameters over all points."""
        return sum(np.size(point.result[name]) for point in self.points for name in names)

    def place(self, names: Iterable[str]) -> str:
        """Return in words the number of entries and points at which a fact was checked."""
        kind = "random points of a finite field" if self.exact else "problems, within rounding"
        return f"all {self.entries(names)} entries of {len(self.points)} {kind}"


def compare(case: Case, settings: Settings, seen: Problem, dtype: str = "float64") -> Comparison | None:
    """Compare the rule with its claim, on residues if it differs there, else on floats.

    The float points include the counterexample. If the rule is wrong only there, problems of special values join
    them. A rule that returns only numbers of a coarser format, in any dtype, is allowed the rounding of that format if
    it is wrong beyond that too.

    Args:
        case: The rule and its claim.
        settings: The rule's keyword arguments on the counterexample.
        seen: The problem of the counterexample.
        dtype: The format of the counterexample's floats.

    Returns:
        The comparison, or None if no point shows a difference.
    """
    claim = case.claim.bind(settings)

    def residues(sizes: Sizes, seed: int) -> ResiduePoint:
        return ResiduePoint(case, claim, sizes, settings, seed)

    def on_floats(problem: Problem) -> FloatPoint:
        return FloatPoint(case, claim, problem, settings, dtype)

    def lively(sizes: Sizes, seed: int) -> Problem:
        return lively_problem(case.network, sizes, seed, weighted=case.weighted)

    usual = list(enumerate(AVERAGED_SIZES if case.rule.averaged else _sizes(seen.sizes)))
    random: list[ResiduePoint] = []
    if seen.T * seen.sizes.I**2 <= _MOST:
        wanted = [*((sizes, seed) for seed, sizes in usual), (seen.sizes, 9)]
        if case.rule.averaged:  # its noise may have too many outcomes at some sizes
            random = list(_where_it_runs(residues, wanted))
        else:
            with contextlib.suppress(GradcheckError):
                random = [residues(*each) for each in wanted]
    misled = False
    if any(point.foreign for point in random):  # a law that residues lack makes a right parameter look wrong
        with contextlib.suppress(GradcheckError):
            real = wrong_at([*(on_floats(lively(sizes, seed)) for seed, sizes in usual), on_floats(seen)])
            misled = set(real) < set(wrong_at(random))
    if random and wrong_at(random) and not misled:
        return _comparison(case, random, claim, settings, seen, residues, on_floats)
    try:
        points = [*(on_floats(lively(sizes, seed)) for seed, sizes in usual), on_floats(seen)]
        if wrong_at(points) and not wrong_at(points[:-1]):
            points += map(on_floats, branching_problems(case.network, case.seed, weighted=case.weighted).values())
    except GradcheckError:
        return None
    if not wrong_at(points):
        return None
    if kind := stored_as(points):
        coarse = [point.judged_as(kind) for point in points]

        def coarsely(problem: Problem) -> FloatPoint:
            return on_floats(problem).judged_as(kind)

        if wrong_at(coarse):
            return _comparison(
                case, coarse, claim, settings, seen, lambda sizes, seed: coarsely(lively(sizes, seed)), coarsely
            )
    return _comparison(
        case, points, claim, settings, seen, lambda sizes, seed: on_floats(lively(sizes, seed)), on_floats
    )


def _comparison(
    case: Case,
    points: Sequence[Point],
    claim: Claim,
    settings: Settings,
    seen: Problem,
    make: Make,
    on_floats: Callable[[Problem], FloatPoint],
) -> Comparison:
    ordered = sorted(points, key=lambda point: not wrong_at([point]))
    wrong = wrong_at(ordered)
    of_noise = case.rule.averaged
    return Comparison(
        tuple(ordered), wrong, claim, settings, seen.sizes, cache(make), on_floats, case.weighted, of_noise
    )


def _where_it_runs(
    make: Callable[[Sizes, int], ResiduePoint], wanted: Iterable[tuple[Sizes, int]]
) -> Iterator[ResiduePoint]:
    """Yield the points at which a rule runs."""
    for sizes, seed in wanted:
        with contextlib.suppress(GradcheckError):
            yield make(sizes, seed)


def _sizes(seen: Sizes) -> tuple[Sizes, ...]:
    """Return `SIZES`, and sizes beyond the counterexample's if that is larger."""
    usual = max(size.T for size in SIZES), max(size.I for size in SIZES)
    larger = Sizes(seen.T + 1, seen.I + 1, 2, 3)
    return (*SIZES, larger) if seen.T > usual[0] or seen.I > usual[1] else SIZES
