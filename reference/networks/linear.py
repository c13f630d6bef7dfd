"""Diagonal linear recurrences with complex eigenvalues, as pairs of real numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..functions import apply
from ..typing import Array, Parameters, State
from .activations import Activation
from .base import Sizes
from .cell import CellNetwork, Shapes
from .losses import Loss, Output
from .start import GIVEN


def _polar(parameters: Parameters) -> tuple[Array, Array, Array]:
    """Return the modulus of lambda = exp(-exp(nu) + i exp(theta)), and its real and imaginary parts."""
    size, angle = apply("exp", -apply("exp", parameters["nu"])), apply("exp", parameters["theta"])
    return size, size * apply("cos", angle), size * apply("sin", angle)


@dataclass(frozen=True)
class LRU(CellNetwork):
    """Linear recurrent units: complex numbers that each multiply themselves by an eigenvalue.

    h(t) = lambda * h(t-1) + gamma * (B^T x(t)), u(t) = Re(V^T h(t)), where h, lambda, B and V are complex, with
    eigenvalues="polar":     lambda = exp(-exp(nu) + i exp(theta)), gamma = exp(log_gamma), all by entry
    eigenvalues="cartesian": lambda = lambda_re + i lambda_im, gamma = 1

    Complex numbers are pairs: B is B_re and B_im. A real diagonal recurrence is `ContextNetwork("identity")`. Orvieto
    et al. add a term D x(t) to u(t), which is missing here, since a readout does not see the input.

    Parameters: B_re, B_im (D, I), V_re, V_im (I, K); nu, theta, log_gamma (I,) or lambda_re, lambda_im (I,); b_y (K,)
    with a readout bias. State: (re, im), each (I,).

    Source: Orvieto et al. 2023, "Resurrecting recurrent neural networks for long sequences".

    Args:
        activation: identity.
        output: As for `Network`.
        loss: As for `Network`.
        eigenvalues: "polar" or "cartesian".
        readout_bias: Whether the readout has a bias.
        initial_state: As for `Network`.

    Raises:
        GradcheckError: As for `Network`, or an option has another value.
    """

    eigenvalues: str = "polar"
    name = "LRU"

    def __init__(
        self,
        activation: str | Activation = "identity",
        output: str | Output = "identity",
        loss: str | Loss = "squared_error",
        *,
        eigenvalues: str = "polar",
        readout_bias: bool = False,
        initial_state: str = GIVEN,
    ) -> None:
        super().__init__(activation, output, loss, readout_bias=readout_bias, initial_state=initial_state)
        self._choose(("polar", "cartesian"), eigenvalues=eigenvalues)

    def weights(self, I: int, D: int) -> Shapes:
        eigenvalues = ("nu", "theta", "log_gamma") if self.eigenvalues == "polar" else ("lambda_re", "lambda_im")
        return {"B_re": (D, I), "B_im": (D, I), **dict.fromkeys(eigenvalues, (I,))}

    def parameter_shapes(self, sizes: Sizes) -> Shapes:
        readout: Shapes = {"V_re": (sizes.I, sizes.K), "V_im": (sizes.I, sizes.K)}
        return {**self.weights(sizes.I, sizes.D), **readout, **({"b_y": (sizes.K,)} if self.readout_bias else {})}

    def sizes_of(self, parameters: Parameters, T: int) -> Sizes:
        D, I = parameters["B_re"].shape[:2]
        return Sizes(T, I, D, parameters["V_re"].shape[-1])

    def memory(self, I: int) -> Any:
        return (I,), (I,)

    def width(self, I: int) -> int:
        return 2 * I

    def hidden(self, state: State) -> Array:
        return np.concatenate(state)

    def step(self, parameters: Parameters, state: State, x: Array) -> State:
        re, im = state
        given_re, given_im = parameters["B_re"].T @ x, parameters["B_im"].T @ x
        if self.eigenvalues == "polar":
            _, a, b = _polar(parameters)
            gamma = apply("exp", parameters["log_gamma"])
            given_re, given_im = gamma * given_re, gamma * given_im
        else:
            a, b = parameters["lambda_re"], parameters["lambda_im"]
        return self.activation(a * re - b * im + given_re), self.activation(b * re + a * im + given_im)

    def readout(self, parameters: Parameters, state: State) -> Array:
        re, im = state
        u = parameters["V_re"].T @ re - parameters["V_im"].T @ im
        return u + parameters["b_y"] if self.readout_bias else u  # type: ignore[no-any-return]


class RTU(CellNetwork):
    """Recurrent trace units: pairs of units that each turn and shrink, under an activation.

    re(t) = f(r cos(phi) re(t-1) - r sin(phi) im(t-1) + gamma * (B_re^T x(t))),
    im(t) = f(r sin(phi) re(t-1) + r cos(phi) im(t-1) + gamma * (B_im^T x(t))), u(t) = V^T [re(t); im(t)],
    with r = exp(-exp(nu)), phi = exp(theta) and gamma = sqrt(1 - r^2), all by entry. With the activation identity these
    are the linear ones.

    Parameters: B_re, B_im (D, I), nu, theta (I,), V (2 I, K); b_y (K,) with a readout bias. State: (re, im), each (I,).

    Source: Elelimy, White, Bowling and White 2024, "Real-time recurrent learning using trace units in reinforcement
    learning".

    Args:
        activation: As for `Network`.
        output: As for `Network`.
        loss: As for `Network`.
        readout_bias: Whether the readout has a bias.

    Raises:
        GradcheckError: As for `Network`, or an option has another value.
    """

    name = "RTU"

    def weights(self, I: int, D: int) -> Shapes:
        return {"B_re": (D, I), "B_im": (D, I), "nu": (I,), "theta": (I,)}

    def memory(self, I: int) -> Any:
        return (I,), (I,)

    def width(self, I: int) -> int:
        return 2 * I

    def hidden(self, state: State) -> Array:
        return np.concatenate(state)

    def step(self, parameters: Parameters, state: State, x: Array) -> State:
        re, im = state
        size, a, b = _polar(parameters)
        gamma = apply("sqrt", 1 - size * size)
        given_re, given_im = gamma * (parameters["B_re"].T @ x), gamma * (parameters["B_im"].T @ x)
        return self.activation(a * re - b * im + given_re), self.activation(b * re + a * im + given_im)
