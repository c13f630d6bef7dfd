"""A worker, from the outside: given tasks, and ended, whatever its rule does."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import wait
from typing import Any

from ...records import Cause
from ...reference.ring import Store
from ..outcome import Done, Failed, HarnessFailed, Lost, Outcome
from ..request import Limits
from ..tasks import Context, Task
from . import platform, processes
from .processes import Start, Unusable

LARGEST_MESSAGE = 2**28


class Worker:
    """A process that performs one task after the other.

    Args:
        start: how it is started, `forked` or `spawned`.
        context: what its tasks share.
        limits: what its rule may use; None for no limits.
        store: where references are kept.
    """

    def __init__(self, start: Start, context: Context, limits: Limits | None, store: Store) -> None:
        self._limits, self._store = limits, store
        self._process = start(context, limits)
        self._dying = threading.Event()
        self._ready = False
        self.usable = True

    def perform(self, task: Task, progress: Callable[[str], None]) -> Outcome:
        """Have the task performed, and wait for it.

        Raises:
            Unusable: workers of this kind cannot run the rule.
            HarnessFailed: the harness itself failed there.
        """
        try:
            if not self._ready:
                self._wait_until_ready()
            self._send(vars(task))
            return self._outcome(progress)
        except (EOFError, OSError):
            return self._lost(*self._how_it_ended())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return self._lost(Cause.CHANNEL, f"wrote into the channel that its results take ({type(error).__name__})")

    def _wait_until_ready(self) -> None:
        """Wait for the first message of the process; if it ends instead, whoever sends to it next will see that."""
        connection = self._process.connection
        ready = wait([connection, *self._process.signs], processes.START_SECONDS)
        message = self._receive() if connection in ready else {}
        if not ready or "unusable" in message:
            self.usable = False
            raise Unusable(message.get("unusable") or f"a worker did not start within {processes.START_SECONDS:g} s")
        self._ready = True

    def _outcome(self, progress: Callable[[str], None]) -> Outcome:
        connection, seconds = self._process.connection, self._limits.call_seconds if self._limits else float("inf")
        while True:
            started = self._process.board.started
            left = seconds - (time.monotonic() - started) if started else seconds
            ready = wait([connection, *self._process.signs], min(max(0.0, left), 1.0))
            if connection in ready:
                message = self._receive()
                if "progress" in message:
                    progress(str(message["progress"]))
                elif "get" in message:
                    self._send({"kept": self._store.get(message["get"])})
                elif "put" in message:
                    self._store.put(str(message["put"]), message["data"])
                elif "done" in message:
                    return Done(dict(message["done"]))
                elif "failed" in message:
                    return Failed(str(message["failed"]))
                elif "lost" in message:
                    return self._lost(Cause[message["lost"]], str(message["reason"]))
                elif "unusable" in message:
                    self.usable = False
                    raise Unusable(message["unusable"])
                else:
                    self.usable = False
                    raise HarnessFailed(message["broken"])
                continue
            if ready or self._dying.is_set() or not self._process.alive:
                return self._lost(*self._how_it_ended())
            if started and started == self._process.board.started and time.monotonic() - started > seconds:
                return self._lost(Cause.TIMEOUT, f"did not return within {seconds:g} s")

    def _send(self, message: Mapping[str, Any]) -> None:
        self._process.connection.send_bytes(json.dumps(message).encode())

    def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._process.connection.recv_bytes(LARGEST_MESSAGE))
        return message

    def _lost(self, cause: Cause, reason: str) -> Lost:
        self.usable = False
        return Lost(cause, reason + self._process.board.place)

    def _how_it_ended(self) -> tuple[Cause, str]:
        status = self._process.status(1.0)
        if status is None or self._process.board.cut_off:
            return Cause.CHANNEL, "closed the channel that its results take"
        if status == platform.MEMORY:
            return Cause.MEMORY, "used up its memory in processes that it started"
        if status >= 0:
            return Cause.EXIT, f"ended its process with status {status}"
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        what = {
            "SIGSEGV": ", a segmentation fault or a stack that was too deep",
            "SIGKILL": ", as the system does where memory runs out",
            "SIGABRT": ", as libraries do where memory runs out or they fail",
        }
        cause = Cause.MEMORY if name == "SIGKILL" else Cause.CRASH
        return cause, f"ended its process by {name}{what.get(name, '')}"

    def interrupt(self) -> None:
        """Kill it without waiting; a task that is under way is lost."""
        self._dying.set()
        self._process.kill()

    def end(self) -> None:
        """Kill it, with every process that it started, and leave nothing of it behind."""
        self.usable = False
        self._process.end()
