"""Simple recurrent networks with biases: Elman's, the relu network of identity weights, and Jordan's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..typing import Array, Parameters, State
from .activations import Activation
from .base import Sizes
from .cell import CellNetwork, Shapes, affine, affine_weights
from .losses import Loss, Output
from .start import GIVEN


@dataclass(frozen=True)
class Elman(CellNetwork):
    """Elman's simple recurrent network with one bias, two or none.

    h(t) = f(W^T x(t) + R^T h(t-1) + b), u(t) = V^T h(t).

    Parameters: W (D, I), R (I, I), V (I, K), and b (I,) for one bias, or Wb (I,) and Rb (I,) for two; b_y (K,) with a
    readout bias. State: h, shape (I,). With two biases it is `torch.nn.RNN` under a `torch.nn.Linear`. `Network` is the
    same with no bias.

    Source: Elman 1990, "Finding structure in time".

    Args:
        activation: As for `Network`.
        output: As for `Network`.
        loss: As for `Network`.
        biases: The number of biases, 0, 1 or 2.
        readout_bias: Whether the readout has a bias.
        initial_state: As for `Network`.

    Raises:
        GradcheckError: As for `Network`, or an option has another value.
    """

    biases: int = 1
    name = "Elman"

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
        return affine_weights([""], I, D, I, self.biases)

    def step(self, parameters: Parameters, state: State, x: Array) -> State:
        return self.activation(affine(parameters, "", x, state))

    def unit_axes(self) -> Mapping[str, tuple[int, ...]]:
        if type(self) not in (Elman, IRNN) or self.readout_bias:
            return {}
        return {"W": (1,), "R": (0, 1), "b": (0,), "Wb": (0,), "Rb": (0,), "V": (0,)}

    def odd_activation(self) -> bool:
        return super().odd_activation() and self.biases == 0


class IRNN(Elman):
    """Network of relu units that starts from identity weights: `Elman` with relu, started by `initialised`.

    Parameters and state: As for `Elman`.

    Source: Le, Jaitly and Hinton 2015, "A simple way to initialize recurrent networks of rectified linear units".

    Args:
        activation: relu.
        output: As for `Network`.
        loss: As for `Network`.
        biases: The number of biases, 0, 1 or 2.
        readout_bias: Whether the readout has a bias.
        initial_state: As for `Network`.

    Raises:
        GradcheckError: As for `Elman`.
    """

    name = "IRNN"

    def __init__(
        self,
        activation: str | Activation = "relu",
        output: str | Output = "identity",
        loss: str | Loss = "squared_error",
        *,
        biases: int = 1,
        readout_bias: bool = False,
        initial_state: str = GIVEN,
    ) -> None:
        super().__init__(
            activation, output, loss, biases=biases, readout_bias=readout_bias, initial_state=initial_state
        )

    def initialised(self, parameters: Parameters) -> dict[str, Array]:
        """Return float parameters with R = identity and biases of 0, where training starts; W and V as given."""
        zero = {name: np.zeros_like(array) for name, array in parameters.items() if name not in ("W", "V")}
        return {**parameters, **zero, "R": np.eye(parameters["R"].shape[0])}


@dataclass(frozen=True)
class Jordan(CellNetwork):
    """Jordan's network, whose outputs are fed back.

    h(t) = f(W^T x(t) + R^T g(u(t-1)) + b), u(t) = V^T h(t). Jordan's plan units are inputs here, and his state units
    keep no trace of earlier outputs.

    Parameters: W (D, I), R (K, I), b (I,), V (I, K); b_y (K,) with a readout bias. State: u, shape (K,).

    Source: Jordan 1986, "Serial order: a parallel distributed processing approach".

    Args:
        activation: As for `Network`.
        output: As for `Network`; it is g.
        loss: As for `Network`.
        biases: The number of biases of h, 0 or 1.
        readout_bias: Whether the readout has a bias.
        initial_state: As for `Network`.

    Raises:
        GradcheckError: As for `Network`, or an option has another value.
    """

    biases: int = 1
    name = "Jordan"
    stackable = False

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
        self._choose((0, 1), biases=biases)

    def parameter_shapes(self, sizes: Sizes) -> Shapes:
        cell = affine_weights([""], sizes.I, sizes.D, sizes.K, self.biases)
        readout = {"V": (sizes.I, sizes.K), **({"b_y": (sizes.K,)} if self.readout_bias else {})}
        return {**cell, **readout}

    def weights(self, I: int, D: int) -> Shapes:
        return affine_weights([""], I, D, 1, self.biases)

    def state_shape(self, sizes: Sizes) -> Any:
        return (sizes.K,)

    def step(self, parameters: Parameters, state: State, x: Array) -> State:
        h = self.activation(affine(parameters, "", x, self.output(state)))
        return self.read(parameters, h)

    def readout(self, parameters: Parameters, state: State) -> Array:
        return +state  # type: ignore[no-any-return]

    def undefined(self, *, head: bool = True) -> Any:
        return None  # a step takes the derivative of g, of which an undefined one has none

    def scales_with_readout(self) -> bool:
        return False
