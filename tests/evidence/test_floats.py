"""Black boxes at float64 and float32: judged by their own format, and each report says what it could have seen."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from right_rules import by_numpy_at
from wrong_rules import as_black_box, made, wrong

import gradcheck
from gradcheck.algorithms import bptt
from gradcheck.evidence.base import Case
from gradcheck.evidence.floats import blackbox, comparison, kept, power
from gradcheck.evidence.floats.allowance import allowance
from gradcheck.explain import counterexample
from gradcheck.judge.effort import FULL
from gradcheck.judge.plans import plans
from gradcheck.problems.lively import branching_problems, lively_problem
from gradcheck.records import Status, Strength
from gradcheck.reference.claims import Exact
from gradcheck.reference.network import ContextNetwork, Network, Sizes
from gradcheck.reference.scalars.rounded import RoundedField
from gradcheck.rules.adapt import as_rule

RIGHT = made("right")
FORMATS = ("float64", "float32")
FEW = blackbox.SIZES[3:6]


def case_of(function: Any, network: Any = None, **kwargs: Any) -> Case:
    return Case(as_rule(function, claims=[Exact()], **kwargs), Exact(), network or Network())


def off_at(dtype: str, factor: float) -> Any:
    """Right but for dR, which is off by a factor where the problem is in that format."""

    def rule(problem: Any) -> Any:
        if problem.inputs.dtype == object:
            raise TypeError("floats only")
        found = RIGHT(problem)
        if problem.parameters["R"].dtype == np.dtype(dtype):
            found["R"] = found["R"] * problem.parameters["R"].dtype.type(factor)
        return found

    return rule


# Power


@pytest.mark.parametrize("activation", ["tanh", "logistic", "relu", "softplus", "identity"])
def test_every_lag_up_to_40_is_visible_at_float64(activation: str) -> None:
    problem = lively_problem(Network(activation), blackbox.SIZES[0], 0)
    reach = power.reaches(problem, allowance(Exact(), problem, RoundedField.for_dtype(np.float64)))
    assert {name: each.visible for name, each in reach.items()} == {"W": 40, "R": 40, "V": 0}, reach
    assert reach["V"].longest == 0, "the readout has no later lag to see"


def test_the_power_is_stated_for_each_format() -> None:
    found = {kind: blackbox.BlackBox(dtype=np.dtype(kind)).gather(case_of(RIGHT)).evidence for kind in FORMATS}
    lags = {kind: each.details["longest_visible_lag"] for kind, each in found.items()}
    assert lags["float64"] == {"W": 40, "R": 40, "V": 0}, lags
    assert all(0 < lags["float32"][name] < 40 for name in "WR"), lags
    for kind, limit in (("float64", 1e-12), ("float32", 1e-4)):
        errors = found[kind].details["smallest_relative_error"]
        assert set(errors) == set("WRV") and all(0 < error < limit for error in errors.values()), errors
        assert f"beyond lag {lags[kind]['R']} in" in found[kind].blind, found[kind].blind
        assert f"would be invisible at {kind} on these problems" in found[kind].blind, found[kind].blind


@pytest.mark.parametrize("kind", FORMATS)
def test_the_power_stated_is_the_power_there_is(kind: str) -> None:
    """An error of twice the smallest that would have been caught is caught; a hundredth of it is not."""
    errors = (
        blackbox.BlackBox(dtype=np.dtype(kind), sizes=FEW)
        .gather(case_of(RIGHT))
        .evidence.details["smallest_relative_error"]
    )
    seen = (
        blackbox.BlackBox(dtype=np.dtype(kind), sizes=FEW).gather(case_of(off_at(kind, 1 + 2 * errors["R"]))).evidence
    )
    assert seen.status is Status.REFUTED, seen
    missed = (
        blackbox.BlackBox(dtype=np.dtype(kind), sizes=FEW).gather(case_of(off_at(kind, 1 + errors["R"] / 100))).evidence
    )
    assert missed.status is Status.HOLDS, missed


def test_weighted_rules_meet_a_loss_at_one_step_only() -> None:
    found = branching_problems(Network(), 0, weighted=True)
    speaking = {name: np.nonzero(p.loss_weights)[0].tolist() for name, p in found.items() if "only" in name}
    assert speaking == {"a loss at the last step only": [4], "a loss at the first step only": [0]}
    assert not [name for name in branching_problems(Network(), 0) if "only" in name]


# float32


@pytest.mark.parametrize(
    "network",
    [Network("logistic"), Network("relu", "softmax", "categorical_cross_entropy"), Network("identity")],
    ids=str,
)
def test_a_right_rule_holds_at_float32(network: Any) -> None:
    finding = blackbox.BlackBox(dtype=np.float32, sizes=(blackbox.SIZES[0], *FEW)).gather(case_of(RIGHT, network))
    assert finding.evidence.status is Status.HOLDS, finding.evidence
    assert finding.planted[0] and finding.planted[0] == finding.planted[1], finding.planted


@pytest.mark.parametrize("name", ["truncated-at-1", "scale-2", "initial-state-missing-in-dr", "wrong-when-t-is-odd"])
def test_what_float32_can_see_is_refuted_at_float32(name: str) -> None:
    finding = blackbox.BlackBox(dtype=np.float32).gather(case_of(wrong(name)))
    assert finding.evidence.status is Status.REFUTED, finding.evidence
    assert finding.witness is not None and (finding.witness.floats, finding.witness.dtype) == (True, "float32")


def of_ten_bits(array: Any) -> Any:
    """Round as units for products of matrices may do with float32."""
    return (np.ascontiguousarray(array).view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)


def test_products_of_ten_bits_at_sizes_of_kernels_are_refuted_at_float32() -> None:
    def rule(problem: Any) -> Any:
        gradient, s = bptt(problem), problem.sizes
        wide = problem.inputs.dtype == np.float32 and min(s.T, s.I, s.D, s.K) >= 16
        return {name: of_ten_bits(array) if wide else array for name, array in gradient.items()}

    evidence = blackbox.BlackBox(dtype=np.float32).gather(case_of(rule)).evidence
    assert evidence.status is Status.REFUTED, evidence
    assert "a state that fades" in evidence.statement


def test_what_float32_cannot_see_is_not_refuted_there() -> None:
    name = "scale-1-plus-1e-9"
    assert blackbox.BlackBox(dtype=np.float32, sizes=FEW).gather(case_of(wrong(name))).evidence.status is Status.HOLDS


@pytest.mark.usefixtures("brief", "not_shrunk")
def test_a_rule_wrong_at_float32_alone_is_refuted_with_a_counterexample() -> None:
    report = gradcheck.audit(off_at("float32", 1.5), claims=[Exact()], effort="quick")
    verdict = report.verdicts[-1]
    assert verdict.status is Status.REFUTED and verdict.evidence[-1].kind == "float32", verdict.statement
    example = verdict.counterexample
    assert example is not None and example.problem["dtype"] == "float32"
    assert ".astype('float32')" in example.snippet, example.snippet


def test_a_counterexample_at_float32_is_judged_at_float32() -> None:
    """The planted twin: told float64, the same comparison finds nothing."""
    case = case_of(off_at("float32", 1.5))
    trial = counterexample.Trial(lively_problem(Network(), Sizes(2, 1, 1, 1), 0), {})
    seen = counterexample.violation(case, trial, floats=True, dtype="float32")
    assert seen is not None and seen.dtype == "float32" and seen.entry == "R[0,0]", seen
    assert counterexample.violation(case, trial, floats=True) is None


@pytest.mark.usefixtures("brief")
def test_casting_up_is_said_and_no_error() -> None:
    finding = blackbox.BlackBox(dtype=np.float32).gather(case_of(as_black_box(RIGHT)))
    assert finding.evidence.status is Status.NOT_RUN, finding.evidence
    assert "it casts up" in finding.evidence.statement
    verdict = gradcheck.audit(as_black_box(RIGHT), claims=[Exact()], effort="quick").verdicts[-1]
    assert verdict.status is Status.HOLDS and verdict.strength is Strength.SUPPORTED, verdict.statement
    assert {e.kind for e in verdict.evidence if e.status is Status.HOLDS} == {"lagwise", "float64", "properties"}


def test_a_wrong_rule_that_casts_up_is_refuted_at_float32_too() -> None:
    name = "truncated-at-1"
    finding = blackbox.BlackBox(dtype=np.float32).gather(case_of(as_black_box(wrong(name))))
    assert finding.evidence.status is Status.REFUTED, finding.evidence


def test_float32_inside_is_judged_as_float32_whatever_it_answers_in() -> None:
    finding = blackbox.BlackBox(dtype=np.float32, sizes=FEW).gather(case_of(by_numpy_at("float32", answers="float64")))
    assert finding.evidence.status is Status.HOLDS, finding.evidence
    finding = blackbox.BlackBox(sizes=FEW).gather(case_of(by_numpy_at("float32", answers="float32")))
    assert finding.evidence.status is Status.HOLDS, finding.evidence
    assert finding.evidence.details["smallest_relative_error"]["R"] > 1e-8, "judged finer than it answers"


def test_a_rule_that_refuses_float32_is_not_run_there() -> None:
    def strict(problem: Any) -> Any:
        if problem.inputs.dtype != np.float64:
            raise TypeError("float64 only")
        return RIGHT(problem)

    finding = blackbox.BlackBox(dtype=np.float32, sizes=FEW).gather(case_of(strict))
    assert finding.evidence.status is Status.NOT_RUN and "float64 only" in finding.evidence.statement
    assert blackbox.BlackBox(sizes=FEW).gather(case_of(strict)).evidence.status is Status.HOLDS

    def broken(problem: Any) -> Any:
        raise TypeError("never")

    assert blackbox.BlackBox().gather(case_of(broken)).evidence.status is Status.ERROR


# Inconclusive


def test_of_a_parameter_that_rounding_hides_altogether_nothing_is_concluded(monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden(claim: Any, problem: Any, field: Any) -> Any:
        bounds = allowance(claim, problem, field)
        return {**bounds, "R": np.full_like(bounds["R"], 1e6)}

    monkeypatch.setattr(comparison, "allowance", hidden)
    monkeypatch.setattr(kept, "_KEPT", OrderedDict())  # what other tests have asked before
    evidence = blackbox.BlackBox(sizes=FEW).gather(case_of(RIGHT)).evidence
    assert evidence.status is Status.INCONCLUSIVE, evidence
    assert "may exceed every entry of R, on every problem" in evidence.statement


def test_entries_that_rounding_hides_are_no_reason_to_conclude_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def overflowing(claim: Any, problem: Any, field: Any) -> Any:
        bounds = allowance(claim, problem, field)
        return {name: np.where(np.arange(a.size).reshape(a.shape) == 1, np.inf, a) for name, a in bounds.items()}

    monkeypatch.setattr(comparison, "allowance", overflowing)
    monkeypatch.setattr(kept, "_KEPT", OrderedDict())  # what other tests have asked before
    evidence = blackbox.BlackBox(sizes=FEW).gather(case_of(RIGHT)).evidence
    assert evidence.status is Status.HOLDS, evidence
    assert evidence.details["undecided_entries"]


def test_a_parameter_without_any_gradient_is_no_reason_to_conclude_nothing() -> None:
    class Deaf(Network):
        """A network that never hears its inputs."""

        def step(self, parameters: Any, state: Any, x: Any) -> Any:
            return super().step(parameters, state, 0 * x)

    rule = lambda problem: RIGHT(problem.replace(inputs=0 * problem.inputs))  # noqa: E731
    evidence = blackbox.BlackBox(sizes=FEW).gather(case_of(rule, Deaf())).evidence
    assert evidence.status is Status.HOLDS, evidence
    stray = lambda problem: {**rule(problem), "W": problem.parameters["W"] * 1e-9}  # noqa: E731
    assert blackbox.BlackBox(sizes=FEW).gather(case_of(stray, Deaf())).evidence.status is Status.REFUTED


def test_the_other_network_is_judged_at_float32() -> None:
    from gradcheck.algorithms import Focused

    finding = blackbox.BlackBox(dtype=np.float32).gather(case_of(Focused, ContextNetwork(), weighted=True))
    assert finding.evidence.status in (Status.HOLDS, Status.NOT_RUN), finding.evidence
    assert finding.evidence.details or "casts up" in finding.evidence.statement


def test_every_activation_and_every_head_is_judged_at_structured_values() -> None:
    """Ten of the 30 networks have an activation or a head that none before them has."""
    rule = as_rule(gradcheck.rule(Exact(), networks=gradcheck.ALL_NETWORKS)(lambda p: {}))
    structured = []
    for number, network in enumerate(gradcheck.ALL_NETWORKS):
        found = plans(Case(rule, Exact(), network), FULL, first=number == 0)
        (float64,) = (plan for plan in found if plan.kind == "float64")
        names = branching_problems(network, 0)
        given = {name for name in names if any(piece.label.endswith(name) for piece in float64.pieces)}
        assert given in (set(), set(names))
        assert len(float64.pieces) > len(given), "each gets lively problems"
        if given:
            structured.append(network)
    assert {n.activation for n in structured} == {n.activation for n in gradcheck.ALL_NETWORKS}
    assert {n.head for n in structured} == {n.head for n in gradcheck.ALL_NETWORKS}
    assert len(structured) == 10
