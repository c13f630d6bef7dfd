"""Writing a report to a file, whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

from gradcheck.reference.errors import GradcheckError

from ..records import Collection, Report
from . import to_html, to_json, to_junit, to_markdown

FORMATS: dict[str, Callable[[Report | Collection], str]] = {
    ".json": to_json,
    ".md": to_markdown,
    ".html": to_html,
    ".xml": to_junit,
}


def write(record: Report | Collection, path: str | Path) -> Path:
    """See `gradcheck.report.write`."""
    path = Path(path)
    render = check_path(path)
    # Rendered before anything is opened: a failure to render leaves the old file as it was.
    return write_text(path, render(record))


def write_text(path: str | Path, content: str) -> Path:
    """Write text to `path`, whole or not at all. Raises `GradcheckError` where that cannot be done."""
    path = Path(path)
    if not content.endswith("\n"):
        content += "\n"
    try:
        _replace(path.resolve(), content.encode("utf-8", errors="backslashreplace"))
    except OSError as error:
        raise GradcheckError(
            f"cannot write {str(path)!r}: {error.strerror or error}; choose another place or change its permissions"
        ) from error
    return path


def check_path(path: str | Path) -> Callable[[Report | Collection], str]:
    """The renderer for `path`. Raises `GradcheckError` where a report cannot go there, before work is spent on it."""
    path = Path(path)
    render = FORMATS.get(path.suffix.lower())
    if render is None and not path.is_dir():
        came = f"the suffix {path.suffix!r} of {str(path)!r}" if path.suffix else f"{str(path)!r}, which has no suffix,"
        raise GradcheckError(f"{came} names no format of report; use one of {', '.join(FORMATS)}")
    check_place(path)
    assert render is not None
    return render


def check_place(path: Path, example: str = "report.html") -> None:
    """Raises `GradcheckError` where no file can be written at `path`, saying why and what to do."""
    if path.is_dir():
        raise GradcheckError(f"{str(path)!r} is a folder; name a file in it, such as {str(path / example)!r}")
    folder = path.parent
    if not folder.exists():
        raise GradcheckError(
            f"the folder {str(folder)!r} does not exist; create it first: mkdir -p {shlex.quote(str(folder))}"
        )
    if not folder.is_dir():
        raise GradcheckError(f"{str(folder)!r}, in which {path.name!r} should go, is a file and not a folder")
    if path.exists() and not path.is_file():
        raise GradcheckError(f"{str(path)!r} is neither a file nor new: it would be replaced; choose another name")
    if path.exists() and not os.access(path, os.W_OK):
        raise GradcheckError(f"{str(path)!r} is not writable; choose another name or change its permissions")


def _replace(target: Path, content: bytes) -> None:
    temporary = target.with_name(f".gradcheck-{secrets.token_hex(8)}.tmp")
    try:
        # Opened by name and not by tempfile, so that the file gets the permissions the user's umask gives.
        with open(temporary, "xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
