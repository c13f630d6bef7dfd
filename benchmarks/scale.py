"""What the engine costs beside the work of its tasks: the same audit on other numbers of workers, and each task."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gradcheck.algorithms import bptt
from gradcheck.chapters import catalogue
from gradcheck.engine import events
from gradcheck.engine.audit import audit
from gradcheck.engine.executors import Here, Workers
from gradcheck.engine.request import AuditRequest
from gradcheck.engine.run import run
from gradcheck.records import Report
from gradcheck.reference.claims import Exact
from gradcheck.reference.network import DEFAULT_NETWORK
from gradcheck.store.ledger import Ledger

from .rows import Outcome, Row, at_most, in_turn, quartiles

CLAIMS = (Exact(),)


def on_workers(number: int | None) -> Callable[[], Report]:
    """An audit on all networks with so many workers; None: in this process."""
    return lambda: audit(bptt, CLAIMS, jobs=number, isolated=number is not None)


def compared(over: int | None, under: int | None, labels: tuple[str, str]) -> Callable[[], Outcome]:
    def outcome() -> Outcome:
        assert on_workers(over)() == on_workers(under)(), "where tasks are performed changes what is found"
        sides = on_workers(over), on_workers(under)
        return in_turn(*sides, labels, repeats=3, warm=False, clock=time.perf_counter)

    return outcome


def beside() -> Outcome:
    """Milliseconds of an audit for each of its tasks, beside the seconds that the tasks took in one worker."""
    times = []
    for _ in range(5):
        heard: list[Any] = []
        start = time.perf_counter()
        run([AuditRequest(bptt, claims=CLAIMS)], Workers(1), handlers=[heard.append])
        seconds = time.perf_counter() - start
        finished = [event for event in heard if isinstance(event, events.TaskFinished)]
        times.append(1000 * (seconds - sum(event.seconds for event in finished)) / len(finished))
    median = statistics.median(times)
    return Outcome(median, {f"each of {len(finished)} tasks": median / 1000}, quartiles(times))


def _kept(folder: str) -> Path:
    path = Path(folder, "found.jsonl")
    run([AuditRequest("bptt", claims=CLAIMS, networks=(DEFAULT_NETWORK,), limits=None)], Here(), results=path)
    return path


def kept() -> Outcome:
    """KiB that a task takes in the file of results."""
    with tempfile.TemporaryDirectory() as folder:
        lines = _kept(folder).read_bytes().splitlines()[1:]
    return Outcome(sum(map(len, lines)) / len(lines) / 1024, {})


def read_back() -> Outcome:
    """Milliseconds for a line of a file from which a run resumes."""
    value = {"shown": {"size": [41, 6, 2, 2], "worst": 0.01, "planted": [3, 3]}, "seconds": 0.01}
    with tempfile.TemporaryDirectory() as folder:
        path, number = Path(folder, "found.jsonl"), 20_000
        with Ledger(path, {}) as ledger:
            for n in range(number):
                ledger.add(json.dumps([0, "exact", 0, "float64", str(n), True]), value)
        times = []
        for _ in range(3):
            start = time.perf_counter()
            with Ledger(path, {}) as ledger:
                assert ledger.resumed == number
            times.append(1000 * (time.perf_counter() - start) / number)
    median = statistics.median(times)
    return Outcome(median, {f"each of {number} lines": median / 1000}, quartiles(times))


def fixed_work() -> None:
    """A workload of NumPy and SymPy that never changes, by which machines can be compared."""
    import sympy

    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(400, 400))
    for _ in range(40):
        matrix = np.tanh(matrix @ matrix.T / 400)
    x, y = sympy.symbols("x y")
    expression = sympy.expand((x + 2 * y + 1) ** 60)
    for _ in range(3):
        sympy.expand(sympy.diff(expression, x) * (x - y))


def whole_report() -> Outcome:
    """Seconds of the whole report, beside a fixed workload of NumPy and SymPy timed in the same run."""
    start = time.perf_counter()
    fixed_work()
    fixed = time.perf_counter() - start
    start = time.perf_counter()
    catalogue.report()
    seconds = time.perf_counter() - start
    return Outcome(seconds, {"report": seconds, "fixed NumPy and SymPy workload": fixed})


ROWS = (
    Row("audit of BPTT: 1 worker / in this process", at_most(1.25), compared(1, None, ("1 worker", "here"))),
    Row("audit of BPTT: 2 workers / 1 worker", at_most(0.7), compared(2, 1, ("2 workers", "1 worker"))),
    Row("ms of an audit beside each of its tasks", at_most(5), beside),
    Row("KiB of a task in the file of results", at_most(1), kept),
    Row("ms to read a task back from a file", at_most(0.1), read_back),
    Row("seconds of the whole report", at_most(60), whole_report),
)
