"""Traits of a wrong result, by which a smaller counterexample is known to show the same fault.

A rule may have several faults, and the one that is seen on the smallest problem need not be the one that was found. A
trait is a fact about a parameter that holds wherever its fault shows: lags are missing, a factor is negative, axes are
exchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..reference import arrays, lags
from ..reference.errors import GradcheckError
from ..reference.problem import Problem
from ..reference.typing import Array, Gradient
from ..reference.wanted import Of, kinds_of

LONGEST = 48
"""The longest sequence that is taken apart into lags."""


@dataclass(frozen=True)
class Traits:
    """Record of a wrong result: where it is wrong, and how.

    Attributes:
        wrong: The parameters with a wrong entry.
        facts: Facts about wrong parameters, each as (parameter, fact).
        trivial: Those of them that hold of any wrong result here, as of a single number.
    """

    wrong: frozenset[str]
    facts: frozenset[tuple[str, str]]
    trivial: frozenset[tuple[str, str]]

    def shown_by(self, other: Traits) -> bool:
        """Return True if the other result may show the same fault.

        They share a fact, or a parameter where no fact is known of this one.
        """
        told = self.facts - self.trivial
        return bool(told & other.facts) if told else bool(self.wrong & other.wrong)


def traits(problem: Problem, result: Gradient, truth: Gradient, allowed: dict[str, Array]) -> Traits:
    """Return the traits of a result.

    Args:
        problem: The float problem.
        result: The rule's result.
        truth: The promised gradient, in float64.
        allowed: Absolute allowances by parameter. A candidate and the result are each within one of their exact values.
    """
    wrong = {name for name, array in result.items() if not (np.abs(array - truth[name]) <= allowed[name]).all()}
    terms = _terms(problem, kinds_of(result))
    facts, trivial = set(), set()
    for name in wrong:
        for fact, holds_of_all in _facts(name, result[name], truth[name], allowed[name], terms):
            facts.add((name, fact))
            if holds_of_all:
                trivial.add((name, fact))
    return Traits(frozenset(wrong), frozenset(facts), frozenset(trivial))


def _facts(name: str, result: Array, truth: Array, allowed: Array, terms: list[Gradient]) -> Iterator[tuple[str, bool]]:
    """Yield facts about a wrong parameter, each with True if it would hold of any wrong result."""
    if not np.isfinite(result).all():
        yield "not finite", False
        return

    def equals(candidate: Array, factor: float = 1.0) -> bool:
        return bool((np.abs(result - candidate) <= 2 * max(1.0, factor) * allowed).all())

    largest = np.unravel_index(int(np.argmax(np.abs(truth))), truth.shape)
    if truth[largest] != 0:
        factor = float(result[largest] / truth[largest])
        if factor and equals(factor * truth, abs(factor)):
            yield f"times a {'positive' if factor > 0 else 'negative'} number", np.count_nonzero(truth) == 1
    if truth.ndim == 2 and truth.shape[0] == truth.shape[1] > 1 and equals(truth.T):
        yield "transposed", False
    kept = np.zeros(truth.shape)
    for k, term in enumerate(terms):
        if equals(truth - term[name]):
            yield f"without lag {k}", False
        if equals(kept):
            yield f"lags below {k}", False
        kept = kept + term[name]


def _terms(problem: Problem, of: Of) -> list[Gradient]:
    """Return the gradient's part of each lag, from 0 on; nothing for long sequences, or where that is not known."""
    if problem.T > LONGEST:
        return []
    try:
        parts = lags.by_lag(problem, of)
    except GradcheckError:
        return []
    return [
        {name: sum((parts[t, k][name] for t in range(k + 1, problem.T + 1)), np.zeros(array.shape))
         for name, array in arrays.wanted(problem, of).items()}
        for k in range(problem.T)
    ]  # fmt: skip
