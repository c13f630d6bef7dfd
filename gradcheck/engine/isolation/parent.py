"""Audits in a process of their own: whatever a rule does to it, the audit goes on.

The worker is a fork of this process, so that any rule can run in it, and what was imported and derived here need
not be again. Where a fork cannot run the rule (JAX or CUDA is in use here) it is a fresh process, which needs a
rule that pickles; where there is neither, the audit stays in this process and the report says so.

A worker takes the steps of the audit (`worker`) and sends how far it is. One whose rule does not return
in time is killed, one may crash; then the kind of evidence that it was gathering is lost, and a new worker
judges the claim without it. Float evidence and purity are asked of every rule: where they are lost, the claim is
an ERROR. Steps that run no code of the rule's author are taken here, and references that a worker lacks are
derived here, so that the audits that follow find them.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from ...reference.errors import GradcheckError
from ..course import Auditing, Loss
from .worker import NO_PIPE, SIZE, Board, received, serve_forked

LARGEST_MESSAGE = 2**28


@dataclass(frozen=True)
class Limits:
    """What a rule may use.

    call_seconds: of time on the clock, for one call on one problem; the largest problems of a full audit are asked
    of no rule that would take longer than 45 s. memory: bytes beyond what the process holds before the rule runs;
    kept on Linux. Raises `GradcheckError` for what is no positive number.
    """

    call_seconds: float = 60.0
    memory: int = 4 * 2**30

    def __post_init__(self) -> None:
        for name, value in (("call_seconds", self.call_seconds), ("memory", self.memory)):
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
                raise GradcheckError(f"{name} is a number greater than 0; got {value!r}")


DEFAULT_LIMITS = Limits()


class WorkerFailed(Exception):
    """The harness itself failed in a worker; the message is the worker's traceback."""


class _Unusable(Exception):
    """Workers of this kind cannot run the rule."""


def judge(audit: Auditing, limits: Limits) -> None:
    """Take every step of the audit, those that run the rule's code in workers within these limits.

    Raises what the harness raises there: a `GradcheckError` as itself, a KeyboardInterrupt, else `WorkerFailed`.
    """
    ways, reasons = _ways(), list[str]()
    while audit.waiting:
        if audit.rule_free:
            audit.advance()
            continue
        if not ways:
            audit.notes.append(f"judged in this process, without limits: {'; '.join(reasons)}")
            while audit.waiting:
                audit.advance()
            return
        refusal, start = ways[0]
        try:
            if refusal:
                raise _Unusable(refusal)
            _work(audit, start, limits)
        except _Unusable as error:
            reasons.append(str(error))
            del ways[0]


Start = Callable[[Auditing, Limits], "contextlib.AbstractContextManager[_Worker]"]


def _ways() -> list[tuple[str, Start]]:
    """How a worker can be started, what is tried first first, each with why it cannot be, if so."""
    forks = hasattr(os, "fork")
    ways: list[tuple[str, Start]] = [
        (_unforkable() if forks else "this system cannot fork a process", _forked),
        ("" if forks else "and hands no pipes to a fresh one", _spawned),
    ]
    return ways[::-1] if sys.platform == "darwin" else ways  # whose system libraries dislike forks


def _unforkable() -> str:
    """Why a fork of this process could not run every rule, if so: frameworks with threads of their own."""
    bridge, torch = sys.modules.get("jax._src.xla_bridge"), sys.modules.get("torch")
    if getattr(bridge, "_backends", None):
        return "JAX is in use here and does not survive a fork"
    if torch is not None and getattr(torch, "cuda", None) is not None and torch.cuda.is_initialized():
        return "CUDA is in use here and does not survive a fork"
    return ""


def _work(audit: Auditing, start: Start, limits: Limits) -> None:
    """Have one worker take steps until it is through, lacks something, or is lost."""
    with start(audit, limits) as worker:
        reason = ""
        for tag, value in worker.messages(limits.call_seconds):
            if tag == "told":
                audit.progress(value)
            elif tag == "found":
                audit.found(*value)
            elif tag == "course":
                audit.course = value
            elif tag == "done":
                return
            elif tag == "wanted":
                worker.end()
                audit.derive(value)
                audit.sought.add(value)
                return
            elif tag in ("unforkable", "unreachable"):
                raise _Unusable(value)
            elif tag == "stopped":
                raise KeyboardInterrupt
            elif tag == "failed":
                raise GradcheckError(value[0]) if value[0] else WorkerFailed(value[1])
            elif tag == "lost":
                reason = value
        kind, place, calling = worker.board.kind, worker.board.place, worker.board.started
    where = f" ({'at' if calling else 'after the call at'} {place})" if place else ""
    audit.give_up(Loss(audit.waiting, kind, f"{reason}{where}"))


@dataclass
class _Worker:
    """A worker, from the outside. status: its exit status once it has ended, negative for a signal."""

    pid: int
    connection: Connection
    board: Board
    process: subprocess.Popen[bytes] | None = None
    status: int | None = None

    def messages(self, call_seconds: float) -> Iterator[tuple[str, Any]]:
        """Every message until it ends; the last is ("lost", what happened) where it ended without a word."""
        last = ""
        while True:
            started = self.board.started
            waited = time.monotonic() - started if started else 0.0
            try:
                if self.connection.poll(min(max(0.0, call_seconds - waited), 1.0)):
                    tag, value = received(self.connection.recv_bytes(LARGEST_MESSAGE))
                    last = tag
                    yield tag, value
                    continue
            except (EOFError, OSError):
                break
            except Exception as error:
                last = "lost"
                yield "lost", f"wrote into the pipe that its verdicts take ({type(error).__name__})"
                return
            if self._ended():
                break
            if started and started == self.board.started and time.monotonic() - started > call_seconds:
                yield "lost", f"did not return within {call_seconds:g} s"
                return
        if last not in ("lost", "done", "wanted", "stopped", "failed", "unforkable", "unreachable"):
            yield "lost", self._how_it_ended()

    def _ended(self) -> bool:
        if self.status is None and self.process is not None:
            self.status = self.process.poll()
        elif self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if pid else None
        return self.status is not None

    def _how_it_ended(self) -> str:
        deadline = time.monotonic() + 1.0
        while not self._ended() and time.monotonic() < deadline:
            time.sleep(0.005)
        if self.status in (None, NO_PIPE):
            return "closed the pipe that its verdicts take"
        assert self.status is not None
        if self.status >= 0:
            return f"ended its process with status {self.status}"
        try:
            name = signal.Signals(-self.status).name
        except ValueError:
            name = f"signal {-self.status}"
        what = {
            "SIGSEGV": ", a segmentation fault or a stack that was too deep",
            "SIGKILL": ", as the system does where memory runs out",
            "SIGABRT": ", as libraries do where memory runs out or they fail",
        }
        return f"ended its process by {name}{what.get(name, '')}"

    def end(self) -> None:
        """Kill it, with every process that it started, and leave nothing of it behind."""
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(OSError):
                kill(self.pid, signal.SIGKILL)
        if self.status is None:
            if self.process is not None:
                self.status = self.process.wait()
            else:
                self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.connection.close()


@contextlib.contextmanager
def _forked(audit: Auditing, limits: Limits) -> Iterator[_Worker]:
    board = Board(mmap.mmap(-1, SIZE))
    reading, writing = os.pipe()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    with warnings.catch_warnings():
        # Python 3.12 and JAX warn of forks where threads run; the child touches nothing that those could hold.
        warnings.simplefilter("ignore")
        try:
            pid = os.fork()
        except OSError as error:
            for descriptor in (reading, writing):
                os.close(descriptor)
            raise _Unusable(f"the system refuses another process ({error})") from None
    if pid == 0:
        os.close(reading)
        serve_forked(audit, writing, board, limits.memory)
    os.close(writing)
    worker = _Worker(pid, Connection(reading, writable=False), board)
    try:
        yield worker
    finally:
        worker.end()


@contextlib.contextmanager
def _spawned(audit: Auditing, limits: Limits) -> Iterator[_Worker]:
    try:
        pickled = pickle.dumps(audit)
    except Exception as error:
        raise _Unusable(f"the rule cannot be pickled for a fresh one ({error})") from None
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "board")
        with open(path, "w+b") as file:
            file.truncate(SIZE)
            board = Board(mmap.mmap(file.fileno(), SIZE))
        reading, writing = os.pipe()
        program = (
            f"import sys; sys.path[:] = {sys.path!r}; from gradcheck.engine.isolation.worker import serve_spawned; "
            f"serve_spawned({writing}, {path!r}, {limits.memory})"
        )
        process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, pass_fds=(writing,))
        os.close(writing)
        worker = _Worker(process.pid, Connection(reading, writable=False), board, process)
        try:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError), process.stdin as stream:
                stream.write(pickled)
            yield worker
        finally:
            worker.end()
