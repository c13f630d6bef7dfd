"""Reports: the records of `gradcheck.records` as JSON, Markdown, HTML, JUnit XML and plain text.

Nothing here judges. matplotlib, jinja2 and latex2mathml are imported by the module that needs them, when
it is called; the terminal's tables are in `gradcheck.report.terminal`.
"""

from __future__ import annotations

from pathlib import Path

from ..records import Collection, Report

__all__ = ["from_json", "schema", "to_html", "to_json", "to_junit", "to_markdown", "to_text", "write"]


def to_json(record: Report | Collection) -> str:
    """The record as JSON text that `schema()` describes and `from_json` reads back."""
    from ..store.codec import to_json

    return to_json(record)


def from_json(text: str) -> Report | Collection:
    """The record that `to_json` wrote. Raises `GradcheckError` that names the place where the text is not one."""
    from ..store.codec import from_json

    return from_json(text)


def schema() -> dict[str, object]:
    """The JSON Schema (draft 2020-12) of what `to_json` writes."""
    from ..store.codec import schema

    return schema()


def to_markdown(record: Report | Collection) -> str:
    """The record as Markdown, formulas between dollar signs."""
    from .markdown import to_markdown

    return to_markdown(record)


def to_html(record: Report | Collection) -> str:
    """The record as one self-contained page. Raises `GradcheckError` where a library for it is not installed."""
    from .html import to_html

    return to_html(record)


def to_text(record: Report | Collection) -> str:
    """The record as plain text of 80 columns; only the snippets, which are to be copied, may be wider."""
    from .text import to_text

    return to_text(record)


def to_junit(record: Report | Collection) -> str:
    """The record as JUnit XML, one testcase for each rule and claim; all of them pass where the record does."""
    from .junit import to_junit

    return to_junit(record)


def write(record: Report | Collection, path: str | Path) -> Path:
    """Write the record to `path` in the format that the suffix names: .json, .md, .html or .xml.

    The file appears whole or not at all. Raises `GradcheckError` for an unknown suffix, a folder that is
    missing, a path that is a folder, and a path that cannot be written.
    """
    from .files import write

    return write(record, path)
