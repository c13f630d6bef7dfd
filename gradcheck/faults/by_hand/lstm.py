"""Long short-term memory by hand, with peepholes, coupled gates and projection; see `LSTM` for the equations.

    dL/dc(t) = o f'(c(t)) dL/dh(t) + p_o dL/ds_o(t) + what step t+1 sends back
    to step t-1: f(t) dL/dc(t) + p_i dL/ds_i(t) + p_f dL/ds_f(t)

Source: Greff, Srivastava, Koutnik, Steunebrink and Schmidhuber 2017, "LSTM: a search space odyssey", section III.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...reference.claims import Exact, rule
from ...reference.networks.cell import GATE
from ...reference.networks.lstm import LSTM
from ...reference.problem import Problem
from ...reference.typing import Array, Gradient, Parameters, State
from .unrolled import Cell, Parts, affine, affine_back, through_time


@rule(Exact(), networks=[LSTM()], weighted=True)
def lstm(problem: Problem) -> Gradient:
    """Return the gradient of an LSTM by a backward pass that is written out."""
    return through_time(problem, MemoryUnits())


class MemoryUnits(Cell):
    """One step of long short-term memory."""

    def forward(self, net: Any, p: Parameters, state: State, x: Array) -> tuple[State, Any]:
        h, before = state
        s_z = affine(p, "_z", x, h)
        s_i = affine(p, "_i", x, h) + peep(p, "_i", before)
        z, i = net.activation(s_z), GATE(s_i)
        s_f = affine(p, "_f", x, h) + peep(p, "_f", before) if net.forget == "gate" else s_i
        f = {"gate": GATE(s_f), "coupled": 1 - i, "none": 1 + 0 * i}[net.forget]
        c = f * before + i * z
        s_o = affine(p, "_o", x, h) + peep(p, "_o", c)
        o, shown = GATE(s_o), net.activation(c)
        m = o * shown
        after = (p["P"].T @ m if net.projection else m), c
        return after, (x, h, before, s_z, s_i, s_f, s_o, z, i, f, o, c, shown, m)

    def backward(self, net: Any, p: Parameters, kept: Any, dstate: State) -> tuple[Parts, State, Array]:
        x, h, before, s_z, s_i, s_f, s_o, z, i, f, o, c, shown, m = kept
        dm, dc = dstate
        parts: Parts = {}
        if net.projection:
            parts["P"] = np.outer(m, dm)
            dm = p["P"] @ dm
        do = dm * shown
        ds_o = do * GATE.derivative(s_o)
        dc = dc + dm * o * net.activation.derivative(c)
        dc = dc + peep(p, "_o", ds_o)
        dz, di, df = dc * i, dc * z, dc * before
        if net.forget == "coupled":
            di = di - df
        ds = {"_z": dz * net.activation.derivative(s_z), "_i": di * GATE.derivative(s_i), "_o": ds_o}
        if net.forget == "gate":
            ds["_f"] = df * GATE.derivative(s_f)
        dbefore = dc * f
        dh, dx = np.zeros_like(h), np.zeros_like(x)
        for gate in ds:
            own, to_h, to_x = affine_back(p, gate, x, h, ds[gate])
            parts, dh, dx = parts | own, dh + to_h, dx + to_x
            if f"p{gate}" in p:
                parts[f"p{gate}"] = ds[gate] * (c if gate == "_o" else before)
                dbefore = dbefore if gate == "_o" else dbefore + peep(p, gate, ds[gate])
        return parts, (dh, dbefore), dx


def peep(p: Parameters, gate: str, values: Array) -> Array:
    """Return the peephole of a gate times values, or zeros without peepholes."""
    return p[f"p{gate}"] * values if f"p{gate}" in p else np.zeros_like(values)
