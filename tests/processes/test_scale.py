"""Audits in units: the same report wherever they are made, kept in a file, gone on with, and more for more time."""

from __future__ import annotations

import itertools
import json
import os
import signal
from collections import Counter
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import plain_rules
import pytest

import gradcheck
from gradcheck.algorithms import RTRL, bptt, truncated_bptt
from gradcheck.engine import pools, running, sending, units
from gradcheck.engine import wire as records
from gradcheck.engine.course import Course
from gradcheck.engine.units import STAGES, VERDICT, Asked, Unit
from gradcheck.evidence.pieces import Part, made
from gradcheck.records import Report, Status
from gradcheck.reference.network import DEFAULT_NETWORK, ContextNetwork, Network
from gradcheck.report import to_json

pytestmark = pytest.mark.usefixtures("brief")
HOW: dict[str, Any] = {"effort": "quick", "networks": (DEFAULT_NETWORK,), "claims": (gradcheck.Exact(),)}


class Here(Executor):
    """Makes each unit at once. sent: what was asked for. stop: ends the run after so many, as a kill would."""

    _max_workers = 1

    def __init__(self, stop: int | None = None) -> None:
        self.sent: list[Unit] = []
        self.stop = stop

    def submit(self, function: Any, /, *arguments: Any, **_: Any) -> Future[Any]:
        if self.stop is not None and len(self.sent) >= self.stop:
            raise Killed
        self.sent.append(arguments[0])
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


class Killed(BaseException):
    pass


def audit(rule: Any, executor: Executor | None = None, **more: Any) -> Report:
    return gradcheck.audit(rule, **{**HOW, **more}, executor=executor)


def unit_of(line: Any) -> dict[str, Any]:
    """The unit whose outcome a line keeps; empty for the first line."""
    return vars(Unit(*json.loads(line["key"]))) if "key" in line else {}


def units_in(path: Path) -> list[Unit]:
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [Unit(*json.loads(line["key"])) for line in lines if "key" in line]


CASES: list[tuple[Any, dict[str, Any]]] = [
    (bptt, {"networks": (DEFAULT_NETWORK, Network("logistic"), ContextNetwork())}),
    (RTRL, {"claims": (gradcheck.Exact(), gradcheck.Equals(bptt))}),
    (truncated_bptt, {"claims": (gradcheck.Truncated("tau"),)}),
    (plain_rules.wrong, {}),
    (plain_rules.raises, {}),
    (plain_rules.raises_on_long, {}),
    (plain_rules.keeps_state, {}),
    (plain_rules.mutates, {}),
]


@pytest.mark.parametrize(("rule", "how"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_report_is_the_same_in_units(rule: Any, how: dict[str, Any]) -> None:
    assert to_json(audit(rule, Here(), **how)) == to_json(audit(rule, **how)), f"{rule.__name__} is judged otherwise"


def alike(factor: float) -> Any:
    def target(problem: Any) -> Any:
        return {name: factor * array for name, array in bptt(problem).items()}

    return target


@pytest.mark.parametrize("factors", [(1.0, 2.0), (2.0, 1.0), (1.0, 1.0)])
def test_claims_that_are_printed_alike_are_judged_apart(factors: tuple[float, float]) -> None:
    claims = tuple(gradcheck.Equals(alike(factor)) for factor in factors)
    with ThreadPoolExecutor(1) as executor:
        report = audit(bptt, executor, claims=claims)
    assert [v.status is Status.REFUTED for v in report.verdicts[1:]] == [factor != 1 for factor in factors]
    assert to_json(report) == to_json(audit(bptt, claims=claims))


def test_threads_take_turns_and_come_to_the_same_report() -> None:
    with ThreadPoolExecutor(3) as threads:
        assert to_json(audit(bptt, threads)) == to_json(audit(bptt))


def test_the_order_in_which_units_end_changes_nothing() -> None:
    class Backwards(Here):
        """Keeps what it is sent, and makes the last first."""

        _max_workers = 8
        waiting: list[tuple[Future[Any], Any, Any]] = []

        def submit(self, function: Any, /, *arguments: Any, **_: Any) -> Future[Any]:
            import asyncio

            future: Future[Any] = Future()
            self.waiting.append((future, function, arguments))
            asyncio.get_running_loop().call_later(0.005, self.one)
            return future

        def one(self) -> None:
            future, function, arguments = self.waiting.pop()
            future.set_result(function(*arguments))

    assert to_json(audit(bptt, Backwards())) == to_json(audit(bptt))


def test_several_rules_are_reported_in_the_order_asked() -> None:
    names = ["RTRL", "bptt"]
    asked = [Asked(name, name, **HOW) for name in names]
    finished: list[str] = []
    reports = running.audits(asked, pools.Given(Here()), finished=lambda asked, report: finished.append(asked.name))
    assert [report.rule for report in reports] == finished == names


def test_what_is_found_is_told_as_it_comes() -> None:
    heard: list[tuple[str, str]] = []
    audit(bptt, Here(), found=lambda claim, evidence: heard.append((claim, evidence.kind)))
    assert {("exact", "formal"), ("exact", "modular"), ("exact", "float64")} <= set(heard)


@pytest.mark.parametrize("stop", [0, 1, 2, 5, 9])
def test_a_killed_run_goes_on_where_it_was(stop: int, tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    with pytest.raises(Killed):
        audit(bptt, Here(stop), results=path)
    before = path.read_bytes()
    kept = units_in(path)
    again = Here()
    report = audit(bptt, again, results=path)
    assert path.read_bytes().startswith(before), "what was kept was written anew"
    assert not set(again.sent) & set(kept), "a unit that was finished was made again"
    assert max(Counter(units_in(path)).values()) == 1, "a unit is in the file twice"
    assert to_json(report) == to_json(audit(bptt))


def test_a_finished_run_makes_nothing_again(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    report = audit(plain_rules.wrong, Here(), results=path)
    again = Here()
    assert to_json(audit(plain_rules.wrong, again, results=path)) == to_json(report)
    assert again.sent == []
    assert report.verdicts[1].counterexample is not None, "the counterexample was lost on its way through the file"


def test_a_line_that_was_being_written_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    report = audit(bptt, Here(), results=path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    again = Here()
    assert to_json(audit(bptt, again, results=path)) == to_json(report)
    assert len(again.sent) == 1
    assert path.read_bytes() == whole


def test_a_unit_that_could_not_be_made_is_made_again_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "found.jsonl"
    right = sending.perform

    def lacking(task: Any) -> Any:
        return [(task.unit, {"failed": "a library is missing"})] if task.unit.kind == "float64" else right(task)

    monkeypatch.setattr(sending, "perform", lacking)
    report = audit(bptt, Here(), results=path)
    assert report.verdicts[1].status is Status.ERROR and "a library is missing" in report.verdicts[1].statement
    monkeypatch.setattr(sending, "perform", right)
    assert to_json(audit(bptt, Here(), results=path)) == to_json(audit(bptt))


def test_kinds_that_another_makes_needless_are_not_begun(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    audit(plain_rules.wrong, Here(), results=path)
    kinds = {unit.kind for unit in units_in(path)} - {STAGES, VERDICT}
    assert kinds <= {"formal", "modular"}, "two units are made at once; that polynomials differ makes the rest needless"


# Kinds that follow one another


SMALL = Network("logistic")


@gradcheck.rule(gradcheck.Exact())
def wrong_there_on_floats(problem: Any) -> Any:
    result = bptt(problem)
    if problem.network == SMALL and result["R"].dtype == np.float64:
        result["R"] = result["R"] * 2
    return result


def small(path: Path) -> list[str]:
    """The kinds of evidence on the second network that are in the file, in order, each once."""
    return list(dict.fromkeys(unit.kind for unit in units_in(path) if unit.network == 1))


def test_the_kinds_on_a_small_network_are_made_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "CHUNK", 600.0)  # however slow the machine is
    path, here = tmp_path / "found.jsonl", Here()
    audit(bptt, here, results=path, networks=(DEFAULT_NETWORK, SMALL))
    assert [unit.kind for unit in here.sent if unit.network == 1] == ["modular"], "a process was begun for each kind"
    assert small(path) == ["modular", "enclosure", "float64", "float32"]


@pytest.mark.parametrize("lost", ["modular", "enclosure", "float64", "float32"])
def test_of_kinds_made_together_only_those_that_are_lost_are_made_again(lost: str, tmp_path: Path) -> None:
    path, how = tmp_path / "found.jsonl", {"networks": (DEFAULT_NETWORK, SMALL)}
    report = audit(bptt, Here(), results=path, **how)
    kept = []
    for line in path.read_text("utf-8").splitlines(keepends=True):
        unit = unit_of(json.loads(line))
        if (unit.get("kind"), unit.get("network")) != (lost, 1):
            kept.append(line)
    path.write_text("".join(kept), "utf-8")
    again = Here()
    assert to_json(audit(bptt, again, results=path, **how)) == to_json(report)
    assert {(unit.kind, unit.network) for unit in again.sent if unit.kind != VERDICT} == {(lost, 1)}
    assert max(Counter(units_in(path)).values()) == 1, "a unit is in the file twice"


def test_a_kind_that_speaks_against_a_claim_ends_those_that_are_made_together(tmp_path: Path) -> None:
    path, how = tmp_path / "found.jsonl", {"networks": (DEFAULT_NETWORK, SMALL)}
    report = audit(wrong_there_on_floats, Here(), results=path, **how)
    assert to_json(report) == to_json(audit(wrong_there_on_floats, **how)), "judged otherwise in units"
    assert report.verdicts[1].status is Status.REFUTED, report.verdicts[1].statement
    assert small(path) == ["modular", "enclosure", "float64"], "what a refutation makes needless was made"


def test_a_planted_lie_of_a_unit_reaches_the_verdict(tmp_path: Path) -> None:
    """The verdict is made of what is in the file, not of a second look."""
    path = tmp_path / "found.jsonl"
    audit(bptt, Here(), results=path)
    lines = path.read_text("utf-8").splitlines()
    lied = []
    for line in lines:
        data = json.loads(line)
        unit = unit_of(data)
        if unit.get("kind") == VERDICT:
            continue  # concluded again
        if unit.get("kind") == "modular":
            assert "planted" in data["value"]["part"]["shown"], data["value"]
            data["value"]["part"]["shown"]["planted"] = [7, 3]
        lied.append(json.dumps(data))
    path.write_text("\n".join(lied) + "\n", "utf-8")
    stage = next(s for s in audit(bptt, Here(), results=path).stages if s.name == "discrimination")
    assert stage.status is Status.INCONCLUSIVE, stage.statement


# What cannot be


def test_a_rule_that_cannot_be_sent_is_said_to_be_so() -> None:
    with pytest.raises(gradcheck.GradcheckError, match="cannot be sent to another process.*top of a module"):
        audit(lambda problem: bptt(problem), Here())


def test_two_places_are_one_too_many() -> None:
    with pytest.raises(gradcheck.GradcheckError, match="two places"):
        audit(bptt, Here(), jobs=2)


@pytest.mark.parametrize("jobs", [0, -1, 1.5, True])
def test_jobs_are_a_number(jobs: Any) -> None:
    with pytest.raises(gradcheck.GradcheckError, match="whole number, at least 1"):
        audit(bptt, jobs=jobs)


@pytest.mark.parametrize("minutes", [-1.0, float("nan"), float("inf"), "5", None, [], True])
def test_minutes_are_a_number(minutes: Any) -> None:
    for executor in (None, Here()):
        with pytest.raises(gradcheck.GradcheckError, match="minutes is a number, at least 0"):
            audit(bptt, executor, minutes=minutes)


def test_what_is_no_executor_is_refused() -> None:
    with pytest.raises(gradcheck.GradcheckError, match="no method submit"):
        audit(bptt, 3)  # type: ignore[arg-type]


def test_an_executor_that_breaks_is_not_blamed_on_the_rule(tmp_path: Path) -> None:
    from concurrent.futures import BrokenExecutor

    class Breaks(Here):
        def submit(self, function: Any, /, *arguments: Any, **_: Any) -> Future[Any]:
            if len(self.sent) < 3:
                return super().submit(function, *arguments)
            future: Future[Any] = Future()
            future.set_exception(BrokenExecutor("its machine went away"))
            return future

    with pytest.raises(gradcheck.GradcheckError, match="broke before all was done .its machine went away"):
        audit(bptt, Breaks(), results=tmp_path / "found.jsonl")
    assert len(units_in(tmp_path / "found.jsonl")) >= 3


# Records


def test_a_course_comes_back_from_json_as_it_was() -> None:
    report = audit(plain_rules.wrong)
    assert report.verdicts[1].counterexample is not None
    data = json.loads(json.dumps(records.course_as_data(Course(report.verdicts, report.stages))))
    back = records.course_from(data)
    assert (back.verdicts, back.stages) == (report.verdicts, report.stages)


# Time to spare


@gradcheck.rule(gradcheck.Exact())
def forgets_late(problem: Any) -> Any:
    """Right up to 41 steps, beyond every size of a brief audit."""
    result = bptt(problem)
    if problem.T > 41:
        result["R"] = result["R"] * 2
    return result


def test_time_to_spare_finds_a_fault_beyond_the_sizes_of_an_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradcheck.judge.claim.diagnose", lambda *_, **__: None)  # whose own tests are elsewhere
    assert audit(forgets_late).passed, "the fault is not planted late enough"
    report = audit(forgets_late, Here(), minutes=5)
    assert report.verdicts[1].status is Status.REFUTED, report.verdicts[1].statement
    stage = next(stage for stage in report.stages if stage.name == "budget")
    assert stage.status is Status.REFUTED
    assert "was found there" in stage.statement


@gradcheck.rule(gradcheck.Exact())
def fails_late(problem: Any) -> Any:
    """In words that are also said of rules that take too much."""
    if problem.T > 41:
        raise ValueError("the memory cell did not return within its bounds")
    return bptt(problem)


def test_a_rule_that_fails_beyond_the_sizes_of_an_audit_is_an_error() -> None:
    assert audit(fails_late).passed
    report = audit(fails_late, Here(), minutes=5)
    assert report.verdicts[1].status is Status.ERROR, report.verdicts[1].statement
    assert "fails_late raised ValueError: the memory cell" in report.verdicts[1].statement


def test_a_kind_that_ends_by_time_says_so_and_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from gradcheck.evidence.base import lost

    def slow(plan: Any, piece: Any, before: Any, told: Any) -> Any:
        if "seed" in piece.label and plan.kind == "float64":
            return Part(ended=lost(plan.kind, "bptt did not return within 60 s"))
        return made(plan, piece, before, told)

    monkeypatch.setattr(units, "made", slow)
    limited(monkeypatch, 6)
    report = audit(bptt, Here(), minutes=1)
    assert report.passed
    stage = next(stage for stage in report.stages if stage.name == "budget")
    assert "no more could be made: float64 at" in stage.statement and "did not return" in stage.statement


def test_a_verdict_of_other_pieces_is_another_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kept one was taken for it where there were as many pieces."""
    path = tmp_path / "found.jsonl"
    audit(bptt, Here(), results=path)
    lines = path.read_text("utf-8").splitlines()
    changed = [line.replace('"bits": ', '"bits": 1', 1) if r"\"modular\"" in line else line for line in lines]
    assert changed != lines
    path.write_text("\n".join(changed) + "\n", "utf-8")
    again = Here()
    audit(bptt, again, results=path)
    assert [unit.kind for unit in again.sent] == [VERDICT]


def test_a_rule_that_is_refuted_has_no_time_spent_on_it() -> None:
    stage = next(s for s in audit(plain_rules.wrong, Here(), minutes=5).stages if s.name == "budget")
    assert stage.status is Status.NOT_RUN and "refuted already" in stage.statement


def test_an_interrupt_ends_the_spending_and_keeps_the_audit() -> None:
    class Interrupts(Here):
        """As a terminal does, while further pieces are made."""

        def submit(self, function: Any, /, *arguments: Any, **_: Any) -> Future[Any]:
            if "seed" in arguments[0].size and not self.done:
                self.done = True
                os.kill(os.getpid(), signal.SIGINT)
            return super().submit(function, *arguments)

        done = False

    report = audit(bptt, Interrupts(), minutes=5)
    assert report.passed and any(stage.name == "budget" for stage in report.stages)


def test_a_rule_that_cannot_be_judged_stops_no_other() -> None:
    asked = [Asked("RTRL", "RTRL", **HOW), Asked("interrupts", interrupts, **HOW), Asked("bptt", "bptt", **HOW)]
    finished, failed = list[str](), list[str]()
    reports = running.audits(
        asked, pools.Given(Here()), finished=lambda a, report: finished.append(report.rule),
        failed=lambda a, problem: failed.append(problem),
    )  # fmt: skip
    assert [report.rule for report in reports] == finished == ["RTRL", "bptt"]
    assert failed == ["interrupts raised KeyboardInterrupt"]


@gradcheck.rule(gradcheck.Exact())
def interrupts(problem: Any) -> Any:
    raise KeyboardInterrupt


def test_an_executor_that_is_closed_is_said_to_be() -> None:
    with ThreadPoolExecutor(1) as closed:
        pass
    with pytest.raises(gradcheck.GradcheckError, match="takes no more work"):
        audit(bptt, closed)


def test_results_are_a_path() -> None:
    with pytest.raises(gradcheck.GradcheckError, match="results is the path of a file; got 3"):
        audit(bptt, results=3)


def limited(monkeypatch: pytest.MonkeyPatch, looks: int) -> None:
    """Time that is over after so many looks at the clock."""
    ticks = itertools.count()

    class Few(running.Deadline):
        @property
        def left(self) -> float:
            return 60.0 if next(ticks) < looks else 0.0

    monkeypatch.setattr(running, "Deadline", Few)


def test_the_report_says_what_the_time_bought(monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, 6)
    report = audit(bptt, Here(), minutes=1)
    assert report.passed
    stage = next(stage for stage in report.stages if stage.name == "budget")
    assert stage.statement.startswith("1 min bought further pieces of evidence: exact: "), stage.statement
    assert "formal" in stage.statement and "T up to" in stage.statement
    plain = {e.kind: e for e in audit(bptt).verdicts[1].evidence}
    longer = {e.kind: e for e in report.verdicts[1].evidence}
    assert any(plain[kind].scope != longer[kind].scope for kind in plain), "no scope says what was added"


def test_no_time_buys_nothing_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Over(running.Deadline):
        left = 0.0  # type: ignore[assignment]

    monkeypatch.setattr(running, "Deadline", Over)
    stage = next(s for s in audit(bptt, Here(), minutes=0.001).stages if s.name == "budget")
    assert "bought no further evidence" in stage.statement
