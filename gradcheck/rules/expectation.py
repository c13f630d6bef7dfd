"""The expectation of a stochastic rule over its noise, as a rule that is not stochastic.

It is exact in every number system. Polynomials: a draw is a generator, and E of a polynomial in it follows from the
moments of its law (a sign: nu^2 = 1 and E nu = 0). Residues: one run on all outcomes at once, see `scalars.outcomes`.
Any other: one run for each outcome, depth first, so that later draws may depend on earlier ones.

Normal and uniform draws have no finite list of outcomes. Nodes c, c - a, c + a stand for them, c the mean of the law
and v its variance, with the weights 1 - v/a^2, v/(2 a^2), v/(2 a^2): they have its first three moments, so that they
are exact where the rule is a polynomial of degree 3 at most in every draw. A term of degree 2k about c counts
v a^(2k-2), so two sets of nodes, one with an a drawn at random, agree for such polynomials, and for others at isolated
a alone. Where the two do not agree, the expectation is refused.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import flint
import numpy as np

from ..reference.errors import GradcheckError, UnsupportedOperation
from ..reference.noise import Draw, Law, Noise
from ..reference.problem import Problem
from ..reference.scalars.float_ball import FloatBallArray
from ..reference.scalars.formal import FormalField
from ..reference.scalars.outcomes import OutcomeField, Spread
from ..reference.scalars.residues.array import ResidueArray
from ..reference.scalars.scalar import system_of
from ..reference.tree import leaves, map_nest
from ..reference.typing import Array, Gradient
from .adapt import Rule, as_rule
from .returned import by_name
from .sources import by_content

MOST_RUNS = 256
"""Outcomes up to which a rule is run for each."""
MOST_OUTCOMES = 1 << 14
"""Outcomes up to which a rule is run on all of them at once."""
Nodes = tuple[tuple[Fraction, Fraction], ...]
"""Values of a draw, each with its weight; the weights add up to 1."""


class TooManyOutcomes(UnsupportedOperation):
    """The noise of a rule has more outcomes than can be gone through."""


def expectation(rule: Rule) -> Rule:
    """Return the rule whose result is the expectation of a rule's result over its noise.

    Args:
        rule: Any rule. One that is not stochastic is its own expectation.

    Returns:
        A rule that is not stochastic. It raises `UnsupportedOperation` where the expectation cannot be worked out.
    """
    if not rule.stochastic:
        return rule

    def averaged(problem: Problem, **settings: Any) -> Any:
        def run(noise: Noise, given: Problem = problem) -> Any:
            return rule.function(given.copy(), noise, **settings)

        field = system_of(problem.inputs)
        if isinstance(field, FormalField):
            return _formal(field, problem, run)
        mean = _at_once if isinstance(problem.inputs, ResidueArray) else _one_by_one
        found, sampled = mean(problem, run, None)
        if sampled:
            again, _ = mean(problem, run, _spread(problem))
            for one, two in zip(leaves(found), leaves(again), strict=True):
                if not _agree(one, two):
                    text = "the expectation over draws of which the rule is no polynomial of degree 3"
                    raise UnsupportedOperation(text, _name(problem), "take signs instead")
        return found

    return dataclasses.replace(rule, function=averaged, source=None, drawn=rule)


def _spread(problem: Problem) -> Fraction:
    """Return the distance of nodes from the mean, drawn at random for each problem: a number from 1 to 5."""
    return 1 + Fraction(int(by_content(problem.inputs).rng.integers(1, 1 << 20)), 1 << 18)


def _name(problem: Problem) -> str:
    return str(getattr(system_of(problem.inputs), "name", "float"))


def _too_many(problem: Problem, most: int) -> TooManyOutcomes:
    return TooManyOutcomes(f"the expectation over more than {most} outcomes", _name(problem), "take smaller sizes")


def mean(rule: Any, problem: Problem, **settings: Any) -> Any:
    """Return the expectation of a rule's result over its noise.

    Args:
        rule: A function of a problem and noise, or an online rule.
        problem: The problem, in any number system.
        settings: The rule's keyword arguments.

    Returns:
        The arrays of the result.

    Raises:
        UnsupportedOperation: The expectation cannot be worked out; see `expectation`.
    """
    return expectation(as_rule(rule))(problem, settings)


@dataclass(frozen=True)
class Moments:
    """Mean and variance of a rule's result over its noise.

    Attributes:
        mean: The expectation of the result, by name.
        variance: The sum of the variances of all entries, over the sum of the squares of their expectations.
        outcomes: The number of outcomes that were gone through.
    """

    mean: Gradient
    variance: float
    outcomes: int


def moments(rule: Any, problem: Problem, *, most: int = 1 << 16, **settings: Any) -> Moments:
    """Return the mean and variance of a rule's result over its noise, by going through every outcome.

    Both are exact but for rounding; over normal and uniform draws only where the rule is linear in each of them, see
    the module.

    Args:
        rule: A function of a problem and noise, or an online rule.
        problem: The problem, in float64.
        most: The most outcomes to go through.
        settings: The rule's keyword arguments.

    Raises:
        TooManyOutcomes: There are more outcomes.
        GradcheckError: The rule is not stochastic.
    """
    adapted = as_rule(rule)
    if not adapted.stochastic:
        raise GradcheckError(f"{adapted.name} is not stochastic; its variance is 0")

    def run(noise: Noise) -> Any:
        return adapted.function(problem.copy(), noise, **settings)

    first: dict[str, Any] = {}
    square, number = 0.0, 0
    for noise, result in outcomes(run, problem.inputs):
        number += 1
        if number > most:
            raise _too_many(problem, most)
        weight = float(noise.weight)
        for name, array in by_name(result).items():
            first[name] = first.get(name, 0.0) + weight * np.asarray(array, dtype=float)
            square += weight * float((np.asarray(array, dtype=float) ** 2).sum())
    size = sum(float((array**2).sum()) for array in first.values())
    return Moments(first, (square - size) / size if size else math.inf, number)


def one_call(rule: Any, problem: Problem, **settings: Any) -> Any:
    """Return a rule's result on the noise that an audit gives it for this problem."""
    return as_rule(rule)(problem, settings)


# Moments.


class FormalNoise(Noise):
    """Noise whose every entry is a generator of a ring of polynomials.

    Args:
        field: The ring.
        like: An array of the ring.
    """

    def __init__(self, field: FormalField, like: Array) -> None:
        super().__init__(like)
        self.field = field
        self.moments: dict[int, Callable[[int], Fraction]] = {}

    def values(self, draw: Draw) -> Array:
        """Return generators; see `Noise.values`."""
        made = []
        for entry in range(draw.size):
            place, generator = self.field.noise(f"noise {len(self.moments)}")
            self.moments[place] = _moment(draw, entry)
            made.append(generator)
        return self.field.array(made, draw.shape)

    def expected(self, value: Any) -> Any:
        """Return the expectation of a polynomial over all that was drawn, as a polynomial in the other generators."""
        terms: dict[tuple[int, ...], Any] = {}
        for exponents, coefficient in value.to_dict().items():
            powers = [(place, exponents[place]) for place in self.moments if exponents[place]]
            weight = math.prod((self.moments[place](int(n)) for place, n in powers), start=Fraction(1))
            if weight:
                left = list(exponents)
                for place, _ in powers:
                    left[place] = 0
                key = tuple(left)
                terms[key] = terms.get(key, 0) + coefficient * flint.fmpq(weight.numerator, weight.denominator)
        return self.field.context.from_dict(terms)


def _moment(draw: Draw, entry: int) -> Callable[[int], Fraction]:
    """Return the moments of an entry of a draw: the expectation of its n-th power, for n > 0."""
    if draw.law is Law.SIGNS:
        return lambda n: Fraction(n % 2 == 0)
    if draw.law is Law.BERNOULLI:
        return lambda n: draw.p[entry]
    if draw.law is Law.UNIFORM:
        return lambda n: Fraction(1, n + 1)
    return lambda n: Fraction(0 if n % 2 else math.prod(range(1, n, 2)))


def _formal(field: FormalField, problem: Problem, run: Callable[[Noise], Any]) -> Any:
    noise = FormalNoise(field, problem.inputs)
    result = run(noise)

    def mean(array: Any) -> Any:
        return field.array(map(noise.expected, field.natives(array)), np.shape(array))

    return map_nest(mean, result) if isinstance(result, dict) else result


# Outcomes.


def _nodes(draw: Draw, entry: int, spread: Fraction | None) -> Nodes:
    """Return the values of an entry of a draw with their weights.

    Args:
        draw: The draw.
        entry: The number of the entry.
        spread: The distance of nodes from the mean of a law without a list of outcomes; if None 1, or 1/2 for uniform.
    """
    half = Fraction(1, 2)
    if draw.law is Law.SIGNS:
        return ((Fraction(1), half), (Fraction(-1), half))
    if draw.law is Law.BERNOULLI:
        p = draw.p[entry]
        found = [(Fraction(0), 1 - p), (Fraction(1), p)]
    else:
        centre, variance = (half, Fraction(1, 12)) if draw.law is Law.UNIFORM else (Fraction(0), Fraction(1))
        a = spread or (half if draw.law is Law.UNIFORM else Fraction(1))
        beside = variance / (2 * a * a)
        found = [(centre + a, beside), (centre - a, beside), (centre, 1 - 2 * beside)]
    return tuple((value, weight) for value, weight in found if weight)


class ChosenNoise(Noise):
    """Noise of which the first entries are chosen; each later one takes its first value.

    Args:
        chosen: The number of the value of each entry.
        like: An array of the run, see `Noise`.
        spread: The distance of nodes, see `_nodes`.
    """

    def __init__(self, chosen: list[int], like: Array | None = None, spread: Fraction | None = None) -> None:
        super().__init__(like, recording=False)
        self.chosen, self.spread = list(chosen), spread
        self.nodes: list[Nodes] = []
        self.sampled = False

    def values(self, draw: Draw) -> Array:
        """Return the chosen values; see `Noise.values`."""
        self.sampled |= draw.law in (Law.NORMAL, Law.UNIFORM)
        values = []
        for entry in range(draw.size):
            nodes = _nodes(draw, entry, self.spread)
            if len(self.nodes) == len(self.chosen):
                self.chosen.append(0)
            values.append(nodes[self.chosen[len(self.nodes)]][0])
            self.nodes.append(nodes)
        return np.array([float(value) for value in values]).reshape(draw.shape)  # dyadic, all of them

    @property
    def weight(self) -> Fraction:
        """The weight of this outcome."""
        return math.prod((nodes[n][1] for nodes, n in zip(self.nodes, self.chosen, strict=True)), start=Fraction(1))

    def following(self) -> list[int] | None:
        """Return the choice of the next outcome, depth first; None after the last."""
        chosen = list(self.chosen)
        while chosen:
            last = chosen.pop()
            if last + 1 < len(self.nodes[len(chosen)]):
                return [*chosen, last + 1]
        return None


def outcomes(
    run: Callable[[Noise], Any], like: Array, spread: Fraction | None = None
) -> Iterator[tuple[ChosenNoise, Any]]:
    """Yield the noise of each outcome, with the result of the run on it.

    Args:
        run: Runs a rule on noise.
        like: An array of its problem.
        spread: The distance of nodes for normal and uniform draws, see `_nodes`.
    """
    chosen: list[int] | None = []
    while chosen is not None:
        noise = ChosenNoise(chosen, like, spread)
        yield noise, run(noise)
        chosen = noise.following()


def _one_by_one(problem: Problem, run: Callable[[Noise], Any], spread: Fraction | None) -> tuple[Any, bool]:
    """Return the expectation by one run for each outcome, and whether nodes stood for a law."""
    total: Any = None
    sampled = False
    for number, (noise, result) in enumerate(outcomes(run, problem.inputs, spread)):
        if not isinstance(result, dict):
            return result, False
        if number == MOST_RUNS:
            raise _too_many(problem, MOST_RUNS)
        sampled |= noise.sampled
        weight = noise.weight
        factor = float(weight) if problem.inputs.dtype.kind == "f" and system_of(problem.inputs) is None else weight
        part = map_nest(lambda array, factor=factor: array * _scalar(factor, array), result)
        total = part if total is None else map_nest(lambda one, other: one + other, total, part)
    return total, sampled


def _scalar(factor: Any, array: Any) -> Any:
    """Return a factor that an array of its kind of numbers can be multiplied by."""
    if not isinstance(array, FloatBallArray):
        return factor
    if Fraction(float(factor)) != factor:
        raise UnsupportedOperation(f"the probability {factor}", "float ball", "float64 rounds it")
    return float(factor)


def _at_once(problem: Problem, run: Callable[..., Any], spread: Fraction | None) -> tuple[Any, bool]:
    """Return the expectation by one run on all outcomes at once."""
    residues = system_of(problem.inputs)
    field = OutcomeField(residues)
    noise = _SpreadNoise(field, problem, spread)
    result = run(noise, problem.map(lambda array: field.of(array)))
    if not isinstance(result, dict):
        return result, False
    return map_nest(lambda array: field.mean(array, noise.weights), result), noise.sampled


class _SpreadNoise(Noise):
    """Noise whose every entry is all of its values at once."""

    def __init__(self, field: OutcomeField, problem: Problem, spread: Fraction | None) -> None:
        super().__init__()
        self.field, self.problem, self.spread = field, problem, spread
        self.weights: list[list[Fraction]] = []
        self.sampled = False

    def _array(self, draw: Draw) -> Array:
        self.sampled |= draw.law in (Law.NORMAL, Law.UNIFORM)
        made: list[Spread] = []
        for entry in range(draw.size):
            nodes = _nodes(draw, entry, self.spread)
            made.append(self.field.axis([value for value, _ in nodes], len(self.weights)))
            self.weights.append([weight for _, weight in nodes])
            if math.prod(map(len, self.weights)) > MOST_OUTCOMES:
                raise _too_many(self.problem, MOST_OUTCOMES)
        return self.field.array(made, draw.shape)[()]

    def values(self, draw: Draw) -> Array:
        raise NotImplementedError


def _agree(one: Any, two: Any) -> bool:
    """Return whether two arrays are equal, or balls that meet; on floats, to 6 digits."""
    if isinstance(one, ResidueArray):
        return bool(one._field().equal(one, two).all())
    if isinstance(one, FloatBallArray):
        return bool((np.abs(one.midpoint - two.midpoint) <= one.radius + two.radius).all())
    pairs = itertools.zip_longest(np.asarray(one).reshape(-1).tolist(), np.asarray(two).reshape(-1).tolist())
    return all(_meet(getattr(a, "value", a), getattr(b, "value", b)) for a, b in pairs)


def _meet(a: Any, b: Any) -> bool:
    if isinstance(a, flint.arb):
        return bool(a.overlaps(b))
    if isinstance(a, (flint.fmpq, flint.nmod)):
        return bool(a == b)
    return bool(abs(a - b) <= 1e-6 * (1 + abs(a)))
