"""Faults of stochastic rules: which ways see them, their bases, and what is said of them."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck import faults
from gradcheck.algorithms import run_rule
from gradcheck.chapters import matrix
from gradcheck.chapters.matrix import BRIEF, Result
from gradcheck.explain.diagnosis import diagnose
from gradcheck.faults import ESTIMATORS, Change, Fault, fault_named
from gradcheck.faults.fault import build
from gradcheck.problems.lively import lively_problem
from gradcheck.reference import lags
from gradcheck.reference.network import Network, Sizes
from gradcheck.reference.noise import SampledNoise

BASES = sorted({fault.base for fault in ESTIMATORS})


def test_the_issues_of_stochastic_rules_each_have_a_fault() -> None:
    assert len(ESTIMATORS) >= 25 and all(fault.stochastic and not fault.claims_a_gradient for fault in ESTIMATORS)
    assert len(BASES) >= 7, "every shipped stochastic rule has one"


@pytest.mark.parametrize("base", BASES)
def test_a_base_made_the_same_way_is_unbiased(base: str) -> None:
    outcome = matrix.judged(build(base), "expectation")
    assert outcome.result is Result.MISSED and "equal as polynomials" in outcome.note, outcome.note


@pytest.mark.parametrize("kind", ["formal", "float64", "stable", "branches"])
def test_ways_that_compare_single_results_do_not_apply(kind: str) -> None:
    outcome = matrix.by_evidence(fault_named("one-sign-for-all-units"), kind, BRIEF)
    assert outcome.result is Result.NOT_APPLICABLE, outcome.note
    assert matrix.by_evidence(fault_named("scale-2"), "expectation", BRIEF).result is Result.NOT_APPLICABLE


def test_peers_do_not_apply() -> None:
    for peer in matrix.peers():
        outcome = matrix.by_peer(fault_named("noise-of-a-third"), peer, BRIEF)
        assert outcome.result is Result.NOT_APPLICABLE, outcome.note


@pytest.mark.parametrize("fault", ESTIMATORS[::6], ids=lambda fault: fault.id)
def test_it_runs_on_floats_as_it_does_elsewhere(fault: Fault) -> None:
    """One draw of a wrong rule is no further off than one of a right rule: only the mean tells them apart."""
    given = lively_problem(Network(), Sizes(4, 2, 2, 1), 0)
    noise = [SampledNoise(0, given.inputs) for _ in range(2)]
    one, two = run_rule(fault.rule(), given, noise=noise[0]), run_rule(fault.black_box(), given, noise=noise[1])
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert any(not np.allclose(one[name], array) for name, array in lags.gradient(given).items())


@pytest.mark.parametrize(
    "changes",
    [
        (Change("kf_rtrl", "c1, c2 = noise.signs(2)", "c1 = c2 = noise.signs()"),),
        (Change("kf_rtrl", "c1, c2 = noise.signs(2)", "c1, c2 = 1, noise.signs()"),),
    ],
)
def test_one_sign_at_each_step_is_enough_for_kf_rtrl(changes: tuple[Change, ...]) -> None:
    """Two terms need one relative sign: shared by both, it is the product of the signs between two steps."""
    outcome = matrix.judged(build("kf_rtrl", changes), "expectation")
    assert outcome.result is Result.MISSED, outcome.note


SAID = {
    "noise-of-a-third": "W equals the reference but for the factor 1/3; R equals the reference but for the factor 1/3",
    "direction-of-a-third": "V equals the reference but for the factor 1/3",
    "scaling-of-one-factor-only": "W equals the reference but for the factor 2",
    "noise-drawn-for-each-factor": "W is 0 throughout; R is 0 throughout",
    "sign-left-out-of-one-factor": "W counts the lags up to 0 exactly, and none beyond",
    "readout-not-along": "In expectation V is 0 throughout",
    "present-counted-twice": "The expectation is biased in W in every entry, R in every entry; V is right",
    "cut-not-made-up-for": "that of the fault 'carried-scaling-left-out'",
}
"""Diagnoses of faults that the gallery does not have."""


@pytest.mark.parametrize("name", SAID)
def test_what_an_expectation_is_instead(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = fault_named(name)
    others = [each for each in ESTIMATORS if each.id == "carried-scaling-left-out"]
    monkeypatch.setattr(faults, "ESTIMATORS", others)
    case = matrix.case_of(fault.rule(), fault.found_by)
    seen = lively_problem(Network(), Sizes(2, 2, 1, 1), 0, weighted=True)
    said = diagnose(case, case.rule.settings(2)[0], seen)
    assert said is not None and SAID[name] in said, said


def test_a_right_expectation_has_no_diagnosis() -> None:
    case = matrix.case_of(build("uoro"), "expectation")
    assert diagnose(case, {}, lively_problem(Network(), Sizes(2, 2, 1, 1), 0, weighted=True)) is None
