"""Rules given as passes: how they run, what is proved of them for every T, and what must not be."""

from __future__ import annotations

from operator import is_ as _one
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcheck
from gradcheck.algorithms import BPTTPasses, bptt, run_passes, run_rule
from gradcheck.algorithms.passes import detached
from gradcheck.evidence.base import Case
from gradcheck.evidence.exact.induction.kind import Induction
from gradcheck.evidence.exact.induction.observed import generic, residues
from gradcheck.evidence.exact.induction.sameness import refuse_sameness
from gradcheck.evidence.exact.induction.trust import Unproved
from gradcheck.judge.plans import kinds
from gradcheck.problems.lively import lively_problem
from gradcheck.records import Covers, Lengths, Status, Strength
from gradcheck.reference.claims import Equals, Exact, Online, rule
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import Network
from gradcheck.reference.networks.base import Sizes
from gradcheck.reference.scalars.formal import FormalField
from gradcheck.rules.adapt import WrongResult, as_rule
from gradcheck.rules.call import run
from tests.brief import BRIEF
from tests.online_rules import TANH
from tests.passes_rules import RIGHT, WRONG, Plain, Turning
from tests.passes_rules import Late as LateShare

LEAST = ((2, 1, 1),)
SMALL = Sizes(T=3, I=2, D=2, K=1)


def found(target: Any, network: Any = TANH, shapes: Any = LEAST) -> Any:
    case = Case(as_rule(target, claims=[Exact()], networks=[network]), Exact(), network)
    return Induction(shapes, longest=3).gather(case).evidence


# Proofs for every T.


def learned(parameters: Any) -> Any:
    """Return an initial state that is made of the parameters."""
    return parameters["R"][0] * parameters["V"][:, 0]


class LearnedStart(gradcheck.Elman):
    """An Elman network whose initial state is made of its parameters."""

    def initial_state(self, parameters: Any) -> Any:
        return learned(parameters)


@pytest.mark.parametrize(
    "network",
    [
        Network("tanh"),
        gradcheck.GRU(),
        gradcheck.LSTM(),
        gradcheck.LSTM(peepholes=True, biases=2, initial_state="zeros"),
        LearnedStart(),
    ],
    ids=str,
)
def test_the_shipped_rule_is_proved_for_every_length(network: Any) -> None:
    evidence = found(BPTTPasses, network)
    assert evidence.lengths is Lengths.EVERY, evidence.statement
    assert evidence.strength is Strength.PROVED
    assert "every T" in evidence.scope
    if type(network) is not LearnedStart:
        assert evidence.covers is Covers.KIND, "activation, output and loss were left undefined"


def test_a_start_that_is_made_of_the_parameters_takes_finish() -> None:
    class Without(BPTTPasses):
        def finish(self, cotangent: Any) -> Any:
            return None

    assert found(rule(weighted=True)(Without), LearnedStart()).status is Status.NOT_RUN


@pytest.mark.parametrize("target", RIGHT.values(), ids=RIGHT)
def test_rules_of_other_styles_are_proved(target: Any) -> None:
    evidence = found(target)
    assert evidence.lengths is Lengths.EVERY, evidence.statement


def test_an_instance_that_is_already_made_is_proved() -> None:
    assert found(Plain()).lengths is Lengths.EVERY


@pytest.mark.parametrize("target", WRONG.values(), ids=WRONG)
def test_rules_that_may_be_wrong_at_some_length_are_not(target: Any) -> None:
    evidence = found(target)
    assert evidence.status is Status.NOT_RUN, evidence.statement
    assert evidence.lengths is not Lengths.EVERY


IN_TIME = [name for name in WRONG if name.startswith("Resets") and name != "ResetsByObject"]


@pytest.mark.parametrize("name", IN_TIME)
def test_rules_that_reset_every_five_steps_do(name: str) -> None:
    """A rule that must not be proved differs from the gradient where it says so, and not before."""
    short, long = (lively_problem(TANH, Sizes(T=T, I=2, D=2, K=1), 0) for T in (4, 12))
    assert not differs(WRONG[name], short)
    assert differs(WRONG[name], long)


def differs(target: Any, problem: Any) -> bool:
    got, want = run_rule(target, problem), bptt(problem)
    return any(not np.allclose(got[key], want[key], rtol=1e-9, atol=0) for key in want)


def test_numbers_are_named_by_their_quantities() -> None:
    state = found(Plain).details["state"]
    assert state["quantities"]["state[a][0]"] == "a[0](t)"
    assert state["cotangent"]["quantities"] == {f"cotangent[{i}]": f"dL/ds{i}(t+1)" for i in range(2)}
    assert state["cotangent"]["window"] == 1


def test_numbers_that_are_no_quantity_are_named() -> None:
    assert found(WRONG["Decays"]).details["unidentified"] == ["cotangent[0]", "cotangent[1]"]


def test_what_is_not_proved_is_named() -> None:
    reasons = {
        "ResetsByState": "state[0] is 1, 2, 3, 4",
        "ResetsByIdentity": "whether two things are one object",
        "ResetsByList": "its code handles errors",
        "WritesIntoKept": "changes what it is given",
        "StateAfter": "the contribution to R is off by",
    }
    for name, reason in reasons.items():
        assert reason in found(WRONG[name]).statement


def by_name(rule: Any) -> Any:
    return _one(rule.mark, rule)


def by_attribute(rule: Any) -> Any:
    rule.mark.seen = True


def by_order(rule: Any) -> Any:
    return (rule.mark,) < (rule.other,)


def by_a_name_for_self(rule: Any) -> Any:
    self = rule.mark
    self.seen = True


@pytest.mark.parametrize("told_by", [by_name, by_attribute, by_order, by_a_name_for_self])
def test_code_that_could_tell_equal_arrays_apart_is_refused(told_by: Any) -> None:
    with pytest.raises(Unproved):
        refuse_sameness(type("Tells", (Plain,), {"tells": told_by}))


def test_code_that_compares_with_constants_is_not() -> None:
    def compares(rule: Any, cotangent: Any) -> Any:
        return cotangent is None or isinstance(cotangent, Plain) or len(cotangent) == 2 or "W" in cotangent

    refuse_sameness(type("Asks", (Plain,), {"compares": compares}))


# The two forms of BPTT are equal.


@pytest.mark.parametrize("network", [Network("tanh"), gradcheck.LSTM()], ids=str)
@pytest.mark.parametrize("T", [1, 2, 3])
def test_both_forms_are_equal_as_polynomials(network: Any, T: int) -> None:
    formal = FormalField(400, 2)
    I = 2 if type(network) is Network else 1
    problem = generic(network, Sizes(T, I, 1, 1), weighted=True, field=formal)
    one, other = run_rule(bptt, problem), run_rule(BPTTPasses, problem)
    for name in problem.parameters:
        pairs = zip(formal.natives(one[name]), formal.natives(other[name]), strict=True)
        assert all(formal.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("network", [Network("tanh"), gradcheck.GRU()], ids=str)
def test_both_forms_are_equal_in_a_finite_field(network: Any) -> None:
    problem, field = residues(network, Sizes(20, 3, 2, 2), weighted=True)
    one, other = (run_rule(each, problem) for each in (bptt, BPTTPasses))
    for name in problem.parameters:
        assert field.natives(one[name]) == field.natives(other[name])


def test_a_wrong_form_differs_in_a_finite_field() -> None:
    problem, field = residues(TANH, Sizes(20, 3, 2, 2), weighted=False)
    one, other = (run_rule(each, problem) for each in (bptt, WRONG["StateAfter"]))
    assert field.natives(one["R"]) != field.natives(other["R"])
    assert field.natives(one["W"]) == field.natives(other["W"])


# They run like any rule.


@pytest.mark.usefixtures("brief")
def test_an_audit_proves_it_for_every_length() -> None:
    report = gradcheck.audit(Plain, [Exact()], effort="quick")
    (verdict,) = [each for each in report.verdicts if each.claim == "exact"]
    assert verdict.strength is Strength.PROVED
    assert "forwards and backwards" in verdict.statement


@pytest.mark.usefixtures("brief")
def test_a_wrong_one_is_refuted_with_a_program_that_runs_it() -> None:
    report = gradcheck.audit(WRONG["Transposed"], [Exact()], effort="quick")
    (verdict,) = [each for each in report.verdicts if each.claim == "exact"]
    assert verdict.status is Status.REFUTED
    assert verdict.counterexample is not None
    assert "run_passes" in verdict.counterexample.snippet


def test_it_is_planned_for_exact_alone() -> None:
    def planned(target: Any, claim: Any) -> set[str]:
        return {kind.kind for kind in kinds(Case(as_rule(target), claim, TANH), BRIEF, first=True)}

    assert "induction" in planned(BPTTPasses, Exact())
    assert "induction" not in planned(BPTTPasses, Equals(bptt))
    assert "induction" not in planned(BPTTPasses, Online())
    assert "induction" not in planned(bptt, Exact())


def test_no_certificate_is_written_and_the_reason_is_given(tmp_path: Path) -> None:
    (one,) = gradcheck.certify(Plain, tmp_path, networks=[TANH], shapes=LEAST)
    assert one.path is None
    assert "certificates are for online rules" in one.reason


def test_the_initial_state_has_a_gradient_too() -> None:
    @rule(Exact(of=("parameters", "initial_state")))
    class ToStart(Plain):
        def through(self, R: Any, delta: Any) -> Any:
            return delta

        def backward(self, cotangent: Any, kept: Any, y: Any) -> Any:
            delta, part = super().backward(cotangent, kept, y)
            return kept["p"]["R"] @ delta, part

        def finish(self, cotangent: Any) -> Any:
            return {"initial_state": cotangent}

    problem = lively_problem(TANH, SMALL, 0)
    want = gradcheck.algorithms.bptt_to_inputs(problem)
    got = run(as_rule(ToStart), problem).gradient
    np.testing.assert_allclose(got["initial_state"], want["initial_state"], rtol=1e-12)


def test_what_a_step_keeps_is_in_containers_of_its_own() -> None:
    array = np.ones(2)
    kept = {"rows": [array], "pair": (array, 3), "none": None}
    own = detached(kept)
    kept["rows"].append(array)
    assert len(own["rows"]) == 1
    assert own["rows"][0] is array
    assert own["pair"] == (array, 3) and own["none"] is None


class NoPair(Plain):
    def forward(self, state: Any, x: Any) -> Any:
        return super().forward(state, x)[0]


class Swapped(Plain):
    def backward(self, cotangent: Any, kept: Any, y: Any) -> Any:
        return super().backward(cotangent, kept, y)[::-1]


class Silent(Plain):
    def backward(self, cotangent: Any, kept: Any, y: Any) -> Any:
        return cotangent, None


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (NoPair, r"forward of NoPair returned a dict; return \(state, kept\)"),
        (Swapped, "the cotangent comes first"),
        (Silent, "Silent contributed nothing in any step; return a dict of arrays from backward"),
    ],
)
def test_what_a_method_returns_is_checked(target: Any, said: str) -> None:
    with pytest.raises(WrongResult, match=said):
        as_rule(target)(lively_problem(TANH, SMALL, 0))


def test_the_runner_names_a_rule_that_contributes_nothing() -> None:
    with pytest.raises(GradcheckError, match="Silent contributed nothing in 3 steps"):
        run_passes(Silent(), lively_problem(TANH, SMALL, 0))


class TakesMore(Plain):
    def forward(self, state: Any, x: Any, y: Any) -> Any:
        return super().forward(state, x)


class NeedsArguments(Plain):
    def __init__(self, n: int) -> None:
        self.n = n


def test_methods_and_claims_that_cannot_be_are_named() -> None:
    with pytest.raises(GradcheckError, match=r"forward of the rule in passes TakesMore .*wanted forward\(state, x\)"):
        as_rule(TakesMore)
    with pytest.raises(GradcheckError, match="takes the loss weight too"):
        as_rule(Plain, weighted=True)
    with pytest.raises(GradcheckError, match="cannot be made without arguments"):
        as_rule(NeedsArguments)
    with pytest.raises(GradcheckError, match="is given as passes, which sees one step at a time"):
        as_rule(Plain, claims=[Exact(of=("parameters", "inputs"))])
    with pytest.raises(GradcheckError, match="it has no forward"):
        as_rule(type("Half", (), {"start": Plain.start, "backward": Plain.backward}))


def test_rules_of_other_styles_return_what_bptt_does() -> None:
    problem = lively_problem(TANH, SMALL, 0)
    for target in (Plain, Turning, LateShare):
        assert not differs(target, problem)
