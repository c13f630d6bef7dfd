"""Pairs of units that turn and shrink, by hand: LRU and RTU; see there for the equations.

With a = r cos(phi), b = r sin(phi), the pair (re, im) is multiplied by [[a, -b], [b, a]], and the error by its
transpose:
    dL/dre(t-1) = a g_re + b g_im,  dL/dim(t-1) = a g_im - b g_re
    r = exp(-exp(nu)), phi = exp(theta): dL/dnu = -exp(nu) (a da + b db), dL/dtheta = exp(theta) (a db - b da)
    RTU's gamma = sqrt(1 - r^2) adds exp(nu) r^2 / gamma dL/dgamma to dL/dnu
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...reference.claims import Exact, rule
from ...reference.networks.linear import LRU
from ...reference.problem import Problem
from ...reference.typing import Array, Gradient, Parameters, State
from .unrolled import Cell, Parts, through_time


@rule(Exact(), networks=[LRU()], weighted=True)
def turning(problem: Problem) -> Gradient:
    """Return the gradient of units that turn by a backward pass that is written out."""
    return through_time(problem, Pairs())


class Pairs(Cell):
    """One step of pairs of units that turn."""

    def forward(self, net: Any, p: Parameters, state: State, x: Array) -> tuple[State, Any]:
        re, im = state
        size, angle = np.exp(-np.exp(p["nu"])), np.exp(p["theta"])
        a, b = size * np.cos(angle), size * np.sin(angle)
        gamma = np.exp(p["log_gamma"]) if "log_gamma" in p else np.sqrt(1 - size * size)
        x_re, x_im = p["B_re"].T @ x, p["B_im"].T @ x
        s_re, s_im = a * re - b * im + gamma * x_re, b * re + a * im + gamma * x_im
        return (net.activation(s_re), net.activation(s_im)), (x, re, im, size, a, b, gamma, x_re, x_im, s_re, s_im)

    def backward(self, net: Any, p: Parameters, kept: Any, dstate: State) -> tuple[Parts, State, Array]:
        x, re, im, size, a, b, gamma, x_re, x_im, s_re, s_im = kept
        g_re, g_im = dstate[0] * net.activation.derivative(s_re), dstate[1] * net.activation.derivative(s_im)
        da = g_re * re + g_im * im
        db = g_im * re - g_re * im
        dgamma = g_re * x_re + g_im * x_im
        dnu = -np.exp(p["nu"]) * (a * da + b * db)
        parts = {
            "B_re": np.outer(x, gamma * g_re),
            "B_im": np.outer(x, gamma * g_im),
            "theta": np.exp(p["theta"]) * (a * db - b * da),
        }
        if "log_gamma" in p:
            parts["log_gamma"] = gamma * dgamma
        else:
            dnu = dnu + np.exp(p["nu"]) * size * size / gamma * dgamma
        parts["nu"] = dnu
        before = a * g_re + b * g_im, a * g_im - b * g_re
        return parts, before, p["B_re"] @ (gamma * g_re) + p["B_im"] @ (gamma * g_im)

    def read_back(self, net: Any, p: Parameters, state: State, e: Array) -> tuple[Parts, State]:
        if "V" in p:
            re, im = np.split(p["V"] @ e, 2)
            parts = {"V": np.outer(np.concatenate(state), e)}
        else:
            re, im = p["V_re"] @ e, -(p["V_im"] @ e)
            parts = {"V_re": np.outer(state[0], e), "V_im": -np.outer(state[1], e)}
        return parts | ({"b_y": e} if net.readout_bias else {}), (re, im)
