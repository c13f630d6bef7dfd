"""What a diagnosis stands on: points at which a rule differs from its claim, on residues or on floats."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ...evidence.base import Case
from ...problems.lively import lively_problem, telling_problems
from ...reference.claims import Claim, Settings
from ...reference.errors import GradcheckError
from ...reference.networks.base import Sizes
from ...reference.problem import Problem
from .points import SIZES, Candidate, FloatPoint, Point, ResiduePoint, matched, wrong_at

_MOST = 3000
"""Steps times units squared of a counterexample beyond which residues take too long, and floats are compared."""

Make = Callable[[Sizes, int], Point]
"""A point of these sizes, from a seed."""


@dataclass(frozen=True)
class Ground:
    """The points of one diagnosis, which parameters are wrong on them, and how to make more of them.

    seen: the sizes of the counterexample. on_floats: a point of that problem. The points at which the rule is wrong
    come first.
    """

    points: tuple[Point, ...]
    wrong: tuple[str, ...]
    claim: Claim
    settings: Settings
    seen: Sizes
    make: Make
    on_floats: Callable[[Problem], FloatPoint]

    @property
    def exact(self) -> bool:
        return all(point.exact for point in self.points)

    def matched(self, candidate: Candidate) -> set[str]:
        """The parameters in which the rule gives what the candidate does, in every entry of every point."""
        return matched(self.points, candidate)

    def entries(self, names: Iterable[str]) -> int:
        """How many entries of these parameters the points have together."""
        return sum(np.size(point.result[name]) for point in self.points for name in names)

    def place(self, names: Iterable[str]) -> str:
        """At how many entries of how many points something was checked, in words."""
        kind = "random points of a finite field" if self.exact else "problems, within rounding"
        return f"all {self.entries(names)} entries of {len(self.points)} {kind}"


def ground(case: Case, settings: Settings, seen: Problem, dtype: str = "float64") -> Ground | None:
    """Points at which the rule differs from the claim: residues if it does there, or else floats; None for neither.

    seen: the problem of the counterexample, which is among the float points; where it is the only one of them at
    which the rule is wrong, problems of special values are too. dtype: of the counterexample. A rule that returns
    numbers of float32 alone, whatever their dtype, is allowed its rounding, if it is wrong beyond that too.
    """
    claim = case.claim.bind(settings)

    def residues(sizes: Sizes, seed: int) -> Point:
        return ResiduePoint(case, claim, sizes, settings, seed)

    def on_floats(problem: Problem) -> FloatPoint:
        return FloatPoint(case, claim, problem, settings, dtype)

    def coarsely(problem: Problem) -> FloatPoint:
        return on_floats(problem).judged_as("float32")

    def lively(sizes: Sizes, seed: int) -> Problem:
        return lively_problem(case.network, sizes, seed, weighted=case.weighted)

    usual = list(enumerate(_sizes(seen.sizes)))
    random: list[Point] = []
    if seen.T * seen.sizes.I**2 <= _MOST:
        with contextlib.suppress(GradcheckError):
            random = [*(residues(sizes, seed) for seed, sizes in usual), residues(seen.sizes, 9)]
    if random and wrong_at(random):
        return _ground(random, claim, settings, seen, residues, on_floats)
    try:
        points = [*(on_floats(lively(sizes, seed)) for seed, sizes in usual), on_floats(seen)]
        if wrong_at(points) and not wrong_at(points[:-1]):
            points += map(on_floats, telling_problems(case.network, case.seed, weighted=case.weighted).values())
    except GradcheckError:
        return None
    if not wrong_at(points):
        return None
    if all(point.in_float32 for point in points):
        coarse = [point.judged_as("float32") for point in points]
        if wrong_at(coarse):
            return _ground(coarse, claim, settings, seen, lambda sizes, seed: coarsely(lively(sizes, seed)), coarsely)
    return _ground(points, claim, settings, seen, lambda sizes, seed: on_floats(lively(sizes, seed)), on_floats)


def _ground(
    points: Sequence[Point],
    claim: Claim,
    settings: Settings,
    seen: Problem,
    make: Make,
    on_floats: Callable[[Problem], FloatPoint],
) -> Ground:
    ordered = sorted(points, key=lambda point: not wrong_at([point]))
    return Ground(tuple(ordered), wrong_at(ordered), claim, settings, seen.sizes, cache(make), on_floats)


def _sizes(seen: Sizes) -> tuple[Sizes, ...]:
    """`SIZES`, and some as large as the counterexample had to be."""
    usual = max(size.T for size in SIZES), max(size.I for size in SIZES)
    larger = Sizes(seen.T + 1, seen.I + 1, 2, 3)
    return (*SIZES, larger) if seen.T > usual[0] or seen.I > usual[1] else SIZES
