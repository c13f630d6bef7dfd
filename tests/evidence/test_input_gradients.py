"""Gradients of inputs and of the initial state: every kind of evidence judges them, and each has a twin it refutes."""

from __future__ import annotations

import dataclasses
from typing import Any

import jsonschema
import numpy as np
import pytest
from cells import CELLS, named
from nested import CELLS as NESTED
from wanted_rules import ALL, LSTM, RIGHT, by_lags, lstm_bptt, mistaken, tanh_bptt

import gradcheck
from gradcheck import Outcome, Status, Strength
from gradcheck.algorithms import bptt_to_inputs
from gradcheck.evidence.base import Case, Kind
from gradcheck.evidence.exact.enclosure import Enclosure
from gradcheck.evidence.exact.formal import Formal
from gradcheck.evidence.exact.ladder import Ladder
from gradcheck.evidence.exact.modular import Modular
from gradcheck.evidence.floats.blackbox import BlackBox
from gradcheck.evidence.floats.comparison import compare_on
from gradcheck.evidence.floats.float_ladder import FloatLadder
from gradcheck.evidence.floats.lagwise import Lagwise
from gradcheck.evidence.floats.laws import PROPERTIES
from gradcheck.evidence.floats.properties import Properties
from gradcheck.evidence.floats.stability import Stability
from gradcheck.evidence.preconditions import liveness, oracles, purity
from gradcheck.explain import counterexample
from gradcheck.explain.diagnosis import diagnose
from gradcheck.faults import inputs
from gradcheck.problems.lively import lively_problem
from gradcheck.records import Rounding
from gradcheck.reference import lags
from gradcheck.reference.claims import Chunked, Equals, Exact, Online, Pure, Stable, Truncated, Windowed
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import DEFAULT_NETWORK, Network, Sizes
from gradcheck.reference.tree import leaves
from gradcheck.reference.wanted import KINDS
from gradcheck.rules.adapt import WrongResult, as_rule
from gradcheck.rules.call import run
from gradcheck.rules.failures import RuleFailed
from gradcheck.store import case as cases

SMALL = Sizes(4, 3, 2, 2)
EVIDENCE: dict[str, Kind] = {
    "formal": Formal(2, ((1, 1, 1), (2, 1, 1))),
    "modular": Modular((Sizes(9, 3, 2, 2),), 1),
    "enclosure": Enclosure((SMALL,)),
    "ladder": Ladder(SMALL, (50,)),
    "lagwise": Lagwise(Sizes(5, 2, 5, 1)),
    "float64": BlackBox(sizes=(SMALL,), branching=False),
    "float32": BlackBox(np.float32, (SMALL,), branching=False),
    "float ladder": FloatLadder((SMALL,)),
}


def case_of(rule: Any, claim: Any = ALL, network: Any = DEFAULT_NETWORK) -> Case:
    return Case(as_rule(rule, claims=[claim], networks=[network]), claim, network)


@pytest.mark.parametrize("kind", EVIDENCE)
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_rule_holds_and_planted_faults_are_seen(kind: str, name: str) -> None:
    rule, network = RIGHT[name]
    found = EVIDENCE[kind].gather(case_of(rule, ALL, network))
    assert found.evidence.status is Status.HOLDS, found.evidence
    assert found.evidence.strength is EVIDENCE[kind].strength
    assert found.planted[0] == found.planted[1] > 0, found.planted


@pytest.mark.parametrize("mistake", ["a step late", "dropped"])
@pytest.mark.parametrize("kind", EVIDENCE)
@pytest.mark.parametrize("name", RIGHT)
def test_a_mistake_in_them_is_refuted(kind: str, name: str, mistake: str) -> None:
    rule, network = RIGHT[name]
    found = EVIDENCE[kind].gather(case_of(mistaken(rule, mistake), ALL, network))
    assert found.evidence.status is Status.REFUTED, found.evidence


@pytest.mark.parametrize("cell", [*CELLS, *NESTED], ids=named)
def test_every_cell_has_them_and_a_mistake_is_refuted(cell: Any) -> None:
    kind = Enclosure((Sizes(3, 2, 2, 2),))
    found = kind.gather(case_of(bptt_to_inputs, ALL, cell)).evidence
    assert found.status is Status.HOLDS and found.strength is Strength.CERTIFIED, found

    def last_state_dropped(problem: Any) -> Any:
        found = bptt_to_inputs(problem)
        last = leaves(found["initial_state"])[-1]
        last[...] = np.zeros_like(last)
        return found

    found = kind.gather(case_of(last_state_dropped, ALL, cell)).evidence
    assert found.status is Status.REFUTED and "initial_state" in found.statement, found


@pytest.mark.parametrize(
    ("law", "mistake"), [("sign flip", "in the wrong order"), ("prefix", "a step late"), ("reset", "first row halved")]
)
def test_properties_hold_for_them_and_a_mistake_breaks_one(
    law: str, mistake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gradcheck.evidence.floats.properties.SHRINKING", 1)
    kind = Properties(tuple(each for each in PROPERTIES if each.name == law), (Sizes(4, 3, 2, 2),), 0)
    assert kind.gather(case_of(tanh_bptt)).evidence.status is Status.HOLDS
    found = kind.gather(case_of(mistaken(tanh_bptt, mistake))).evidence
    assert found.status is Status.REFUTED and law in found.statement, found


def test_every_property_is_a_theorem_about_them() -> None:
    right = gradcheck.rule(ALL, weighted=True)(by_lags(Exact()))
    for sizes in (Sizes(5, 3, 2, 2), Sizes(1, 2, 1, 1)):
        found = Properties(sizes=(sizes,), drawn=0).gather(Case(as_rule(right), ALL, DEFAULT_NETWORK)).evidence
        assert found.status is Status.HOLDS, found
        assert sizes.T == 1 or set(found.details["groups"]) == {each.name for each in PROPERTIES}


def test_stability_looks_at_them() -> None:
    def overflowing(problem: Any) -> Any:
        found = tanh_bptt(problem)
        return {**found, "inputs": found["inputs"] / (abs(problem.inputs) < 100)}

    with np.errstate(all="ignore"):
        right = Stability().gather(Case(as_rule(tanh_bptt, claims=[ALL]), Stable(), DEFAULT_NETWORK)).evidence
        found = Stability().gather(Case(as_rule(overflowing, claims=[ALL]), Stable(), DEFAULT_NETWORK)).evidence
    assert right.status is Status.HOLDS, right
    assert found.status is Status.REFUTED and "inputs[" in found.statement, found


@pytest.mark.parametrize("change", ["writes to them", "a view of them", "not finite"])
def test_purity_looks_at_them(change: str) -> None:
    def impure(problem: Any) -> Any:
        found = tanh_bptt(problem)
        if change == "writes to them":
            problem.inputs[0] = 0
        elif change == "a view of them":
            found["inputs"] = problem.inputs
        else:
            found["inputs"][0] = np.nan
        return found

    claim = Pure()
    case = Case(as_rule(impure, claims=[ALL]), claim, DEFAULT_NETWORK)
    found = purity.Purity((Sizes(3, 2, 2, 1),)).gather(case).evidence
    assert found.status is Status.REFUTED and "inputs" in found.statement, found


# Lags, and some arrays alone

LAGS = (Truncated(2, of=KINDS), Chunked(2, of=KINDS), Windowed(3, 2, of=KINDS))


@pytest.mark.parametrize("claim", LAGS, ids=str)
@pytest.mark.parametrize("kind", ["formal", "modular", "enclosure", "lagwise", "float64"])
def test_claims_that_leave_lags_out(kind: str, claim: Any) -> None:
    evidence = Formal(4, ((1, 1, 1),)) if kind == "formal" else EVIDENCE[kind]
    assert evidence.gather(case_of(by_lags(claim), claim)).evidence.status is Status.HOLDS

    def forgets_the_cut(problem: Any) -> Any:
        return {**by_lags(claim)(problem), "inputs": tanh_bptt(problem)["inputs"]}

    found = evidence.gather(case_of(forgets_the_cut, claim)).evidence
    assert found.status is Status.REFUTED, found


@pytest.mark.parametrize(
    "claim",
    [
        Exact(of=("inputs",)),
        Exact(of=("initial_state",)),
        Truncated(2, of=("initial_state",)),
        Chunked(3, of=("inputs", "initial_state")),
    ],
    ids=str,
)
def test_some_arrays_alone(claim: Any) -> None:
    def rule(problem: Any) -> Any:
        return {name: array for name, array in by_lags(claim)(problem).items() if name in claim.of}

    def doubled(problem: Any) -> Any:
        return {name: 2 * array for name, array in rule(problem).items()}

    for kind in ("modular", "enclosure", "ladder", "float64"):
        found = EVIDENCE[kind].gather(case_of(rule, claim))
        assert found.evidence.status is Status.HOLDS, found.evidence
        assert found.planted[0] == found.planted[1], found
        assert EVIDENCE[kind].gather(case_of(doubled, claim)).evidence.status is Status.REFUTED
    formal = Formal(4, ((1, 1, 1),)).gather(case_of(rule, claim))
    assert formal.evidence.strength is Strength.PROVED and formal.planted[0] == formal.planted[1]
    lagwise = EVIDENCE["lagwise"].gather(case_of(rule, claim)).evidence
    assert lagwise.status is (Status.NOT_RUN if claim.of == ("initial_state",) else Status.HOLDS), lagwise


def test_a_claim_is_about_what_it_names_alone() -> None:
    """A rule whose inputs are wrong keeps its claim about the parameters, and another rule's definition."""
    wrong = gradcheck.rule(ALL)(mistaken(tanh_bptt, "a step late"))
    for claim in (Exact(), Equals(lambda problem: lags.gradient(problem))):
        found = EVIDENCE["enclosure"].gather(Case(as_rule(wrong, claims=[claim]), claim, DEFAULT_NETWORK)).evidence
        assert found.status is Status.HOLDS, found
    claim = Equals(gradcheck.rule(ALL)(by_lags(Exact())))
    assert EVIDENCE["modular"].gather(case_of(tanh_bptt, claim)).evidence.status is Status.HOLDS
    assert EVIDENCE["modular"].gather(case_of(wrong, claim)).evidence.status is Status.REFUTED


def test_a_rule_that_mixes_the_rows_of_inputs_is_allowed_norm_wise_rounding() -> None:
    """The last row is far smaller than the others, and a turn and its inverse round it as they do these."""
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(SMALL.T, SMALL.T)))
    weights = np.where(np.arange(SMALL.T) == SMALL.T - 1, 2.0**-30, 1.0)
    problem = lively_problem(DEFAULT_NETWORK, SMALL, 0).replace(loss_weights=weights)

    def mixing(problem: Any) -> Any:
        found = tanh_bptt(problem)
        return {**found, "inputs": turn.T @ (turn @ found["inputs"])}

    def without_the_last_row(problem: Any) -> Any:
        found = mixing(problem)
        return {**found, "inputs": found["inputs"] * (np.arange(SMALL.T) < SMALL.T - 1)[:, None]}

    seen, *_ = compare_on(as_rule(mixing, claims=[ALL]), ALL, problem, {})
    assert seen.outside is None and seen.rounding is Rounding.NORMWISE, seen
    seen, *_ = compare_on(as_rule(without_the_last_row, claims=[ALL]), ALL, problem, {})
    assert seen.outside is not None and seen.outside[0].startswith("inputs[3"), seen


def test_two_rules_that_claim_to_be_each_other() -> None:
    def one(problem: Any) -> Any:
        return tanh_bptt(problem)

    def other(problem: Any) -> Any:
        return tanh_bptt(problem)

    gradcheck.rule(Equals(other))(one)
    gradcheck.rule(Equals(one), ALL)(other)
    assert as_rule(one).of == as_rule(other).of == KINDS


# Preconditions


def test_the_oracles_are_compared_on_them(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = lively_problem(LSTM, Sizes(2, 1, 1, 1), 0)
    seen = oracles.agreement_on(problem, 30, of=KINDS)
    assert seen.holds and len(seen.digits) == 4, seen
    right = lags.row
    monkeypatch.setattr(lags, "row", lambda t: right(3 - t))  # the reverse pass and the balls exchange two rows
    seen = oracles.agreement_on(problem, 30, of=KINDS)
    assert not seen.holds and oracles.agreement_on(problem, 30).holds, seen


def test_an_input_without_effect_is_dead() -> None:
    def step(p: Any, a: Any, x: Any) -> Any:
        return np.tanh(p["R"] @ a + p["W"] @ (x * (np.arange(len(x)) > 0)))

    network = gradcheck.network(
        step, lambda p, a: p["V"] @ a, parameters={"R": ("I", "I"), "W": ("I", "D"), "V": ("K", "I")}
    )
    seen = liveness.visibility(network, Sizes(3, 2, 2, 1), 0, False, KINDS)
    assert "inputs[0, 0]" in seen.dead and not seen.alive, seen


# Whole audits


def test_a_whole_audit_reports_them(brief: None) -> None:
    report = gradcheck.audit(tanh_bptt, [ALL], effort="quick", isolated=False)
    verdict = next(each for each in report.verdicts if each.claim.startswith("exact"))
    assert verdict.claim == "exact(of=parameters+inputs+initial_state)" and verdict.strength is Strength.PROVED
    assert "the result is the gradient of parameters, inputs and initial state" in verdict.statement
    assert report.passed and "inputs" in str(report)
    again = gradcheck.report.from_json(report.to_json())
    assert [each.claim for each in again.verdicts] == [each.claim for each in report.verdicts]


@pytest.mark.parametrize("of", [("inputs",), ("initial_state",)], ids=str)
def test_a_whole_audit_of_one_array_alone(of: Any, brief: None) -> None:
    def rule(problem: Any) -> Any:
        return {name: array for name, array in tanh_bptt(problem).items() if name in of}

    report = gradcheck.audit(rule, [Exact(of=of)], effort="quick", isolated=False)
    assert report.passed and all(stage.status is Status.HOLDS for stage in report.stages), report


@pytest.mark.parametrize(
    ("name", "mistake", "array"),
    [
        ("tanh", "a step late", "inputs"),
        ("tanh", "dropped", "initial_state"),
        ("LSTM", "dropped", "initial_state[1]"),
        ("LSTM", "in the wrong order", "initial_state[0]"),
    ],
)
def test_a_counterexample_is_a_program_and_a_case(name: str, mistake: str, array: str) -> None:
    rule, network = RIGHT[name]
    wrong = mistaken(rule, mistake)
    case = case_of(wrong, ALL, network)
    trial = counterexample.Trial(lively_problem(network, Sizes(2, 2, 1, 1), 0), {})
    found = counterexample.violation(case, trial, floats=True)
    assert found is not None and found.entry.startswith(array), found
    example = counterexample.counterexample(case, found)
    space: dict[str, Any] = {}
    exec(compile(example.snippet, "counterexample", "exec"), space)
    assert abs(space["true"] - float(example.expected)) < 1e-9, "the program finds the true entry by itself"
    document = cases.as_data(example)
    jsonschema.validate(document, cases.schema())
    assert document["claim"]["of"] == list(KINDS)
    assert gradcheck.replay(document, wrong, isolated=False).outcome is Outcome.STILL_WRONG
    assert gradcheck.replay(document, rule, isolated=False).outcome is Outcome.FIXED
    lacking = gradcheck.replay(document, gradcheck.algorithms.bptt, isolated=False)
    assert lacking.outcome is Outcome.ERROR and "lacks initial_state, inputs" in lacking.message, lacking


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        ("a step late", "inputs has the rows of the reference one place late, and 0 for the one that is missing"),
        ("dropped", "initial_state is 0 throughout"),
        ("in the wrong order", "initial_state has the entries of the reference in another order"),
        ("first row halved", "inputs counts the use at step 1 1/2 times"),
    ],
)
def test_a_mistake_is_diagnosed(mistake: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradcheck.faults.SHOWN", ())  # its own words, not those of a fault
    seen = lively_problem(DEFAULT_NETWORK, Sizes(3, 2, 1, 1), 0)
    found = diagnose(case_of(mistaken(tanh_bptt, mistake)), {}, seen)
    assert found is not None and words in found, found


# Refusals

_FIXED = np.ones(2)


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (Network(initial_state="zeros"), "starts from zeros"),
        (
            gradcheck.network(
                lambda p, a, x: np.tanh(p["W"] @ x + p["R"] @ a),
                lambda p, a: p["V"] @ a,
                parameters={"W": ("I", "D"), "R": ("I", "I"), "V": ("K", "I"), "b": ("I",)},
                initial_state=lambda p: np.tanh(p["b"]),
            ),
            "an initial state made of the parameters",
        ),
    ],
    ids=["zeros", "learned"],
)
def test_a_network_that_settles_its_start_has_no_gradient_of_it(network: Any, said: str) -> None:
    claim = Exact(of=("parameters", "initial_state"))
    with pytest.raises(GradcheckError, match=f"{said}.*leave it out: of=\\('parameters',\\)"):
        gradcheck.rule(claim, networks=[network])(tanh_bptt)
    with pytest.raises(GradcheckError, match="cannot be claimed"):
        gradcheck.audit(tanh_bptt, [claim], networks=[network])
    with pytest.raises(GradcheckError, match="bptt_to_inputs returns the gradient of parameters, inputs and initial"):
        gradcheck.audit(gradcheck.algorithms.bptt_to_inputs, [Exact()], networks=[network])
    with pytest.raises(GradcheckError, match=said):
        problem = lively_problem(network, Sizes(2, 2, 2, 1), 0)
        lags.gradient(problem, None, ("initial_state",))


def test_a_rule_on_a_problem_without_such_a_gradient_fails_alone() -> None:
    """Candidates of a diagnosis, and rules on saved cases, meet networks that they do not declare."""
    problem = lively_problem(Network(initial_state="zeros"), Sizes(2, 2, 1, 1), 0)
    with pytest.raises(RuleFailed, match="bptt_to_inputs returns the gradient of .*starts from zeros.*at T=2"):
        run(as_rule(bptt_to_inputs), problem)


def test_inputs_that_lie_apart_have_no_gradient() -> None:
    network = gradcheck.network(
        lambda p, a, x: np.tanh(p["W"] @ x + p["R"] @ a),
        lambda p, a: p["V"] @ a,
        parameters={"W": ("I", "D"), "R": ("I", "I"), "V": ("K", "I")},
        domains={"inputs": "one-hot"},
    )
    with pytest.raises(GradcheckError, match="takes inputs that lie apart.*leave them out: of="):
        as_rule(tanh_bptt, claims=[Exact(of=("parameters", "inputs"))], networks=[network])


PROBLEM = lively_problem(DEFAULT_NETWORK, Sizes(2, 2, 1, 1), 0)


def _run(result: Any, claim: Any = ALL, problem: Any = PROBLEM) -> Any:
    return run(as_rule(lambda problem: result, claims=[claim]), problem.copy())


def test_a_result_that_is_not_what_is_declared() -> None:
    right = tanh_bptt(PROBLEM)
    parameters = {name: right[name] for name in "WRV"}
    assert set(_run(right).gradient) == set(right)
    with pytest.raises(
        WrongResult, match=r"lacks initial_state, inputs; wanted .*inputs \(2, 1\), initial_state \(2,\)"
    ):
        _run(parameters)
    with pytest.raises(WrongResult, match=r"declare what it returns: gradcheck.Exact\(of=\('parameters', 'inputs'\)\)"):
        _run({**parameters, "inputs": right["inputs"]}, Exact())
    with pytest.raises(WrongResult, match=r"has the unknown R, V, W; .*Exact\(of=\('parameters', 'inputs'\)\)"):
        _run({**parameters, "inputs": right["inputs"]}, Exact(of=("inputs",)))
    with pytest.raises(WrongResult, match="has the unknown W") as caught:
        _run({name: right[name] for name in ("W", "inputs")}, Exact(of=("inputs",)))
    assert "declare" not in str(caught.value)
    with pytest.raises(WrongResult, match=r"shape \(1, 2\) for inputs; wanted \(2, 1\); it looks transposed"):
        _run({**right, "inputs": right["inputs"].T})
    with pytest.raises(WrongResult, match=r"shape \(1,\) for initial_state"):
        _run({**right, "initial_state": right["initial_state"][:1]})


def test_an_initial_state_that_is_nested_otherwise() -> None:
    problem = lively_problem(LSTM, Sizes(2, 2, 1, 1), 0)
    right = lstm_bptt(problem)
    rule = as_rule(lambda problem: right, claims=[ALL], networks=[LSTM])
    assert list(run(rule, problem.copy()).gradient)[-2:] == ["initial_state[0]", "initial_state[1]"]
    for state, said in {
        "array": (np.zeros((2, 2)), "a numpy.ndarray for initial_state; wanted 2 parts"),
        "three": ((*right["initial_state"], 0), "the keys 0, 1, 2 for initial_state; wanted 2 parts"),
        "dict": (dict(enumerate(right["initial_state"])), "a dict for initial_state; wanted 2 parts"),
    }.values():
        rule = as_rule(lambda problem, state=state: {**right, "initial_state": state}, claims=[ALL], networks=[LSTM])
        with pytest.raises(WrongResult, match=said):
            run(rule, problem.copy())


# Online rules


class Forward:
    """RTRL that carries the influence of the initial state too."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        zeros = np.zeros_like(initial_state, shape=(2, len(initial_state), len(initial_state)))
        return network, parameters, initial_state, zeros[0] + np.eye(len(initial_state))

    def step(self, state: Any, x: Any, y: Any) -> Any:
        net, p, a, M = state
        s = p["W"].T @ x + p["R"].T @ a
        a, slope = net.activation(s), net.activation.derivative(s)
        M = (slope * p["R"]).T @ M
        e = net.output_error(p["V"].T @ a, y)
        return (net, p, a, M), {"initial_state": M.T @ (p["V"] @ e)}


class Late(Forward):
    def step(self, state: Any, x: Any, y: Any) -> Any:
        new, contribution = super().step(state, x, y)
        return new, {"initial_state": contribution["initial_state"] * (1 + (x[0] > 0))}


def test_an_online_rule_returns_that_of_the_initial_state() -> None:
    claim = Exact(of=("initial_state",))
    for kind in ("formal", "modular", "enclosure", "float64"):
        assert EVIDENCE[kind].gather(case_of(Forward, claim)).evidence.status is Status.HOLDS
    found = EVIDENCE["float64"].gather(case_of(Late, claim)).evidence
    assert found.status is Status.REFUTED, found
    both = as_rule(Forward, claims=[claim, Online()])
    from gradcheck.evidence.cost.online import Causality

    seen = Causality((Sizes(3, 2, 1, 1),)).gather(Case(both, Online(), DEFAULT_NETWORK)).evidence
    assert seen.status is Status.HOLDS, seen


def test_an_online_rule_cannot_return_that_of_inputs() -> None:
    with pytest.raises(GradcheckError, match="an online rule, which sees one step at a time"):
        as_rule(Forward, claims=[Exact(of=("inputs",))])


def test_nested_contributions_add_up() -> None:
    class Nested:
        def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
            return initial_state

        def step(self, state: Any, x: Any, y: Any) -> Any:
            return state, {"initial_state": tuple(np.ones_like(part) for part in state)}

    problem = lively_problem(LSTM, Sizes(3, 2, 1, 1), 0)
    found = run(as_rule(Nested, claims=[Exact(of=("initial_state",))], networks=[LSTM]), problem).gradient
    assert {name: array.tolist() for name, array in found.items()} == {
        "initial_state[0]": [3.0, 3.0],
        "initial_state[1]": [3.0, 3.0],
    }


def test_a_declaration_says_what_a_rule_returns_whatever_it_is_audited_on() -> None:
    rule = as_rule(gradcheck.rule(ALL)(by_lags(Exact())), claims=[Exact()])
    assert rule.of == KINDS and as_rule(tanh_bptt).of == ("parameters",)
    assert dataclasses.replace(rule, target=None).of == ("parameters",)


@pytest.mark.parametrize("fault", inputs.FAULTS, ids=lambda fault: fault.id)
def test_a_fault_of_the_gallery_is_recognised(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradcheck.faults.SHOWN", inputs.FAULTS)
    case = Case(as_rule(fault.rule()), ALL, as_rule(fault.rule()).declaration.networks[0])
    found = diagnose(case, {}, lively_problem(case.network, Sizes(2, 2, 1, 1), 0, weighted=True))
    assert found is not None and f"the fault {fault.id!r}" in found, found
