"""Coverage on the page and in the record: code that never ran, and problems that were tried."""

from __future__ import annotations

import json
import linecache
import re
from pathlib import Path
from typing import Any

import branching_rules
import numpy as np
import pytest

import gradcheck
from gradcheck.algorithms import bptt
from gradcheck.engine import events
from gradcheck.pytest_plugin import audits
from gradcheck.records import Extent, Report, Source, Status, Strength, Verdict
from gradcheck.reference.problem import Problem
from gradcheck.report import coverage, from_json, schema, to_json
from gradcheck.report.html import to_html
from gradcheck.report.markdown import to_markdown
from gradcheck.report.text import to_text
from gradcheck.rules.adapt import as_rule
from gradcheck.rules.authors import authored_by
from gradcheck.rules.call import run, watching
from gradcheck.rules.coverage import sources as found
from gradcheck.rules.coverage.extent import Tried
from gradcheck.rules.coverage.recorder import Recorder
from gradcheck.rules.coverage.seen import Seen

SOURCE = Source("mine.py", "rule", 10, "def rule(p):\n    if p.T > 9:\n        return <b>", (11,), (12,))
EXTENT = Extent({"T": (1, 2, 3, 9), "I": (4,)}, {"R": (-3, -2, 0), "inputs": (-40, 30)})
VERDICT = Verdict("exact", Status.HOLDS, Strength.SUPPORTED, "so far")
REPORT = Report("rule", "", ("tanh",), (VERDICT,), sources=(SOURCE,), extent=EXTENT)


def problem(T: int = 3, **changes: Any) -> Problem:
    made = Problem({"W": np.full((1, 2), 0.5), "R": np.eye(2), "V": np.ones((2, 1))}, np.ones((T, 1)), np.ones((T, 1)))
    return made.replace(**changes)


def seen_on(rule: Any, *problems: Problem) -> tuple[Seen, Tried]:
    recorder, tried, seen = Recorder(authored_by(rule)), Tried(), Seen()
    with watching(tried), watching(recorder):
        for each in problems:
            run(as_rule(rule), each.copy())
    seen.add(recorder.as_data())
    return seen, tried


# The records


def test_sizes_and_decades_of_what_was_tried() -> None:
    _, tried = seen_on(bptt, problem(3), problem(5, inputs=np.full((5, 1), -2000.0)))
    other = Tried()
    other.include(tried.as_data())
    extent = other.extent()
    assert extent == tried.extent() and extent is not None
    assert extent.sizes == {"T": (3, 5), "I": (2,), "D": (1,), "K": (1,)}
    assert extent.decades["inputs"] == (0, 3) and extent.decades["W"] == (-1,)
    assert "loss_weights" not in extent.decades
    assert Tried().extent() is None


def test_the_source_of_what_never_ran_and_nothing_else() -> None:
    seen, _ = seen_on(branching_rules.right_beyond_any_size, problem())
    (source,) = found.sources([seen])
    assert (source.file, source.name) == ("branching_rules.py", "right_beyond_any_size")
    text = linecache.getlines(branching_rules.__file__)
    assert source.text.split("\n")[0] == text[source.first - 1].rstrip()
    assert any("array.copy()" in text[n - 1] for n in source.missed)
    assert any("return gradient" in text[n - 1] for n in source.ran) and not set(source.ran) & set(source.missed)
    assert not found.sources([seen_on(branching_rules.long_sequences, problem(), problem(65))[0]]), "all of it ran"


def test_source_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found, "MOST_LINES", 3)
    monkeypatch.setattr(found, "WIDEST", 10)
    (source,) = found.sources([seen_on(branching_rules.right_beyond_any_size, problem())[0]])
    assert len(source.text.split("\n")) == 3 and max(map(len, source.text.split("\n"))) <= 10
    assert max((*source.ran, *source.missed), default=source.first) < source.first + 3


def test_coverage_travels() -> None:
    assert from_json(to_json(REPORT)) == REPORT
    started = events.AuditStarted(0, "rule", "", ("tanh",), ("exact",), 0)
    told = events.CoverageFound(0, (SOURCE,), EXTENT)
    report = events.fold([started, told, events.AuditFinished(0)])
    assert (report.sources, report.extent) == ((SOURCE,), EXTENT)
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(json.loads(to_json(REPORT)), schema())
    jsonschema.validate(events.to_data(told), events.schema())


def test_an_audit_finds_both(brief: None, short_search: None) -> None:
    how: dict[str, Any] = {"effort": "quick", "isolated": False}
    report = gradcheck.audit(branching_rules.right_beyond_any_size, [gradcheck.Exact()], **how)
    assert [source.name for source in report.sources] == ["right_beyond_any_size"]
    assert report.extent is not None and max(report.extent.sizes["T"]) >= 12 and "R" in report.extent.decades


def test_the_parts_of_a_session_are_put_together() -> None:
    other = Source("mine.py", "other", 20, "def other(p):", (), (20,))
    parts = [
        REPORT,
        Report("rule", "", ("tanh",), (), sources=(SOURCE, other), extent=Extent({"T": (3, 70)}, {"R": (5,)})),
    ]
    merged = audits._merged(parts, ["exact"])
    assert merged.sources == (SOURCE, other)
    assert merged.extent == Extent({"T": (1, 2, 3, 9, 70), "I": (4,)}, {"R": (-3, -2, 0, 5), "inputs": (-40, 30)})
    assert audits._merged([Report("rule", "", (), ())], []).extent is None


# The page


def test_the_page_marks_lines_by_more_than_colour() -> None:
    page = to_html(REPORT)
    assert re.search(r'class="line missed"><span class="number">12</span><span class="mark">never</span>', page)
    assert re.search(r'class="line ran"><span class="number">11</span><span class="mark"></span>', page)
    assert "return &lt;b&gt;" in page and "mine.py:10" in page
    assert '<details class="code"><summary>' in page, "folded"


def test_the_page_has_pictures_with_the_same_in_words() -> None:
    page = to_html(REPORT)
    assert "1 to 3, 9" in page and page.count("<rect") == 5 + 5
    assert "10⁻³ to 10" in page and "10⁻⁴⁰ to 10³¹" in page
    assert (
        "Mistakes that would have been missed: one at sizes beyond T = 9, I = 4; on floats, one at numbers beyond"
        in page
    )
    assert "one in the line that never ran." in page


def test_text_and_markdown_say_the_same_in_words() -> None:
    sizes, values = (
        "sizes tried: T 1 to 3, 9; I 4",
        "absolute values of floats tried: R 10⁻³ to 10; inputs 10⁻⁴⁰ to 10³¹",
    )
    for text in (to_text(REPORT), to_markdown(REPORT)):
        assert sizes in text.replace("\n", " ") and values in text.replace("\n", " ")
        assert coverage.missed(REPORT) in text.replace("\n", " ")
    assert "tried" not in to_text(REPORT, verbose=False), "it has to fit on a screen"
    assert "tried" not in to_markdown(Report("rule", "", ("tanh",), (VERDICT,)))


def test_marks_stay_within_their_picture() -> None:
    for strip in (*coverage.size_strips(EXTENT), *coverage.value_strips(EXTENT)):
        assert strip.marks and all(0 <= place and place + width <= 100.01 for place, width in strip.marks), strip


def test_a_report_without_coverage_has_none_of_it() -> None:
    page = to_html(Report("rule", "", ("tanh",), REPORT.verdicts))
    assert 'class="code"' not in page and 'class="tried"' not in page and coverage.missed(Report("r", "", (), ())) == ""
