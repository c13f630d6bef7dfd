"""Networks a(t) = phi(W^T x(t) + r a(t-1)), u = V^T a, for functions phi that people use, with BPTT by hand.

Each cell states phi, its pullback as a person writes it, and a wrong pullback.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import gradcheck
from gradcheck.reference.functions import apply
from gradcheck.reference.network import Sizes

LEAST = 0.25
"""Term below the root of layer and RMS normalisation."""


class Function(NamedTuple):
    """phi(s), its pullback (s, g) and a wrong one."""

    phi: Callable[[Any], Any]
    pull: Callable[[Any, Any], Any]
    wrong: Callable[[Any, Any], Any]


def elementwise(phi: Any, slope: Any, wrong: Any) -> Function:
    return Function(phi, lambda s, g: g * slope(s), lambda s, g: g * wrong(s))


def _softmax(s: Any) -> Any:
    powers = np.exp(s)
    return powers / powers.sum()


def _pull_softmax(s: Any, g: Any) -> Any:
    shares = _softmax(s)
    return shares * (g - (shares * g).sum())


def _layer_norm(s: Any) -> Any:
    return (s - s.mean()) / np.sqrt(np.var(s) + LEAST)


def _pull_layer_norm(s: Any, g: Any, through_variance: bool = True) -> Any:
    deviation = np.sqrt(np.var(s) + LEAST)
    normed = (s - s.mean()) / deviation
    shared = normed * (g * normed).mean() if through_variance else 0
    return (g - g.mean() - shared) / deviation


def _pull_rms(s: Any, g: Any, power: float = -1.5) -> Any:
    square = np.mean(s * s) + LEAST
    return g * square**-0.5 - s * (s * g).mean() * square**power


def _pull_unit(s: Any, g: Any, sign: float = -1) -> Any:
    size = np.linalg.norm(s)
    return g / (1 + size) + sign * s * (s @ g) / (size * (1 + size) ** 2)


def _expit(s: Any) -> Any:
    return 1 / (1 + np.exp(-s))


class Table(dict[str, Function]):
    """Functions by name: no plain dictionary, which would be a part of the state of every cell, with all it holds."""


FUNCTIONS = Table(
    {
        "sqrt": elementwise(
            lambda s: np.sqrt(1 + s**2), lambda s: s / np.sqrt(1 + s**2), lambda s: 2 * s / np.sqrt(1 + s**2)
        ),
        "sqrt by its law": elementwise(
            lambda s: np.sqrt(1 + s**2),
            lambda s: s * np.sqrt(1 + s**2) / (1 + s**2),
            lambda s: s * np.sqrt(1 + s**2) / (2 + s**2),
        ),
        "power": elementwise(
            lambda s: (1 + s**2) ** 0.5, lambda s: s * (1 + s**2) ** -0.5, lambda s: s * (1 + s**2) ** 0.5
        ),
        "power -3/2": elementwise(
            lambda s: (1 + s**2) ** -1.5, lambda s: -3 * s * (1 + s**2) ** -2.5, lambda s: -3 * s * (1 + s**2) ** -0.5
        ),
        "reciprocal": elementwise(
            lambda s: 1 / (1 + s**2), lambda s: -2 * s * (1 + s**2) ** -2, lambda s: -2 * s / (1 + s**2)
        ),
        "arctan": elementwise(np.arctan, lambda s: 1 / (1 + s**2), lambda s: 1 / np.sqrt(1 + s**2)),
        "sin": elementwise(np.sin, np.cos, lambda s: -np.cos(s)),
        "sin by its law": elementwise(
            lambda s: np.sin(s) * np.cos(s), lambda s: 1 - 2 * np.sin(s) ** 2, lambda s: 1 - np.sin(s) ** 2
        ),
        "softplus": elementwise(lambda s: np.log1p(np.exp(s)), _expit, lambda s: 1 / (1 + np.exp(s))),
        "logaddexp": elementwise(lambda s: np.logaddexp(0, s), _expit, lambda s: 1 / (1 + np.exp(s))),
        "tanh by exp": elementwise(
            lambda s: np.tanh(s),
            lambda s: 4 / (np.exp(s) + np.exp(-s)) ** 2,
            lambda s: 2 / (np.exp(s) + np.exp(-s)) ** 2,
        ),
        "erf": elementwise(lambda s: apply("erf", s), lambda s: apply("bell", s), lambda s: apply("bell", s) / 2),
        "where": elementwise(
            lambda s: np.where(s > 0, s, s / 4), lambda s: np.where(s > 0, 1 + 0 * s, 0.25 + 0 * s), lambda s: 1 + 0 * s
        ),
        "softmax": Function(_softmax, _pull_softmax, lambda s, g: _softmax(s) * (1 - _softmax(s)) * g),
        "layer norm": Function(_layer_norm, _pull_layer_norm, lambda s, g: _pull_layer_norm(s, g, False)),
        "RMS norm": Function(
            lambda s: s / np.sqrt(np.mean(s * s) + LEAST), _pull_rms, lambda s, g: _pull_rms(s, g, -0.5)
        ),
        "norm": Function(lambda s: s / (1 + np.linalg.norm(s)), _pull_unit, lambda s, g: _pull_unit(s, g, 1)),
    }
)


@dataclass(frozen=True)
class Cell:
    """a(t) = phi(W^T x(t) + r a(t-1)), u = V^T a; 1/2 squared error."""

    function: str

    @property
    def name(self) -> str:
        return f"cell with {self.function}"

    def parameter_shapes(self, sizes: Sizes) -> dict[str, tuple[int, ...]]:
        return {"W": (sizes.D, sizes.I), "r": (sizes.I,), "V": (sizes.I, sizes.K)}

    def state_shape(self, sizes: Sizes) -> Any:
        return (sizes.I,)

    def sizes_of(self, parameters: Any, T: int) -> Sizes:
        return Sizes(T, *parameters["W"].shape[::-1], parameters["V"].shape[1])

    def step(self, parameters: Any, state: Any, x: Any) -> Any:
        return FUNCTIONS[self.function].phi(parameters["W"].T @ x + parameters["r"] * state)

    def readout(self, parameters: Any, state: Any) -> Any:
        return parameters["V"].T @ state

    def output(self, u: Any) -> Any:
        return u

    def loss_value(self, u: Any, y: Any) -> Any:
        return ((u - y) ** 2).sum() / 2

    def output_error(self, u: Any, y: Any) -> Any:
        return u - y


def bptt(problem: Any, pull: Callable[[Any, Any], Any]) -> dict[str, Any]:
    W, r, V = (problem.parameters[name] for name in "WrV")
    a, s = [problem.initial_state], []
    for x in problem.inputs:
        s.append(W.T @ x + r * a[-1])
        a.append(problem.network.step(problem.parameters, a[-1], x))
    g, back = {name: 0 * p for name, p in problem.parameters.items()}, 0 * r
    for t in reversed(range(problem.T)):
        e = V.T @ a[t + 1] - problem.targets[t]
        delta = pull(s[t], V @ e + back)
        g = {
            "W": g["W"] + np.outer(problem.inputs[t], delta),
            "r": g["r"] + a[t] * delta,
            "V": g["V"] + np.outer(a[t + 1], e),
        }
        back = r * delta
    return g


def rule(function: str, *, wrong: bool = False) -> Any:
    """The rule for the network with this function, exact unless `wrong`."""
    pull = FUNCTIONS[function].wrong if wrong else FUNCTIONS[function].pull

    def by_hand(problem: Any) -> dict[str, Any]:
        return bptt(problem, pull)

    return gradcheck.rule(gradcheck.Exact(), networks=[Cell(function)])(by_hand)
