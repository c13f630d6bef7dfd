"""Runs audits from the first event to the last, one run at a time in a process."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any, TypeAlias

from ..records import Report
from ..reference.errors import GradcheckError
from ..store.ledger import Ledger
from . import events
from .executors import TaskExecutor
from .outcome import HarnessFailed, Outcome
from .request import AuditRequest
from .scheduler import Scheduler, Take
from .tasks import Context, Progress, Task
from .wire import check_result

Ended: TypeAlias = Callable[[events.AuditFinished, Report | None], None]
"""Callback that receives the last event of an audit, and its report; None where it never began."""
_TURN = threading.RLock()
"""Held by the run of this process. flint, mpmath and what a rule may change around it are shared by all threads."""


def _take_a_lock_of_its_own() -> None:
    """Give a fork, in which no run goes on, a lock that nobody holds."""
    global _TURN
    _TURN = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_take_a_lock_of_its_own)


class Interrupted(KeyboardInterrupt):
    """An audit was interrupted; `report` has the claims that were judged, the rest as NOT RUN."""

    def __init__(self, report: Report) -> None:
        self.report = report
        super().__init__(f"the audit of {report.rule} was interrupted")


class Run:
    """Outcome of a run, while it lasts and after it.

    Args:
        requests: the audits.
        handlers: called with each event, in order.
        ended: called once for each audit that ends, after the handlers.
    """

    def __init__(
        self,
        requests: Sequence[AuditRequest],
        handlers: Sequence[events.Handler] = (),
        ended: Ended = lambda end, report: None,
    ) -> None:
        self.handlers, self._ended = tuple(handlers), ended
        self._folds = [events.Fold() for _ in requests]
        self.ends: dict[int, events.AuditFinished] = {}
        self._begun: dict[int, float] = {}

    def emit(self, event: events.Event) -> None:
        """Fold the event into its audit's report, and pass it to every handler."""
        if event.audit >= 0:
            if isinstance(event, events.AuditStarted):
                self._begun[event.audit] = time.monotonic()
            elif isinstance(event, events.AuditFinished):
                seconds = time.monotonic() - self._begun.get(event.audit, time.monotonic())
                event = dataclasses.replace(event, seconds=seconds)
                self.ends[event.audit] = event
            self._folds[event.audit](event)
        for handler in self.handlers:
            handler(event)
        if isinstance(event, events.AuditFinished):
            self._ended(event, self.report(event.audit))

    def report(self, number: int) -> Report | None:
        """Return the report of this audit, as far as it is known; None before it began."""
        return self._folds[number].report if self._folds[number].started is not None else None

    def interrupt(self) -> None:
        """Finish every audit that is under way as interrupted."""
        for number, fold in enumerate(self._folds):
            if number not in self.ends and (fold.verdicts or len(self._folds) == 1) and fold.started is not None:
                self.emit(events.AuditFinished(number, interrupted=True))

    @property
    def reports(self) -> list[Report]:
        """The report of each audit that began, in order."""
        return [fold.report for fold in self._folds if fold.started is not None]


def run(
    requests: Sequence[AuditRequest],
    executor: TaskExecutor,
    *,
    handlers: Sequence[events.Handler] = (),
    ended: Ended = lambda end, report: None,
    results: Path | None = None,
    minutes: float = 0.0,
    functions: Mapping[str, Callable[[Progress], Any]] | None = None,
    take: Take = lambda name, record: None,
) -> list[Report]:
    """Audit rules, and perform other tasks of ours, on an executor; runs in other threads wait for their turn.

    Args:
        requests: the audits.
        executor: where tasks are performed; closed at the end.
        handlers: called with each event, in order.
        ended: called with the last event and the report of each audit, as it ends.
        results: file of JSON lines that keeps results as they arrive; an interrupted run resumes from it.
        minutes: time to spend on further evidence once all is judged that a full audit has.
        functions: functions of ours to perform as tasks, by name.
        take: called with each function's name and record, as plain data.

    Returns:
        The reports, in the order of the requests.

    Raises:
        GradcheckError: a request is invalid, a rule cannot be sent where it is to run, or the results are of another
            run or cannot be written.
        Interrupted: a KeyboardInterrupt, with the report of the last audit that was under way.
    """
    with _TURN:
        context = Context(requests, functions)
        prepared = [context.prepared(number) for number in range(len(context.requests))]
        ran = Run(requests, handlers, ended)
        now = True
        try:
            fingerprint = {} if results is None else {"rules": [each.fingerprint() for each in prepared]}
            with Ledger(results, fingerprint, check=check_result) as ledger:
                executor.open(context)
                _complete(Scheduler(context, executor, ledger, ran.emit, minutes), take)
            now = False
        except KeyboardInterrupt:
            ran.interrupt()
            if not ran.reports:
                raise
            raise Interrupted(ran.reports[-1]) from None
        finally:
            executor.close(now=now)
        if len(requests) == 1 and (end := ran.ends.get(0)) and end.problem:
            raise HarnessFailed(end.problem) if end.broken else GradcheckError(end.problem)
        return ran.reports


def run_task(context: Context, executor: TaskExecutor, task: Task) -> Outcome:
    """Perform a single task on an executor, which is closed at the end."""
    with _TURN:
        now = True
        try:
            executor.open(context)
            with _own_loop() as loop:
                outcome = loop.run_until_complete(executor.perform(task, lambda _: None))
            now = False
            return outcome
        finally:
            executor.close(now=now)


def _complete(scheduler: Scheduler, take: Take) -> None:
    """Run the scheduler to its end, on a loop of its own; in a thread of its own where one runs here, as in Jupyter."""
    if not _in_a_loop():
        _looped(scheduler, take)
        return
    with futures.ThreadPoolExecutor(1, "gradcheck") as thread:
        running = thread.submit(_looped, scheduler, take)
        try:
            running.result()
        except KeyboardInterrupt:
            while not running.done():
                scheduler.cancel()
                futures.wait([running], 0.1)
            raise


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _looped(scheduler: Scheduler, take: Take) -> None:
    """Run the scheduler to its end on a loop of this thread."""
    with _own_loop() as loop:
        again: list[asyncio.Handle] = []

        def interrupted(*_: Any) -> None:
            if scheduler.stop_spending():
                return
            # Python drops what is raised in its own callbacks, such as those after a fork: the loop raises it then.
            again.append(loop.call_soon_threadsafe(_raise))
            raise KeyboardInterrupt

        with _on_interrupt(interrupted):
            try:
                loop.run_until_complete(scheduler.run(take))
            finally:
                for handle in again:
                    handle.cancel()


def _raise() -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _on_interrupt(handler: Callable[..., None]) -> Iterator[None]:
    """Handle interrupts where Python's own handler would: in the main thread, unless another was put there."""
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def _own_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    try:
        yield loop
    finally:
        try:
            while left := asyncio.all_tasks(loop):  # an interrupt that one of them had ends the loop once more
                for task in left:
                    task.cancel()
                with contextlib.suppress(KeyboardInterrupt):
                    loop.run_until_complete(asyncio.wait(left))
        finally:
            loop.close()
