"""Processes of workers: forks of this one, or fresh ones, with a warden or without."""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection, Listener, Pipe
from pathlib import Path
from typing import Any, Protocol

from ...reference.private import jax_in_use
from ..request import Limits
from ..tasks import Context
from . import platform
from .board import SIZE, Board
from .worker import serve

START_SECONDS = 60.0
"""Seconds that a worker may take to start, and a fresh process to import what it needs."""


class Unusable(Exception):
    """Workers of this kind cannot run the rule; the message says why."""


class Process(Protocol):
    """A worker's process. signs: what becomes readable when it ends. alive: whether it runs, as far as is known."""

    connection: Connection
    board: Board
    signs: list[Any]

    @property
    def alive(self) -> bool: ...

    def status(self, seconds: float) -> int | None:
        """Return its exit status, negative for a signal; None where it does not end within so many seconds."""

    def kill(self) -> None:
        """Kill it without waiting."""

    def end(self) -> None:
        """Kill it, wait for it, and close what is open."""


Start = Callable[[Context, "Limits | None"], Process]


class _Guarded:
    """A worker with a warden; see `platform.supervise`.

    Args:
        warden: the warden's process id.
        control: our end of the socket to it.
        connection: our end of the channel to the worker.
        board: what the worker says that it is doing.
    """

    def __init__(self, warden: int, control: socket.socket, connection: Connection, board: Board) -> None:
        self.connection, self.board = connection, board
        self._warden, self._control = warden, control
        self._pidfd = platform.open_pidfd(warden)
        self.signs: list[Any] = [control]
        self._status: int | None = None
        self._over = False
        self._ending = threading.Lock()

    @property
    def alive(self) -> bool:
        """True until the warden says that the worker ended."""
        return not self._over

    def status(self, seconds: float) -> int | None:
        """Return what the warden tells."""
        if not self._over:
            self._control.settimeout(seconds)
            try:
                told = self._control.recv(64)
            except TimeoutError:
                return None
            except OSError:
                told = b""
            self._over = True
            # A warden that is gone without a word was killed, and its worker with it.
            with contextlib.suppress(ValueError):
                self._status = int(told or str(-signal.SIGKILL))
        return self._status

    def kill(self) -> None:
        """Ask the warden to end the worker."""
        with contextlib.suppress(OSError):
            self._control.send(b"k")

    def end(self) -> None:
        """End the worker by its warden; a warden that does not answer is killed, and its worker with it."""
        with self._ending:  # a second thread finds that it is done
            self.kill()
            if not self._reaped(5.0):
                platform.kill(self._warden, self._pidfd)
                self._reaped(5.0)
            self._control.close()
            self.connection.close()
            if self._pidfd is not None:
                os.close(self._pidfd)
                self._pidfd = None

    def _reaped(self, seconds: float) -> bool:
        if self._warden == 0:
            return True
        deadline, pause = time.monotonic() + seconds, 0.001
        while time.monotonic() < deadline:
            try:
                pid, _ = os.waitpid(self._warden, os.WNOHANG)
            except ChildProcessError:  # whoever started this process ignores what becomes of children
                pid = self._warden
            if pid:
                self._warden = 0
                return True
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
        return False


def forked(context: Context, limits: Limits | None) -> Process:
    """Start a worker as a fork of this process, which has all that was imported and derived here.

    Raises:
        Unusable: a fork of this process could not run every rule.
    """
    if refusal := _unforkable():
        raise Unusable(refusal)
    board = Board(mmap.mmap(-1, SIZE))
    ours, theirs = Pipe()
    control, guarded = socket.socketpair()
    memory = limits.memory if limits else None
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    with warnings.catch_warnings():
        # Python 3.12 and JAX warn of forks where threads run; the child touches nothing that those could hold.
        warnings.simplefilter("ignore")
        try:
            pid = os.fork()
        except OSError as error:
            for each in (ours, theirs, control, guarded):
                each.close()
            raise Unusable(f"the system refuses another process ({error})") from None
    if pid == 0:
        with contextlib.suppress(BaseException):
            ours.close()
            control.close()
            platform.supervise(guarded.fileno(), memory, lambda: serve(theirs, board, context, memory, forked=True))
        os._exit(1)
    theirs.close()
    guarded.close()
    return _Guarded(pid, control, ours, board)


def _unforkable() -> str:
    """Return why a fork of this process could not run every rule: frameworks with threads of their own."""
    if not platform.POSIX:
        return "this system cannot fork a process"
    if jax_in_use():
        return "JAX is in use here and does not survive a fork"
    torch = sys.modules.get("torch")
    if torch is not None and getattr(torch, "cuda", None) is not None and torch.cuda.is_initialized():
        return "CUDA is in use here and does not survive a fork"
    return ""


class _Fresh:
    """A worker that was started as a fresh process, without a warden.

    Args:
        process: the process.
        connection: our end of the channel to it.
        board: what it says that it is doing.
    """

    def __init__(self, process: subprocess.Popen[bytes], connection: Connection, board: Board) -> None:
        self.connection, self.board, self._process = connection, board, process
        self.signs: list[Any] = []

    @property
    def alive(self) -> bool:
        """True while it runs."""
        return self._process.poll() is None

    def status(self, seconds: float) -> int | None:
        """Return its exit status."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()

    def end(self) -> None:
        """Kill it and wait."""
        self._process.kill()
        self._process.wait()
        self.connection.close()


def spawned(context: Context, limits: Limits | None, *, warden: bool = platform.POSIX) -> Process:
    """Start a worker as a fresh process, which needs a rule that pickles.

    Args:
        context: what its tasks share.
        limits: what its rule may use.
        warden: whether a warden ends it with everything that it started; False is the way of Windows.

    Raises:
        Unusable: the rule does not pickle, or no fresh process can be started.
    """
    try:
        pickled = pickle.dumps(context)
    except Exception as error:
        raise Unusable(f"the rule cannot be pickled for a fresh process ({error})") from None
    memory, key = limits.memory if limits else None, secrets.token_bytes(16)
    with contextlib.ExitStack() as opened:
        control, guarded = socket.socketpair() if warden else (None, None)
        for end in (control, guarded):
            if end is not None:
                opened.callback(end.close)
        process, connection, board = _begun(pickled, memory, key, guarded)
        if control is None:
            return _Fresh(process, connection, board)
        opened.pop_all()
        if guarded is not None:
            guarded.close()
        process.returncode = 0  # the warden is waited for by its control
        return _Guarded(process.pid, control, connection, board)


def _begun(
    pickled: bytes, memory: int | None, key: bytes, guarded: socket.socket | None
) -> tuple[subprocess.Popen[bytes], Connection, Board]:
    """Start the process, and wait until it connects."""
    program = (
        f"import sys; sys.path[:] = {sys.path!r}; from gradcheck.engine.isolation.worker import serve_spawned; "
        "serve_spawned()"
    )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, Listener(authkey=key) as listener:
        path = Path(folder, "board")
        path.write_bytes(bytes(SIZE))
        with path.open("r+b") as file:
            board = Board(mmap.mmap(file.fileno(), SIZE))
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", program], stdin=subprocess.PIPE,
                pass_fds=(guarded.fileno(),) if guarded is not None else (),
            )  # fmt: skip
        except (OSError, ValueError) as error:
            raise Unusable(f"no fresh process can be started ({error})") from None
        assert process.stdin is not None
        with contextlib.suppress(OSError), process.stdin as stream:
            descriptor = guarded.fileno() if guarded is not None else None
            stream.write(pickle.dumps((listener.address, key, str(path), memory, descriptor)) + pickled)
        return process, _accepted(listener, process), board


def _accepted(listener: Listener, process: subprocess.Popen[bytes]) -> Connection:
    """Return the connection of the process that was started, or raise where it ends before."""
    found: list[Connection] = []

    def accept() -> None:
        with contextlib.suppress(OSError, EOFError):  # the listener is closed where nobody comes
            found.append(listener.accept())

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while thread.is_alive() and time.monotonic() < deadline:
        thread.join(0.02)
        if thread.is_alive() and process.poll() is not None:
            break
    if not found:
        process.kill()
        process.wait()
        raise Unusable("a fresh process ended before it could be used")
    return found[0]
