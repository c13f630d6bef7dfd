"""What units found, line by line in a file, as it comes: a run that was stopped goes on from there.

The first line says what was asked; every other is a unit, and what came of it. A line that was being written when the
run was killed is taken away; its unit is made again. One run at a time writes to a file.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ..engine.units import Asked, Unit
from ..engine.wire import require_found
from ..reference.errors import GradcheckError
from .codec import package_version
from .files import check_place
from .fingerprint import identity

FORMAT = 1


class Ledger:
    """Outcomes by unit. path: where they are kept too, from one run to the next; None keeps them in memory alone.

    Use it as a context. Raises `GradcheckError` for a file that holds something else, or another run, and for one that
    another run is writing.
    """

    def __init__(self, asked: Sequence[Asked], path: Path | None = None) -> None:
        self._known: dict[Unit, Mapping[str, Any]] = {}
        self._file: BinaryIO | None = None
        self.resumed = 0
        if path is not None:
            check_place(path, "found.jsonl")
            self._open(path, identity(asked))

    def _open(self, path: Path, asked: Mapping[str, Any]) -> None:
        try:
            file = path.open("a+b", buffering=0)
        except OSError as error:
            raise GradcheckError(f"{path} cannot be written: {error.strerror}") from error
        try:
            _lock(file, path)
            file.seek(0)
            content = file.read()
            end = content.rfind(b"\n") + 1
            head = _line({"gradcheck": package_version(), "format": FORMAT, "asked": asked})
            lines = _read(content[:end], path)
            if lines:
                _compare(lines[0], asked, path)
            elif not head.startswith(content):
                raise _not_ours(path, 1)
            for number, line in enumerate(lines[1:], start=2):
                unit = _unit(line, number, path)
                self._known[unit] = line["found"]
            file.truncate(end)  # what follows is a line that was never finished
            file.seek(0, os.SEEK_END)
            if not lines:
                file.write(head)
        except BaseException:
            file.close()
            raise
        self._file, self.resumed = file, len(self._known)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def get(self, unit: Unit) -> Mapping[str, Any] | None:
        """What came of the unit; None if it is still to be made."""
        return self._known.get(unit)

    def add(self, unit: Unit, found: Mapping[str, Any]) -> None:
        """Remember what came of it, on disk before this returns."""
        self._known[unit] = found
        if self._file is not None:
            try:
                self._file.write(_line({"unit": dataclasses.asdict(unit), "found": found}))
            except OSError as error:
                raise GradcheckError(
                    f"what was found cannot be written to {self._file.name}: {error.strerror}"
                ) from error


def _lock(file: BinaryIO, path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # a system that has no such locks
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise GradcheckError(f"another run is writing {path}; wait for it, or name another file") from None


def _read(content: bytes, path: Path) -> list[dict[str, Any]]:
    lines = []
    for number, text in enumerate(content.splitlines(), start=1):
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            line = None
        if not isinstance(line, dict):
            raise _not_ours(path, number)
        lines.append(line)
    return lines


def _compare(first: Mapping[str, Any], asked: Mapping[str, Any], path: Path) -> None:
    if not {"gradcheck", "format", "asked"} <= set(first):
        raise _not_ours(path, 1)
    if (first["format"], first["gradcheck"]) != (FORMAT, package_version()):
        raise GradcheckError(
            f"{path} was written by gradcheck {first['gradcheck']} in format {first['format']}, this is "
            f"{package_version()} with format {FORMAT}; name another file"
        )
    try:
        before, now = first["asked"]["rules"], asked["rules"]
        names = [[str(rule["name"]) for rule in rules] for rules in (before, now)]
    except (KeyError, TypeError):
        raise _not_ours(path, 1) from None
    if names[0] != names[1]:
        raise GradcheckError(
            f"{path} holds an audit of {', '.join(names[0])}, this is one of {', '.join(names[1])}; name another file"
        )
    for old, new in zip(before, now, strict=True):
        differs = [what for what in new if old.get(what) != new[what]]
        if differs == ["source"]:
            raise GradcheckError(
                f"{new['name']}, or a file beside it or that it loads, has changed since {path} was written; delete "
                "that file, or name another"
            )
        if differs:
            what = next(what for what in differs if what != "source")
            values = f"{old.get(what)!r:.60}, now {new[what]!r:.60}"
            raise GradcheckError(
                f"{path} holds an audit of {new['name']} with other {what} ({values}); name another file"
            )


def _unit(line: Mapping[str, Any], number: int, path: Path) -> Unit:
    try:
        unit = Unit(**line["unit"])
        if any(type(value) is not (int if name == "network" else str) for name, value in vars(unit).items()):
            raise TypeError(f"no name of a unit: {unit}")
        require_found(line["found"])
    except Exception:  # whatever it is that stands there
        raise _not_ours(path, number) from None
    return unit


def _not_ours(path: Path, number: int) -> GradcheckError:
    return GradcheckError(f"line {number} of {path} is no result of a run; name another file")


def _line(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, allow_nan=False).encode() + b"\n"
