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
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from ....reference.claims import Equals, Settings
from ....reference.networks.base import RecurrentNetwork, Sizes
from ....reference.problem import Problem
from ....reference.scalars.base import Field
from ....reference.scalars.formal import FormalField
from ....rules.adapt import as_rule
from ...base import Case
from .memory import Memory
from .models import GradientModel, Model, Numbers, RuleModel, nothing, parameter_names, parameter_values
from .observed import MOST_STEPS, Hypothesis, Observed, generic, hypotheses, observe, residues, steps_of
from .quantities import Identified, Inputs, quantities
from .stepping import Contribution, Stepper, checked
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
    known = [error for error in failures if not isinstance(error, Unidentified)]
    unidentified = [error for error in failures if isinstance(error, Unidentified)]
    fewest = min(unidentified, key=lambda error: len(error.paths), default=None)
    raise known[0] if known else fewest or Unproved("no quantities of several times to compare its state with")


def _proved(subject: Subject, sizes: Sizes, seen: Observed, hypothesis: Hypothesis) -> Proof:
    relations = _guessed(seen)
    while True:
        step, wrong = _step(subject, sizes, hypothesis, relations)
        if not wrong:
            break
        relations = [Relation(alike=n) if n in wrong else each for n, each in enumerate(relations)]
        relations = _without(relations, wrong)
    base = _base(subject, sizes, hypothesis, relations)
    overlapping = step.memories[-1].overlapping | base.memories[-1].overlapping
    if subject.run(step.problem, lambda problem: _writes(subject, step, problem, overlapping)):
        raise Unproved("a step writes into arrays of its state that share their storage")
    return Proof(hypothesis, relations, base, step, _count(base) + _count(step))


def _without(relations: list[Relation], wrong: set[int]) -> list[Relation]:
    """Return relations of which none leads to a number that turned out to be another."""
    return [Relation(alike=n) if each.alike in wrong else each for n, each in enumerate(relations)]


def _guessed(seen: Observed) -> list[Relation]:
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
    """Return a problem of generators, with room for as many more."""
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
        carried, shown = history(model, numbers, inputs)
        if wrong := _broken(relations, model, carried[1]):
            return Transcript(problem, formal), wrong
        made = Transcript(problem, formal, numbers)
        start = phi(hypothesis, model, numbers, inputs[:h])
        _run(subject.stepper(given, formal), start, inputs[h:], made)
        _check(made, shown[h:], nothing(given, formal))
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
        carried, shown = history(model, model.start(), inputs)
        if wrong := _broken(relations, model, carried[model.settled]):
            raise Unproved(f"{model.labels()[min(wrong)]} is another number at first than later")
        made = Transcript(problem, formal, carried[0])
        stepper = subject.stepper(given, formal)
        _run(stepper, stepper.start(), inputs, made)
        zero = nothing(given, formal)
        if not same(made.finishes[0], zero, formal):
            raise Unproved("finish contributes something before step 1")
        _check(made, shown, zero)
        window = phi(hypothesis, model, carried[first - h], inputs[first - h :])
        compare(made.memories[-1], window, formal, f"after {first} steps")
        refuse_partial(formal)
        return made

    made: Transcript = subject.run(problem, work)
    return made


def history(model: Model, numbers: Numbers, inputs: Sequence[Inputs]) -> tuple[list[Numbers], list[Contribution]]:
    """Return what a model carries before some steps and after each, and what it contributes at each."""
    carried, shown = [numbers], list[Contribution]()
    for each in inputs:
        after, contribution = model.advance(carried[-1], *each)
        carried.append(after)
        shown.append(contribution)
    return carried, shown


def _broken(relations: list[Relation], model: Model, numbers: Numbers) -> set[int]:
    """Return the places of the numbers that do not keep their relation."""
    formal, parameters = model.field, parameter_values(model.problem, model.field)
    return {
        n for n, each in enumerate(relations) if not formal.equal(numbers[n], each.value(parameters, numbers, formal))
    }


def refuse_partial(formal: FormalField) -> None:
    """Raise `Unproved` where something was taken that is not defined everywhere."""
    if formal.partial:
        raise Unproved("it takes roots or quotients, which are not defined everywhere")


def phi(hypothesis: Hypothesis, model: Model, numbers: Numbers, inputs: Sequence[Inputs]) -> Memory:
    """Return the memory that the hypothesis says, on polynomials."""
    named = quantities(model, numbers, inputs)
    values = [term.value(named, model.field) for term in hypothesis.identified.terms]
    return hypothesis.memory.with_values(values)


def _run(stepper: Stepper, start: Memory, inputs: Sequence[Inputs], made: Transcript) -> None:
    """Let the rule take steps from a memory, and keep what it makes."""
    zero = nothing(stepper.problem, stepper.field)
    made.memories.append(start)
    made.finishes.append(stepper.finish(start) or zero)
    for each in inputs:
        before = made.memories[-1]
        after = stepper.step(before, *each)
        if after.written & before.overlapping:
            raise Unproved("a step writes into arrays of its state that share their storage")
        made.memories.append(after.memory)
        made.contributions.append(after.contribution or zero)
        made.finishes.append(stepper.finish(after.memory) or zero)


def _writes(subject: Subject, step: Transcript, problem: Problem, overlapping: frozenset[int]) -> bool:
    """Return True if a step writes into arrays of the first memory that share storage with others."""
    if not overlapping:
        return False
    stepper = subject.stepper(problem, step.formal)
    h = problem.T - len(step.contributions)
    return bool(stepper.step(step.memories[0], *steps_of(problem)[h]).written & overlapping)


def _check(made: Transcript, shown: Sequence[Contribution], zero: Contribution) -> None:
    """Compare contributions: c_t + F(S(t)) - F(S(t-1)) = g_t."""
    formal = made.formal
    for n, want in enumerate(shown):
        for name in zero:
            got = made.contributions[n][name].reshape(-1) + made.finishes[n + 1][name].reshape(-1)
            got = got - made.finishes[n][name].reshape(-1)
            for a, b in zip(got.tolist(), want[name].reshape(-1).tolist(), strict=True):
                if not formal.equal(a, b):
                    raise Unproved(f"the contribution to {name} is off by {formal.show(formal.simplified(a - b), 3)}")


def compare(got: Memory, want: Memory, formal: FormalField, when: str, what: str = "state") -> None:
    """Raise `Unproved` where a memory is another than wanted."""
    if got.form != want.form:
        raise Unproved(f"the {what} has another form {when}")
    for one, other in zip(got.entries, want.entries, strict=True):
        if not formal.equal(one.value, other.value):
            off = formal.show(formal.simplified(one.value - other.value), 3)
            raise Unproved(f"{one.path} is another quantity {when}, off by {off}")


def same(a: Contribution, b: Contribution, formal: Field) -> bool:
    """Return True for equal contributions."""
    return all(
        formal.equal(p, q)
        for name in b
        for p, q in zip(a[name].reshape(-1).tolist(), b[name].reshape(-1).tolist(), strict=True)
    )


def _count(made: Transcript) -> int:
    each = sum(array.size for array in made.finishes[0].values())
    return len(made.memories[-1].entries) + each * len(made.contributions)


__all__ = ["Proof", "Relation", "Subject", "Transcript", "Unidentified", "parameter_names", "prove"]
