"""Reverse Kronecker-factored RTRL: the influence matrix as a random product, of a vector over units and a matrix.

With M(t), J(t), d(t) and u(t) = [x(t); a(t-1)] as in `carried`, and nu(t), (I,), anew at each step:
    A(t) = p0 A(t-1) + p1 nu(t),  B(t) = J(t) B(t-1) / p0 + (f'(s(t)) * nu(t)) u(t)^T / p1,  A(0) = 0, B(0) = 0
    contribution of step t: (d(t)^T B(t))_m A_j(t) for Theta[m, j], and the readout's own share
E[A_j B[n, m]] = M[n, (m, j)]: the cross terms are odd in nu(t), and E[nu_n nu_j] = [n = j]. The vector is over the
units that weights lead to, where KF-RTRL has one over what they come from.

Source: Marschall, Cho & Savin 2020, "A unified framework of online learning algorithms for training recurrent neural
networks", R-KF-RTRL. Cost: O(I^2 (I+D)) per step. Storage: O(I (I+D)), whatever T is.
True of it: unbiased where nu has independent entries of mean 0 and variance 1, and p0 and p1 are even in nu.
Free choices, and what they do:
    balanced      p0 = p1 = 1, or the norms of both factors alike (see `scaling`): unbiased either way. The published
                  code takes sqrt(I) for the norm of nu, which signs have
    distribution  signs or normal: unbiased either way. The published code has uniform draws too, of variance 1
    trace         entries of A(0) and B(0): other than 0 adds A(0) times J(t)...J(1) B(0), a bias. The published code
                  starts from normal draws, which have this bias for each draw, not on average
    on_s          the state: the activations, as in the paper, or the pre-activations, without the factor f'(s(t)): the
                  same estimate at p0 = p1 = 1. Traces that do not start at 0 are then lost at step 1, without bias
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradcheck.reference.claims import Cost, Online, Unbiased, rule
from gradcheck.reference.network import ALL_NETWORKS
from gradcheck.reference.typing import Array, Gradient, Parameters

from .carried import Units, advanced_units, begun_on_units
from .scaling import drawn, filled, require_distribution, scaling


class Factors(NamedTuple):
    """State of the rule: the network before the next step, A (I,) and B (I, D+I)."""

    before: Units
    A: Array
    B: Array


@rule(
    Unbiased(),
    Online(),
    Cost(time="T*I*(I*(I + D) + K)", storage="I*(I + D + K)"),
    networks=ALL_NETWORKS,
    weighted=True,
)
class ReverseKFRTRL:
    """Reverse KF-RTRL (Marschall, Cho & Savin 2020): a random vector times a matrix as influence matrix.

    Online and stochastic: `start`, then `step` for each (x, y, weight, noise); every step has a contribution.

    Args:
        balanced: True for scalings that make the norms of both factors alike; constant 1 otherwise.
        distribution: "signs" or "normal".
        trace: Entries of both factors before step 1; biased unless 0.
        on_s: True to take the pre-activations for the state, not the activations.

    Raises:
        GradcheckError: There is no such distribution.
    """

    def __init__(
        self, balanced: bool = False, distribution: str = "signs", trace: float = 0, on_s: bool = False
    ) -> None:
        self.balanced, self.trace, self.on_s = balanced, trace, on_s
        self.distribution = require_distribution(distribution)

    def start(self, network: Any, parameters: Parameters, initial_state: Array) -> Factors:
        before = begun_on_units("Reverse KF-RTRL", network, parameters, initial_state)
        D, n = parameters["W"].shape
        return Factors(before, filled(before.a, (n,), self.trace), filled(before.a, (n, D + n), self.trace))

    def step(self, state: Factors, x: Array, y: Array, weight: Any, noise: Any) -> tuple[Factors, Gradient]:
        before, now = advanced_units(state.before, x, y, weight, on_s=self.on_s)
        nu = drawn(noise, self.distribution, now.size)
        carried, immediate = now.J @ state.B, np.outer(now.gained(nu), now.u)
        scaled = scaling(self.balanced)
        p0, p1 = scaled(carried, state.A), scaled(immediate, nu)
        A = p0 * state.A + p1 * nu
        B = carried / p0 + immediate / p1
        return Factors(before, A, B), now.contribution(np.outer(now.d @ B, A))
