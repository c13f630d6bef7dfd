"""Chapter on learning: its verdicts, and planted faults that each must see."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
import sympy as sp
from rule_cases import problem_on

from gradcheck.algorithms import RTRL, UORO, Schmidhuber, bptt, descend, risk_gradient, truncated_bptt
from gradcheck.algorithms.descent import descend_at_each_step
from gradcheck.chapters import learning
from gradcheck.chapters.learning import balance, estimates, immediate, tasks, trajectories
from gradcheck.chapters.truncation import balancing
from gradcheck.records import Collection, Status, Strength
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import Network, Sizes
from gradcheck.reference.noise import SampledNoise
from gradcheck.reference.problem import Problem


@pytest.fixture(scope="module")
def made() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "SEEDS", 1)
        patch.setattr(tasks, "STEPS", 20)
        patch.setattr(balance, "DRAWS", 4)
        patch.setattr(estimates, "PROBLEMS", 1)
        balance.spreads.cache_clear()
        estimates.estimates.cache_clear()
        yield learning.chapter()
        balance.spreads.cache_clear()
        estimates.estimates.cache_clear()


def test_the_chapter_passes(made: Any) -> None:
    assert Collection("", (), (made,)).passed
    by = {s.id: s for s in made.statements}
    assert by["learning-same-path"].verdict.strength is Strength.EXACT
    assert by["learning-immediate"].verdict.status is Status.REFUTED
    assert by["learning-immediate"].corrected_verdict.strength is Strength.PROVED
    assert by["learning-balancing"].verdict.strength is Strength.EXACT


def test_every_figure_and_table_has_numbers_for_each_rule(made: Any) -> None:
    assert len({figure.id for figure in made.figures}) == len(made.figures) == 6
    for figure in made.figures:
        assert all(np.isfinite(ys).all() and len(xs) == len(ys) for xs, ys in figure.series.values())
    for _, header, rows in made.tables:
        assert len(rows) >= 4 and all(len(row) == len(header) for row in rows)


# One path for all exact rules.
@pytest.mark.parametrize("activation", trajectories.NETWORKS)
def test_one_wrong_entry_leaves_the_path(activation: str) -> None:
    def wrong(problem: Problem) -> Any:
        found = bptt(problem)
        found["R"][0, 1] = found["R"][0, 1] * 2
        return found

    walk = trajectories.exact_walks()["bptt"]
    assert trajectories.parting(walk, trajectories.walk_of(wrong), activation) == 1


def test_a_rule_that_errs_late_leaves_the_path_late() -> None:
    calls = []

    def late(problem: Problem) -> Any:
        calls.append(problem)
        return truncated_bptt(problem, tau=1) if len(calls) > 30 else bptt(problem)

    walk = trajectories.exact_walks()["RTRL"]
    assert trajectories.parting(walk, trajectories.walk_of(late), "tanh") == 31


def test_a_truncated_rule_among_the_exact_ones_fails_the_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    walks = {**trajectories.exact_walks(), "RTRL": trajectories.truncated_walk()}
    monkeypatch.setattr(trajectories, "NETWORKS", ("tanh",))
    monkeypatch.setattr(trajectories, "exact_walks", lambda: walks)
    (statement,) = trajectories.statements()
    assert statement.verdict.status is Status.REFUTED


def test_a_control_that_follows_the_path_fails_the_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trajectories, "NETWORKS", ("tanh",))
    monkeypatch.setattr(trajectories, "truncated_walk", lambda: trajectories.exact_walks()["RTRL"])
    (statement,) = trajectories.statements()
    assert statement.verdict.status is Status.REFUTED


# An update at every step.
def test_the_gradient_itself_has_a_symmetric_jacobian() -> None:
    assert immediate.at_rest(immediate.movement()) == immediate.gradient()
    assert all(part == 0 for part in immediate.asymmetry(immediate.gradient()).values())
    assert all(part != 0 for part in immediate.asymmetry(immediate.movement()).values())
    assert immediate.order(immediate.gradient()) is None


def test_an_order_two_deviation_is_not_of_order_one(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = tuple(g + immediate.ETA**2 for g in immediate.gradient())
    assert immediate.order(moved) == 2
    monkeypatch.setattr(immediate, "movement", lambda: moved)
    (statement,) = immediate.statements()
    assert statement.corrected_verdict is not None
    assert statement.corrected_verdict.status is Status.REFUTED
    assert statement.verdict.status is Status.HOLDS


def test_the_program_shows_the_counterexample(made: Any) -> None:
    (statement,) = [s for s in made.statements if s.id == "learning-immediate"]
    example = statement.verdict.counterexample
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(example.snippet, "program", "exec"), {})
    assert float(out.getvalue().rpartition(": ")[2]) == pytest.approx(float(sp.Rational(example.got)), rel=1e-5)


def test_the_deviation_is_of_first_order() -> None:
    assert abs(immediate.measured_order() - 1) < 0.01


def test_the_first_step_is_that_of_the_first_loss() -> None:
    problem = problem_on(Network(), Sizes(4, 3, 2, 2), 1)
    path = descend_at_each_step(RTRL, problem, learning_rate=0.5)
    first = bptt(problem.prefix(1))
    for name, w in problem.parameters.items():
        np.testing.assert_allclose(path.parameters[1][name], w - 0.5 * first[name], rtol=1e-13, atol=1e-15)
    assert len(path.parameters) == len(path.risks) == 5
    assert np.array_equal(path.parameters[0]["R"], problem.parameters["R"])


def test_a_rule_that_gathers_steps_cannot_update_at_each() -> None:
    problem = problem_on(Network(), Sizes(4, 3, 2, 2), 1)
    with pytest.raises(GradcheckError, match="contribution every step"):
        descend_at_each_step(Schmidhuber(2), problem, learning_rate=0.5)


# Influence balancing.
def test_exact_rules_have_the_slope_of_the_lags() -> None:
    found, wanted = balance.by_blocks()
    assert balance.by_rtrl() == balancing.influence(balancing.STEPS) ** 2 and found == wanted


def test_a_truncated_slope_fails_the_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    truncated = balancing.influence(40) * balancing.influence(balancing.STEPS)
    monkeypatch.setattr(balance, "by_rtrl", lambda: truncated)
    (statement,) = balance.statements()
    assert statement.verdict.status is Status.REFUTED


def test_expected_losses_fall_for_exact_rules_and_climb_for_truncated_ones() -> None:
    mean = float(balancing.influence(balancing.STEPS)) ** 2
    exact, noisy = balance.expected_losses(mean), balance.expected_losses(mean, 300)
    climbing = balance.expected_losses(float(balancing.influence(40) * balancing.influence(balancing.STEPS)))
    assert exact[-1] < noisy[-1] < 1 < climbing[-1]
    assert balance.expected_losses(mean, 1000)[-1] > 1


# Bias and variance.
def test_unbiased_rules_have_no_bias_and_a_variance_truncated_ones_the_opposite(made: Any) -> None:
    (rows,) = [rows for caption, _, rows in made.tables if caption.startswith("Estimates")]
    by = {name: (bias, variance) for name, bias, variance, _ in rows}
    assert by["BPTT"] == ("0", "0")
    for name in ("truncated at 1", "RFLO", "SnAp-1"):
        assert float(by[name][0]) > 0.01 and by[name][1] == "0"
    for name in by.keys() - {"BPTT", "truncated at 1", "RFLO", "SnAp-1"}:
        assert by[name][0] == "0" and float(by[name][1]) > 0.01, name


def test_a_fair_coin_that_doubles_or_drops_the_gradient_has_variance_one() -> None:
    given = estimates.problem(3, 0)
    found = estimates.estimate(lambda problem, noise: _times(bptt(problem), 2 * noise.bernoulli(0.5)), given)
    assert found.bias == pytest.approx(0, abs=1e-12) and found.variance == pytest.approx(1) and found.cosine == 0.5
    biased = estimates.estimate(lambda problem, noise: _times(bptt(problem), 2 * noise.bernoulli(0.25)), given)
    assert biased.bias == pytest.approx(0.5)


def _times(gradient: Any, factor: Any) -> Any:
    return {name: part * factor for name, part in gradient.items()}


# Tasks.
@pytest.mark.parametrize("task", tasks.TASKS, ids=lambda task: task.name)
def test_a_task_asks_for_memory(task: tasks.Task) -> None:
    inputs, targets, weights = task.draw(np.random.default_rng(0), task.sizes)
    assert weights.sum() == pytest.approx(1)
    if task.name == "adding":
        assert targets[-1, 0] == pytest.approx(inputs[inputs[:, 1] == 1, 0].sum()) and inputs[:, 1].sum() == 2
    else:
        lost = [t for t in range(task.sizes.T) if weights[t] and targets[t, 0] != inputs[t - tasks.DELAY, 0]]
        assert not lost and np.flatnonzero(weights).tolist() == list(range(tasks.DELAY, task.sizes.T))


def test_exact_rules_learn_alike_and_minus_the_gradient_climbs(monkeypatch: pytest.MonkeyPatch) -> None:
    task = tasks.TASKS[0]
    one, other = tasks.learn(bptt, task, 0, steps=20), tasks.learn(RTRL, task, 0, steps=20)
    np.testing.assert_allclose(one, other, rtol=1e-9)
    assert one[-1] < one[0]

    def upward(problem: Problem) -> Any:
        return {name: -part for name, part in bptt(problem).items()}

    assert tasks.learn(upward, task, 0, steps=20)[-1] > one[0]


def test_a_stochastic_rule_learns_the_same_way_from_the_same_seed() -> None:
    task = tasks.TASKS[0]
    assert tasks.learn(UORO(), task, 1, steps=10) == tasks.learn(UORO(), task, 1, steps=10)
    assert tasks.learn(UORO(), task, 1, steps=10) != tasks.learn(UORO(), task, 2, steps=10)


def test_descent_draws_noise_for_a_stochastic_rule_alone() -> None:
    problem = problem_on(Network(), Sizes(4, 3, 2, 2), 1)
    noise = SampledNoise(0, problem.inputs)
    path = descend(UORO, [problem], learning_rate=0.01, steps=2, noise=noise)
    assert not np.array_equal(path.parameters[1]["R"], path.parameters[0]["R"])
    with pytest.raises(GradcheckError, match="noise"):
        risk_gradient(UORO, [problem])
    with pytest.raises(GradcheckError, match="noise"):
        risk_gradient(bptt, [problem], noise=noise)
