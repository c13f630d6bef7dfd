"""Equalities that a rule asks about are made to hold, and it is judged there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradcheck
from gradcheck.algorithms.bptt import bptt
from gradcheck.evidence.base import Case
from gradcheck.evidence.floats import branches
from gradcheck.evidence.floats.branches import Branches
from gradcheck.evidence.floats.reach import Reach
from gradcheck.problems.lively import lively_problem
from gradcheck.problems.ties import Tie, tied
from gradcheck.reference.network import DEFAULT_NETWORK, Sizes
from gradcheck.reference.problem import Problem
from gradcheck.reference.typing import Gradient
from gradcheck.rules.adapt import as_rule


def wrong_where(test: Callable[[Problem], Any]) -> Any:
    def rule(problem: Problem) -> Gradient:
        gradient = bptt(problem)
        return {**gradient, "R": gradient["R"] * (2 if test(problem) else 1)}

    return rule


TESTS: dict[str, Callable[[Problem], Any]] = {
    "steps two apart": lambda p: any((p.inputs[t] == p.inputs[t - 2]).all() for t in range(2, p.T)),
    "an input and a target": lambda p: p.inputs[0, 0] == p.targets[0, 0],
    "two weights": lambda p: len(p.parameters["R"]) > 1 and p.parameters["R"][0, 0] == p.parameters["R"][1, 1],
    "a number": lambda p: p.parameters["V"][0, 0] != 0.3125 and p.parameters["W"][-1, -1] == 2.5,
    "an array": lambda p: (
        p.parameters["W"].shape == p.parameters["R"].shape and not (p.parameters["W"] != p.parameters["R"]).any()
    ),
    "a state and an input": lambda p: (p.initial_state[0] - p.inputs[0, 0]) == 0,
}


def case_of(rule: Any) -> Case:
    return Case(as_rule(rule), gradcheck.Exact(), DEFAULT_NETWORK)


@pytest.mark.parametrize("name", TESTS)
def test_a_rule_that_is_wrong_where_an_equality_holds_is_refuted_there(name: str) -> None:
    case = case_of(wrong_where(TESTS[name]))
    reached = branches.with_equalities(case)
    assert reached
    evidence = Branches(tuple(reached)).gather(case).evidence
    assert evidence.status.name == "REFUTED", evidence.statement


def test_a_rule_that_asks_for_nothing_or_is_right_all_the_same_holds() -> None:
    assert branches.with_equalities(case_of(bptt)) == []
    case = case_of(
        lambda problem: {name: array + 0 * (problem.inputs[0, 0] == 0) for name, array in bptt(problem).items()}
    )
    reached = branches.with_equalities(case)
    assert [reach.ties for reach in reached] == [(Tie("inputs[0,0]", "", 0.0),)]
    assert Branches(tuple(reached)).gather(case).evidence.status.name == "HOLDS"


def test_ties_are_made_in_order_and_named() -> None:
    problem = lively_problem(DEFAULT_NETWORK, Sizes(3, 2, 2, 1), 0)
    ties = (Tie("inputs[1,0]", "inputs[0,0]", 0.0), Tie("inputs[2,0]", "inputs[1,0]", 0.0), Tie("R[0,1]", "", 1.5),
        Tie("no[0]", "inputs[0,0]", 0.0))  # fmt: skip
    other = tied(problem, ties)
    assert np.unique(other.inputs[:, 0]).size == 1 and other.parameters["R"][0, 1] == 1.5
    assert (other.inputs[:, 1] == problem.inputs[:, 1]).all() and problem.parameters["R"][0, 1] != 1.5
    reach = Reach(Sizes(3, 2, 2, 1), ties=ties[:2])
    assert Reach.from_data(reach.as_data()) == reach
    assert str(reach) == "T=3, I=2, D=2, K=1, inputs[1,0] = inputs[0,0], inputs[2,0] = inputs[1,0]"


def test_a_rule_is_judged_where_its_equality_holds(brief: None, not_shrunk: None) -> None:
    report = gradcheck.audit(wrong_where(TESTS["two weights"]), [gradcheck.Exact()], effort="quick", isolated=False)
    verdict = next(verdict for verdict in report.verdicts if verdict.claim == "exact")
    assert verdict.status.name == "REFUTED" and verdict.counterexample is not None, verdict.statement
