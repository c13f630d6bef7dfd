"""Backpropagation through time as two passes of steps, so that it can be proved for every T.

    forward(a(t-1), x(t)):  s(t) = W^T x(t) + R^T a(t-1),  a(t) = f(s(t));  kept are x(t), a(t-1), f'(s(t)), a(t)
    lambda(T) = 0           what the losses after the last step contribute to dL/da(T)
    backward(lambda(t), kept(t), y(t)):
        e(t) = w_t dL_t/du(t)  at u(t) = V^T a(t)
        delta(t) = f'(s(t)) * (V e(t) + lambda(t)),  lambda(t-1) = R delta(t)
        contribution: x(t) delta(t)^T for W, a(t-1) delta(t)^T for R, a(t) e(t)^T for V
On other networks, lambda(t) is the cotangent of the state, and `backward` takes the step again to transpose it.

Source: Werbos 1990, "Backpropagation through time: what it does and how to do it".
Cost: O(I (I+K+D)) per step. Storage: O(T (I+D)), what the steps kept.
True of it: it is the gradient, and equal to `bptt`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradcheck.reference.claims import Cost, Exact, rule
from gradcheck.reference.network import ALL_NETWORKS
from gradcheck.reference.typing import Array, Gradient, Parameters

from .cells import or_on_any_cell
from .on_cells import BPTTPasses as OnAnyCell


class Carried(NamedTuple):
    """State of both passes: a(t) (I,) forwards, lambda(t) (I,) backwards, with the network and its parameters."""

    network: Any
    parameters: Parameters
    value: Array


class Kept(NamedTuple):
    """Values of one step: x(t) (D,), a(t-1), f'(s(t)) and a(t), (I,) each."""

    x: Array
    before: Array
    slope: Array
    after: Array


@rule(
    Exact(),
    Cost(time="T*I*(I + K + D)", storage="T*(I + D) + I*(I + D + K)"),
    networks=ALL_NETWORKS,
    weighted=True,
)
@or_on_any_cell(OnAnyCell)
class BPTTPasses:
    """Backpropagation through time (Werbos 1990) as two passes: `forward` for each x, `backward` for each y, weight."""

    def start(self, network: Any, parameters: Parameters, initial_state: Array) -> Carried:
        return Carried(network, parameters, initial_state)

    def forward(self, state: Carried, x: Array) -> tuple[Carried, Kept]:
        net, parameters, before = state
        s = parameters["W"].T @ x + parameters["R"].T @ before
        after = net.activation(s)
        return Carried(net, parameters, after), Kept(x, before, net.activation.derivative(s), after)

    def end(self, state: Carried) -> Carried:
        return state._replace(value=np.zeros_like(state.value))

    def backward(self, cotangent: Carried, kept: Kept, y: Array, weight: Any) -> tuple[Carried, Gradient]:
        net, parameters, later = cotangent
        R, V = parameters["R"], parameters["V"]
        e = weight * net.output_error(V.T @ kept.after, y)
        delta = kept.slope * (V @ e + later)
        contribution = {
            "W": np.outer(kept.x, delta),
            "R": np.outer(kept.before, delta),
            "V": np.outer(kept.after, e),
        }
        return Carried(net, parameters, R @ delta), contribution
