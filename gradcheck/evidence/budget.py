"""How large a problem a rule is quick enough for.

A rule that loops over single weights in Python would take hours where a vectorised one takes a second.
Before a larger size is tried, the time that it will take is predicted from the sizes before it; what is too
slow is left out and named, and the verdict's scope says what was reached.
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
"""Seconds that any size may take; growth from less says little."""


class Budget:
    """Seconds for one size of one kind of evidence, with the growth seen so far: time ~ T I^p. clock: tells seconds."""

    def __init__(self, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds, self.clock = seconds, clock
        self._seen: dict[Sizes, float] = {}
        self._last = self._spent = 0.0
        self.left_out: list[Sizes] = []

    def record(self, size: Sizes, seconds: float) -> None:
        """Remember what a size took; where it is tried again, the longer of the two."""
        seconds = max(seconds, 1e-6)
        self._seen[size] = max(seconds, self._seen.get(size, 0.0))
        self._last, self._spent = seconds, self._spent + seconds

    def predicted(self, size: Sizes) -> float:
        """Seconds that this size will take, from the largest one seen; 0 where nothing has been seen."""
        if not self._seen:
            return 0.0
        last, seconds = self._largest()
        return seconds * (size.T / last.T) * math.pow(size.I / last.I, self._exponent())

    def _largest(self) -> tuple[Sizes, float]:
        return max(self._seen.items(), key=lambda seen: (seen[0].I, seen[1]))

    def _exponent(self) -> float:
        """p between 1 and 5, from the largest size and one with at most half as many units; closer ones say little."""
        last, seconds = self._largest()
        for size, before in self._seen.items():
            if 1 < size.I and 2 * size.I <= last.I:
                growth = math.log((seconds / last.T) / (max(before, _OVERHEAD) / size.T)) / math.log(last.I / size.I)
                return min(max(growth, 1.0), 5.0)
        return _UNKNOWN_EXPONENT

    def affords(self, size: Sizes) -> bool:
        """Whether this size fits; if not, it is remembered as left out."""
        if self.predicted(size) <= self.seconds:
            return True
        self.left_out.append(size)
        return False

    def affords_next(self, growth: float = 6.0) -> bool:
        """Whether there is time for one more of `growth` times what the last one took, of all the time there is."""
        return self._spent + growth * self._last <= self.seconds

    @property
    def remark(self) -> str:
        """What was left out, for a scope; empty if nothing was."""
        if not self.left_out:
            return ""
        return f" (too slow here for {'; '.join(map(str, self.left_out))})"
