"""Formats of report files, by suffix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..records import Collection, Report
from ..reference.errors import GradcheckError
from ..store.codec import to_json
from ..store.files import check_place, write_text
from .html import to_html
from .junit import to_junit
from .markdown import to_markdown

FORMATS: dict[str, Callable[[Report | Collection], str]] = {
    ".json": to_json,
    ".md": to_markdown,
    ".html": to_html,
    ".xml": to_junit,
}


def write(record: Report | Collection, path: str | Path) -> Path:
    """Write a report to a file, whole or not at all, and return the file's path.

    Args:
        record: The report.
        path: The file. Its suffix names the format: .json, .md, .html or .xml.

    Raises:
        GradcheckError: The suffix names no format, or the file cannot be written.
    """
    path = Path(path)
    render = check_path(path)
    # Rendered before anything is opened: a failure to render leaves the old file as it was.
    return write_text(path, render(record))


def check_path(path: str | Path) -> Callable[[Report | Collection], str]:
    """Return the renderer for a file, before work is spent on its content.

    Raises:
        GradcheckError: The suffix names no format, or no file can be written there.
    """
    path = Path(path)
    render = FORMATS.get(path.suffix.lower())
    if render is None and not path.is_dir():
        named = (
            f"the suffix {path.suffix!r} of {str(path)!r}" if path.suffix else f"{str(path)!r}, which has no suffix,"
        )
        raise GradcheckError(f"{named} names no format of report; use one of {', '.join(FORMATS)}")
    check_place(path)
    assert render is not None
    return render
