"""Kronecker-factored RTRL: the influence matrix as a random Kronecker product.

With M(t), J(t), d(t) and u(t) = [x(t); a(t-1)] as in `carried`, where the immediate influence is u(t) times the matrix
G(t) = diag f'(s(t)), and two signs c1 and c2 anew at each step:
    u'(t) = c1 p0 u'(t-1) + c2 p1 u(t),  A(t) = c1 J(t) A(t-1) / p0 + c2 G(t) / p1,  u'(0) = 0, A(0) = 0
    contribution of step t: u'(t) (d(t)^T A(t)) for Theta, and the readout's own share
E[u'_m A[n, j]] = M[n, (m, j)]: the cross terms have c1 c2, of mean 0.

Source: Mujika, Meier & Steger 2018, "Approximating real-time recurrent learning with random Kronecker factors".
Cost: O(I^3 + I D) per step. Storage: O(I^2 + D), whatever T is.
True of it: unbiased for two independent signs, and scalings that do not depend on them. An implementation that divides
by f' fails where a unit saturates.
Free choices, and what they do:
    balanced  p0 = p1 = 1, or the norms of both factors alike (see `scaling`): unbiased either way, less variance
    trace     entries of u'(0) and A(0): other than 0 adds J(t)...J(1) A(0) times u'(0), a bias. The code of Marschall
              et al. 2020 starts from normal draws, so as not to divide by 0, and has this bias for each, not on average
    on_s      the state: the activations, as in the paper, or the pre-activations, where G is the identity: the same
              estimate at p0 = p1 = 1. Traces that do not start at 0 are then lost at step 1, and leave no bias
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradcheck.reference.claims import Cost, Online, Unbiased, rule
from gradcheck.reference.network import ALL_NETWORKS
from gradcheck.reference.typing import Array, Gradient, Parameters

from .carried import Units, advanced_units, begun_on_units
from .scaling import filled, scaling


class Factors(NamedTuple):
    """State of the rule: the network before the next step, u' (D+I,) and A (I, I)."""

    before: Units
    u: Array
    A: Array


@rule(
    Unbiased(),
    Online(),
    Cost(time="T*I*(I**2 + D + K)", storage="I*(I + D + K)"),
    networks=ALL_NETWORKS,
    weighted=True,
)
class KFRTRL:
    """Kronecker-factored RTRL (Mujika, Meier & Steger 2018): a random Kronecker product as influence matrix.

    Online and stochastic: `start`, then `step` for each (x, y, weight, noise); every step has a contribution.

    Args:
        balanced: True for scalings that make the norms of both factors alike; constant 1 otherwise.
        trace: Entries of both factors before step 1; biased unless 0.
        on_s: True to take the pre-activations for the state, not the activations.
    """

    def __init__(self, balanced: bool = False, trace: float = 0, on_s: bool = False) -> None:
        self.balanced, self.trace, self.on_s = balanced, trace, on_s

    def start(self, network: Any, parameters: Parameters, initial_state: Array) -> Factors:
        before = begun_on_units("KF-RTRL", network, parameters, initial_state)
        D, n = parameters["W"].shape
        return Factors(before, filled(before.a, (D + n,), self.trace), filled(before.a, (n, n), self.trace))

    def step(self, state: Factors, x: Array, y: Array, weight: Any, noise: Any) -> tuple[Factors, Gradient]:
        before, now = advanced_units(state.before, x, y, weight, on_s=self.on_s)
        c1, c2 = noise.signs(2)
        carried, G = now.J @ state.A, now.diagonal()
        scaled = scaling(self.balanced)
        p0, p1 = scaled(carried, state.u), scaled(G, now.u)
        u = c1 * p0 * state.u + c2 * p1 * now.u
        A = c1 * carried / p0 + c2 * G / p1
        return Factors(before, u, A), now.contribution(np.outer(u, now.d @ A))
