"""The gradient that a claim promises, on any scalar, and a planted fault: the same without one lag."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..reference import lags
from ..reference.claims import Claim, Equals, LagClaim, Settings
from ..reference.cotangents import as_array
from ..reference.errors import GradcheckError, UnsupportedOperation
from ..reference.problem import Problem
from ..reference.typing import Gradient
from ..reference.wanted import INITIAL_STATE, kind_of, kinds_of
from ..rules.adapt import Rule, as_rule, wanted_by
from ..rules.call import run


class TargetFailed(GradcheckError):
    """Raised where the target of an `Equals` claim does not run."""


def expected(claim: Claim, problem: Problem) -> Gradient:
    """Return the gradient that a claim promises for a problem, on the problem's own scalar.

    Raises:
        TargetFailed: The target of an `Equals` claim does not run.
        GradcheckError: The claim promises no particular gradient.
    """
    if isinstance(claim, Equals):
        target = as_rule(claim.target)
        try:
            return run(target, problem).gradient
        except UnsupportedOperation as error:
            raise TargetFailed(
                f"the target {target.name} of the claim leaves plain NumPy ({error}), so its value and rounding are "
                "unknown; write the definition in plain NumPy"
            ) from error
        except GradcheckError as error:
            raise TargetFailed(f"the target of the claim does not run: {error}") from error
    if isinstance(claim, LagClaim):
        return lags.claimed(problem, claim)
    raise GradcheckError(f"the claim {claim} promises no particular result")


def returned(rule: Rule, claim: Claim, problem: Problem, settings: Settings) -> Gradient:
    """Run a rule and return the arrays of its result that a claim is about.

    Args:
        rule: The rule.
        claim: The claim.
        problem: The problem; the rule may change its arrays.
        settings: The rule's keyword arguments.

    Raises:
        UnsupportedOperation, RuleFailed, WrongResult: As for `gradcheck.rules.call.run`.
    """
    return about(claim, run(rule, problem, settings).gradient)


def about(claim: Claim, gradient: Gradient) -> Gradient:
    """Return the arrays of a gradient that a claim is about: all of them, if it is about no result."""
    of = wanted_by(claim) or kinds_of(gradient)
    return {name: array for name, array in gradient.items() if kind_of(name) in of}


def longest_kept(claim: Claim, T: int) -> int:
    """Return the longest lag of the last loss that the claim keeps."""
    if not isinstance(claim, LagClaim):
        return 0
    return max((k for k in range(T) if claim.keeps(T, k, T)), default=0)


def to_plant(claim: Claim, T: int) -> tuple[int, int]:
    """Return the time of a loss, and its lag, whose absence is planted as a fault.

    It is the longest lag that the claim keeps of the last loss. A claim about the initial state alone sees only losses
    that keep step 1, so it is that of the last of these.
    """
    if wanted_by(claim) != (INITIAL_STATE,) or not isinstance(claim, LagClaim):
        return T, longest_kept(claim, T)
    t = max((t for t in range(1, T + 1) if claim.keeps(t, t - 1, T)), default=1)
    return t, t - 1


def planted(claim: Claim, problem: Problem, promised: Gradient, lag: int | None = None) -> Gradient:
    """Return the promised gradient without one lag of one loss.

    Args:
        claim: The claim.
        problem: The problem.
        promised: The gradient that the claim promises for it.
        lag: The lag of the last loss to leave out; what `to_plant` chooses if None.
    """
    gone = to_plant(claim, problem.T) if lag is None else (problem.T, lag)
    missing = lags.gradient(problem, lambda t, k, T: (t, k) == gone, kinds_of(promised))
    return {name: as_array(promised[name] - missing[name], promised[name]) for name in promised}


def entries(gradient: Gradient) -> list[tuple[str, tuple[int, ...], Any]]:
    """List the entries of a gradient in order, each as (name of the array, index, element)."""
    return [
        (name, index, value)
        for name, array in gradient.items()
        for index, value in zip(np.ndindex(*np.shape(array)), np.asarray(array).reshape(-1).tolist(), strict=True)
    ]
