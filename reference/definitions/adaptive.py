"""Definition of adaptive truncation: the horizon that a norm's decay calls for, and the lags below it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import lags
from ..claims import Truncated
from ..problem import Problem
from ..typing import Array, Gradient
from .linearised import Linearised, linearise


def adaptive(problem: Problem, *, window: int = 4, delta: float = 0.5) -> Gradient:
    """Return the gradient truncated at the horizon that adaptive truncation chooses; see `horizon`."""
    return lags.claimed(problem, Truncated(horizon(problem, window=window, delta=delta)))


def horizon(problem: Problem, *, window: int = 4, delta: float = 0.5) -> int:
    """Return the smallest horizon whose relative bias is estimated to be at most delta; T if there is none.

    With phi_k the mean over losses s of ||dL_s/dstate(s-k)||, for k < n = min(window, T), and beta their largest ratio
    phi_(k+1)/phi_k: the bias at K is taken to be phi_K + ... + phi_(n-1), and beyond the window phi_(n-1) beta/(1-beta)
    more, infinite where beta >= 1. The gradient is taken to be at least ||mean over s of dL_s/dstate(s) + ... +
    dL_s/dstate(s-K+1)|| less that bias, for some K.

    Source: Aicher, Foti and Fox 2019, "Adaptively truncating backpropagation through time to control gradient bias",
    section 4 and algorithm 2.

    Args:
        problem: A problem whose state is one array, on scalars that have an order.
        window: The number of lags whose norms are looked at.
        delta: The relative bias that is allowed.
    """
    made = linearise(problem)
    n = min(window, made.T)
    rows_of = [_by_lag(made, k) for k in range(n)]
    phi = [sum(map(_norm, rows), 0 * problem.loss_weights[0]) / len(rows) for rows in rows_of]
    kept = [_norm(_mean(rows_of, K)) for K in range(1, n + 1)]
    bias = [_bias(phi, K, beyond=made.T > n) for K in range(1, n + 1)]
    lower = [size - off for size, off in zip(kept, bias, strict=True) if off is not None]
    for K, off in enumerate(bias, 1):
        if off is not None and any(off <= delta * size for size in lower):
            return K
    return made.T


def _by_lag(made: Linearised, k: int) -> list[Array]:
    """Return dL_s/dstate(s-k) for each loss s that has this lag."""
    rows = []
    for s in range(k, made.T):
        row = made.errors[s]
        for back in range(s, s - k, -1):
            row = row @ made.jacobians[back]
        rows.append(row)
    return rows


def _mean(rows_of: list[list[Array]], K: int) -> Array:
    """Return the mean over losses of the sum of the lags below K."""
    rows = [row for lag in rows_of[:K] for row in lag]
    return sum(rows[1:], rows[0]) / len(rows_of[0])


def _bias(phi: list[Any], K: int, *, beyond: bool) -> Any:
    """Return the estimated bias at the horizon K, or None if it is infinite."""
    tail = sum(phi[K:], 0 * phi[0])
    if not beyond:
        return tail
    ratios = [after / before for before, after in zip(phi[:-1], phi[1:], strict=True) if before > 0]
    if not ratios or not all(ratio < 1 for ratio in ratios):
        return tail if phi[-1] == 0 else None
    beta = ratios[0]
    for ratio in ratios[1:]:
        beta = ratio if ratio > beta else beta
    return tail + phi[-1] * beta / (1 - beta)


def _norm(vector: Array) -> Any:
    return np.sqrt(vector @ vector)
