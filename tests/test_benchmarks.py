"""The table of the benchmarks, on rows that take no time; what the real rows measure is not a test's business."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks.rows import Outcome, Row, Skipped, at_least, at_most, in_turn


def lacking() -> Outcome:
    raise Skipped("pip install torch")


FAST = Row("fast", at_most(2), lambda: Outcome(1.5, {"a": 3.0, "b": 2.0}))
SLOW = Row("slow", at_least(5), lambda: Outcome(1.5, {"a": 3.0, "b": 2.0}))
LACKING = Row("lacking", at_most(1), lacking)


@pytest.mark.parametrize(("rows", "status"), [([FAST, LACKING], 0), ([FAST, SLOW], 1)])
def test_the_exit_status_and_the_file_say_whether_the_goals_are_met(
    rows: list[Row], status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benchmarks, "ROWS", tuple(rows))
    assert benchmarks.main(["--json", str(tmp_path / "rows.json")]) == status
    written = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert [row["name"] for row in written] == [row.name for row in rows]
    assert written[0] == {"name": "fast", "goal": "≤ 2", "ratio": 1.5, "met": True, "seconds": {"a": 3.0, "b": 2.0}}
    assert written[1] == (
        {"name": "slow", "goal": "≥ 5", "ratio": 1.5, "met": False, "seconds": {"a": 3.0, "b": 2.0}}
        if status
        else {"name": "lacking", "goal": "≤ 1", "skipped": "pip install torch"}
    )
    assert ("NO" if status else "pip install torch") in capsys.readouterr().out


def test_both_sides_run_in_turn() -> None:
    order: list[str] = []
    outcome = in_turn(lambda: order.append("a"), lambda: order.append("b"), ("a", "b"), repeats=3)
    assert "".join(order) == "abababab" and list(outcome.seconds) == ["a", "b"]
