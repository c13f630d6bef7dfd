"""Expectations of stochastic rules by going through every outcome of their signs and Bernoulli draws."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from gradcheck.algorithms.online import run_rule
from gradcheck.reference.noise import Draw, Law, Noise
from gradcheck.reference.problem import Problem
from gradcheck.reference.typing import Array, Gradient


class _Chosen(Noise):
    """Noise whose bits are given; bits that are not given are 0."""

    def __init__(self, bits: tuple[int, ...], like: Array) -> None:
        super().__init__(like)
        self._left, self.probability = list(bits), Fraction(1)

    def values(self, draw: Draw) -> Array:
        assert draw.law is not Law.UNIFORM, "a uniform draw has no list of outcomes"
        # a normal draw at +1 and -1: Gauss-Hermite nodes, exact up to the third power
        bits = [self._left.pop(0) if self._left else 0 for _ in range(draw.size)]
        for bit, p in zip(bits, draw.p or (Fraction(1, 2),) * draw.size, strict=True):
            self.probability *= p if bit else 1 - p
        ones = np.array(bits, dtype=float).reshape(draw.shape)
        return ones if draw.law is Law.BERNOULLI else 2 * ones - 1


def outcomes(rule: Any, problem: Problem, **settings: Any) -> Iterator[tuple[Fraction, Gradient]]:
    """Yield the probability and the result of every outcome."""
    first = _Chosen((), problem.inputs)
    run_rule(rule, problem, noise=first, **settings)
    count = sum(draw.size for draw, _ in first.drawn)
    for bits in itertools.product((0, 1), repeat=count):
        noise = _Chosen(bits, problem.inputs)
        result = run_rule(rule, problem, noise=noise, **settings)
        assert [draw for draw, _ in noise.drawn] == [draw for draw, _ in first.drawn]
        yield noise.probability, result


def expectation(rule: Any, problem: Problem, **settings: Any) -> Gradient:
    """Return the mean of a rule's result."""
    total: Gradient = {}
    for probability, result in outcomes(rule, problem, **settings):
        weight = float(probability)  # exact: the probabilities of these tests have few binary digits
        assert weight == probability
        for name, array in result.items():
            total[name] = total[name] + array * weight if name in total else array * weight
    return total
