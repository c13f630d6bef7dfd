"""One scheduler: the same report on every executor, resumed from a file, and more evidence for more time."""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import dataclasses
import functools
import itertools
import json
import os
import pickle
import re
import signal
import threading
import time
import typing
from collections import Counter
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import plain_rules
import pytest
from brief import BRIEF

import gradcheck
from gradcheck.algorithms import RTRL, bptt, truncated_bptt
from gradcheck.engine import events, executors, queue, scheduler, tasks
from gradcheck.engine.answering import _gathered
from gradcheck.engine.executors import bench
from gradcheck.engine.further import Account, Planned
from gradcheck.engine.isolation import processes
from gradcheck.engine.outcome import Done, Lost
from gradcheck.engine.queue import Queue
from gradcheck.engine.request import AuditRequest
from gradcheck.engine.run import Interrupted, run
from gradcheck.engine.state import Audit, Judged
from gradcheck.engine.tasks import Task
from gradcheck.engine.wire import finding_to_data
from gradcheck.evidence.base import Finding, Piece, Plan
from gradcheck.judge.conclude import Gathered, conclude
from gradcheck.judge.effort import EFFORTS
from gradcheck.records import Cause, Covers, Evidence, Report, Status, Strength, reproducible
from gradcheck.reference.network import DEFAULT_NETWORK, ContextNetwork, Network
from gradcheck.report import to_json as written

pytestmark = pytest.mark.usefixtures("brief", "not_shrunk")
HOW: dict[str, Any] = {"effort": "quick", "networks": (DEFAULT_NETWORK,), "claims": (gradcheck.Exact(),)}
SMALL = Network("logistic")


class Here(Executor):
    """Performs each task at once. sent: what was asked for. stop: ends the run after so many, as a kill would."""

    _max_workers = 1

    def __init__(self, stop: int | None = None) -> None:
        self.sent: list[Task] = []
        self.stop = stop

    def submit(self, function: Any, /, *arguments: Any, **_: Any) -> Future[Any]:
        if self.stop is not None and len(self.sent) >= self.stop:
            raise Killed
        self.sent.append(arguments[-1])
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


class Killed(BaseException):
    pass


def to_json(report: Any) -> str:
    """The report as it is written, without dates and times."""
    return written(reproducible(report))


def audit(rule: Any, executor: Executor | None = None, **more: Any) -> Report:
    return gradcheck.audit(rule, **{**HOW, **more}, executor=executor)


@functools.cache
def of_bptt() -> Report:
    """The report on `bptt`, with which others are compared."""
    return audit(bptt)


def keys_in(path: Path) -> list[str]:
    """The tasks in a file of results."""
    return [json.loads(line)["key"] for line in path.read_text("utf-8").splitlines()[1:]]


def kinds_in(path: Path) -> set[str]:
    """The kinds of tasks in a file of results."""
    return {json.loads(key)[3] for key in keys_in(path)}


# The same report


CASES: list[tuple[Any, dict[str, Any]]] = [
    (bptt, {"networks": (DEFAULT_NETWORK, SMALL)}),
    (plain_rules.wrong, {}),
    (bptt, {"networks": (DEFAULT_NETWORK, ContextNetwork())}),
    (bptt, {"claims": (gradcheck.Equals(plain_rules.good),)}),
    (truncated_bptt, {"claims": (gradcheck.Truncated("tau"),)}),
    (plain_rules.raises, {}),
    (plain_rules.raises_on_long, {}),
    (plain_rules.keeps_state, {}),
    (plain_rules.mutates, {}),
]
NETWORKS, REFUTED = 0, 1
"""The cases of several networks, and of a wrong rule."""


@functools.cache
def as_judged_here(number: int) -> str:
    """The report on a case by this process."""
    rule, how = CASES[number]
    return to_json(audit(rule, isolated=False, **how))


@pytest.mark.parametrize("number", range(len(CASES)), ids=[rule.__name__ for rule, _ in CASES])
def test_a_report_is_the_same_here_and_on_an_executor(number: int) -> None:
    rule, how = CASES[number]
    assert to_json(audit(rule, Here(), **how)) == as_judged_here(number), f"{rule.__name__} is judged otherwise there"


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("number", [NETWORKS, REFUTED], ids=["networks", "refuted"])
def test_a_report_is_the_same_by_one_worker_and_by_two(number: int, jobs: int) -> None:
    rule, how = CASES[number]
    assert to_json(audit(rule, jobs=jobs, **how)) == as_judged_here(number), f"{rule.__name__} is judged otherwise"


@pytest.mark.parametrize("number", [NETWORKS, REFUTED], ids=["networks", "refuted"])
def test_the_order_in_which_tasks_end_changes_nothing(number: int) -> None:
    class Delayed(executors.Here):
        """Performs the strongest evidence last."""

        width = 8

        async def perform(self, task: Task, progress: Any) -> Any:
            await asyncio.sleep(0.01 if task.kind in ("formal", "modular") else 0)
            return await super().perform(task, progress)

    rule, how = CASES[number]
    (report,) = run([AuditRequest(rule, limits=None, **{**HOW, **how})], Delayed())
    assert to_json(report) == as_judged_here(number)


@pytest.mark.parametrize("stop", [None, 3], ids=["to its end", "cut short"])
@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("where", ["workers", "threads", "executor"])
def test_no_worker_outlives_a_run(where: str, width: int, stop: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = recorded(monkeypatch)
    seen = itertools.count(1)

    def stopping(event: Any) -> None:
        if isinstance(event, events.TaskFinished) and next(seen) == stop:
            raise KeyboardInterrupt

    with ThreadPoolExecutor(width) as threads, contextlib.suppress(KeyboardInterrupt):
        places: dict[str, Any] = {"threads": {"executor": threads}, "executor": {"executor": ThreadEach()}}
        gradcheck.audit(plain_rules.good, events=stopping, **HOW, **places.get(where, {"jobs": width}))
    assert begun and all(ended(process) for process in begun)


def ended(process: Any) -> bool:
    return process._warden == 0 and process.connection.closed


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The processes that are started as workers from now on."""
    begun: list[Any] = []

    def forked(*arguments: Any) -> Any:
        begun.append(processes.forked(*arguments))
        return begun[-1]

    monkeypatch.setattr(executors.Workers.__init__, "__defaults__", ((forked,),))
    return begun


def test_a_worker_serves_one_rule_and_the_one_idle_longest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those that are idle, the one that has been so for longest."""
    begun = recorded(monkeypatch)
    context = tasks.Context(
        [AuditRequest(rule, **HOW) for rule in (plain_rules.good, plain_rules.wrong, plain_rules.talkative)]
    )
    workers = executors.Workers(2)
    workers.open(context)
    try:
        for request in (0, 1, 0, 2):
            assert isinstance(workers.perform_now(Task("purity", request), print), Done)
        assert [ended(process) for process in begun] == [False, True, False]
    finally:
        workers.close(now=False)


def test_rules_of_this_package_share_a_worker_with_each_other_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = recorded(monkeypatch)
    rules = (bptt, plain_rules.good, RTRL)
    workers = executors.Workers(2)
    workers.open(tasks.Context([AuditRequest(rule, **HOW) for rule in rules]))
    try:
        for request, number in ((0, 1), (1, 2), (2, 2), (0, 2)):
            assert isinstance(workers.perform_now(Task("purity", request), print), Done)
            assert len(begun) == number
    finally:
        workers.close(now=False)


def test_a_worker_that_an_executor_keeps_is_ended_once_it_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = recorded(monkeypatch)
    monkeypatch.setattr(bench, "IDLE_SECONDS", 0.05)
    context = pickle.dumps(tasks.Context([AuditRequest(plain_rules.good, **HOW)]))
    assert isinstance(bench.perform("a run", context, Task("purity")), Done)
    deadline = time.monotonic() + 20
    while not ended(begun[0]) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ended(begun[0]) and not bench._BENCHES


@gradcheck.rule(gradcheck.Exact())
def wrong_there_on_floats(problem: Any) -> Any:
    result = bptt(problem)
    if problem.network == SMALL and result["R"].dtype == np.float64:
        result["R"] = result["R"] * 2
    return result


def refuted_there(executor: Executor | None = None, **more: Any) -> tuple[Report, int]:
    """The report, and the number of screenings that ran."""
    heard: list[Any] = []
    report = audit(wrong_there_on_floats, executor, networks=(DEFAULT_NETWORK, SMALL), events=heard.append, **more)
    return report, sum(isinstance(e, events.TaskFinished) and e.kind == tasks.SCREENING for e in heard)


def test_a_refutation_on_a_further_network_is_the_same_on_any_executor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(queue._FIRST_GUESS, tasks.SCREENING, 100.0)
    report, screenings = refuted_there(Here())
    assert report.verdicts[-1].status is Status.REFUTED, report.verdicts[-1].statement
    assert screenings == 0
    assert to_json(refuted_there(jobs=2)[0]) == to_json(report)
    # A screening that comes before the refutation changes no report.
    monkeypatch.setitem(queue._FIRST_GUESS, tasks.SCREENING, -1.0)
    again, screenings = refuted_there()
    assert screenings == 2  # one on each network
    assert to_json(again) == to_json(report)


def alike(factor: float) -> Any:
    def target(problem: Any) -> Any:
        return {name: factor * array for name, array in bptt(problem).items()}

    return target


@pytest.mark.parametrize("factors", [(1.0, 2.0), (2.0, 1.0), (1.0, 1.0)])
def test_claims_that_are_printed_alike_are_judged_apart(factors: tuple[float, float]) -> None:
    claims = tuple(gradcheck.Equals(alike(factor)) for factor in factors)
    with ThreadPoolExecutor(1) as executor:
        report = audit(bptt, executor, claims=claims)
    assert [v.status is Status.REFUTED for v in report.verdicts[2:]] == [factor != 1 for factor in factors]
    assert to_json(report) == to_json(audit(bptt, claims=claims))


def test_threads_take_turns_and_come_to_the_same_report() -> None:
    with ThreadPoolExecutor(3) as threads:
        assert to_json(audit(bptt, threads)) == to_json(of_bptt())


class ThreadEach(Executor):
    """Performs each task in a thread of its own."""

    _max_workers = 1

    def submit(self, function: Any, /, *arguments: Any, **_: Any) -> Future[Any]:
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(function, *arguments)


def test_a_worker_outlives_the_thread_that_started_it() -> None:
    assert to_json(audit(bptt, ThreadEach())) == to_json(of_bptt())


def test_several_rules_are_reported_in_the_order_asked() -> None:
    requests = [AuditRequest(name, **HOW) for name in ("RTRL", "bptt", "truncated_bptt")]
    assert [report.rule for report in run(requests, executors.Workers(2))] == ["RTRL", "bptt", "truncated_bptt"]


def test_a_run_tells_of_each_audit_that_ends_and_its_report() -> None:
    requests, ended = [AuditRequest(name, **HOW) for name in ("RTRL", "bptt")], dict[int, Report | None]()
    assert run(requests, executors.Here(), ended=lambda end, report: ended.update({end.audit: report})) == [
        ended[0],
        ended[1],
    ]


def test_an_audit_runs_where_a_loop_runs_already() -> None:
    """As in Jupyter."""

    async def cell() -> Report:
        return audit(bptt)

    assert to_json(asyncio.run(cell())) == to_json(of_bptt())


# Events


def test_a_report_is_a_fold_over_events() -> None:
    heard: list[Any] = []
    report = gradcheck.audit(plain_rules.wrong, **HOW, events=heard.append)
    assert events.fold(heard) == report
    names = [type(event).__name__ for event in heard]
    assert names[0] == "AuditStarted" and names[-1] == "AuditFinished"
    assert {"TaskStarted", "TaskFinished", "EvidenceFound", "ClaimJudged", "StageJudged"} <= set(names)
    assert json.loads(json.dumps([events.to_data(event) for event in heard]))[0]["rule"] == "wrong"


def test_evidence_is_told_as_it_comes() -> None:
    found: list[tuple[str, str]] = []
    report = audit(bptt, found=lambda claim, evidence: found.append((claim, evidence.kind)))
    assert set(found) >= {(v.claim, e.kind) for v in report.verdicts for e in v.evidence}


def test_a_wrong_rule_is_refuted_without_evidence_that_costs_more() -> None:
    heard: list[Any] = []
    gradcheck.audit(plain_rules.wrong, **HOW, events=heard.append)
    kinds = [event.kind for event in heard if isinstance(event, events.TaskStarted) and event.claim]
    assert not {"properties", "float ladder", "lagwise", "screening"} & set(kinds), kinds
    assert kinds[-2:] == ["counterexample", "diagnosis"], kinds


def test_a_right_rule_gets_its_strongest_evidence_first() -> None:
    kinds: list[str] = []
    audit(bptt, found=lambda claim, evidence: kinds.append(evidence.kind) if claim == "exact" else None)
    assert set(kinds[:3]) == {"formal", "modular", "enclosure"}, kinds


# Lost tasks


@gradcheck.rule(gradcheck.Exact())
def crashes_on_balls(problem: Any) -> Any:
    if "Ball" in type(getattr(problem.inputs, "field", None)).__name__:
        os.kill(os.getpid(), signal.SIGSEGV)
    return bptt(problem)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_crash_costs_the_task_that_it_was_on_and_nothing_else(jobs: int) -> None:
    whole = {e.kind: e.status for e in of_bptt().verdicts[-1].evidence}
    lost = {e.kind: e for e in audit(crashes_on_balls, jobs=jobs).verdicts[-1].evidence}
    differing = {kind for kind in whole if lost[kind].status is not whole[kind]}
    assert differing == {"enclosure"}, differing
    assert lost["enclosure"].cause is Cause.CRASH


# Results in a file


@pytest.mark.parametrize("stop", [0, 1, 2, 5, 9])
def test_a_killed_run_resumes(stop: int, tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    with pytest.raises(Killed):
        audit(bptt, Here(stop), results=path)
    before = path.read_bytes()
    kept = keys_in(path)
    again = Here()
    report = audit(bptt, again, results=path)
    assert path.read_bytes().startswith(before), "what was kept was written anew"
    assert not {task.key for task in again.sent} & set(kept), "a task that was finished was performed again"
    assert max(Counter(keys_in(path)).values()) == 1, "a task is in the file twice"
    assert to_json(report) == to_json(of_bptt())


def test_a_finished_run_performs_nothing_again(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    report = audit(plain_rules.wrong, Here(), results=path)
    again = Here()
    assert to_json(audit(plain_rules.wrong, again, results=path)) == to_json(report)
    assert again.sent == []
    assert report.verdicts[-1].counterexample is not None, "the counterexample was lost on its way through the file"


@dataclasses.dataclass(frozen=True)
class Own(Network):
    """A network of a user's, whose liveness and oracles are tasks of a worker, since they run its code."""


def test_a_finished_run_on_a_network_of_its_own_performs_nothing_again(tmp_path: Path) -> None:
    path, how = tmp_path / "found.jsonl", {"networks": (Own(),)}
    report = audit(bptt, Here(), results=path, **how)
    assert {"liveness", "oracles"} <= kinds_in(path)
    again = Here()
    assert to_json(audit(bptt, again, results=path, **how)) == to_json(report)
    assert again.sent == []


def test_a_line_that_was_being_written_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    report = audit(bptt, Here(), results=path)
    path.write_bytes(path.read_bytes()[:-20])
    again = Here()
    assert to_json(audit(bptt, again, results=path)) == to_json(report)
    assert len(again.sent) == 1


def test_a_task_that_could_not_be_performed_is_performed_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, perform = tmp_path / "found.jsonl", tasks.perform

    def lacking(task: Task, context: Any, progress: Any) -> Any:
        if task.kind == "float64":
            raise gradcheck.GradcheckError("a library is missing")
        return perform(task, context, progress)

    monkeypatch.setattr("gradcheck.engine.executors.here.perform", lacking)
    report = audit(bptt, isolated=False, results=path)
    assert report.verdicts[-1].status is Status.ERROR and report.verdicts[-1].statement == "a library is missing"
    monkeypatch.setattr("gradcheck.engine.executors.here.perform", perform)
    assert to_json(audit(bptt, isolated=False, results=path)) == to_json(of_bptt())


@pytest.mark.parametrize("lost", ["modular", "enclosure", "float64", "float32"])
def test_only_tasks_that_are_missing_are_performed_again(lost: str, tmp_path: Path) -> None:
    path, how = tmp_path / "found.jsonl", {"networks": (DEFAULT_NETWORK, SMALL)}
    report = audit(bptt, Here(), results=path, **how)
    head, *lines = path.read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if json.loads(json.loads(line)["key"])[2:4] != [1, lost]]
    assert len(kept) < len(lines)
    path.write_text("".join([head, *kept]), "utf-8")
    again = Here()
    assert to_json(audit(bptt, again, results=path, **how)) == to_json(report)
    assert {(task.kind, task.network) for task in again.sent} == {(lost, 1)}
    assert max(Counter(keys_in(path)).values()) == 1, "a task is in the file twice"


def test_a_planted_lie_in_the_results_reaches_the_verdict(tmp_path: Path) -> None:
    """The verdict is made of what is in the file, not of a second look."""
    path = tmp_path / "found.jsonl"
    audit(bptt, Here(), results=path)
    head, *lines = path.read_text("utf-8").splitlines()
    lied = []
    for line in lines:
        data = json.loads(line)
        if json.loads(data["key"])[3] == "modular":
            assert "planted" in data["value"]["shown"], data
            data["value"]["shown"]["planted"] = [7, 3]
        lied.append(json.dumps(data))
    path.write_text("\n".join([head, *lied]) + "\n", "utf-8")
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
    class Breaks(Here):
        def submit(self, function: Any, /, *arguments: Any, **_: Any) -> Future[Any]:
            if len(self.sent) < 3:
                return super().submit(function, *arguments)
            future: Future[Any] = Future()
            future.set_exception(BrokenExecutor("its machine went away"))
            return future

    with pytest.raises(gradcheck.GradcheckError, match="broke before all was done .its machine went away"):
        audit(bptt, Breaks(), results=tmp_path / "found.jsonl")
    assert len(keys_in(tmp_path / "found.jsonl")) >= 3


def test_an_executor_that_is_closed_is_said_to_be() -> None:
    with ThreadPoolExecutor(1) as closed:
        pass
    with pytest.raises(gradcheck.GradcheckError, match="takes no more work"):
        audit(bptt, closed)


def test_results_are_a_path() -> None:
    with pytest.raises(gradcheck.GradcheckError, match="results is the path of a file; got 3"):
        audit(bptt, results=3)


def test_a_bug_of_ours_ends_its_audit_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, ends = scheduler.answer, list[events.AuditFinished]()

    async def failing(self: Any, judged: Any) -> None:
        if judged.audit.rule == "truncated_bptt":
            raise AssertionError("a bug")
        await answer(self, judged)

    def handle(event: Any) -> None:
        if isinstance(event, events.AuditFinished):
            ends.append(event)

    monkeypatch.setattr(scheduler, "answer", failing)
    run(
        [AuditRequest(name, **HOW) for name in ("RTRL", "truncated_bptt", "bptt")],
        executors.Workers(1),
        handlers=[handle],
    )
    assert {end.audit: end.broken for end in ends} == {0: False, 1: True, 2: False}
    assert "a bug" in next(end.problem for end in ends if end.broken)


# Time to spare


@gradcheck.rule(gradcheck.Exact())
def forgets_late(problem: Any) -> Any:
    """Right up to 12 steps, the most of a brief audit."""
    result = bptt(problem)
    result["R"] = result["R"] * (1 + (problem.T > 12))  # without a branch, which would be looked for
    return result


def without_screening(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the sizes around the numbers in a rule's code."""
    monkeypatch.setattr("gradcheck.evidence.floats.branches.screened", lambda *_: [])


def test_time_to_spare_finds_a_fault_beyond_the_sizes_of_an_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    without_screening(monkeypatch)
    monkeypatch.setattr("gradcheck.engine.tasks.diagnose", lambda *_, **__: None)  # whose own tests are elsewhere
    assert audit(forgets_late).passed, "the fault is not planted late enough"
    report = audit(forgets_late, Here(), minutes=5)
    assert report.verdicts[-1].status is Status.REFUTED, report.verdicts[-1].statement
    stage = next(stage for stage in report.stages if stage.name == "budget")
    assert stage.status is Status.REFUTED
    assert "was found there" in stage.statement


@gradcheck.rule(gradcheck.Exact())
def fails_late(problem: Any) -> Any:
    """In words that are also said of rules that take too much."""
    if problem.T > 12:
        raise ValueError("the memory cell did not return within its bounds")
    return bptt(problem)


def test_a_rule_that_fails_beyond_the_sizes_of_an_audit_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    without_screening(monkeypatch)
    assert audit(fails_late).passed
    report = audit(fails_late, Here(), minutes=5)
    assert report.verdicts[-1].status is Status.ERROR, report.verdicts[-1].statement
    assert "fails_late raised ValueError: the memory cell" in report.verdicts[-1].statement


def limited(monkeypatch: pytest.MonkeyPatch, looks: int) -> None:
    """Time that is over after so many looks at the clock."""
    ticks = itertools.count()

    class Few(scheduler.Deadline):
        @property
        def left(self) -> float:
            return 60.0 if next(ticks) < looks else 0.0

    monkeypatch.setattr(scheduler, "Deadline", Few)


def test_a_kind_that_ends_by_time_says_so_and_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(executors.Here):
        async def perform(self, task: Task, progress: Any) -> Any:
            if task.kind == "float64" and "further" in task.inputs:
                return Lost(Cause.TIMEOUT, "did not return within 60 s")
            return await super().perform(task, progress)

    limited(monkeypatch, 25)
    (report,) = run([AuditRequest(bptt, limits=None, **HOW)], Slow(), minutes=1)
    assert report.passed
    stage = next(stage for stage in report.stages if stage.name == "budget")
    assert "no more could be made: float64 at" in stage.statement and "did not return" in stage.statement


def test_a_rule_that_is_refuted_has_no_time_spent_on_it() -> None:
    stage = next(s for s in audit(plain_rules.wrong, Here(), minutes=5).stages if s.name == "budget")
    assert stage.status is Status.NOT_RUN and "refuted already" in stage.statement


def test_an_interrupt_ends_the_spending_and_keeps_the_audit() -> None:
    class Interrupts(Here):
        """As a terminal does, while further pieces are made."""

        done = False

        def submit(self, function: Any, /, *arguments: Any, **_: Any) -> Future[Any]:
            if "further" in arguments[-1].inputs and not self.done:
                self.done = True
                os.kill(os.getpid(), signal.SIGINT)
            return super().submit(function, *arguments)

    ends: list[Any] = []
    report = audit(bptt, Interrupts(), minutes=5, events=ends.append)
    assert report.passed and any(stage.name == "budget" for stage in report.stages)
    assert ends[-1].interrupted, "the command would not leave with 130"


def test_an_interrupt_that_python_drops_is_heeded() -> None:
    class Drops(Here):
        """As Python does with what is raised in a callback after a fork."""

        done = False

        def submit(self, function: Any, /, *arguments: Any, **_: Any) -> Future[Any]:
            if not self.done:
                self.done = True
                with contextlib.suppress(KeyboardInterrupt):
                    signal.raise_signal(signal.SIGINT)
            return super().submit(function, *arguments)

    with pytest.raises(Interrupted):
        audit(bptt, Drops())


def test_what_is_known_of_a_claim_without_a_verdict_is_in_the_report() -> None:
    started = events.AuditStarted(0, "rule", "", ("tanh",), ("pure", "exact"), 0)
    found = {
        kind: Evidence(kind, Status.HOLDS, strength, "equal")
        for kind, strength in [("float64", Strength.SUPPORTED), ("formal", Strength.PROVED)]
    }
    report = events.fold([started, *(events.EvidenceFound(0, 1, "exact", 0, each) for each in found.values())])
    (pure, exact) = report.verdicts
    assert (pure.status, pure.evidence) == (Status.NOT_RUN, ())
    assert (exact.status, exact.strength) == (Status.NOT_RUN, Strength.NONE), "what was found is taken for a verdict"
    assert exact.evidence == (found["formal"], found["float64"])


def test_the_report_says_what_the_time_bought(monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, 12)
    report = audit(bptt, Here(), minutes=1)
    assert report.passed
    stage = next(stage for stage in report.stages if stage.name == "budget")
    assert " bought further pieces of evidence: exact: " in stage.statement, stage.statement
    assert "T up to" in stage.statement
    plain = {e.kind: e for e in of_bptt().verdicts[-1].evidence}
    longer = {e.kind: e for e in report.verdicts[-1].evidence}
    assert any(plain[kind].scope != longer[kind].scope for kind in plain), "no scope says what was added"


def test_no_time_buys_nothing_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, 0)
    stage = next(s for s in audit(bptt, Here(), minutes=0.001).stages if s.name == "budget")
    assert "bought no further evidence" in stage.statement


def test_every_event_follows_the_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    heard: list[Any] = []
    gradcheck.audit(plain_rules.wrong, **HOW, events=heard.append)
    gradcheck.audit(crashes_on_balls, **HOW, events=heard.append)
    checker = jsonschema.Draft202012Validator(events.schema())
    for event in heard:
        data = json.loads(json.dumps(events.to_data(event)))
        assert not list(checker.iter_errors(data)), data
        assert list(checker.iter_errors({**data, "event": "Nothing"})), "the schema takes anything"
    assert {type(event) for event in heard} >= {events.TaskLost, events.Progress, events.ClaimJudged}


def test_evidence_on_claims_that_are_printed_alike_is_kept_apart() -> None:
    started = events.AuditStarted(0, "rule", "", ("tanh",), ("pure", "equals(target)", "equals(target)"), 0)
    found = [Evidence("float64", Status.HOLDS, Strength.SUPPORTED, text) for text in ("one", "another")]
    heard = [events.EvidenceFound(0, place, "equals(target)", 0, each) for place, each in enumerate(found, 1)]
    report = events.fold([started, *heard])
    assert [verdict.evidence for verdict in report.verdicts[1:]] == [(each,) for each in found]


def test_the_documentation_lists_every_field_of_every_event() -> None:
    text = (Path(__file__).parents[2] / "docs/reference/events.md").read_text("utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| `")]
    listed = {row[0].strip("`"): re.findall("`(.*?)`", row[2]) for row in rows}
    wanted = {
        each.__name__: [field.name for field in dataclasses.fields(each) if field.name != "audit"]
        for each in typing.get_args(events.Event)
    }
    assert listed == wanted


@pytest.mark.parametrize("doubted", [False, True])
def test_a_proof_beside_evidence_that_had_to_be_excused_covers_no_other_network(doubted: bool) -> None:
    networks = (Network("tanh"), Network("logistic"))
    audit = Audit(0, AuditRequest(bptt, claims=(gradcheck.Exact(),), networks=networks).prepare())
    proof = Evidence("formal", Status.HOLDS, Strength.PROVED, "equal as polynomials", covers=Covers.KIND)
    floats = Evidence("float64", Status.HOLDS, Strength.SUPPORTED, "every entry within its allowance")
    judged = Judged(audit, "exact", gradcheck.Exact(), 1, findings={(0, 0): Finding(proof), (1, 1): Finding(floats)})
    judged.covered[1] = proof
    if doubted:
        judged.excused[0] = Gathered(networks[0], (Finding(proof),), most=floats)
    first, second = _gathered(judged, None)
    assert second.covered == (None if doubted else proof)
    verdict = conclude(judged.claim, [first, second])
    assert verdict.strength is (Strength.SUPPORTED if doubted else Strength.PROVED)


def test_a_fresh_process_does_what_this_one_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The brief effort of these tests is known in this process alone; it is sent, and what else is brief is not."""
    monkeypatch.undo()
    monkeypatch.setitem(EFFORTS, "quick", BRIEF)
    request = AuditRequest(plain_rules.good, **{**HOW, "effort": "quick"})
    fresh = run([request], executors.Workers(1, (processes.spawned,)))[0]
    assert to_json(fresh) == to_json(run([request], executors.Here())[0])


def test_an_interrupt_ends_the_thread_that_audits_beside_a_running_loop() -> None:
    def interrupting(event: Any) -> None:
        if isinstance(event, events.TaskFinished) and not interrupted:
            interrupted.append(True)
            _thread.interrupt_main()

    async def in_a_notebook() -> None:
        gradcheck.audit(plain_rules.good, events=interrupting, jobs=1, **HOW)

    interrupted: list[bool] = []
    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(in_a_notebook())
    finally:
        loop.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "gradcheck"]


def test_places_of_a_task_that_wanted_all_of_them_come_back() -> None:
    async def cancelled_while_it_waits() -> None:
        queue = Queue(2)
        await queue.enter(Task("float64"), (0, 0, 0.0, 0))
        alone = asyncio.ensure_future(queue.enter(Task("measured", alone=True), (0, 0, 0.0, 0)))
        await asyncio.sleep(0.01)
        alone.cancel()
        await asyncio.wait([alone])
        queue.leave(Task("float64"))
        both = [queue.enter(Task("float64"), (0, 0, 0.0, 0)) for _ in range(2)]
        await asyncio.wait_for(asyncio.gather(*both), 5)

    asyncio.run(cancelled_while_it_waits())


@pytest.mark.parametrize("last", ["passes", "refutes"])
def test_a_further_piece_that_passes_takes_no_refutation_back(last: str) -> None:
    """Several pieces of a kind are under way at once; the first by number that speaks against the claim counts."""
    audit = Audit(0, AuditRequest(bptt, claims=(gradcheck.Exact(),), networks=(DEFAULT_NETWORK,)).prepare())
    holds = Finding(Evidence("float64", Status.HOLDS, Strength.SUPPORTED, "held"))
    plan = Plan("float64", (), lambda shown, budget: holds)
    judged = Judged(
        audit, "exact", gradcheck.Exact(), 1, findings={(0, 0): holds}, accounts={(0, 0): Account(plan, (), 0.1)}
    )

    def refuting(text: str) -> Done:
        finding = Finding(Evidence("float64", Status.REFUTED, Strength.CERTIFIED, text))
        return Done({"ended": finding_to_data(finding), "seconds": 0.1})

    def come(number: int, done: Done) -> None:
        async def perform(task: Task) -> Done:
            return done

        run_ = scheduler.Scheduler.__new__(scheduler.Scheduler)
        run_.perform = perform  # type: ignore[method-assign,assignment]
        planned = Planned(number, Piece(str(number), lambda before, progress: {}), 0.1)
        asyncio.run(run_._further(judged, (0, 0), planned))

    come(5, refuting("wrong at 5"))
    come(7, Done({"shown": {}, "seconds": 0.1}))
    assert judged.against == (0, 0)
    come(3, refuting("wrong at 3") if last == "refutes" else Done({"shown": {}, "seconds": 0.1}))
    finding = judged.findings[0, 0]
    assert isinstance(finding, Finding) and finding.evidence.status is Status.REFUTED
    assert finding.evidence.statement == ("wrong at 3" if last == "refutes" else "wrong at 5")


def test_planted_faults_after_evidence_that_was_excused_are_not_counted() -> None:
    """Evidence after it is there only if it ended first."""
    audit = Audit(0, AuditRequest(bptt, claims=(gradcheck.Exact(),), networks=(DEFAULT_NETWORK,)).prepare())
    held = Evidence("float64", Status.HOLDS, Strength.SUPPORTED, "held")
    excused = Gathered(DEFAULT_NETWORK, (Finding(held, planted=(1, 1)),), most=held)
    judged = Judged(
        audit, "exact", gradcheck.Exact(), 1, findings={(0, 3): Finding(held, planted=(3, 3))}, excused={0: excused}
    )
    seen: list[Any] = []
    run_ = scheduler.Scheduler.__new__(scheduler.Scheduler)
    run_.emit = seen.append
    run_.judged(judged, conclude(judged.claim, [excused]))
    assert seen[0].planted == audit.planted == (1, 1)


def test_a_report_has_the_time_that_it_took() -> None:
    assert audit(plain_rules.good, Here()).seconds > 0
