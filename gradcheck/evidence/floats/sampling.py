"""Sampling evidence: a sequential test of a stochastic rule whose outcomes are too many, or not open to view.

The rule is run on fresh noise again and again. Y is the mean of a batch of results, less the gradient, along a
direction, and S and V are the sums of Y and of Y^2 over the batches. Where Y is distributed symmetrically about 0,
    E = (1 + r V)^(-1/2) exp(r S^2 / (2 (1 + r V)))
is a nonnegative supermartingale that starts at 1, for any r > 0 chosen beforehand: exp(a S - a^2 V / 2) is one for each
a (de la Peña 1999, "A general class of exponential inequalities for martingales and ratios", lemma 6.1), and E is its
mean over a ~ N(0, r) (the method of mixtures: de la Peña, Klass & Lai 2004, "Self-normalized processes"). By Ville's
inequality it ever reaches 1/alpha with probability alpha at most, whenever one stops. So does a mean of such processes,
over directions and over r. No bound on the variance is wanted. Symmetry is: it is assumed of the means of batches,
which tend to a normal distribution. It holds for no rule by itself, and no test of a mean is valid without an
assumption (Bahadur & Savage 1956, "The nonexistence of certain statistical procedures in nonparametric problems").

A rule that is seldom far off, such as one that divides by a small probability, has skewed means. With t = S V^(-1/2), n
batches and the skewness g of Y, the tail of t is the normal one times exp(-t^3 g / (3 n^(1/2))) (Wang 2005, "Limit
theorems for self-normalized large deviation"). So E refutes a rule only after division by exp(|t|^3 |g| / (3 n^(1/2))),
with the g of the batches seen. That makes false alarms rarer, and excludes none: what was never drawn has no part in g.

Directions: the gradient, a few at random, and the mean difference of the batches before, which finds a bias along any
other. The values m around the mean of Y for which the same test on Y - m stays below its bound are an interval for the
bias, at every moment (Howard, Ramdas, McAuliffe & Sekhon 2021, "Time-uniform, nonparametric, nonasymptotic confidence
sequences"). The test stays below it far beyond every Y too; the bias is there with probability below 2^-20. A bias that
is not shown to be below a share of the gradient leaves the claim open.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...problems.lively import lively_problem
from ...records import Evidence, Status, Strength
from ...reference.errors import GradcheckError, UnsupportedOperation
from ...reference.networks.base import Sizes
from ...reference.networks.sizes import fitting
from ...reference.noise import SampledNoise
from ...reference.problem import Problem
from ...reference.scalars.ball import BallField
from ...reference.typing import Array, Gradient
from ...rules.adapt import WrongResult
from ...rules.call import run
from ...rules.failures import RuleFailed
from ...rules.returned import by_name
from ..base import Case, Finding, Kind, Plan, Progress, Witness, not_run, whole
from ..sizes import place, spread
from ..target import about, expected

KIND = "sampling"
SIZE = Sizes(3, 2, 2, 1)
BATCH, WARMUP, RANDOM = 16, 8, 4
"""Runs in a batch, batches from which scales are chosen, and random directions."""
ALARM = 1e-6
"""The probability with which a right rule is refuted at most."""
OUTSIDE = 1e-3
"""The probability with which one of the intervals ever lacks its bias at most."""
NARROW, WIDEST = 0.05, 0.1
"""Biases along the gradient, relative to it: shown to be below the first, the test ends; not below the second, it
is INCONCLUSIVE."""
SECONDS = 20.0


@dataclass(frozen=True)
class Sampling(Kind):
    """The sequential test on one problem; not made where every outcome can be gone through.

    Attributes:
        size: The size of the problem.
        seconds: Time after which the test ends.
        always: Make the test even where every outcome can be gone through.
    """

    kind: ClassVar[str] = KIND
    strength: ClassVar[Strength] = Strength.SUPPORTED

    size: Sizes = SIZE
    seconds: float = SECONDS
    always: bool = False

    def plan(self, case: Case) -> Plan:
        return whole(KIND, lambda progress: self._sample(case, progress))

    def _sample(self, case: Case, progress: Progress) -> Finding:
        if not self.always and _enumerable(case):
            return not_run(KIND, "every outcome was gone through instead")
        size = fitting(case.network, self.size)
        settings = spread(case.rule.settings(size.T), 1)[0]
        problem = lively_problem(case.network, size, case.seed, weighted=case.weighted)
        where = f"{place(size, settings)}, seed {case.seed}"
        assert case.rule.drawn is not None
        test = Test(flat(expected(case.claim, problem)), case.seed)
        rule, deadline = case.rule.drawn, time.monotonic() + self.seconds

        def several(given: Problem, **chosen: Any) -> Any:
            rng = np.random.default_rng([case.seed, 7])
            while not test.settled:
                results = []
                for _ in range(BATCH):
                    last = rule.function(given, SampledNoise(rng, given.inputs, recording=False), **chosen)
                    results.append(flat(about(case.claim, by_name(last))))
                test.add(np.mean(results, axis=0))
                if test.batches % 50 == 0:
                    progress(f"{where}, {BATCH * test.batches} draws")
                if time.monotonic() > deadline:
                    break
            return last

        try:
            run(rule.within(several), problem, settings)
        except (RuleFailed, WrongResult, UnsupportedOperation) as error:
            return not_run(KIND, f"a draw cannot be made: {error}")
        return _finding(case, test, where, Witness(case.network, size, settings, where, problem, floats=True))


def flat(gradient: Gradient) -> Array:
    """Return the entries of a gradient in one array, in the order of the names."""
    return np.concatenate([np.asarray(gradient[name], dtype=float).reshape(-1) for name in sorted(gradient)])


def _enumerable(case: Case) -> bool:
    """Return True if the expectation of the rule is known on other numbers than floats."""
    field = BallField(128)
    size = fitting(case.network, Sizes(2, 1, 1, 1))
    try:
        with field.working():
            problem = lively_problem(case.network, size, case.seed, weighted=case.weighted).over(field)
            run(case.rule, problem, spread(case.rule.settings(size.T), 1)[0])
    except GradcheckError:
        return False
    return True


class Test:
    """A sequential test that a mean is known, along many directions at once.

    Args:
        truth: The mean that is claimed, shape (n,).
        seed: Chooses the random directions.

    Attributes:
        batches: The number of batches, those of the warm-up included.
        evidence: The most that the mean over directions of E, divided by what skewness explains, has been.
    """

    __test__ = False

    def __init__(self, truth: Array, seed: int = 0) -> None:
        self.truth = truth
        self.norm = float(np.linalg.norm(truth)) or 1.0
        rng = np.random.default_rng([seed, 11])
        chosen = np.stack([truth, *(rng.normal(size=truth.size) for _ in range(RANDOM))])
        self.directions = chosen / np.maximum(np.linalg.norm(chosen, axis=1, keepdims=True), 1e-300)
        self.batches, self.evidence, self._now = 0, 0.0, 0.0
        self._first: list[Array] = []
        self._total = np.zeros_like(truth)
        self._kept: list[Array] = []
        count = len(self.directions) + 1
        self._r = np.zeros((len(_EXPECTED), count))
        self._S, self._V, self._C = np.zeros(count), np.zeros(count), np.zeros(count)

    def add(self, mean: Array) -> None:
        """Enter the mean of a batch, shape (n,)."""
        off = mean - self.truth
        self.batches += 1
        if self.batches > WARMUP:
            along = self._along(off)
            self._kept.append(along)
            self._S += along
            self._V += along**2
            self._C += along**3
            each = np.mean(_mixture(self._S, self._V, self._r), axis=0)
            self._now = float(np.mean(each))
            skewed = _by_skewness(self._S, self._V, self._C, self.batches - WARMUP)
            self.evidence = max(self.evidence, float(np.mean(each / skewed)))
        self._total = self._total + off
        if self.batches <= WARMUP:
            self._first.append(off)
            if self.batches == WARMUP:
                seen = np.array([self._along(each) for each in self._first])
                self._r = 1 / (np.array(_EXPECTED)[:, None] * np.maximum((seen**2).mean(axis=0), 1e-300))

    def _along(self, off: Array) -> Array:
        """Return a difference along each direction; the last is what the batches before were off by."""
        learned = self._total / max(float(np.linalg.norm(self._total)), 1e-300)
        return np.append(self.directions @ off, learned @ off)

    @property
    def refuted(self) -> bool:
        """True if a right rule would have come this far with probability `ALARM` at most."""
        return self.evidence >= 1 / ALARM

    @property
    def settled(self) -> bool:
        """True if there is nothing more to find out."""
        ready = self.batches > WARMUP and (self.batches & (self.batches - 1) == 0 or self.batches % 100 == 0)
        return self.refuted or (ready and self._now <= 1 and self.bias <= NARROW)

    @property
    def worst(self) -> tuple[str, float]:
        """The direction along which the mean is off most clearly, in words, and by what share of the gradient."""
        place = int(np.argmax(np.mean(_mixture(self._S, self._V, self._r), axis=0)))
        names = ["the gradient", *["a random direction"] * RANDOM, "the direction in which the draws before were off"]
        return names[place], float(self._S[place]) / max(1, self.batches - WARMUP) / self.norm

    @property
    def bias(self) -> float:
        """The largest bias along the gradient in the interval, relative to the gradient."""
        centre, width = self.interval()
        return (abs(centre) + width) / self.norm

    def interval(self, direction: int = 0) -> tuple[float, float]:
        """Return the centre and half-width of the interval for the bias along a fixed direction.

        Args:
            direction: Its number; 0 is the gradient.
        """
        if not self._kept:
            return 0.0, math.inf
        y = np.array([each[direction] for each in self._kept])
        most = (len(self.directions)) / OUTSIDE
        centre, r = float(y.mean()), self._r[:, direction]

        def inside(m: float) -> bool:
            return bool(np.mean(_mixture((y - m).sum(), ((y - m) ** 2).sum(), r)) < most)

        return centre, _reach(inside, centre, float(y.std()) or 1e-300)


_EXPECTED = (10.0, 100.0, 1000.0)
"""Batches for which the mixtures are made."""


def _mixture(S: Any, V: Any, r: Any) -> Any:
    """Return E; see the module."""
    with np.errstate(over="ignore"):
        return np.exp(r * S**2 / (2 * (1 + r * V))) / np.sqrt(1 + r * V)


def _by_skewness(S: Any, V: Any, C: Any, n: int) -> Any:
    """Return the factor by which skewness may raise E, from the sums of n values, their squares and their cubes."""
    mean, square = S / n, np.maximum(V / n, 1e-100)
    variance = np.maximum(square - mean**2, 1e-8 * square)  # below it rounding decides
    skewness = (C / n - 3 * mean * square + 2 * mean**3) / variance**1.5
    return np.exp(np.minimum(np.abs(mean / np.sqrt(square)) ** 3 * n * np.abs(skewness) / 3, 700))


def _reach(inside: Callable[[float], bool], centre: float, step: float) -> float:
    """Return the distance from the centre from which on values are outside, infinite if there is none."""
    low, high = 0.0, step
    while inside(centre + high) or inside(centre - high):
        low, high = high, 2 * high
        if high > 1e6 * step:
            return math.inf
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if inside(centre + middle) or inside(centre - middle) else (low, middle)
    return high


def _finding(case: Case, test: Test, where: str, witness: Witness) -> Finding:
    centre, width = test.interval()
    draws = BATCH * test.batches
    shown = f"{centre / test.norm:+.3g} of the gradient along it, give or take {width / test.norm:.2g}"
    assumed = f"if means of {BATCH} draws are distributed symmetrically about their expectation"
    details = {"draws": draws, "bias": centre / test.norm, "half_width": width / test.norm, "alarm": ALARM}
    if test.refuted:
        along, off = test.worst
        text = f"the mean of {draws} draws is off by {off:+.3g} of the gradient along {along}; a right rule comes this"
        text += " far with probability below"
        text += f" {ALARM:g}, {assumed}"
        return Finding(Evidence(KIND, Status.REFUTED, Strength.SUPPORTED, text, where, details=details), witness)
    if not test.bias <= WIDEST:
        text = f"after {draws} draws the bias is {shown}, which is too wide to tell; draw from noise.signs, so that "
        text += "every outcome can be gone through at small sizes"
        return Finding(Evidence(KIND, Status.INCONCLUSIVE, Strength.NONE, text, where, details=details))
    text = f"the mean of {draws} draws is the gradient as far as {len(test.directions)} directions show: the bias is "
    text += f"{shown} ({1 - OUTSIDE:.1%} at any time, {assumed})"
    blind = f"a bias along the gradient below {test.bias:.2g} of it; one along another direction that the draws do not "
    blind += "show; other problems than the one tried"
    return Finding(Evidence(KIND, Status.HOLDS, Strength.SUPPORTED, text, where, blind, details=details))
