"""Networks: those of the lecture, what is refused, and one made up here that needs no change in the reference."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from made_up import GatedLeaky, gate_forgotten, gated_bptt

import gradcheck
from gradcheck.evidence.preconditions.oracles import agreement
from gradcheck.problems.lively import lively_problem
from gradcheck.reference import lags, precise, symbolic
from gradcheck.reference.claims import Exact, Truncated
from gradcheck.reference.enclosure import enclose
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import (
    ALL_CONTEXT_NETWORKS,
    ALL_NETWORKS,
    ContextNetwork,
    Network,
    RecurrentNetwork,
    Sizes,
)
from gradcheck.reference.problem import Problem, empirical_risk, forward, loss

CELL = GatedLeaky()
SMALL = Sizes(3, 2, 2, 2)


@pytest.fixture(autouse=True)
def undiagnosed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with the wrong rules here is for tests/evidence/test_diagnosis.py to say."""
    monkeypatch.setattr("gradcheck.engine.tasks.diagnose", lambda *_, **__: None)


def test_the_lectures_networks() -> None:
    assert len(ALL_NETWORKS) == len(ALL_CONTEXT_NETWORKS) == 30
    for network in (*ALL_NETWORKS, *ALL_CONTEXT_NETWORKS, CELL):
        assert isinstance(network, RecurrentNetwork)
        sizes = Sizes(4, 3, 2, 2)
        problem = lively_problem(network, sizes, 0)
        assert problem.sizes == sizes
        states, readouts = forward(problem)
        assert len(states) == 5 and len(readouts) == 4
        assert hash(network) == hash(dataclasses.replace(network)) if network is CELL else hash(network)


def test_the_equations_of_the_lectures_network() -> None:
    problem = lively_problem(Network(), Sizes(2, 3, 2, 1), 0)
    W, R, V = (problem.parameters[n] for n in "WRV")
    a1 = np.tanh(W.T @ problem.inputs[0] + R.T @ problem.initial_state)
    a2 = np.tanh(W.T @ problem.inputs[1] + R.T @ a1)
    by_hand = sum(0.5 * ((V.T @ a - y) ** 2).sum() for a, y in zip((a1, a2), problem.targets, strict=True))
    assert loss(problem) == pytest.approx(by_hand, rel=1e-15)


def test_the_equations_of_mozers_network() -> None:
    problem = lively_problem(ContextNetwork("logistic"), Sizes(2, 3, 2, 1), 0)
    W, w, V = (problem.parameters[n] for n in ("W", "w", "V"))
    f = lambda s: 1 / (1 + np.exp(-s))  # noqa: E731
    c1 = w * problem.initial_state + f(W.T @ problem.inputs[0])
    c2 = w * c1 + f(W.T @ problem.inputs[1])
    by_hand = sum(0.5 * ((V.T @ c - y) ** 2).sum() for c, y in zip((c1, c2), problem.targets, strict=True))
    assert loss(problem) == pytest.approx(by_hand, rel=1e-14)


def test_the_mean_over_sequences_of_different_lengths() -> None:
    problems = [lively_problem(Network(), Sizes(T, 3, 2, 1), T) for T in (1, 4, 2)]
    assert empirical_risk(problems) == pytest.approx(np.mean([loss(p) for p in problems]), rel=1e-15)
    with pytest.raises(GradcheckError, match="R_emp is a mean over sequences; got none"):
        empirical_risk([])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            {"activation": "gelu"},
            "there is no activation 'gelu'; choose one of identity, logistic, relu, softplus, tanh",
        ),
        ({"output": "relu"}, "there is no output 'relu'"),
        ({"loss": "mse"}, "there is no loss 'mse'"),
        ({"loss": "binary_cross_entropy"}, "needs the output 'logistic'"),
    ],
)
def test_networks_that_do_not_exist(arguments: dict[str, str], said: str) -> None:
    with pytest.raises(GradcheckError) as raised:
        Network(**arguments)
    assert said in str(raised.value)


def test_a_made_up_network_goes_through_every_oracle() -> None:
    found = agreement(CELL)
    assert found.holds, found.statement
    assert set(found.digits) == {"reverse pass", "difference quotient", "dual numbers", "balls"}, "SymPy is the base"


def test_a_made_up_network_in_sympy() -> None:
    size = Sizes(2, 1, 1, 1)
    problem = lively_problem(CELL, size, 0)
    by_sympy = symbolic.numpy_function(CELL, size)(problem)
    by_tape = lags.gradient(problem)
    for name, array in by_tape.items():
        assert np.abs(by_sympy[name] - array).max() <= 1e-13 * max(1.0, np.abs(array).max()), name
    assert symbolic.matrices(CELL, Sizes(1, 1, 1, 1))["b"].shape == (1, 1)


def test_a_made_up_network_in_balls_and_digits() -> None:
    problem = lively_problem(CELL, Sizes(12, 3, 2, 2), 0)
    enclosure = enclose(problem)
    assert enclosure.narrow, enclosure.statement
    digits = precise.recursion(problem, 40)
    with enclosure.field.working():
        for name, array in enclosure.gradient.items():
            for ball, value in zip(enclosure.field.natives(array), digits[name].reshape(-1), strict=True):
                assert abs(float(ball.mid()) - float(value.value)) <= 1e-15 * max(1.0, abs(float(value.value)))


def test_a_made_up_network_by_lag() -> None:
    problem = lively_problem(CELL, Sizes(4, 2, 1, 1), 0)
    whole, parts = lags.gradient(problem), lags.by_lag(problem)
    for name, array in whole.items():
        assert np.abs(sum(part[name] for part in parts.values()) - array).max() < 1e-14
    shorter = lags.gradient(problem, Truncated(2).keeps)
    assert any(np.abs(shorter[n] - whole[n]).max() > 1e-6 for n in whole)


def test_a_rule_for_a_made_up_network_is_audited(brief: None) -> None:
    report = gradcheck.audit(gated_bptt, claims=[Exact()], networks=[CELL], effort="quick")
    assert report.passed, report
    verdict = report.verdicts[-1]
    kinds = {e.kind for e in verdict.evidence if e.status is gradcheck.Status.HOLDS}
    assert kinds >= {"formal", "modular", "enclosure", "ladder", "float64", "float32"}, kinds
    assert verdict.strength is gradcheck.Strength.PROVED


def test_a_wrong_rule_for_a_made_up_network_is_refuted(brief: None) -> None:
    report = gradcheck.audit(gate_forgotten, claims=[Exact()], networks=[CELL], effort="quick")
    verdict = report.verdicts[-1]
    assert verdict.status is gradcheck.Status.REFUTED, verdict.statement
    assert verdict.counterexample is not None
    exec(compile(verdict.counterexample.snippet, "snippet", "exec"), {})


def test_what_a_network_must_have() -> None:
    class Half:
        name = "half"

        def step(self, parameters: Any, state: Any, x: Any) -> Any:
            return state

    with pytest.raises(GradcheckError, match=r"lacks .*parameter_shapes.*readout"):
        gradcheck.rule(Exact(), networks=[Half()])  # type: ignore[list-item]
    with pytest.raises(GradcheckError, match=r"networks must be a list; got Network\(.*; write networks=\[\.\.\.\]"):
        gradcheck.rule(Exact(), networks=Network())  # type: ignore[arg-type]
    with pytest.raises(GradcheckError, match="networks is empty"):
        gradcheck.rule(Exact(), networks=[])


def test_problems_of_a_made_up_network_are_validated() -> None:
    problem = lively_problem(CELL, SMALL, 0)
    with pytest.raises(GradcheckError, match="initial_state has shape"):
        problem.replace(initial_state=problem.initial_state[0])
    with pytest.raises(GradcheckError, match="parameter S has shape"):
        problem.replace(parameters={**problem.parameters, "S": np.zeros((3, 2))})
    fresh = Problem(problem.parameters, problem.inputs, problem.targets, network=CELL)
    assert [part.shape for part in fresh.initial_state] == [(2,), (2,)]
    assert list(fresh.arrays())[-3:] == ["initial_state[0]", "initial_state[1]", "loss_weights"]
