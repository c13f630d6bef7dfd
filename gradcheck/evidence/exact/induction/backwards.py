"""Proof for every T of a rule given as passes, at one size: an induction forwards, then one backwards.

Let A(t) be what the rule carries forwards, K(t) what step t keeps, B(t) the cotangent between the steps t and t+1, c_t
the contribution of step t, F(B) what `finish` contributes, and a(t), lambda(t), g_t and G(lambda(0)) those of the
reference (`adjoint`). The induction of `proof` shows that A(t) is phi(a(t), ...) for t >= t0. With psi the
identification of B(t) with quantities of a(t), lambda(t) and the next h steps, shown are, as identities of polynomials,
    end     from any A(T-n) = phi: the n steps forwards, `end`, and n steps back lead to B(T-n) = psi;  F(B(T)) = 0
    middle  from any A(t-1) = phi and any lambda: `backward` takes B(t) = psi to B(t-1) = psi
    start   from A(0) and any lambda(t0): t0 steps forwards, and back from B(t0) = psi
and at each step back  c_t + F(B(t-1)) - F(B(t)) = g_t + G(lambda(t-1)) - G(lambda(t)).
    short   for T < t0 + n, the whole sum is the gradient
The sum of these equations is that the rule's contributions are the gradient, for every T. What a step keeps needs no
name: from any A(t-1) = phi, the rule's own step makes it, and no pass may change it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....reference.networks.base import Sizes
from ....reference.problem import Problem
from ....reference.scalars.base import Field
from ....reference.scalars.formal import FormalField
from ....reference.scalars.residues.modular import PRIME
from .adjoint import Adjoint, Stretch
from .memory import Memory
from .models import Model, Numbers, StateModel, nothing, parameter_values
from .observed import LONGEST_WINDOW, Hypothesis, residues, steps_of
from .passing import PassesStepper
from .proof import Proof, Subject, Unidentified, described, phi, prove, ring
from .quantities import Identified, Inputs, identify
from .sameness import refuse_sameness
from .stepping import Contribution
from .transcript import compare, refuse_partial, same
from .trust import Unproved

SEEN = 8
"""Steps back in which the form of the cotangent is seen, and its numbers are recognised."""


class _Ahead(Subject):
    """The pass forwards of a rule: an online rule that contributes nothing."""

    @property
    def kind(self) -> type:
        """The rule's class."""
        target = self.case.rule.target
        return target if isinstance(target, type) else type(target)

    def stepper(self, problem: Problem, formal: Field) -> PassesStepper:
        return PassesStepper(self.case.rule, self.settings, problem, formal, weighted=self.case.weighted)

    def model(self, problem: Problem, formal: Field) -> Model:
        return StateModel(problem, formal)


@dataclass(frozen=True)
class PassesProof:
    """A proof of both passes at one size and setting.

    Attributes:
        ahead: The proof of the pass forwards.
        back: What was proved of the cotangent; its `first` counts steps back from the last.
        identities: The number of polynomials that were found equal.
    """

    ahead: Proof
    back: Hypothesis
    identities: int

    def described(self) -> dict[str, Any]:
        """Return what was found, as plain data."""
        return {**self.ahead.described(), "cotangent": described(self.back)}


def prove_passes(subject: Subject, sizes: Sizes) -> PassesProof:
    """Prove that a rule given as passes returns the gradient for every T, at one size.

    Args:
        subject: What it is about.
        sizes: The size; its T does not count.

    Raises:
        Unproved: No proof was found. The message says why, for the rule's author.
        GradcheckError: The rule or the network does not run on polynomials.
    """
    both = _Ahead(subject.case, subject.network, subject.settings)
    ahead = prove(both, sizes)
    if ahead.hypothesis.period != 1:
        raise Unproved("the state takes several forms in turn, so what a step keeps may too")
    failures: list[Unproved] = []
    memories, found = _hypotheses(both, sizes, ahead.hypothesis)
    for each in found:
        if isinstance(each, Identified):
            failures.append(Unidentified(each.unknown, subject.whose))
            continue
        try:
            identities = ahead.identities + _proved(both, sizes, ahead, each)
            refuse_sameness(both.kind, *dict.fromkeys(kind for memory in memories for kind in memory.kinds))
            return PassesProof(ahead, each, identities)
        except Unproved as error:
            failures.append(error)
    known = [error for error in failures if not isinstance(error, Unidentified)]
    raise (known or failures)[0]


def _hypotheses(subject: _Ahead, sizes: Sizes, ahead: Hypothesis) -> tuple[list[Memory], list[Hypothesis | Identified]]:
    """Return memories of all kinds, and what may be provable of the cotangent or was identified, the simplest first."""
    T = ahead.first + LONGEST_WINDOW + SEEN
    point, field = residues(subject.network, Sizes(T, sizes.I, sizes.D, sizes.K), subject.case.weighted)

    def look(problem: Problem) -> tuple[list[Memory], list[Hypothesis | Identified]]:
        stepper, model = subject.stepper(problem, field), StateModel(problem, field)
        inputs = steps_of(problem)
        run = _there(stepper, stepper.start(), inputs)
        memories, _ = _back(stepper, run, stepper.end(run.memories[-1]), inputs)
        adjoint = Adjoint(model)
        stretch = adjoint.stretch(model.start(), adjoint.nothing(), inputs)
        found = list(_recognised(memories, adjoint, stretch, ahead.first))
        return [*run.memories, *run.kept, *memories], found

    seen: tuple[list[Memory], list[Hypothesis | Identified]] = subject.run(point, look)
    return seen


def _recognised(
    memories: list[Memory], adjoint: Adjoint, stretch: Stretch, t0: int
) -> Iterator[Hypothesis | Identified]:
    """Yield what is recognised of cotangents, by time from 0 on, with each window."""
    T = len(memories) - 1
    lasting = next((b for b in range(T) if all(m.form == memories[t0].form for m in memories[t0 : T - b + 1])), T)
    if lasting > LONGEST_WINDOW:
        raise Unproved("the cotangent is not one of finitely many forms: it goes on changing from step to step")
    for window in range(LONGEST_WINDOW + 1):
        first = max(lasting, window)
        times = range(t0, T - first + 1)
        named = [adjoint.quantities(stretch, t, window) for t in times]
        paths = [entry.path for entry in memories[t0].entries]
        found = identify(paths, [memories[t].values for t in times], named, PRIME)
        yield found if found.unknown else Hypothesis(first, 1, window, memories[t0], found)


@dataclass
class _Run:
    """A run forwards: the memories, the first and that after each step, and what each step kept."""

    memories: list[Memory]
    kept: list[Memory] = dataclasses.field(default_factory=list)


def _there(stepper: PassesStepper, start: Memory, inputs: Sequence[Inputs]) -> _Run:
    """Return a run forwards; each step is taken twice, and what differs between the two is not in the memory."""
    run = _Run([start])
    for each in inputs:
        (after, kept), (other, also) = (stepper.forward(run.memories[-1], each.x) for _ in range(2))
        if not (_alike(after, other) and _alike(kept, also)):
            raise Unproved("two steps forwards from equal states differ: the rule keeps something outside its state")
        run.memories.append(after)
        run.kept.append(kept)
    return run


def _back(
    stepper: PassesStepper, run: _Run, last: Memory, inputs: Sequence[Inputs]
) -> tuple[list[Memory], list[Contribution]]:
    """Return the cotangents before the first of some steps and after each, and what each step contributes."""
    zero = nothing(stepper.problem, stepper.field)
    cotangents, shown = [last], list[Contribution]()
    for kept, each in zip(reversed(run.kept), reversed(inputs), strict=True):
        (earlier, part), (other, also) = (stepper.backward(cotangents[-1], kept, each.y, each.weight) for _ in range(2))
        if not (_alike(earlier, other) and same(part or zero, also or zero, stepper.field)):
            raise Unproved("two steps back from equal cotangents differ: the rule keeps something elsewhere")
        cotangents.append(earlier)
        shown.append(part or zero)
    return cotangents[::-1], shown[::-1]


def _alike(one: Memory, other: Memory) -> bool:
    return one.form == other.form and one.values == other.values


class _Ground:
    """A rule and the reference side by side on polynomials, from generators in place of a and of lambda.

    Args:
        subject: What the proof is about.
        problem: A problem of generators.
        formal: Its ring.
        ahead: The proof of the pass forwards.
        back: The hypothesis on the cotangent.
    """

    def __init__(self, subject: _Ahead, problem: Problem, formal: FormalField, ahead: Proof, back: Hypothesis) -> None:
        self.stepper, self.model = subject.stepper(problem, formal), StateModel(problem, formal)
        self.formal, self.ahead, self.back = formal, ahead, back
        self.adjoint, self.inputs = Adjoint(self.model), steps_of(problem)
        self.zero = nothing(problem, formal)
        self.identities = 0

    def states(self) -> Numbers:
        """Return generators for a, of which the relations hold that were proved."""
        formal, relations = self.formal, self.ahead.relations
        free = [formal.symbol(f"{label} before") if each.alike == n else None
                for n, (label, each) in enumerate(zip(self.model.labels(), relations, strict=True))]  # fmt: skip
        parameters = parameter_values(self.model.problem, formal)
        return [each.value(parameters, free, formal) for each in relations]

    def later(self) -> Numbers:
        """Return generators for lambda."""
        return [self.formal.symbol(f"dL/d{label} after") for label in self.model.labels()]

    def phi(self, numbers: Numbers) -> Memory:
        """Return what the rule carries forwards after as many of the steps as its window has."""
        hypothesis = self.ahead.hypothesis
        return phi(hypothesis, self.model, numbers, self.inputs[: hypothesis.window])

    def psi(self, stretch: Stretch, at: int) -> Memory:
        """Return the cotangent that the hypothesis says after a step."""
        named = self.adjoint.quantities(stretch, at, self.back.window)
        return self.back.memory.with_values([t.value(named, self.formal) for t in self.back.identified.terms])

    def check(self, stretch: Stretch, first: int, cotangents: list[Memory], shown: list[Contribution]) -> None:
        """Compare the contributions of the steps after `first`: c + F(B(t-1)) - F(B(t)) = g + G(t-1) - G(t)."""
        ours = [self.stepper.last(each) or self.zero for each in cotangents]
        theirs = [self.adjoint.at_start(each) for each in stretch.cotangents[first : first + len(cotangents)]]
        for n, part in enumerate(shown):
            got = _sum(part, ours[n], _negative(ours[n + 1]))
            want = _sum(stretch.contributions[first + n], theirs[n], _negative(theirs[n + 1]))
            self.require_same(got, want)

    def require_same(self, got: Contribution, want: Contribution) -> None:
        """Raise `Unproved` where two contributions differ."""
        for name, array in want.items():
            for a, b in zip(got[name].reshape(-1).tolist(), array.reshape(-1).tolist(), strict=True):
                if not self.formal.equal(a, b):
                    off = self.formal.show(self.formal.simplified(a - b), 3)
                    raise Unproved(f"the contribution to {name} is off by {off}")
                self.identities += 1

    def compare(self, got: Memory, want: Memory, when: str) -> None:
        """Raise `Unproved` where the cotangent is another than wanted."""
        compare(got, want, self.formal, when, what="cotangent")
        self.identities += len(want.entries)

    def prove_end(self) -> None:
        """Prove that the hypothesis holds where the steps back begin."""
        h, n = self.ahead.hypothesis.window, self.back.first
        stretch = self.adjoint.stretch(self.states(), self.adjoint.nothing(), self.inputs)
        run = _there(self.stepper, self.phi(stretch.states[0]), self.inputs[h:])
        last = self.stepper.end(run.memories[-1])
        if not same(self.stepper.last(last) or self.zero, self.zero, self.formal):
            raise Unproved("finish contributes something from the cotangent after the last step")
        cotangents, shown = _back(self.stepper, run, last, self.inputs[h:])
        self.check(stretch, h, cotangents, shown)
        self.compare(cotangents[0], self.psi(stretch, h), f"{n} steps before the end")

    def prove_middle(self) -> None:
        """Prove one step back from any cotangent."""
        h = self.ahead.hypothesis.window
        stretch = self.adjoint.stretch(self.states(), self.later(), self.inputs)
        step = self.inputs[h : h + 1]
        run = _there(self.stepper, self.phi(stretch.states[0]), step)
        cotangents, shown = _back(self.stepper, run, self.psi(stretch, h + 1), step)
        self.check(stretch, h, cotangents, shown)
        self.compare(cotangents[0], self.psi(stretch, h), "after a step back")

    def prove_start(self) -> None:
        """Prove the first steps, before which the state may have another form."""
        t0 = self.ahead.hypothesis.first
        stretch = self.adjoint.stretch(self.model.start(), self.later(), self.inputs)
        run = _there(self.stepper, self.stepper.start(), self.inputs[:t0])
        cotangents, shown = _back(self.stepper, run, self.psi(stretch, t0), self.inputs[:t0])
        self.check(stretch, 0, cotangents, shown)

    def prove_whole(self) -> None:
        """Prove the sum for a sequence of all steps."""
        stretch = self.adjoint.stretch(self.model.start(), self.adjoint.nothing(), self.inputs)
        run = _there(self.stepper, self.stepper.start(), self.inputs)
        cotangents, shown = _back(self.stepper, run, self.stepper.end(run.memories[-1]), self.inputs)
        got = _sum(*shown, self.stepper.last(cotangents[0]) or self.zero)
        self.require_same(got, _sum(*stretch.contributions, self.adjoint.at_start(stretch.cotangents[0])))


def _proved(subject: _Ahead, sizes: Sizes, ahead: Proof, back: Hypothesis) -> int:
    """Prove a hypothesis on the cotangent. Return the number of identities."""
    h, t0, n = ahead.hypothesis.window, ahead.hypothesis.first, back.first
    parts = [
        (_Ground.prove_middle, h + 1 + back.window),
        (_Ground.prove_end, h + n),
        (_Ground.prove_start, t0 + back.window),
        *((_Ground.prove_whole, T) for T in range(1, t0 + n)),
    ]
    total = 0
    for part, steps in parts:
        # a ring of its own for each, with generators for a and lambda
        N = 2 * len(ahead.relations)
        problem, formal = ring(subject, sizes, N, max(steps, 1))

        def work(given: Problem, part: Any = part, formal: FormalField = formal, steps: int = steps) -> int:
            ground = _Ground(subject, given, formal, ahead, back)
            ground.inputs = ground.inputs[:steps]
            part(ground)
            refuse_partial(formal)
            return ground.identities

        total += subject.run(problem, work)
    return total


def _sum(*parts: Contribution) -> Contribution:
    return {name: np.sum([part[name] for part in parts], axis=0) for name in parts[0]}


def _negative(part: Contribution) -> Contribution:
    return {name: -array for name, array in part.items()}
