"""The far end of `Futures`: performs the tasks that were sent to this process."""

from __future__ import annotations

import pickle
import threading

from ...records import Cause
from ..outcome import Failed, Lost, Outcome
from ..tasks import Context, Task
from .here import Here
from .workers import Workers

IDLE_SECONDS = 30.0
"""Seconds without a task after which a bench ends its worker: nobody says here that a run has ended."""


class _Bench:
    """A worker in a process of an executor, kept from one task of a run to the next.

    Threads of one process take turns: a rule's changes around it are no other's doing.
    """

    def __init__(self, run: str, context: Context) -> None:
        self._run = run
        self._workers: Workers | Here = Workers(1) if any(r.limits for r in context.requests) else Here()
        self._workers.open(context)
        self._turn, self._over = threading.Lock(), False
        self._rest = threading.Timer(IDLE_SECONDS, self._end_idle)

    def perform(self, task: Task) -> Outcome:
        """Perform the task, unless the run has ended."""
        with self._turn:
            if self._over:
                return _CUT_SHORT
            self._rest.cancel()
            try:
                return self._workers.perform_now(task, lambda _: None)
            finally:
                if self._over:  # meanwhile, and a worker may have been started after that
                    self._workers.close(now=True)
                else:
                    self._rest = threading.Timer(IDLE_SECONDS, self._end_idle)
                    self._rest.daemon = True
                    self._rest.start()

    def _end_idle(self) -> None:
        with self._turn:
            self._workers.close(now=False)
        with _LOCK:
            if _BENCHES.get(self._run) is self:  # its next task comes to a new one
                del _BENCHES[self._run]

    def end(self, *, now: bool) -> None:
        """End the worker, `now` with what it is at."""
        self._over = True
        self._rest.cancel()
        self._workers.close(now=now)


_CUT_SHORT = Lost(Cause.CHANNEL, "was not called: the run had ended")
_BENCHES: dict[str, _Bench] = {}
"""The benches of this process, each under the name of its run."""
_ENDED: set[str] = set()
"""Names of runs that have ended; a thread may still come with a task of one."""
_LOCK = threading.Lock()


def perform(run: str, context: Context | bytes, task: Task) -> Outcome:
    """Perform a task of the run of this name in this process."""
    with _LOCK:
        if run in _ENDED:
            return _CUT_SHORT
        if run not in _BENCHES:
            try:
                loaded = pickle.loads(context) if isinstance(context, bytes) else context
            except Exception as error:
                return Failed(f"the rule cannot be loaded in another process ({type(error).__name__}: {error})")
            _BENCHES[run] = _Bench(run, loaded)
        bench = _BENCHES[run]
    return bench.perform(task)


def end(run: str, *, now: bool) -> None:
    """End what was started in this process for the run of this name, `now` with what it is at."""
    with _LOCK:
        _ENDED.add(run)
        bench = _BENCHES.pop(run, None)
    if bench is not None:
        bench.end(now=now)
