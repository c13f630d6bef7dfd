"""Expectations of polynomials in numbers that depend on noise: a finite list of forms that steps lead to no more than.

Let z be such numbers of a memory, of unknown distribution, and v(z) a polynomial with rational coefficients, a form.
After a step with noise of known moments, independent of z, the expectation of v(z') over that noise is a sum of other
generators times forms in z. Forms that contain what contributions need, and all that their own steps lead to, are
closed: their expectations before a step give those after it, whatever else the distribution of z is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

import flint

from ....reference.problem import Problem
from ....reference.scalars.base import Field
from ....reference.scalars.formal import FormalField
from ....reference.tree import leaves
from ....rules.expectation import FormalNoise
from .trust import Unproved

Monomial: TypeAlias = tuple[tuple[int, int], ...]
"""A product of powers of numbers that depend on noise: the number's place in the memory, and its power."""
Vector: TypeAlias = dict[Monomial, Any]
"""A sum of monomials, by their coefficients, which are rational and not 0."""
Split: TypeAlias = dict[tuple[int, ...], Vector]
"""A polynomial, by monomials in the generators that depend on no noise: what they are multiplied by."""
ONE: Monomial = ()
MOST_FORMS = 2000
"""Forms above which no more are looked for."""
HIGHEST_DEGREE = 4
"""Degree of forms above which the list counts as endless."""


class Endless(Unproved):
    """There are more forms than can be gone through."""


class Forms:
    """A space of forms, by a basis in reduced row echelon form."""

    def __init__(self) -> None:
        self.rows: dict[Monomial, Vector] = {}
        """The basis, each form by its pivot: the monomial that it alone has, with the coefficient 1."""

    def add(self, vector: Vector) -> bool:
        """Add a form to those that the basis spans. Return False if it was one of them."""
        rest = self._reduced(vector)
        if not rest:
            return False
        pivot = min(rest)
        own = {monomial: c / rest[pivot] for monomial, c in rest.items()}
        for row in self.rows.values():
            if pivot in row:
                _accumulate(row, own, -row[pivot])
        self.rows[pivot] = own
        return True

    def _reduced(self, vector: Vector) -> Vector:
        rest = dict(vector)
        for pivot in [monomial for monomial in vector if monomial in self.rows]:
            _accumulate(rest, self.rows[pivot], -rest[pivot])
        return rest

    def coordinates(self, vector: Vector) -> Vector:
        """Return what the forms of the basis are multiplied by in a form, by their pivots.

        Raises:
            Unproved: It is no sum of theirs.
        """
        if self._reduced(vector):
            raise Unproved("a step leads to a moment that is not among those before it")
        return {pivot: c for pivot, c in vector.items() if pivot in self.rows}


class Expectation:
    """The expectation of polynomials in a memory's numbers and the noise of some steps from it.

    Args:
        formal: The ring.
        noise: The noise of the steps.
        random: The memory's numbers that depend on earlier noise, as generators, by place.
    """

    def __init__(self, formal: FormalField, noise: FormalNoise, random: dict[int, Any]) -> None:
        self.formal, self.noise = formal, noise
        self._places = [(place_of(generator), number) for number, generator in random.items()]

    def split(self, value: Any) -> Split:
        """Return the expectation of a polynomial over the noise of the steps, by forms in the memory's numbers."""
        made: Split = {}
        for exponents, coefficient in self.noise.expected(value).to_dict().items():
            monomial = tuple((number, int(exponents[place])) for place, number in self._places if exponents[place])
            rest = list(exponents)
            for place, _ in self._places:
                rest[place] = 0
            _accumulate(made.setdefault(tuple(rest), {}), {monomial: coefficient}, 1)
        return made

    def in_forms(self, split: Split, forms: Forms) -> dict[Monomial, Any]:
        """Return the polynomials by which forms are multiplied, by their pivots; that of 1 is the rest.

        Raises:
            Unproved: There are forms that are no sums of these.
        """
        made: dict[Monomial, dict[tuple[int, ...], Any]] = {}
        for rest, vector in split.items():
            for pivot, c in forms.coordinates(_without_one(vector)).items():
                made.setdefault(pivot, {})[rest] = c
            if ONE in vector:
                made.setdefault(ONE, {})[rest] = vector[ONE]
        return {pivot: self.formal.context.from_dict(terms) for pivot, terms in made.items()}


class Moved:
    """Forms in a memory's numbers after some steps, as forms in those before.

    Args:
        expectation: The expectation over the noise of the steps.
        after: The numbers after them, as polynomials in those before, by place.
    """

    def __init__(self, expectation: Expectation, after: Sequence[Any]) -> None:
        self.expectation, self.after = expectation, after
        self._known: dict[Monomial, Split] = {}

    def __call__(self, vector: Vector) -> Split:
        made: Split = {}
        for monomial, c in vector.items():
            if monomial not in self._known:
                self._known[monomial] = self.expectation.split(valued({monomial: flint.fmpq(1)}, self.after))
            for rest, forms in self._known[monomial].items():
                _accumulate(made.setdefault(rest, {}), forms, c)
        return made


def valued(vector: Vector, numbers: Sequence[Any]) -> Any:
    """Return a form of numbers."""
    total: Any = 0
    for monomial, c in vector.items():
        product = c
        for number, power in monomial:
            product = product * numbers[number] ** power
        total = total + product
    return total


def closed(needed: Iterable[Split], moved: Callable[[Vector], Split]) -> Forms:
    """Return the smallest space of forms that holds those needed and all that their steps lead to.

    Args:
        needed: Expectations of what is contributed.
        moved: Returns what a form after a step is before it.

    Raises:
        Endless: There are too many.
    """
    forms = Forms()
    waiting = [vector for split in needed for vector in split.values()]
    while waiting:
        vector = _without_one(waiting.pop())
        if not forms.add(vector):
            continue
        if max(map(degree, vector)) > HIGHEST_DEGREE:
            raise Endless(
                f"what it contributes depends on moments of its state above degree {HIGHEST_DEGREE}; a step that is "
                "linear in what depends on noise leads to none above those that the contribution has"
            )
        if len(forms.rows) > MOST_FORMS:
            raise Endless(f"the expectation of what it contributes depends on more than {MOST_FORMS} moments")
        waiting.extend(moved(vector).values())
    return forms


def degree(monomial: Monomial) -> int:
    """Return the degree of a monomial."""
    return sum(power for _, power in monomial)


def shown(vector: Vector, paths: Sequence[str]) -> str:
    """Print the expectation of a form, as E[state.s[0] state.theta[1]]."""
    terms = []
    for monomial, c in vector.items():
        factors = [paths[number] + (f"^{power}" if power > 1 else "") for number, power in monomial]
        terms.append(" ".join(factors if c == 1 else [str(c), *factors]))
    return f"E[{' + '.join(terms)}]"


def _without_one(vector: Vector) -> Vector:
    return {monomial: c for monomial, c in vector.items() if monomial != ONE}


def _accumulate(total: Vector, vector: Vector, factor: Any) -> None:
    """Add a multiple of a vector to another, in place."""
    for monomial, c in vector.items():
        made = total.get(monomial, 0) + factor * c
        if made == 0:
            total.pop(monomial, None)
        else:
            total[monomial] = made


class Point:
    """Values of polynomials at a point of residues, at which functions are random ones.

    Args:
        formal: The ring.
        field: The residues.
        pairs: Polynomials with their values; those that are generators count.
    """

    def __init__(self, formal: FormalField, field: Field, pairs: Iterable[tuple[Any, Any]]) -> None:
        self.field = field
        self._known = {place_of(made): value for made, value in pairs if is_generator(made)}
        self._functions = formal.applications

    def value(self, polynomial: Any) -> Any:
        """Return the value of a polynomial."""
        total = self.field.convert(0)
        for exponents, c in polynomial.to_dict().items():
            term = self.field.convert(Fraction(int(c.p), int(c.q)))
            for place, power in enumerate(exponents):
                if power:
                    term = term * self._generator(place) ** int(power)
            total = total + term
        return total

    def _generator(self, place: int) -> Any:
        if place not in self._known:
            name, arguments = self._functions[place]
            values = tuple(map(self.value, arguments))
            plain = name.rstrip("0123456789")
            if plain == name:
                self._known[place] = self.field.function(name, values[0])
            else:
                self._known[place] = self.field.jointly(plain, int(name[len(plain) :]) - 1, values)
        return self._known[place]


def pairs(generic: Problem, point: Problem, first: int, formal: FormalField, field: Field) -> list[tuple[Any, Any]]:
    """Return the numbers of a problem of generators with those of steps of a problem of residues.

    Args:
        generic: The problem of generators.
        point: The other.
        first: The number of steps of the other that come before.
        formal: The ring.
        field: The residues.
    """
    steps = slice(first, first + generic.T)
    arrays = [(generic.parameters[name], point.parameters[name]) for name in generic.parameters]
    arrays += zip(leaves(generic.initial_state), leaves(point.initial_state), strict=True)
    arrays += [(generic.inputs, point.inputs[steps]), (generic.targets, point.targets[steps])]
    arrays += [(generic.loss_weights, point.loss_weights[steps])]
    return [pair for a, b in arrays for pair in zip(formal.natives(a), field.natives(b), strict=True)]


def is_generator(value: Any) -> bool:
    """Return True for a generator of a ring."""
    return len(value) == 1 and value.total_degree() == 1 and value.leading_coefficient() == 1


def place_of(generator: Any) -> int:
    """Return the number of a generator in its ring."""
    return list(map(int, generator.monoms()[0])).index(1)


def evaluated(point: Point, coefficients: dict[Monomial, Any], moments: dict[Monomial, Any]) -> Any:
    """Return the value of a sum of forms, from those of their expectations before."""
    total = point.field.convert(0)
    for pivot, polynomial in coefficients.items():
        total = total + point.value(polynomial) * (1 if pivot == ONE else moments[pivot])
    return total
