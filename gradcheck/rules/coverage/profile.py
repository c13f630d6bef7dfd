"""Number of times that each line of the author's code runs."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any


class LineProfile:
    """Counts the lines of the author's code that run in a rule's calls; see `rules.call.Calls`.

    It traces beside a `Recorder` that began before it.

    Args:
        authored: Tells the files of the rule's author from others, by name.

    Attributes:
        lines: The number of runs by file and line.
    """

    def __init__(self, authored: Callable[[str], bool]) -> None:
        self._authored = authored
        self._before: tuple[Any, Any] = None, None
        self.lines: Counter[tuple[str, int]] = Counter()

    def began(self, place: str, problem: object = None) -> None:
        """Begin to trace this thread, and those that it starts."""
        self._before = sys.gettrace(), threading.gettrace()
        threading.settrace(self._called)
        sys.settrace(self._called)

    def ended(self, error: BaseException | None) -> None:
        """Give the thread its trace function back."""
        own, of_others = self._before
        sys.settrace(own)
        threading.settrace(of_others)

    def _called(self, frame: FrameType, event: str, argument: Any) -> Any:
        other = self._before[0]  # a recorder that runs meanwhile goes on
        inner = other(frame, event, argument) if other is not None else None
        return self._counting(inner) if self._authored(frame.f_code.co_filename) else inner

    def _counting(self, inner: Any) -> Any:
        """Return a trace function of one call that counts its lines, and does what `inner` does."""

        def local(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal inner
            if event == "line":
                self.lines[frame.f_code.co_filename, frame.f_lineno] += 1
            if inner is not None:
                inner = inner(frame, event, argument)
            return local

        return local

    def differs(self, other: LineProfile) -> tuple[str, int, int] | None:
        """Return the first line that ran another number of times, as file:line and both numbers; None if none did."""
        for file, line in sorted(self.lines.keys() | other.lines.keys()):
            ran, of_other = self.lines[file, line], other.lines[file, line]
            if ran != of_other:
                return f"{Path(file).name}:{line}", ran, of_other
        return None
