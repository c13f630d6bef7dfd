"""What is shown while an audit works: in a terminal and without one."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest

from gradcheck.records import Evidence, Status, Strength
from gradcheck.report import progress as module
from gradcheck.report.progress import Progress

LONG = "bptt: liveness and oracle agreement, softplus, logistic output, binary cross entropy"
PROVED = Evidence("formal", Status.HOLDS, Strength.PROVED, "equal as polynomials, hence for all values of parameters")
WRONG = Evidence("modular", Status.REFUTED, Strength.NONE, "at T=3, I=2, D=1, K=1: R[0,1] differs at a random point")
UNASKED = Evidence("ladder", Status.NOT_RUN, Strength.NONE, "the rule leaves NumPy")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TERM": "xterm", "COLUMNS": "80", "LINES": "6"}.items():
        monkeypatch.setenv(name, value)


def shown(work: Any) -> str:
    """What a terminal was sent, without its colours and movements."""
    terminal = Terminal()
    with Progress(terminal) as progress:
        work(progress)
        progress._live.refresh()  # type: ignore[union-attr]
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())


def test_a_terminal_shows_each_kind_of_evidence_as_it_is_found() -> None:
    def work(progress: Progress) -> None:
        progress(LONG)
        for evidence in (PROVED, WRONG, UNASKED):
            progress.found("exact", evidence)

    lines = shown(work).replace("\r", "\n").split("\n")
    assert any(re.match("PROVED +exact, by formal evidence: equal as polynomials", line) for line in lines), lines
    assert any(re.match("REFUTED +exact, by modular evidence: at T=3", line) for line in lines), lines
    assert not any("ladder" in line for line in lines), "what could not be applied is no news"
    assert max(map(len, lines)) <= 80, lines


def test_it_keeps_to_the_height_of_the_terminal() -> None:
    def work(progress: Progress) -> None:
        for number in range(20):
            progress.found(f"truncated({number})", PROVED)

    last = shown(work).rpartition("starting")[0].split("\n")
    assert "truncated(19)" in "".join(last[-6:]) and "truncated(14)" not in "".join(last[-6:])


def test_without_a_terminal_a_line_now_and_then_keeps_to_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST", 0.0)
    stream = io.StringIO()
    progress = Progress(stream)
    progress(LONG)
    with progress:
        progress.found("exact", PROVED)
        while not stream.getvalue().endswith("\n"):
            pass
    (line,) = stream.getvalue().splitlines()
    assert len(line) == 80 and line.endswith(" ...") and "liveness" in line


def test_quiet_says_nothing() -> None:
    terminal = Terminal()
    with Progress(terminal, quiet=True) as progress:
        progress(LONG)
        progress.found("exact", PROVED)
    assert not terminal.getvalue()
