"""Steps of an online rule from a memory: on a new instance, whose attributes and state are all it has.

A stochastic rule gets noise of each step, from which it can draw, and in which it can keep nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ....algorithms.online import is_stochastic, starts_with_noise
from ....reference.claims import Settings
from ....reference.networks.base import Capabilities, ask
from ....reference.noise import Noise
from ....reference.problem import Problem
from ....reference.scalars.base import Field, FieldArray
from ....reference.scalars.formal import natives
from ....reference.typing import Array, Gradient
from ....rules.adapt import Rule, presenting
from ....rules.call import run
from ....rules.returned import by_name
from .draws import OnlyDraws, taken_from
from .hidden import attached, reachable, reaches_part_of
from .memory import Memory, attributes, rebuilt, taken_apart
from .trust import Unproved

Contribution = dict[str, Array]
"""Name to an array of native values."""
R = TypeVar("R")


@dataclass(frozen=True)
class Stepped:
    """The outcome of one step of a rule.

    Attributes:
        memory: The memory after it.
        contribution: The contribution, or None.
        written: Numbers of the arrays of the memory before that were written to.
    """

    memory: Memory
    contribution: Contribution | None
    written: frozenset[int] = frozenset()


class Stepper:
    """An online rule on one network and number system.

    Args:
        rule: The rule.
        settings: Its settings.
        problem: A problem on the number system, whose network and parameters it gets.
        field: The number system.
        weighted: Pass the loss weight.
    """

    def __init__(self, rule: Rule, settings: Settings, problem: Problem, field: Field, *, weighted: bool) -> None:
        self.rule, self.settings, self.problem, self.field = rule, settings, problem, field
        self.weighted, self.network = weighted, problem.network
        self.kind: type = rule.target if isinstance(rule.target, type) else type(rule.target)
        self.draws = is_stochastic(rule.target)

    def start(self, noise: Noise | None = None) -> Memory:
        """Return the memory before step 1.

        Args:
            noise: What a stochastic rule may draw from.
        """
        target, problem = self.rule.target, self.problem
        instance: Any
        if isinstance(target, type):
            instance = target(**self.settings)
        else:
            own = taken_apart((attributes(target, "self"), None), self.field, self.network)
            instance, _ = self._instance(own)
        drawing = self._drawing(noise) if self.draws and starts_with_noise(target) else ()
        state = instance.start(self.network, problem.parameters, problem.initial_state, *drawing)
        _refuse_more(drawing)
        return self._memory(instance, state)

    def step(self, memory: Memory, x: Array, y: Array, weight: Any, noise: Noise | None = None) -> Stepped:
        """Return what a step from a memory makes.

        Args:
            memory: The memory, with numbers of any kind of this number system.
            x: The input, (D,).
            y: The target, (K,).
            weight: The loss weight.
            noise: What a stochastic rule may draw from.

        Raises:
            Unproved: It keeps something outside its memory.
        """
        instance, made = self._instance(memory)
        before = self._reachable(memory)
        drawing = self._drawing(noise) if self.draws else ()
        result = instance.step(made.state, x.copy(), y.copy(), *([weight] if self.weighted else []), *drawing)
        _refuse_more(drawing)
        if not isinstance(result, tuple) or len(result) != 2:
            raise Unproved("step returned no pair of a state and a contribution")
        after = self._memory(instance, result[0])
        contribution = self._contribution(result[1])
        if self._reachable(memory) != before:
            raise Unproved("a step changes something outside the state and the rule's own attributes")
        return Stepped(after, contribution, made.changed)

    def finish(self, memory: Memory) -> Contribution | None:
        """Return what the rule contributes after its last step, from a copy of its memory."""
        instance, made = self._instance(memory)
        if not hasattr(instance, "finish"):
            return None
        before = self._reachable(memory)
        contribution = self._contribution(instance.finish(made.state))
        if self._reachable(memory) != before:
            raise Unproved("finish changes something outside the state and the rule's own attributes")
        return contribution

    def finishes(self, memory: Memory) -> bool:
        """Return True if the rule has a `finish`."""
        return hasattr(self._instance(memory)[0], "finish")

    def _drawing(self, noise: Noise | None) -> tuple[Any, ...]:
        if noise is None:
            raise Unproved("the rule draws from noise")
        return (OnlyDraws(noise),)

    def _reachable(self, *memories: Memory) -> Any:
        ours = (self.field.scalar, FieldArray, type(self.field), OnlyDraws)
        kinds = (kind for memory in memories for kind in memory.kinds)
        return reachable(self.kind, *kinds), tuple(map(attached, ours)), tuple(vars(self.field))

    def _instance(self, memory: Memory) -> tuple[Any, Any]:
        made = rebuilt(memory, memory.values, self.field, self.network)
        instance: Any = object.__new__(self.kind)
        vars(instance).update(made.own)
        return instance, made

    def _memory(self, instance: Any, state: Any) -> Memory:
        memory = taken_apart((attributes(instance, "self"), state), self.field, self.network)
        if reaches_part_of(memory, self.kind, *memory.kinds):
            raise Unproved("its state holds something that its code reaches otherwise too")
        return memory

    def _contribution(self, part: Gradient | None) -> Contribution | None:
        if part is None:
            return None
        arrays = {name: np.asarray(array) for name, array in by_name(part).items()}
        wanted = {name: array.shape for name, array in self.problem.parameters.items()}
        if {name: array.shape for name, array in arrays.items()} != wanted:
            raise Unproved("it contributes other arrays than those of the parameters")
        return {name: natives(self.field, arrays[name]) for name in wanted}


def _refuse_more(drawing: tuple[Any, ...]) -> None:
    """Raise `Unproved` where code took more from noise than draws: it could count steps there."""
    for each in drawing:
        if more := taken_from(each):
            raise Unproved(f"its code uses {', '.join(f'noise.{name}' for name in more)}; draw from noise, no more")


def checked(rule: Rule, settings: Settings, problem: Problem, work: Callable[[Problem], R]) -> R:
    """Run code of a rule as a checked call: its output is kept from the terminal, and its side effects are undone.

    Args:
        rule: The rule.
        settings: Its settings.
        problem: A problem on the number system of the work.
        work: Takes the problem as the rule gets it.

    Raises:
        Unproved: Raised by `work`, or the code changes what other code computes.
        GradcheckError: As for `gradcheck.rules.call.run`.
    """
    if ask(problem.network, Capabilities.presented, problem) is not problem:
        raise Unproved("the network is a batch of sequences")
    results: list[R] = []
    refusals: list[Unproved] = []

    def function(given: Problem, **_: Any) -> Gradient:
        try:
            results.append(work(given))
        except Unproved as error:
            refusals.append(error)
        return {name: np.zeros_like(array) for name, array in given.parameters.items()}

    done = run(rule.within(presenting(function)), problem, settings)
    if refusals:
        raise refusals[0]
    if done.changes.faults or done.changes.drawn:
        raise Unproved(f"its call changes what other code computes: {'; '.join(done.changes.faults) or 'it draws'}")
    return results[0]
