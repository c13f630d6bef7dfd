"""RFLO: one eligibility trace per weight, with the unit's own leak, and a feedback of the output error.

On rates h(t) = (1 - alpha) h(t-1) + alpha f(s(t)), with u(t) = [x(t); h(t-1); 1] and the feedback B (I, K):
    E(0) = 0,  E(t)_mj = (1 - alpha) E(t-1)_mj + alpha f'(s_j(t)) u_m(t)
    contribution of step t: (B e(t))_j E(t)_mj for [W; R; b] stacked, h(t) e(t)^T for V

Source: Murray 2019, "Local online learning in recurrent networks with random feedback", eLife 8:e43299, equations 3-5.
The paper's update is the negative of this times a learning rate, and its tau is 1/alpha steps; it draws B at random,
and here it is V unless it is given. Murray trains W, R and V of a network without biases; the bias is a weight of a
constant input.
Cost: O(P) per step. Storage: O(P), whatever T is.
True of it: RTRL with (1 - alpha) in place of J, so it leaves out whatever goes through R. With B = V it is the gradient
where R = 0; a diagonal R is not enough, since f' R_jj is left out too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gradcheck.reference.claims import Cost, Equals, Online, rule
from gradcheck.reference.definitions import rflo as definition
from gradcheck.reference.definitions import symmetric
from gradcheck.reference.typing import Array, Gradient, Parameters

from .rates import RATES, Units


class Traces(NamedTuple):
    """State of the rule: the units, their state h (I,), the feedback (I, K) and E, of the shape of [W; R; b]."""

    units: Units
    h: Array
    feedback: Array
    E: Array


@rule(
    Equals(definition, differs=True),
    Online(),
    Cost(time="T*I*(I + D + K)", storage="I*(I + D + K)"),
    networks=RATES,
    weighted=True,
)
class RFLO:
    """RFLO (Murray 2019): an eligibility trace per weight, decaying with the leak.

    Online, on rates: `start`, then `step` for each (x, y, weight).

    Args:
        feedback: Takes V (I, K), and returns B (I, K); V itself if left out.
    """

    def __init__(self, feedback: Callable[[Array], Array] = symmetric) -> None:
        self.feedback = feedback

    def start(self, network: object, parameters: Parameters, initial_state: Array) -> Traces:
        units = Units(network, parameters)
        return Traces(units, initial_state, self.feedback(parameters["V"]), units.zeros(initial_state))

    def step(self, state: Traces, x: Array, y: Array, weight: object) -> tuple[Traces, Gradient]:
        units, h, feedback, E = state
        now = units.after(h, x, y, weight)
        E = (1 - units.leak) * E + now.u[:, None] * (units.leak * now.slope)
        return Traces(units, now.state, feedback, E), units.contribution(E * (feedback @ now.e), now)
