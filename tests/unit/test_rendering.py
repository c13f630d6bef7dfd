"""Snapshots of all text that a report is printed as. After a change of layout: pytest --snapshot-update, and read."""

from __future__ import annotations

import pytest
from syrupy.assertion import SnapshotAssertion
from test_report import BPTT, EVIL, SAMPLE, TBPTT, TRACED

from gradcheck.records import Collection, Report, Stage, Status
from gradcheck.report import to_junit, to_markdown, to_text
from gradcheck.report.text import failure, failures, summary_line
from gradcheck.store.codec import package_version

WARNED = Report("r", "", ("tanh",), BPTT.verdicts, (Stage("discrimination", Status.INCONCLUSIVE, "1 fault passed"),))
RECORDS = {"passes": BPTT, "fails": EVIL, "traced": TRACED, "warned": WARNED, "whole": SAMPLE}


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("verbose", [False, True], ids=["brief", "verbose"])
def test_text(name: str, verbose: bool, snapshot: SnapshotAssertion) -> None:
    assert to_text(RECORDS[name], verbose=verbose) == snapshot


def test_narrow_text(snapshot: SnapshotAssertion) -> None:
    assert to_text(EVIL, verbose=False, width=48) == snapshot


@pytest.mark.parametrize("report", [BPTT, TBPTT, EVIL, Report("r", "", (), ())], ids=lambda report: report.rule[:8])
def test_one_line(report: Report, snapshot: SnapshotAssertion) -> None:
    assert summary_line(report).plain == snapshot


@pytest.mark.parametrize("number", range(len(EVIL.verdicts)))
def test_failing_test(number: int, snapshot: SnapshotAssertion) -> None:
    assert failure(EVIL.rule, EVIL.verdicts[number]) == snapshot


def test_check(snapshot: SnapshotAssertion) -> None:
    assert failures(Collection("c", (BPTT, EVIL))) == snapshot


@pytest.mark.parametrize("name", ["fails", "traced", "whole"])
@pytest.mark.parametrize("render", [to_markdown, to_junit])
def test_files(name: str, render: object, snapshot: SnapshotAssertion) -> None:
    text = render(RECORDS[name])  # type: ignore[operator]
    assert text.replace(f"gradcheck {package_version()}", "gradcheck VERSION") == snapshot
