"""Errors of untrusted rules: their messages, and whose code raised them."""

from __future__ import annotations

import contextlib
import os
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..algorithms import online
from ..records import Cause
from ..reference import errors as reference_errors
from ..reference.errors import GradcheckError, UnsupportedOperation


class RuleFailed(GradcheckError):
    """Raised where a rule raised an error.

    Attributes:
        where: The line of the rule's own code as "file:line: text", or an empty string.
    """

    def __init__(self, message: str, where: str = "") -> None:
        self.where = where
        super().__init__(message)


class KeptNumbers(GradcheckError):
    """Error for a rule that used numbers kept from a call on another number system; the message is for its author.

    Attributes:
        on_floats: True if that was in a call on floats, of which users make all theirs.
    """

    cause = Cause.KEEPS_STATE

    def __init__(self, message: str, on_floats: bool = False) -> None:
        self.on_floats = on_floats
        super().__init__(message)


def class_name(value: Any) -> str:
    """Return the name of a value's class, without code of its metaclass."""
    return str(type.__dict__["__name__"].__get__(type(value)))


def shown_error(error: BaseException) -> str:
    """Return the class and message of an error, even if reading the message raises one."""
    try:
        # Reports put the message in the middle of a sentence, so it must be one line.
        lines = str(str(error))[:_LONGEST_MESSAGE].splitlines()
        message = cut(" | ".join(line.strip() for line in lines if line.strip()), 500)
    except BaseException as second:
        message = f"(its message raises {class_name(second)})"
    return class_name(error) + (f": {message}" if message else "")


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, its cause, and so on; each once, even if they form a cycle."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        cause, context = (BaseException.__dict__[name].__get__(error) for name in ("__cause__", "__context__"))
        error = cause or context


def refusal(error: BaseException) -> UnsupportedOperation | None:
    """Return the `UnsupportedOperation` of a scalar behind an error, which NumPy may have wrapped, or None."""
    return next((e for e in chain(error) if isinstance(e, UnsupportedOperation) and raised_by_us(e)), None)


def raised_by_us(error: BaseException, code: tuple[str, ...] | None = None) -> bool:
    """Return True if our own code raised the error. A rule may raise our types, but that counts as its own error.

    Args:
        error: The error.
        code: The files that are asked for, by prefix; all of ours if None.
    """
    frames = list(traceback.walk_tb(error.__traceback__))
    return bool(frames) and frames[-1][0].f_code.co_filename.startswith(_OUR_CODE if code is None else code)


def _inside(*folders: Path | str) -> tuple[str, ...]:
    """Return the path prefixes of the files in folders."""
    return tuple(os.path.join(folder, "") for folder in folders)


_PACKAGE = Path(__file__).parent.parent
_OUR_CODE = (
    *_inside(_PACKAGE / "rules", _PACKAGE / "evidence", Path(reference_errors.__file__).parent),
    str(Path(online.__file__)),
)
SCALARS = str(Path(reference_errors.__file__).parent / "scalars")
_NOT_THE_RULES_OWN = (*_OUR_CODE, *_inside(Path(np.__file__).parent))
_INSTALLED = _inside(*{sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")})


def _frame(error: BaseException) -> traceback.FrameSummary | None:
    """Return the deepest frame in the author's own files, else in an installed package that is not ours."""
    loaded = [sys.modules[name] for name in ("torch", "jax") if name in sys.modules]
    others = _inside(*(Path(module.__file__).parent for module in loaded if module.__file__))
    frames = [
        f
        for f in traceback.extract_tb(error.__traceback__)
        if not f.filename.startswith((*_NOT_THE_RULES_OWN, *others))
    ]
    own = [f for f in frames if not f.filename.startswith(_INSTALLED)]
    return next(reversed(own or frames), None)


def where(error: BaseException) -> str:
    """Return the deepest line of the author's code behind an error, as "file:line: text"; empty if there is none."""
    frame = _frame(error)
    return f"{frame.filename}:{frame.lineno}: {frame.line}" if frame else ""


def described(name: str, place: str, error: BaseException) -> str:
    """Return a sentence on an error that the rule of this name raised, with the line of the author's code."""
    return f"{name} raised {shown_error(error)} ({place}{at_line(error)})"


def at_line(error: BaseException) -> str:
    """Return the line of the author's code behind an error, to follow a place in a sentence; empty if there is none."""
    frame = _frame(error)
    return f", {_shown_path(frame.filename)}, line {frame.lineno}: {cut(frame.line or '', 100)}" if frame else ""


def _shown_path(name: str) -> str:
    """Return a file's path, relative to the current folder if it lies in it."""
    path = Path(name)
    with contextlib.suppress(OSError, ValueError):
        return str(path.relative_to(Path.cwd()))
    return name


def cut(text: str, most: int) -> str:
    """Return a text, cut to at most so many characters."""
    return text if len(text) <= most else f"{text[: most - 4]} ..."


_LONGEST_MESSAGE = 20_000
"""Characters of a message that are read."""
