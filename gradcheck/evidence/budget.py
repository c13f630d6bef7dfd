"""Time budget of a kind of evidence, which skips sizes predicted to take too long.

A rule that loops over single weights in Python would take hours where a vectorised one takes a second. The time of a
larger size is predicted from the sizes before it. The verdict's scope names the sizes that were skipped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from ..reference.networks.base import Sizes

SECONDS = 45.0
FORMAL_SECONDS = 150.0
_UNKNOWN_EXPONENT = 3.0
_OVERHEAD = 0.05
"""Shorter times (seconds) count as this long, since their growth says little."""


class Budget:
    """Time for each size of one kind of evidence, with a prediction time ~ T I^p from the sizes so far.

    Args:
        seconds: The time for one size.
        clock: Returns the time in seconds.
    """

    def __init__(self, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds, self.clock = seconds, clock
        self._seen: dict[Sizes, float] = {}
        self._last = self._spent = 0.0
        self.left_out: list[Sizes] = []

    def record(self, size: Sizes, seconds: float) -> None:
        """Record the time of a size in seconds. Of several times, the longest counts."""
        seconds = max(seconds, 1e-6)
        self._seen[size] = max(seconds, self._seen.get(size, 0.0))
        self._last, self._spent = seconds, self._spent + seconds

    def predicted(self, size: Sizes) -> float:
        """Predict the time of a size in seconds, from the largest size recorded; 0 if there is none."""
        if not self._seen:
            return 0.0
        last, seconds = self._largest()
        return seconds * (size.T / last.T) * math.pow(size.I / last.I, self._exponent())

    def _largest(self) -> tuple[Sizes, float]:
        return max(self._seen.items(), key=lambda seen: (seen[0].I, seen[1]))

    def _exponent(self) -> float:
        """Estimate p, between 1 and 5, from the largest size and one with at most half as many units."""
        last, seconds = self._largest()
        for size, before in self._seen.items():
            if 1 < size.I and 2 * size.I <= last.I:
                growth = math.log((seconds / last.T) / (max(before, _OVERHEAD) / size.T)) / math.log(last.I / size.I)
                return min(max(growth, 1.0), 5.0)
        return _UNKNOWN_EXPONENT

    def affords(self, size: Sizes) -> bool:
        """Return True if a size fits the budget. Otherwise record it as left out."""
        if self.predicted(size) <= self.seconds:
            return True
        self.left_out.append(size)
        return False

    def affords_next(self, growth: float = 6.0) -> bool:
        """Return True if the time left is at least `growth` times that of the last size."""
        return self._spent + growth * self._last <= self.seconds

    @property
    def remark(self) -> str:
        """The sizes that were left out, as text for a scope; empty if there are none."""
        if not self.left_out:
            return ""
        return f" (too slow here for {'; '.join(map(str, self.left_out))})"
