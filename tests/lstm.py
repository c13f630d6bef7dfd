"""A user's own LSTM, its gates in stacked matrices as torch has them, and its gradient by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

import gradcheck
from gradcheck.reference.networks.base import Sizes


def _logistic(s: Any) -> Any:
    return 1 / (1 + np.exp(-s))


@dataclasses.dataclass(frozen=True)
class LSTM:
    """W (4I, D), R (4I, I), b (4I,): input, forget and output gate, then the candidate. The state is (h, c)."""

    name: str = "lstm"

    def parameter_shapes(self, sizes: Sizes) -> dict[str, tuple[int, ...]]:
        rows = 4 * sizes.I
        return {"W": (rows, sizes.D), "R": (rows, sizes.I), "b": (rows,), "V": (sizes.I, sizes.K)}

    def state_shape(self, sizes: Sizes) -> tuple[tuple[int, ...], ...]:
        return (sizes.I,), (sizes.I,)

    def sizes_of(self, parameters: Any, T: int) -> Sizes:
        return Sizes(T, parameters["V"].shape[0], parameters["W"].shape[1], parameters["V"].shape[1])

    def step(self, parameters: Any, state: Any, x: Any) -> Any:
        h, c = state
        i, f, o, g = np.split(parameters["W"] @ x + parameters["R"] @ h + parameters["b"], 4)
        c = _logistic(f) * c + _logistic(i) * np.tanh(g)
        return _logistic(o) * np.tanh(c), c

    def readout(self, parameters: Any, state: Any) -> Any:
        return parameters["V"].T @ state[0]

    def output(self, u: Any) -> Any:
        return u

    def loss_value(self, u: Any, y: Any) -> Any:
        return ((u - y) ** 2).sum() / 2

    def output_error(self, u: Any, y: Any) -> Any:
        return u - y


@gradcheck.rule(gradcheck.Exact(), networks=[LSTM()])
def backward(problem: Any) -> Any:
    """Backpropagation through the LSTM's states h and c."""
    W, R, b, V = (problem.parameters[name] for name in ("W", "R", "b", "V"))
    h, c = problem.initial_state
    steps = []
    for x in problem.inputs:
        i, f, o, g = np.split(W @ x + R @ h + b, 4)
        i, f, o, g = _logistic(i), _logistic(f), _logistic(o), np.tanh(g)
        after = f * c + i * g
        steps.append((x, h, c, i, f, o, g, after))
        h, c = o * np.tanh(after), after
    gradient = {name: np.zeros_like(array) for name, array in problem.parameters.items()}
    dh, dc = np.zeros_like(h), np.zeros_like(c)
    for (x, h, c, i, f, o, g, after), y in zip(reversed(steps), problem.targets[::-1], strict=True):
        squashed = np.tanh(after)
        e = V.T @ (o * squashed) - y
        dh = dh + V @ e
        dc = dc + dh * o * (1 - squashed * squashed)
        ds = np.concatenate(
            [dc * g * i * (1 - i), dc * c * f * (1 - f), dh * squashed * o * (1 - o), dc * i * (1 - g * g)]
        )
        gradient["V"] = gradient["V"] + np.outer(o * squashed, e)
        gradient["W"] = gradient["W"] + np.outer(ds, x)
        gradient["R"] = gradient["R"] + np.outer(ds, h)
        gradient["b"] = gradient["b"] + ds
        dh, dc = R.T @ ds, dc * f
    return gradient


@gradcheck.rule(gradcheck.Exact(), networks=[LSTM()])
def forgetful(problem: Any) -> Any:
    """The same but for a part in a billion of the forget gates' bias."""
    gradient, n = backward(problem), len(problem.initial_state[0])
    gradient["b"][n : 2 * n] = gradient["b"][n : 2 * n] * (1 + 2.0**-30)
    return gradient
