"""Plain NumPy code that makes its arrays from nothing is judged on every number system, without a change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy import ones as all_ones
from numpy import zeros

import gradcheck
from gradcheck import Sizes, Status
from gradcheck.algorithms import bptt
from gradcheck.evidence.base import Case
from gradcheck.evidence.exact.enclosure import Enclosure
from gradcheck.evidence.exact.formal import Formal
from gradcheck.evidence.exact.ladder import Ladder
from gradcheck.evidence.exact.modular import Modular
from gradcheck.problems.lively import lively_problem
from gradcheck.reference.claims import Exact
from gradcheck.reference.scalars.formal import FormalField
from gradcheck.rules import fresh
from gradcheck.rules.adapt import as_rule
from gradcheck.rules.call import run

KINDS = (
    Formal(largest_T=2, shapes=((1, 1, 1), (2, 1, 2))),
    Modular(sizes=(Sizes(7, 3, 2, 2),)),
    Enclosure(sizes=(Sizes(5, 3, 2, 2),)),
    Ladder(Sizes(4, 2, 1, 2), digits=(50,)),
)


def textbook(problem: Any, late: int = 0) -> Any:
    """BPTT as in a tutorial: every array is made by np.zeros or np.empty and filled. `late` plants a fault."""
    W, R, V = (problem.parameters[name] for name in "WRV")
    T, n = len(problem.inputs), len(R)
    a, e = np.empty((T + 1, n)), zeros((T, V.shape[1]))
    a[0] = problem.initial_state
    for t in range(T):
        a[t + 1] = np.tanh(W.T @ problem.inputs[t] + R.T @ a[t])
        e[t] = V.T @ a[t + 1] - problem.targets[t]
    dW, dR, dV, delta = np.zeros(W.shape), np.zeros(R.shape, dtype=float), np.full(V.shape, 0.0), zeros(n)
    for t in range(T - 1, -1, -1):
        delta = (1 - a[t + 1] ** 2) * (V @ e[t] + R @ delta) * all_ones(n)
        dW += np.outer(problem.inputs[t], delta)
        dR += np.outer(a[max(t - late, 0)], delta)
        dV += np.outer(a[t + 1], e[t])
    return {"W": dW, "R": dR, "V": dV}


def late(problem: Any) -> Any:
    """Wrong: dR pairs delta(t) with the state a step too early."""
    return textbook(problem, late=1)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_textbook_rule_is_judged_without_a_change(kind: Any) -> None:
    network = gradcheck.Network()
    found = {
        rule: kind.gather(Case(as_rule(rule, claims=[Exact()]), Exact(), network)).evidence.status
        for rule in (textbook, late)
    }
    assert found == {textbook: Status.HOLDS, late: Status.REFUTED}


def unwritten(problem: Any) -> Any:
    """Wrong: it adds up in an array that it never wrote, and is right where the memory happens to hold zeros."""
    W = np.empty(problem.parameters["W"].shape)
    W += bptt(problem)["W"]
    return {**bptt(problem), "W": W}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_an_array_that_was_never_written_is_not_taken_for_zeros(kind: Any) -> None:
    found = kind.gather(Case(as_rule(unwritten, claims=[Exact()]), Exact(), gradcheck.Network())).evidence
    assert found.status is Status.REFUTED, found


def test_the_report_says_where_arrays_were_made_of_other_numbers(brief: None) -> None:
    report = gradcheck.audit(textbook, claims=[gradcheck.Exact()], effort="quick")
    assert report.verdicts[-1].strength is gradcheck.Strength.PROVED
    assert [note for note in report.notes if "test_fresh_arrays.py:" in note and "from nothing" in note]


def test_numpy_is_as_it_was_after_a_call_and_for_other_code() -> None:
    before = np.zeros, np.ones, np.empty, np.full, zeros
    problem = lively_problem(gradcheck.Network(), Sizes(2, 1, 1, 1), 0).over(FormalField(60))

    def fails(problem: Any) -> Any:
        made = np.zeros(1)
        made[0] = problem.inputs[0, 0]
        raise ValueError("after an array of polynomials")

    with pytest.raises(gradcheck.GradcheckError, match="after an array of polynomials"):
        run(as_rule(fails), problem)
    run(as_rule(textbook), problem)
    assert before == (np.zeros, np.ones, np.empty, np.full, zeros)
    assert fresh.taken() and not fresh.taken()


def test_only_arrays_of_float64_are_made_of_other_numbers() -> None:
    kept: dict[str, Any] = {}

    def counts(problem: Any) -> Any:
        floats = np.zeros(2)
        floats[0] = problem.inputs[0, 0]
        kept.update(
            whole=np.zeros(2, dtype=int), flags=np.ones(2, bool), filled=np.full(2, 3), single=np.zeros(2, np.float32),
            floats=floats,
        )  # fmt: skip
        return {name: 0 * value for name, value in problem.parameters.items()}

    run(as_rule(counts), lively_problem(gradcheck.Network(), Sizes(2, 1, 1, 1), 0).over(FormalField(60)))
    kinds = {name: array.dtype.kind for name, array in kept.items()}
    assert kinds == {"whole": "i", "flags": "b", "filled": "i", "single": "f", "floats": "O"}
