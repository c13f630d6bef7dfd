"""KeRNL: the influence matrix as a product of a sensitivity between units and an eligibility trace per weight.

    dh_k(t)/dTheta_mj is taken to be A_kj E(t)_mj, with
    E(0) = 0,  E(t)_mj = decay_j E(t-1)_mj + alpha f'(s_j(t)) u_m(t),  u(t) = [x(t); h(t-1); 1]
    contribution of step t: (A^T V e(t))_j E(t)_mj for [W; R; b] stacked, h(t) e(t)^T for V

Source: Roth, Kanitscheider and Fiete 2019, "Kernel RNN learning (KeRNL)", ICLR. There A and the rates of decay are
learned from how the network answers perturbations, and a trace decays by exp(-gamma_j) in a step; here both are given
and fixed. Published code (Marschall's, after Marschall, Cho and Savin 2020) uses max(0, 1 - alpha_j) for the decay and
starts A at the identity.
Cost: O(I^2 + P) per step. Storage: O(I^2 + P), whatever T is.
True of it: biased, whatever A and the rates are, where R carries more than they say. With A the identity and the decay
1 - alpha it is RFLO with feedback V.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from gradcheck.reference.claims import Cost, Equals, Online, rule
from gradcheck.reference.definitions import kernl as definition
from gradcheck.reference.definitions import leaking, neighbours
from gradcheck.reference.typing import Array, Gradient, Parameters

from .rates import RATES, Units


class Traces(NamedTuple):
    """State of the rule: the units, their state h (I,), A (I, I), the decay (I,) or a number, and E."""

    units: Units
    h: Array
    A: Array
    decay: Any
    E: Array


@rule(
    Equals(definition, differs=True),
    Online(),
    Cost(time="T*I*(I + D + K)", storage="I*(I + D + K)"),
    networks=RATES,
    weighted=True,
)
class KeRNL:
    """KeRNL (Roth et al. 2019) with a given sensitivity and given rates of decay.

    Online, on rates: `start`, then `step` for each (x, y, weight).

    Args:
        sensitivity: Takes I, and returns A (I, I); `neighbours` if left out, so that units see each other.
        decay: Takes I and alpha, and returns what a trace is multiplied by in a step, a number or (I,); 1 - alpha if
            left out.
    """

    def __init__(
        self, sensitivity: Callable[[int], Array] = neighbours, decay: Callable[[int, Any], Any] = leaking
    ) -> None:
        self.sensitivity, self.decay = sensitivity, decay

    def start(self, network: object, parameters: Parameters, initial_state: Array) -> Traces:
        units, n = Units(network, parameters), len(initial_state)
        decay = self.decay(n, units.leak)
        return Traces(units, initial_state, self.sensitivity(n), decay, units.zeros(initial_state))

    def step(self, state: Traces, x: Array, y: Array, weight: object) -> tuple[Traces, Gradient]:
        units, h, A, decay, E = state
        now = units.after(h, x, y, weight)
        E = decay * E + now.u[:, None] * (units.leak * now.slope)
        signal = A.T @ (units.parameters["V"] @ now.e)
        return Traces(units, now.state, A, decay, E), units.contribution(E * signal, now)
