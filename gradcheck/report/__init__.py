"""Reports: the records of `gradcheck.records` as JSON, Markdown, HTML, JUnit XML and plain text.

Nothing here judges. matplotlib, jinja2 and latex2mathml are imported when a rendering needs them.
"""

from __future__ import annotations

from ..store.case import to_json as case_to_json
from ..store.codec import from_json, schema, to_json
from ..store.files import write_text
from .files import write
from .html import to_fragment, to_html
from .junit import to_junit
from .markdown import to_markdown
from .text import failures, to_text

__all__ = [
    "case_to_json",
    "failures",
    "from_json",
    "schema",
    "to_fragment",
    "to_html",
    "to_json",
    "to_junit",
    "to_markdown",
    "to_text",
    "write",
    "write_text",
]
