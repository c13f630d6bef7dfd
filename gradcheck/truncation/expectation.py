"""The expected squared error over random linear networks grows as tau shrinks: an identity, no statistics.

Claim. Identity activation and output, squared error. Parameters, inputs, initial state and targets independent with
finite moments; every target symmetric about 0; every other entry symmetric about 0, or never negative. Then
    E ||error(tau)||^2 - E ||error(tau + 1)||^2  >=  E ||G(tau)||^2,
which is positive unless lag tau is almost surely dead. It holds at every size, and for every entry by itself.
Proof. The difference is E ||G(tau)||^2 + 2 sum over k > tau of E <G(tau), G(k)>, so it is enough that no E <G(j), G(k)> is
negative. Write y = -z. Then u, d = V (V^T a + z) and J = R^T are sums of products of the entries with plus signs
only, so every lag term is a polynomial with coefficients >= 0 (`signs` checks it on SymPy's own), and so is
<G(j), G(k)>. z is symmetric about 0 as y is. The expectation of a monomial is the product of its entries' moments:
zero if a symmetric entry has an odd power, else not negative. So the expectation of the polynomial is not negative.

This is `signs` in the mean: the random signs leave exactly those products that share a sign. Where the targets are
not symmetric the products with an odd power of a target stay, with a minus sign, and the claim fails:
`tests/test_truncation.py` plants that.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from ..evidence import formal
from ..reference.network import Network, Sizes
from ..reference.problem import Problem
from ..reference.scalars.formal import entry_name
from ..reference.scalars.rational import RationalField
from .tails import THETA, squared_errors

LINEAR = Network("identity")
SIZES = (Sizes(3, 1, 1, 1), Sizes(4, 1, 1, 1), Sizes(3, 2, 1, 1))
RATIONAL = RationalField()


@lru_cache(maxsize=8)
def _lag_sums(sizes: Sizes) -> tuple[Any, tuple[list[Any], ...]]:
    """The ring, and G(0), ..., G(T-1) of W and R as lists of polynomials, from SymPy's own lag terms."""
    ref = formal.reference(LINEAR, Sizes(4, sizes.I, sizes.D, sizes.K), False)
    sums = []
    for k in range(sizes.T):
        terms = [ref.term(t, k) for t in range(k + 1, sizes.T + 1)]
        columns = zip(*([v for name in THETA for v in term[name].reshape(-1)] for term in terms), strict=True)
        sums.append([sum(column[1:], column[0]) for column in columns])
    return ref.field, tuple(sums)


def surviving(polynomial: Any, field: Any, symmetric: Iterable[str]) -> list[tuple[tuple[int, ...], Any]]:
    """The monomials whose expectation is not zero: even in every entry of the arrays named `symmetric`."""
    names = tuple(symmetric)
    odd = [i for i, label in enumerate(field.labels) if label.partition("[")[0] in names]
    return [(m, c) for m, c in polynomial.terms() if not any(m[i] % 2 for i in odd)]


def cross_terms(sizes: Sizes, symmetric: Iterable[str] = ("targets",)) -> dict[tuple[int, int], tuple[int, int]]:
    """(j, k), 1 <= j <= k < T, to how many monomials of <G(j), G(k)> survive, and how many of them are negative."""
    field, sums = _lag_sums(sizes)
    found = {}
    for j, k in itertools.combinations_with_replacement(range(1, sizes.T), 2):
        product = sum((a * b for a, b in zip(sums[j], sums[k], strict=True)), field.convert(0))
        left = surviving(product, field, symmetric)
        found[j, k] = (len(left), sum(c < 0 for _, c in left))
    return found


def proved(sizes: Sizes, symmetric: Iterable[str] = ("targets",)) -> bool:
    """Whether no cross term has a negative monomial, and every square has a positive one."""
    found = cross_terms(sizes, symmetric)
    return all(negative == 0 and (j < k or kept > 0) for (j, k), (kept, negative) in found.items())


def predicted(problem: Problem, symmetric: Iterable[str]) -> list[Fraction]:
    """E ||error(tau)||^2, tau = 1..T, from the surviving monomials, where the entries of the arrays named have random
    signs and the magnitudes of `problem`.
    """  # fmt: skip
    field, sums = _lag_sums(problem.sizes)
    value = {
        entry_name(name, index): Fraction(float(array[index]))
        for name, array in problem.arrays().items()
        for index in np.ndindex(*array.shape)
    }
    at = [value.get(label, Fraction(0)) for label in field.labels]
    tail, found = [field.convert(0)] * len(sums[0]), [Fraction(0)]
    for part in reversed(sums[1:]):
        tail = [a + b for a, b in zip(tail, part, strict=True)]
        total = Fraction(0)
        for monomial, c in surviving(sum((v * v for v in tail), field.convert(0)), field, symmetric):
            factors = (at[i] ** e for i, e in enumerate(monomial) if e)
            total += int(c.p) * np.prod([*factors, Fraction(1, int(c.q))])
        found.append(total)
    return found[::-1]


def enumerated(problem: Problem, symmetric: Iterable[str]) -> list[Fraction]:
    """The same by going through every sign vector: the mean of the errors that `reference.lags` gives."""
    names = tuple(symmetric)
    places = [(name, index) for name in names for index in np.ndindex(*problem.arrays()[name].shape)]
    totals = [Fraction(0)] * problem.T
    for signs in itertools.product((1, -1), repeat=len(places)):
        arrays = {name: array.copy() for name, array in problem.arrays().items()}
        for sign, (name, index) in zip(signs, places, strict=True):
            arrays[name][index] *= sign
        parameters = {name: arrays.pop(name) for name in problem.parameters}
        drawn = problem.replace(parameters=parameters, **arrays).over(RATIONAL)
        sizes = squared_errors(drawn, RATIONAL, THETA)
        totals = [a + Fraction(int(b.p), int(b.q)) for a, b in zip(totals, sizes, strict=True)]
    return [total / 2 ** len(places) for total in totals]


def example() -> Problem:
    """The magnitudes at which the two ways are compared: T = 3, I = 2."""
    parameters = {"W": [[1.0, 2.0]], "R": [[1.0, 0.5], [2.0, 1.0]], "V": [[1.0], [0.5]]}
    return Problem(
        {name: np.array(value) for name, value in parameters.items()},
        np.array([[1.0], [0.5], [2.0]]), np.array([[1.0], [3.0], [0.5]]), np.array([1.0, 0.5]), None, LINEAR,
    )  # fmt: skip
