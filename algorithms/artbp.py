"""Anticipated reweighted truncated BPTT: the graph is cut at random, and what is not cut is made larger.

With d(t), e(t) and J(t) as in `carried` and `unfolding`, and a cut between t and t+1 with probability c(t), 1 <= t < T:
    delta(T) = d(T),  delta(t) = d(t) + [no cut after t] J(t+1)^T delta(t+1) / (1 - c(t))
and the gradient from delta as in `bptt`. The factor's mean is 1, and cuts are independent of each other, so that
E[delta(t)] is BPTT's.

Source: Tallec & Ollivier 2017, "Unbiasing truncated backpropagation through time". Cost: O(T I (I+K+D)). Storage: O(T
(I + D)) here, where the sequence is one; a run that goes on for ever stores what is between two cuts.
True of it: unbiased for any 0 <= c(t) < 1 that is fixed before the data is seen; c(t) may depend on earlier cuts, as it
does where the paper anticipates the next one. Biased without the factor, or where cuts depend on the data. c = 0 is
BPTT. The variance grows with c and with T.
Free choices, and what they do:
    c  a probability, or one for each t = 1, ..., T-1: unbiased for any, BPTT at 0
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gradcheck.reference.claims import Cost, Unbiased, rule
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import ALL_NETWORKS
from gradcheck.reference.problem import Problem, map_state
from gradcheck.reference.typing import Gradient

from .cells import Total, added, is_fully_recurrent, nothing, steps
from .unfolding import unfold

Probability = float
"""A number that compares and subtracts, such as a float or a Fraction."""


@rule(
    Unbiased(),
    Cost(time="T*I*(I + K + D)", storage="T*(I + D + K) + I*(I + D + K)"),
    networks=ALL_NETWORKS,
    weighted=True,
)
def artbp(problem: Problem, noise: Any, *, c: Probability | Sequence[Probability] = 0.5) -> Gradient:
    """Anticipated reweighted truncated BPTT (Tallec & Ollivier 2017): random cuts, made up for by a factor.

    Args:
        problem: Any network; takes loss weights.
        noise: Draws the cuts.
        c: Probability of a cut after each step, or one for each of the steps 1, ..., T-1.

    Raises:
        GradcheckError: A probability is not in [0, 1), or there are not T-1 of them.
    """
    probabilities = _probabilities(c, problem.T)
    factors = [(1 - noise.bernoulli(each)) / (1 - each) for each in probabilities]
    back = _through_units if is_fully_recurrent(problem.network) else _through_any_cell
    return back(problem, factors)


def _through_units(problem: Problem, factors: Sequence[Any]) -> Gradient:
    R, run = problem.parameters["R"], unfold(problem)
    delta = np.zeros_like(run.d)
    delta[-1] = run.d[-1]
    for t in reversed(range(problem.T - 1)):
        delta[t] = run.d[t] + run.slope[t] * (R @ delta[t + 1]) * factors[t]
    return run.gradient(delta)


def _through_any_cell(problem: Problem, factors: Sequence[Any]) -> Gradient:
    total, made = Total(problem.parameters), steps(problem)
    cotangent = nothing(made[-1].state)
    for each, factor in zip(reversed(made), (1, *reversed(factors)), strict=True):
        crossing = map_state(lambda g, by=factor: g * by, cotangent)
        cotangent = each.back(added(each.enter(total), crossing), total)
    return total.gradient()


def _probabilities(c: Any, T: int) -> list[Any]:
    listed = list(c) if isinstance(c, (list, tuple, np.ndarray)) else [c] * (T - 1)
    if len(listed) != T - 1:
        raise GradcheckError(
            f"c must be one probability, or one for each of the {T - 1} steps but the last; got {len(listed)}"
        )
    for each in listed:
        if not 0 <= each < 1:
            raise GradcheckError(f"c must be a probability in [0, 1), since 1 - c is divided by; got {each!r:.60}")
    return listed
