"""Diagonal RTRL: one trace per weight, where each unit is a complex number that meets its own past alone.

Unit j has z_j = re_j + i im_j, and its weights meet no other unit. With the input y(t):
    s(t) = lambda z(t-1) + gamma (B^T y(t)),  z(t) = f(s(t)), f on re and im
    dz(t)/dweight = f'(lambda dz(t-1)/dweight + ds(t)/dweight), f' the slopes of re and im, each on its part, and
        ds(t)/dlambda = z(t-1),  ds(t)/dgamma = B^T y(t),  ds_j(t)/dB_mj = gamma_j y_m(t)
    c(t) = dL_t/dre(t) + i dL_t/dim(t), the error of loss t on z(t)
    gradient of a real weight: the sum over t of Re(conj(c(t)) dz(t)/dweight)
and with the chain of lambda = exp(-exp(nu) + i exp(theta)), r = |lambda|:
    dlambda/dnu = -exp(nu) lambda,  dlambda/dtheta = i exp(theta) lambda
    dgamma/dlog_gamma = gamma of LRUs;  gamma = sqrt(1 - r^2) and dgamma/dnu = exp(nu) r^2 / gamma of RTUs
Complex numbers are pairs of real ones here, so a trace has the derivatives of re and of im.

Source: Zucchet, Meier, Schug, Mujika and Sacramento 2023, "Online learning of long-range dependencies", for LRUs;
Elelimy, White, Bowling and White 2024, "Real-time recurrent learning using trace units in reinforcement learning", for
RTUs. Zucchet et al. write the error as dL/dz by Wirtinger's calculus, half of conj(c), and one trace for complex B
since f is the identity there; with another f, the parts of B_re and B_im have traces of their own.
Cost: O(1) per weight and step. Storage: O(P), whatever T is.
True of it: it is the gradient for one recurrent layer, since dz(t)/dz(t-1) is diagonal over complex numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradcheck.reference.claims import Cost, Exact, Online, rule
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import LRU, RTU
from gradcheck.reference.typing import Array, Gradient, Parameters

from .turning import READOUTS, TURNINGS, Pair, Turning, times

NETWORKS = (LRU(eigenvalues="cartesian"), LRU(), RTU())


class Traces(NamedTuple):
    """State of a layer: z as re and im (I,), and its derivatives by weight, each of the weight's shape."""

    z: Pair
    traces: dict[str, Pair]


class Units(NamedTuple):
    """State of the rule: the network, its parameters, and the traces of its one layer."""

    network: Any
    parameters: Parameters
    layer: Traces


@rule(
    Exact(),
    Online(),
    Cost(time="T*I*(D + K)", storage="I*(D + K)"),
    networks=NETWORKS,
    weighted=True,
)
class DiagonalRTRL:
    """Diagonal RTRL: one trace per weight of units that meet their own past alone.

    Online, on LRUs and RTUs: `start`, then `step` for each (x, y, weight).

    Raises:
        GradcheckError: The network is another, or has a readout bias.
    """

    def start(self, network: Any, parameters: Parameters, initial_state: Pair) -> Units:
        if type(network) not in (LRU, RTU) or network.readout_bias:
            raise GradcheckError(
                f"diagonal RTRL is written for LRU and RTU without a readout bias; got the network {network.name}, "
                f"{network}; use LayeredRTRL for layers of them"
            )
        return Units(network, parameters, started(network, parameters, initial_state))

    def step(self, state: Units, x: Array, y: Array, weight: Any) -> tuple[Units, Gradient]:
        net, parameters, before = state
        now = moved(net, parameters, before.z, x)
        found, c = READOUTS[type(net)](net, parameters, now.z, y, weight)
        traces = traced(now, before.traces)
        found |= said_of(traces, c)
        return Units(net, parameters, Traces(now.z, traces)), {name: found[name] for name in parameters}


class Moved(NamedTuple):
    """A layer's step: z after it and before, the slopes f', B^T y as a pair, its weights, the input y that it read."""

    z: Pair
    before: Pair
    slope: Pair
    given: Pair
    turning: Turning
    seen: Array


def started(layer: Any, weights: Parameters, z: Pair) -> Traces:
    """Return a layer's traces before the first step."""
    names = layer.weights(1, 1)
    return Traces(z, {name: (np.zeros_like(weights[name]), np.zeros_like(weights[name])) for name in names})


def moved(layer: Any, weights: Parameters, z: Pair, seen: Array) -> Moved:
    """Return a layer's step from z with the input `seen`."""
    turned = TURNINGS[type(layer), getattr(layer, "eigenvalues", "polar")](weights)
    given = weights["B_re"].T @ seen, weights["B_im"].T @ seen
    turn = times(turned.eigenvalue, z)
    s = turn[0] + turned.gamma * given[0], turn[1] + turned.gamma * given[1]
    slope = layer.activation.derivative(s[0]), layer.activation.derivative(s[1])
    return Moved((layer.activation(s[0]), layer.activation(s[1])), z, slope, given, turned, seen)


def traced(now: Moved, traces: dict[str, Pair]) -> dict[str, Pair]:
    """Return the traces after a step."""
    wide = np.outer(now.seen, now.turning.gamma)
    added: dict[str, Pair] = {"B_re": (wide, 0), "B_im": (0, wide)}
    for name, (of_eigenvalue, of_gamma) in now.turning.chain.items():
        re, im = times(of_eigenvalue, now.before)
        added[name] = re + of_gamma * now.given[0], im + of_gamma * now.given[1]

    after = {}
    for name, trace in traces.items():
        re, im = times(now.turning.eigenvalue, trace)
        after[name] = now.slope[0] * (re + added[name][0]), now.slope[1] * (im + added[name][1])
    return after


def said_of(traces: dict[str, Pair], c: Pair) -> Gradient:
    """Return Re(conj(c) dz/dweight) of each weight."""
    return {name: c[0] * re + c[1] * im for name, (re, im) in traces.items()}
