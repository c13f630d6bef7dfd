"""The process that runs a rule under audit, from the inside: cut off from the terminal, watched, within limits.

It performs one task after the other and sends back plain data, as JSON: nothing that a rule made is ever unpickled
where its results are read.
"""

from __future__ import annotations

import contextlib
import gc
import json
import mmap
import os
import pickle
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Client, Connection
from typing import Any

from ...records import Cause
from ...reference.errors import GradcheckError
from ...rules.call import watched_by
from ...rules.failures import chain, shown_error
from ...store import cache
from ..tasks import Context, Task, perform
from . import platform
from .board import SIZE, Board

TORCH_REFUSES = "fork-based multiprocessing"
"""In torch's message where its autograd ran in the parent, with threads of its own."""


class _Unforkable(BaseException):
    """The rule cannot run in a forked process."""


class _TorchInAFork:
    """Notices that torch refuses to run in a fork of a process that used it."""

    def began(self, place: str, problem: object = None) -> None:
        """Nothing is to be done where a call begins."""

    def ended(self, error: BaseException | None) -> None:
        """Raise `_Unforkable` where torch refused."""
        if any(TORCH_REFUSES in shown_error(each) for each in chain(error)):
            raise _Unforkable("torch's autograd had run in this process before")


class _ParentStore:
    """The store of the process that started this one, asked through the connection; see `reference.ring.Store`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, key: str) -> Any:
        """Return what is kept under the key, or None."""
        _send(self._connection, {"get": key})
        return json.loads(self._connection.recv_bytes())["kept"]

    def put(self, key: str, data: Any) -> None:
        """Keep plain data under the key."""
        _send(self._connection, {"put": key, "data": data})


def serve(connection: Connection, board: Board, context: Context, memory: int | None, *, forked: bool) -> None:
    """Perform tasks until the connection ends."""
    platform.cut_off()
    torch = sys.modules.get("torch")
    if torch is not None and forked:
        torch.set_num_threads(1)  # the parent's pool of OpenMP threads does not exist here
    if memory is not None:
        platform.limit_memory(memory)
    watched_by(board)
    if forked:
        gc.freeze()  # what the parent made stays shared
        watched_by(_TorchInAFork())
    with cache.using(_ParentStore(connection)):
        try:
            _send(connection, {"ready": True})
            _perform_all(connection, board, context)
        except BaseException:
            board.note_cut_off()
            raise


def _perform_all(connection: Connection, board: Board, context: Context) -> None:
    while True:
        try:
            task = Task(**json.loads(connection.recv_bytes()))
        except EOFError:
            return
        board.reached(task.kind)
        answer = _answer(task, context, board, lambda text: _send(connection, {"progress": text}))
        try:
            _send(connection, answer)
        except (TypeError, ValueError) as error:
            reason = f"left a result that cannot be sent ({error})"
            _send(connection, {"lost": Cause.CHANNEL.name, "reason": reason})


def _answer(task: Task, context: Context, board: Board, progress: Callable[[str], None]) -> dict[str, Any]:
    try:
        return {"done": perform(task, context, progress)}
    except _Unforkable as error:
        return {"unusable": str(error)}
    except MemoryError:
        return {"lost": Cause.MEMORY.name, "reason": "used up its memory"}
    except GradcheckError as error:
        return {"failed": str(error)}
    except (KeyboardInterrupt, SystemExit) as error:  # the terminal's are for the process that started this one
        if task.request < 0:
            return {"broken": traceback.format_exc()}
        return {"failed": f"{context.prepared(task.request).rule.name} raised {type(error).__name__}{board.place}"}
    except BaseException:
        return {"broken": traceback.format_exc()}


def _send(connection: Connection, message: Any) -> None:
    connection.send_bytes(json.dumps(message, allow_nan=False).encode("utf-8", "surrogatepass"))


def serve_spawned() -> None:
    """Serve in this fresh process: standard input says where to connect, and holds the pickled context."""
    told = sys.stdin.buffer
    address, key, path, memory, warden = pickle.load(told)
    pickled = told.read()

    def work() -> None:
        with open(path, "r+b") as file:
            board = Board(mmap.mmap(file.fileno(), SIZE))
        with Client(address, authkey=key) as connection:
            try:
                context = pickle.loads(pickled)
            except Exception as error:
                reason = f"the rule cannot be loaded in a fresh process ({type(error).__name__}: {error})"
                _send(connection, {"unusable": reason})
                return
            serve(connection, board, context, memory, forked=False)

    if warden is not None:
        platform.supervise(warden, memory, work)
    with contextlib.suppress(BaseException):
        work()
    os._exit(0)
