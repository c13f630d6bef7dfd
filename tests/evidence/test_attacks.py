"""Rules that once got the wrong verdict: right ones that were refuted, wrong ones that passed."""

from __future__ import annotations

import dataclasses
from typing import Any

import lstm
import numpy as np
import pytest
from wrong_rules import made, wrong

import gradcheck
from gradcheck.algorithms.bptt import bptt
from gradcheck.algorithms.focused import Focused
from gradcheck.algorithms.online import run_online
from gradcheck.algorithms.truncated_bptt import truncated_bptt
from gradcheck.engine.request import AuditRequest
from gradcheck.evidence.base import Case, Witness
from gradcheck.evidence.exact import constants, enclosure, formal, ladder, modular
from gradcheck.evidence.floats import blackbox, comparison, lagwise
from gradcheck.evidence.sizes import leaves_out, spread
from gradcheck.problems.lively import branching_problems, lively_problem
from gradcheck.records import Status, Strength
from gradcheck.reference import lags
from gradcheck.reference.claims import Chunked, Claim, Equals, Exact, Truncated, every, rule
from gradcheck.reference.network import ContextNetwork, Network, Sizes
from gradcheck.reference.problem import Problem
from gradcheck.rules.adapt import as_rule


@dataclasses.dataclass(frozen=True)
class Gated:
    """z = 1 / (1 + exp(-Wz^T x)), a(t) = z a(t-1) + (1 - z) tanh(W^T x)."""

    name: str = "gated"

    def parameter_shapes(self, sizes: Sizes) -> dict[str, tuple[int, ...]]:
        return {"Wz": (sizes.D, sizes.I), "W": (sizes.D, sizes.I), "V": (sizes.I, sizes.K)}

    def state_shape(self, sizes: Sizes) -> tuple[int, ...]:
        return (sizes.I,)

    def sizes_of(self, parameters: Any, T: int) -> Sizes:
        return Sizes(T, parameters["W"].shape[1], parameters["W"].shape[0], parameters["V"].shape[1])

    def step(self, parameters: Any, state: Any, x: Any) -> Any:
        z = 1 / (1 + np.exp(-(parameters["Wz"].T @ x)))
        return z * state + (1 - z) * np.tanh(parameters["W"].T @ x)

    def readout(self, parameters: Any, state: Any) -> Any:
        return parameters["V"].T @ state

    def output(self, u: Any) -> Any:
        return u

    def loss_value(self, u: Any, y: Any) -> Any:
        return ((u - y) ** 2).sum() / 2

    def output_error(self, u: Any, y: Any) -> Any:
        return u - y


def gated_by_hand(problem: Problem) -> dict[str, Any]:
    """The textbook's z (1 - z) for the slope of a gate."""
    p, T = problem.parameters, problem.T
    a, z, h = [problem.initial_state], [], []
    for x in problem.inputs:
        z.append(1 / (1 + np.exp(-(p["Wz"].T @ x))))
        h.append(np.tanh(p["W"].T @ x))
        a.append(z[-1] * a[-1] + (1 - z[-1]) * h[-1])
    g = {name: np.zeros_like(array) for name, array in p.items()}
    back = np.zeros_like(a[0])
    for t in reversed(range(T)):
        e = p["V"].T @ a[t + 1] - problem.targets[t]
        back = back + p["V"] @ e
        g["V"] = g["V"] + np.outer(a[t + 1], e)
        g["Wz"] = g["Wz"] + np.outer(problem.inputs[t], back * (a[t] - h[t]) * z[t] * (1 - z[t]))
        g["W"] = g["W"] + np.outer(problem.inputs[t], back * (1 - z[t]) * (1 - h[t] ** 2))
        back = z[t] * back
    return g


@pytest.mark.parametrize("steepness", [1.0, 2.0**6, 2.0**9])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_slope_of_a_saturated_gate_is_allowed_what_its_textbook_form_rounds(steepness: float, dtype: Any) -> None:
    problem = lively_problem(Gated(), Sizes(5, 3, 2, 2), 0)
    problem = problem.replace(inputs=problem.inputs * steepness)
    seen, *_ = comparison.compare_on(as_rule(gated_by_hand), Exact(), problem, {}, dtype)
    assert seen.outside is None, seen.outside


def test_a_wrong_slope_of_a_saturated_gate_is_still_seen() -> None:
    def wrong(problem: Problem) -> dict[str, Any]:
        g = gated_by_hand(problem)
        return {**g, "Wz": g["Wz"] * 1.0001}

    problem = lively_problem(Gated(), Sizes(5, 3, 2, 2), 0)
    seen, *_ = comparison.compare_on(as_rule(wrong), Exact(), problem.replace(inputs=problem.inputs * 2.0**6), {})
    assert seen.outside is not None


class Reusing:
    """dL/dV alone, from one buffer for all steps."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        self.buffer = {name: np.zeros_like(array) for name, array in parameters.items()}
        return network, parameters, initial_state

    def step(self, state: Any, x: Any, y: Any) -> Any:
        network, p, a = state
        a = network.activation(p["W"].T @ x + p["R"].T @ a)
        self.buffer["V"][...] = np.outer(a, network.output_error(p["V"].T @ a, y))
        return (network, p, a), self.buffer


def test_an_online_rule_may_contribute_the_same_buffer_at_each_step() -> None:
    problem = lively_problem(Network(), Sizes(4, 3, 2, 2), 0)
    assert np.allclose(run_online(Reusing(), problem)["V"], bptt(problem)["V"], rtol=1e-12)


# Settings between the smallest and the largest.
def off_at(wrong_tau: int, shortest: int) -> Any:
    @rule(Truncated("tau"), settings=every("tau"))
    def truncated(problem: Problem, *, tau: int) -> Any:
        g = truncated_bptt(problem, tau=tau)
        off = tau == wrong_tau and shortest <= problem.T
        return {**g, "W": 2 * g["W"]} if off else g

    return truncated


@pytest.mark.parametrize(("tau", "shortest"), [(7, 1), (1, 8)])
def test_settings_that_no_proof_reaches_are_judged(tau: int, shortest: int) -> None:
    case = Case(as_rule(off_at(tau, shortest)), Truncated("tau"), Network())
    assert modular.Modular(sizes=modular.SIZES[:1]).gather(case).evidence.status is Status.REFUTED


def test_turns_take_other_settings_each_time() -> None:
    items = list(range(20))
    taken = [spread(items, 2, turn) for turn in range(10)]
    assert sorted(i for pair in taken for i in pair) == items and taken[0] == [1, 19]
    assert spread(items, 1) == [10] and spread(items[:2], 3, 5) == [0, 1]


# Horizons beyond the usual lengths.
@pytest.mark.parametrize("claim", [Truncated(200), Chunked(150)], ids=str)
def test_a_horizon_beyond_every_size_is_reached(claim: Claim) -> None:
    """Full BPTT passed for a truncation at 200, since it is one at T <= 200."""
    case = Case(as_rule(bptt), claim, Network())
    assert formal.Formal().gather(case).evidence.status is Status.NOT_RUN
    assert ladder.Ladder().gather(case).evidence.status is Status.NOT_RUN
    found = modular.Modular(sizes=modular.SIZES[:1]).gather(case)
    assert found.evidence.status is Status.REFUTED, found.evidence
    assert enclosure.Enclosure(sizes=enclosure.SMALL_SIZES[:1]).gather(case).evidence.status is Status.REFUTED


def test_a_truncation_beyond_every_size_holds() -> None:
    def cut(problem: Problem) -> Any:
        return truncated_bptt(problem, tau=200)

    case = Case(as_rule(cut), Truncated(200), Network())
    found = modular.Modular(sizes=modular.SIZES[:1]).gather(case)
    assert found.evidence.status is Status.HOLDS and "T=203" in found.evidence.scope, found.evidence


def test_a_horizon_that_cannot_be_reached_shows_nothing() -> None:
    case = Case(as_rule(bptt), Truncated(5000), Network())
    found = modular.Modular(sizes=modular.SIZES[:1]).gather(case)
    assert found.evidence.status is Status.NOT_RUN and "so it is the claim exact" in found.evidence.statement


def test_which_claims_say_something_else_than_exact() -> None:
    assert leaves_out(Truncated(3), 4) and not leaves_out(Truncated(3), 3)
    assert leaves_out(Chunked(3), 4) and not leaves_out(Chunked(3), 3) and not leaves_out(Exact(), 50)


def test_a_target_that_leaves_numpy_is_named() -> None:
    def floats_only(problem: Problem) -> Any:
        return {name: np.array(a, dtype=float) for name, a in bptt(problem).items()}

    case = Case(as_rule(made("plain")), Equals(floats_only), Network())
    kinds = (formal.Formal(), modular.Modular(), enclosure.Enclosure(), ladder.Ladder(), blackbox.BlackBox())
    for kind in kinds:
        seen = kind.gather(case).evidence
        assert seen.status is Status.NOT_RUN and "floats_only of the claim leaves plain NumPy" in seen.statement, seen


# What speaks against a claim in exact arithmetic, and not on floats.
def verdict_of(target: Any, **how: Any) -> Any:
    return gradcheck.audit(target, [Exact()], effort="quick", isolated=False, **how).verdicts[-1]


@pytest.mark.slow
def test_other_numbers_than_floats_alone_leave_it_open(brief: None, short_search: None) -> None:
    """Wrong on every exact scalar, right on floats, and nothing in it that rounds: this passed."""

    def differs(problem: Problem) -> Any:
        g = bptt(problem)
        return {**g, "R": g["R"] * 2} if problem.inputs.dtype == object else g

    verdict = verdict_of(differs)
    assert verdict.status is Status.INCONCLUSIVE, verdict.statement


def test_without_a_rounded_constant_rounding_explains_nothing(brief: None, short_search: None) -> None:
    """Wrong on polynomials, right on balls and floats, and no constant in it: no reason to speak of rounding."""

    def differs(problem: Problem) -> Any:
        g = bptt(problem)
        formal_alone = getattr(getattr(problem.inputs, "field", None), "name", "") == "formal"
        return {**g, "R": g["R"] * 2} if formal_alone else g

    verdict = verdict_of(differs)
    assert verdict.status is Status.INCONCLUSIVE and "rounded" not in verdict.statement, verdict.statement


def mean_then_sum(problem: Problem, spoilt: str = "") -> Any:
    """1/T is rounded before any scalar sees it, so in exact arithmetic T times it is not 1."""
    T = problem.T
    g = {name: (1.0 / T) * array * T for name, array in bptt(problem).items()}
    return {**g, "R": g["R"] * 0} if problem.network.activation.name == spoilt else g


@pytest.mark.slow
def test_rounded_constants_are_explained_network_by_network(brief: None, not_shrunk: None) -> None:
    networks = [Network(), Network("relu")]
    right = verdict_of(mean_then_sum, networks=networks)
    assert right.status is Status.HOLDS and right.strength is Strength.SUPPORTED, right.statement
    assert "as rounded constants do" in right.statement
    wrong = verdict_of(lambda problem: mean_then_sum(problem, "relu"), networks=networks)
    assert wrong.status is Status.REFUTED, wrong.statement


def test_a_constant_explains_no_more_than_its_rounding() -> None:
    case = Case(as_rule(mean_then_sum), Exact(), Network())
    witness = Witness(Network(), Sizes(7, 3, 2, 2), {}, "")
    assert constants.explain(case, witness)

    def more(problem: Problem) -> Any:
        g = mean_then_sum(problem)
        return {**g, "W": g["W"] * (1 + 2.0**-20)}

    assert not constants.explain(Case(as_rule(more), Exact(), Network()), witness)


@pytest.mark.slow
def test_a_proof_covers_networks_of_its_own_kind_only(brief: None, not_shrunk: None) -> None:
    """Wrong on polynomials, which passed for proved: the other kind of network was never asked."""
    focused, plain = as_rule(Focused), as_rule(bptt)

    def both(problem: Problem) -> Any:
        if "w" not in problem.parameters:
            return plain(problem)
        g = focused(problem)
        return {**g, "w": g["w"] * 2} if problem.T > 3 else g

    verdict = verdict_of(both, networks=[Network(), ContextNetwork()], weighted=True)
    assert verdict.status is Status.REFUTED, verdict.statement
    relus = [Network(), Network("relu")]
    assert verdict_of(bptt, networks=relus, weighted=True).strength is Strength.PROVED


def test_a_horizon_that_cannot_be_reached_is_no_pass() -> None:
    report = gradcheck.audit(bptt, [Truncated(5000)], effort="quick", isolated=False, networks=[Network()])
    assert not report.passed and report.verdicts[-1].status is Status.NOT_RUN, report.verdicts[-1].statement


def test_a_refuted_rule_is_told_what_it_computes(brief: None) -> None:
    verdict = verdict_of(wrong("new-state-in-dr"))
    assert verdict.diagnosis is not None and "the fault 'new-state-in-dr'" in verdict.diagnosis, verdict.diagnosis


def test_an_lstm_with_stacked_gates_is_audited_at_saturated_units_too() -> None:
    """Its matrices have the units along their first axis, four times."""
    for target, status in ((lstm.backward, Status.HOLDS), (lstm.forgetful, Status.REFUTED)):
        for kind in (enclosure.Enclosure(enclosure.SMALL_SIZES[:1]), blackbox.BlackBox(sizes=(Sizes(5, 3, 2, 2),))):
            evidence = kind.gather(Case(as_rule(target), Exact(), lstm.LSTM())).evidence
            assert evidence.status is status, evidence
    problem = branching_problems(lstm.LSTM(), 0)["saturated and inactive units"]
    assert np.abs(problem.parameters["W"]).max() > 50


def test_where_rounding_hides_every_lag_the_lags_say_nothing() -> None:
    """A result in float16 is judged by what float16 rounds, which leaves nothing of the lags to see."""

    def halved(problem: Any) -> Any:
        return {name: array.astype(np.float16) for name, array in bptt(problem).items()}

    found = lagwise.Lagwise().gather(Case(as_rule(halved, claims=[Exact()]), Exact(), Network()))
    assert found.evidence.status is Status.INCONCLUSIVE, found.evidence
    assert "every lag" in found.evidence.statement


class Leaky(Network):
    """A network of ours with a number of its own, which counts for nothing when two are compared."""

    def __init__(self, activation: Any = "tanh", *, leak: float = 0.5):
        super().__init__(activation)
        object.__setattr__(self, "leak", leak)

    def step(self, parameters: Any, state: Any, x: Any) -> Any:
        return self.leak * state + super().step(parameters, state, x)


def leaks_a_half(problem: Any) -> Any:
    return lags.gradient(problem.replace(network=Leaky(leak=0.5)))


@pytest.mark.parametrize("leak", [0.5, 0.75])
def test_a_proof_is_of_the_network_with_all_that_a_subclass_adds(leak: float) -> None:
    case = Case(as_rule(leaks_a_half, claims=[Exact()]), Exact(), Leaky(leak=leak))
    found = formal.Formal(largest_T=2, shapes=((1, 1, 1),)).gather(case)
    assert found.evidence.status is (Status.HOLDS if leak == 0.5 else Status.REFUTED), found.evidence


def test_a_proof_covers_networks_that_differ_in_their_functions_alone() -> None:
    def alike(*networks: Any) -> list[int]:
        prepared = AuditRequest(bptt, claims=(Exact(),), networks=networks).prepare()
        return [prepared.first_alike(number) for number in range(len(networks))]

    assert alike(Network("tanh"), Network("logistic"), Network("relu")) == [0, 0, 0]
    assert alike(Leaky(leak=0.25), Leaky(leak=0.75), Leaky("relu", leak=0.25)) == [0, 1, 0]
