"""A cell unrolled in time, by hand: its steps forwards, then its losses backwards.

A `Cell` says how one step goes forwards and backwards; `through_time` does the rest.

Source: Werbos 1990, "Backpropagation through time: what it does and how to do it".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...reference.networks import start
from ...reference.problem import Problem, map_state
from ...reference.typing import Array, Gradient, Parameters, State

Parts = dict[str, Array]
"""Contributions to the gradient, by parameter."""


class Cell:
    """One step of a network, and the readout of its state."""

    def forward(self, net: Any, p: Parameters, state: State, x: Array) -> tuple[State, Any]:
        """Return the state after the step, and what `backward` needs of it."""
        raise NotImplementedError

    def backward(self, net: Any, p: Parameters, kept: Any, dstate: State) -> tuple[Parts, State, Array]:
        """Return the step's contributions, dL/dstate before the step and dL/dx, from dL/dstate after it."""
        raise NotImplementedError

    def read_back(self, net: Any, p: Parameters, state: State, e: Array) -> tuple[Parts, State]:
        """Return the contributions of the readout of h, the state's first array, and dL/dstate."""
        parts = {"V": np.outer(net.hidden(state), e), **({"b_y": e} if net.readout_bias else {})}
        dh = p["V"] @ e
        return parts, (dh, *map(np.zeros_like, state[1:])) if isinstance(state, tuple) else dh

    def start_back(self, p: Parameters, dstate: State) -> Parts:
        """Return the contributions of a learned start, from dL/dstate before step 1."""
        raise NotImplementedError


def through_time(problem: Problem, cell: Cell) -> Gradient:
    """Return the gradient of a network that is one cell under a readout."""
    net, p = problem.network, problem.parameters
    state, states, kept = problem.initial_state, [], []
    for x in problem.inputs:
        state, of_step = cell.forward(net, p, state, x)
        states.append(state)
        kept.append(of_step)
    total = {name: np.zeros_like(array) for name, array in p.items()}
    carried = map_state(np.zeros_like, state)
    for t in reversed(range(problem.T)):
        e = problem.loss_weights[t] * output_error(problem, states[t], t)
        parts, dstate = cell.read_back(net, p, states[t], e)
        add(total, parts)
        dstate = map_state(lambda own, later: own + later, dstate, carried)
        parts, carried, _ = cell.backward(net, p, kept[t], dstate)
        add(total, parts)
    if start.is_learned(net):
        add(total, cell.start_back(p, carried))
    return total


def output_error(problem: Problem, state: State, t: int) -> Array:
    """Return dL/du at step t, whose state is given."""
    net: Any = problem.network
    error: Array = net.output_error(net.readout(problem.parameters, state), problem.targets[t])
    return error


def add(total: Gradient, parts: Parts) -> None:
    """Add contributions to a gradient."""
    for name, part in parts.items():
        total[name] = total[name] + part


def affine(p: Parameters, gate: str, x: Array, h: Array) -> Array:
    """Return W^T x + R^T h of a gate, with the biases that there are."""
    s: Array = p[f"W{gate}"].T @ x + p[f"R{gate}"].T @ h
    for bias in biases(p, gate):
        s = s + p[bias]
    return s


def affine_back(p: Parameters, gate: str, x: Array, h: Array, ds: Array) -> tuple[Parts, Array, Array]:
    """Return what a gate contributes to the gradient, its dL/dh and its dL/dx, from dL/ds of its pre-activation s."""
    parts = {f"W{gate}": np.outer(x, ds), f"R{gate}": np.outer(h, ds)}
    for bias in biases(p, gate):
        parts[bias] = ds
    return parts, p[f"R{gate}"] @ ds, p[f"W{gate}"] @ ds


def biases(p: Parameters, gate: str) -> list[str]:
    """Return the names of a gate's biases."""
    return [name + gate for name in ("b", "Wb", "Rb") if name + gate in p]
