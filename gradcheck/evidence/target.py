"""The gradient that a claim promises, on any scalar, and a planted fault: the same without one lag."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..reference import lags
from ..reference.claims import Claim, Equals, Exact, LagClaim
from ..reference.cotangents import as_array
from ..reference.errors import GradcheckError, UnsupportedOperation
from ..reference.problem import Problem
from ..reference.typing import Gradient
from ..rules.adapt import as_rule
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
        return lags.gradient(problem, None if isinstance(claim, Exact) else claim.keeps)
    raise GradcheckError(f"the claim {claim} promises no particular result")


def longest_kept(claim: Claim, T: int) -> int:
    """Return the longest lag of the last loss that the claim keeps."""
    if not isinstance(claim, LagClaim):
        return 0
    return max((k for k in range(T) if claim.keeps(T, k, T)), default=0)


def planted(claim: Claim, problem: Problem, promised: Gradient, lag: int | None = None) -> Gradient:
    """Return the promised gradient without one lag of the last loss.

    Args:
        claim: The claim.
        problem: The problem.
        promised: The gradient that the claim promises for it.
        lag: The lag to leave out; the longest that the claim keeps if None.
    """
    gone = longest_kept(claim, problem.T) if lag is None else lag
    missing = lags.gradient(problem, lambda t, k, T: t == T and k == gone)
    return {name: as_array(promised[name] - missing[name], promised[name]) for name in promised}


def entries(gradient: Gradient) -> list[tuple[str, tuple[int, ...], Any]]:
    """List the entries of a gradient in order, each as (parameter, index, element)."""
    return [
        (name, index, value)
        for name, array in gradient.items()
        for index, value in zip(np.ndindex(*np.shape(array)), np.asarray(array).reshape(-1).tolist(), strict=True)
    ]
