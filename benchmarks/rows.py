"""A row of the table: a ratio, what it should be, and how it is measured.

Machines are noisy and shared, so the two sides of a ratio run in turn, and the ratio is the median over
the turns; a slow moment then slows both.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


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
    """The ratio of the first time to the second; `seconds` are the medians by label."""

    ratio: float
    seconds: dict[str, float]


@dataclass(frozen=True)
class Row:
    """`run` prepares, checks that both sides compute the same, and measures. It may raise `Skipped`."""

    name: str
    goal: Goal
    run: Callable[[], Outcome]


def in_turn(over: Callable[[], Any], under: Callable[[], Any], labels: tuple[str, str], *, repeats: int = 9) -> Outcome:
    """Run both `repeats` times in turn, after once each unmeasured; the ratio is that of `over` to `under`."""
    over(), under()
    pairs = [(_seconds(over), _seconds(under)) for _ in range(repeats)]
    medians = [statistics.median(side) for side in zip(*pairs, strict=True)]
    return Outcome(statistics.median(a / b for a, b in pairs), dict(zip(labels, medians, strict=True)))


def _seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
