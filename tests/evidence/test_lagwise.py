"""Lag by lag on floats: which lags a rule has, each told by entries of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from wrong_rules import as_black_box, made, wrong

import gradcheck
from gradcheck.algorithms import Focused, bptt
from gradcheck.evidence.base import Case
from gradcheck.evidence.budget import Budget
from gradcheck.evidence.floats import lagwise
from gradcheck.explain import counterexample
from gradcheck.records import Status
from gradcheck.reference import lags
from gradcheck.reference.claims import Chunked, Claim, Equals, Exact, Truncated, Windowed
from gradcheck.reference.network import ContextNetwork, Network, Sizes
from gradcheck.rules.adapt import as_rule

SIZE = Sizes(24, 5, 24, 2)


@pytest.fixture(autouse=True)
def undiagnosed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with the wrong rules here is for tests/evidence/test_diagnosis.py to say."""
    monkeypatch.setattr("gradcheck.engine.tasks.diagnose", lambda *_, **__: None)


def keeping(kept: Any) -> Any:
    """A rule that sums the lags that `kept`, a claim or a function of (t, k, T), keeps."""
    return lambda problem: lags.gradient(problem, getattr(kept, "keeps", kept))


def judged(rule: Any, claim: Claim = Exact(), network: Any = None, **kwargs: Any) -> Any:  # noqa: B008
    case = Case(as_rule(rule, claims=[claim], **kwargs), claim, network or Network())
    return lagwise.Lagwise(size=SIZE).gather(case)


@pytest.mark.parametrize(
    ("kept", "claim", "kind", "lags", "said"),
    [
        (Truncated(8), Exact(), "absent", range(8, 24), "absent beyond"),
        (Truncated(1), Exact(), "absent", range(1, 24), "absent beyond"),
        (Truncated(8), Truncated(12), "absent", range(8, 12), "absent beyond"),
        (Truncated(8), Truncated(5), "surplus", range(5, 8), "lags 5 to 7"),
        (Truncated(23), Exact(), "absent", [23], "absent beyond"),
        (Chunked(7), Exact(), "absent", range(3, 24), "absent beyond"),
        (lambda t, k, T: k != 5, Exact(), "absent", [5], "at lag 5"),
        (lambda t, k, T: k not in (5, 6, 9), Exact(), "absent", [5, 6, 9], "lags 5 to 6, 9"),
        (lambda t, k, T: k > 0, Exact(), "absent", [0], "at lag 0"),
        (lambda t, k, T: t < T, Exact(), "absent", range(24), "every lag"),
    ],
)
def test_missing_and_surplus_lags_are_named(kept: Any, claim: Claim, kind: str, lags: Any, said: str) -> None:
    finding = judged(keeping(kept), claim)
    assert finding.evidence.status is Status.REFUTED, finding.evidence
    assert finding.evidence.details == {kind: list(lags)}
    assert said in finding.evidence.statement
    assert finding.witness.floats and finding.witness.problem is not None


@pytest.mark.parametrize("claim", [Exact(), Truncated(1), Truncated(8), Chunked(7), Windowed(6, 4)], ids=str)
def test_right_rules_hold_under_every_claim(claim: Any) -> None:
    finding = judged(keeping(claim), claim)
    assert finding.evidence.status is Status.HOLDS, finding.evidence
    assert finding.planted == (2, 2)


@pytest.mark.parametrize(
    "network",
    [Network(a) for a in ("logistic", "relu", "softplus", "identity")]
    + [Network("tanh", "softmax", "categorical_cross_entropy"), Network("tanh", "logistic", "binary_cross_entropy")],
    ids=str,
)
def test_every_lag_has_entries_of_its_own_on_every_network(network: Any) -> None:
    right = judged(made("right"), network=network)
    assert right.evidence.status is Status.HOLDS, right.evidence
    assert right.evidence.details["lags"] == SIZE.T and right.evidence.blind == "other losses than the last"
    assert judged(keeping(Truncated(8)), network=network).evidence.details == {"absent": list(range(8, SIZE.T))}


def test_the_lectures_other_network_and_loss_weights() -> None:
    from gradcheck.algorithms import Focused

    finding = judged(Focused, network=ContextNetwork(), weighted=True)
    assert finding.evidence.status is Status.HOLDS, finding.evidence
    problem = lagwise.lagwise_problem(Case(as_rule(Focused, weighted=True), Exact(), ContextNetwork()), SIZE)
    assert np.nonzero(problem.loss_weights)[0].tolist() == [SIZE.T - 1]


def test_all_of_the_long_problems_lags_are_seen() -> None:
    case = Case(as_rule(made("right"), claims=[Exact()]), Exact(), Network())
    evidence = lagwise.Lagwise().gather(case).evidence
    assert evidence.details["lags"] == 41 and evidence.blind == "other losses than the last", evidence


def test_wrong_lags_are_told_from_absent_ones() -> None:
    name = "r-transposed-in-recursion"
    assert judged(wrong(name)).evidence.details == {"wrong": list(range(1, 24))}
    assert judged(wrong("scale-2")).evidence.details == {"wrong": list(range(24))}


def test_a_small_error_in_one_lag_is_told_as_that() -> None:
    """A fault of a millionth of the longest lag alone is told as that."""

    def rule(problem: Any) -> Any:
        found = made("right")(problem)
        found["W"][0] = found["W"][0] * (1 + 1e-6)
        return found

    finding = judged(rule, network=Network("logistic"))
    assert finding.evidence.details == {"wrong": [23]}, finding.evidence


class Blind(Network):
    """A network that adds up its inputs first, so that no entry of W tells one step from another."""

    def step(self, parameters: Any, state: Any, x: Any) -> Any:
        return super().step(parameters, state, x * 0 + x.sum())


def test_where_no_entry_belongs_to_one_lag_nothing_is_judged() -> None:
    finding = judged(made("right"), network=Blind())
    assert finding.evidence.status is Status.NOT_RUN, finding.evidence
    assert "not every lag has entries of its own" in finding.evidence.statement


def test_a_claim_about_another_rule_is_judged_lag_by_lag() -> None:
    claim = Equals(made("right"))
    assert judged(made("again"), claim).evidence.status is Status.HOLDS
    assert judged(keeping(Truncated(8)), claim).evidence.details == {"absent": list(range(8, SIZE.T))}


def test_an_audit_says_which_lags_a_black_box_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counterexample, "_search", lambda *args: None)  # the witness is enough of a counterexample

    def cut_at_3(problem: Any) -> Any:
        return lags.gradient(problem, Truncated(3).keeps)

    verdict = gradcheck.audit(as_black_box(cut_at_3), claims=[Exact()], effort="quick").verdicts[-1]
    assert verdict.status is Status.REFUTED and verdict.counterexample is not None, verdict.statement
    absent = verdict.evidence[-1].details["absent"]
    assert absent == list(range(3, absent[-1] + 1)), verdict.evidence[-1]


def test_lags_that_rounding_hides_are_not_agreed_on() -> None:
    part = {"size": [41, 5, 41, 2], "worst": 1e-4, "planted": [1, 1], "reach": 12, "kinks": 0, "normwise": False}
    part["coarse"] = False
    some, all_ = (lagwise._conclude([{**part, "hidden": hidden}], Budget()).evidence for hidden in (range(13, 41), []))
    assert some.scope.startswith("lags 0 to 12 of") and "lags 13 to 40" in some.blind
    assert all_.scope.startswith("lags 0 to 40 of")
    assert some.statement != all_.statement


def stops_where_nothing_matters(problem: Any) -> Any:
    """Carry an error back until it is 1e-17 of what it was: exact to rounding, but not in entries that come later."""
    W, R, V = (problem.parameters[name] for name in "WRV")
    a = [problem.initial_state]
    for x in problem.inputs:
        a.append(np.tanh(W.T @ x + R.T @ a[-1]))
    dW, dR, dV = np.zeros_like(W), np.zeros_like(R), np.zeros_like(V)
    for t in range(problem.T, 0, -1):
        e = V.T @ a[t] - problem.targets[t - 1]
        dV += np.outer(a[t], e)
        back = V @ e
        start = np.abs(back).max()
        for s in range(t, 0, -1):
            delta = (1 - a[s] ** 2) * back
            dW += np.outer(problem.inputs[s - 1], delta)
            dR += np.outer(a[s - 1], delta)
            back = R @ delta
            if np.abs(back).max() < 1e-17 * start:
                break
    return {"W": dW, "R": dR, "V": dV}


def test_lags_that_a_fading_state_makes_small_are_judged_too() -> None:
    rule = as_black_box(stops_where_nothing_matters)
    evidence = lagwise.Lagwise().gather(Case(as_rule(rule, claims=[Exact()]), Exact(), Network())).evidence
    assert evidence.status is Status.REFUTED, evidence
    assert "absent beyond" in evidence.statement and "T=12" in evidence.statement


ACTIVATIONS = ["identity", "logistic", "relu", "softplus"]


@pytest.mark.parametrize(
    "network",
    [*map(Network, ACTIVATIONS), Network("tanh", "softmax", "categorical_cross_entropy"), ContextNetwork()],
    ids=str,
)
def test_right_rules_hold_where_the_state_fades(network: Any) -> None:
    rule = as_rule(Focused if isinstance(network, ContextNetwork) else bptt)
    finding = lagwise.Lagwise().gather(Case(rule, Exact(), network))
    assert finding.evidence.status is Status.HOLDS and finding.planted == (2, 2), finding
    assert finding.evidence.details["worst_relative_error"] < 1e-9, finding
