"""A file of JSON lines that keeps values by key as they come, so that a run that was stopped can go on.

The first line is the fingerprint of the run; every other is a key and its value. A line that was being written when
the run was killed is taken away. One run at a time writes to a file. A file is untrusted: it is read as data.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from ..reference.errors import GradcheckError
from .codec import dumps, loads, package_version, printable, to_data
from .files import check_place

FORMAT = 2


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    """The first line."""

    gradcheck: str
    format: int
    fingerprint: dict[str, Any]


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """A key and its value."""

    key: str
    value: Any


class Ledger:
    """Values by key; to be used as a context.

    Args:
        path: The file; None keeps the values in memory alone.
        fingerprint: Plain data that this run must have in common with the one that wrote the file.
        check: Called with the value of every line that is read; it raises an error of any kind for one that is none.

    Raises:
        GradcheckError: The file holds something else, or the results of another run (the message names what differs);
            another run is writing it; or it cannot be written.
    """

    def __init__(
        self, path: Path | None, fingerprint: Mapping[str, Any], *, check: Callable[[Any], object] = lambda value: None
    ) -> None:
        self._known: dict[str, Any] = {}
        self._file: BinaryIO | None = None
        if path is not None:
            self._open(path, to_data(fingerprint), check)
        self.resumed = len(self._known)

    def _open(self, path: Path, fingerprint: dict[str, Any], check: Callable[[Any], object]) -> None:
        check_place(path, "found.jsonl")
        try:
            file: BinaryIO = path.open("a+b", buffering=0)
        except (OSError, ValueError) as error:
            raise GradcheckError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}") from error
        try:
            _lock(file, path)
            file.seek(0)
            content = file.read()
            end = content.rfind(b"\n") + 1
            head = _line({"gradcheck": package_version(), "format": FORMAT, "fingerprint": fingerprint})
            lines = content[:end].split(b"\n")[:-1]
            if lines:
                _compare(_read(lines[0], _Head, path, 1), fingerprint, path)
            elif not head.startswith(content):
                raise _foreign(path, 1)
            for number, text in enumerate(lines[1:], start=2):
                line = _read(text, _Line, path, number)
                try:
                    check(line.value)
                except Exception:  # whatever a reader makes of data that is none of ours
                    raise _foreign(path, number) from None
                self._known[line.key] = line.value
            file.truncate(end)  # what follows is a line that was never finished
            file.seek(0, os.SEEK_END)
            if not lines:
                _write(file, head)
        except BaseException as error:
            file.close()
            if isinstance(error, OSError):
                raise GradcheckError(f"{path} cannot be used: {error.strerror or error}") from error
            raise
        self._file = file

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            _unlock(self._file)
            self._file.close()
            self._file = None

    def get(self, key: str) -> Any | None:
        """Return the value of the key, or None."""
        return self._known.get(key)

    def add(self, key: str, value: Any) -> None:
        """Keep a value, plain data, under a key. It is in the file before this returns.

        Raises:
            GradcheckError: It cannot be written, as where the disk is full; the file then ends with the line before.
        """
        data = to_data(value)
        if self._file is not None:
            _write(self._file, _line({"key": key, "value": data}))
        self._known[key] = data


def _line(data: Mapping[str, Any]) -> bytes:
    return dumps(data).encode() + b"\n"


def _write(file: BinaryIO, line: bytes) -> None:
    """Write a whole line, or none of it."""
    start = file.seek(0, os.SEEK_END)
    rest = memoryview(line)
    try:
        while rest:
            rest = rest[file.write(rest) :]  # a disk that is nearly full takes a part, and refuses the rest
    except OSError as error:
        file.truncate(start)
        raise GradcheckError(
            f"results cannot be written to {file.name}: {error.strerror or error}; what was written before is kept. "
            "Make room, then run the same command again to resume"
        ) from error


def _lock(file: BinaryIO, path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # a system that has no such locks
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise GradcheckError(f"another run is writing {path}; wait for it, or name another file") from None


def _unlock(file: BinaryIO) -> None:
    """Give the lock back; a worker that is left has the file open too, and would hold it."""
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.flock(file, fcntl.LOCK_UN)


def _read(text: bytes, kind: Any, path: Path, number: int) -> Any:
    try:
        return msgspec.convert(loads(text, "line"), kind)
    except (GradcheckError, ValueError, RecursionError):
        raise _foreign(path, number) from None


def _foreign(path: Path, number: int) -> GradcheckError:
    return GradcheckError(f"line {number} of {path} is no result of a run; name another file")


def _compare(head: _Head, fingerprint: Mapping[str, Any], path: Path) -> None:
    if (head.format, head.gradcheck) != (FORMAT, package_version()):
        raise GradcheckError(
            f"{path} was written by gradcheck {printable(head.gradcheck):.20} in format {head.format}, this is "
            f"{package_version()} with format {FORMAT}; name another file"
        )
    where, before, now = next(_differences(head.fingerprint, fingerprint, ""), ("", "", ""))
    if where:
        raise GradcheckError(
            f"{path} holds results of another run: {printable(where):.200} was {before}, and is {now}; name another "
            "file, or delete that one"
        )


def _differences(before: Any, now: Any, where: str) -> Iterator[tuple[str, str, str]]:
    """Yield each place where two fingerprints differ, with what stands there."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*now, *before]):
            yield from _differences(before.get(key, _ABSENT), now.get(key, _ABSENT), f"{where}.{key}".lstrip("."))
    elif isinstance(before, list) and isinstance(now, list):
        for number in range(max(len(before), len(now))):
            old, new = (each[number] if number < len(each) else _ABSENT for each in (before, now))
            yield from _differences(old, new, f"{where}[{number}]")
    elif before != now or type(before) is not type(now):
        old, new = ("absent" if each is _ABSENT else f"{each!r:.60}" for each in (before, now))
        yield where, old, new


_ABSENT = object()
