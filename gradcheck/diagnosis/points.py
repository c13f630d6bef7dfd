"""Where a wrong result is compared with what it could be instead, so that a match is a fact.

A rule that runs on residues is compared modulo 2^61 - 1 at random points, where two different polynomials meet with a
probability of their degree over 2^61. A rule that runs on floats alone, or is wrong on floats alone, is compared with
balls, within the allowance that is derived for the candidate itself: what its own operations may round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import flint
import numpy as np

from ..evidence import Case
from ..evidence.allowance import allowance_of
from ..evidence.target import expected
from ..problems import lively_problem, residue_problem
from ..reference.claims import Claim, Settings
from ..reference.errors import GradcheckError
from ..reference.network import Sizes
from ..reference.problem import Problem
from ..reference.scalars.ball import BallField
from ..reference.scalars.modular import ModularField
from ..reference.scalars.residues import ResidueField
from ..reference.scalars.rounded import RoundedField
from ..reference.typing import Array, Gradient
from ..results import run

Candidate = Callable[[Problem], Gradient]
"""What a result could be instead: runs on every scalar, and may raise where it does not apply."""

SIZES = (Sizes(3, 2, 1, 3), Sizes(5, 3, 2, 2), Sizes(6, 2, 3, 1), Sizes(4, 4, 2, 3))
"""The cheapest first, where most candidates fall; T at and above I; no two equal axes of a parameter but R's."""

Change = Callable[[Any, Problem], Any]
"""What is made of a parameter's right gradient; applied to balls, residues and error bounds alike."""


class Point(Protocol):
    """One problem, the rule's result on it, and whether a candidate gives the same."""

    problem: Problem
    result: Gradient
    exact: bool

    @property
    def promised(self) -> Gradient:
        """What the claim says, on the point's scalars."""

    def agrees(self, candidate: Candidate) -> dict[str, Array]:
        """Parameter to a boolean array: entries where the rule gives what the candidate does."""

    def shows(self, name: str, change: Change) -> bool:
        """Whether the rule gives, in every entry of that parameter, the right gradient so changed."""


class ResiduePoint:
    """A random point modulo 2^61 - 1. Raises `GradcheckError` where the rule does not run on residues."""

    exact = True

    def __init__(self, case: Case, claim: Claim, sizes: Sizes, settings: Settings, seed: int) -> None:
        rng, self.claim = np.random.default_rng([seed, sizes.T, sizes.I]), claim
        self.field = ModularField(seed=seed)
        shape = residue_problem(case.network, sizes, ResidueField(), rng, weighted=case.weighted)
        drawn = shape.map(
            lambda a: self.field.array(
                (self.field.convert(int(v)) for v in rng.integers(0, self.field.prime, a.size)), a.shape
            )
        )
        self.problem = drawn if case.weighted else drawn.replace(loss_weights=self.field.lift(np.ones(sizes.T)))
        result = run(case.rule, self.problem.copy(), settings).gradient
        self.result: Gradient = {name: self.field.lift(array) for name, array in result.items()}

    @cached_property
    def promised(self) -> Gradient:
        return expected(self.claim, self.problem)

    def agrees(self, candidate: Candidate) -> dict[str, Array]:
        other = candidate(self.problem.copy())
        return {name: self._equal(a, other[name]) for name, a in self.result.items()}

    def shows(self, name: str, change: Change) -> bool:
        return bool(self._equal(self.result[name], change(self.promised[name], self.problem)).all())

    def _equal(self, a: Any, b: Any) -> Array:
        pairs = zip(self.field.natives(a), self.field.natives(b), strict=True)
        return np.array([p == q for p, q in pairs], dtype=bool).reshape(np.shape(a))


class FloatPoint:
    """A float problem, the rule's floats, and balls. Raises `GradcheckError` where the rule fails."""

    exact = False

    def __init__(self, case: Case, claim: Claim, problem: Problem, settings: Settings) -> None:
        self.floats, self.claim, self.field = problem.astype(np.float64), claim, BallField(320)
        self._rounding = RoundedField.for_dtype(np.float64)
        self.result = run(case.rule, self.floats.copy(), settings).gradient
        with self.field.working():
            self.problem = self.floats.over(self.field)

    @cached_property
    def promised(self) -> Gradient:
        with self.field.working():
            return expected(self.claim, self.problem)

    def agrees(self, candidate: Candidate) -> dict[str, Array]:
        with self.field.working():
            other = candidate(self.problem.copy())
            allowed = allowance_of(candidate, self.floats, self._rounding)
            return {name: self._within(a, other[name], allowed[name]) for name, a in self.result.items()}

    def shows(self, name: str, change: Change) -> bool:
        with self.field.working():
            balls = change(self.promised[name], self.problem)
            bounds = allowance_of(
                lambda problem: {name: change(self._rounded[name], problem)}, self.floats, self._rounding
            )
            return bool(self._within(self.result[name], balls, bounds[name]).all())

    @cached_property
    def _rounded(self) -> Gradient:
        with np.errstate(all="ignore"):
            return expected(self.claim, self.floats.over(self._rounding))

    def _within(self, floats: Array, balls: Any, allowed: Array) -> Array:
        near = [
            bool(np.isfinite(allow)) and bool(np.isfinite(v)) and not abs(flint.arb(float(v)) - true) > flint.arb(allow)
            for v, true, allow in zip(
                np.asarray(floats).reshape(-1), self.field.natives(balls), allowed.reshape(-1).tolist(), strict=True
            )
        ]
        return np.array(near, dtype=bool).reshape(np.shape(floats))


Make = Callable[[Sizes, int], Point]
"""A point of these sizes, from a seed."""


@dataclass(frozen=True)
class Ground:
    """The points of one diagnosis, which parameters are wrong on them, and how to make more of them."""

    points: tuple[Point, ...]
    wrong: tuple[str, ...]
    claim: Claim
    make: Make

    @property
    def exact(self) -> bool:
        return all(point.exact for point in self.points)

    def matched(self, candidate: Candidate) -> set[str]:
        """The parameters in which the rule gives what the candidate does, in every entry of every point."""
        return matched(self.points, candidate)

    def entries(self, names: Iterable[str]) -> int:
        """How many entries of these parameters the points have together."""
        return sum(np.size(point.result[name]) for point in self.points for name in names)


def matched(points: Sequence[Point], candidate: Candidate) -> set[str]:
    """The parameters in which the rule gives what the candidate does at all of these points; none if it fails."""
    left: set[str] = set(points[0].result)
    for point in points:
        try:
            agreed = point.agrees(candidate)
        except Exception:  # the candidate does not apply here, whatever it says of that
            return set()
        left &= {name for name, same in agreed.items() if same.all()}
        if not left:
            break
    return left


def ground(case: Case, settings: Settings, seen: Problem) -> Ground | None:
    """Points at which the rule differs from the claim: residues if it does there, or else floats; None for neither.

    seen: the problem of the counterexample, which is among the float points.
    """
    claim = case.claim.bind(settings)

    def residues(sizes: Sizes, seed: int) -> Point:
        return ResiduePoint(case, claim, sizes, settings, seed)

    def floats(sizes: Sizes, seed: int) -> Point:
        return FloatPoint(case, claim, lively_problem(case.network, sizes, seed, weighted=case.weighted), settings)

    tries: tuple[tuple[Make, list[Callable[[], Point]]], ...] = (
        (residues, [lambda: residues(seen.sizes, 9)]),
        (floats, [lambda: FloatPoint(case, claim, seen, settings)]),
    )
    for make, further in tries:
        try:
            points = [*(make(sizes, seed) for seed, sizes in enumerate(SIZES)), *(one() for one in further)]
        except GradcheckError:
            continue
        right = matched(points, lambda problem: expected(claim, problem))
        wrong = tuple(name for name in points[0].result if name not in right)
        if wrong:
            return Ground(tuple(points), wrong, claim, make)
    return None
