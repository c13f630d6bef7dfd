"""Unbiased estimators: the expectation by moments, by outcomes, and by a sequential test."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import stochastic_rules as rules

import gradcheck
from gradcheck.algorithms import artbp, bptt
from gradcheck.evidence.base import Case, Kind
from gradcheck.evidence.drawn import OnDrawnNoise
from gradcheck.evidence.exact.enclosure import Enclosure
from gradcheck.evidence.exact.formal import Formal
from gradcheck.evidence.exact.modular import Modular
from gradcheck.evidence.floats import sampling
from gradcheck.evidence.floats.sampling import Sampling, Test
from gradcheck.problems.lively import lively_problem
from gradcheck.records import Evidence, Status, Strength
from gradcheck.reference.claims import Unbiased
from gradcheck.reference.errors import GradcheckError, UnsupportedOperation
from gradcheck.reference.network import DEFAULT_NETWORK
from gradcheck.reference.networks.base import Sizes
from gradcheck.reference.noise import Noise, SampledNoise
from gradcheck.reference.problem import Problem
from gradcheck.reference.scalars.ball import BallField
from gradcheck.reference.scalars.rational import RationalField
from gradcheck.rules.adapt import as_rule
from gradcheck.rules.expectation import TooManyOutcomes, expectation, mean, moments, outcomes

FORMAL = Formal(2, ((1, 1, 1), (2, 1, 1)))
MODULAR = Modular((Sizes(3, 2, 1, 1),), 1)
BALLS = Enclosure((Sizes(2, 2, 1, 1),), 1)
SMALL = lively_problem(DEFAULT_NETWORK, Sizes(2, 1, 1, 1), 0)


def case_of(rule: Any) -> Case:
    return Case(expectation(as_rule(rule, claims=[Unbiased()])), Unbiased(), DEFAULT_NETWORK)


def found(kind: Kind, rule: Any) -> Evidence:
    return kind.gather(case_of(rule)).evidence


@pytest.mark.parametrize("rule", [rules.uoro, rules.uoro_normal, rules.cut], ids=lambda rule: rule.__name__)
def test_right_estimators_are_proved(rule: Any) -> None:
    evidence = found(FORMAL, rule)
    assert (evidence.status, evidence.strength) == (Status.HOLDS, Strength.PROVED), evidence.statement


@pytest.mark.parametrize("kind", [MODULAR, BALLS], ids=lambda kind: kind.kind)
@pytest.mark.parametrize("rule", rules.RIGHT, ids=lambda rule: rule.__name__)
def test_right_estimators_hold_on_every_outcome(rule: Any, kind: Kind) -> None:
    evidence = found(kind, rule)
    assert (evidence.status, evidence.strength) == (Status.HOLDS, kind.strength), evidence.statement


@pytest.mark.parametrize("kind", [FORMAL, MODULAR, BALLS], ids=lambda kind: kind.kind)
@pytest.mark.parametrize("rule", rules.WRONG, ids=lambda rule: rule.__name__)
def test_biased_estimators_are_refuted(rule: Any, kind: Kind) -> None:
    evidence = found(kind, rule)
    assert evidence.status is Status.REFUTED, evidence.statement


def test_all_4096_outcomes_are_gone_through_at_once() -> None:
    evidence = found(Modular((Sizes(4, 3, 1, 1),), 1), rules.uoro)
    assert (evidence.status, evidence.strength) == (Status.HOLDS, Strength.EXACT)
    problem = lively_problem(DEFAULT_NETWORK, Sizes(4, 3, 1, 1), 0)
    noise = SampledNoise(0)
    rules.uoro(problem, noise)
    assert sum(draw.size for draw, _ in noise.drawn) == 12


def test_a_function_of_noise_is_refused_on_polynomials() -> None:
    evidence = found(FORMAL, rules.uoro_scaled)
    assert evidence.status is Status.NOT_RUN and "sqrt of what depends on noise" in evidence.statement


@gradcheck.rule(Unbiased())
def divides(problem: Problem, noise: Noise) -> Any:
    """Divide by a draw that may be 0, and multiply by it again."""
    b = noise.bernoulli(0.5)
    return {name: array * b / b for name, array in bptt(problem).items()}


@pytest.mark.parametrize("kind", [FORMAL, MODULAR], ids=lambda kind: kind.kind)
def test_a_division_by_noise_is_refused(kind: Kind) -> None:
    evidence = found(kind, divides)
    assert evidence.status is Status.NOT_RUN and "division by" in evidence.statement


@gradcheck.rule(Unbiased())
def fourth_power(problem: Problem, noise: Noise) -> Any:
    """Weigh the gradient by nu^4 / 3, whose expectation is 1."""
    nu = noise.normal()
    return {name: array * (nu * nu * nu * nu / 3) for name, array in bptt(problem).items()}


def test_nodes_are_refused_where_the_degree_is_too_high() -> None:
    assert found(FORMAL, fourth_power).strength is Strength.PROVED  # moments have no such bound
    for kind in (MODULAR, BALLS):
        evidence = found(kind, fourth_power)
        assert evidence.status is Status.NOT_RUN and "no polynomial of degree 3" in evidence.statement


def test_too_many_outcomes_are_refused() -> None:
    long = lively_problem(DEFAULT_NETWORK, Sizes(9, 1, 1, 1), 0)
    with pytest.raises(TooManyOutcomes, match="more than 256 outcomes"):
        mean(rules.uoro, long)
    evidence = found(Modular((Sizes(3, 2, 1, 1), Sizes(8, 2, 1, 1)), 1), rules.uoro)
    assert evidence.strength is Strength.EXACT and "T=8" not in evidence.scope


def adaptive(problem: Problem, noise: Noise) -> Any:
    """Draw another sign only where the first is 1; E = 1."""
    weight = 1 + (noise.signs() if noise.signs() > 0 else 0) * problem.inputs[0, 0]
    return {name: array * weight for name, array in bptt(problem).items()}


def test_later_draws_may_depend_on_earlier_ones() -> None:
    seen = [noise.weight for noise, _ in outcomes(lambda noise: adaptive(SMALL, noise), SMALL.inputs)]
    assert list(map(float, seen)) == [0.25, 0.25, 0.5]
    for name, array in mean(adaptive, SMALL).items():
        assert np.allclose(array, bptt(SMALL)[name], rtol=1e-12, atol=0)


def test_expectations_agree_between_number_systems() -> None:
    network = gradcheck.Network("identity", "identity", "squared_error")
    problem = lively_problem(network, Sizes(3, 2, 1, 1), 0)
    rational = problem.over(RationalField())
    true = bptt(rational)
    assert all(np.array_equal(array, true[name]) for name, array in mean(rules.uoro, rational).items())
    assert all(np.array_equal(array, true[name]) for name, array in mean(rules.cut, rational).items())
    off = mean(rules.correlated, rational)
    assert any(not np.array_equal(array, true[name]) for name, array in off.items())


def test_a_rule_with_a_generator_of_its_own_runs_on_floats_alone() -> None:
    rule = as_rule(rules.own_generator)
    assert rule.reseeded and not as_rule(rules.uoro).reseeded
    before = np.random.get_state()[1].tobytes()  # type: ignore[union-attr, index]
    one, two = rule(SMALL), rule(SMALL)
    assert np.random.get_state()[1].tobytes() == before  # type: ignore[union-attr, index]
    assert all(np.array_equal(one[name], two[name]) for name in one)
    with pytest.raises(UnsupportedOperation, match="a draw from a generator of its own"):
        mean(rules.own_generator, SMALL.over(BallField(64)))
    for kind in (FORMAL, MODULAR, BALLS):
        assert found(kind, rules.own_generator).status is Status.NOT_RUN
    assert found(BALLS, bptt).strength is Strength.CERTIFIED  # a rule that draws nothing is its own expectation


# The sequential test.


@pytest.mark.parametrize("rule", [rules.variance_of_a_third, rules.own_generator_biased, rules.correlated])
def test_a_bias_is_found_by_sampling(rule: Any) -> None:
    evidence = found(Sampling(always=True), rule)
    assert (evidence.status, evidence.strength) == (Status.REFUTED, Strength.SUPPORTED), evidence.statement
    assert "probability below 1e-06" in evidence.statement and "symmetrically" in evidence.statement
    assert "seed 0" in evidence.scope


def alarms_of_a_rule_that_is_seldom_far_off() -> int:
    """Return how many of 12 tests refute ARTBP that cuts 99 times out of 100: what is left counts 100 times."""
    alarms = 0
    for seed in range(12):
        problem = lively_problem(DEFAULT_NETWORK, sampling.SIZE, seed)
        every = list(outcomes(functools.partial(artbp, problem, c=0.99), problem.inputs))
        results = np.array([sampling.flat(result) for _, result in every])
        chances = np.array([float(noise.weight) for noise, _ in every])
        rng, test = np.random.default_rng(seed), sampling.Test(chances @ results, seed)
        for _ in range(100):
            test.add(rng.multinomial(sampling.BATCH, chances / chances.sum()) @ results / sampling.BATCH)
        alarms += test.refuted
    return alarms


def test_skewness_makes_false_alarms_rarer(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = alarms_of_a_rule_that_is_seldom_far_off()
    monkeypatch.setattr(sampling, "_by_skewness", lambda S, V, C, n: 1.0)
    ignored = alarms_of_a_rule_that_is_seldom_far_off()
    assert counted < ignored / 2, f"{counted} of 12 right rules are refuted with it, {ignored} without"


def test_a_small_bias_in_one_direction_is_found() -> None:
    @gradcheck.rule(Unbiased())
    def tilted(problem: Problem, noise: Noise) -> Any:
        true, found = bptt(problem), rules.artbp(problem, noise)
        tilt = {name: np.random.default_rng(5).normal(size=array.shape) for name, array in true.items()}
        size, most = (np.sqrt(sum((a**2).sum() for a in d.values())) for d in (tilt, true))
        return {name: array + 0.05 * most / size * tilt[name] for name, array in found.items()}

    evidence = found(Sampling(Sizes(10, 8, 2, 2), always=True), tilted)
    assert evidence.status is Status.REFUTED, evidence.statement
    assert found(Sampling(always=True), rules.cut).status is Status.HOLDS


def test_too_few_draws_leave_the_claim_open() -> None:
    evidence = found(Sampling(seconds=0, always=True), rules.uoro)
    assert evidence.status is Status.INCONCLUSIVE and "too wide to tell" in evidence.statement


def test_sampling_is_left_out_where_outcomes_can_be_gone_through() -> None:
    assert found(Sampling(), rules.uoro).status is Status.NOT_RUN


def simulated(results: np.ndarray[Any, Any], truth: np.ndarray[Any, Any], seed: int, batches: int = 50) -> Test:
    """Run the test on batches of independent draws from a list of equally likely results."""
    rng, test = np.random.default_rng(seed), Test(truth, seed)
    for _ in range(batches):
        counts = rng.multinomial(sampling.BATCH, np.full(len(results), 1 / len(results)))
        test.add(counts @ results / sampling.BATCH)
    return test


def every_result(rule: Callable[..., Any], problem: Problem) -> np.ndarray[Any, Any]:
    run = outcomes(lambda noise: rule(problem, noise), problem.inputs)
    return np.array([sampling.flat(result) for _, result in run])


def test_a_thousand_right_runs_raise_no_more_alarms_than_said() -> None:
    problem = lively_problem(DEFAULT_NETWORK, Sizes(3, 2, 1, 1), 0)
    results = every_result(rules.uoro, problem)
    truth = sampling.flat(bptt(problem))
    most = [simulated(results, truth, seed).evidence for seed in range(1000)]
    assert not any(evidence >= 1 / sampling.ALARM for evidence in most)
    for rate in (0.1, 0.05, 0.01):  # the same process stopped at other bounds
        allowed = 1000 * rate + 4 * np.sqrt(1000 * rate)
        assert sum(evidence >= 1 / rate for evidence in most) <= allowed
    wrong = [simulated(results, 0.5 * truth, seed, 150).refuted for seed in range(10)]
    assert all(wrong)


def test_intervals_hold_the_bias() -> None:
    problem = lively_problem(DEFAULT_NETWORK, Sizes(3, 2, 1, 1), 0)
    results, truth = every_result(rules.uoro, problem), sampling.flat(bptt(problem))
    for claimed in (truth, 0.9 * truth):
        true = (np.linalg.norm(truth) - np.linalg.norm(claimed)).item()
        for seed in range(20):
            centre, width = simulated(results, claimed, seed).interval()
            assert abs(centre - true) <= width


# Audits.


def judged(report: Any, claim: str) -> Any:
    return next(verdict for verdict in report.verdicts if verdict.claim == claim)


def test_an_audit_proves_and_refutes(brief: None) -> None:
    report = gradcheck.audit(rules.cut, effort="quick", isolated=False)
    verdict = judged(report, "unbiased")
    assert report.passed and "equal as polynomials" in verdict.statement
    assert "the expectation of the result over its noise is the gradient" in verdict.statement
    verdict = judged(gradcheck.audit(rules.uncorrected, effort="quick", isolated=False), "unbiased")
    example = verdict.counterexample
    assert verdict.status is Status.REFUTED and example is not None
    assert "The expectation over the noise of the result of uncorrected" in example.snippet.replace("\n# ", " ")
    assert "from gradcheck.rules.expectation import mean" in example.snippet
    space: dict[str, Any] = {}
    exec(example.snippet, space)
    assert abs(space["got"] - space["true"]) > 0.01
    assert str(gradcheck.replay(example, rules.uncorrected, isolated=False)).startswith("STILL WRONG")
    assert str(gradcheck.replay(example, rules.cut, isolated=False)).startswith("FIXED")


def test_a_rule_of_its_own_generator_is_refuted_with_its_error_rate(brief: None) -> None:
    report = gradcheck.audit(rules.own_generator_biased, effort="quick", isolated=False)
    verdicts = {v.claim: v for v in report.verdicts}
    assert verdicts["pure"].status is Status.HOLDS
    assert verdicts["unbiased"].status is Status.REFUTED and verdicts["unbiased"].counterexample is None
    assert "1e-06" in verdicts["unbiased"].statement


def kept_generator() -> Any:
    rng = np.random.default_rng(0)

    @gradcheck.rule(Unbiased())
    def rule(problem: Problem) -> Any:
        return {name: array * rng.choice([0.0, 2.0]) for name, array in bptt(problem).items()}

    return rule


def test_a_rule_that_keeps_a_generator_is_not_pure(brief: None) -> None:
    report = gradcheck.audit(kept_generator(), effort="quick", isolated=False)
    verdicts = {v.claim: v for v in report.verdicts}
    assert verdicts["pure"].status is Status.REFUTED and "noise" in verdicts["pure"].statement
    assert verdicts["unbiased"].status is Status.NOT_RUN


def test_a_stochastic_rule_may_claim_to_be_exact(brief: None) -> None:
    @gradcheck.rule(gradcheck.Exact())
    def of_any_noise(problem: Problem, noise: Noise) -> Any:
        sign = noise.signs()
        return {name: array * sign * sign for name, array in bptt(problem).items()}

    for kind in (FORMAL, MODULAR):
        evidence = OnDrawnNoise(kind).gather(Case(as_rule(of_any_noise), gradcheck.Exact(), DEFAULT_NETWORK)).evidence
        assert (evidence.status, evidence.strength) == (Status.HOLDS, Strength.SUPPORTED)
        assert "on noise drawn at random" in evidence.statement
    claimed = as_rule(rules.uoro, claims=[gradcheck.Exact()])
    exact = judged(gradcheck.audit(claimed, effort="quick", isolated=False), "exact")
    assert exact.status is Status.REFUTED and exact.counterexample is not None


# Moments.


def test_the_variance_is_exact() -> None:
    problem = lively_problem(DEFAULT_NETWORK, Sizes(4, 2, 1, 1), 0)
    known = moments(rules.uoro, problem)
    true = bptt(problem)
    assert known.outcomes == 256
    assert all(np.allclose(known.mean[name], array, rtol=1e-9, atol=1e-12) for name, array in true.items())
    results, flat = every_result(rules.uoro, problem), sampling.flat(true)
    expected = ((results - flat) ** 2).sum(axis=1).mean() / (flat**2).sum()
    assert np.isclose(known.variance, expected, rtol=1e-9)
    with pytest.raises(GradcheckError, match="not stochastic"):
        moments(bptt, problem)


def test_a_claim_may_be_given_at_the_audit() -> None:
    bare = dataclasses.replace(as_rule(rules.own_generator), source=None)
    assert not bare.stochastic
    assert as_rule(lambda problem: bptt(problem), claims=[Unbiased()]).reseeded


@gradcheck.rule(Unbiased())
def of_two_degrees(problem: Problem, noise: Noise) -> Any:
    """Add nu^6 - 5 nu^4 + 4 nu^2, whose expectation is 4, and which is 0 at nu = 1, 2 and -1, -2."""
    square = noise.normal() ** 2
    return {name: array + (square**3 - 5 * square**2 + 4 * square) for name, array in bptt(problem).items()}


def test_nodes_are_not_deceived_by_zeros_at_whole_numbers() -> None:
    assert found(FORMAL, of_two_degrees).status is Status.REFUTED
    for kind in (MODULAR, BALLS):
        assert found(kind, of_two_degrees).status is Status.NOT_RUN


@gradcheck.rule(Unbiased())
def of_rounded_constants(problem: Problem, noise: Noise) -> Any:
    """Weigh the gradient by b / p, where p is 0.1 in one place and 1 - 0.9 in the other."""
    weight = noise.bernoulli(0.1) / (1 - 0.9)
    return {name: array * weight for name, array in bptt(problem).items()}


def test_rounded_constants_refute_nothing(brief: None) -> None:
    verdict = judged(gradcheck.audit(of_rounded_constants, effort="quick", isolated=False), "unbiased")
    assert verdict.status is Status.INCONCLUSIVE and "rounding of the rule's own constants" in verdict.statement
