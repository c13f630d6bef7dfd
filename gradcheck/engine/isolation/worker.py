"""The process that runs a rule under audit, from the inside: cut off from the terminal, watched, with a limit.

It takes the steps of an audit and sends what comes of each; the other side is `parent`. Nothing
of the terminal is left to it: what reads standard input meets its end, what is written to the standard streams,
from C or by a subprocess too, is dropped. It ends with its parent.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import io
import mmap
import os
import pickle
import signal
import struct
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any

from ...evidence.exact import formal
from ...reference.errors import GradcheckError
from ...rules.call import watched_by
from ..course import Auditing

STARTED, KIND, PLACE, SIZE = 0, 16, 64, 512
"""Where things are in the shared memory of a `Board`."""
NO_PIPE = 98
"""The status of a worker that cannot say what it found: its rule closed the pipe."""
TORCH_REFUSES = "fork-based multiprocessing"
"""In torch's message where its autograd ran in the parent, with threads of its own."""


class Board:
    """Shared memory in which a worker says what it is doing, far cheaper than by a message.

    started: when the running call of the rule began, on the clock `time.monotonic`; 0.0 between calls.
    """

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self.began("")
        self.ended(None)
        self.reached("")

    def reached(self, kind: str) -> None:
        self._put(KIND, PLACE, kind)

    def began(self, place: str) -> None:
        self._put(PLACE, SIZE, place)
        struct.pack_into("d", self._memory, STARTED, time.monotonic())

    def ended(self, error: BaseException | None) -> None:
        struct.pack_into("d", self._memory, STARTED, 0.0)

    @property
    def started(self) -> float:
        return float(struct.unpack_from("d", self._memory, STARTED)[0])

    @property
    def kind(self) -> str:
        return self._get(KIND, PLACE)

    @property
    def place(self) -> str:
        return self._get(PLACE, SIZE)

    def _put(self, start: int, stop: int, text: str) -> None:
        encoded = text.encode("utf-8", "replace")[: stop - start - 1]
        self._memory[start : start + len(encoded) + 1] = encoded + b"\0"

    def _get(self, start: int, stop: int) -> str:
        return self._memory[start:stop].partition(b"\0")[0].decode("utf-8", "replace")


class _Wanted(BaseException):
    """A reference is needed that the parent can derive for this worker and all after it."""


class _Unforkable(BaseException):
    """The rule cannot run in a forked process."""


class _Unforked:
    """Notices that a framework refuses to run in a fork of a process that used it."""

    def began(self, place: str) -> None:
        pass

    def ended(self, error: BaseException | None) -> None:
        seen = set[int]()  # what a scalar refused is its own cause
        while error is not None and id(error) not in seen:
            if TORCH_REFUSES in str(error):
                raise _Unforkable("torch's autograd had run in this process before")
            seen.add(id(error))
            error = error.__cause__ or error.__context__


def serve_forked(audit: Auditing, descriptor: int, board: Board, memory: int) -> None:
    """Go on with the audit in this process, a fork; never returns."""
    with contextlib.suppress(BaseException):
        gc.freeze()  # what the parent made stays shared
        watched_by(_Unforked())
        formal.derived_elsewhere(lambda *wanted: _want(audit, wanted))
        _serve(audit, Connection(descriptor, readable=False), board, memory)
        os._exit(0)
    os._exit(NO_PIPE)


def serve_spawned(descriptor: int, board_path: str, memory: int) -> None:
    """Go on with the audit that standard input holds, in this fresh process; never returns."""
    connection = Connection(descriptor, readable=False)
    with open(board_path, "r+b") as file:
        board = Board(mmap.mmap(file.fileno(), SIZE))
    try:
        audit = pickle.load(sys.stdin.buffer)
    except BaseException as error:
        _send(connection, "unreachable", f"{type(error).__name__}: {error}")
    else:
        with contextlib.suppress(BaseException):
            _serve(audit, connection, board, memory)
            os._exit(0)
    os._exit(NO_PIPE)


def _want(audit: Auditing, wanted: tuple[Any, ...]) -> None:
    """Stop and ask for that reference, unless it was asked for before, or belongs to a network of a user's making."""
    if wanted in audit.sought:
        return
    try:
        received(pickle.dumps(("wanted", wanted)))
    except Exception:
        return
    raise _Wanted(wanted)


def _serve(audit: Auditing, connection: Connection, board: Board, memory: int) -> None:
    _cut_off()
    end_with_parent()
    _limit(memory)
    watched_by(board)
    audit.progress = lambda text: _send(connection, "told", text)
    audit.reaching = board.reached
    audit.found = lambda claim, evidence: _send(connection, "found", (claim, evidence))
    try:
        while audit.waiting and not audit.rule_free:
            board.reached("")
            audit.advance()
            _send(connection, "course", audit.course)
        _send(connection, "done", None)
    except _Wanted as wanted:
        _send(connection, "wanted", wanted.args[0])
    except _Unforkable as error:
        _send(connection, "unforkable", str(error))
    except KeyboardInterrupt:
        _send(connection, "stopped", None)
    except MemoryError:
        _send(connection, "lost", "used up its memory")
    except pickle.PicklingError as error:
        _send(connection, "lost", f"left a verdict that cannot be sent ({error})")
    except BaseException as error:
        ours = isinstance(error, GradcheckError)
        _send(connection, "failed", (str(error) if ours else "", traceback.format_exc()))


def _send(connection: Connection, tag: str, value: Any) -> None:
    try:
        sent = pickle.dumps((tag, value))
        received(sent)
    except Exception as error:
        raise pickle.PicklingError(str(error)) from error
    connection.send_bytes(sent)


class _Reader(pickle.Unpickler):
    """Reads our own records and plain values: no code of a rule's is run where its worker's messages are read."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("gradcheck.records", "gradcheck.engine.course") or module.startswith("gradcheck.reference."):
            found = getattr(importlib.import_module(module), name)
            if isinstance(found, type):
                return found
        if (module, name) == ("builtins", "getattr"):  # how an enum member is written before Python 3.12
            return lambda kind, member: kind[member]
        raise pickle.UnpicklingError(f"{module}.{name} is no plain value")


def received(message: bytes) -> tuple[str, Any]:
    """A message of a worker as (what it is, value); raises `pickle.UnpicklingError` where it holds anything else."""
    tag, value = _Reader(io.BytesIO(message)).load()
    return tag, value


def _cut_off() -> None:
    """From the terminal and from the signals that are meant for the parent."""
    with contextlib.suppress(OSError):
        os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    faulthandler.disable()
    for descriptor, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        nothing = os.open(os.devnull, mode)
        os.dup2(nothing, descriptor)
        os.close(nothing)
    sys.stdin = open(0, encoding="utf-8", closefd=False)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)  # the parent's pool of OpenMP threads does not exist here


def end_with_parent() -> None:
    """Have this process killed once the one that started it is gone."""
    parent = os.getppid()
    if sys.platform == "linux":
        import ctypes

        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)
    else:
        threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def _limit(memory: int) -> None:
    """No more than `memory` bytes beyond what is held now, where the system knows such a limit; no core files."""
    try:
        import resource
    except ImportError:
        return
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, ValueError, IndexError):
        # RLIMIT_DATA counts what can be written, not, as RLIMIT_AS does, what libraries reserve and never use.
        with open("/proc/self/statm", encoding="ascii") as file:
            held = int(file.read().split()[5]) * resource.getpagesize()
        most = held + int(min(memory, 2**62))
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
