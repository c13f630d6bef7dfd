"""What it costs to make an audit in units: the same audit step by step, and what each unit costs beside its making."""

from __future__ import annotations

import dataclasses
import json
import pickle
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from gradcheck.algorithms import bptt
from gradcheck.engine import pools, running, units
from gradcheck.engine import wire as records
from gradcheck.engine.audit import audit
from gradcheck.engine.isolation.parent import DEFAULT_LIMITS
from gradcheck.engine.units import VERDICT, Asked, Task, Unit
from gradcheck.records import Report
from gradcheck.reference.claims import Exact
from gradcheck.reference.network import DEFAULT_NETWORK
from gradcheck.store.ledger import Ledger

from .rows import Outcome, Row, at_most, in_turn, quartiles

CLAIMS = (Exact(),)
ASKED = Asked("bptt", "bptt", claims=CLAIMS)
SPARE = 2000
"""Further pieces whose verdict is timed."""
_Made = list[tuple[Unit, dict[str, Any]]]


class _Here(Executor):
    """Makes each unit at once, and remembers it; what it was given is only looked up."""

    _max_workers = 8

    def __init__(self, known: dict[Unit, Any] | None = None) -> None:
        self.known = known or {}

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **_: Any) -> Future[Any]:
        future: Future[Any] = Future()
        unit = arguments[0]
        made: _Made = [(unit, self.known[unit])] if unit in self.known else function(*arguments)
        self.known.update(made)
        future.set_result(made)
        return future


def in_processes(number: int | None) -> Callable[[], Report]:
    """An audit on all networks in so many processes; None: step by step, isolated in both."""
    return lambda: audit(bptt, CLAIMS, jobs=number)


def compared(over: int | None, under: int | None, labels: tuple[str, str]) -> Callable[[], Outcome]:
    def run() -> Outcome:
        assert in_processes(over)() == in_processes(under)(), "where units are made changes what is found"
        sides = in_processes(over), in_processes(under)
        return in_turn(*sides, labels, repeats=3, warm=False, clock=time.perf_counter)

    return run


def sent_and_kept() -> Outcome:
    """Milliseconds for a unit whose making takes none: planning, pickling, sending, a line in the file."""
    made = _Here()
    first = running.audits([ASKED], pools.Given(made))
    times = []
    for _ in range(5):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            again = running.audits([ASKED], pools.Given(_Here(dict(made.known))), results=Path(folder, "found.jsonl"))
            times.append(1000 * (time.perf_counter() - start) / len(made.known))
        assert again == first
    median = statistics.median(times)
    return Outcome(median, {f"each of {len(made.known)} units": median / 1000}, quartiles(times))


def spent() -> Outcome:
    """Milliseconds for a further piece whose making takes none, of as many as a few seconds allow."""
    made = _Here()
    one = Asked("bptt", "bptt", claims=CLAIMS, networks=(DEFAULT_NETWORK,))
    running.audits([one], pools.Given(made))
    like = {unit.kind: found["part"] for unit, found in made.known.items() if "part" in found}
    known = {plan.kind: plan for plan in units.plans(one.rule()[0], CLAIMS[0], "full", 0, 0)}
    rates = []

    class Spending(_Here):
        """Says at once of any further piece that it came to what the first did."""

        def submit(self, function: Callable[..., Any], /, *arguments: Any, **_: Any) -> Future[Any]:
            task = pickle.loads(arguments[1])
            if task.further is None:
                return super().submit(function, *arguments)
            nonlocal number
            number += len(task.further)
            taken = {"part": {**like[task.unit.kind], "seconds": 0.018}}
            labels = [piece.label for piece in units.beyond(known[task.unit.kind], task.further)]
            future: Future[Any] = Future()
            future.set_result([(dataclasses.replace(task.unit, size=label), taken) for label in labels])
            return future

    for _ in range(3):
        number, seconds = 0, 3.0
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "found.jsonl")
            running.audits([one], pools.Given(Spending(dict(made.known))), results=path, minutes=seconds / 60)
        rates.append(1000 * seconds / number)
    median = statistics.median(rates)
    return Outcome(median, {f"each of {number} further pieces": median / 1000}, quartiles(rates))


def begun() -> Outcome:
    """Milliseconds that a process spends on a unit before and after it makes it: a fork, the plan, the limits."""
    unit = Unit("bptt", "exact", 1, "float64", "")
    plan = next(p for p in units.plans(ASKED.rule()[0], CLAIMS[0], "full", 0, 1) if p.kind == "float64")
    times = []
    for number in range(20):
        start = time.perf_counter()
        asked = Asked("bptt", "bptt", claims=CLAIMS, limits=DEFAULT_LIMITS)
        (_, found), *_ = units.perform(Task(asked, unit, tuple(_shown(plan)), further=(number,)))
        times.append(1000 * (time.perf_counter() - start - found["part"]["seconds"]))
    median = statistics.median(times)
    return Outcome(median, {"a unit beside its making": median / 1000}, quartiles(times))


def _shown(plan: Any) -> list[dict[str, Any]]:
    """What the first pieces of a plan show, as units keep it."""
    from gradcheck.evidence.pieces import made

    shown: list[dict[str, Any]] = []
    for piece in plan.pieces[:2]:
        part = made(plan, piece, [each["shown"] for each in shown], lambda _: None)
        shown.append(records.part_as_data(part))
    return shown


def concluded() -> Outcome:
    """Milliseconds for each of many pieces when the verdict is made of them, all in one process."""
    known, task = with_spare(SPARE)
    start = time.perf_counter()
    ((_, found),) = units.perform(task)
    seconds = time.perf_counter() - start
    (verdict,) = [v for v in found["course"]["verdicts"] if v["claim"] == "exact"]
    scope = next(evidence["scope"] for evidence in verdict["evidence"] if evidence["kind"] == "float64")
    assert verdict["status"] == "HOLDS" and int(scope.split()[0]) > SPARE, scope
    return Outcome(1000 * seconds / len(known), {f"a verdict of {len(known)} pieces": seconds})


def kept() -> Outcome:
    """KiB that a piece takes in the file, without the line's name of it."""
    known, _ = with_spare(SPARE)
    return Outcome(len(json.dumps(list(known.values()))) / len(known) / 1024, {})


def with_spare(number: int) -> tuple[dict[Unit, Any], Task]:
    """The verdict on BPTT as a task, and what it is made of: all of a full audit, and so many pieces more."""
    made = _Here()
    one = Asked("bptt", "bptt", claims=CLAIMS, networks=(DEFAULT_NETWORK,))
    running.audits([one], pools.Given(made))
    pieces = {unit: found for unit, found in made.known.items() if unit.kind not in (units.STAGES, VERDICT)}
    plan = next(p for p in units.plans(one.rule()[0], CLAIMS[0], "full", 0, 0) if p.kind == "float64")
    like = next(found for unit, found in pieces.items() if unit.kind == "float64")
    for piece in units.beyond(plan, range(number)):
        pieces[Unit("bptt", "exact", 0, "float64", piece.label)] = json.loads(json.dumps(like))
    course = next(found["course"] for unit, found in made.known.items() if unit.kind == units.STAGES)
    spare = {(0, "float64"): tuple(range(number))}
    return pieces, Task(one, Unit("bptt", "exact", kind=VERDICT), course=course, known=pieces, spare=spare)


def read_back() -> Outcome:
    """Milliseconds for a line of a file that a run goes on from."""
    line = {"part": {"shown": {"size": [41, 6, 2, 2], "worst": 0.01, "planted": [3, 3]}, "seconds": 0.01}}
    with tempfile.TemporaryDirectory() as folder:
        path, number = Path(folder, "found.jsonl"), 20_000
        with Ledger(path, ASKED.fingerprint()) as ledger:
            for n in range(number):
                ledger.add(Unit("bptt", "exact", 0, "float64", str(n)).key, line)
        times = []
        for _ in range(3):
            start = time.perf_counter()
            with Ledger(path, ASKED.fingerprint()) as ledger:
                assert ledger.resumed == number
            times.append(1000 * (time.perf_counter() - start) / number)
    median = statistics.median(times)
    return Outcome(median, {f"each of {number} lines": median / 1000}, quartiles(times))


ROWS = (
    Row("audit of BPTT: units in 1 process / step by step", at_most(1.5), compared(1, None, ("1 process", "here"))),
    Row("audit of BPTT: units in 2 processes / in 1", at_most(0.7), compared(2, 1, ("2 processes", "1 process"))),
    Row("ms to send and keep a unit", at_most(2), sent_and_kept),
    Row("ms to send and keep a further piece", at_most(1), spent),
    Row("ms of a process on a unit beside its making", at_most(60), begun),
    Row("ms of a verdict for each of its pieces", at_most(1), concluded),
    Row("KiB of what a piece found, in a file", at_most(1), kept),
    Row("ms to read a unit back from a file", at_most(0.1), read_back),
)
