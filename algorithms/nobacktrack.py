"""NoBackTrack: the influence matrix as a random product of two vectors, one sign and one scaling for each unit.

With M(t), J(t), B(t) and d(t) as in `carried`, B_i the row i of B and e_i the unit vector, signs c0, ..., cN anew at
each step:
    v(t) = c0 r0 J(t) v(t-1) + sum_i ci ri e_i,  w(t) = c0 w(t-1) / r0 + sum_i ci B_i(t) / ri,  v(0) = 0, w(0) = 0
    contribution of step t: (d(t) . v(t)) w(t), and the readout's own share
This is the rank-one trick on the N + 1 terms J v w^T, e_1 B_1, ..., e_N B_N, whose sum is J v w^T + B: E[v(t) w(t)^T]
= M(t), since signs are independent.

Source: Ollivier, Tallec & Charpiat 2015, "Training recurrent networks online without backtracking"; without its Kalman
filter, which makes a step of the gradient. Cost: O(I (I+D)) per step on the fully recurrent network, and N steps back
on other cells. Storage: O(N + P), whatever T is.
True of it: unbiased for independent signs and scalings that do not depend on their own signs. c0 changes nothing but
the sign of both factors, so with constant scalings it has UORO's distribution.
Free choices, and what they do:
    balanced  ri = 1, or the norms of the two factors of each term alike, which makes the variance least (see
              `scaling`): unbiased either way
    trace     entries of v(0) and w(0): other than 0 adds J(t)...J(1) v(0) w(0)^T to E[v w^T], a bias
"""

from __future__ import annotations

from typing import Any

from gradcheck.reference.claims import Cost, Online, Unbiased, rule
from gradcheck.reference.network import ALL_NETWORKS
from gradcheck.reference.typing import Array, Gradient, Parameters, State

from .carried import advanced, begun, first_traces
from .scaling import by_rows, scaling
from .uoro import Traces


@rule(
    Unbiased(),
    Online(),
    Cost(time="T*I*(I + D + K)", storage="I*(I + D + K)"),
    networks=ALL_NETWORKS,
    weighted=True,
)
class NoBackTrack:
    """NoBackTrack (Ollivier, Tallec & Charpiat 2015): a random rank-one influence matrix, a scaling for each unit.

    Online and stochastic: `start`, then `step` for each (x, y, weight, noise); every step has a contribution.

    Args:
        balanced: True for scalings that make the norms of both factors of each term alike; constant 1 otherwise.
        trace: Entries of both vectors before step 1; biased unless 0.
    """

    def __init__(self, balanced: bool = False, trace: float = 0) -> None:
        self.balanced, self.trace = balanced, trace

    def start(self, network: Any, parameters: Parameters, initial_state: State, noise: Any) -> Traces:
        before = begun(network, parameters, initial_state)
        return Traces(before, *first_traces(before, self.trace, noise.signs))

    def step(self, state: Traces, x: Array, y: Array, weight: Any, noise: Any) -> tuple[Traces, Gradient]:
        before, now = advanced(state.before, x, y, weight)
        c = noise.signs(now.size + 1)
        carried = now.carry(state.s)
        r0, r = scaling(self.balanced)(state.theta, carried), by_rows(now.rows(), self.balanced)
        v = c[0] * r0 * carried + c[1:] * r
        w = c[0] * state.theta / r0 + now.back(c[1:] / r)
        return Traces(before, v, w), now.contribution((now.d @ v) * w)
