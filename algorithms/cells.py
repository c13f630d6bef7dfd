"""Any cell unrolled in time: its steps, and their vector-Jacobian products from the forward equations.

    state(t) = step(parameters, state(t-1), x(t)),  u(t) = readout(parameters, state(t))
    e(t) = w_t dL_t/du(t)                         the error at the output, loss weight w_t included
    enter(t): e(t) to dL_t/dstate(t), and to the parameters of the readout at time t
    back(t):  dL/dstate(t) to dL/dstate(t-1), to the parameters of step t, and to x(t) if that is asked for

No derivative is written here: `reference.tape` runs `step` and `readout` once and transposes each operation, on any
number system. A state is an array or a nest of arrays; so is its cotangent.

Source: Werbos 1990, "Backpropagation through time: what it does and how to do it"; Griewank and Walther 2008,
"Evaluating Derivatives", chapter 3, for the vector-Jacobian products.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from gradcheck.reference import lags
from gradcheck.reference.cotangents import CotangentSum
from gradcheck.reference.networks import start
from gradcheck.reference.networks.elman import is_fully_recurrent
from gradcheck.reference.problem import Problem, map_state
from gradcheck.reference.tape import Pullback, vjp
from gradcheck.reference.typing import Array, Gradient, Parameters, State

from .passes import is_in_passes

R = TypeVar("R")


class Total:
    """The gradient of the parameters, a sum of contributions."""

    def __init__(self, parameters: Parameters) -> None:
        self._sums = {name: CotangentSum(array) for name, array in parameters.items()}

    def add(self, contribution: dict[str, CotangentSum]) -> None:
        """Add what a step or a readout contributes."""
        for name, part in contribution.items():
            self._sums[name].add(*part.terms)

    def gradient(self) -> Gradient:
        """Return the sum, parameter name to array."""
        return {name: part.array() for name, part in self._sums.items()}


@dataclass(frozen=True)
class Step:
    """One step and its readout.

    Attributes:
        state: The state after it.
        e: The error at the output, (K,).
        step: Takes a cotangent of the state to those of the parameters and of the state before, and of x if asked for.
        readout: Takes one of u to those of the parameters and of the state.
        start: Takes a cotangent of the state before step 1 to one of the parameters, where they make that state.
    """

    state: State
    e: Array
    step: Pullback
    readout: Pullback
    start: Pullback | None = None

    def enter(self, total: Total) -> State:
        """Return the cotangent of this step's state from its own loss; add what the readout contributes."""
        parameters, state = self.readout.terms(self.e)
        total.add(parameters)
        return map_state(CotangentSum.array, state)

    def back(self, cotangent: State, total: Total) -> State:
        """Return the cotangent of the state before; add what the step contributes, and a learned start at step 1."""
        return self.back_to_input(cotangent, total)[0]

    def back_to_input(self, cotangent: State, total: Total) -> tuple[State, Array | None]:
        """Return the cotangents of the state before and of x, (D,), if asked for; add as `back` does."""
        parameters, pulled, *inputs = self.step.terms(cotangent)
        total.add(parameters)
        state = map_state(CotangentSum.array, pulled)
        if self.start is not None:
            total.add(self.start.terms(state)[0])
        return state, inputs[0].array() if inputs else None


def taken(
    network: Any, parameters: Parameters, state: State, x: Array, y: Array, weight: Any, *, to_input: bool = False
) -> Step:
    """Return the step from `state` with the input x, (D,), and the loss against y, (K,), times `weight`.

    With `to_input` its pullback goes to x too.
    """
    moving = (parameters, state, *([x] if to_input else []))
    state, step = vjp(lambda p, a, x=x: network.step(p, a, x), *moving)
    u, readout = vjp(network.readout, parameters, state)
    return Step(state, weight * lags.output_error(network, u, y), step, readout)


def steps(problem: Problem, *, to_inputs: bool = False) -> list[Step]:
    """Return the steps of a problem, in order; `to_inputs` as for `taken`."""
    made: list[Step] = []
    state, first = problem.initial_state, None
    if start.is_learned(problem.network):
        state, first = vjp(lambda p: start.learned(problem.network, p), problem.parameters)
    for t, (x, y, weight) in enumerate(zip(problem.inputs, problem.targets, problem.loss_weights, strict=True), 1):
        made.append(taken(problem.network_at(t), problem.parameters, state, x, y, weight, to_input=to_inputs))
        state = made[-1].state
    made[0] = dataclasses.replace(made[0], start=first)
    return made


def nothing(state: State) -> State:
    """Return a cotangent of zeros."""
    return map_state(np.zeros_like, state)


def added(a: State, b: State) -> State:
    """Return the sum of two cotangents."""
    return map_state(lambda one, other: one + other, a, b)


SIDE_BY_SIDE = "side_by_side"
"""Attribute, True for a rule that takes the sequences of a batch side by side, as the network of the batch does."""


def or_on_any_cell(general: Any) -> Callable[[R], R]:
    """Return a decorator of a rule for the fully recurrent network; `general` is run on all other networks.

    Args:
        general: A function of a problem, and of noise if the rule has it, or a class of an online rule, or of one in
            passes, whose state and cotangent are of the class `general.carried`.
    """

    def decorate(special: Any) -> Any:
        made = _made_of_both(special, general)
        made.__implementations__ = (special, general)
        return made

    return decorate


def _function_of_both(special: Any, general: Any) -> Any:
    @functools.wraps(special)
    def rule(problem: Problem, *noise: Any, **settings: Any) -> Gradient:
        chosen = special if is_fully_recurrent(problem.network) else general
        return chosen(problem, *noise, **settings)  # type: ignore[no-any-return]

    setattr(rule, SIDE_BY_SIDE, True)
    return rule


def _made_of_both(special: Any, general: Any) -> Any:
    if not isinstance(special, type):
        return _function_of_both(special, general)
    return _passes_of_both(special, general) if is_in_passes(special) else _online_of_both(special, general)


def _passes_of_both(special: Any, general: Any) -> Any:
    def chosen(carried: Any) -> Any:
        return general() if isinstance(carried, general.carried) else special()

    class Both:
        def start(self, network: Any, parameters: Parameters, initial_state: State) -> Any:
            made = special if is_fully_recurrent(network) else general
            return made().start(network, parameters, initial_state)

        def forward(self, state: Any, x: Array) -> Any:
            return chosen(state).forward(state, x)

        def end(self, state: Any) -> Any:
            return chosen(state).end(state)

        def backward(self, cotangent: Any, kept: Any, y: Array, weight: Any) -> Any:
            return chosen(cotangent).backward(cotangent, kept, y, weight)

        def finish(self, cotangent: Any) -> Any:
            return general().finish(cotangent) if isinstance(cotangent, general.carried) else None

    return functools.update_wrapper(Both, special, updated=())


def _online_of_both(special: Any, general: Any) -> Any:
    class Both:
        def start(self, network: Any, parameters: Parameters, initial_state: State) -> Any:
            chosen = special if is_fully_recurrent(network) else general
            return chosen().start(network, parameters, initial_state)

        def step(self, state: Any, x: Array, y: Array, weight: Any) -> Any:
            chosen = general if isinstance(state, general.carried) else special
            return chosen().step(state, x, y, weight)

    return functools.update_wrapper(Both, special, updated=())
