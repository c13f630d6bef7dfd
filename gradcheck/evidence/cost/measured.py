"""Measured costs: exponents of time and memory, as intervals and never a proof.

A rule that leaves plain NumPy cannot be counted. It is run at sizes that double in T, and in I, with everything else
fixed. The sizes are visited in turn, several times, so that other load of the machine affects all of them. The fastest
run of each size counts, since load only makes a run slower. The exponent is the slope of log time over log size between
the larger sizes, where the fixed cost of a call weighs least. Its interval comes from resampling the visits. Exponents
of costs are whole numbers, so an interval below the claimed exponent plus one half supports the claim, if the last
doubling is below it too.

The memory of a rule that can be counted is measured too: a buffer that is allocated and never written holds no number.
"""

from __future__ import annotations

import dataclasses
import time
import tracemalloc
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...problems.lively import lively_problem
from ...records import Evidence, Status, Strength
from ...reference.claims import Cost, Settings
from ...reference.networks.base import Sizes
from ...reference.noise import Noise
from ...reference.problem import Problem
from ...reference.typing import Array, Gradient
from ...rules.authors import authored_by
from ...rules.call import run, watching
from ...rules.coverage.profile import LineProfile
from ..base import Case, Finding, Progress
from ..sizes import spread
from .base import CostKind, bounds
from .counts.costs import costs
from .counts.polynomial import Polynomial

KIND = "growth"

VISITS = 7
LINES = {
    "T": tuple(Sizes(n, 8, 2, 2) for n in (32, 64, 128, 256)),
    "I": tuple(Sizes(8, n, 2, 2) for n in (16, 32, 64, 128)),
}
PATHS = {
    ("T",): (Sizes(64, 8, 2, 2), Sizes(128, 8, 2, 2)),
    ("I",): (Sizes(8, 32, 2, 2), Sizes(8, 64, 2, 2)),
    ("T", "I"): (Sizes(32, 32, 2, 2), Sizes(64, 64, 2, 2)),
}
"""Sizes that double, by those that grow; what is measured on these is the same in every call."""
LENGTHS = tuple(Sizes(n, 2, 2, 1) for n in (256, 512, 768, 1024))
_FEW_STEPS = 4
_A_STEP = 4.0
"""Bytes for each step from which on storage grows with T."""
RESAMPLED = 400


@dataclass(frozen=True)
class Growth(CostKind):
    """Exponents in T and in I of a rule that cannot be counted: SUPPORTED or INCONCLUSIVE, never REFUTED."""

    kind: ClassVar[str] = KIND
    strength: ClassVar[Strength] = Strength.SUPPORTED
    numbers: ClassVar[str] = "floats"

    def bounded(self, case: Case, claim: Cost, progress: Progress) -> Finding:
        claimed = bounds(claim, costs(case.rule, case.network, case.seed).settings)
        found = exponents(case, progress)
        within: list[str] = []
        above: list[str] = []
        for cost, bound in claimed.items():
            for exponent in found[cost]:
                most = largest(bound, exponent.size)
                text = f"{cost} grows with exponent {exponent} (claimed {most})"
                (within if max(exponent.high, exponent.last) < most + 0.5 else above).append(text)
        details = {cost: [str(e) for e in measured] for cost, measured in found.items()}
        if above:
            return Finding(Evidence(KIND, Status.INCONCLUSIVE, Strength.NONE, "; ".join(above), details=details))
        scope = "; ".join(f"{name} from {sizes[0]} to {sizes[-1]}" for name, sizes in LINES.items())
        blind = "memory that neither Python nor NumPy allocates; growth at other sizes"
        return Finding(Evidence(KIND, Status.HOLDS, Strength.SUPPORTED, "; ".join(within), scope, blind, details))

    def constant(self, case: Case, progress: Progress) -> Finding:
        exponent = next(e for e in exponents(case, progress)["storage"] if e.size == "T")
        text = f"memory grows with exponent {exponent}"
        if more := kept_for_each_step(case):
            return Finding(Evidence(KIND, Status.INCONCLUSIVE, Strength.NONE, more))
        if exponent.high >= 0.5:
            return Finding(Evidence(KIND, Status.INCONCLUSIVE, Strength.NONE, text))
        blind = "memory that neither Python nor NumPy allocates"
        return Finding(Evidence(KIND, Status.HOLDS, Strength.SUPPORTED, text, "", blind))


def largest(bound: Polynomial, *names: str) -> int:
    """Return the largest power in a bound of sizes that grow together."""
    return max(sum(dict(monomial).get(name, 0) for name in names) for monomial in bound.terms)


@dataclass(frozen=True)
class Exponent:
    """Exponent of one size in time or memory, with its 95 % interval.

    Attributes:
        size: "T" or "I".
        value: The estimate.
        low, high: The ends of the interval.
        last: The exponent between the two largest sizes, which is larger where a term of higher degree catches up.
    """

    size: str
    value: float
    low: float
    high: float
    last: float

    def __str__(self) -> str:
        end = f", {self.last:.2f} at the end" if self.last > self.high else ""
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}] in {self.size}{end}"


def exponents(case: Case, progress: Progress = lambda _: None) -> dict[str, list[Exponent]]:
    """Measure the exponents in T and in I of time, and of memory that NumPy and Python allocate.

    Args:
        case: The rule, and the network to run it on.
        progress: Called with a line of text at each step.

    Returns:
        The exponents by "time" and "storage", one for each of `LINES`.

    Raises:
        RuleFailed: The rule does not run at these sizes.
    """
    found: dict[str, list[Exponent]] = {"time": [], "storage": []}
    rng = np.random.default_rng(case.seed)
    for name, sizes in LINES.items():
        progress(f"as {name} grows")
        settings = [spread(case.rule.settings(size.T), 1)[0] for size in sizes]
        problems = [lively_problem(case.network, size, case.seed, weighted=case.weighted) for size in sizes]
        seconds = np.empty((VISITS, len(sizes)))
        memory = np.array([[_peak(case, size) for size in sizes]], dtype=float)
        for visit in range(VISITS):
            for number, (problem, given) in enumerate(zip(problems, settings, strict=True)):
                copy = problem.copy()
                started = time.perf_counter()
                run(case.rule, copy, given)
                seconds[visit, number] = time.perf_counter() - started
        at = np.array([getattr(size, name) for size in sizes])
        found["time"].append(_exponent(name, at, seconds, rng))
        found["storage"].append(_exponent(name, at, memory, rng))
    return found


def beyond(case: Case, cost: str, bound: Polynomial) -> str:
    """Return a sentence on a measure that grows faster than its bound when the rule runs on floats; empty if none does.

    Args:
        case: The rule, and the network to run it on.
        cost: "storage" for bytes, "time" for lines of the author's code.
        bound: The claimed bound.

    Raises:
        RuleFailed: The rule does not run at these sizes.
    """
    measure, what = (_peak, "memory") if cost == "storage" else (_lines, "the number of lines that run")
    for names, sizes in PATHS.items():
        claimed = largest(bound, *names)
        less, more = (measure(case, size) for size in sizes)
        exponent = np.log2(max(more, 1) / max(less, 1))
        if exponent >= claimed + 0.5:
            return f"on floats {what} grows with exponent {exponent:.2f} in {' = '.join(names)} (claimed {claimed})"
    return ""


def kept_for_each_step(case: Case) -> str:
    """Return a sentence on memory that grows with T when the rule runs on floats; empty if none does."""
    peaks = [min(_peak(case, size) for _ in range(2)) for size in LENGTHS]  # the first call fills caches
    steps = np.diff([size.T for size in LENGTHS])
    each = float((np.diff(peaks) / steps).min())  # what fills up once is not there from every length to the next
    return f"on floats memory grows by {each:.0f} bytes with each step" if each >= _A_STEP else ""


def _lines(case: Case, size: Sizes) -> int:
    """Return how many lines of the author's code run in a call."""
    problem = lively_problem(case.network, size, case.seed, weighted=case.weighted).copy()
    settings = _settings(case)
    with watching(LineProfile(authored_by(case.rule.target))) as profile:
        run(case.rule, problem, settings)
    return profile.lines.total()


def _settings(case: Case) -> Settings:
    """Return settings that are the same for every T."""
    chosen: Settings = spread(case.rule.settings(_FEW_STEPS), 1)[0]
    return chosen


def _peak(case: Case, size: Sizes) -> int:
    """Return the most bytes that NumPy and Python held at once during a call, beside those before it."""
    problem = lively_problem(case.network, size, case.seed, weighted=case.weighted).copy()
    peaks: list[int] = []

    def traced(problem: Problem, *noise: Noise, **settings: int) -> Gradient:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        result: Gradient = case.rule.function(problem, *noise, **settings)
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
        return result

    tracemalloc.start()
    try:
        run(dataclasses.replace(case.rule, function=traced), problem, _settings(case))
    finally:
        tracemalloc.stop()
    return peaks[-1]


def _exponent(name: str, at: Array, measured: Array, rng: np.random.Generator) -> Exponent:
    def slope(visits: Array) -> float:
        return float(np.polyfit(np.log(at[1:]), np.log(visits.min(axis=0)[1:]), 1)[0])

    visits = len(measured)
    resampled = [slope(measured[rng.integers(0, visits, visits)]) for _ in range(RESAMPLED)]
    low, high = np.quantile(resampled, [0.025, 0.975])
    last = np.log2(measured.min(axis=0)[-1] / measured.min(axis=0)[-2])
    return Exponent(name, slope(measured), float(low), float(high), float(last))
