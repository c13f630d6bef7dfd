"""Points at which a wrong result is compared with candidates, so that a match is a fact.

A rule that runs on residues is compared modulo 2^61 - 1 at random points, where two different polynomials agree with a
probability of their degree over 2^61. A rule that runs only on floats, or is wrong only there, is compared with balls,
within the allowance derived from the candidate's own operations.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, cached_property
from typing import Any, Protocol

import flint
import numpy as np

from ...evidence.base import Case
from ...evidence.floats.allowance import allowance_of, underflow
from ...evidence.floats.comparison import coarsest, midpoints
from ...evidence.target import expected, returned
from ...problems.residues import residue_problem
from ...reference import lags
from ...reference.claims import Claim, Settings
from ...reference.errors import UnsupportedOperation
from ...reference.networks.base import Capabilities, Sizes, ask
from ...reference.problem import Problem, forward
from ...reference.scalars.ball import BallField
from ...reference.scalars.residues.modular import ModularField
from ...reference.scalars.rounded import RoundedField
from ...reference.typing import Array, Gradient
from ...reference.wanted import kinds_of
from ...rules.adapt import WrongResult
from ...rules.failures import RuleFailed

Candidate = Callable[[Problem], Gradient]
"""Possible explanation of a result: a function that runs on every scalar, and may raise where it does not apply."""

SIZES = (Sizes(3, 2, 1, 3), Sizes(5, 3, 2, 2), Sizes(6, 2, 3, 1), Sizes(4, 4, 2, 3))
"""Sizes of the points, cheapest first, which rejects most candidates. T >= I; only R has two equal axes."""

AVERAGED_SIZES = (Sizes(2, 1, 2, 1), Sizes(3, 1, 1, 2), Sizes(2, 2, 1, 1))
"""Sizes of the points at which an expectation is compared: few outcomes of noise, the cheapest first."""

Change = Callable[[Any, Problem], Any]
"""Transformation of a parameter's right gradient, applied to balls, residues and error bounds alike."""


class Point(Protocol):
    """A problem, the rule's result on it, and its comparison with candidates."""

    problem: Problem
    result: Gradient
    exact: bool

    @property
    def promised(self) -> Gradient:
        """The claimed gradient, on the point's scalars."""

    @property
    def terms(self) -> Mapping[tuple[int, int], Gradient]:
        """The gradient by (loss time, lag), on the point's scalars."""

    @property
    def right(self) -> dict[str, Array]:
        """Boolean arrays by parameter: the entries in which the rule agrees with the claim."""

    def reordered(self, name: str, axis: int) -> bool:
        """Return whether the rows (axis 0) or columns (axis 1) are those of the right gradient, in any order."""

    def agrees(self, candidate: Candidate) -> dict[str, Array]:
        """Return boolean arrays by parameter: the entries in which the rule agrees with the candidate."""

    @property
    def plain(self) -> Problem:
        """The problem on the scalars on which the rule ran."""

    def near(self, gradient: Gradient, names: Iterable[str]) -> set[str]:
        """Return those of these parameters in which a gradient of `plain` comes near: a cheap filter."""

    def resembling(self, candidate: Candidate) -> set[str]:
        """Return the parameters in which the candidate comes near: a cheap filter before `agrees`, which decides."""

    def shows(self, name: str, change: Change) -> bool:
        """Return whether the parameter equals the changed right gradient in every entry."""


@cache
class _Watched(ModularField):
    """Residues that note where their random functions of one argument were evaluated."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed=seed)
        self.drawn: set[tuple[Any, ...]] = set()

    def random(self, *key: Any) -> Any:
        if key[0] not in ("g", "e", "L"):
            self.drawn.add(key)
        return super().random(*key)


class ResiduePoint:
    """A random point modulo 2^61 - 1.

    Args:
        case: The rule and its claim.
        claim: The claim, bound to the settings.
        sizes: The sizes of the problem.
        settings: The rule's keyword arguments.
        seed: The seed of the random numbers.

    Raises:
        GradcheckError: The rule does not run on residues.
    """

    exact = True
    foreign: bool
    """True if the rule evaluates functions where the network does not, so that residues know too few of their laws."""

    def __init__(self, case: Case, claim: Claim, sizes: Sizes, settings: Settings, seed: int) -> None:
        rng, self.claim = np.random.default_rng([seed, sizes.T, sizes.I]), claim
        self.field = _Watched(seed=seed)
        self.problem = residue_problem(case.network, sizes, self.field, rng, weighted=case.weighted)
        self.field.drawn.clear()  # of rules before this one
        for u in forward(self.problem)[1]:
            ask(case.network, Capabilities.output, u)
        own = set(self.field.drawn)
        result = returned(case.rule, claim, self.problem.copy(), settings)
        self.foreign = bool(self.field.drawn - own)
        self.result: Gradient = {name: self.field.lift(array) for name, array in result.items()}

    @cached_property
    def promised(self) -> Gradient:
        return expected(self.claim, self.problem)

    @cached_property
    def terms(self) -> Mapping[tuple[int, int], Gradient]:
        return lags.by_lag(self.problem, kinds_of(self.result))

    def agrees(self, candidate: Candidate) -> dict[str, Array]:
        other = candidate(self.problem.copy())
        return {name: self._equal(a, other[name]) if name in other else _nowhere(a) for name, a in self.result.items()}

    @property
    def plain(self) -> Problem:
        return self.problem

    def near(self, gradient: Gradient, names: Iterable[str]) -> set[str]:
        return {name for name in names if self._equal(self.result[name], gradient[name]).all()}

    def resembling(self, candidate: Candidate) -> set[str]:
        return set(self.result)

    def shows(self, name: str, change: Change) -> bool:
        return bool(self._equal(self.result[name], change(self.promised[name], self.problem)).all())

    @cached_property
    def right(self) -> dict[str, Array]:
        return {name: self._equal(a, self.promised[name]) for name, a in self.result.items()}

    def reordered(self, name: str, axis: int) -> bool:
        lines = [
            np.moveaxis(np.array(self.field.natives(a), dtype=object).reshape(a.shape), axis, 0)
            for a in (self.result[name], self.promised[name])
        ]
        got, right = (sorted(tuple(map(int, line.reshape(-1))) for line in map(np.asarray, each)) for each in lines)
        return got == right

    def _equal(self, a: Any, b: Any) -> Array:
        pairs = zip(self.field.natives(a), self.field.natives(b), strict=True)
        return np.array([p == q for p, q in pairs], dtype=bool).reshape(np.shape(a))


class FloatPoint:
    """A float problem, the rule's floats, and balls of the true values.

    Its `kind` is the format whose rounding the rule is allowed: the coarser of its input's and its result's.

    Args:
        case: The rule and its claim.
        claim: The claim, bound to the settings.
        problem: The problem.
        settings: The rule's keyword arguments.
        dtype: The format of the rule's input.

    Raises:
        GradcheckError: The rule fails.
    """

    exact = False

    def __init__(self, case: Case, claim: Claim, problem: Problem, settings: Settings, dtype: str = "float64") -> None:
        given = problem.astype(np.dtype(dtype))
        self.floats, self.claim, self.field = given.astype(np.float64), claim, BallField(320)
        with np.errstate(all="ignore"):
            self.result = returned(case.rule, claim, given.copy(), settings)
        self.kind = str(np.dtype(coarsest(self.result, dtype)).name)
        with self.field.working():
            self.problem = self.floats.over(self.field)

    def judged_as(self, kind: str) -> FloatPoint:
        """Return a copy that allows the rounding of another format."""
        other = copy.copy(self)
        for name in ("_rounding", "_lost", "_rounded", "allowed", "right"):
            other.__dict__.pop(name, None)
        other.kind = kind
        return other

    @property
    def numbers(self) -> Array:
        """Return every number of the result, as a vector of float64."""
        return np.concatenate([np.asarray(array, dtype=float).reshape(-1) for array in self.result.values()])

    @property
    def in_float64(self) -> bool:
        """Return whether all arrays of the result have dtype float64."""
        return all(array.dtype == np.float64 for array in self.result.values())

    @cached_property
    def promised(self) -> Gradient:
        with self.field.working():
            return expected(self.claim, self.problem)

    @cached_property
    def terms(self) -> Mapping[tuple[int, int], Gradient]:
        with self.field.working():
            return lags.by_lag(self.problem, kinds_of(self.result))

    @cached_property
    def middles(self) -> Gradient:
        """The claimed gradient, rounded to the nearest floats."""
        return midpoints(self.promised, self.field)

    @cached_property
    def allowed(self) -> dict[str, Array]:
        """The allowance of each entry of the claimed gradient."""
        return allowance_of(lambda _: self._rounded, self.floats, self._rounding, lost=self._lost)

    @cached_property
    def right(self) -> dict[str, Array]:
        with self.field.working():
            return {name: self._within(a, self.promised[name], self.allowed[name]) for name, a in self.result.items()}

    def agrees(self, candidate: Candidate) -> dict[str, Array]:
        with self.field.working():
            other = candidate(self.problem.copy())
            allowed = allowance_of(candidate, self.floats, self._rounding, lost=self._lost)
            return {
                name: self._within(a, other[name], allowed[name]) if name in other else _nowhere(a)
                for name, a in self.result.items()
            }

    @property
    def plain(self) -> Problem:
        return self.floats

    def near(self, gradient: Gradient, names: Iterable[str]) -> set[str]:
        return {name for name in names if self._near(name, gradient[name])}

    def resembling(self, candidate: Candidate) -> set[str]:
        floats = self._on_floats(candidate)
        return self.near(floats, self.result.keys() & floats.keys())

    def repeats(self, candidate: Candidate) -> dict[str, Array]:
        """Return boolean arrays by parameter: the entries in which the candidate's floats match the rule's.

        They match if they differ by at most the allowance, and both are right or both wrong. This serves candidates
        that depend on values, or lose digits of floats, which balls and error bounds do not show.
        """
        floats = self._on_floats(candidate)
        with np.errstate(all="ignore"), self.field.working():
            return {
                name: ((abs(a - floats[name]) <= self.allowed[name]) | (a == floats[name]))
                & (self.right[name] == self._within(floats[name], self.promised[name], self.allowed[name]))
                if name in floats
                else _nowhere(a)
                for name, a in self.result.items()
            }

    def shows(self, name: str, change: Change) -> bool:
        if not self._near(name, change(self.middles[name], self.floats)):
            return False
        with self.field.working():
            balls = change(self.promised[name], self.problem)
            bounds = allowance_of(
                lambda problem: {name: change(self._rounded[name], problem)},
                self.floats,
                self._rounding,
                lost=self._lost,
            )
            return bool(self._within(self.result[name], balls, bounds[name]).all())

    def reordered(self, name: str, axis: int) -> bool:
        got = np.moveaxis(np.asarray(self.result[name], dtype=float), axis, 0)
        right, allowed = (np.moveaxis(a[name], axis, 0) for a in (self.promised, self.allowed))
        with self.field.working():
            same = np.array([[self._within(g, r, a).all() for r, a in zip(right, allowed, strict=True)] for g in got])
        return bool((same.sum(axis=0) == 1).all() and (same.sum(axis=1) == 1).all())

    @cached_property
    def _rounding(self) -> RoundedField:
        if self.kind == "bfloat16":  # which NumPy lacks: the range of float32, and 8 bits
            info = np.finfo(np.float32)
            return RoundedField(2.0**-8, float(info.smallest_normal), float(info.max))
        return RoundedField.for_dtype(self.kind)

    @cached_property
    def _lost(self) -> float:
        return underflow(self.floats, self._rounding, kinds_of(self.result))

    @cached_property
    def _rounded(self) -> Gradient:
        with np.errstate(all="ignore"):
            return expected(self.claim, self.floats.over(self._rounding))

    def _on_floats(self, candidate: Candidate) -> Gradient:
        with np.errstate(all="ignore"):
            return candidate(self.floats.copy())

    def _near(self, name: str, floats: Array) -> bool:
        """Return whether the floats match the rule's to three digits of its largest, or within the allowance."""
        got, floats = np.asarray(self.result[name], dtype=float).reshape(-1), np.reshape(floats, -1)
        with np.errstate(all="ignore"):
            largest = np.max(np.abs(got), initial=0.0)
            return bool(
                np.all((abs(got - floats) <= 1e-3 * largest + self.allowed[name].reshape(-1)) | (got == floats))
            )

    def _within(self, floats: Array, balls: Any, allowed: Array) -> Array:
        near = [
            bool(np.isfinite(allow)) and bool(np.isfinite(v)) and not abs(flint.arb(float(v)) - true) > flint.arb(allow)
            for v, true, allow in zip(
                np.asarray(floats).reshape(-1), self.field.natives(balls), allowed.reshape(-1).tolist(), strict=True
            )
        ]
        return np.array(near, dtype=bool).reshape(np.shape(floats))


def _nowhere(array: Array) -> Array:
    """Return the entries of a result that agree with a candidate that returns no such array: none."""
    return np.zeros(np.shape(array), dtype=bool)


_BITS = {"float32": 24, "float16": 11, "bfloat16": 8}


def stored_as(points: Iterable[Point]) -> str | None:
    """Return the format coarser than float64 in which all results are stored, in any dtype.

    Numbers that were rounded to a format use all its bits, or all but one, somewhere. Results that need fewer, such as
    zeros and whole numbers, were not.

    Args:
        points: The points; none is stored so unless all are float points.

    Returns:
        "float32", "float16" or "bfloat16", or None.
    """
    widest = 0
    for point in points:
        if not isinstance(point, FloatPoint):
            return None
        numbers = point.numbers
        mantissas, _ = np.frexp(numbers[np.isfinite(numbers) & (numbers != 0)])
        for whole in (np.abs(mantissas) * 2.0**53).astype(np.int64).tolist():
            widest = max(widest, 54 - (whole & -whole).bit_length())
    return next((name for name, bits in _BITS.items() if bits - 1 <= widest <= bits), None)


def matched(
    points: Sequence[Point], candidate: Candidate, *, names: Iterable[str] | None = None, repeated: bool = False
) -> set[str]:
    """Return the parameters in which rule and candidate agree at all points.

    Args:
        points: The points.
        candidate: The candidate. If it fails at a point, nothing agrees.
        names: The parameters to compare, or None for all.
        repeated: Compare floats with `FloatPoint.repeats`.

    Returns:
        The names of the agreeing parameters.
    """
    left = set(points[0].result if names is None else names)
    try:
        for point in points:
            left &= point.resembling(candidate)
            if not left:
                return left
        for point in points:
            agreed = point.repeats(candidate) if repeated and isinstance(point, FloatPoint) else point.agrees(candidate)
            left &= {name for name, same in agreed.items() if same.all()}
            if not left:
                break
    except (RuleFailed, WrongResult, UnsupportedOperation):  # the candidate does not apply here
        return set()
    return left


def wrong_at(points: Sequence[Point]) -> tuple[str, ...]:
    """Return the parameters in which the rule differs from the claim at any of these points.

    Args:
        points: The points, at least one.

    Returns:
        The names of the wrong parameters, in the order of the result.
    """
    return tuple(name for name in points[0].result if not all(point.right[name].all() for point in points))
