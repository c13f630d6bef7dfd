"""Comparison of a rule's float result with balls, each entry within a derived rounding allowance.

A rule is judged at the coarser of the formats of its problem and its result, each array at its own.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np

from ...records import Rounding
from ...reference.claims import ENTRYWISE, NORMWISE, Claim, Equals, Settings
from ...reference.problem import Problem
from ...reference.scalars.ball import BallField
from ...reference.scalars.formal import entry_name
from ...reference.scalars.rounded import NormwiseField, RoundedField
from ...reference.typing import Array, Gradient
from ...rules.adapt import Rule
from ..target import entries, expected, returned
from . import second_look
from .allowance import allowance, normwise
from .kept import kept


@dataclass(frozen=True)
class FloatComparison:
    """Comparison of float entries with balls.

    Attributes:
        outside: The first entry provably outside its allowance, as (entry, result, true value, allowance), or None.
        undecided: The number of entries with an infinite allowance.
        worst: The largest distance in units of the allowance.
        rounding: The allowance that all entries are within.
        kink: A problem right beside this one on which the rule was compared in place of this one, which lies at a kink.
    """

    outside: tuple[str, float, Any, float] | None
    undecided: int
    worst: float
    rounding: Rounding = Rounding.ENTRYWISE
    kink: Problem | None = None


def compare(result: Gradient, truth: Gradient, field: BallField, allowed: dict[str, Array]) -> FloatComparison:
    """Compare float entries with balls, in the field's working precision.

    Args:
        result: The rule's result as floats.
        truth: The promised gradient as balls.
        field: The field of the balls.
        allowed: Absolute allowances by parameter.
    """
    outside, undecided, worst = None, 0, 0.0
    result = {name: result[name] for name in truth}  # whatever the order of the problem's parameters
    for (name, index, value), (_, _, ball) in zip(entries(result), entries(truth), strict=True):
        true, allow = field.native(ball), float(allowed[name][index])
        if not np.isfinite(allow):
            undecided += 1
            continue
        gap = abs(flint.arb(float(value)) - true) if np.isfinite(value) else flint.arb.pos_inf()
        if gap > flint.arb(allow) and outside is None:
            outside = (entry_name(name, index), float(value), true, allow)
        if allow > 0:
            worst = max(worst, float(gap.mid()) / allow)
    return FloatComparison(outside, undecided, worst)


def compare_on(
    rule: Rule, claim: Claim, problem: Problem, settings: Settings, dtype: Any = np.float64
) -> tuple[FloatComparison, Gradient, Gradient, BallField, dict[str, Array]]:
    """Run the rule at a format on a problem and compare the result with the claim.

    A result that is beyond its entry-wise allowance gets a second look, see `second_look`. The allowances that are
    returned are those that decided; they are infinite at a kink.

    Args:
        rule: The rule.
        claim: The claim, bound to the settings.
        problem: The float problem.
        settings: The rule's keyword arguments.
        dtype: The float format of the problem that the rule gets.

    Returns:
        The comparison, the result, the promised gradient as balls, their field, and the allowances.

    Raises:
        UnsupportedOperation, RuleFailed, WrongResult: As for `gradcheck.rules.call.run`.
        TargetFailed: The target of an `Equals` claim does not run.
    """
    first = Compared.on(rule, claim, problem.astype(dtype), settings)
    seen, allowed = first.decided()
    return seen, first.result, first.truth, FIELD, allowed


@dataclass(frozen=True)
class Compared:
    """A result on a problem, compared entry by entry."""

    rule: Rule
    claim: Claim
    problem: Problem
    settings: Settings
    result: Gradient
    truth: Gradient
    allowed: dict[str, Array]
    seen: FloatComparison

    @classmethod
    def on(cls, rule: Rule, claim: Claim, problem: Problem, settings: Settings) -> Compared:
        """Run the rule on a problem at the format of this, and compare."""
        result = returned(rule, claim, problem.copy(), settings)
        truth, allowed = known(claim, problem.astype(np.float64), result, problem.inputs.dtype)
        with FIELD.working():
            seen = compare(result, truth, FIELD, allowed)
        return cls(rule, claim, problem, settings, result, truth, allowed, seen)

    def again(self, problem: Problem) -> Compared:
        """Do the same on another problem."""
        return Compared.on(self.rule, self.claim, problem, self.settings)

    def decided(self, *, kinks: bool = True) -> tuple[FloatComparison, dict[str, Array]]:
        """Return the comparison that decides, with its allowances; `kinks` asks whether the problem lies at one."""
        if self.seen.outside is None:
            return self.seen, self.allowed
        finite = all(np.isfinite(array).all() for array in self.result.values())
        if kinks and finite and second_look.at_a_kink(self.problem):
            return self._beside_the_kink()
        if getattr(self.claim, "rounding", NORMWISE) == ENTRYWISE or not finite:
            return self.seen, self.allowed
        dtype = coarsest(self.result, self.problem.inputs.dtype)
        wide = known_normwise(self.claim, self.problem.astype(np.float64), dtype)
        with FIELD.working():
            seen = compare(self.result, self.truth, FIELD, wide)
        at = seen.outside[0] if seen.outside else self.keeps_its_error(dtype)
        if at:
            return dataclasses.replace(self.seen, outside=self.entry(at)), self.allowed
        return dataclasses.replace(seen, rounding=Rounding.NORMWISE), wide

    def _beside_the_kink(self) -> tuple[FloatComparison, dict[str, Array]]:
        for near in second_look.beside(self.problem):
            seen, _ = self.again(near).decided(kinks=False)
            if seen.outside is not None:
                return dataclasses.replace(seen, kink=near), self.allowed
        unknown = {name: np.full(array.shape, np.inf) for name, array in self.allowed.items()}
        return FloatComparison(None, 0, 0.0, kink=near), unknown

    def keeps_its_error(self, dtype: Any) -> str:
        """Return the name of an entry with an error that is no rounding; empty if there is none.

        Args:
            dtype: The coarsest format of problem and result.
        """
        kept = second_look.keeps_its_error(
            self.problem, self.residual, lambda problem: self.again(problem).residual, dtype
        )
        return entry_name(*kept) if kept else ""

    @property
    def residual(self) -> second_look.Residual:
        """The errors of the result."""
        errors = {name: np.zeros(array.shape) for name, array in self.result.items()}
        with FIELD.working():
            for (name, index, value), (_, _, ball) in zip(entries(self.result), entries(self.truth), strict=True):
                gap = flint.arb(float(value)) - FIELD.native(ball) if np.isfinite(value) else flint.arb.pos_inf()
                errors[name][index] = float(gap.mid())
        return second_look.Residual(errors, self.allowed)

    def entry(self, at: str) -> tuple[str, float, Any, float]:
        """Return an entry as in `FloatComparison.outside`."""
        pairs = zip(entries(self.result), entries(self.truth), strict=True)
        name, index, value, ball = next(
            (name, index, value, ball) for (name, index, value), (_, _, ball) in pairs if entry_name(name, index) == at
        )
        return at, float(value), FIELD.native(ball), float(self.allowed[name][index])


FIELD = BallField(320)


def known(claim: Claim, problem: Problem, result: Gradient, dtype: Any) -> tuple[Gradient, dict[str, Array]]:
    """Return the promised gradient as balls, and the allowances, of each array at the format that it has.

    A result of one coarse array is judged at the coarse format there, and at the fine one in the others.

    Args:
        claim: The claim, bound to settings.
        problem: The problem on float64.
        result: The rule's result.
        dtype: The format of the problem that the rule got; no array is judged at a finer one.
    """

    def true() -> Gradient:
        with FIELD.working():
            return expected(claim, problem.over(FIELD))

    formats = {name: np.dtype(coarsest({name: array}, dtype)).name for name, array in result.items()}
    bounds = {kind: known_allowance(claim, problem, kind) for kind in sorted(set(formats.values()))}
    return _kept(claim, problem, "", true), {name: bounds[formats[name]][name] for name in formats}


def known_allowance(claim: Claim, problem: Problem, dtype: Any) -> dict[str, Array]:
    """Return the entry-wise allowances of a problem on float64, at a format."""
    derive = functools.partial(allowance, claim, problem, RoundedField.for_dtype(dtype))
    return _kept(claim, problem, np.dtype(dtype).name, derive)


def known_normwise(claim: Claim, problem: Problem, dtype: Any) -> dict[str, Array]:
    """Return the norm-wise allowances of a problem on float64, at a format."""
    kind = np.dtype(dtype).name
    derive = functools.partial(normwise, claim, problem, NormwiseField.for_dtype(dtype))
    return _kept(claim, problem, f"norm-wise {kind}", derive)


def known_on_floats(claim: Claim, problem: Problem) -> Gradient:
    """Return the promised gradient of a float problem, computed on its floats; for small problems, of which many fit.

    Raises:
        TargetFailed, GradcheckError: As for `expected`.
    """
    return _kept(claim, problem, "floats", functools.partial(expected, claim, problem))


def _kept(claim: Claim, problem: Problem, kind: str, derive: Callable[[], Gradient]) -> Gradient:
    """Return what was derived before for an equal problem.

    The result of a claim's own target is not kept, since that may be impure.
    """
    if isinstance(claim, Equals):
        return derive()
    return kept(problem, (claim, kind), derive)


def coarsest(result: Gradient, dtype: Any) -> Any:
    """Return the coarsest of the given format and those of the result, at which the rule is judged."""
    formats = [array.dtype for array in result.values() if array.dtype.kind == "f"]
    return max([np.dtype(dtype), *formats], key=lambda d: float(np.finfo(d).eps))


def midpoints(gradient: Gradient, field: BallField) -> Gradient:
    """Round the midpoints of balls to float64."""
    return {
        name: np.array([float(ball.mid()) for ball in field.natives(array)]).reshape(np.shape(array))
        for name, array in gradient.items()
    }


def casts_up(claim: Claim, problem: Problem, result: Gradient, truth: Gradient, field: BallField) -> bool:
    """Return True if the result for a float32 problem is float64, and within the rounding of float64.

    Args:
        claim: The claim, bound to settings.
        problem: The float problem.
        result: The rule's result at float32.
        truth: The promised gradient as balls.
        field: The field of the balls.
    """
    if any(array.dtype.itemsize < 8 for array in result.values()):
        return False
    with field.working():
        finer = allowance(claim, problem, RoundedField.for_dtype(np.float64))
        return compare(result, truth, field, finer).outside is None


def outside_text(at: str, outside: tuple[str, float, Any, float], kind: str = "") -> str:
    """Return a sentence on an entry that is provably outside its allowance."""
    entry, got, true, allow = outside
    where = f" at {kind}" if kind else ""
    return (
        f"at {at}: {entry} is {got!r}{where}, the true value {true.str(17, radius=False)}, rounding allows {allow:.2g}"
    )
