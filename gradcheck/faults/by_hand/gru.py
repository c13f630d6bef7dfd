"""Gated recurrent units by hand, with the reset before the recurrent product or after it; see `GRU` for the equations.

dL/dn = (1 - z) dL/dh(t),  dL/dz = (h(t-1) - n) dL/dh(t), and the path h(t-1) carries z dL/dh(t)
before: the product R_n^T (r h(t-1)) gives r and h(t-1) each the other times R_n dL/ds_n
after:  r (R_n^T h(t-1) + Rb_n) gives r the sum in parentheses times dL/ds_n
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...reference.claims import Exact, rule
from ...reference.networks.cell import GATE
from ...reference.networks.gated import GRU
from ...reference.problem import Problem
from ...reference.typing import Array, Gradient, Parameters
from .unrolled import Cell, Parts, affine, affine_back, through_time


@rule(Exact(), networks=[GRU()], weighted=True)
def gru(problem: Problem) -> Gradient:
    """Return the gradient of gated recurrent units by a backward pass that is written out."""
    return through_time(problem, GatedUnits())


class GatedUnits(Cell):
    """One step of gated recurrent units."""

    def forward(self, net: Any, p: Parameters, state: Array, x: Array) -> tuple[Array, Any]:
        h, before = state, net.reset == "before"
        s_r, s_z = affine(p, "_r", x, h), affine(p, "_z", x, h)
        r, z = GATE(s_r), GATE(s_z)
        if before:
            kept = r * h
            s_n = affine(p, "_n", x, kept)
        else:
            kept = p["R_n"].T @ h
            kept = kept + p["Rb_n"] if "Rb_n" in p else kept
            s_n = p["W_n"].T @ x + r * kept
            for bias in {"b_n", "Wb_n"} & set(p):
                s_n = s_n + p[bias]
        n = net.activation(s_n)
        return z * h + (1 - z) * n, (x, h, s_r, s_z, s_n, r, z, n, kept)

    def backward(self, net: Any, p: Parameters, kept: Any, dstate: Array) -> tuple[Parts, Array, Array]:
        x, h, s_r, s_z, s_n, r, z, n, reset = kept
        dn = dstate * (1 - z)
        dz = dstate * (h - n)
        ds_n = dn * net.activation.derivative(s_n)
        if net.reset == "before":
            parts, dreset, dx = affine_back(p, "_n", x, reset, ds_n)
            dr = dreset * h
            dh = dreset * r
        else:
            parts, dh, dx = candidate_back(p, x, h, r, ds_n)
            dr = ds_n * reset
        dh = dh + dstate * z
        ds_r = dr * GATE.derivative(s_r)
        ds_z = dz * GATE.derivative(s_z)
        for gate, ds in {"_r": ds_r, "_z": ds_z}.items():
            own, to_h, to_x = affine_back(p, gate, x, h, ds)
            parts, dh, dx = parts | own, dh + to_h, dx + to_x
        return parts, dh, dx


def candidate_back(p: Parameters, x: Array, h: Array, r: Array, ds: Array) -> tuple[Parts, Array, Array]:
    """Return the contributions, dL/dh and dL/dx of the candidate whose recurrent product is reset as a whole."""
    dkept = ds * r
    parts = {"W_n": np.outer(x, ds), "R_n": np.outer(h, dkept)}
    for bias in {"b_n", "Wb_n"} & set(p):
        parts[bias] = ds
    if "Rb_n" in p:
        parts["Rb_n"] = dkept
    return parts, p["R_n"] @ dkept, p["W_n"] @ ds
