"""Faults of long short-term memory: its cell, its gates, peepholes and projection."""

from __future__ import annotations

from ..reference.network import RecurrentNetwork
from ..reference.networks.lstm import LSTM
from .fault import Fault
from .patched import Change

_PEEPHOLES, _COUPLED, _PROJECTED = LSTM(peepholes=True), LSTM(forget="coupled"), LSTM(projection=2)
_OWN = "parts, dh, dx = parts | own, dh + to_h, dx + to_x"


def _fault(
    id: str, effect: str, old: str, new: str, *, network: RecurrentNetwork | None = None, seen: str = ""
) -> Fault:
    change = Change("by_hand.lstm", old, new)
    return Fault(id, "long short-term memory", effect, "lstm", (change,), seen, networks=(network,) if network else ())


FAULTS = (
    _fault(
        "lstm-cell-path-dropped",
        "dL/dc(t) gets nothing from step t+1: the error goes back through h alone.",
        "dbefore = dc * f\n", "dbefore = 0 * dc\n",
        seen="deeplearning4j/deeplearning4j issue 8838 (the error of the last cell state left out)",
    ),
    _fault(
        "lstm-forgetting-missing",
        "dL/dc(t) goes back to c(t-1) without the factor f: right where the gate is open.",
        "dbefore = dc * f\n", "dbefore = dc\n",
    ),
    _fault(
        "lstm-hidden-path-dropped",
        "h(t-1) gets nothing from the gates of step t: the error goes back along c alone.",
        "return parts, (dh, dbefore), dx", "return parts, (0 * dh, dbefore), dx",
        seen="Hochreiter & Schmidhuber 1997 truncate there on purpose",
    ),
    _fault(
        "lstm-forget-gate-constant",
        "The forget gate is taken for a constant: W_f, R_f and b_f get 0, and so does the path through f.",
        'ds["_f"] = df * GATE.derivative(s_f)', 'ds["_f"] = 0 * df',
    ),
    _fault(
        "lstm-tanh-of-tanh",
        "f' is taken at f(c) where it belongs at c: 1 - tanh(tanh(c))^2.",
        "net.activation.derivative(c)", "net.activation.derivative(shown)",
    ),
    _fault(
        "lstm-slope-missing-in-c",
        "dL/dc lacks f'(c).",
        "dm * o * net.activation.derivative(c)", "dm * o",
    ),
    _fault(
        "lstm-slope-missing-in-z",
        "dL/dz is taken for dL/ds_z: the factor f'(s_z) is missing.",
        "dz * net.activation.derivative(s_z)", "dz",
    ),
    _fault(
        "lstm-complement-missing",
        "The input gate's slope is i where i (1 - i) belongs.",
        "di * GATE.derivative(s_i)", "di * i",
    ),
    _fault(
        "lstm-output-gate-from-c",
        "The output gate gets c times dL/dh, where it multiplies f(c).",
        "do = dm * shown", "do = dm * c",
    ),
    _fault(
        "lstm-i-and-f-swapped",
        "The input gate gets c(t-1), and the forget gate z.",
        "dz, di, df = dc * i, dc * z, dc * before", "dz, di, df = dc * i, dc * before, dc * z",
    ),
    _fault(
        "lstm-new-cell-in-forgetting",
        "The forget gate gets c(t), where it multiplied c(t-1).",
        "dc * z, dc * before", "dc * z, dc * c",
    ),
    _fault(
        "lstm-gates-in-another-order",
        "The gradients of the block input and the output gate change places.",
        _OWN,
        'other = {"_z": "_o", "_o": "_z"}.get(gate, gate)\n'
        '            own = {name.replace(gate, other): part for name, part in own.items()}\n'
        f"            {_OWN}",
        seen="torch.nn.LSTM stacks i, f, g, o; ONNX stacks i, o, f, c",
    ),
    _fault(
        "lstm-bias-of-another-gate",
        "b_f gets the gradient of b_i.",
        "        return parts, (dh, dbefore), dx",
        '        if net.forget == "gate" and "b_f" in p:\n'
        '            parts["b_f"] = parts["b_i"]\n        return parts, (dh, dbefore), dx',
    ),
    _fault(
        "lstm-peephole-a-step-late",
        "p_o pairs its gate's error with c(t-1), where the gate saw c(t).",
        '(c if gate == "_o" else before)', "before",
        network=_PEEPHOLES,
    ),
    _fault(
        "lstm-peephole-path-dropped",
        "The output gate's error does not go back to c(t) through its peephole.",
        'dc = dc + peep(p, "_o", ds_o)\n', 'dc = 1 * dc\n',
        network=_PEEPHOLES,
    ),
    _fault(
        "lstm-coupled-gate-sign",
        "f = 1 - i adds c(t-1) to the input gate's derivative, where it takes it away.",
        "di = di - df", "di = di + df",
        network=_COUPLED,
    ),
    _fault(
        "lstm-coupled-gate-alone",
        "The input gate gets z alone, as if f were not 1 - i.",
        "di = di - df", "di = 1 * di",
        network=_COUPLED,
    ),
    _fault(
        "lstm-projection-reshaped",
        "The error goes back through P^T reshaped to P's shape, where P is needed; right at n = 1.",
        'dm = p["P"] @ dm', 'dm = p["P"].T.reshape(p["P"].shape) @ dm',
        network=_PROJECTED,
    ),
    _fault(
        "lstm-projection-of-the-cell",
        "dP pairs dL/dh with f(c), where the projection reads o f(c).",
        "np.outer(m, dm)", "np.outer(shown, dm)",
        network=_PROJECTED,
    ),
)  # fmt: skip
