"""Faults of stacked layers, and of starts that are learned."""

from __future__ import annotations

from ..reference.network import RecurrentNetwork
from ..reference.networks.cell import Shapes
from ..reference.networks.simple import Elman
from ..reference.networks.stacked import Stacked
from ..reference.typing import Array, Parameters
from .fault import Fault
from .patched import Change


class LearnedStart(Elman):
    """Elman's network that starts from the parameter h0 (I,)."""

    name = "Elman with a learned start"

    def weights(self, I: int, D: int) -> Shapes:
        return {**super().weights(I, D), "h0": (I,)}

    def initial_state(self, parameters: Parameters) -> Array:  # type: ignore[override]
        return parameters["h0"]


_RESIDUAL = Stacked(Elman(), Elman(), residual=True)


def _fault(
    id: str, effect: str, old: str, new: str, *, base: str = "stacked", network: RecurrentNetwork | None = None,
    module: str = "", seen: str = "",
) -> Fault:  # fmt: skip
    change = Change(f"by_hand.{module or base}", old, new)
    return Fault(id, "layers and starts", effect, base, (change,), seen, networks=(network,) if network else ())


FAULTS = (
    _fault(
        "layer-below-gets-nothing",
        "dL/dx of a layer does not reach the layer below, whose parameters get 0.",
        "down, dlayer = dy, onto_h(dstate[number], dy)", "down, dlayer = dy, onto_h(dstate[number], 0 * dy)",
    ),
    _fault(
        "layer-gets-the-state-path",
        "The layer below gets dL/dh(t-1) of the layer above, where it gets its dL/dx.",
        "before.insert(0, earlier)", "dy = dy if number == 0 else earlier\n            before.insert(0, earlier)",
    ),
    _fault(
        "dr-of-the-layer-above",
        "R of the first layer gets the gradient of R of the second.",
        "return parts, tuple(before), dy",
        'parts["layer0.R"] = parts["layer1.R"]\n        return parts, tuple(before), dy',
    ),
    _fault(
        "r-of-the-layer-above",
        "The first layer's error goes back in time through R of the second.",
        "own = weights(p, number)\n",
        'own = {**weights(p, number), "R": p[f"layer{len(net.layers) - 1}.R"]}\n',
    ),
    _fault(
        "carried-errors-swapped",
        "What a layer sends back in time arrives at the other layer.",
        "before.insert(0, earlier)", "before.append(earlier)",
    ),
    _fault(
        "residual-path-dropped",
        "The layer below gets the error through the layer above alone, not along the residual.",
        "dy = dy + down", "dy = 1 * dy",
        network=Stacked(Elman(), Elman(), Elman(), residual=True),
    ),
    _fault(
        "residual-readout-of-the-top",
        "The readout's error reaches the top layer alone, where it reads the sum of all.",
        "dh if n in shown else 0 * dh", "dh if n == len(state) - 1 else 0 * dh",
        network=_RESIDUAL,
    ),
    _fault(
        "learned-start-dropped",
        "The start that is learned gets no gradient.",
        '{"h0": dstate}', '{"h0": 0 * dstate}',
        base="elman", network=LearnedStart(),
    ),
    _fault(
        "learned-start-a-step-late",
        "The learned start gets dL/dh(1), where it gets dL/dh(0): one step too few.",
        "add(total, cell.start_back(p, carried))", "add(total, cell.start_back(p, dstate))",
        base="elman", module="unrolled", network=LearnedStart(),
    ),
)  # fmt: skip
