"""A row of the table: a ratio, what it should be, and how it is measured.

Machines are noisy and shared, so the two sides of a ratio run in turn, and the ratio is the median over
the turns; a slow moment then slows both. The quartiles over the turns say how noisy it was. Time is that of the
processor in this process, all threads together: of two sides on one thread each it is what a clock on the wall shows
on an idle machine, and on a busy one the longer side is not charged for the turns that others take in its midst.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


class Skipped(Exception):
    """A row that cannot run here; the text says what to install."""


@dataclass(frozen=True)
class Goal:
    """What the ratio should be: at most, or at least, a number."""

    bound: float
    at_least: bool = False

    def met(self, ratio: float) -> bool:
        return ratio >= self.bound if self.at_least else ratio <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


def at_most(bound: float) -> Goal:
    return Goal(bound)


def at_least(bound: float) -> Goal:
    return Goal(bound, at_least=True)


@dataclass(frozen=True)
class Outcome:
    """The ratio of the first time to the second.

    seconds: the medians by label. quartiles: the first and third of the ratio, None where it was measured once.
    """

    ratio: float
    seconds: dict[str, float]
    quartiles: tuple[float, float] | None = None


@dataclass(frozen=True)
class Row:
    """`run` prepares, checks that both sides compute the same, and measures. It may raise `Skipped`."""

    name: str
    goal: Goal
    run: Callable[[], Outcome]


def in_turn(
    over: Callable[[], Any],
    under: Callable[[], Any],
    labels: tuple[str, str],
    *,
    repeats: int = 9,
    warm: bool = True,
    clock: Callable[[], float] = time.process_time,
) -> Outcome:
    """Run both `repeats` times in turn, where `warm` after once each unmeasured; the ratio is of `over` to `under`.

    clock: for sides that start processes, time.perf_counter.
    """
    if warm:
        over(), under()
    pairs = [(_seconds(over, clock), _seconds(under, clock)) for _ in range(repeats)]
    medians = [statistics.median(side) for side in zip(*pairs, strict=True)]
    ratios = [a / b for a, b in pairs]
    return Outcome(statistics.median(ratios), dict(zip(labels, medians, strict=True)), quartiles(ratios))


def alone(
    run: Callable[[], Any], label: str, *, repeats: int = 5, clock: Callable[[], float] = time.process_time
) -> Outcome:
    """The median of `repeats` runs, after an unmeasured one if there are several; the 'ratio' is to one second."""
    if repeats > 1:
        run()
    times = [_seconds(run, clock) for _ in range(repeats)]
    median = statistics.median(times)
    return Outcome(median, {label: median}, quartiles(times))


def quartiles(values: Sequence[float]) -> tuple[float, float] | None:
    """The first and third quartile, None of a single value."""
    if len(values) < 2:
        return None
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, third


def require_same(first: dict[str, Any], second: dict[str, Any]) -> None:
    """A benchmark of a wrong result is worth nothing. Raises `AssertionError` where two float64 gradients differ."""
    assert first and set(first) <= set(second), f"gradients of {sorted(first)} and of {sorted(second)}"
    for name in first:
        scale = np.abs(second[name]).max()
        np.testing.assert_allclose(first[name], second[name], rtol=1e-6, atol=1e-8 * scale, err_msg=name)


def _seconds(run: Callable[[], Any], clock: Callable[[], float]) -> float:
    start = clock()
    run()
    return clock() - start
