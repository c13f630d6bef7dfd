"""e-prop: eligibility traces within each unit, and a learning signal for each unit.

For unit j the trace follows the path from its state to its next state within the unit, not through R. With
u(t) = [x(t); h(t-1); 1]:
    rates       eps(t)_mj = (1 - alpha) eps(t-1)_mj + alpha f'(s_j(t)) u_m(t),  trace(t) = eps(t)
    potentials  eps(t)_mj = (1 - alpha) eps(t-1)_mj + alpha u_m(t),  trace(t)_mj = f'(v_j(t)) eps(t)_mj
    contribution of step t: L_j(t) trace(t)_mj for [W; R; b] stacked, h(t) e(t)^T for V
The instantaneous learning signal is L(t) = V e(t) ("symmetric"). The total one is dL/dh(t) with what reaches later
losses through R; it is what backpropagation finds, backwards in time:
    rates       L(t) = V e(t) + R (alpha f'(s(t+1)) G(t+1)),  G(t) = L(t) + (1 - alpha) G(t+1)
    potentials  L(t) = V e(t) + R (alpha G(t+1)),  G(t) = f'(v(t)) L(t) + (1 - alpha) G(t+1)

Source: Bellec, Scherr, Subramoney, Hajek, Salaj, Legenstein and Maass 2020, "A solution to the learning dilemma for
recurrent networks of spiking neurons", Nature Communications 11:3625, equations 1-4 (the factorisation) and 2, 4 (the
learning signal). There f' is a pseudo-derivative of spikes, and the readout leaks too, for which traces are filtered
once more; here it does not. The authors' code multiplies voltages by exp(-dt/tau) without the factor alpha on inputs.
Cost: O(P) per step; with the total signal O(I^2) more per step, and the history of traces.
True of it: with the total signal the sum is the gradient. With the instantaneous one it leaves out what goes through R:
on rates it is RFLO with feedback V; without a leak, alpha = 1, it is truncation at lag 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradcheck.reference.claims import Cost, Equals, Exact, Online, rule
from gradcheck.reference.definitions import eprop as definition
from gradcheck.reference.problem import Problem
from gradcheck.reference.typing import Array, Gradient, Parameters

from .rates import POTENTIALS, RATES, Moment, Units

NETWORKS = (*POTENTIALS, *RATES)


class Traces(NamedTuple):
    """State of the rule: the units, their state (I,), and eps, of the shape of [W; R; b]."""

    units: Units
    state: Array
    eps: Array


def _advanced(units: Units, eps: Array, now: Moment) -> tuple[Array, Array]:
    """Return eps(t) and the trace at t."""
    enters, read = units.within(now)
    eps = (1 - units.leak) * eps + now.u[:, None] * enters
    return eps, read * eps


@rule(
    Equals(definition, differs=True),
    Online(),
    Cost(time="T*I*(I + D + K)", storage="I*(I + D + K)"),
    networks=NETWORKS,
    weighted=True,
)
class EProp:
    """e-prop (Bellec et al. 2020) with the instantaneous learning signal V e(t).

    Online, on rates and potentials: `start`, then `step` for each (x, y, weight).
    """

    def start(self, network: object, parameters: Parameters, initial_state: Array) -> Traces:
        units = Units(network, parameters)
        return Traces(units, initial_state, units.zeros(initial_state))

    def step(self, state: Traces, x: Array, y: Array, weight: object) -> tuple[Traces, Gradient]:
        units, before, eps = state
        now = units.after(before, x, y, weight)
        eps, trace = _advanced(units, eps, now)
        return Traces(units, now.state, eps), units.contribution(trace * (units.parameters["V"] @ now.e), now)


@rule(
    Exact(),
    Cost(time="T*I*(I + D + K)", storage="T*I*(I + D) + T*K + I*(I + D + K)"),
    networks=NETWORKS,
    weighted=True,
)
def eprop_factorised(problem: Problem) -> Gradient:
    """Return the gradient, factorised as e-prop does: total learning signals times eligibility traces."""
    units = Units(problem.network, problem.parameters)
    state, eps, passed = problem.initial_state, units.zeros(problem.initial_state), []
    for x, y, weight in zip(problem.inputs, problem.targets, problem.loss_weights, strict=True):
        now = units.after(state, x, y, weight)
        eps, trace = _advanced(units, eps, now)
        passed.append((now, trace))
        state = now.state

    R, V = units.parameters["R"], units.parameters["V"]
    total: Gradient = {name: np.zeros_like(array) for name, array in problem.parameters.items()}
    G = through_R = np.zeros_like(problem.initial_state)  # of the step after
    for now, trace in reversed(passed):
        signal = V @ now.e + R @ through_R
        enters, read = units.within(now)
        G = read * signal + (1 - units.leak) * G
        through_R = enters * G
        for name, part in units.contribution(trace * signal, now).items():
            total[name] = total[name] + part
    return total
