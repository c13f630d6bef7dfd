"""Growth: how the time and memory of a rule that cannot be counted rise, measured; an interval, never a proof.

A rule that leaves plain NumPy is run at sizes that double in T, and in I, with everything else fixed. The sizes are
visited in turn, several times, so that whatever else the machine does falls on all of them; of each the fastest run
counts, since nothing makes a run faster than it is. The exponent is the slope of log time over log size between the
larger sizes, where what every call costs anyway weighs least; its interval comes from resampling the visits. Exponents
of costs are whole numbers, so an interval that stays below the claimed exponent and a half supports the claim.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...problems.lively import lively_problem
from ...reference.networks.base import Sizes
from ...reference.typing import Array
from ...rules.call import run
from ..base import Case, spread

VISITS = 7
LINES = {
    "T": tuple(Sizes(n, 8, 2, 2) for n in (32, 64, 128, 256)),
    "I": tuple(Sizes(8, n, 2, 2) for n in (16, 32, 64, 128)),
}
RESAMPLED = 400


@dataclass(frozen=True)
class Exponent:
    """The exponent of one size in time or memory, with its 95 % interval."""

    size: str
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}] in {self.size}"


def exponents(case: Case, progress: Callable[[str], None] = lambda _: None) -> dict[str, list[Exponent]]:
    """Those of time and of memory (what NumPy and Python allocate), in T and in I. Raises what the rule does."""
    found: dict[str, list[Exponent]] = {"time": [], "storage": []}
    rng = np.random.default_rng(case.seed)
    for name, sizes in LINES.items():
        progress(f"growth in {name}")
        settings = [spread(case.rule.settings(size.T), 1)[0] for size in sizes]
        problems = [lively_problem(case.network, size, case.seed, weighted=case.weighted) for size in sizes]
        seconds = np.empty((VISITS, len(sizes)))
        memory = np.empty((1, len(sizes)))
        for number, (problem, given) in enumerate(zip(problems, settings, strict=True)):
            copy = problem.copy()  # the problem's own numbers are not the rule's
            tracemalloc.start()  # this first run compiles and caches, too
            run(case.rule, copy, given)
            memory[0, number] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
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


def _exponent(name: str, at: Array, measured: Array, rng: np.random.Generator) -> Exponent:
    def slope(visits: Array) -> float:
        return float(np.polyfit(np.log(at[1:]), np.log(visits.min(axis=0)[1:]), 1)[0])

    visits = len(measured)
    resampled = [slope(measured[rng.integers(0, visits, visits)]) for _ in range(RESAMPLED)]
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Exponent(name, slope(measured), float(low), float(high))
