"""JUnit XML: a suite for each rule, a testcase for each claim; then a suite for each chapter of statements."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from collections.abc import Iterable

from ..records import Collection, Report, Status, Verdict
from .text import _verdict
from .words import clean, one_line

# A dashboard shows a skipped test as green, and a claim that was not judged must not be: so whatever does
# not hold is a failure (shown to be false) or an error (not settled), and the suites pass where the report does.
_ELEMENT = {
    Status.REFUTED: "failure",
    Status.ERROR: "error",
    Status.INCONCLUSIVE: "error",
    Status.NOT_RUN: "error",
}


def to_junit(record: Report | Collection) -> str:
    """See `gradcheck.report.to_junit`."""
    root = ET.Element("testsuites", name=clean(record.rule if isinstance(record, Report) else record.title))
    for report in (record,) if isinstance(record, Report) else record.reports:
        _suite(root, report.rule, [(v.claim, v, v.counts_as) for v in report.verdicts])
    for chapter in () if isinstance(record, Report) else record.chapters:
        if chapter.statements:
            judged = [(s.id, s.corrected_verdict or s.verdict) for s in chapter.statements]
            _suite(root, chapter.title, [(name, v, v.status) for name, v in judged])
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    ET.indent(root)
    stream = io.BytesIO()
    ET.ElementTree(root).write(stream, encoding="utf-8", xml_declaration=True)
    return stream.getvalue().decode("utf-8") + "\n"


def _suite(root: ET.Element, name: str, judged: Iterable[tuple[str, Verdict, Status]]) -> None:
    suite = ET.SubElement(root, "testsuite", name=clean(name))
    counts = {"failure": 0, "error": 0}
    for title, verdict, status in judged:
        case = ET.SubElement(suite, "testcase", classname=clean(name), name=clean(title), time="0")
        text = clean("\n".join(_verdict(verdict)))
        if status in _ELEMENT:
            kind = _ELEMENT[status]
            counts[kind] += 1
            message = one_line(f"{verdict.word}: {verdict.remark or verdict.statement}")
            ET.SubElement(case, kind, message=message, type=verdict.word).text = text
        else:
            ET.SubElement(case, "system-out").text = text
    if not len(suite):
        counts["error"] += 1
        case = ET.SubElement(suite, "testcase", classname=clean(name), name="no claim", time="0")
        ET.SubElement(case, "error", message="no claim was judged", type="NOT RUN")
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(counts["failure"]))
    suite.set("errors", str(counts["error"]))
    suite.set("skipped", "0")
