"""The far end of `Futures`: performs the tasks that were sent to this process."""

from __future__ import annotations

import hashlib
import pickle
import threading
from typing import Any

from ...records import Cause
from ..outcome import Done, Failed, HarnessFailed
from ..tasks import Context, Task
from .here import Here
from .workers import Workers


class _Bench:
    """A worker in another process of an executor, kept from one task to the next.

    Threads of one process take turns: a rule's changes around it are no other's doing.
    """

    def __init__(self, context: Context) -> None:
        self.context, self.turn = context, threading.Lock()
        self.workers: Workers | Here = Workers(1) if any(r.limits for r in context.requests) else Here()
        self.workers.open(context)

    def perform(self, task: Task) -> tuple[str, Any]:
        """Return the outcome of the task as plain data."""
        with self.turn:
            if self.context.over:
                return _CUT_SHORT
            outcome = self.workers.perform_now(task, lambda _: None)
        if isinstance(outcome, Done):
            return "done", dict(outcome.result)
        if isinstance(outcome, Failed):
            return "failed", outcome.message
        return "lost", (outcome.cause.name, outcome.reason)


_CUT_SHORT = ("lost", (Cause.CHANNEL.name, "was not called: the run had ended"))
_BENCHES: dict[str, _Bench] = {}
"""The bench of this process; one, since another context means that the run before it has ended."""
_OPENING = threading.Lock()


def _clear_benches(*, now: bool) -> None:
    for each in _BENCHES.values():
        each.workers.close(now=now)
    _BENCHES.clear()


def _remotely(context: Context | bytes, task: Task) -> tuple[str, Any]:
    """Perform a task where it was sent."""
    try:
        with _OPENING:
            name = hashlib.sha256(context).hexdigest() if isinstance(context, bytes) else str(id(context))
            if isinstance(context, Context) and context.over:
                return _CUT_SHORT
            if name not in _BENCHES:
                try:
                    loaded = pickle.loads(context) if isinstance(context, bytes) else context
                except Exception as error:
                    return "failed", f"the rule cannot be loaded in another process ({type(error).__name__}: {error})"
                _clear_benches(now=False)
                _BENCHES[name] = _Bench(loaded)
            bench = _BENCHES[name]
        return bench.perform(task)
    except HarnessFailed as error:
        return "broken", str(error)
