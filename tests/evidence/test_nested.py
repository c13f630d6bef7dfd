"""Audits of networks with parameters of shape (), nested states and `sizes_of` that returns a tuple."""

from __future__ import annotations

from typing import Any

import pytest
from nested import CELLS, ScalarCell, backward

import gradcheck
from gradcheck import Status
from gradcheck.evidence.base import Case
from gradcheck.evidence.floats.blackbox import BlackBox
from gradcheck.evidence.floats.stability import Stability
from gradcheck.reference.claims import Exact
from gradcheck.reference.network import Sizes
from gradcheck.rules.adapt import as_rule

EACH = pytest.mark.parametrize("network", CELLS, ids=lambda network: type(network).__name__)


def _verdict(report: Any, kind: str = "exact") -> Any:
    return next(v for v in report.verdicts if str(v.claim) == kind)


@EACH
def test_a_right_rule_holds(network: Any, brief: None) -> None:
    report = gradcheck.audit(backward, claims=[gradcheck.Exact()], networks=[network], effort="quick", isolated=False)
    assert report.passed, report
    kinds = {each.kind for each in _verdict(report).evidence if each.status is Status.HOLDS}
    assert {"formal", "modular", "enclosure"} <= kinds, kinds


@EACH
def test_a_right_rule_holds_at_special_and_at_extreme_values(network: Any) -> None:
    """A brief audit leaves them out."""
    case = Case(as_rule(backward, claims=[Exact()], networks=[network]), Exact(), network)
    for kind in (BlackBox(sizes=(Sizes(3, 2, 2, 1),)), Stability()):
        found = kind.gather(case).evidence
        assert found.status is Status.HOLDS, found


def _shown(rule: Any, network: Any) -> Any:
    """Return the counterexample of a wrong rule, after its program ran."""
    report = gradcheck.audit(rule, claims=[gradcheck.Exact()], networks=[network], effort="quick", isolated=False)
    verdict = _verdict(report)
    assert verdict.status is Status.REFUTED
    assert verdict.counterexample is not None and verdict.counterexample.problem is not None
    exec(compile(verdict.counterexample.snippet, "snippet", "exec"), {})
    return verdict.counterexample


@EACH
def test_a_rule_without_recurrence_is_refuted_by_a_program_that_runs(
    network: Any, brief: None, not_shrunk: None
) -> None:
    def forgetful(problem: Any) -> Any:
        return backward(problem, recurrent=False)

    _shown(forgetful, network)


def test_a_leak_whose_gradient_alone_is_wrong_is_refuted_by_a_program_that_runs(brief: None, not_shrunk: None) -> None:
    def halved(problem: Any) -> Any:
        gradient = backward(problem)
        return {**gradient, "leak": gradient["leak"] / 2}

    assert _shown(halved, ScalarCell()).entry == "leak"
