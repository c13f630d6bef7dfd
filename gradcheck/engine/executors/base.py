"""Base of the executors."""

from __future__ import annotations

from typing import Protocol

from ..outcome import Outcome
from ..tasks import Context, Progress, Task


class TaskExecutor(Protocol):
    """Performs tasks, `width` of them at once."""

    width: int

    def open(self, context: Context) -> None:
        """Take the context of all tasks to come."""

    async def perform(self, task: Task, progress: Progress) -> Outcome:
        """Return the outcome of a task."""

    def fit(self, task: Task) -> int:
        """Return how well a free place fits the task: 0 where its network was at work before, then 1, then 2."""

    def close(self, *, now: bool) -> None:
        """End; `now` without what is under way."""
