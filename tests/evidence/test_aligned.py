"""The sign of the inner product with the gradient: who is aligned, where, and how a rule that is not is refuted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradcheck
from gradcheck.algorithms import RFLO, bptt
from gradcheck.evidence import aligned
from gradcheck.evidence.base import Case, Finding
from gradcheck.explain import misaligned
from gradcheck.problems.lively import lively_problem
from gradcheck.records import Status, Strength
from gradcheck.reference.claims import Aligned
from gradcheck.reference.network import Leaky, Network
from gradcheck.reference.networks.base import Sizes
from gradcheck.reference.problem import Problem
from gradcheck.rules.adapt import as_rule

EASY = tuple(lively_problem(Leaky(leak=0.25), Sizes(4, 3, 2, 1), seed) for seed in range(3))


def minus(problem: Problem) -> Any:
    return {name: -array for name, array in bptt(problem).items()}


def nothing(problem: Problem) -> Any:
    return {name: 0 * array for name, array in bptt(problem).items()}


def on_floats(problem: Problem) -> Any:
    floats = problem.map(lambda a: np.array([float(v) for v in a.reshape(-1)]).reshape(a.shape))
    return bptt(floats)


def case(target: Any, claim: Aligned, network: Any = None, problems: tuple[Problem, ...] = ()) -> Case:
    return Case(as_rule(target), claim, network or Network(), problems=problems)


def gathered(target: Any, claim: Aligned | None = None, **kwargs: Any) -> Finding:
    return aligned.Alignment(drawn=10).gather(case(target, claim or Aligned(), **kwargs))


@pytest.mark.parametrize("target", [bptt, on_floats], ids=lambda target: target.__name__)
def test_the_gradient_is_aligned_with_itself(target: Any) -> None:
    evidence = gathered(target).evidence
    assert (evidence.status, evidence.strength) == (Status.HOLDS, Strength.SUPPORTED), evidence


def shaken(problem: Problem, noise: Any) -> Any:
    """Return the gradient with noise of mean 0 on it, by which single results point anywhere."""
    return {name: array + 100 * noise.signs() for name, array in bptt(problem).items()}


def turned(problem: Problem, noise: Any) -> Any:
    """Return minus the gradient in three cases of four."""
    return {name: array * (1 - 2 * noise.bernoulli(0.75)) for name, array in bptt(problem).items()}


def test_a_stochastic_rule_is_judged_by_its_expectation() -> None:
    right = gradcheck.audit(shaken, [Aligned()], effort="quick", isolated=False).verdicts[-1]
    assert right.status is Status.HOLDS, right.statement
    wrong = gradcheck.audit(turned, [Aligned()], effort="quick", isolated=False)
    assert any(v.status is Status.REFUTED for v in wrong.verdicts if v.claim == "aligned"), wrong


@pytest.mark.parametrize("target", [minus, nothing], ids=lambda target: target.__name__)
def test_what_points_elsewhere_is_refuted_with_a_small_problem(target: Any) -> None:
    finding = gathered(target)
    assert finding.evidence.status is Status.REFUTED and finding.witness is not None
    asked = case(target, Aligned())
    problem = misaligned.find(asked, finding.witness)
    assert problem is not None and problem.sizes == Sizes(1, 1, 1, 1)
    example = misaligned.counterexample(asked, problem, finding.witness)
    printed: list[Any] = []
    exec(example.snippet, {"print": printed.append})
    assert printed == [float(example.got)] and printed[0] <= 0


def test_local_rules_are_aligned_where_time_does_not_outweigh_the_rest() -> None:
    leaky = Leaky(leak=0.25)
    easy = gathered(RFLO, Aligned(given=True), network=leaky, problems=EASY).evidence
    assert (easy.status, easy.strength) == (Status.HOLDS, Strength.CERTIFIED), easy
    turned = gathered(minus, Aligned(given=True), network=leaky, problems=EASY).evidence
    assert turned.status is Status.REFUTED, turned
    hostile = aligned.Alignment().gather(case(RFLO, Aligned(), leaky))
    assert hostile.evidence.status is Status.REFUTED, "its trace leaves out what goes through R"


def test_a_claim_about_given_problems_needs_some() -> None:
    evidence = gathered(bptt, Aligned(given=True)).evidence
    assert evidence.status is Status.NOT_RUN and "problems=[...]" in evidence.statement


def test_a_problem_without_a_gradient_says_nothing() -> None:
    silent = lively_problem(Network(), Sizes(2, 2, 1, 1), 0).replace(loss_weights=np.zeros(2))
    evidence = gathered(minus, Aligned(given=True), problems=(silent,)).evidence
    assert evidence.status is Status.INCONCLUSIVE and "every gradient was zero" in evidence.statement


def test_the_share_is_the_exact_binomial_bound() -> None:
    evidence = aligned.Alignment().gather(case(bptt, Aligned())).evidence
    share, alpha = evidence.details["share"], evidence.details["alpha"]
    assert np.isclose(share**aligned.DRAWN, alpha) and "at least 89.1% of such random problems" in evidence.statement


def test_an_audit_judges_it() -> None:
    report = gradcheck.audit(minus, [Aligned()], effort="quick", isolated=False)
    verdict = next(v for v in report.verdicts if v.claim == "aligned")
    assert verdict.status is Status.REFUTED and verdict.counterexample is not None
    assert verdict.counterexample.entry in str(report) and "should be positive" in str(report)
