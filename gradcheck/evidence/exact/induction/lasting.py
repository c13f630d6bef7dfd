"""Proof that a rule's memory has one form, or a few in turn, for every T: its size and a step's work do not grow.

A step is taken from generators in place of all numbers of the memory, so it does the same whatever they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ....reference.networks.base import Sizes
from ....reference.problem import Problem
from ....reference.typing import Array
from .draws import AnyNoise, SymbolicNoise
from .memory import Memory
from .models import Numbers
from .observed import MOST_STEPS, observe, repeats, residues, steps_of
from .proof import Subject, ring
from .stepping import Contribution
from .trust import Unproved


@dataclass(frozen=True)
class Lasting:
    """A form that lasts.

    Attributes:
        first: The time from which on the form repeats.
        period: The number of steps after which it does.
        numbers: The most numbers that a memory holds.
    """

    first: int
    period: int
    numbers: int


class _Nothing:
    """A model that carries nothing."""

    settled = 0

    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    def labels(self) -> list[str]:
        return []

    def start(self) -> Numbers:
        return []

    def advance(self, numbers: Numbers, x: Array, y: Array, weight: object) -> tuple[Numbers, Contribution]:
        return [], {}


def lasting(subject: Subject, sizes: Sizes) -> Lasting:
    """Prove at one size that the form of a rule's memory repeats for every T.

    Args:
        subject: The rule, its network and settings.
        sizes: The size; its T does not count.

    Raises:
        Unproved: It was not shown. The message says why.
        GradcheckError: The rule does not run on polynomials.
    """
    point, residue = residues(subject.network, Sizes(MOST_STEPS, sizes.I, sizes.D, sizes.K), subject.case.weighted)

    def look(problem: Problem) -> list[Memory]:
        def noise(t: int) -> AnyNoise:
            return AnyNoise(residue, problem.inputs, t)

        model: Any = _Nothing(problem)
        return observe(subject.stepper(problem, residue), model, problem, noise).memories

    memories = subject.run(point, look)
    first, period = repeats(memories)
    begin: Memory = memories[first]
    problem, formal = ring(subject, sizes, len(begin.entries), period)

    def work(given: Problem) -> int:
        stepper = subject.stepper(given, formal)
        made = [begin.with_values([formal.symbol(f"{entry.path} before") for entry in begin.entries])]
        written, noise = [], SymbolicNoise(formal, given.inputs)
        for each in steps_of(given):
            step = stepper.step(made[-1], *each, noise)
            written.append(step.written)
            made.append(step.memory)
        for memory in made:
            stepper.finish(memory)
        if made[-1].form != begin.form:
            raise Unproved(f"the state has another form after {period} steps")
        shared = [begin.overlapping | made[-1].overlapping, *(memory.overlapping for memory in made[1:])]
        if any(one & other for one, other in zip(written, shared, strict=False)):
            raise Unproved("a step writes into arrays of its state that share their storage")
        return max(len(memory.entries) for memory in made)

    numbers = max(subject.run(problem, work), *(len(memory.entries) for memory in memories))
    return Lasting(first, period, numbers)
