"""Focused backpropagation: context units that feed back only to themselves, so traces suffice.

    c(t) = w * c(t-1) + f(W^T x(t)),  u(t) = V^T c(t),  e(t) = w_t dL_t/du(t)
    alpha(t) = w * alpha(t-1) + c(t-1)                      = dc_i(t)/dw_i
    beta(t)  = w * beta(t-1) + x(t) f'(W^T x(t))^T          = dc_i(t)/dW_di
    contribution of step t: with dc = V e(t), alpha * dc for w, beta * dc for W, c(t) e(t)^T for V
starting from alpha(0) = beta(0) = 0.

Source: Mozer 1989, "A focused backpropagation algorithm for temporal pattern recognition".
Cost: O(1) per weight and step. Storage: O(P), whatever T is; no history.
True of it: the contributions sum to the gradient, because dc(t)/dc(t-1) = diag(w) is diagonal. It is
no rule for units that feed each other, nor for stacked layers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradcheck.reference.claims import Cost, Exact, Online, rule
from gradcheck.reference.network import ALL_CONTEXT_NETWORKS
from gradcheck.reference.typing import Array, Gradient, Parameters


class Traces(NamedTuple):
    """State of the rule: the network, its state c (I,), the eligibility traces alpha (I,) and beta (D, I)."""

    network: Any
    parameters: Parameters
    c: Array
    alpha: Array
    beta: Array


@rule(
    Exact(),
    Online(),
    Cost(time="T*I*(D + K)", storage="I*(D + K)"),
    networks=ALL_CONTEXT_NETWORKS,
    weighted=True,
)
class Focused:
    """Focused backpropagation (Mozer 1989): one eligibility trace per weight, for context units.

    Online, on `ContextNetwork`: `start`, then `step` for each (x, y, weight).
    """

    def start(self, network: Any, parameters: Parameters, initial_state: Array) -> Traces:
        alpha, beta = np.zeros_like(initial_state), np.zeros_like(parameters["W"])
        return Traces(network, parameters, initial_state, alpha, beta)

    def step(self, state: Traces, x: Array, y: Array, weight: Any) -> tuple[Traces, Gradient]:
        net, parameters, c, alpha, beta = state
        W, w, V = (parameters[name] for name in "WwV")
        s = W.T @ x
        alpha = w * alpha + c
        beta = w * beta + np.outer(x, net.activation.derivative(s))
        c = w * c + net.activation(s)
        e = weight * net.output_error(V.T @ c, y)
        dc = V @ e
        return Traces(net, parameters, c, alpha, beta), {"W": beta * dc, "w": alpha * dc, "V": np.outer(c, e)}
