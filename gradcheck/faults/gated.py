"""Faults of gated units: GRU and MGU."""

from __future__ import annotations

from ..reference.network import RecurrentNetwork
from ..reference.networks.gated import GRU
from .fault import Fault
from .patched import Change


def _fault(
    id: str, effect: str, old: str, new: str, *, base: str = "gru", network: RecurrentNetwork | None = None,
    module: str = "", seen: str = "",
) -> Fault:  # fmt: skip
    change = Change(f"by_hand.{module or base}", old, new)
    return Fault(id, "gated units", effect, base, (change,), seen, networks=(network,) if network else ())


FAULTS = (
    _fault(
        "gru-reset-on-the-wrong-side",
        "The candidate's error goes back as if r multiplied R^T h, where r multiplies h before the product.",
        "dreset * r\n",
        'p["R_n"] @ (ds_n * r)\n',
    ),
    _fault(
        "gru-reset-missing-in-dr",
        "dR_n pairs the candidate's error with h(t-1), where the product reads r h(t-1).",
        "affine_back(p, \"_n\", x, reset, ds_n)",
        "affine_back(p, \"_n\", x, h, ds_n)",
    ),
    _fault(
        "gru-reset-gate-constant",
        "The reset gate is taken for a constant: the candidate sends it nothing.",
        "dr = dreset * h\n", "dr = 0 * dreset\n",
    ),
    _fault(
        "gru-update-gate-constant",
        "The update gate is taken for a constant: W_z, R_z and b_z get 0, and so does the path through z.",
        "dz = dstate * (h - n)", "dz = 0 * dstate",
    ),
    _fault(
        "gru-update-gate-inverted",
        "z and 1 - z change places in the backward pass, as in the other convention.",
        "dn = dstate * (1 - z)", "dn = dstate * z",
    ),
    _fault(
        "gru-update-slope-missing",
        "dL/dz is taken for dL/ds_z: the factor z (1 - z) is missing.",
        "ds_z = dz * GATE.derivative(s_z)", "ds_z = dz",
    ),
    _fault(
        "gru-kept-path-dropped",
        "h(t-1) gets nothing through z h(t-1): gradients pass through the gates and the candidate alone.",
        "dh = dh + dstate * z\n", "dh = 1 * dh\n",
    ),
    _fault(
        "gru-gates-in-another-order",
        "The gradients of the reset and the update gate change places.",
        'own, to_h, to_x = affine_back(p, gate, x, h, ds)\n            parts,',
        'own, to_h, to_x = affine_back(p, gate, x, h, ds)\n'
        '            other = {"_r": "_z", "_z": "_r"}[gate]\n'
        '            own = {name.replace(gate, other): part for name, part in own.items()}\n            parts,',
        seen="torch.nn.GRU stacks r, z, n; tf.keras.layers.GRU stacks z, r, h",
    ),
    _fault(
        "gru-hidden-bias-not-reset",
        "The bias beside R_n gets the gradient of the one beside W_n, without r.",
        'parts["Rb_n"] = dkept', 'parts["Rb_n"] = ds',
        network=GRU(reset="after", biases=2),
    ),
    _fault(
        "gru-reset-without-its-bias",
        "r gets R_n^T h(t-1) times the candidate's error, without the bias that it multiplies too.",
        "dr = ds_n * reset", 'dr = ds_n * (p["R_n"].T @ h)',
        network=GRU(reset="after"),
    ),
    _fault(
        "gru-last-state-everywhere",
        "Every step goes back with what the last step kept.",
        "cell.backward(net, p, kept[t], dstate)", "cell.backward(net, p, kept[-1], dstate)",
        module="unrolled",
    ),
    _fault(
        "mgu-reset-path-forgotten",
        "The gate gets what it does to the mixture, and nothing of what it does to the candidate.",
        "dq = dstate * (n - h) + dreset * h", "dq = dstate * (n - h)",
        base="mgu",
    ),
    _fault(
        "mgu-forget-applied-twice",
        "The state's error is multiplied by 1 - q and then by q, where two paths carry one factor each.",
        "dh = dstate * (1 - q) + dreset * q + to_h", "dh = dstate * (1 - q) * q + dreset * q + to_h",
        base="mgu",
    ),
    _fault(
        "mgu-mixture-sign",
        "The gate gets h(t-1) - n where n - h(t-1) belongs: the sign of a GRU's z.",
        "dstate * (n - h)", "dstate * (h - n)",
        base="mgu",
    ),
)  # fmt: skip
