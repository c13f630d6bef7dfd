"""Proof for every T that the expectation of a stochastic online rule is the gradient, at one size.

The memory S(t) has numbers that depend on no noise, which are identified with quantities of the model as for any rule,
and others, z(t). Let E be the expectation over all noise, v_k closed forms in z (see `moments`), and phi_k quantities
of the model with E[v_k(z(t))] = phi_k(t). Shown are, as identities of polynomials,
    base    E[c_1 + ... + c_t + F(S(t))] = g_1 + ... + g_t  for t <= t0,  and  E[v_k(z(t0))] = phi_k(t0)
    step    from any z and any quantities of the model, with new noise: E[v_k(z(t + B))] = phi_k(t + B) and
            E[c_{t+k} + F(S(t+k)) - F(S(t+k-1))] = g_{t+k}  where E[v_k(z(t))] stands for phi_k(t)
with the names of `proof`. The noise of a step is independent of z(t), which is a function of earlier noise. Which forms
are needed follows from the step; the phi_k are recognised by their residues at several times.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ....reference.networks.base import Sizes
from ....reference.problem import Problem
from ....reference.scalars.base import Field
from ....reference.scalars.formal import FormalField
from ....reference.scalars.residues.modular import PRIME
from ....rules.expectation import FormalNoise
from .draws import AnyNoise
from .memory import Memory
from .models import Numbers, parameter_values
from .moments import ONE, Endless, Expectation, Forms, Moved, Point, Vector, closed, evaluated, pairs, shown, valued
from .observed import MOST_STEPS, Observed, Sighting, observe, residues, sightings, steps_of
from .proof import MOST_NAMED, Relation, Subject, Unidentified, broken, guessed, plainest, ring, without, writes
from .quantities import Identified, Named, Term, identify, quantities
from .transcript import Transcript, carried_through, compare, differences, refuse_partial, take_steps
from .trust import Unproved


@dataclass(frozen=True)
class Expected:
    """A proof at one size and setting.

    Attributes:
        span: The time from which the memory is what was identified, the number of steps after which it is again, and
            the number of steps back that the quantities reach: "first", "period" and "window".
        quantities: The quantities of numbers, and of expectations of forms, by their names.
        identities: The number of polynomials that were found equal.
    """

    span: dict[str, int]
    quantities: dict[str, Term]
    identities: int

    def described(self) -> dict[str, Any]:
        """Return what was found, as plain data."""
        named = list(self.quantities.items())[:MOST_NAMED]
        return {**self.span, "quantities": {name: str(term) for name, term in named}}


class Biased(Unproved):
    """The expectation is another than the gradient within the first steps."""


@dataclass(frozen=True)
class _Guess:
    """A statement of the numbers that depend on no noise, and of which the others are.

    Attributes:
        sighting: When the memory was seen.
        memory: A memory of the form.
        terms: The terms of its numbers, by place; those that are missing depend on noise.
    """

    sighting: Sighting
    memory: Memory
    terms: dict[int, Term]

    @property
    def random(self) -> list[int]:
        """The places of the numbers that depend on noise."""
        return [place for place in range(len(self.memory.entries)) if place not in self.terms]

    def at(self, named: Named, formal: Field, random: dict[int, Any]) -> Memory:
        """Return the memory where quantities, and the numbers that depend on noise, have these values."""
        places = range(len(self.memory.entries))
        return self.memory.with_values(
            [random[place] if place in random else self.terms[place].value(named, formal) for place in places]
        )


@dataclass(frozen=True)
class _Taken:
    """Steps of the rule on polynomials, from any memory or from the start.

    Attributes:
        made: The record.
        noise: The noise of all steps.
        random: What stands for the numbers that depend on noise before the steps, by place.
        named: The quantities before the steps.
        after: The quantities after them.
        off: What each contribution differs by from the model's.
    """

    made: Transcript
    noise: FormalNoise
    random: dict[int, Any]
    named: Named
    after: Named
    off: list[Any]

    @property
    def expectation(self) -> Expectation:
        return Expectation(self.made.formal, self.noise, self.random)


def prove(subject: Subject, sizes: Sizes) -> Expected:
    """Prove for every T at one size that the expectation of a rule is the gradient.

    Args:
        subject: The rule, which draws from noise, its network and settings.
        sizes: The size; its T does not count.

    Raises:
        Unproved: No proof was found. The message says why, for the rule's author.
        GradcheckError: The rule or the network does not run on polynomials, or takes functions of noise.
    """
    at = Sizes(MOST_STEPS, sizes.I, sizes.D, sizes.K)
    point, residue = residues(subject.network, at, subject.case.weighted)
    drawn: list[AnyNoise] = []

    def look(problem: Problem, key: int) -> Observed:
        def noise(t: int) -> AnyNoise:
            drawn.append(AnyNoise(residue, problem.inputs, key, t))
            return drawn[-1]

        return observe(subject.stepper(problem, residue), subject.model(problem, residue), problem, noise)

    seen: Observed = subject.run(point, lambda problem: look(problem, 0))
    other: Observed = subject.run(point, lambda problem: look(problem, 1))
    spare = sum(noise.number for noise in drawn)
    waiting = sightings(seen)
    failures: list[Unproved] = []
    while (each := subject.run(point, lambda _: next(waiting, None))) is not None:
        try:
            return _proved(subject, sizes, _Seen(point, seen), _guess(subject, each, seen, other), spare)
        except (Endless, Biased):  # whatever its numbers are compared with
            raise
        except Unproved as error:
            failures.append(error)
    raise plainest(failures)


@dataclass(frozen=True)
class _Seen:
    """A run on residues, and its problem."""

    point: Problem
    run: Observed


def _guess(subject: Subject, sighting: Sighting, seen: Observed, other: Observed) -> _Guess:
    """Return which numbers depend on noise, and what the others are."""
    one, two = ([run.memories[t] for t in sighting.times] for run in (seen, other))
    if [memory.form for memory in one] != [memory.form for memory in two]:
        raise Unproved("the form of the state depends on noise")
    paths = [entry.path for entry in one[0].entries]
    pairs = [(a.values, b.values) for a, b in zip(one, two, strict=True)]
    fixed = [place for place in range(len(paths)) if all(a[place] == b[place] for a, b in pairs)]
    series = [[memory.values[place] for place in fixed] for memory in one]
    found = identify([paths[place] for place in fixed], series, sighting.named, PRIME)
    if found.unknown:
        raise Unidentified(found.unknown, subject.whose)
    return _Guess(sighting, one[-1], dict(zip(fixed, found.terms, strict=True)))


def _proved(subject: Subject, sizes: Sizes, seen: _Seen, guess: _Guess, spare: int) -> Expected:
    relations = guessed(seen.run)
    while True:
        step, wrong = _step(subject, sizes, guess, relations, spare)
        if step is not None:
            break
        relations = without([Relation(alike=n) if n in wrong else each for n, each in enumerate(relations)], wrong)
    base = _base(subject, sizes, guess, relations, spare)
    overlapping = step.made.memories[-1].overlapping | base.made.memories[-1].overlapping
    if subject.run(step.made.problem, lambda given: writes(subject, step.made, given, overlapping, step.noise)):
        raise Unproved("a step writes into arrays of its state that share their storage")
    return _in_expectation(subject, seen, guess, step, base)


def _step(
    subject: Subject, sizes: Sizes, guess: _Guess, relations: list[Relation], spare: int
) -> tuple[_Taken | None, set[int]]:
    """Take the steps of one period from any memory. Return the numbers with a wrong relation, if there are."""
    h, B = guess.sighting.window, guess.sighting.period
    problem, formal = ring(subject, sizes, len(relations) + len(guess.random) + spare, h + B)

    def work(given: Problem) -> tuple[_Taken | None, set[int]]:
        model, inputs = subject.model(given, formal), steps_of(given)
        free = [formal.symbol(f"{label} before") if each.alike == n else None
                for n, (label, each) in enumerate(zip(model.labels(), relations, strict=True))]  # fmt: skip
        parameters = parameter_values(given, formal)
        numbers = [each.value(parameters, free, formal) for each in relations]
        carried, shown_by_model = carried_through(model, numbers, inputs)
        if wrong := broken(relations, model, carried[1]):
            return None, wrong
        random = {place: formal.noise(f"{guess.memory.entries[place].path} drawn")[1] for place in guess.random}
        made, noise = Transcript(problem, formal, numbers), FormalNoise(formal, given.inputs)
        named, after = quantities(model, numbers, inputs[:h]), quantities(model, carried[B], inputs[B:])
        take_steps(subject.stepper(given, formal), guess.at(named, formal, random), inputs[h:], made, noise)
        compare(made.memories[-1], guess.at(after, formal, random), formal, "after a step", guess.random)
        refuse_partial(formal)
        off = [each for _, each in differences(made, shown_by_model[h:])]
        return _Taken(made, noise, random, named, after, off), set()

    done: tuple[_Taken | None, set[int]] = subject.run(problem, work)
    return done


def _base(subject: Subject, sizes: Sizes, guess: _Guess, relations: list[Relation], spare: int) -> _Taken:
    """Take the steps before those, from the start, and prove that the expectations of their contributions are right."""
    first, h = guess.sighting.times[0], guess.sighting.window
    problem, formal = ring(subject, sizes, spare, max(first, 1))

    def work(given: Problem) -> _Taken:
        model, inputs = subject.model(given, formal), steps_of(given)[:first]
        carried, shown_by_model = carried_through(model, model.start(), inputs)
        if wrong := broken(relations, model, carried[model.settled]):
            raise Unproved(f"{model.labels()[min(wrong)]} is another number at first than later")
        made, noise = Transcript(problem, formal, carried[0]), FormalNoise(formal, given.inputs)
        stepper = subject.stepper(given, formal)
        take_steps(stepper, stepper.start(noise), inputs, made, noise)
        named = quantities(model, carried[first - h], inputs[first - h :])
        random = {place: formal.convert(0) for place in guess.random}
        compare(made.memories[-1], guess.at(named, formal, random), formal, f"after {first} steps", guess.random)
        refuse_partial(formal)
        off = [each for _, each in differences(made, shown_by_model)]
        off += [each for array in made.finishes[0].values() for each in array.reshape(-1).tolist()]
        return _Taken(made, noise, {}, named, named, off)

    made: _Taken = subject.run(problem, work)
    for each in map(made.noise.expected, made.off):
        if not formal.equal(each, formal.convert(0)):
            off = formal.show(formal.simplified(each), 1)
            raise Biased(f"the expectation of a contribution of the first {max(first, 1)} steps is off by {off}")
    return made


def _in_expectation(subject: Subject, seen: _Seen, guess: _Guess, step: _Taken, base: _Taken) -> Expected:
    """Find the forms and what their expectations are, and prove that they stay so."""
    formal, expectation = step.made.formal, step.expectation
    after = step.made.memories[-1].values
    moved = Moved(expectation, after)
    off = [expectation.split(each) for each in step.off]
    forms = closed(off, moved)
    begun = {pivot: base.noise.expected(_value(row, base)) for pivot, row in forms.rows.items()}
    steps = {pivot: expectation.in_forms(moved(row), forms) for pivot, row in forms.rows.items()}
    terms = _recognised(subject, seen, guess, forms, _moments(seen, guess, step, base, begun, steps))
    paths = [entry.path for entry in guess.memory.entries]
    before = {pivot: term.value(step.named, formal) for pivot, term in terms.items()}
    for pivot, term in terms.items():
        name, ground = shown(forms.rows[pivot], paths), base.made.formal
        _require_zero(begun[pivot] - term.value(base.named, ground), ground, f"{name} at first")
        later = _sum(steps[pivot], before, formal) - term.value(step.after, formal)
        _require_zero(later, formal, f"{name} after a step")
    for each in off:
        _require_zero(_sum(expectation.in_forms(each, forms), before, formal), formal, "a contribution")
    named = {paths[place]: term for place, term in guess.terms.items()}
    named.update({shown(forms.rows[pivot], paths): term for pivot, term in terms.items()})
    sighting = guess.sighting
    identities = len(step.off) + len(base.off) + 2 * len(named)
    span = {"first": sighting.times[0], "period": sighting.period, "window": sighting.window}
    return Expected(span, named, identities)


def _value(row: Vector, base: _Taken) -> Any:
    return base.made.formal.convert(0) + valued(row, base.made.memories[-1].values)


def _moments(
    seen: _Seen, guess: _Guess, step: _Taken, base: _Taken, begun: dict[Any, Any], steps: dict[Any, dict[Any, Any]]
) -> list[dict[Any, Any]]:
    """Return the expectations of forms by their residues, at each time at which the memory was seen."""
    field, times, h = seen.run.model.field, guess.sighting.times, guess.sighting.window

    def point(of: _Taken, at: int) -> Point:
        formal = of.made.formal
        known = pairs(of.made.problem, seen.point, at, formal, field)
        return Point(formal, field, [*known, *zip(of.made.numbers, seen.run.numbers[at], strict=True)])

    first = point(base, 0)
    found = [{pivot: first.value(polynomial) for pivot, polynomial in begun.items()}]
    for t in times[:-1]:
        here = point(step, t - h)
        found.append({pivot: evaluated(here, coefficients, found[-1]) for pivot, coefficients in steps.items()})
    return found


def _recognised(
    subject: Subject, seen: _Seen, guess: _Guess, forms: Forms, moments: list[dict[Any, Any]]
) -> dict[Any, Term]:
    """Return the quantities that expectations of forms are.

    Raises:
        Unidentified: Some are none.
    """
    paths = [entry.path for entry in guess.memory.entries]
    names = [shown(row, paths) for row in forms.rows.values()]
    series: list[Numbers] = [[each[pivot] for pivot in forms.rows] for each in moments]
    found: Identified = identify(names, series, guess.sighting.named, PRIME)
    if found.unknown:
        raise Unidentified(found.unknown, subject.whose)
    return dict(zip(forms.rows, found.terms, strict=True))


def _sum(coefficients: dict[Any, Any], moments: dict[Any, Any], formal: FormalField) -> Any:
    """Return a sum of forms whose expectations are known."""
    total = formal.convert(0)
    for pivot, polynomial in coefficients.items():
        total = total + (polynomial if pivot == ONE else polynomial * moments[pivot])
    return total


def _require_zero(off: Any, formal: FormalField, what: str) -> None:
    if not formal.equal(off, formal.convert(0)):
        raise Unproved(f"the expectation of {what} is off by {formal.show(formal.simplified(off), 1)}")
