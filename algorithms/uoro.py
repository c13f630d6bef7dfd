"""Unbiased online recurrent optimization: the influence matrix as a random product of two vectors.

With M(t), J(t), B(t) and d(t) as in `carried`, and nu(t) drawn anew at each step:
    s(t) = r0 J(t) s(t-1) + r1 nu(t),  theta(t) = theta(t-1) / r0 + nu(t)^T B(t) / r1,  s(0) = 0, theta(0) = 0
    contribution of step t: (d(t) . s(t)) theta(t), and the readout's own share
E[s(t) theta(t)^T] = M(t): the cross terms are odd in nu(t), and E[nu nu^T] is the identity.

Source: Tallec & Ollivier 2017, "Unbiased online recurrent optimization". Cost: O(I (I+D)) per step on the fully
recurrent network, and N steps back on other cells. Storage: O(N + P), whatever T is.
True of it: unbiased where nu has independent entries of mean 0 and variance 1, and r0 and r1 are even in nu. Each draw
is off by far, and its variance grows with T and N.
Free choices, and what they do:
    balanced      r0 = r1 = 1, or the norms of both factors alike (see `scaling`): unbiased either way, less variance
    distribution  signs or normal: unbiased either way. Uniform on [-1, 1] would have a third of the variance, and a
                  third of the gradient as its mean
    trace         entries of s(0) and theta(0): other than 0 adds J(t)...J(1) s(0) theta(0)^T to E[s theta^T], a bias
    exact_now     d(t) . B(t) without noise, as in the paper's algorithm, which estimates only what earlier steps did:
                  unbiased either way, less variance. Code that follows Marschall et al. 2020 has noise there too
    on_s          the state of the fully recurrent network: its activations, as in the paper, or its pre-activations:
                  unbiased either way. Traces that do not start at 0 are then lost at step 1, and leave no bias
"""

from __future__ import annotations

from typing import Any, NamedTuple

from gradcheck.reference.claims import Cost, Online, Unbiased, rule
from gradcheck.reference.network import ALL_NETWORKS
from gradcheck.reference.typing import Array, Gradient, Parameters, State

from .carried import advanced, begun, counted, first_traces
from .scaling import drawn, require_distribution, scaling


class Traces(NamedTuple):
    """State of the rule: the network before the next step, s (N,) and theta (P,)."""

    before: Any
    s: Array
    theta: Array


@rule(
    Unbiased(),
    Online(),
    Cost(time="T*I*(I + D + K)", storage="I*(I + D + K)"),
    networks=ALL_NETWORKS,
    weighted=True,
)
class UORO:
    """Unbiased online recurrent optimization (Tallec & Ollivier 2017): a random rank-one influence matrix.

    Online and stochastic: `start`, then `step` for each (x, y, weight, noise); every step has a contribution.

    Args:
        balanced: True for scalings that make the norms of both factors alike; constant 1 otherwise.
        distribution: "signs" or "normal".
        trace: Entries of both vectors before step 1; biased unless 0.
        exact_now: True to count the influence of the step itself without noise.
        on_s: True to take the pre-activations for the state of the fully recurrent network, not the activations.

    Raises:
        GradcheckError: There is no such distribution.
    """

    def __init__(
        self,
        balanced: bool = False,
        distribution: str = "signs",
        trace: float = 0,
        exact_now: bool = False,
        on_s: bool = False,
    ) -> None:
        self.trace, self.exact_now, self.on_s = trace, exact_now, on_s
        self.balanced, self.distribution = balanced, require_distribution(distribution)

    def start(self, network: Any, parameters: Parameters, initial_state: State, noise: Any) -> Traces:
        before = begun(network, parameters, initial_state)
        s, theta = first_traces(before, self.trace, lambda N: drawn(noise, self.distribution, N))
        return Traces(before, s, theta)

    def step(self, state: Traces, x: Array, y: Array, weight: Any, noise: Any) -> tuple[Traces, Gradient]:
        before, now = advanced(state.before, x, y, weight, on_s=self.on_s)
        nu = drawn(noise, self.distribution, now.size)
        carried, immediate = now.carry(state.s), now.back(nu)
        scaled = scaling(self.balanced)
        r0, r1 = scaled(state.theta, carried), scaled(immediate, nu)
        s, theta = r0 * carried + r1 * nu, state.theta / r0 + immediate / r1
        dTheta = counted(now, (carried, state.theta), (s, theta), self.exact_now)
        return Traces(before, s, theta), now.contribution(dTheta)
