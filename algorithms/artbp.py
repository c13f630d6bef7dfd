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
from gradcheck.reference.network import ALL_NETWORKS
from gradcheck.reference.problem import Problem
from gradcheck.reference.typing import Gradient

from .cells import or_on_any_cell
from .cuts import Probability, factors_of, require_probabilities
from .on_cells import artbp as on_any_cell
from .unfolding import unfold


@rule(
    Unbiased(),
    Cost(time="T*I*(I + K + D)", storage="T*(I + D + K) + I*(I + D + K)"),
    networks=ALL_NETWORKS,
    weighted=True,
)
@or_on_any_cell(on_any_cell)
def artbp(problem: Problem, noise: Any, *, c: Probability | Sequence[Probability] = 0.5) -> Gradient:
    """Anticipated reweighted truncated BPTT (Tallec & Ollivier 2017): random cuts, made up for by a factor.

    Args:
        problem: Any network; takes loss weights.
        noise: Draws the cuts.
        c: Probability of a cut after each step, or one for each of the steps 1, ..., T-1.

    Raises:
        GradcheckError: A probability is not in [0, 1), or there are not T-1 of them.
    """
    R, run = problem.parameters["R"], unfold(problem)
    factors = factors_of(noise, require_probabilities(c, problem.T))
    delta = np.zeros_like(run.d)
    delta[-1] = run.d[-1]
    for t in reversed(range(problem.T - 1)):
        delta[t] = run.d[t] + run.slope[t] * (R @ delta[t + 1]) * factors[t]
    return run.gradient(delta)
