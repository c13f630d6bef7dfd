"""A rule and a model on polynomials, step by step: the record of a proof, and its comparisons."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ....reference.noise import Noise
from ....reference.problem import Problem
from ....reference.scalars.base import Field
from ....reference.scalars.formal import FormalField
from .memory import Memory
from .models import Model, Numbers, nothing
from .quantities import Inputs
from .stepping import Contribution, Stepper
from .trust import Unproved


@dataclass
class Transcript:
    """The polynomials of a proof, native, as the rule and the model gave them; from this a certificate is written.

    Attributes:
        problem: The problem of generators.
        formal: Its ring.
        numbers: What stands for Z at the beginning, by place.
        memories: The memories of the rule, the first and that after each step.
        contributions: The contribution of each step.
        finishes: What `finish` contributes from each of the memories.
    """

    problem: Problem
    formal: FormalField
    numbers: Numbers = field(default_factory=list)
    memories: list[Memory] = field(default_factory=list)
    contributions: list[Contribution] = field(default_factory=list)
    finishes: list[Contribution] = field(default_factory=list)


def carried_through(
    model: Model, numbers: Numbers, inputs: Sequence[Inputs]
) -> tuple[list[Numbers], list[Contribution]]:
    """Return what a model carries before some steps and after each, and what it contributes at each."""
    carried, shown = [numbers], list[Contribution]()
    for each in inputs:
        after, contribution = model.advance(carried[-1], *each)
        carried.append(after)
        shown.append(contribution)
    return carried, shown


def refuse_partial(formal: FormalField) -> None:
    """Raise `Unproved` where a ring has generators that are not defined everywhere."""
    if formal.partial:
        raise Unproved("it takes roots or quotients, which are not defined everywhere")


def take_steps(
    stepper: Stepper, start: Memory, inputs: Sequence[Inputs], made: Transcript, noise: Noise | None = None
) -> None:
    """Let the rule take steps from a memory, and keep what it makes."""
    zero = nothing(stepper.problem, stepper.field)
    made.memories.append(start)
    made.finishes.append(stepper.finish(start) or zero)
    for each in inputs:
        before = made.memories[-1]
        after = stepper.step(before, *each, noise)
        if after.written & before.overlapping:
            raise Unproved("a step writes into arrays of its state that share their storage")
        made.memories.append(after.memory)
        made.contributions.append(after.contribution or zero)
        made.finishes.append(stepper.finish(after.memory) or zero)


def differences(made: Transcript, shown: Sequence[Contribution]) -> Iterator[tuple[str, Any]]:
    """Yield c_t + F(S(t)) - F(S(t-1)) - g_t of each step and parameter's entry, with the parameter's name.

    Args:
        made: The record of the rule's steps.
        shown: The model's contributions g_t.
    """
    for n, want in enumerate(shown):
        for name, array in want.items():
            got = made.contributions[n][name].reshape(-1) + made.finishes[n + 1][name].reshape(-1)
            for each in (got - made.finishes[n][name].reshape(-1) - array.reshape(-1)).tolist():
                yield name, each


def check(made: Transcript, shown: Sequence[Contribution]) -> None:
    """Raise `Unproved` where a step contributes anything else than it should."""
    formal = made.formal
    for name, off in differences(made, shown):
        if not formal.equal(off, formal.convert(0)):
            raise Unproved(f"the contribution to {name} is off by {formal.show(formal.simplified(off), 3)}")


def compare(
    got: Memory, want: Memory, formal: FormalField, when: str, left_out: Container[int] = (), what: str = "state"
) -> None:
    """Raise `Unproved` where a memory is another than wanted.

    Args:
        got: The memory.
        want: What it should be.
        formal: The ring.
        when: The time, in words.
        left_out: The places of numbers that are not compared.
        what: The memory, in words.
    """
    if got.form != want.form:
        raise Unproved(f"the {what} has another form {when}")
    for place, (one, other) in enumerate(zip(got.entries, want.entries, strict=True)):
        if place not in left_out and not formal.equal(one.value, other.value):
            off = formal.show(formal.simplified(one.value - other.value), 3)
            raise Unproved(f"{one.path} is another quantity {when}, off by {off}")


def same(a: Contribution, b: Contribution, formal: Field) -> bool:
    """Return True for equal contributions."""
    return all(
        formal.equal(p, q)
        for name in b
        for p, q in zip(a[name].reshape(-1).tolist(), b[name].reshape(-1).tolist(), strict=True)
    )
