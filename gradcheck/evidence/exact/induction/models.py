"""Recursions that a rule is held to: the gradient's own, or that of another online rule.

A model carries numbers Z(t), with Z(t) = advance(Z(t-1), x(t), y(t), w(t)), and what it contributes at t. For the
gradient they are the network's state a(t) and its influence M(t) = da(t)/dTheta:
    M(0) = da(0)/dTheta, 0 unless the start is learned,  M(t) = J(t) M(t-1) + dstep/dTheta
    contribution: dL_t/dTheta = (dL_t/da(t)) M(t) + the readout's own share
The derivatives are those of the reference's reverse pass (`reference.tape`) through the network's forward equations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from ....reference import lags
from ....reference.networks import base as networks
from ....reference.networks import start
from ....reference.problem import Problem
from ....reference.scalars.base import Field
from ....reference.scalars.formal import entry_name, natives
from ....reference.tape import vjp
from ....reference.tree import flatten, leaves, map_nest, path_name
from ....reference.typing import Array, State
from .memory import Memory
from .stepping import Contribution, Stepper
from .trust import Unproved

Numbers = list[Any]
"""Native values of one number system."""


class Model(Protocol):
    """A recursion on numbers of one number system, from one problem's parameters.

    Attributes:
        problem: The problem.
        field: Its number system.
        settled: The first time at which its numbers are those that `labels` names.
    """

    problem: Problem
    field: Field
    settled: int

    def labels(self) -> list[str]:
        """Return the names of the numbers that it carries, such as "a[0]"."""

    def start(self) -> Numbers:
        """Return them before step 1."""

    def advance(self, numbers: Numbers, x: Array, y: Array, weight: Any) -> tuple[Numbers, Contribution]:
        """Return them after a step, and what it contributes."""


class StateModel:
    """The network's state alone. It contributes nothing.

    Args:
        problem: The problem, whose network, parameters and initial state count.
        field: Its number system.
    """

    settled = 0

    def __init__(self, problem: Problem, field: Field) -> None:
        self.problem, self.field = problem, field
        self.P = sum(array.size for array in problem.parameters.values())
        self._shape = map_nest(lambda array: np.zeros(array.shape), problem.initial_state)
        self.N = sum(array.size for array in leaves(self._shape))

    def labels(self) -> list[str]:
        return self.states()

    def states(self) -> list[str]:
        """Return the names of the state's entries: a[0], or a[h][0] for a nest."""
        return [
            entry_name(path_name("a", path), index)
            for path, array in flatten(self._shape)
            for index in np.ndindex(*array.shape)
        ]

    def start(self) -> Numbers:
        return self.flat(self.problem.initial_state)

    def advance(self, numbers: Numbers, x: Array, y: Array, weight: Any) -> tuple[Numbers, Contribution]:
        after = networks.step(self.problem.network, self.problem.parameters, self.state(numbers), x)
        return self.flat(after), nothing(self.problem, self.field)

    def state(self, numbers: Numbers) -> State:
        """Return the network's state among the numbers."""
        rest = iter(numbers[: self.N])
        return map_nest(lambda a: self.field.array([next(rest) for _ in range(a.size)], a.shape), self._shape)

    def flat(self, state: State) -> Numbers:
        """Return the native values of a state's entries, in order."""
        return [value for array in leaves(state) for value in self.field.natives(array)]

    def flat_parameters(self, gradient: dict[str, Array]) -> Numbers:
        """Return the native values of a gradient's entries, in order."""
        return [value for name in self.problem.parameters for value in self.field.natives(gradient[name])]


class GradientModel(StateModel):
    """The network's state and its influence matrix."""

    def labels(self) -> list[str]:
        return self.states() + [f"d{n}/d{m}" for n in self.states() for m in parameter_names(self.problem)]

    def start(self) -> Numbers:
        problem = self.problem
        if not start.is_learned(problem.network):
            return self.flat(problem.initial_state) + [self.field.convert(0)] * (self.N * self.P)
        state, pull = vjp(lambda p: start.learned(problem.network, p), problem.parameters)
        rows = [self.flat_parameters(pull(unit)[0]) for unit in self._units(state)]
        return self.flat(state) + [value for row in rows for value in row]

    def advance(self, numbers: Numbers, x: Array, y: Array, weight: Any) -> tuple[Numbers, Contribution]:
        network, parameters, K = self.problem.network, self.problem.parameters, len(y)
        before = self.state(numbers)
        state, step = vjp(lambda p, a: networks.step(network, p, a, x), parameters, before)
        u, pull = vjp(lambda p, a: networks.readout(network, p, a, K), parameters, state)
        influence = self._carried(numbers, state, step)
        own, entering = pull(weight * lags.output_error(network, u, y))
        through = self._times([self.flat(entering)], influence)[0]
        total = [a + b for a, b in zip(self.flat_parameters(own), through, strict=True)]
        return self.flat(state) + [v for row in influence for v in row], shaped(total, self.problem)

    def influence(self, numbers: Numbers) -> list[Numbers]:
        """Return the rows of the influence matrix among the numbers."""
        return [numbers[self.N + n * self.P : self.N + (n + 1) * self.P] for n in range(self.N)]

    def _carried(self, numbers: Numbers, state: State, step: Any) -> list[Numbers]:
        """Return the influence matrix after a step, by rows."""
        owns, backs = [], []
        for unit in self._units(state):
            own, back = step(unit)
            owns.append(self.flat_parameters(own))
            backs.append(self.flat(back))
        through = self._times(backs, self.influence(numbers))
        return [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(owns, through, strict=True)]

    def _times(self, left: list[Numbers], right: list[Numbers]) -> list[Numbers]:
        """Return a product of matrices; factors that are 0 cost nothing."""
        zero = self.field.convert(0)
        made = []
        for row in left:
            total = [zero] * self.P
            for factor, values in zip(row, right, strict=True):
                if factor != 0:
                    total = [t + factor * v if v != 0 else t for t, v in zip(total, values, strict=True)]
            made.append(total)
        return made

    def _units(self, state: State) -> Iterator[State]:
        """Yield the unit vectors of a state's entries, nested as it is."""
        for n in range(self.N):
            numbers = [self.field.convert(int(n == m)) for m in range(self.N)]
            yield self.state(numbers)


class _First(list[Any]):
    """Numbers of a memory whose form may be another than the lasting one."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory.values)
        self.memory = memory


class RuleModel:
    """The memory of an online rule whose form is the same after every step; before the first it may be another.

    Args:
        stepper: The rule.
    """

    def __init__(self, stepper: Stepper) -> None:
        self.stepper, self.problem, self.field = stepper, stepper.problem, stepper.field
        self._first = stepper.start()
        if stepper.finishes(self._first):
            raise Unproved("the rule of the claim contributes after the last step")
        problem = stepper.problem
        after = stepper.step(self._first, problem.inputs[0], problem.targets[0], problem.loss_weights[0]).memory
        self._lasting = after
        self.settled = int(self._first.form != after.form)

    def labels(self) -> list[str]:
        return [entry.path for entry in self._lasting.entries]

    def start(self) -> Numbers:
        return _First(self._first)

    def advance(self, numbers: Numbers, x: Array, y: Array, weight: Any) -> tuple[Numbers, Contribution]:
        before = numbers.memory if isinstance(numbers, _First) else self._lasting.with_values(numbers)
        made = self.stepper.step(before, x, y, weight)
        if made.memory.form != self._lasting.form:
            raise Unproved("the memory of the claim's rule has another form after a step")
        if made.written & (before.overlapping | made.memory.overlapping):
            raise Unproved("the claim's rule writes into arrays that share their storage")
        return made.memory.values, made.contribution or nothing(self.problem, self.field)


def parameter_names(problem: Problem) -> list[str]:
    """Return the names of all entries of the parameters, in order."""
    return [entry_name(name, index) for name, array in problem.parameters.items() for index in np.ndindex(*array.shape)]


def parameter_values(problem: Problem, field: Field) -> Numbers:
    """Return the native values of all entries of the parameters, in order."""
    return [value for array in problem.parameters.values() for value in field.natives(array)]


def shaped(values: Numbers, problem: Problem) -> Contribution:
    """Return values of all parameters' entries in arrays by name."""
    made, at = {}, 0
    for name, array in problem.parameters.items():
        part = np.empty(array.size, dtype=object)
        part[:] = values[at : at + array.size]
        made[name] = part.reshape(array.shape)
        at += array.size
    return made


def nothing(problem: Problem, field: Field) -> Contribution:
    """Return a contribution of zeros."""
    P = sum(array.size for array in problem.parameters.values())
    return shaped([field.convert(0)] * P, problem)


__all__ = [
    "GradientModel",
    "Model",
    "Numbers",
    "RuleModel",
    "natives",
    "nothing",
    "parameter_names",
    "shaped",
    "StateModel",
]
