"""Layers of cells over each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import GradcheckError
from ..typing import Array, Parameters, State
from .cell import CellNetwork, Shapes
from .losses import Loss, Output
from .start import GIVEN


@dataclass(frozen=True)
class Stacked(CellNetwork):
    """Layers of cells: each reads what the layer below shows at the same step.

    y_0(t) = h_0(t) of the inputs x(t), y_l(t) = h_l(t) of the inputs y_(l-1)(t), u(t) = V^T y_L(t). With residual=True,
    y_l(t) = h_l(t) + y_(l-1)(t) for l >= 1.

    Parameters: those of each layer, W of the layer 0 as layer0.W, and V (I, K); b_y (K,) with a readout bias. State:
    the tuple of the layers' states.

    Source: Graves, Mohamed and Hinton 2013, "Speech recognition with deep recurrent neural networks"; Prakash et al.
    2016, "Neural paraphrase generation with stacked residual LSTM networks", for residual layers.

    Args:
        layers: The cells, from below, such as `LSTM()`; each has its own activation and options. Their outputs and
            losses do not count, and they have no readout bias.
        output: As for `Network`.
        loss: As for `Network`.
        residual: Whether each layer but the first adds what the layer below shows.
        readout_bias: Whether the readout has a bias.
        initial_state: As for `Network`.

    Raises:
        GradcheckError: There is no layer, one is no cell, or residual layers differ in width.
    """

    layers: tuple[CellNetwork, ...] = ()
    residual: bool = False
    name = "stacked"
    fixed = ("layers",)
    stackable = False

    def __init__(
        self,
        *layers: CellNetwork,
        output: str | Output = "identity",
        loss: str | Loss = "squared_error",
        residual: bool = False,
        readout_bias: bool = False,
        initial_state: str = GIVEN,
    ) -> None:
        if not layers:
            raise GradcheckError("Stacked has no layers; give it cells, such as Stacked(LSTM(), LSTM())")
        for layer in layers:
            if not isinstance(layer, CellNetwork) or not layer.stackable:
                raise GradcheckError(f"{layer!r:.60} is no layer; use cells such as LSTM(), GRU() and Elman()")
            if layer.readout_bias:
                raise GradcheckError(f"the layer {layer.name} has a readout bias; give readout_bias to Stacked")
            if layer.initial_state != GIVEN:
                raise GradcheckError(f"the layer {layer.name} says where it starts; give initial_state to Stacked")
        super().__init__(layers[0].activation, output, loss, readout_bias=readout_bias, initial_state=initial_state)
        self._choose(residual=residual)
        object.__setattr__(self, "layers", layers)
        if residual and len({layer.width(1) * 1000 + layer.width(2) for layer in layers}) > 1:
            raise GradcheckError("residual layers show h of the same number of entries; these differ")

    def undefined(self, *, head: bool = True) -> Any:
        if len({layer.activation for layer in self.layers}) > 1:  # one undefined f cannot stand for several
            return None
        made = super().undefined(head=head)
        object.__setattr__(made, "layers", tuple(layer.undefined(head=False) for layer in self.layers))
        return made

    def has_kinks(self) -> bool:
        return any(layer.has_kinks() for layer in self.layers)

    def width(self, I: int) -> int:
        return self.layers[-1].width(I)

    def weights(self, I: int, D: int) -> Shapes:
        shapes: Shapes = {}
        for number, layer in enumerate(self.layers):
            shapes |= {f"layer{number}.{name}": shape for name, shape in layer.weights(I, D).items()}
            D = layer.width(I)
        return shapes

    def memory(self, I: int) -> Any:
        return tuple(layer.memory(I) for layer in self.layers)

    def step(self, parameters: Parameters, state: State, x: Array) -> State:
        after, y = [], x
        for number, (layer, own) in enumerate(zip(self.layers, state, strict=True)):
            weights = {name: parameters[f"layer{number}.{name}"] for name in layer.weights(1, 1)}
            after.append(layer.step(weights, own, y))
            h = layer.hidden(after[-1])
            y = h + y if self.residual and number else h
        return tuple(after)

    def hidden(self, state: State) -> Array:
        shown = [layer.hidden(own) for layer, own in zip(self.layers, state, strict=True)]
        return sum(shown[1:], shown[0]) if self.residual else shown[-1]

    def __str__(self) -> str:
        layers = "; ".join(layer.cell_text() for layer in self.layers)
        residual = ["residual"] * self.residual + ["readout bias"] * self.readout_bias
        return ", ".join([f"layers {layers}", *residual, self.head_text()])
