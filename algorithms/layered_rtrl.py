"""Diagonal RTRL within each of several layers, with the errors of the layers above at the same step.

Layer l reads y_(l-1)(t), what the layer below shows, and has the traces of `diagonal_rtrl` with that input held fixed:
    c_L(t) = dL_t/dz_L(t),  c_l(t): c_(l+1)(t) through gamma B of layer l+1 at the step t alone
    gradient of a real weight of layer l: the sum over t of Re(conj(c_l(t)) dz_l(t)/dweight)

Source: Zucchet, Meier, Schug, Mujika and Sacramento 2023, "Online learning of long-range dependencies", section 3.3;
Irie, Gopalakrishnan and Schmidhuber 2024, "Exploring the promise and limits of real-time recurrent learning", section
5, for what is lost in more than one layer.
Cost: O(1) per weight and step. Storage: O(P), whatever T is.
True of it: the gradient of the upper layer's weights. That of the layers below leaves out what their past does to later
losses through the memory of the layers above.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradcheck.reference.claims import Cost, Equals, Online, rule
from gradcheck.reference.definitions import diagonal as definition
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import LRU, RTU, Stacked
from gradcheck.reference.typing import Array, Gradient, Parameters

from .diagonal_rtrl import Moved, Traces, moved, said_of, started, traced
from .turning import Pair, halved, of_parts

_CARTESIAN = LRU(eigenvalues="cartesian")
NETWORKS = (Stacked(_CARTESIAN, _CARTESIAN),)


class Layers(NamedTuple):
    """State of the rule: the network, its parameters, and the traces of each layer."""

    network: Any
    parameters: Parameters
    layers: tuple[Traces, ...]


@rule(
    Equals(definition, differs=True),
    Online(),
    Cost(time="T*I*(I + D + K)", storage="I*(I + D + K)"),
    networks=NETWORKS,
    weighted=True,
)
class LayeredRTRL:
    """Diagonal RTRL within each of several layers: what the lower ones do to the upper one's memory is left out.

    Online, on `Stacked` LRUs and RTUs: `start`, then `step` for each (x, y, weight).

    Raises:
        GradcheckError: The network is another, or has a readout bias or residual layers.
    """

    def start(self, network: Any, parameters: Parameters, initial_state: tuple[Pair, ...]) -> Layers:
        layers = getattr(network, "layers", ())
        if not layers or {type(each) for each in layers} - {LRU, RTU} or network.readout_bias or network.residual:
            raise GradcheckError(
                f"diagonal RTRL in layers is written for Stacked LRU and RTU layers without readout bias or residual "
                f"layers; got the network {network.name}, {network}; use DiagonalRTRL for one layer"
            )
        made = (
            started(layer, _own(layer, parameters, number), z)
            for number, (layer, z) in enumerate(zip(layers, initial_state, strict=True))
        )
        return Layers(network, parameters, tuple(made))

    def step(self, state: Layers, x: Array, y: Array, weight: Any) -> tuple[Layers, Gradient]:
        net, parameters, before = state
        steps, seen = list[Moved](), x
        for number, (layer, own) in enumerate(zip(net.layers, before, strict=True)):
            steps.append(moved(layer, _own(layer, parameters, number), own.z, seen))
            seen = np.concatenate(steps[-1].z)

        found, c = of_parts(net, parameters, steps[-1].z, y, weight)
        layers = list(before)
        for number in reversed(range(len(steps))):
            now = steps[number]
            layers[number] = Traces(now.z, traced(now, before[number].traces))
            found |= {f"layer{number}.{name}": part for name, part in said_of(layers[number].traces, c).items()}
            if number:
                c = _onto_input(_own(net.layers[number], parameters, number), now, c)
        return Layers(net, parameters, tuple(layers)), {name: found[name] for name in parameters}


def _own(layer: Any, parameters: Parameters, number: int) -> Parameters:
    """Return a layer's weights by the names that it has for them."""
    return {name: parameters[f"layer{number}.{name}"] for name in layer.weights(1, 1)}


def _onto_input(weights: Parameters, now: Moved, c: Pair) -> Pair:
    """Return the error on what a layer read, as that on z of the layer below."""
    re, im = (now.turning.gamma * slope * part for slope, part in zip(now.slope, c, strict=True))
    return halved(weights["B_re"] @ re + weights["B_im"] @ im)
