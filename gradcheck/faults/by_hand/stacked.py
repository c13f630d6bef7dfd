"""Layers by hand, from the top down: what a layer sends to its inputs is the error of the layer below.

Source: Graves, Mohamed and Hinton 2013, "Speech recognition with deep recurrent neural networks".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...reference.claims import Exact, rule
from ...reference.networks.gated import GRU
from ...reference.networks.lstm import LSTM
from ...reference.networks.simple import Elman
from ...reference.networks.stacked import Stacked
from ...reference.problem import Problem
from ...reference.typing import Array, Gradient, Parameters, State
from .elman import Simple
from .gru import GatedUnits
from .lstm import MemoryUnits
from .unrolled import Cell, Parts, through_time

CELLS = {Elman: Simple(), GRU: GatedUnits(), LSTM: MemoryUnits()}
"""The cells that layers may be."""


@rule(Exact(), networks=[Stacked(Elman(), Elman())], weighted=True)
def stacked(problem: Problem) -> Gradient:
    """Return the gradient of stacked layers by a backward pass that is written out."""
    return through_time(problem, Layers())


class Layers(Cell):
    """One step of layers."""

    def forward(self, net: Any, p: Parameters, state: State, x: Array) -> tuple[State, Any]:
        after, kept, y = [], [], x
        for number, layer in enumerate(net.layers):
            own, of_layer = CELLS[type(layer)].forward(layer, weights(p, number), state[number], y)
            after.append(own)
            kept.append(of_layer)
            h = layer.hidden(own)
            y = h + y if net.residual and number else h
        return tuple(after), kept

    def backward(self, net: Any, p: Parameters, kept: Any, dstate: State) -> tuple[Parts, State, Array]:
        parts: Parts = {}
        before: list[State] = []
        dy = np.zeros_like(p["V"], shape=(net.width(len(p["V"])),))
        for number in reversed(range(len(net.layers))):
            layer = net.layers[number]
            own = weights(p, number)
            down, dlayer = dy, onto_h(dstate[number], dy)
            mine, earlier, dy = CELLS[type(layer)].backward(layer, own, kept[number], dlayer)
            if net.residual and number:
                dy = dy + down
            before.insert(0, earlier)
            parts |= {f"layer{number}.{name}": part for name, part in mine.items()}
        return parts, tuple(before), dy

    def read_back(self, net: Any, p: Parameters, state: State, e: Array) -> tuple[Parts, State]:
        parts = {"V": np.outer(net.hidden(state), e), **({"b_y": e} if net.readout_bias else {})}
        dh = p["V"] @ e
        shown = range(len(state)) if net.residual else [len(state) - 1]
        return parts, tuple(onto_h(nothing(own), dh if n in shown else 0 * dh) for n, own in enumerate(state))


def weights(p: Parameters, number: int) -> Parameters:
    """Return the parameters of a layer by the names that they have in its cell."""
    head = f"layer{number}."
    return {name.removeprefix(head): array for name, array in p.items() if name.startswith(head)}


def onto_h(dstate: State, dh: Array) -> State:
    """Return dL/dstate of a layer with dh added to that of h, its first array."""
    return (dstate[0] + dh, *dstate[1:]) if isinstance(dstate, tuple) else dstate + dh


def nothing(state: State) -> State:
    """Return zeros like a layer's state."""
    return tuple(map(np.zeros_like, state)) if isinstance(state, tuple) else np.zeros_like(state)
