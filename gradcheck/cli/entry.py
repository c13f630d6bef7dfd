"""The entry point of the command line: prepare the process, run the command, leave with its status.

Only the standard library is imported before the command runs, so that an interrupt at any moment after the first few
milliseconds ends in a status and not in a traceback.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from typing import Any, NoReturn, TextIO

from .status import INTERRUPTED, USAGE

_COUNTS_BEFORE_USAGE = (1, INTERRUPTED)


def main() -> None:
    """Run the command that `sys.argv` names.

    Raises:
        SystemExit: Always, with the exit status.
    """
    leaving = _Leaving()
    try:
        status = _run()
    except KeyboardInterrupt:
        status = INTERRUPTED
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python, while it ends, would show a traceback
    leaving.status = _settled(status)
    sys.exit(leaving.status)


class _Leaving:
    """Guard of the exit status: code that was loaded, and calls `os._exit`, does not choose it.

    A module may do so while it is imported, or when Python ends. Processes that this one starts are left alone.

    Attributes:
        status: The exit status of the command, once that is known.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self._process, self._leave = os.getpid(), os._exit
        os._exit = self._exit

    def _exit(self, status: int) -> NoReturn:
        if os.getpid() == self._process:
            if self.status is None:
                print(f"gradcheck: loaded code called os._exit({status}); nothing was judged after it", file=sys.stderr)
            status = USAGE if self.status is None else self.status
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(Exception):
                    stream.flush()
        self._leave(status)


def _run() -> int:
    # Whoever starts the command may ignore SIGCHLD; the status of every worker would be lost.
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _open_standard_streams()
    try:
        os.getcwd()
    except OSError:
        print("gradcheck: the current folder no longer exists; change to one that does", file=sys.stderr)
        return USAGE

    from .commands import app

    try:
        app(prog_name="gradcheck")
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    return 0


class _Stream(io.TextIOWrapper):
    """A standard stream that stops at the first failed write, so that a full disk costs no file and no status."""

    failure: OSError | None = None

    def write(self, text: str, /) -> int:
        """Write `text`, or drop it once a write has failed."""
        try:
            return super().write(text)
        except OSError as error:
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Flush what was written, or drop it once a write has failed."""
        try:
            super().flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        if isinstance(error, BrokenPipeError):
            raise error  # a reader that has gone away, as `| head` does, is no failure
        self.failure = self.failure or error
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())


def _open_standard_streams() -> None:
    """Give the process three standard streams, of which the two for output survive a full disk."""
    while (spare := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # a descriptor that was closed would be given to the next file that is opened
    os.close(spare)
    sys.stdout, sys.stderr = _wrapped(sys.stdout, 1), _wrapped(sys.stderr, 2)


def _wrapped(stream: TextIO | None, descriptor: int) -> Any:
    if stream is None:
        return open(descriptor, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    buffer = getattr(stream, "buffer", None)
    if buffer is None:
        return stream
    # A terminal that has no box characters, or no symbols for a formula, is no reason to fail.
    return _Stream(buffer, encoding=stream.encoding, errors="replace", line_buffering=stream.isatty())


def _settled(status: int) -> int:
    """Return the exit status, which tells of a standard output that could not be written."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    failure = getattr(sys.stdout, "failure", None)
    if failure is None:
        return status
    print(f"gradcheck: cannot write to standard output: {failure.strerror}; redirect it elsewhere", file=sys.stderr)
    return status if status in _COUNTS_BEFORE_USAGE else USAGE
