"""How times grow with T and with I: measured exponents beside those of the counted operations.

The counted exponent is the degree of the polynomial that `evidence.cost.counts` finds for the same code (blocks: with
block = I). The measured one is fitted to the largest three sizes, where what a step costs whatever its size
matters least. All in float64 or modulo a prime below 2^23; the least processor time
of three runs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from gradcheck.algorithms import RTRL, Schmidhuber, bptt
from gradcheck.algorithms.online import run_rule
from gradcheck.evidence.cost.counts.costs import costs_of
from gradcheck.evidence.cost.counts.polynomial import Polynomial
from gradcheck.problems.lively import lively_problem
from gradcheck.problems.residues import residue_problem
from gradcheck.reference import lags
from gradcheck.reference.claims import Exact, rule
from gradcheck.reference.network import DEFAULT_NETWORK, Sizes
from gradcheck.reference.problem import Problem
from gradcheck.reference.scalars.residues.array import ResidueField
from gradcheck.reference.typing import Gradient

from .frameworks import problem_of
from .peers import certified
from .residues import SMALL_PRIME

FITTED = 3
"""To so many of the largest sizes the exponent is fitted."""
REPEATS = 3


@rule(Exact())
def by_lags(problem: Problem) -> Gradient:
    """What `enclose` runs on balls."""
    return lags.gradient(problem)


@dataclass(frozen=True)
class Line:
    """Times of one computation as one size grows.

    figure, label: where it is drawn and as what. along: "T" or "I"; at: the other. seconds: one for each of `sizes`.
    exponent: the fitted one. counted: that of the counted operations.
    """

    figure: str
    label: str
    along: str
    at: int
    sizes: tuple[int, ...]
    seconds: tuple[float, ...]
    exponent: float
    counted: int

    @property
    def other(self) -> str:
        return f"{'I' if self.along == 'T' else 'T'}={self.at}"


@dataclass(frozen=True)
class Curve:
    """A line to be measured: `prepare` makes of sizes what is to be timed."""

    figure: str
    label: str
    along: str
    at: int
    sizes: tuple[int, ...]
    counted: Any
    prepare: Callable[[Sizes], Callable[[], Any]]

    @property
    def name(self) -> str:
        return f"{self.figure}: {self.label} along {self.along}"

    def measure(self, clock: Callable[[], float] = time.process_time) -> Line:
        seconds = tuple(self._at(size, clock) for size in self.sizes)
        exponent = fitted(self.sizes[-FITTED:], seconds[-FITTED:])
        counted = counted_exponent(self.counted, self.along)
        return Line(self.figure, self.label, self.along, self.at, self.sizes, seconds, exponent, counted)

    def _at(self, size: int, clock: Callable[[], float]) -> float:
        T, units = (size, self.at) if self.along == "T" else (self.at, size)
        run = self.prepare(Sizes(T, units, 4, 4))
        run()
        times = []
        for _ in range(REPEATS):
            start = clock()
            run()
            times.append(clock() - start)
        return min(times)


def fitted(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """The exponent b of the least-squares line log seconds = a + b log size."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


@cache
def counted_exponent(target: Any, along: str) -> int:
    """The degree in T or I of the operations that a rule takes, its blocks being of I steps."""
    found = costs_of(target).time.fitted
    assert found is not None, f"the operations of {target} are no polynomial in the sizes"
    units = Polynomial.variable("I")
    return found.polynomial.substitute({"block": units, **{n: Polynomial.variable(n) for n in "TIDK"}}).degree(along)


def _enclosing(sizes: Sizes) -> Callable[[], Any]:
    problem = lively_problem(DEFAULT_NETWORK, sizes, 0)
    return lambda: certified(problem)


def _modular(target: Any) -> Callable[[Sizes], Callable[[], Any]]:
    def prepare(sizes: Sizes) -> Callable[[], Any]:
        problem = residue_problem(DEFAULT_NETWORK, sizes, ResidueField(SMALL_PRIME), np.random.default_rng(0))
        return lambda: run_rule(target, problem)

    return prepare


def _float(target: Any) -> Callable[[Sizes], Callable[[], Any]]:
    def prepare(sizes: Sizes) -> Callable[[], Any]:
        problem = problem_of(sizes)
        return lambda: run_rule(target, problem)

    return prepare


def _doubling(first: int, last: int) -> tuple[int, ...]:
    return tuple(first * 2**n for n in range(int(math.log2(last / first)) + 1))


_CERTIFIED, _MODULAR, _FLOAT = "certified gradient", "modular runs", "float64 runs"
CURVES = (
    Curve(_CERTIFIED, "certified gradient", "T", 16, _doubling(25, 200), by_lags, _enclosing),
    Curve(_CERTIFIED, "certified gradient", "I", 25, _doubling(8, 64), by_lags, _enclosing),
    *(
        Curve(figure, label, along, at, sizes, target, kind(target))
        for figure, kind in ((_MODULAR, _modular), (_FLOAT, _float))
        for label, target, most in (("BPTT", bptt, 512), ("blocks", Schmidhuber, 128), ("RTRL", RTRL, 128))
        for along, at, sizes in (("T", 32, _doubling(32, 256)), ("I", 128, _doubling(16, most)))
    ),
)
