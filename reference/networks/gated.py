"""Gated units with one state: the gated recurrent unit and the minimal gated unit."""

from __future__ import annotations

from dataclasses import dataclass

from ..typing import Array, Parameters, State
from .activations import Activation
from .cell import GATE, CellNetwork, Shapes, affine, affine_weights
from .losses import Loss, Output
from .start import GIVEN


@dataclass(frozen=True)
class GRU(CellNetwork):
    """Gated recurrent units.

    r(t) = logistic(W_r^T x(t) + R_r^T h(t-1) + b_r), z(t) = logistic(W_z^T x(t) + R_z^T h(t-1) + b_z),
    h(t) = z(t) * h(t-1) + (1 - z(t)) * n(t), with
    reset="before": n(t) = f(W_n^T x(t) + R_n^T (r(t) * h(t-1)) + b_n)
    reset="after":  n(t) = f(W_n^T x(t) + b_n + r(t) * (R_n^T h(t-1) + Rb_n))

    Parameters: W_r, W_z, W_n (D, I), R_r, R_z, R_n (I, I), V (I, K). One bias: b_r, b_z, b_n (I,). Two biases: Wb_r,
    Wb_z, Wb_n beside W and Rb_r, Rb_z, Rb_n beside R. With reset="after" the bias Rb_n, which r multiplies, is there
    for one bias too. b_y (K,) with a readout bias. State: h, shape (I,).

    Source: Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder for statistical machine
    translation", for the reset before the product; the documentation of torch.nn.GRU, which has cuDNN's equations, for
    the reset after it. Where z and 1 - z change places (Chung et al. 2014), the gate's weights change sign.

    Args:
        activation: As for `Network`.
        output: As for `Network`.
        loss: As for `Network`.
        reset: "before" or "after", where r multiplies.
        biases: The number of biases of each gate, 0, 1 or 2.
        readout_bias: Whether the readout has a bias.
        initial_state: As for `Network`.

    Raises:
        GradcheckError: As for `Network`, or an option has another value.
    """

    reset: str = "before"
    biases: int = 1
    name = "GRU"

    def __init__(
        self,
        activation: str | Activation = "tanh",
        output: str | Output = "identity",
        loss: str | Loss = "squared_error",
        *,
        reset: str = "before",
        biases: int = 1,
        readout_bias: bool = False,
        initial_state: str = GIVEN,
    ) -> None:
        super().__init__(activation, output, loss, readout_bias=readout_bias, initial_state=initial_state)
        self._choose(("before", "after"), reset=reset)
        self._choose((0, 1, 2), biases=biases)

    def weights(self, I: int, D: int) -> Shapes:
        shapes = affine_weights(["_r", "_z", "_n"], I, D, I, self.biases)
        return {**shapes, "Rb_n": (I,)} if self.reset == "after" and self.biases else shapes

    def step(self, parameters: Parameters, state: State, x: Array) -> State:
        r = GATE(affine(parameters, "_r", x, state))
        z = GATE(affine(parameters, "_z", x, state))
        if self.reset == "before":
            n = self.activation(affine(parameters, "_n", x, r * state))
        else:
            given = parameters["W_n"].T @ x
            kept = parameters["R_n"].T @ state
            if self.biases:
                given = given + parameters["b_n" if self.biases == 1 else "Wb_n"]
                kept = kept + parameters["Rb_n"]
            n = self.activation(given + r * kept)
        return z * state + (1 - z) * n


@dataclass(frozen=True)
class MGU(CellNetwork):
    """Minimal gated units.

    q(t) = logistic(W_f^T x(t) + R_f^T h(t-1) + b_f), n(t) = f(W_n^T x(t) + R_n^T (q(t) * h(t-1)) + b_n),
    h(t) = (1 - q(t)) * h(t-1) + q(t) * n(t).

    Parameters: W_f, W_n (D, I), R_f, R_n (I, I), b_f, b_n (I,), V (I, K); b_y (K,) with a readout bias. State: h,
    shape (I,).

    Source: Zhou, Wu, Zhang and Zhou 2016, "Minimal gated unit for recurrent neural networks"; q is their forget gate f.

    Args:
        activation: As for `Network`.
        output: As for `Network`.
        loss: As for `Network`.
        biases: The number of biases of each gate, 0, 1 or 2.
        readout_bias: Whether the readout has a bias.
        initial_state: As for `Network`.

    Raises:
        GradcheckError: As for `Network`, or an option has another value.
    """

    biases: int = 1
    name = "MGU"

    def __init__(
        self,
        activation: str | Activation = "tanh",
        output: str | Output = "identity",
        loss: str | Loss = "squared_error",
        *,
        biases: int = 1,
        readout_bias: bool = False,
        initial_state: str = GIVEN,
    ) -> None:
        super().__init__(activation, output, loss, readout_bias=readout_bias, initial_state=initial_state)
        self._choose((0, 1, 2), biases=biases)

    def weights(self, I: int, D: int) -> Shapes:
        return affine_weights(["_f", "_n"], I, D, I, self.biases)

    def step(self, parameters: Parameters, state: State, x: Array) -> State:
        q = GATE(affine(parameters, "_f", x, state))
        n = self.activation(affine(parameters, "_n", x, q * state))
        return (1 - q) * state + q * n
