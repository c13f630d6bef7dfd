"""Rules on any cell, whatever its state and parameters: each is the rule of its name with the products of `cells`.

With delta(t) = dL/dstate(t), d(t) the part of it from the loss at t, J(t) = dstate(t)/dstate(t-1):
    delta(T) = d(T),  delta(t) = d(t) + J(t+1)^T delta(t+1),  dL/dTheta = sum_t (dstate(t)/dTheta)^T delta(t)
and the readouts' own share of dL/dTheta. BPTT to the inputs has
    dL/dx(t) = (dstate(t)/dx(t))^T delta(t),  dL/dstate(0) = J(1)^T delta(1)
too. BPTT in passes hands J(t+1)^T delta(t+1) from step to step. Truncation leaves out what its rule leaves out. RTRL
carries
    M(0) = dstate(0)/dTheta, 0 unless the start is learned,  M(t) = J(t) M(t-1) + dstate(t)/dTheta
forward, and contributes d(t)^T M(t) and the readout's share at each step.

Source: those of `bptt`, `bptt_passes`, `truncated_bptt`, `windowed_bptt`, `chunked_bptt`, `artbp` and `rtrl`.
Cost: that of T steps back, or windows of them; for RTRL one step back for each entry of the state. Storage: every
operation of T steps; for RTRL N P, with N entries in the state and P in the parameters, whatever T is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from gradcheck.reference.networks import start
from gradcheck.reference.problem import Problem, map_state
from gradcheck.reference.tape import vjp
from gradcheck.reference.tree import leaves
from gradcheck.reference.typing import Array, Gradient, Parameters, State

from .cells import Step, Total, added, nothing, steps, taken
from .cuts import Probability, factors_of, require_probabilities
from .settings import require_steps, require_window


def bptt(problem: Problem) -> Gradient:
    """Return the gradient by one pass back through all steps."""
    total = Total(problem.parameters)
    _send_back(steps(problem), total)
    return total.gradient()


def bptt_to_inputs(problem: Problem) -> Gradient:
    """Return the gradient of parameters, inputs and initial state by one pass back through all steps."""
    total, made, rows = Total(problem.parameters), steps(problem, to_inputs=True), list[Any]()
    cotangent = nothing(made[-1].state)
    for each in reversed(made):
        cotangent, row = each.back_to_input(added(each.enter(total), cotangent), total)
        rows.append(row)
    return {**total.gradient(), "inputs": np.stack(rows[::-1]), "initial_state": cotangent}


def chunked_bptt(problem: Problem, *, length: int) -> Gradient:
    """Return the gradient with the graph cut every `length` steps and the state carried over."""
    length = require_steps(length, "length")
    total, made = Total(problem.parameters), steps(problem)
    for first in range(0, problem.T, length):
        _send_back(made[first : first + length], total)
    return total.gradient()


def _send_back(chunk: list[Step], total: Total) -> None:
    """Send the losses of successive steps back through them; nothing comes from after the last."""
    cotangent = nothing(chunk[-1].state)
    for each in reversed(chunk):
        cotangent = each.back(added(each.enter(total), cotangent), total)


def truncated_bptt(problem: Problem, *, tau: int) -> Gradient:
    """Return the gradient truncated at `tau` steps: each loss goes back through `tau` steps."""
    tau = require_steps(tau, "tau")
    total, made = Total(problem.parameters), steps(problem)
    for t, last in enumerate(made):
        cotangent = last.enter(total)
        for each in reversed(made[max(t + 1 - tau, 0) : t + 1]):
            cotangent = each.back(cotangent, total)
    return total.gradient()


def windowed_bptt(problem: Problem, *, horizon: int, stride: int) -> Gradient:
    """Return BPTT(h; h'): every `stride` steps, a backward pass through the last `horizon`."""
    horizon, stride = require_window(horizon, stride)
    total, made, done = Total(problem.parameters), steps(problem), 0
    for end in (*range(stride, problem.T, stride), problem.T):
        cotangent = nothing(problem.initial_state)
        for t in reversed(range(max(end - horizon, 0), end)):
            if t >= done:
                cotangent = added(made[t].enter(total), cotangent)
            cotangent = made[t].back(cotangent, total)
        done = end
    return total.gradient()


def artbp(problem: Problem, noise: Any, *, c: Probability | Sequence[Probability] = 0.5) -> Gradient:
    """Return the gradient with the graph cut at random, and what crosses a step without a cut made larger."""
    total, made = Total(problem.parameters), steps(problem)
    factors = factors_of(noise, require_probabilities(c, problem.T))
    cotangent = nothing(made[-1].state)
    for each, factor in zip(reversed(made), (1, *reversed(factors)), strict=True):
        crossing = map_state(lambda g, by=factor: g * by, cotangent)
        cotangent = each.back(added(each.enter(total), crossing), total)
    return total.gradient()


class Influence(NamedTuple):
    """State of RTRL: the network, its parameters and its state, N entries in all, and M (N, P)."""

    network: Any
    parameters: Parameters
    state: State
    M: Array


class RTRL:
    """Real-time recurrent learning: the influence matrix of all parameters on the state, carried forward."""

    carried = Influence

    def start(self, network: Any, parameters: Parameters, initial_state: State) -> Influence:
        if start.is_learned(network):
            state, first = vjp(lambda p: start.learned(network, p), parameters)
            return Influence(network, parameters, state, np.stack([flat(first(unit)[0]) for unit in units(state)]))
        N, P = (sum(array.size for array in leaves(nest)) for nest in (initial_state, parameters))
        return Influence(network, parameters, initial_state, np.zeros_like(leaves(initial_state)[0], shape=(N, P)))

    def step(self, state: Influence, x: Array, y: Array, weight: Any) -> tuple[Influence, Gradient]:
        net, parameters, before, M = state
        now = taken(net, parameters, before, x, y, weight)
        rows = [now.step(unit) for unit in units(now.state)]
        M = np.stack([flat(J) for _, J in rows]) @ M + np.stack([flat(own) for own, _ in rows])
        total = Total(parameters)
        shared, at = flat(now.enter(total)) @ M, 0
        contribution = total.gradient()
        for name, array in parameters.items():
            contribution[name] = contribution[name] + shared[at : at + array.size].reshape(array.shape)
            at += array.size
        return Influence(net, parameters, now.state, M), contribution


class Carried(NamedTuple):
    """State of both passes of BPTT: the state, or the cotangent that it gets from later steps, and the network."""

    network: Any
    parameters: Parameters
    value: State


class Kept(NamedTuple):
    """Values of one step of BPTT in passes: the state before, and x (D,); the step is taken again from them."""

    before: State
    x: Array


class BPTTPasses:
    """BPTT in passes: each step back takes its step forward again, and transposes it."""

    carried = Carried

    def start(self, network: Any, parameters: Parameters, initial_state: State) -> Carried:
        return Carried(network, parameters, initial_state)

    def forward(self, state: Carried, x: Array) -> tuple[Carried, Kept]:
        net, parameters, before = state
        return Carried(net, parameters, net.step(parameters, before, x)), Kept(before, x)

    def end(self, state: Carried) -> Carried:
        return state._replace(value=nothing(state.value))

    def backward(self, cotangent: Carried, kept: Kept, y: Array, weight: Any) -> tuple[Carried, Gradient]:
        net, parameters, later = cotangent
        total, now = Total(parameters), taken(net, parameters, *kept, y, weight)
        before = now.back(added(now.enter(total), later), total)
        return Carried(net, parameters, before), total.gradient()

    def finish(self, cotangent: Carried) -> Gradient | None:
        net, parameters, first = cotangent
        if not start.is_learned(net):
            return None
        total = Total(parameters)
        _, pull = vjp(lambda p: start.learned(net, p), parameters)
        total.add(pull.terms(first)[0])
        return total.gradient()


def flat(nest: Any) -> Array:
    """Return the entries of a nest as one array, (N,)."""
    return np.concatenate([array.reshape(-1) for array in leaves(nest)])


def units(state: State) -> Iterator[State]:
    """Yield the unit vectors of a state's entries, nested as it is."""
    for place, array in enumerate(leaves(state)):
        for index in np.ndindex(*array.shape):
            unit = nothing(state)
            part = leaves(unit)[place]
            part[index] = part[index] + 1
            yield unit
