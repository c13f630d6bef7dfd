"""Networks that are one recurrent cell under a linear readout.

u(t) = V^T h(t), with `readout_bias` u(t) = V^T h(t) + b_y, where h(t) is what the cell shows of its state.

Weights are oriented as in the rest of gradcheck: W (D, I) multiplies the input as W^T x, R (I, I) the last h as R^T h.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ..errors import GradcheckError
from ..typing import Array, Parameters, State
from .activations import ACTIVATIONS, Activation
from .base import Sizes
from .headed import HeadedNetwork
from .losses import Loss, Output
from .start import GIVEN

GATE = ACTIVATIONS["logistic"]
"""The function of every gate."""
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class CellNetwork(HeadedNetwork):
    """Base of networks that are a cell under a linear readout.

    A subclass adds `name`, `weights`, `step`, and where they differ `memory`, `width` and `hidden`; its further fields
    are options, each with its default. The first of its `weights` is a matrix (D, I) on the input.

    Attributes:
        readout_bias: True if the readout has the bias b_y (K,).
        initial_state: As for `Network`.
    """

    readout_bias: bool = False

    name: ClassVar[str]
    stackable: ClassVar[bool] = True
    """True if a further layer can read what the cell shows."""

    def __init__(
        self,
        activation: str | Activation = "tanh",
        output: str | Output = "identity",
        loss: str | Loss = "squared_error",
        *,
        readout_bias: bool = False,
        initial_state: str = GIVEN,
    ) -> None:
        super().__init__(activation, output, loss, initial_state=initial_state)
        self._choose(readout_bias=readout_bias)

    def _choose(self, among: Sequence[Any] = (False, True), /, **options: Any) -> None:
        """Set options that are each one of a few values. Raises `GradcheckError` for another value."""
        for option, value in options.items():
            if not any(value is each or type(value) is type(each) and value == each for each in among):
                raise GradcheckError(
                    f"{type(self).__name__} has no {option}={value!r:.60}; choose one of {', '.join(map(repr, among))}"
                )
            object.__setattr__(self, option, value)

    def weights(self, I: int, D: int) -> Shapes:
        """Return the shapes of the cell's own parameters, for I units and D inputs."""
        raise NotImplementedError

    def memory(self, I: int) -> Any:
        """Return the shape of the state, or a nest of shapes; (I,) unless the cell says otherwise."""
        return (I,)

    def width(self, I: int) -> int:
        """Return the number of entries of h, which the readout and a further layer read."""
        return I

    def step(self, parameters: Parameters, state: State, x: Array) -> State:
        """Return the state after reading the input x, shape (D,)."""
        raise NotImplementedError

    def hidden(self, state: State) -> Array:
        """Return h, shape (width,), from the state."""
        return state  # type: ignore[no-any-return]

    def parameter_shapes(self, sizes: Sizes) -> Shapes:
        shapes = {**self.weights(sizes.I, sizes.D), "V": (self.width(sizes.I), sizes.K)}
        return {**shapes, "b_y": (sizes.K,)} if self.readout_bias else shapes

    def state_shape(self, sizes: Sizes) -> Any:
        return self.memory(sizes.I)

    def sizes_of(self, parameters: Parameters, T: int) -> Sizes:
        first = parameters[next(iter(self.weights(1, 1)))]
        return Sizes(T, first.shape[1], first.shape[0], parameters["V"].shape[-1])

    def readout(self, parameters: Parameters, state: State) -> Array:
        return self.read(parameters, self.hidden(state))

    def read(self, parameters: Parameters, h: Array) -> Array:
        """Return u, shape (K,), from h."""
        u = parameters["V"].T @ h
        return u + parameters["b_y"] if self.readout_bias else u

    def scales_with_readout(self) -> bool:
        return super().scales_with_readout() and not self.readout_bias

    def cell_text(self) -> str:
        """Return the cell in words, without output and loss."""
        return f"{self.name} {str(self).removesuffix(', ' + self.head_text())}"


def affine_weights(gates: Sequence[str], I: int, D: int, R: int, biases: int) -> Shapes:
    """Return the shapes of W, R and the biases of each gate.

    Args:
        gates: What follows each name: "_i" for W_i, or nothing.
        I: The number of units.
        D: The number of inputs.
        R: The number of entries of h.
        biases: 0; 1, which is b; or 2, which are Wb beside W and Rb beside R.
    """
    shapes: Shapes = {}
    for gate in gates:
        shapes |= {f"W{gate}": (D, I), f"R{gate}": (R, I)}
        shapes |= {f"{bias}{gate}": (I,) for bias in BIASES[biases]}
    return shapes


BIASES = {0: (), 1: ("b",), 2: ("Wb", "Rb")}
"""The names of biases by their number. Two are named as in ONNX, https://onnx.ai/onnx/operators/onnx__LSTM.html."""


def affine(parameters: Parameters, gate: str, x: Array, h: Array) -> Array:
    """Return W^T x + R^T h of a gate, with the biases that `parameters` have."""
    s = parameters[f"W{gate}"].T @ x + parameters[f"R{gate}"].T @ h
    for bias in ("b", "Wb", "Rb"):
        if f"{bias}{gate}" in parameters:
            s = s + parameters[f"{bias}{gate}"]
    return s  # type: ignore[no-any-return]
