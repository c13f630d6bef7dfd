"""This process, as an executor."""

from __future__ import annotations

import asyncio

from ...reference.errors import GradcheckError
from ..outcome import Done, Failed, Outcome
from ..tasks import Context, Progress, Task, perform


def in_this_process(task: Task, context: Context, progress: Progress, note: str = "") -> Done | Failed:
    """Perform a task here and now, without limits; the outcome has the note."""
    try:
        return Done(perform(task, context, progress), note)
    except GradcheckError as error:
        return Failed(str(error), note)


class Here:
    """This process, one task after the other, without limits: as a debugger wants it."""

    width = 1

    def __init__(self) -> None:
        self._context: Context | None = None

    def open(self, context: Context) -> None:
        """Take the context."""
        self._context = context

    async def perform(self, task: Task, progress: Progress) -> Outcome:
        """Perform the task before anything else goes on."""
        await asyncio.sleep(0)  # let what became ready meanwhile take its place in the queue
        return self.perform_now(task, progress)

    def perform_now(self, task: Task, progress: Progress) -> Outcome:
        """Perform the task."""
        assert self._context is not None
        return in_this_process(task, self._context, progress)

    def fit(self, task: Task) -> int:
        """Return 0: every network was at work here."""
        return 0

    def close(self, *, now: bool) -> None:
        """Nothing is left behind."""
