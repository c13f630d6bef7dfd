"""JUnit XML: a suite for each rule with a testcase for each claim, then a suite for each chapter of statements."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from collections.abc import Iterable

from ..records import Collection, Report, Status, Verdict
from .text import verdict_text
from .words import clean, one_line, origin, word

# Dashboards show skipped tests as green, and a claim that was not judged must not be green. What does not hold is a
# failure (shown to be false) or an error (not settled), so that the suites pass where the report does.
_ELEMENT = {
    Status.REFUTED: "failure",
    Status.ERROR: "error",
    Status.INCONCLUSIVE: "error",
    Status.NOT_RUN: "error",
}


def to_junit(record: Report | Collection) -> str:
    """Return a report as JUnit XML: a testcase for each rule and claim; all of them pass where the report does."""
    root = ET.Element("testsuites", name=clean(record.rule if isinstance(record, Report) else record.title))
    for report in (record,) if isinstance(record, Report) else record.reports:
        suite = _suite(root, report.rule, [(v.claim, v, v.counts_as) for v in report.verdicts])
        if report.seconds:
            suite.set("time", f"{report.seconds:.3f}")
    source = origin(record)
    if source and len(root):
        # The schema of JUnit has properties and a time stamp on suites only.
        if source.date:
            root[0].set("timestamp", source.date)
        properties = ET.Element("properties")
        for label, text in source.facts:
            ET.SubElement(properties, "property", name=label, value=clean(text))
        root[0].insert(0, properties)
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


def _suite(root: ET.Element, name: str, judged: Iterable[tuple[str, Verdict, Status]]) -> ET.Element:
    suite = ET.SubElement(root, "testsuite", name=clean(name))
    counts = {"failure": 0, "error": 0}
    for title, verdict, status in judged:
        case = ET.SubElement(suite, "testcase", classname=clean(name), name=clean(title), time=f"{verdict.seconds:.3f}")
        text = clean(verdict_text(verdict))
        if status in _ELEMENT:
            kind = _ELEMENT[status]
            counts[kind] += 1
            message = one_line(f"{word(verdict)}: {verdict.remark or verdict.statement}")
            ET.SubElement(case, kind, message=message, type=word(verdict)).text = text
        else:
            ET.SubElement(case, "system-out").text = text
    suite.set("time", f"{sum(float(case.get('time', '0')) for case in suite):.3f}")
    if not len(suite):
        counts["error"] += 1
        case = ET.SubElement(suite, "testcase", classname=clean(name), name="no claim", time="0.000")
        ET.SubElement(case, "error", message="no claim was judged", type="NOT RUN")
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(counts["failure"]))
    suite.set("errors", str(counts["error"]))
    suite.set("skipped", "0")
    return suite
