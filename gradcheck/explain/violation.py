"""Certified violations of a claim on one problem, beyond anything that rounding can explain.

The certificate is independent of the search. For a rule that runs on balls, it is a pair of disjoint balls; for a
black box, a distance from the true value's ball beyond the derived allowance. A problem at a kink of the network, where
several slopes are right, shows no violation.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np

from ..evidence.base import Case
from ..evidence.exact import enclosure as balls
from ..evidence.floats import comparison
from ..records import Cause
from ..reference.claims import Claim, Settings
from ..reference.errors import GradcheckError, UnsupportedOperation
from ..reference.problem import Problem
from ..rules.adapt import WrongResult
from ..rules.failures import RuleFailed
from .traits import Traits, traits

BITS = 256
"""Precision of the compared balls, in bits."""


@dataclass(frozen=True)
class Violation:
    """A certified violation, with its numbers in floats.

    Attributes:
        problem: The problem on which the claim is false.
        settings: The rule's keyword arguments.
        entry: The name of the wrong entry, such as R[0,1].
        expected: The ball of its true value.
        got: The float that the rule returned, as text.
        gap: The ball of the distance between the two.
        allowance: The most that rounding may change the entry.
        on_balls: Whether the rule's own ball and the true value's are disjoint too.
        dtype: The format of the floats.
        traits: What is known of the wrong result.
    """

    problem: Problem
    settings: Settings
    entry: str
    expected: Any
    got: str
    gap: Any
    allowance: float
    on_balls: bool = False
    dtype: str = "float64"
    traits: Traits | None = None


@dataclass(frozen=True)
class Trial:
    """A problem, with the keyword arguments to run the rule with."""

    problem: Problem
    settings: Settings


class AnswersChange(GradcheckError):
    """Error for a rule that is wrong on a problem, and right there when called again."""

    cause = Cause.KEEPS_STATE

    def __init__(self, rule: str, seen: Violation) -> None:
        self.rule, self.seen = rule, seen
        super().__init__(
            f"the answers of {rule} change between calls (make it keep nothing from one to the next): "
            f"{seen.entry} was {seen.got} once, should be {seen.expected.str(12, radius=False)}, and was right when "
            f"called again on the same problem "
            f"({seen.problem.sizes})"
        )

    def __reduce__(self) -> tuple[type, tuple[str, Violation]]:
        return type(self), (self.rule, self.seen)


def violation(case: Case, trial: Trial, *, floats: bool = False, dtype: str = "float64") -> Violation | None:
    """Check the case's claim on one problem.

    A rule that runs on balls must violate the claim twice: on balls, where nothing rounds, and on floats, beyond the
    allowance. Neither a constant such as 1/3, rounded before any scalar sees it, nor an operation that differs
    between scalars can then refute a rule.

    Args:
        case: The rule and its claim.
        trial: The problem and the settings.
        floats: Compare floats alone.
        dtype: The format of the floats.

    Returns:
        The certified violation, or None.
    """
    claim = case.claim.bind(trial.settings)
    if not floats:
        try:
            on_balls, *_ = balls.compare(
                case.rule, claim, trial.problem, trial.settings, first_bits=BITS, last_bits=BITS, wanted=0
            )
        except (UnsupportedOperation, RuleFailed):
            if case.rule.averaged:  # the allowance for rounding is not that of a sum over outcomes
                return None
        except GradcheckError:
            return None
        else:
            if on_balls.apart is None:
                return None
            seen = _float_violation(case, claim, trial, dtype)
            return dataclasses.replace(seen, on_balls=True) if seen else None
    return _float_violation(case, claim, trial, dtype)


def _float_violation(case: Case, claim: Claim, trial: Trial, dtype: str) -> Violation | None:
    try:
        seen, result, truth, field, allowances = comparison.compare_on(
            case.rule, claim, trial.problem, trial.settings, np.dtype(dtype)
        )
    except (RuleFailed, WrongResult, GradcheckError):
        return None
    if seen.outside is None or seen.kink is not None:
        return None
    entry, got, true, allowed = seen.outside
    gap = abs(flint.arb(got) - true) if np.isfinite(got) else flint.arb.pos_inf()
    known = traits(trial.problem, result, comparison.midpoints(truth, field), allowances)
    return Violation(trial.problem, trial.settings, entry, true, repr(got), gap, allowed, dtype=dtype, traits=known)
