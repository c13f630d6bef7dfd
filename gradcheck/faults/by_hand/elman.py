"""Elman's network by hand: h(t) = f(s(t)), s(t) = W^T x(t) + R^T h(t-1) + b; its start may be learned."""

from __future__ import annotations

from typing import Any

from ...reference.claims import Exact, rule
from ...reference.networks.simple import Elman
from ...reference.problem import Problem
from ...reference.typing import Array, Gradient, Parameters
from .unrolled import Cell, Parts, affine, affine_back, through_time


@rule(Exact(), networks=[Elman(biases=2)], weighted=True)
def elman(problem: Problem) -> Gradient:
    """Return the gradient of an Elman network by a backward pass that is written out."""
    return through_time(problem, Simple())


class Simple(Cell):
    """One step of an Elman network."""

    def forward(self, net: Any, p: Parameters, state: Array, x: Array) -> tuple[Array, Any]:
        s = affine(p, "", x, state)
        return net.activation(s), (x, state, s)

    def backward(self, net: Any, p: Parameters, kept: Any, dstate: Array) -> tuple[Parts, Array, Array]:
        x, h, s = kept
        ds = dstate * net.activation.derivative(s)
        return affine_back(p, "", x, h, ds)

    def start_back(self, p: Parameters, dstate: Array) -> Parts:
        return {"h0": dstate}
