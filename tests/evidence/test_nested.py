"""Audits of networks with parameters of shape (), nested states and `sizes_of` that returns a tuple."""

from __future__ import annotations

from typing import Any

import pytest
from nested import CELLS, NestedCell, ScalarCell, backward

import gradcheck
from gradcheck import Status


def _verdict(report: Any, kind: str = "exact") -> Any:
    return next(v for v in report.verdicts if str(v.claim) == kind)


@pytest.mark.parametrize("network", CELLS, ids=lambda network: type(network).__name__)
def test_a_right_rule_holds(network: Any) -> None:
    report = gradcheck.audit(backward, claims=[gradcheck.Exact()], networks=[network], effort="quick")
    assert report.passed, report
    kinds = {each.kind for each in _verdict(report).evidence if each.status is Status.HOLDS}
    assert {"formal", "modular", "enclosure"} <= kinds, kinds


@pytest.mark.parametrize("network", CELLS, ids=lambda network: type(network).__name__)
def test_a_rule_without_recurrence_is_refuted(network: Any) -> None:
    def forgetful(problem: Any) -> Any:
        return backward(problem, recurrent=False)

    report = gradcheck.audit(forgetful, claims=[gradcheck.Exact()], networks=[network], effort="quick")
    verdict = _verdict(report)
    assert verdict.status is Status.REFUTED
    assert verdict.counterexample is not None and verdict.counterexample.problem is not None


def test_a_leak_whose_gradient_alone_is_wrong_is_refuted_by_a_program_that_runs() -> None:
    def halved(problem: Any) -> Any:
        gradient = backward(problem)
        return {**gradient, "leak": gradient["leak"] / 2}

    report = gradcheck.audit(halved, claims=[gradcheck.Exact()], networks=[ScalarCell()], effort="quick")
    counterexample = _verdict(report).counterexample
    assert counterexample.entry == "leak"
    exec(compile(counterexample.snippet, "snippet", "exec"), {})


def test_a_nested_counterexample_is_a_program_that_runs() -> None:
    def forgetful(problem: Any) -> Any:
        return backward(problem, recurrent=False)

    report = gradcheck.audit(forgetful, claims=[gradcheck.Exact()], networks=[NestedCell()], effort="quick")
    exec(compile(_verdict(report).counterexample.snippet, "snippet", "exec"), {})
