"""Minimal gated units by hand, whose one gate q resets and forgets; see `MGU` for the equations.

dL/dq = (n - h(t-1)) dL/dh(t) + h(t-1) (R_n dL/ds_n), and the path h(t-1) carries (1 - q) dL/dh(t)
"""

from __future__ import annotations

from typing import Any

from ...reference.claims import Exact, rule
from ...reference.networks.cell import GATE
from ...reference.networks.gated import MGU
from ...reference.problem import Problem
from ...reference.typing import Array, Gradient, Parameters
from .unrolled import Cell, Parts, affine, affine_back, through_time


@rule(Exact(), networks=[MGU()], weighted=True)
def mgu(problem: Problem) -> Gradient:
    """Return the gradient of minimal gated units by a backward pass that is written out."""
    return through_time(problem, MinimalUnits())


class MinimalUnits(Cell):
    """One step of minimal gated units."""

    def forward(self, net: Any, p: Parameters, state: Array, x: Array) -> tuple[Array, Any]:
        s_f = affine(p, "_f", x, state)
        q = GATE(s_f)
        s_n = affine(p, "_n", x, q * state)
        n = net.activation(s_n)
        return (1 - q) * state + q * n, (x, state, s_f, s_n, q, n)

    def backward(self, net: Any, p: Parameters, kept: Any, dstate: Array) -> tuple[Parts, Array, Array]:
        x, h, s_f, s_n, q, n = kept
        ds_n = dstate * q * net.activation.derivative(s_n)
        parts, dreset, dx = affine_back(p, "_n", x, q * h, ds_n)
        dq = dstate * (n - h) + dreset * h
        own, to_h, to_x = affine_back(p, "_f", x, h, dq * GATE.derivative(s_f))
        dh = dstate * (1 - q) + dreset * q + to_h
        return parts | own, dh, dx + to_x
