"""Leaky units by hand, and those of continuous time, for which alpha = dt / tau; see `Leaky` for the equations.

rates:      dL/ds = alpha f'(s) dL/dh(t),  dL/dh(t-1) = (1 - alpha) dL/dh(t) + R dL/ds
potentials: dL/dn = alpha dL/ds(t) of the input n,  dL/ds(t-1) = (1 - alpha) dL/ds(t) + f'(s(t-1)) R dL/dn
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...reference.claims import Exact, rule
from ...reference.networks.leaky import Leaky
from ...reference.problem import Problem
from ...reference.typing import Array, Gradient, Parameters
from .unrolled import Cell, Parts, affine, affine_back, through_time


@rule(Exact(), networks=[Leaky()], weighted=True)
def leaky(problem: Problem) -> Gradient:
    """Return the gradient of leaky units by a backward pass that is written out."""
    return through_time(problem, LeakyUnits())


class LeakyUnits(Cell):
    """One step of leaky units, of rates or of potentials."""

    def forward(self, net: Any, p: Parameters, state: Array, x: Array) -> tuple[Array, Any]:
        shown, alpha = net.hidden(state), net.rate(p)
        s = affine(p, "", x, shown)
        new = net.activation(s) if net.state == "rate" else s
        return (1 - alpha) * state + alpha * new, (x, state, shown, s, new, alpha)

    def backward(self, net: Any, p: Parameters, kept: Any, dstate: Array) -> tuple[Parts, Array, Array]:
        x, state, shown, s, new, alpha = kept
        dnew = dstate * alpha
        ds = dnew * net.activation.derivative(s) if net.state == "rate" else dnew
        parts, dshown, dx = affine_back(p, "", x, shown, ds)
        dalpha = dstate * (new - state)
        if "alpha" in p:
            parts["alpha"] = dalpha
        if "tau" in p:
            parts["tau"] = -dalpha * net.dt / p["tau"] ** 2
        if net.state == "potential":
            dshown = dshown * net.activation.derivative(state)
        return parts, dstate * (1 - alpha) + dshown, dx

    def read_back(self, net: Any, p: Parameters, state: Array, e: Array) -> tuple[Parts, Array]:
        parts = {"V": np.outer(net.hidden(state), e), **({"b_y": e} if net.readout_bias else {})}
        dh = p["V"] @ e
        return parts, dh if net.state == "rate" else dh * net.activation.derivative(state)
