"""A network that the reference has never heard of: a gated leaky cell, two states, two biases, names of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.reference.functions import apply
from gradcheck.reference.networks.base import Sizes
from gradcheck.reference.typing import Array, Parameters, State


@dataclass(frozen=True)
class GatedLeaky:
    """A cell m and an output h.

    z = logistic(G^T x + k * h(t-1)), m(t) = (1 - z) m(t-1) + z tanh(U^T x + S^T h(t-1) + b),
    h(t) = leak h(t-1) + tanh(m(t)), u(t) = Q^T h(t) + o; 1/2 squared error.
    """

    leak: float = 0.25
    name: str = "gated leaky"

    def parameter_shapes(self, sizes: Sizes) -> dict[str, tuple[int, ...]]:
        D, I, K = sizes.D, sizes.I, sizes.K
        return {"G": (D, I), "k": (I,), "U": (D, I), "S": (I, I), "b": (I,), "Q": (I, K), "o": (K,)}

    def state_shape(self, sizes: Sizes) -> Any:
        return ((sizes.I,), (sizes.I,))

    def sizes_of(self, parameters: Parameters, T: int) -> Sizes:
        return Sizes(T, parameters["b"].shape[0], parameters["U"].shape[0], parameters["o"].shape[0])

    def step(self, parameters: Parameters, state: State, x: Array) -> State:
        h, m = state
        z = apply("logistic", parameters["G"].T @ x + parameters["k"] * h)
        m = (1 - z) * m + z * np.tanh(parameters["U"].T @ x + parameters["S"].T @ h + parameters["b"])
        return self.leak * h + np.tanh(m), m

    def readout(self, parameters: Parameters, state: State) -> Array:
        return parameters["Q"].T @ state[0] + parameters["o"]  # type: ignore[no-any-return]

    def output(self, u: Array) -> Array:
        return u

    def loss_value(self, u: Array, y: Array) -> Any:
        return ((u - y) ** 2).sum() / 2

    def output_error(self, u: Array, y: Array) -> Array:
        return u - y


def gated_bptt(problem: Any) -> dict[str, Any]:
    """Backpropagation through time for this cell, by hand."""
    p, net = problem.parameters, problem.network
    x, T = problem.inputs, problem.T
    h, m = ([part] for part in problem.initial_state)
    z, c, e = [], [], []
    for t in range(T):
        z.append(apply("logistic", p["G"].T @ x[t] + p["k"] * h[t]))
        c.append(np.tanh(p["U"].T @ x[t] + p["S"].T @ h[t] + p["b"]))
        m.append((1 - z[t]) * m[t] + z[t] * c[t])
        h.append(net.leak * h[t] + np.tanh(m[t + 1]))
        e.append(net.output_error(p["Q"].T @ h[t + 1] + p["o"], problem.targets[t]))
    g = {name: np.zeros_like(array) for name, array in p.items()}
    dh, dm = np.zeros_like(h[0]), np.zeros_like(m[0])
    for t in reversed(range(T)):
        dh = dh + p["Q"] @ e[t]
        dm = dm + (1 - np.tanh(m[t + 1]) ** 2) * dh
        gate = dm * (c[t] - m[t]) * z[t] * (1 - z[t])
        candidate = dm * z[t] * (1 - c[t] ** 2)
        g["Q"], g["o"] = g["Q"] + np.outer(h[t + 1], e[t]), g["o"] + e[t]
        g["G"], g["k"] = g["G"] + np.outer(x[t], gate), g["k"] + h[t] * gate
        g["U"], g["S"] = g["U"] + np.outer(x[t], candidate), g["S"] + np.outer(h[t], candidate)
        g["b"] = g["b"] + candidate
        dh = net.leak * dh + p["k"] * gate + p["S"] @ candidate
        dm = dm * (1 - z[t])
    return g


def gate_forgotten(problem: Any) -> dict[str, Any]:
    """The same, but nothing flows back through the gate's own recurrence."""
    still = problem.replace(parameters={**problem.parameters, "k": 0 * problem.parameters["k"]})
    return {**gated_bptt(problem), "S": gated_bptt(still)["S"]}
