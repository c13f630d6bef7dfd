"""What units found, line by line in a file, as it comes: a run that was stopped goes on from there.

The first line says what was asked; every other is a unit, and what came of it. A line that was being written when the
run was killed is taken away; its unit is made again. One run at a time writes to a file.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import inspect
import json
import os
import pickle
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ..reference.errors import GradcheckError
from ..report.codec import package_version
from ..report.files import check_place
from ..rules import as_rule
from .units import Asked, Unit

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


def identity(asked: Sequence[Asked]) -> dict[str, Any]:
    """What a run must have in common with the one before it for the results of that to be its own.

    Of each rule that is its source, with that of every other file of its author; not how many processes there are.
    """
    return {"rules": [_identity(each) for each in asked]}


def _identity(asked: Asked) -> dict[str, Any]:
    rule, _ = asked.rule()
    declared = rule.declaration
    return {
        "name": asked.name,
        "claims": [str(claim) for claim in declared.claims],
        "networks": [repr(network) for network in declared.networks],
        "weighted": declared.weighted,
        "effort": asked.effort,
        "seed": asked.seed,
        "limits": None if asked.limits is None else [asked.limits.call_seconds, asked.limits.memory],
        "source": digest(rule.target, asked.target),
    }


def digest(target: Any, asked: Any = "") -> str:
    """Of what a rule is: the files beside it, every module that is loaded and not installed, and the rule's own values.

    target: the function or class that is run. asked: the rule as it was handed over, whose attributes and arguments
    count too, as far as it pickles; a text names it and has none.
    """
    contents = hashlib.sha256(repr(as_rule(target).origin).encode())
    if not isinstance(asked, str):
        with contextlib.suppress(Exception):
            contents.update(pickle.dumps(asked))
    files = {module for module in map(_of_its_author, list(sys.modules.values())) if module is not None}
    home = _file_of(target)
    files |= {home} if home is not None else set()
    for folder in {file.parent for file in files}:  # of these some may be imported later
        files |= {path.resolve() for path in folder.glob("*.py")}
    for file in sorted(files):
        with contextlib.suppress(OSError):
            contents.update(hashlib.sha256(file.read_bytes()).digest())
    return contents.hexdigest()


def _of_its_author(module: Any) -> Path | None:
    """The file of a module that neither Python nor gradcheck has, nor is installed beside them."""
    name, path = getattr(module, "__name__", ""), getattr(module, "__file__", None)
    if not isinstance(path, str) or not path.endswith(".py") or name.partition(".")[0] in ("gradcheck", "_pytest"):
        return None
    file = Path(path).resolve()
    return None if any(file.is_relative_to(home) for home in _installed()) or not file.is_file() else file


@functools.cache
def _installed() -> tuple[Path, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple({Path(path).resolve() for name in names if (path := sysconfig.get_path(name))})


def _file_of(target: Any) -> Path | None:
    target = getattr(target, "func", target)
    kind = target if inspect.isroutine(target) or isinstance(target, type) else type(target)
    try:
        file = inspect.getsourcefile(inspect.unwrap(kind))
    except TypeError:
        return None
    found = Path(file).resolve() if file else None
    return found if found and found.is_file() and not any(map(found.is_relative_to, _installed())) else None


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
        except ValueError:
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
            f"{path} was written by gradcheck {first['gradcheck']}, this is {package_version()}; name another file"
        )
    before, now = first["asked"]["rules"], asked["rules"]
    names = [[rule["name"] for rule in rules] for rules in (before, now)]
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
        if not isinstance(line["found"], dict):
            raise TypeError
    except (KeyError, TypeError):
        raise _not_ours(path, number) from None
    return unit


def _not_ours(path: Path, number: int) -> GradcheckError:
    return GradcheckError(f"line {number} of {path} is no result of a run; name another file")


def _line(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, allow_nan=False).encode() + b"\n"
