"""Kronecker sums: the influence matrix as a sum of r Kronecker products, reduced from r + 1 at random.

With M(t), J(t), d(t) and u(t) = [x(t); a(t-1)] as in `carried`, where the immediate influence is u(t) times the matrix
G(t) = diag f'(s(t)), so that a step makes one more product:
    M(t) = sum_i u_i (x) J(t) A_i + u(t) (x) G(t),  (u (x) A)[n, (m, j)] = u_m A[n, j]
    contribution of step t: sum_i u_i (d(t)^T A_i) for Theta, and the readout's own share
and n = r + 1 products become r, with k of them made from the last k + 1 by random signs c:
    L = sqrt(w/k) diag(c) Z,  Z Z^T = identity - z z^T,  z_i^2 = 1 - k w_i / w,  w = sum_i w_i
    E[L L^T] = diag(w_i), so sum_a (sum_i L_ia v_i) (x) (sum_i L_ia E_i) has the mean sum_i w_i v_i (x) E_i
Optimal, `OK`: v and E are orthonormal and the weights w_1 >= w_2 >= ... singular values, the largest of which are kept
as they are until k w_i <= w holds for the next. Even, `EvenSum`: v_i (x) E_i are the products as they come and every
weight is 1, so that k = r; L L^T is then a rational matrix.

Source: Benzing, Gauy, Mujika, Martinsson & Steger 2019, "Optimal Kronecker-sum approximation of real time recurrent
learning"; the even reduction is its construction with equal weights, and at r = 1 KF-RTRL with constant scalings.
Cost: O(r I^3 + r I D) per step, and r^2 I (I + r) more for singular values. Storage: O(r (I^2 + D)), whatever T is.
True of both: exact while r >= t, later unbiased. Of all unbiased reductions to rank r the optimal one has the least
variance, w^2/k minus the sum of the w_i^2 that were mixed. It needs singular values and so runs on floats only, once
t > r; the even one runs on every number system.
Free choices, and what they do:
    rank  r: unbiased for any, exact from T on
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradcheck.reference.claims import Cost, Online, Unbiased, rule
from gradcheck.reference.network import ALL_NETWORKS
from gradcheck.reference.typing import Array, Gradient, Parameters

from .carried import Units, advanced_units, begun_on_units
from .settings import require_steps


class Products(NamedTuple):
    """State of the rule: the network before the next step, u (q, D+I) and A (q, I, I) of q <= r products."""

    before: Units
    u: Array
    A: Array


def _settings(T: int) -> list[dict[str, int]]:
    return [{"rank": rank} for rank in sorted({1, 2, T})]


@rule(
    Unbiased(),
    Online(),
    Cost(time="T*rank*I*(I**2 + D) + T*I*(D + K)", storage="rank*(I**2 + D) + I*(D + K)"),
    networks=ALL_NETWORKS,
    weighted=True,
    settings=_settings,
)
class EvenSum:
    """Kronecker sum with equal weights (after Benzing et al. 2019): `rank` random products as influence matrix.

    Online and stochastic: `start`, then `step` for each (x, y, weight, noise); every step has a contribution.

    Args:
        rank: Number r of products; exact while r >= t.

    Raises:
        GradcheckError: rank is no whole number >= 1.
    """

    def __init__(self, rank: int = 2) -> None:
        self.rank = require_steps(rank, "rank")

    def start(self, network: Any, parameters: Parameters, initial_state: Array) -> Products:
        before = begun_on_units(type(self).__name__, network, parameters, initial_state)
        D, n = parameters["W"].shape
        a = before.a
        return Products(before, np.zeros_like(a, shape=(0, D + n)), np.zeros_like(a, shape=(0, n, n)))

    def step(self, state: Products, x: Array, y: Array, weight: Any, noise: Any) -> tuple[Products, Gradient]:
        before, now = advanced_units(state.before, x, y, weight)
        u = np.concatenate([state.u, now.u[None]])
        A = np.concatenate([now.J @ state.A, now.diagonal()[None]])
        if len(u) > self.rank:
            u, A = self._reduced(u, A, noise.signs(len(u)))
        return Products(before, u, A), now.contribution(u.T @ (now.d @ A))

    def _reduced(self, u: Array, A: Array, c: Array) -> tuple[Array, Array]:
        """Return r products for r + 1, by the signs c, (r + 1,)."""
        return _evenly(u, A, c)


@rule(Unbiased(), networks=ALL_NETWORKS, weighted=True, settings=lambda T: [{"rank": 1}])
class OK(EvenSum):
    """Optimal Kronecker sum (Benzing et al. 2019): `rank` random products as influence matrix, of least variance.

    Online and stochastic: `start`, then `step` for each (x, y, weight, noise); every step has a contribution.

    Args:
        rank: Number r of products; exact while r >= t, and on floats only for longer sequences.

    Raises:
        GradcheckError: rank is no whole number >= 1.
        UnsupportedOperation: A reduction is wanted on numbers that are no floats; `EvenSum` has one.
    """

    def _reduced(self, u: Array, A: Array, c: Array) -> tuple[Array, Array]:
        return _optimally(u, A, c)


def _evenly(u: Array, A: Array, c: Array) -> tuple[Array, Array]:
    """Return r products for r + 1, by equal weights.

    L L^T is (n/k) diag(c) (identity - 1 1^T / n) diag(c) with n = k + 1; it is taken apart into rational factors.
    """
    n, k = len(u), len(u) - 1
    u, A = u * c[:, None], A * c[:, None, None]
    mean = np.sum(A, axis=0) / n
    return u[:-1] - u[-1:], (A[:-1] - mean) * n / k


def _optimally(u: Array, A: Array, c: Array) -> tuple[Array, Array]:
    """Return r products for r + 1, by singular values."""
    shape = A.shape[1:]
    (Qu, Ru), (QA, RA) = np.linalg.qr(u.T), np.linalg.qr(A.reshape(len(A), -1).T)
    left, w, right = np.linalg.svd(Ru @ RA.T)
    left, right = (Qu @ left[:, : len(w)]).T, (QA @ right[: len(w)].T).T
    L = _mixing(w, len(u) - 1, c)
    return L.T @ left, (L.T @ right).reshape(-1, *shape)


def _mixing(w: Array, rank: int, c: Array) -> Array:
    """Return L, (len(w), rank), from falling weights w, so that E[L L^T] = diag(w) with the fewest weights mixed."""
    L = np.zeros((len(w), rank), w.dtype)
    if len(w) <= rank:
        L[np.arange(len(w)), np.arange(len(w))] = np.sqrt(w)
        return L
    kept = next(m for m in range(rank) if (rank - m) * w[m] <= w[m:].sum())
    L[np.arange(kept), np.arange(kept)] = np.sqrt(w[:kept])
    k, total = rank - kept, w[kept:].sum()
    if total > 0:
        z = np.sqrt(np.maximum(1 - k * w[kept:] / total, 0))
        Z = np.linalg.svd(z[None])[2][1:].T  # orthonormal columns, orthogonal to z
        L[kept:, kept:] = np.sqrt(total / k) * c[-len(z) :, None] * Z
    return L
