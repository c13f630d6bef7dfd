"""Proof for every T at one size: the base, and one period from generators that stand for every reachable memory.

Let Z(t) be the model's numbers, phi the identification of the rule's memory S(t) with quantities of Z(t - h) and what
the last h steps read, c_t the rule's contributions, F(S) what `finish` contributes, g_t the model's contributions, and
B the period. Shown are, as identities of polynomials,
    base    c_1 + ... + c_t + F(S(t)) = g_1 + ... + g_t  for t <= t0,  and  S(t0) = phi(t0)
    step    from any Z and any inputs: B steps of the rule from phi(t) end in phi(t + B), and
            c_{t+k} + F(S(t+k)) - F(S(t+k-1)) = g_{t+k}  for k = 1, ..., B
Then the sum of all contributions of T steps is that of the model, for every T, by induction. Relations of the numbers Z
among each other, such as entries of the influence that are 0, are shown by an induction of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ....reference.claims import Equals, Settings
from ....reference.networks.base import RecurrentNetwork, Sizes
from ....reference.noise import Noise
from ....reference.problem import Problem
from ....reference.scalars.base import Field
from ....reference.scalars.formal import FormalField
from ....rules.adapt import as_rule
from ...base import Case
from .memory import Memory
from .models import GradientModel, Model, Numbers, RuleModel, nothing, parameter_names, parameter_values
from .observed import MOST_STEPS, Hypothesis, Observed, generic, hypotheses, observe, residues, steps_of
from .quantities import Identified, Inputs, quantities
from .stepping import Stepper, checked
from .transcript import Transcript, carried_through, check, compare, refuse_partial, same, take_steps
from .trust import Unproved

MOST_NAMED = 40
"""Numbers of a memory whose quantities are listed in the report."""
FUNCTIONS = 24
"""Generators for functions, by entry of the network's state and step."""


LAWS = 64
"""Generators for roots and quotients, which no proof has: with them its message is clear."""


@dataclass(frozen=True)
class Relation:
    """The value that one of the model's numbers always has: a constant, a parameter, or another of the numbers.

    Attributes:
        constant: The constant, or None.
        parameter: The parameter's place, or None.
        alike: The other number's place, or None. A number that is its own is free.
    """

    constant: Fraction | None = None
    parameter: int | None = None
    alike: int | None = None

    def value(self, parameters: Numbers, numbers: Numbers, formal: Field) -> Any:
        """Return what the number has to be."""
        if self.constant is not None:
            return formal.convert(self.constant)
        return parameters[self.parameter] if self.parameter is not None else numbers[self.alike or 0]


@dataclass(frozen=True)
class Proof:
    """A proof at one size and setting.

    Attributes:
        hypothesis: What was proved.
        relations: What was shown of the model's numbers, by place.
        base: The polynomials of the base.
        step: The polynomials of the step.
        identities: The number of polynomials that were found equal.
    """

    hypothesis: Hypothesis
    relations: Sequence[Relation]
    base: Transcript
    step: Transcript
    identities: int

    def described(self) -> dict[str, Any]:
        """Return what was found, as plain data."""
        return described(self.hypothesis)


def described(hypothesis: Hypothesis) -> dict[str, Any]:
    """Return a hypothesis as plain data."""
    entries = zip(hypothesis.memory.entries, hypothesis.identified.terms, strict=True)
    named = {entry.path: str(term) for entry, term in entries}
    return {
        "first": hypothesis.first,
        "period": hypothesis.period,
        "window": hypothesis.window,
        "quantities": dict(list(named.items())[:MOST_NAMED]),
    }


class Unidentified(Unproved):
    """Numbers of the memory that are none of the model's quantities.

    Attributes:
        paths: Their places.
    """

    def __init__(self, paths: Sequence[str], whose: str) -> None:
        self.paths = tuple(paths)
        shown = ", ".join(self.paths[:3]) + (f" and {len(self.paths) - 3} more" if len(self.paths) > 3 else "")
        super().__init__(f"{shown} {'is' if len(self.paths) == 1 else 'are'} none of {whose}")


@dataclass(frozen=True)
class Subject:
    """The subject of a proof: a claim of a rule on one network, at one setting."""

    case: Case
    network: RecurrentNetwork
    settings: Settings

    @property
    def whose(self) -> str:
        """The owner of the quantities that a memory is compared with, in words."""
        claim = self.case.claim
        return f"the quantities of {claim}" if isinstance(claim, Equals) else "the reference's quantities"

    def stepper(self, problem: Problem, formal: Field) -> Stepper:
        """Return the rule on the number system of a problem."""
        return Stepper(self.case.rule, self.settings, problem, formal, weighted=self.case.weighted)

    def model(self, problem: Problem, formal: Field) -> Model:
        """Return the model on the number system of a problem."""
        claim = self.case.claim
        if not isinstance(claim, Equals):
            return GradientModel(problem, formal)
        target = as_rule(claim.target)
        return RuleModel(Stepper(target, {}, problem, formal, weighted=target.declaration.weighted))

    def run(self, problem: Problem, work: Callable[[Problem], Any]) -> Any:
        """Run code of the rule on a problem, as a checked call."""
        return checked(self.case.rule, self.settings, problem, work)


def prove(subject: Subject, sizes: Sizes) -> Proof:
    """Prove a claim for every T at one size.

    Args:
        subject: What it is about.
        sizes: The size; its T does not count.

    Raises:
        Unproved: No proof was found. The message says why, for the rule's author.
        GradcheckError: The rule or the network does not run on polynomials.
    """
    at = Sizes(MOST_STEPS, sizes.I, sizes.D, sizes.K)
    point, residue = residues(subject.network, at, subject.case.weighted)

    def look(problem: Problem) -> Observed:
        return observe(subject.stepper(problem, residue), subject.model(problem, residue), problem)

    seen: Observed = subject.run(point, look)
    failures: list[Unproved] = []
    waiting = hypotheses(seen)
    while True:
        each = subject.run(point, lambda problem: next(waiting, None))
        if each is None:
            break
        if isinstance(each, Identified):
            failures.append(Unidentified(each.unknown, subject.whose))
            continue
        try:
            return _proved(subject, sizes, seen, each)
        except Unproved as error:
            failures.append(error)
    raise plainest(failures)


def plainest(failures: Sequence[Unproved]) -> Unproved:
    """Return the failure to report of those of several hypotheses."""
    known = [error for error in failures if not isinstance(error, Unidentified)]
    unidentified = [error for error in failures if isinstance(error, Unidentified)]
    fewest = min(unidentified, key=lambda error: len(error.paths), default=None)
    return known[0] if known else fewest or Unproved("no quantities of several times to compare its state with")


def _proved(subject: Subject, sizes: Sizes, seen: Observed, hypothesis: Hypothesis) -> Proof:
    relations = guessed(seen)
    while True:
        step, wrong = _step(subject, sizes, hypothesis, relations)
        if not wrong:
            break
        relations = [Relation(alike=n) if n in wrong else each for n, each in enumerate(relations)]
        relations = without(relations, wrong)
    base = _base(subject, sizes, hypothesis, relations)
    overlapping = step.memories[-1].overlapping | base.memories[-1].overlapping
    if subject.run(step.problem, lambda problem: writes(subject, step, problem, overlapping)):
        raise Unproved("a step writes into arrays of its state that share their storage")
    return Proof(hypothesis, relations, base, step, count(base) + count(step))


def without(relations: list[Relation], wrong: set[int]) -> list[Relation]:
    """Return relations of which none leads to a number that turned out to be another."""
    return [Relation(alike=n) if each.alike in wrong else each for n, each in enumerate(relations)]


def guessed(seen: Observed) -> list[Relation]:
    """Return what the model's numbers seem to be, from their residues at all times."""
    parameters = {int(v): n for n, v in enumerate(parameter_values(seen.model.problem, seen.model.field))}
    first: dict[tuple[int, ...], int] = {}
    relations = []
    for place, series in enumerate(zip(*seen.numbers[seen.model.settled :], strict=True)):
        key = tuple(map(int, series))
        alike = first.setdefault(key, place)
        relation = Relation(alike=alike)
        if len(set(key)) == 1 and key[0] in (0, 1):
            relation = Relation(constant=Fraction(key[0]))
        elif len(set(key)) == 1 and key[0] in parameters:
            relation = Relation(parameter=parameters[key[0]])
        relations.append(relation)
    return relations


def ring(subject: Subject, sizes: Sizes, numbers: int, steps: int) -> tuple[Problem, FormalField]:
    """Return a problem of generators, with room for as many more, and for functions of some steps."""
    shapes = subject.network.parameter_shapes(sizes).values()
    P = sum(int(np.prod(shape)) for shape in shapes)
    read = steps * (sizes.D + sizes.K + 1)
    formal = FormalField(P + numbers + read + steps * (FUNCTIONS * sizes.I + 4 * sizes.K) + sizes.I * 8 + 16, LAWS)
    at = Sizes(steps, sizes.I, sizes.D, sizes.K)
    return generic(subject.network, at, subject.case.weighted, formal), formal


def _step(
    subject: Subject, sizes: Sizes, hypothesis: Hypothesis, relations: list[Relation]
) -> tuple[Transcript, set[int]]:
    """Prove the step. Return the places of numbers whose relation is not kept instead, if there are any."""
    h, B = hypothesis.window, hypothesis.period
    problem, formal = ring(subject, sizes, len(relations), h + B)

    def work(given: Problem) -> tuple[Transcript, set[int]]:
        model, inputs = subject.model(given, formal), steps_of(given)
        free = [formal.symbol(f"{label} before") if each.alike == n else None
                for n, (label, each) in enumerate(zip(model.labels(), relations, strict=True))]  # fmt: skip
        parameters = parameter_values(given, formal)
        numbers = [each.value(parameters, free, formal) for each in relations]
        carried, shown = carried_through(model, numbers, inputs)
        if wrong := broken(relations, model, carried[1]):
            return Transcript(problem, formal), wrong
        made = Transcript(problem, formal, numbers)
        start = phi(hypothesis, model, numbers, inputs[:h])
        take_steps(subject.stepper(given, formal), start, inputs[h:], made)
        check(made, shown[h:])
        compare(made.memories[-1], phi(hypothesis, model, carried[B], inputs[B:]), formal, "after a step")
        refuse_partial(formal)
        return made, set()

    done: tuple[Transcript, set[int]] = subject.run(problem, work)
    return done


def _base(subject: Subject, sizes: Sizes, hypothesis: Hypothesis, relations: list[Relation]) -> Transcript:
    """Prove the base, and the relations before step 1."""
    first, h = hypothesis.first, hypothesis.window
    problem, formal = ring(subject, sizes, 0, max(first, 1))

    def work(given: Problem) -> Transcript:
        model, inputs = subject.model(given, formal), steps_of(given)[:first]
        carried, shown = carried_through(model, model.start(), inputs)
        if wrong := broken(relations, model, carried[model.settled]):
            raise Unproved(f"{model.labels()[min(wrong)]} is another number at first than later")
        made = Transcript(problem, formal, carried[0])
        stepper = subject.stepper(given, formal)
        take_steps(stepper, stepper.start(), inputs, made)
        zero = nothing(given, formal)
        if not same(made.finishes[0], zero, formal):
            raise Unproved("finish contributes something before step 1")
        check(made, shown)
        window = phi(hypothesis, model, carried[first - h], inputs[first - h :])
        compare(made.memories[-1], window, formal, f"after {first} steps")
        refuse_partial(formal)
        return made

    made: Transcript = subject.run(problem, work)
    return made


def broken(relations: list[Relation], model: Model, numbers: Numbers) -> set[int]:
    """Return the places of the numbers that do not keep their relation."""
    formal, parameters = model.field, parameter_values(model.problem, model.field)
    return {
        n for n, each in enumerate(relations) if not formal.equal(numbers[n], each.value(parameters, numbers, formal))
    }


def phi(hypothesis: Hypothesis, model: Model, numbers: Numbers, inputs: Sequence[Inputs]) -> Memory:
    """Return the memory that the hypothesis says, on polynomials."""
    named = quantities(model, numbers, inputs)
    values = [term.value(named, model.field) for term in hypothesis.identified.terms]
    return hypothesis.memory.with_values(values)


def writes(
    subject: Subject, step: Transcript, problem: Problem, overlapping: frozenset[int], noise: Noise | None = None
) -> bool:
    """Return True if a step writes into arrays of the first memory that share storage with others."""
    if not overlapping:
        return False
    stepper = subject.stepper(problem, step.formal)
    h = problem.T - len(step.contributions)
    return bool(stepper.step(step.memories[0], *steps_of(problem)[h], noise).written & overlapping)


def count(made: Transcript) -> int:
    each = sum(array.size for array in made.finishes[0].values())
    return len(made.memories[-1].entries) + each * len(made.contributions)


__all__ = ["Proof", "Relation", "Subject", "Transcript", "Unidentified", "parameter_names", "prove"]
