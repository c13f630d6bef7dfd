"""The matrix of the gallery: which checkers failed, which are absent."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from gradcheck.algorithms import bptt
from gradcheck.chapters import matrix
from gradcheck.chapters.matrix import BRIEF, Extent, Outcome, Result, Row
from gradcheck.chapters.peers import Peer, Question, as_question
from gradcheck.faults import fault_named
from gradcheck.problems.lively import lively_problem
from gradcheck.records import Collection
from gradcheck.reference.network import Network, Sizes
from gradcheck.reference.problem import loss
from gradcheck.report import gallery, to_text

WRONG = fault_named("sign-of-dv")
EXTENT = Extent(BRIEF.effort, BRIEF.float_sizes[:1])


def crashes(question: Question) -> bool:
    raise RuntimeError("no such kernel")


def crashes_on_the_wrong(question: Question) -> bool:
    value, there = question.value(*question.start), question.gradient(*question.start)
    step = 1e-6
    for n in range(len(question.start)):
        moved = [a + step if m == n else a for m, a in enumerate(question.start)]
        if abs((question.value(*moved) - value) / step - there[n].sum()) > 1e-3 * (1 + abs(there[n].sum())):
            raise RuntimeError("gradients differ in a way that I cannot print")
    return True


def test_a_checker_that_crashes_has_failed_and_neither_caught_nor_missed() -> None:
    outcome = matrix.by_peer(WRONG, Peer("crashes", "numpy", crashes), EXTENT)
    assert outcome.result is Result.FAILED and "RuntimeError: no such kernel" in outcome.note


def test_a_checker_that_raises_on_the_wrong_gradient_alone_has_caught_it() -> None:
    outcome = matrix.by_peer(WRONG, Peer("raises", "numpy", crashes_on_the_wrong), EXTENT)
    assert outcome.result is Result.CAUGHT, outcome.note


def test_failures_are_counted_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [Row("a", "c", {"formal": Outcome(Result.CAUGHT, ""), "peer": Outcome(Result.FAILED, "RuntimeError: x")})]
    assert matrix.totals(rows)[-1] == ("peer", "0", "0", "0", "1")
    stream = io.StringIO()
    gallery.print_row(Console(file=stream, width=80), rows[0])
    assert stream.getvalue().split() == ["a", "+", "!"]
    gallery.write_matrix(tmp_path / "m.json", rows)
    (fault,) = json.loads((tmp_path / "m.json").read_text())["faults"]
    assert fault["outcomes"]["peer"] == {"result": "failed", "said": "RuntimeError: x"}
    monkeypatch.setattr(matrix, "rows", lambda *_, **__: iter(rows))
    chapter = matrix.chapter(faults=[WRONG])
    assert chapter.tables[0][1][-1] == "failed"


def test_peers_that_are_not_installed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tuple(dataclasses.replace(peer, package=f"no_such_{peer.package}") for peer in matrix.PEERS)
    monkeypatch.setattr(matrix, "PEERS", missing)
    assert "no_such_torch, no_such_jax and no_such_autograd are not installed" in matrix.absent()
    rows = [Row("a", "c", {"formal": Outcome(Result.CAUGHT, "")})]
    monkeypatch.setattr(matrix, "rows", lambda *_, **__: iter(rows))
    text = to_text(Collection("Gallery", (), (matrix.chapter(faults=[WRONG]),)), verbose=False)
    assert "no_such_torch" in text and "formal (fo)" in text, "in a terminal, too, with the totals"
    monkeypatch.setattr(matrix, "PEERS", ())
    assert matrix.absent() == ""


def test_values_are_kept_for_one_objective_and_one_problem_alone() -> None:
    """A value that was asked for before is that of the same function, of a problem with the same constants."""

    def twice(problem: Any) -> Any:
        return 2 * loss(problem)

    problem = lively_problem(Network(), Sizes(3, 2, 2, 1), 0)
    moved = problem.replace(targets=problem.targets + 1)
    asked = [(loss, problem), (twice, problem), (loss, moved), (loss, problem)]
    for objective, each in asked:
        question = as_question(bptt, objective, each, {})
        assert question.value(*question.start) == float(objective(each))
        raised = [array + 0.5 for array in question.start]
        at = each.replace(parameters=dict(zip(each.parameters, raised, strict=True)))
        assert question.value(*raised) == float(objective(at))
