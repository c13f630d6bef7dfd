"""How many faults of the gallery their diagnosis names, and how small their counterexamples are."""

from __future__ import annotations

import statistics
import time
from functools import cache
from typing import Any

from gradcheck.engine.audit import audit
from gradcheck.faults import FAULTS
from gradcheck.faults.fault import Fault
from gradcheck.records import Status, Verdict
from gradcheck.rules.adapt import as_rule

from .rows import Outcome, Row, at_least, at_most

JUDGED = tuple(fault for fault in FAULTS if fault.breaks != "pure")
"""Faults that return a wrong result; the others are refuted as impure, where there is no result to explain."""


@cache
def refuted(black_box: bool) -> tuple[dict[str, Verdict], float]:
    """Fault to its refuted verdict, and the seconds that it took. Raises where a fault passes."""
    start = time.perf_counter()
    found = {fault.id: _verdict(fault, fault.black_box() if black_box else fault.fresh()) for fault in JUDGED}
    return found, time.perf_counter() - start


def _verdict(fault: Fault, target: Any) -> Verdict:
    networks = as_rule(target).declaration.networks[:1]
    verdicts = audit(target, networks=networks, effort="quick", isolated=False).verdicts
    wrong = [v for v in verdicts if v.status is Status.REFUTED and v.claim != "pure"]
    assert wrong, f"{fault.id} was not refuted: {verdicts[-1].statement}"
    return wrong[0]


def named(black_box: bool) -> Outcome:
    """The share of faults whose diagnosis names them, or one that gives the same at every point."""
    found, seconds = refuted(black_box)
    right = [name for name, verdict in found.items() if "that of the fault" in (verdict.diagnosis or "")]
    missing = sorted(set(found) - set(right))
    print("not named:", ", ".join(missing) or "none")
    own = sum(f"{name!r}" in (found[name].diagnosis or "") for name in found)
    print(f"named by their own id among those shown: {own} of {len(found)}")
    return Outcome(len(right) / len(found), {f"{len(found)} audits": seconds})


def sizes(axis: str) -> Outcome:
    """The median size of the counterexamples."""
    found, seconds = refuted(False)
    values = [v.counterexample.problem["sizes"][axis] for v in found.values() if v.counterexample]
    return Outcome(statistics.median(values), {f"{len(values)} counterexamples": seconds})


ROWS = (
    Row("share of faults that their diagnosis names: generic", at_least(0.95), lambda: named(False)),
    Row("share of faults that their diagnosis names: black boxes", at_least(0.95), lambda: named(True)),
    Row("median T of their counterexamples", at_most(2), lambda: sizes("T")),
    Row("median I of their counterexamples", at_most(2), lambda: sizes("I")),
)
