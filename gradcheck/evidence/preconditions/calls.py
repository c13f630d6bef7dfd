"""Calls of a rule that are compared with each other, or with the truth."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ...problems.lively import lively_problem
from ...records import Cause
from ...reference.claims import Claim, Settings
from ...reference.errors import GradcheckError
from ...reference.networks.base import Sizes
from ...reference.problem import Problem
from ...reference.typing import Gradient
from ...rules.adapt import Rule
from ...rules.call import run
from ..base import Case
from ..floats.comparison import FIELD, coarsest, compare, known, known_normwise, midpoints
from ..sizes import spread
from ..target import returned

SMALLEST = Sizes(2, 2, 1, 1)
process_id, _exit = os.getpid, os._exit  # held, since a rule may replace the attributes


class KeepsState(GradcheckError):
    """Error for a rule whose result depends on earlier calls; the message is for its author."""

    cause = Cause.KEEPS_STATE


class NoTruth(Exception):
    """Raised where there is nothing to compare with; the evidence on the claim says why."""


def plain_call(rule: Rule, problem: Problem, settings: Settings) -> Gradient:
    """Call a rule without looking around it; a fork that it made and let go on ends here, see `rules.call`."""
    process = process_id()
    try:
        result: Gradient = rule(problem, settings)
        return result
    finally:
        if process_id() != process:
            _exit(0)


def right(
    case: Case, claim: Claim, problem: Problem, given: Problem, settings: Settings, forgiven: float = 0.0
) -> bool:
    """Return True if the result is right; an error below a share of the largest entry must go without calls before."""
    result = returned(case.rule, claim, given, settings)
    try:
        truth, allowed = known(claim, problem, result, np.float64)
    except GradcheckError as error:  # the network, or the target of the claim, does not run on balls
        raise NoTruth from error
    with FIELD.working():
        if compare(result, truth, FIELD, allowed).outside is None:
            return True
        true = midpoints(truth, FIELD)
        gaps = {name: np.abs(result[name] - array) / np.abs(array).max(initial=1e-300) for name, array in true.items()}
        small = all((gap < forgiven).all() for gap in gaps.values())
        wide = known_normwise(claim, problem, coarsest(result, np.float64))
        if compare(result, truth, FIELD, wide).outside is None:
            return True
    if not small:
        return False
    other = lively_problem(case.network, SMALLEST, case.seed, weighted=case.weighted)
    run(case.rule, other, spread(case.rule.settings(SMALLEST.T), 1)[0])
    return not right(case, claim, problem, problem.copy(), settings)


def difference(again: Gradient, kept: Gradient, problem: Problem) -> str:
    """Return what differs between two results of one problem by more than rounding; empty for nothing."""
    for key, array in again.items():
        if not np.array_equal(array, kept[key]) and not within_rounding(array, kept[key], problem):
            most = np.abs(array - kept[key]).max()
            return f"its {key} differs between two calls on the same problem, by up to {most:.3g}"
    return ""


def within_rounding(a: Any, b: Any, problem: Problem) -> bool:
    """Return True if two results differ by no more than another order of summation, as threads cause, can explain.

    Args:
        a: A result for one parameter.
        b: Another one, of the same shape.
        problem: Their problem. The bound is gamma_n of the largest entry, with n its number of products.
    """
    s = problem.sizes
    n = s.T * (s.I + s.D + s.K) * 4
    return bool(np.abs(a - b).max() <= n * np.finfo(a.dtype).eps * np.abs(b).max())
