"""Noise, and the rules that draw from it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from gradcheck.algorithms import bptt
from gradcheck.algorithms.online import run_online, run_rule
from gradcheck.evidence.base import Case
from gradcheck.evidence.cost.online import Causality
from gradcheck.problems.lively import lively_problem
from gradcheck.records import Status
from gradcheck.reference.claims import Online
from gradcheck.reference.errors import GradcheckError, UnsupportedOperation
from gradcheck.reference.network import DEFAULT_NETWORK
from gradcheck.reference.networks.base import Sizes
from gradcheck.reference.noise import Noise, ReplayedNoise, SampledNoise, WrongDraw
from gradcheck.reference.problem import Problem
from gradcheck.reference.scalars.ball import BallField
from gradcheck.reference.scalars.counted import CountedField
from gradcheck.reference.scalars.float_ball import FloatBallField
from gradcheck.reference.scalars.formal import FormalField
from gradcheck.reference.scalars.precise import PreciseField
from gradcheck.reference.scalars.rational import RationalField
from gradcheck.reference.scalars.residues.array import ResidueField
from gradcheck.reference.scalars.residues.modular import ModularField
from gradcheck.rules.adapt import as_rule
from gradcheck.rules.sources import by_content, seeded

PROBLEM = lively_problem(DEFAULT_NETWORK, Sizes(3, 2, 1, 1), 0)
FIELDS = [RationalField(), ModularField(), ResidueField(), PreciseField(30), BallField(64), FloatBallField(),
          FormalField(40), CountedField()]  # fmt: skip


def everything(noise: Noise) -> list[Any]:
    return [noise.signs((2, 3)), noise.bernoulli(0.25, 4), noise.normal(3), noise.uniform((1, 2)), noise.signs()]


def test_the_same_seed_gives_the_same_noise() -> None:
    for one, two in zip(everything(SampledNoise(5)), everything(SampledNoise(5)), strict=True):
        assert np.array_equal(one, two)
    assert not np.array_equal(SampledNoise(5).normal(3), SampledNoise(6).normal(3))


def test_values_are_of_their_laws() -> None:
    noise = SampledNoise(1)
    signs, ones = noise.signs(4000), noise.bernoulli(0.25, 4000)
    normal, uniform = noise.normal(4000), noise.uniform(4000)
    assert set(signs) == {-1.0, 1.0} and set(ones) == {0.0, 1.0}
    assert abs(signs.mean()) < 0.1 and abs(ones.mean() - 0.25) < 0.04
    assert abs(normal.mean()) < 0.1 and abs(normal.var() - 1) < 0.15
    assert 0 <= uniform.min() and uniform.max() < 1 and abs(uniform.var() - 1 / 12) < 0.01


def test_replayed_noise_repeats_what_was_drawn() -> None:
    first = SampledNoise(7)
    drawn = everything(first)
    again = ReplayedNoise(first.drawn)
    assert all(map(np.array_equal, drawn, everything(again)))
    with pytest.raises(WrongDraw, match="after the last of the 5 draws"):
        again.signs(1)


def test_replayed_noise_refuses_another_run() -> None:
    first = SampledNoise(7)
    everything(first)
    with pytest.raises(WrongDraw, match=r"is signs\(3,\); replayed is signs\(2, 3\), of another run"):
        ReplayedNoise(first.drawn).signs(3)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: type(field).__name__)
def test_draws_come_back_in_the_numbers_of_the_run(field: Any) -> None:
    like = field.lift(np.ones((2, 2)))
    for drawn, plain in zip(everything(SampledNoise(3, like)), everything(SampledNoise(3)), strict=True):
        assert np.shape(drawn) == np.shape(plain)
        assert np.shape(drawn + like[0, 0]) == np.shape(plain)


def test_float32_stays_float32() -> None:
    assert SampledNoise(3, np.ones(2, np.float32)).normal(3).dtype == np.float32


@pytest.mark.parametrize("shape", [-1, 1.5, "2", (2, -1), (True,), None, [[1]]])
def test_a_bad_shape_is_refused(shape: Any) -> None:
    with pytest.raises(WrongDraw, match="noise has no shape"):
        SampledNoise().signs(shape)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan"), "0.5", None, 1j, Fraction(3, 2), np.float64(2)])
def test_a_bad_probability_is_refused(p: Any) -> None:
    with pytest.raises(WrongDraw, match=r"wanted a number in \[0, 1\]"):
        SampledNoise().bernoulli(p, 2)


def test_probabilities_may_differ_between_entries() -> None:
    noise = SampledNoise()
    assert list(noise.bernoulli(np.array([0.0, 1.0]), (5, 2))[0]) == [0, 1]
    assert noise.drawn[0][0].p[:2] == (0, 1)
    with pytest.raises(WrongDraw, match="broadcast"):
        noise.bernoulli(np.array([0.0, 1.0]), 3)


def test_a_probability_made_of_residues_is_refused() -> None:
    for field in (ModularField(), ResidueField(), FloatBallField(), FormalField(4)):
        like = field.lift(np.ones(2))
        with pytest.raises(UnsupportedOperation, match="a probability that depends on the rule's numbers"):
            SampledNoise(0, like).bernoulli(like[0] * 0.5, 3)
    half = RationalField().lift(np.ones(2))[0] / 2
    noise = SampledNoise(0)
    noise.bernoulli(half, 1)
    assert noise.drawn[0][0].p == (Fraction(1, 2),)


def noisy(problem: Problem, noise: Noise) -> Any:
    return {name: array * noise.signs() for name, array in bptt(problem).items()}


class Stepping:
    def start(self, network: Any, parameters: Any, initial_state: Any, noise: Noise) -> Any:
        return parameters, noise.normal()

    def step(self, state: Any, x: Any, y: Any, noise: Noise) -> Any:
        return state, {name: (array + state[1]) * noise.signs() for name, array in state[0].items()}


class Weighted(Stepping):
    def step(self, state: Any, x: Any, y: Any, weight: Any, noise: Noise) -> Any:  # type: ignore[override]
        return super().step(state, x, y, noise)


@pytest.mark.parametrize("rule", [noisy, Stepping])
def test_rules_are_run_on_noise(rule: Any) -> None:
    one, two = (run_rule(rule, PROBLEM, noise=SampledNoise(seed)) for seed in (1, 2))
    again = run_rule(rule, PROBLEM, noise=SampledNoise(1))
    assert all(np.array_equal(one[name], again[name]) for name in one)
    assert any(not np.array_equal(one[name], two[name]) for name in one)
    with pytest.raises(GradcheckError, match="draws from noise; give it some"):
        run_rule(rule, PROBLEM)


def test_noise_that_is_not_wanted_is_refused() -> None:
    with pytest.raises(GradcheckError, match="bptt takes no noise"):
        run_rule(bptt, PROBLEM, noise=SampledNoise())


def test_an_adapted_rule_draws_the_same_noise_in_each_call() -> None:
    for target, weighted in [(noisy, None), (Stepping, None), (Stepping(), None), (Weighted, True)]:
        rule = as_rule(target, weighted=weighted)
        assert rule.stochastic
        one, two, other = rule(PROBLEM), rule(PROBLEM), rule.drawing(seeded(1))(PROBLEM)
        assert all(np.array_equal(one[name], two[name]) for name in one)
        assert any(not np.array_equal(one[name], other[name]) for name in one)
    assert not as_rule(bptt).stochastic
    direct = run_online(Stepping(), PROBLEM, noise=by_content(PROBLEM.inputs))
    assert all(np.array_equal(direct[name], array) for name, array in as_rule(Stepping)(PROBLEM).items())


def test_noise_in_a_wrong_place_is_refused() -> None:
    class Early(Stepping):
        def step(self, state: Any, x: Any, noise: Any, y: Any) -> Any:  # type: ignore[override]
            return state, None

    class AtStart(Stepping):
        def step(self, state: Any, x: Any, y: Any) -> Any:  # type: ignore[override]
            return state, None

    with pytest.raises(GradcheckError, match="passed in this order"):
        as_rule(Early)
    with pytest.raises(GradcheckError, match="give step the parameter noise too"):
        as_rule(AtStart)
    with pytest.raises(GradcheckError, match="takes one argument"):
        as_rule(lambda problem, seed: None)


class Peeking(Stepping):
    """Draw a number for each entry of the step, and keep to what was seen."""

    def start(self, network: Any, parameters: Any, initial_state: Any, noise: Noise) -> Any:
        return parameters, initial_state.sum()

    def step(self, state: Any, x: Any, y: Any, noise: Noise) -> Any:
        parameters, seen = state
        seen = seen + x.sum()
        return (parameters, seen), {name: array * seen * noise.signs() for name, array in parameters.items()}


class Foreseeing(Peeking):
    """Contribute what depends on how often it was called: a stand-in for one that knows the future."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def step(self, state: Any, x: Any, y: Any, noise: Noise) -> Any:
        self.calls.append(x)
        state, found = super().step(state, x, y, noise)
        return state, {name: array + len(self.calls) for name, array in found.items()}


def test_causality_is_judged_given_the_noise() -> None:
    for target, status in [(Peeking, Status.HOLDS), (Foreseeing(), Status.REFUTED)]:
        rule = as_rule(target, claims=[Online()])
        evidence = Causality((Sizes(4, 2, 1, 1),)).gather(Case(rule, Online(), DEFAULT_NETWORK)).evidence
        assert evidence.status is status, evidence.statement
