"""Adaptive truncation: the horizon of truncated BPTT chosen from how the gradients of states decay.

With phi_k the mean over losses s of ||dL_s/da(s-k)||, k < n = min(window, T), and beta = max phi_(k+1)/phi_k:
    bias(K) = phi_K + ... + phi_(n-1), plus phi_(n-1) beta/(1 - beta) where lags beyond the window exist
    size(K) = ||mean over s of dL_s/da(s) + ... + dL_s/da(s-K+1)||
    horizon: the smallest K with bias(K) <= delta (size(K') - bias(K')) for some K'; T if there is none
and the sums of truncated BPTT at that horizon. A bias is infinite where beta >= 1.

Source: Aicher, Foti and Fox 2019, "Adaptively truncating backpropagation through time to control gradient bias",
section 4 and algorithm 2. The paper takes beta from lags that decay already, at tau and beyond, here tau = 0; the
authors' code estimates it by least squares, a quantile, or the largest ratio, which is the paper's and is used here.
Cost: O(window T I^2) for the horizon, and that of truncated BPTT. Storage: O(T I). None is claimed: the horizon, and
with it the work, jumps with the numbers. It runs on scalars that have an order alone, so it is no part of the
catalogue, whose rules are proved.
True of it: it is truncated BPTT at a horizon that depends on the problem, so it is biased; and the error of any horizon
is at most max ||u(t)|| times the sum over s and k >= K of ||dL_s/ds(s-k)|| (`tail_bound`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck.reference.claims import Equals, rule
from gradcheck.reference.definitions import adaptive as definition
from gradcheck.reference.network import Network
from gradcheck.reference.problem import Problem
from gradcheck.reference.typing import Array, Gradient

from .settings import require_steps
from .truncated_bptt import truncated_bptt
from .unfolding import Unfolded, unfold


@rule(
    Equals(definition, differs=True),
    networks=[Network(), Network("logistic")],
    weighted=True,
)
def adaptive_truncation(problem: Problem, *, window: int = 4, delta: float = 0.5) -> Gradient:
    """Return the gradient truncated at the horizon that the decay of state gradients calls for (Aicher et al. 2019).

    Args:
        problem: A problem on the fully recurrent network, on scalars that have an order.
        window: The number of lags whose norms are looked at.
        delta: The relative bias that is allowed.

    Raises:
        GradcheckError: window is no whole number >= 1.
    """
    return truncated_bptt(problem, tau=horizon(problem, require_steps(window, "window"), delta))


def horizon(problem: Problem, window: int, delta: float) -> int:
    """Return the horizon that the rule chooses."""
    net, R = unfold(problem), problem.parameters["R"]
    T, n = problem.T, min(window, problem.T)
    rows = net.e @ problem.parameters["V"].T  # dL_s/da(s), one row for each loss
    phi, kept, together = list[Any](), list[Any](), np.zeros_like(problem.initial_state)
    for k in range(n):
        if k:
            rows = (net.slope[1 : T + 1 - k] * rows[1:]) @ R.T
        phi.append(_sum([_norm(row) for row in rows]) / (T - k))
        together = together + rows.sum(axis=0) / T
        kept.append(_norm(together))

    beyond = _beyond(phi) if T > n else 0 * phi[0]
    if beyond is None:
        return T
    bias = [_sum(phi[K:]) + beyond if K < n else beyond for K in range(1, n + 1)]
    lower = [size - off for size, off in zip(kept, bias, strict=True)]
    return next((K for K, off in enumerate(bias, 1) if any(off <= delta * size for size in lower)), T)


def _beyond(phi: list[Any]) -> Any:
    """Return the estimated sum of norms beyond the window; None where they do not decay."""
    if phi[-1] == 0:
        return 0 * phi[0]
    ratios = [after / before for before, after in zip(phi[:-1], phi[1:], strict=True) if before > 0]
    if not ratios or any(ratio >= 1 for ratio in ratios):
        return None
    beta = max(ratios)
    return phi[-1] * beta / (1 - beta)


def tail_bound(problem: Problem, tau: int) -> Any:
    """Return a bound on the Frobenius norm of the error in W and R of truncation at `tau`, one number.

    Each lag that is left out is an outer product of [x; a] and the error on a pre-activation, so its norm is theirs.
    """
    net: Unfolded = unfold(problem)
    R, T, lagged = problem.parameters["R"], problem.T, net.d
    tail = 0 * problem.loss_weights[0]
    for k in range(1, T):
        lagged = net.slope[: T - k] * (lagged[1:] @ R.T)
        if k >= tau:
            tail = tail + _sum([_norm(row) for row in lagged])
    sizes = [_norm(np.concatenate([x, a])) for x, a in zip(net.x, net.a[:-1], strict=True)]
    return max(sizes) * tail


def _norm(vector: Array) -> Any:
    return np.sqrt(vector @ vector)


def _sum(values: list[Any]) -> Any:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total
