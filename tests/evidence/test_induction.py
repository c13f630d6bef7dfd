"""Proofs for every T, by induction over the steps: what is proved, and what must not be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gradcheck
from gradcheck.algorithms import RTRL, Focused, Schmidhuber, bptt
from gradcheck.evidence.base import Case, Finding
from gradcheck.evidence.exact.induction.kind import Induction
from gradcheck.faults import FAULTS, Fault
from gradcheck.judge.conclude import Gathered, conclude, conclude_costs
from gradcheck.judge.plans import kinds
from gradcheck.records import Covers, Evidence, Lengths, Status, Strength
from gradcheck.reference.claims import Claim, Cost, Equals, Exact, Online, Truncated, rule
from gradcheck.reference.network import ContextNetwork, Network
from gradcheck.rules.adapt import as_rule
from tests.brief import BRIEF
from tests.disguised_rules import DISGUISED
from tests.online_rules import RIGHT, TANH, WRONG, Plain, Shared

LEAST = ((1, 1, 1), (2, 1, 1))


def found(target: Any, network: Any = TANH, claim: Claim | None = None, shapes: Any = LEAST) -> Finding:
    claim = claim or Exact()
    return Induction(shapes, longest=3).gather(Case(as_rule(target, claims=[claim]), claim, network))


def holds(finding: Finding) -> bool:
    evidence = finding.evidence
    every = evidence.lengths is Lengths.EVERY
    assert every == (evidence.status is Status.HOLDS), evidence.statement
    return every


@pytest.mark.parametrize(
    ("target", "network"),
    [
        (RTRL, Network("tanh")),
        (Schmidhuber, Network("tanh")),
        (Focused, ContextNetwork("tanh")),
        (RTRL, gradcheck.GRU()),
        (RTRL, gradcheck.LSTM()),
        (RTRL, gradcheck.LSTM(peepholes=True, biases=2, initial_state="zeros")),
    ],
    ids=lambda each: getattr(each, "__name__", str(each)),
)
def test_exact_online_rules_are_proved_for_every_length(target: Any, network: Any) -> None:
    finding = found(target, network)
    assert holds(finding), finding.evidence.statement
    assert finding.evidence.covers is Covers.KIND, "activation, output and loss were left undefined"
    assert "every T" in finding.evidence.scope


@pytest.mark.parametrize("target", RIGHT.values(), ids=RIGHT)
def test_rules_of_other_styles_are_proved(target: Any) -> None:
    finding = found(target)
    assert holds(finding), finding.evidence.statement
    assert finding.evidence.covers is Covers.NETWORK, "tanh' = 1 - a^2 and the squared error are written out"


@pytest.mark.parametrize("target", WRONG.values(), ids=WRONG)
def test_rules_that_may_be_wrong_at_some_length_are_not(target: Any) -> None:
    assert not holds(found(target))


@pytest.mark.parametrize("target", DISGUISED.values(), ids=DISGUISED)
def test_rules_that_count_in_disguise_are_not(target: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ticks.txt").write_text("0")
    finding = found(target, shapes=((1, 1, 1),))
    assert not holds(finding)
    assert " raised " not in finding.evidence.statement, "it is refused for how it counts"


def test_helpers_of_honest_rules_are_followed() -> None:
    @dataclass
    class Carried:
        inner: Any
        factor: int = 2

    class Honest(Plain):
        def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
            return Carried(super().start(network, parameters, initial_state))

        def step(self, state: Any, x: Any, y: Any) -> Any:
            inner, contribution = super().step(state.inner, x, y)
            return Carried(inner), {name: state.factor * array / 2 for name, array in contribution.items()}

    assert holds(found(Honest))


ONLINE_FAULTS = [fault for fault in FAULTS if as_rule(fault.rule()).online]


@pytest.mark.parametrize("fault", ONLINE_FAULTS, ids=lambda fault: fault.id)
def test_no_fault_of_the_gallery_is_proved(fault: Fault) -> None:
    """On the network where the fault shows, which is one of those that the rule declares."""
    made = as_rule(fault.rule())
    results = [claim for claim in made.declaration.claims if not isinstance(claim, (Cost, Online))]
    claims = [Online()] if fault.breaks == "online" else results
    every = [found(made, network, claim, ((1, 1, 1), (2, 2, 1), (3, 1, 1)))
             for network in made.declaration.networks[:4] for claim in claims]  # fmt: skip
    assert not all(map(holds, every))


def test_a_target_may_be_an_instance() -> None:
    finding = found(RTRL, claim=Equals(RTRL()))
    assert holds(finding), finding.evidence.statement
    assert "RTRL" in finding.evidence.statement


def test_the_gallery_has_faults_of_online_rules() -> None:
    assert len(ONLINE_FAULTS) >= 15


def test_numbers_that_are_no_quantity_are_named() -> None:
    finding = found(WRONG["decay of 1 %"])
    assert finding.evidence.details["unidentified"] == ["state[dW][0,0,0]", "state[dR][0,0,0]"]


def test_an_instance_that_is_already_made_is_proved() -> None:
    assert holds(found(Plain()))


def test_arrays_that_share_their_storage_and_are_written_to_are_refused() -> None:
    assert not holds(found(Shared))
    assert not holds(found(Shared, claim=Online()))


def test_a_number_of_the_state_is_named_by_its_quantity() -> None:
    named = found(RTRL, Network("tanh")).evidence.details["state"]["quantities"]
    assert named["state.slope[0]"] == "f'1(t)"
    assert named["state.M[0,1]"] == "ds0/dR[0,0](t)"


COUNTING = ("CountsInState", "CountsInSelf", "CountsInModule", "CountsInClass", "CountsInDefault", "CountsInList")


@pytest.mark.parametrize("name", COUNTING)
def test_a_state_that_counts_steps_is_no_proof_of_online(name: str) -> None:
    assert not holds(found(WRONG[name], claim=Online()))


@pytest.mark.parametrize("target", [Plain, WRONG["no recurrence"], Schmidhuber])
def test_a_state_of_one_form_is_online_for_every_length(target: Any) -> None:
    assert holds(found(target, claim=Online())), "right or wrong, its state does not grow"


# Targets other than the gradient.

Forgetting, Diagonal = WRONG["no recurrence"], WRONG["diagonal alone"]


class Squared(Diagonal):
    """The diagonal rule in other words."""

    def carried(self, influence: Any, R: Any) -> Any:
        return np.stack([influence[..., i] * R[i, i] for i in range(len(R))], axis=-1)


def test_a_rule_is_held_to_the_definition_of_an_approximation() -> None:
    assert holds(found(Squared, claim=Equals(Diagonal)))
    assert not holds(found(Squared, claim=Equals(Forgetting)))
    assert not holds(found(Squared, claim=Exact())), "it is no gradient"
    assert holds(found(RTRL, claim=Equals(rule(weighted=True)(type("Alike", (RTRL,), {})))))


def test_claims_that_no_induction_is_for_are_not_run() -> None:
    assert found(bptt).evidence.status is Status.NOT_RUN
    assert found(Plain, claim=Truncated(3)).evidence.status is Status.NOT_RUN
    assert found(Plain, claim=Equals(bptt)).evidence.status is Status.NOT_RUN
    of_both = found(Plain, claim=Exact(of=("parameters", "initial_state")))
    assert of_both.evidence.status is Status.NOT_RUN


# Verdicts.


def evidence(strength: Strength, lengths: Lengths = Lengths.SIZES, kind: str = "formal") -> Finding:
    return Finding(Evidence(kind, Status.HOLDS, strength, f"{kind} {lengths.name}", "at sizes", lengths=lengths))


def test_a_verdict_says_what_holds_for_every_length() -> None:
    proofs = (evidence(Strength.PROVED), evidence(Strength.PROVED, Lengths.EVERY, "induction"))
    verdict = conclude(Exact(), [Gathered(TANH, proofs)])
    assert "induction EVERY" in verdict.statement


def test_a_verdict_says_no_more_than_holds_on_its_weakest_network() -> None:
    both = (evidence(Strength.PROVED), evidence(Strength.PROVED, Lengths.EVERY, "induction"))
    one = (evidence(Strength.PROVED),)
    other = Network("logistic", "identity", "squared_error")
    for gathered in ([Gathered(TANH, both), Gathered(other, one)], [Gathered(TANH, one), Gathered(other, both)]):
        assert "formal SIZES" in conclude(Exact(), gathered).statement


@pytest.mark.parametrize("claim", [Exact(), Online()])
def test_online_rules_are_planned_for_it_and_functions_are_not(claim: Claim) -> None:
    planned = {target: kinds(Case(as_rule(target), claim, TANH), BRIEF, first=True) for target in (RTRL, bptt)}
    assert "induction" in {kind.kind for kind in planned[RTRL]}
    assert "induction" not in {kind.kind for kind in planned[bptt]}


def test_online_is_as_strong_as_its_induction() -> None:
    lasting = found(Plain, claim=Online(), shapes=((1, 1, 1),))
    others = [evidence(Strength.CERTIFIED, kind="causality"), evidence(Strength.EXACT, kind="counting")]
    assert conclude_costs(Online(), [lasting, *others]).strength is Strength.PROVED
    not_shown = found(WRONG["CountsInState"], claim=Online(), shapes=((1, 1, 1),))
    assert conclude_costs(Online(), [not_shown, *others]).strength is Strength.CERTIFIED
