"""Faults in the gradients of inputs and initial state: what a layer below, or an encoder, is trained by."""

from __future__ import annotations

from ..reference.network import LSTM, Elman, RecurrentNetwork, Stacked
from .fault import Fault
from .patched import Change

_INPUTS, _STATE, _NESTED = '"inputs": delta @ W.T', '"initial_state": R @ delta[0]', '"initial_state": cotangent'
_IMPORT = "from .bptt import backpropagate\n"
_STEP = "vjp(lambda p, a, x=x: network.step(p, a, x), *moving)"
_STEPS = "def steps(problem: Problem"


def _fault(id: str, effect: str, *changes: Change, seen: str = "", network: RecurrentNetwork | None = None) -> Fault:
    networks = () if network is None else (network,)
    return Fault(id, "inputs and initial state", effect, "bptt_to_inputs", changes, seen, networks=networks)


def _replaced(old: str, new: str) -> Change:
    return Change("bptt_to_inputs", old, new)


def _stepping(network: str, helper: str) -> tuple[Change, Change]:
    """Return the changes by which another network's step is taken, which `helper` makes of this one and x."""
    taken = f"vjp(lambda p, a, z=x: {network}.step(p, a, z), *moving)"
    return Change("cells", _STEP, taken), Change("cells", _STEPS, f"{helper}\n\n{_STEPS}")


FAULTS = (
    _fault(
        "initial-state-dropped",
        "dL/da(0) is 0: an encoder below learns nothing.",
        _replaced(_STATE, '"initial_state": 0 * problem.initial_state'),
    ),
    _fault(
        "initial-state-of-step-1",
        "dL/ds(1) is returned for dL/da(0): R is left out.",
        _replaced(_STATE, '"initial_state": delta[0]'),
    ),
    _fault(
        "initial-state-transposed",
        "dL/da(0) is R^T delta(1), with R transposed.",
        _replaced(_STATE, '"initial_state": R.T @ delta[0]'),
    ),
    _fault(
        "inputs-one-step-late",
        "Row t of dL/dx is that of the step before: the first row is 0.",
        _replaced(_IMPORT, f"import numpy as np\n\n{_IMPORT}"),
        _replaced(_INPUTS, '"inputs": np.concatenate([0 * delta[:1], delta[:-1]]) @ W.T'),
    ),
    _fault(
        "inputs-without-recurrence",
        "dL/dx(t) is W d(t): what later losses owe to x(t), through R, is left out.",
        _replaced(_INPUTS, '"inputs": net.d @ W.T'),
    ),
    _fault(
        "inputs-weighted-twice",
        "dL/dx is multiplied by the loss weights, which the errors already have.",
        _replaced(_INPUTS, '"inputs": problem.loss_weights[:, None] * (delta @ W.T)'),
    ),
    _fault(
        "initial-states-exchanged",
        "dL/dc(0) is returned for dL/dh(0), and dL/dh(0) for dL/dc(0).",
        Change("on_cells", _NESTED, '"initial_state": cotangent[::-1]'),
        network=LSTM(),
    ),
    _fault(
        "inputs-past-the-output-gate",
        "The output gate is taken for a constant in dL/dx: the path from x(t) through it is missing.",
        *_stepping(
            "_with_a_fixed_gate(network, x)",
            "def _with_a_fixed_gate(network: Any, x: Array) -> Any:\n"
            "    def gate(p: Any, name: str, z: Any, h: Any, c: Any) -> Any:\n"
            '        return type(network)._gate(network, p, name, x if name == "_o" else z, h, c)\n\n'
            "    made = object.__new__(type(network))\n"
            "    vars(made).update(vars(network), _gate=gate)\n"
            "    return made\n",
        ),
        network=LSTM(),
    ),
    _fault(
        "layer-input-gradient-lost",
        "The upper layer takes the lower one's output for a constant: the layers below, and the inputs, learn nothing.",
        *_stepping(
            "_with_cut_layers(network)",
            "class _Cut:\n"
            "    def __init__(self, layer: Any) -> None:\n"
            "        self.layer = layer\n\n"
            "    def __getattr__(self, name: str) -> Any:\n"
            "        return getattr(self.layer, name)\n\n"
            "    def step(self, weights: Any, state: Any, y: Any) -> Any:\n"
            "        return self.layer.step(weights, state, y.payload)\n\n\n"
            "def _with_cut_layers(network: Any) -> Any:\n"
            "    made = object.__new__(type(network))\n"
            "    first, *others = network.layers\n"
            "    vars(made).update(vars(network), layers=(first, *map(_Cut, others)))\n"
            "    return made\n",
        ),
        network=Stacked(Elman(), Elman()),
    ),
)  # fmt: skip
