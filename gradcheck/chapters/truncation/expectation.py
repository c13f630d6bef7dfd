"""Growth of the expected squared error over random linear networks as tau shrinks: an identity, no statistics.

Claim. Identity activation and output, squared error. Parameters, inputs, initial state and targets independent with
finite moments; every target symmetric about 0; every other entry symmetric about 0, or never negative. Then
    E ||error(tau)||^2 - E ||error(tau + 1)||^2  >=  E ||G(tau)||^2,
which is positive unless lag tau is almost surely dead. It holds at every size, and for every entry by itself.
Proof. The difference is E ||G(tau)||^2 + 2 sum over k > tau of E <G(tau), G(k)>, so it is enough that no E <G(j), G(k)>
is negative. Write y = -z. Then u, d = V (V^T a + z) and J = R^T are sums of products of the entries with plus signs
only, so every lag term is a polynomial with coefficients >= 0 (`signs` checks it on SymPy's own), and so is
<G(j), G(k)>. z is symmetric about 0 as y is. The expectation of a monomial is the product of its entries' moments:
zero if a symmetric entry has an odd power, else not negative. So the expectation of the polynomial is not negative.

This is `signs` in the mean: the random signs leave exactly those products that share a sign. Where the targets are
not symmetric the products with an odd power of a target stay, with a minus sign, and the claim fails:
`tests/unit/test_truncation.py` plants that.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import flint
import numpy as np

from ...evidence.exact import formal
from ...records import Statement, Strength
from ...reference.network import Network, Sizes
from ...reference.problem import Problem
from ...reference.scalars.formal import entry_name
from ..verdicts import judged
from . import sampling
from .tails import RATIONAL, THETA, squared_errors

LINEAR = Network("identity")
SIZES = (Sizes(4, 1, 1, 1), Sizes(3, 2, 1, 1))


@lru_cache(maxsize=8)
def _lag_sums(sizes: Sizes) -> tuple[tuple[str, ...], tuple[list[Any], ...]]:
    """Return the generators' labels, and G(0), ..., G(T-1) of W and R as lists of polynomials, from SymPy."""
    ref = formal.reference(LINEAR, Sizes(4, sizes.I, sizes.D, sizes.K), False)
    sums = []
    for k in range(sizes.T):
        terms = [ref.term(t, k) for t in range(k + 1, sizes.T + 1)]
        columns = zip(*([v for name in THETA for v in term[name].reshape(-1)] for term in terms), strict=True)
        sums.append([sum(column[1:], column[0]) for column in columns])
    # A linear network needs no generators for f(s); without them, monomials are short to go through.
    places = ref.field.places
    ring = flint.fmpq_mpoly_ctx.get([f"g{place}" for place in places], "lex")
    return tuple(places.values()), tuple([v.project_to_context(ring) for v in part] for part in sums)


def surviving(polynomial: Any, labels: Sequence[str], symmetric: Iterable[str]) -> list[tuple[tuple[int, ...], Any]]:
    """Return the monomials whose expectation is not zero: even in every entry of the arrays named `symmetric`."""
    names = tuple(symmetric)
    odd = [i for i, label in enumerate(labels) if label.partition("[")[0] in names]
    return [(m, c) for m, c in polynomial.terms() if not any(m[i] % 2 for i in odd)]


def cross_terms(sizes: Sizes, symmetric: Iterable[str] = ("targets",)) -> dict[tuple[int, int], tuple[int, int]]:
    """Return by (j, k), 1 <= j <= k < T, the number of surviving monomials of <G(j), G(k)> and of negative ones."""
    labels, sums = _lag_sums(sizes)
    found = {}
    for j, k in itertools.combinations_with_replacement(range(1, sizes.T), 2):
        products = [a * b for a, b in zip(sums[j], sums[k], strict=True)]
        left = surviving(sum(products[1:], products[0]), labels, symmetric)
        found[j, k] = (len(left), sum(c < 0 for _, c in left))
    return found


def proved(sizes: Sizes, symmetric: Iterable[str] = ("targets",)) -> bool:
    """Return True where no cross term has a negative monomial, and every square has a positive one."""
    found = cross_terms(sizes, symmetric)
    return all(negative == 0 and (j < k or kept > 0) for (j, k), (kept, negative) in found.items())


def predicted(problem: Problem, symmetric: Iterable[str]) -> list[Fraction]:
    """Return E ||error(tau)||^2, tau = 1..T, from the surviving monomials.

    The entries have the magnitudes of `problem`, whose loss weights must be ones; those of the arrays named have
    random signs.
    """
    labels, sums = _lag_sums(problem.sizes)
    value = {
        entry_name(name, index): Fraction(float(array[index]))
        for name, array in problem.arrays().items()
        for index in np.ndindex(*array.shape)
    }
    at = [value.get(label, Fraction(0)) for label in labels]
    tail, found = [v * 0 for v in sums[0]], [Fraction(0)]
    for part in reversed(sums[1:]):
        tail = [a + b for a, b in zip(tail, part, strict=True)]
        total = Fraction(0)
        for monomial, c in surviving(sum((v * v for v in tail), tail[0] * 0), labels, symmetric):
            factors = (at[i] ** int(e) for i, e in enumerate(monomial) if e)
            total += math.prod(factors, start=Fraction(int(c.p), int(c.q)))
        found.append(total)
    return found[::-1]


def enumerated(problem: Problem, symmetric: Iterable[str]) -> list[Fraction]:
    """Return E ||error(tau)||^2 as the mean of the errors of `reference.lags` over every sign vector."""
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


def climbing(means: list[Fraction]) -> bool:
    """Return True where the errors at tau = 1, 2, ... strictly fall, that is, grow as tau shrinks."""
    return all(a > b for a, b in zip(means, means[1:], strict=False))


def example() -> Problem:
    """Return the magnitudes at which the two ways are compared: T = 3, I = 2."""
    parameters = {"W": [[1.0, 2.0]], "R": [[1.0, 0.5], [2.0, 1.0]], "V": [[1.0], [0.5]]}
    arrays = {name: np.array(value) for name, value in parameters.items()}
    inputs, targets = np.array([[1.0], [0.5], [2.0]]), np.array([[1.0], [3.0], [0.5]])
    return Problem(arrays, inputs, targets, np.array([1.0, 0.5]), network=LINEAR)


def statements() -> list[Statement]:
    """Return the rows of the chapter: the exact one here, the statistical one of `sampling`."""
    return [_linear(), _tanh()]


def _linear() -> Statement:
    problem, symmetric = example(), ("R", "targets")
    means = enumerated(problem, symmetric)
    verdict = judged(
        "the expected squared error of random linear networks grows as tau shrinks",
        all(proved(sizes) for sizes in SIZES) and means == predicted(problem, symmetric) and climbing(means),
        "With symmetric random targets, and every other entry symmetric or never negative, each expectation "
        "of a product of two lags is a sum of moments with positive coefficients: the random signs leave only what "
        "shares a sign. So dropping lag $k$ adds at least its own mean square.",
        kind="formal",
        strength=Strength.PROVED,
        scope=f"{'; '.join(map(str, SIZES))}; identity activation and output, squared error, W and R. Checked at T = "
        f"3, I = 2 by going through all {2**7} signs of R and y: the same rationals",
        blind="larger sizes, which the argument in `chapters/truncation/expectation.py` covers; other activations",
        means=[str(mean) for mean in means],
    )
    return Statement(
        "truncation-expected-linear", "Where it is monotone", "The mean square over random linear networks",
        r"\mathrm{E} \| \mathrm{error}(\tau) \|^2 - \mathrm{E} \| \mathrm{error}(\tau + 1) \|^2"
        r" \ge \mathrm{E} \| G(\tau) \|^2, \quad G(\tau) = \sum_t g(t,\tau)", verdict,
    )  # fmt: skip


def _tanh() -> Statement:
    found = sampling.growth()
    rate = f"$10^{{{np.log10(sampling.ALPHA):.0f}}}$"
    capitals = ", ".join(f"$10^{{{c:.0f}}}$" for c in found.capitals)
    verdict = judged(
        "the expected squared error of random tanh networks grows as tau shrinks",
        found.shown,
        f"Betting on growth at $\\tau = 1, 2, \\ldots$ turned a stake of 1 into {capitals}. Were there no growth at "
        f"one of them, the chance of ever reaching the $10^{{{found.needed:.1f}}}$ asked for would be at most "
        f"$10^{{-{found.needed:.1f}}}$ there; so the chance of any false rejection is at most {rate}.",
        kind="properties",
        strength=Strength.SUPPORTED,
        scope=f"T = {sampling.STEPS}, I = {sampling.UNITS}, D = K = 1, {sampling.DRAWS} networks: W uniform in [-1, "
        "1], R in [-1/2, 1/2], x and y random signs, V such signs halved",
        otherwise="growth was not shown at every tau",
        blind="other distributions; and that the seed is fixed: the error rate is over seeds, of which this is one, "
        "chosen before the draw",
        means=list(found.means),
        monotone=found.monotone,
        seed=sampling.SEED,
    )
    return Statement(
        "truncation-expected-tanh", "Where it is monotone", "The mean square over random tanh networks",
        r"\mathrm{E} \| \mathrm{error}(\tau) \|^2 > \mathrm{E} \| \mathrm{error}(\tau + 1) \|^2", verdict,
        comment="A statistical statement, whose error rate needs no assumption on tails or variances. Of the networks "
        f"drawn, {found.monotone:.1%} are monotone by themselves; the mean square over all is.",
    )  # fmt: skip
