"""Costs of a rule: operations for a whole sequence, and numbers kept at once beside those of the problem."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property
from typing import Any, TypeAlias

import numpy as np

from ....problems.lively import lively_problem
from ....reference.networks.base import RecurrentNetwork, Sizes
from ....reference.networks.sizes import fitting
from ....reference.networks.state import state_of
from ....reference.scalars.counted import CountedField, Tally
from ....rules.adapt import Rule, as_rule
from ....rules.call import run
from .doubling import LENGTHS as LENGTHS
from .doubling import upper_bound
from .fitting import HIGHEST, SIZES, Fitted, Values, fit, regions, vanishing
from .growth import outgrowing, within
from .polynomial import Monomial, Polynomial, interpolate, rank

Ray: TypeAlias = frozenset[str]
"""Variables that grow together while the others stay fixed."""

TIME, STORAGE, MOVES = "time", "storage", "moves"
"""Operations; numbers kept at once; and numbers copied or compared, which take time beside the operations."""
LONG = 200
"""Steps of the long sequence on which growth in T is checked again, with the other sizes small."""


def count(rule: Rule, network: RecurrentNetwork, at: Values, seed: int = 0) -> Tally:
    """Count the operations and numbers of a rule on one problem.

    Args:
        rule: The rule.
        network: The problem's network.
        at: Values of T, I, D, K and the rule's settings.
        seed: Seed of the problem.

    Raises:
        UnsupportedOperation: The rule's code does not run on counted numbers.
        RuleFailed, WrongResult: As for `gradcheck.rules.call.run`.
    """
    field = CountedField()
    sizes = Sizes(*(at[letter] for letter in SIZES))
    problem = lively_problem(network, sizes, seed, weighted=rule.declaration.weighted).over(field)
    with field.counting() as seen:
        run(rule, problem, {name: value for name, value in at.items() if name not in SIZES})
    return seen


@dataclass(frozen=True)
class Growth:
    """Growth of one cost with the sizes and settings.

    Attributes:
        fitted: The count as a polynomial, or None if it is none.
        rays: The degree of the count along each ray from small sizes, or None if it has none. They cover sizes outside
            the region of the polynomial.
        steady: True if the count at `LONG` steps is the one predicted from short sequences. A window of steps that
            fills up makes it False.
    """

    fitted: Fitted | None
    rays: Mapping[Ray, int | None]
    steady: bool

    def outgrows(self, bound: Polynomial) -> Monomial | Ray | None:
        """Return a term of the polynomial, or a ray, for which the count is not O(bound); None if there is none."""
        if self.fitted:
            term = outgrowing(self.fitted.in_free, bound.substitute(self.fitted.region.forward))
            if term is not None:
                return term
        for ray, degree in self.rays.items():
            if degree is not None and degree > _degree_along(bound, ray):
                return ray
        return None

    @property
    def text(self) -> str:
        """The count with its region, such as "2 I^2 + I D for T >= 3 and I, D, K >= 2"."""
        if self.fitted is None:
            return f"no polynomial of degrees up to {HIGHEST} at the sizes where it was counted"
        return f"{self.fitted.polynomial} for {self.fitted.region.text}"

    @property
    def details(self) -> dict[str, Any]:
        """The polynomial and its region as data for the report."""
        if self.fitted is None:
            return {}
        return {
            "polynomial": str(self.fitted.polynomial),
            "leading": str(self.fitted.polynomial.leading()),
            "region": self.fitted.region.text,
            "counted": self.fitted.counted,
            "held_out": self.fitted.held_out,
        }

    def named(self, outgrown: Monomial | Ray) -> str:
        """Return a term or a ray that `outgrows` returned as text."""
        if isinstance(outgrown, frozenset):
            together = " = ".join(name for name in SIZES if name in outgrown)
            degree = self.rays[outgrown]
            return f"its growth with {together}, of degree {degree},"
        assert self.fitted is not None
        terms = sorted(self.fitted.polynomial.terms.items(), key=lambda term: rank(term[0]))
        made = (Polynomial({monomial: coefficient}) for monomial, coefficient in terms)
        return f"the term {next(t for t in made if outgrown in t.substitute(self.fitted.region.forward).terms)}"

    def reaches(self, bound: Monomial) -> bool:
        """Return True if the count is Omega(bound): it grows at least as fast as all free variables grow."""
        if self.fitted is None:
            return False
        wanted = Polynomial({bound: Fraction(1)}).substitute(self.fitted.region.forward)
        terms = tuple(self.fitted.in_free.terms)
        return all(within(term, terms) for term in wanted.terms)


def _degree_along(bound: Polynomial, ray: Ray) -> int:
    return max(sum(n for name, n in monomial if name in ray) for monomial in bound.terms)


Counts: TypeAlias = Mapping[tuple[tuple[str, int], ...], Mapping[str, int]]
"""Counts of each cost, by values of T, I, D, K and the settings."""


class Costs:
    """Counts of one rule on one network, each size once.

    Attributes:
        settings: Names of the rule's settings.
        time, storage, moves: The growth of each cost, derived on first use.
    """

    def __init__(self, rule: Rule, network: RecurrentNetwork, seed: int = 0) -> None:
        self.rule, self.network, self.seed = rule, network, seed
        self._known: dict[tuple[tuple[str, int], ...], Mapping[str, int]] = {}
        self.settings = tuple(sorted({name for given in rule.settings(4) for name in given}))

    def at(self, values: Values) -> Mapping[str, int]:
        """Return each cost at these values of T, I, D, K and the settings."""
        key = tuple(sorted(values.items()))
        if key not in self._known:
            seen = count(self.rule, self.network, values, self.seed)
            self._known[key] = {TIME: seen.operations, STORAGE: seen.peak, MOVES: seen.moves}
        return self._known[key]

    @property
    def counted(self) -> int:
        """The number of sizes and settings that were counted."""
        return len(self._known)

    @property
    def counts(self) -> Counts:
        """All counts so far."""
        return dict(self._known)

    def remember(self, counts: Counts) -> None:
        """Add the counts of the same rule and network from another process."""
        self._known.update(counts)

    @cached_property
    def time(self) -> Growth:
        return self._growth(TIME)

    @cached_property
    def storage(self) -> Growth:
        return self._growth(STORAGE)

    @cached_property
    def moves(self) -> Growth:
        return self._growth(MOVES)

    def at_most(self, cost: str) -> Polynomial | None:
        """Return a polynomial of which a cost that is none itself is at most a constant times, or None.

        Args:
            cost: "time" or "storage".
        """
        return None if self.settings else upper_bound(self.at, cost)

    @cached_property
    def weights(self) -> Polynomial:
        """The number of the network's parameters."""

        def measure(at: Values) -> Mapping[str, int]:
            sizes = fitting(self.network, Sizes(*(at[letter] for letter in SIZES)))
            return {"weights": sum(math.prod(shape) for shape in self.network.parameter_shapes(sizes).values())}

        fitted = fit(measure, list(regions(())), "weights")
        return fitted.polynomial if fitted else Polynomial({})

    @property
    def local_in_time(self) -> bool | None:
        """True if neither the work of a step nor the storage grows with T; None if a count is no polynomial."""
        if self.time.fitted is None or self.storage.fitted is None:
            return None
        rays = (self.time.rays.get(frozenset("T")) or 0) <= 1 and not self.storage.rays.get(frozenset("T"))
        steady = self._settled(self.time).degree("T") <= 1 and self._settled(self.storage).degree("T") <= 0
        return rays and steady

    @property
    def local_in_space(self) -> bool | None:
        """True if the work per step and weight is bounded for any number of weights, at fixed settings."""
        if self.time.fitted is None:
            return None
        bound = self.weights * Polynomial.variable("T")
        ends = (degree is None or degree <= _degree_along(bound, ray) for ray, degree in self.time.rays.items())
        return outgrowing(self._settled(self.time), bound) is None and all(ends)

    def _settled(self, growth: Growth) -> Polynomial:
        return growth.fitted.polynomial.constant(self.settings) if growth.fitted else Polynomial({})

    def _growth(self, kind: str) -> Growth:
        fitted = fit(self.at, list(regions(self.settings)), kind, alike=kind == STORAGE)
        if kind == TIME and fitted and not fitted.region.apart:
            return Growth(fitted, {}, self._steady(kind))
        return Growth(fitted, {ray: self._degree(kind, ray) for ray in self._rays()}, self._steady(kind))

    def _rays(self) -> Iterator[Ray]:
        for most in range(1, len(SIZES) + 1):
            yield from map(frozenset, itertools.combinations(SIZES, most))

    @property
    def _small(self) -> dict[str, int]:
        return {**dict.fromkeys(SIZES, 2), **dict.fromkeys(self.settings, 1)}

    def _steady(self, kind: str) -> bool:
        """Return True if the polynomial through the counts of a few steps predicts that of `LONG` steps."""
        at = range(4, 4 + HIGHEST + 4)
        line = [self.at({**self._small, "T": T})[kind] for T in at]
        degree = vanishing(line, tail=3)
        if degree is None:
            return False
        last = slice(-degree - 1, None)
        predicted = interpolate(["T"], [at[last]], np.array(line[last], dtype=object))
        return predicted({"T": LONG}) == self.at({**self._small, "T": LONG})[kind]

    def _degree(self, kind: str, ray: Ray) -> int | None:
        """Return the degree along a ray from small sizes, or None if no differences vanish."""
        line: list[int] = []
        for n in range(HIGHEST + 4):
            line.append(self.at({**self._small, **dict.fromkeys(ray, 3 + n)})[kind])
            degree = vanishing(line, tail=3)
            if degree is not None and len(line) >= degree + 4:
                return degree
        return None


@cache
def costs_of(target: Any) -> Costs:
    """Return the costs of a shipped rule on its first network, counted once per process."""
    rule = as_rule(target)
    return Costs(rule, rule.declaration.networks[0])


_LAST: list[tuple[Costs, tuple[Hashable, int]]] = []
"""The latest costs, with a key of their network and seed."""


def costs(rule: Rule, network: RecurrentNetwork, seed: int = 0) -> Costs:
    """Return the costs of a rule on a network. The latest are kept, since claims of a rule are judged one by one."""
    key = (state_of(network), seed)
    if not _LAST or _LAST[0][0].rule is not rule or _LAST[0][1] != key:
        _LAST[:] = [(Costs(rule, network, seed), key)]
    return _LAST[0][0]


def counts_of(target: Any) -> Counts:
    """Return the counts in the latest costs, if they are of that rule on its first network at seed 0; else nothing."""
    if not _LAST or _LAST[0][0].rule.target is not target:
        return {}
    found, key = _LAST[0]
    return found.counts if key == (state_of(as_rule(target).declaration.networks[0]), 0) else {}
