"""What a claim says the result should be, on any scalar; and the same with one lag missing, as a planted fault."""

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
    """The rule that a claim compares with could not say what the result should be."""


def expected(claim: Claim, problem: Problem) -> Gradient:
    """The gradient that the claim promises for this problem, on the problem's own scalar.

    Raises `GradcheckError` for claims that promise no particular gradient, and `TargetFailed`.
    """
    if isinstance(claim, Equals):
        target = as_rule(claim.target)
        try:
            return run(target, problem).gradient
        except UnsupportedOperation as error:
            raise TargetFailed(
                f"the target {target.name} of the claim leaves plain NumPy ({error}), so neither its value nor its "
                "rounding can be known; write the definition in plain NumPy"
            ) from error
        except GradcheckError as error:
            raise TargetFailed(f"the target of the claim cannot be run: {error}") from error
    if isinstance(claim, LagClaim):
        return lags.gradient(problem, None if isinstance(claim, Exact) else claim.keeps)
    raise GradcheckError(f"the claim {claim} does not say what the result should be")


def longest_kept(claim: Claim, T: int) -> int:
    """The longest lag of the last loss that the claim keeps."""
    if not isinstance(claim, LagClaim):
        return 0
    return max((k for k in range(T) if claim.keeps(T, k, T)), default=0)


def planted(claim: Claim, problem: Problem, promised: Gradient, lag: int | None = None) -> Gradient:
    """`promised` without one lag of the last loss, the longest that it keeps if left out: wrong by exactly one path."""
    gone = longest_kept(claim, problem.T) if lag is None else lag
    missing = lags.gradient(problem, lambda t, k, T: t == T and k == gone)
    return {name: as_array(promised[name] - missing[name], promised[name]) for name in promised}


def entries(gradient: Gradient) -> list[tuple[str, tuple[int, ...], Any]]:
    """(parameter, index, element) for every entry, in order."""
    return [
        (name, index, value)
        for name, array in gradient.items()
        for index, value in zip(np.ndindex(*np.shape(array)), np.asarray(array).reshape(-1).tolist(), strict=True)
    ]
