"""Counterexamples are simple: few steps and units, zeros where nothing else is needed, small integers."""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
import pytest
from wrong_rules import NAMES, as_black_box, wrong

from gradcheck import Exact, Network, Problem
from gradcheck.algorithms import bptt
from gradcheck.evidence.base import Case, Witness
from gradcheck.explain import counterexample
from gradcheck.explain.shrink import simplest
from gradcheck.problems.lively import lively_problem
from gradcheck.reference.network import ContextNetwork, Sizes
from gradcheck.rules.adapt import as_rule

SKIPPED_BY_PURITY = ("stale-buffer", "returns-its-buffer", "changes-its-inputs")
LARGE = ("wrong-when-i-exceeds-4", "wrong if T > 30")
"""No small problem shows these, so in the median they count as larger than any."""


@pytest.fixture(autouse=True)
def undiagnosed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with the wrong rules here is for tests/evidence/test_diagnosis.py to say."""
    monkeypatch.setattr("gradcheck.engine.tasks.diagnose", lambda *_, **__: None)


def found_for(function: Any, sizes: Sizes, *, floats: bool = False, seen: Problem | None = None) -> Any:
    case = Case(as_rule(function, claims=[Exact()]), Exact(), Network())
    return counterexample.find(case, Witness(case.network, sizes, {}, "", seen, floats))


@pytest.mark.slow
def test_the_median_counterexample_has_at_most_two_steps_and_two_units() -> None:
    names = [name for name in NAMES if name not in SKIPPED_BY_PURITY][::4]
    found = {name: found_for(wrong(name), Sizes(2, 2, 1, 1)) for name in names if name not in LARGE}
    assert all(found.values()), found
    sizes = {name: violation.problem.sizes for name, violation in found.items()}
    beyond = [float("inf") for name in names if name in LARGE]
    assert statistics.median([*(size.T for size in sizes.values()), *beyond]) <= 2, sizes
    assert statistics.median([*(size.I for size in sizes.values()), *beyond]) <= 2, sizes
    entries = [v for f in found.values() for a in f.problem.arrays().values() for v in a.reshape(-1)]
    assert all(v in (-2, -1, 0, 1, 2) for v in entries), f"not all small integers: {sorted(set(entries))}"


def test_a_fault_of_many_units_is_shown_with_many_units(short_search: None) -> None:
    """No search draws so many entries one by one."""

    def rule(problem: Any) -> Any:
        gradient = bptt(problem)
        return {**gradient, "V": gradient["V"] * (1 + (problem.sizes.I > 92))}

    problem = lively_problem(Network(), Sizes(2, 96, 2, 2), 0)
    found = found_for(as_black_box(rule), Sizes(2, 96, 2, 2), floats=True, seen=problem)
    assert found.problem.sizes.I > 92 and found.problem.sizes.T == 1


def test_a_problem_that_no_search_draws_is_made_simple_too() -> None:
    """Hypothesis draws at most 4 steps; where it takes 31, the problem on which it was seen is made simpler."""
    seen = lively_problem(Network(), Sizes(33, 2, 2, 1), 0)
    rule = as_black_box(wrong("wrong if T > 30"))
    case = Case(as_rule(rule, claims=[Exact()]), Exact(), Network())
    violation = counterexample.violation(case, counterexample.Trial(seen, {}), floats=True)
    assert violation is not None
    simple = counterexample.simpler(case, violation, floats=True)
    assert simple.problem.sizes == Sizes(31, 1, 1, 1)
    assert counterexample.violation(case, counterexample.Trial(simple.problem, {}), floats=True) is not None
    others = [v for name, a in simple.problem.arrays().items() if name != "loss_weights" for v in a.reshape(-1) if v]
    assert len(others) <= 4 and all(v in (-1, 1) for v in others), others


@pytest.mark.parametrize("network", [Network("tanh"), ContextNetwork("tanh"), Network("tanh", "softmax")])
def test_where_everything_is_allowed_nothing_but_zeros_is_left(network: Any) -> None:
    problem = simplest(lively_problem(network, Sizes(3, 3, 2, 2), 0, weighted=True), lambda _: True)
    assert problem.sizes == Sizes(1, 1, 1, 1)
    assert all((a == (name == "loss_weights")).all() for name, a in problem.arrays().items()), problem


def test_what_is_needed_is_kept() -> None:
    def needed(problem: Problem) -> bool:
        T, I = problem.sizes.T, problem.sizes.I
        return T >= 2 and I >= 2 and bool(problem.inputs[0].any()) and float(problem.parameters["R"][0, 1]) > 2.5

    start = lively_problem(Network(), Sizes(4, 4, 2, 2), 0)
    start.parameters["R"][0, 1] = 7.25
    problem = simplest(start, needed)
    assert problem.sizes == Sizes(2, 2, 1, 1)
    assert problem.parameters["R"].tolist() == [[0, 7], [0, 0]] and problem.inputs.tolist() == [[1], [0]]
    assert simplest(problem, lambda _: False) is problem


def test_targets_stay_those_of_the_loss() -> None:
    network = Network("tanh", "softmax", "categorical_cross_entropy")
    problem = simplest(lively_problem(network, Sizes(2, 2, 2, 3), 0), lambda p: p.sizes.K == 3)
    assert np.allclose(problem.targets.sum(axis=1), 1), problem.targets


@pytest.mark.parametrize(("sizes", "most"), [(Sizes(1, 2, 2, 2), 20), (Sizes(9, 9, 2, 2), 7)])
def test_no_more_is_tried_than_allowed_and_large_problems_less_often(sizes: Sizes, most: int) -> None:
    tried: list[Problem] = []
    simplest(lively_problem(Network(), sizes, 0), lambda p: bool(tried.append(p)), work=10_000)
    assert 0 < len(tried) <= most, f"{len(tried)} problems of {sizes}"
