"""No verdict speaks for code that never ran: it is reached where it can be, and named where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import branching_rules as rules
import pytest

import gradcheck
from gradcheck.records import Status, Strength, Verdict


@pytest.fixture(autouse=True)
def at_the_fewest_sizes(every_size_is_screened: None, not_shrunk: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Audit at the fewest sizes, leave out what a wrong rule computes, and make no counterexample smaller."""
    monkeypatch.setattr("gradcheck.engine.tasks.diagnose", lambda *_, **__: None)


def judged(rule: Callable[..., Any]) -> Verdict:
    networks = [gradcheck.Network()]
    report = gradcheck.audit(rule, [gradcheck.Exact()], networks=networks, effort="quick", isolated=False)
    return next(verdict for verdict in report.verdicts if verdict.claim == "exact")


@pytest.mark.parametrize("rule", rules.WRONG, ids=lambda rule: str(rule.__name__))
def test_a_rule_that_is_wrong_in_a_branch_of_its_own_is_refuted(rule: Callable[..., Any]) -> None:
    verdict = judged(rule)
    assert verdict.status is Status.REFUTED, verdict.statement
    assert verdict.counterexample is not None


def test_a_rule_that_fails_in_a_branch_of_its_own_does_not_pass() -> None:
    assert judged(rules.raises_at_a_size).status is Status.ERROR


def test_a_branch_that_is_not_reached_is_named_and_weakens_the_verdict() -> None:
    verdict = judged(rules.right_beyond_any_size)
    assert (verdict.status, verdict.strength) == (Status.HOLDS, Strength.SUPPORTED)
    (unseen,) = verdict.unseen
    assert unseen.file == "branching_rules.py"
    with open(rules.__file__) as file:
        assert "array.copy()" in file.read().split("\n")[unseen.first - 1]


def test_a_branch_that_floats_alone_reach_is_no_stronger_than_floats() -> None:
    verdict = judged(rules.right_in_long_sequences)
    assert (verdict.status, verdict.strength, verdict.unseen) == (Status.HOLDS, Strength.SUPPORTED, ())
    assert "branches" in {evidence.kind for evidence in verdict.evidence}


def test_branches_that_compute_nothing_do_not_count() -> None:
    verdict = judged(rules.right_that_refuses)
    assert (verdict.strength, verdict.unseen) == (Strength.PROVED, ())


def test_what_was_proved_on_one_path_says_nothing_of_another() -> None:
    verdict = judged(rules.right_with_a_special_path_on_floats)
    assert (verdict.status, verdict.strength) == (Status.HOLDS, Strength.SUPPORTED)


def test_a_comparison_within_arrays_that_floats_alone_decide_both_ways_is_no_stronger_than_floats() -> None:
    verdict = judged(rules.right_with_a_comparison_of_steps)
    assert (verdict.status, verdict.strength, verdict.unseen) == (Status.HOLDS, Strength.SUPPORTED, ())


def test_a_comparison_within_arrays_that_came_out_one_way_alone_is_named() -> None:
    verdict = judged(rules.right_below_a_far_limit)
    assert (verdict.status, verdict.strength) == (Status.HOLDS, Strength.SUPPORTED)
    assert [each.text for each in verdict.unseen] == ["`np.minimum(array, 1e200)` was never false"]


def test_a_comparison_of_floats_that_came_out_one_way_alone_is_named() -> None:
    verdict = judged(rules.right_with_a_mark_on_floats)
    assert (verdict.status, verdict.strength) == (Status.HOLDS, Strength.SUPPORTED)
    assert [each.text for each in verdict.unseen] == ['`gradient["W"] == 0.1234567` was never true']


def test_a_comparison_that_leads_to_an_error_alone_does_not_count() -> None:
    verdict = judged(rules.right_that_checks)
    assert (verdict.strength, verdict.unseen) == (Strength.CERTIFIED, ()), verdict


def test_code_that_ran_everywhere_weakens_nothing() -> None:
    verdict = judged(gradcheck.algorithms.bptt)
    assert (verdict.strength, verdict.unseen) == (Strength.PROVED, ())
