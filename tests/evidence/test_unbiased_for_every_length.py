"""Proofs for every T that stochastic online rules are unbiased: what is proved, and what must not be."""

from __future__ import annotations

import itertools
from typing import Any

import flint
import pytest

import gradcheck
from gradcheck.algorithms import KFRTRL, UORO, EvenSum, ForwardGradient, NoBackTrack, ReverseKFRTRL, artbp
from gradcheck.evidence.base import Case, Finding
from gradcheck.evidence.exact.induction import unbiased
from gradcheck.evidence.exact.induction.kind import Induction
from gradcheck.evidence.exact.induction.moments import Endless, Forms, closed, shown
from gradcheck.evidence.exact.induction.proof import Subject
from gradcheck.evidence.exact.induction.trust import Unproved
from gradcheck.faults import ESTIMATORS, Fault
from gradcheck.judge.plans import kinds
from gradcheck.records import Covers, Lengths, Status
from gradcheck.reference.claims import Claim, Exact, Online, Unbiased
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import Network
from gradcheck.reference.networks.base import Sizes
from gradcheck.rules.adapt import as_rule
from gradcheck.rules.expectation import expectation
from tests.brief import BRIEF
from tests.online_estimators import RIGHT, WRONG, Decaying, Plain, SharedSign
from tests.online_rules import TANH

LEAST = ((1, 1, 1), (2, 1, 1))


def found(target: Any, network: Any = TANH, claim: Claim | None = None, shapes: Any = LEAST) -> Finding:
    claim = claim or Unbiased()
    rule = as_rule(target, claims=[claim])
    rule = expectation(rule) if isinstance(claim, Unbiased) else rule
    return Induction(shapes, longest=3).gather(Case(rule, claim, network))


def holds(finding: Finding) -> bool:
    evidence = finding.evidence
    every = evidence.lengths is Lengths.EVERY
    assert every == (evidence.status is Status.HOLDS), evidence.statement
    return every


@pytest.mark.parametrize(
    ("target", "network"),
    [
        (UORO, Network("tanh")),
        (UORO(distribution="normal", exact_now=True, on_s=True), Network("tanh")),
        (NoBackTrack, Network("tanh")),
        (KFRTRL, Network("tanh")),
        (ReverseKFRTRL, Network("tanh")),
        (EvenSum, Network("tanh")),
        (ForwardGradient, Network("tanh")),
    ],
    ids=lambda each: getattr(each, "__name__", type(each).__name__),
)
def test_estimators_are_proved_for_every_length(target: Any, network: Any) -> None:
    finding = found(target, network)
    assert holds(finding), finding.evidence.statement
    assert finding.evidence.covers is Covers.KIND, "activation, output and loss were left undefined"


@pytest.mark.parametrize("target", [UORO, ForwardGradient])
def test_estimators_on_a_cell_are_proved(target: Any) -> None:
    assert holds(found(target, gradcheck.GRU(), shapes=LEAST[:1]))


@pytest.mark.parametrize("target", RIGHT.values(), ids=RIGHT)
def test_estimators_of_other_styles_are_proved(target: Any) -> None:
    finding = found(target)
    assert holds(finding), finding.evidence.statement
    assert finding.evidence.covers is Covers.NETWORK, "tanh' = 1 - a^2 and the squared error are written out"


def refusal(target: Any) -> str:
    """Return why there is no proof for tanh and the squared error; a proof for a family would be one for this too."""
    claim = Unbiased()
    case = Case(expectation(as_rule(target, claims=[claim])), claim, TANH)
    with pytest.raises(GradcheckError) as refused:
        unbiased.prove(Subject(case, TANH, {}), Sizes(3, 2, 1, 1))
    return str(refused.value)


@pytest.mark.parametrize("target", WRONG.values(), ids=WRONG)
def test_estimators_that_may_be_biased_at_some_length_are_not(target: Any) -> None:
    assert refusal(target)


ONLINE = [fault for fault in ESTIMATORS if as_rule(fault.rule()).online]
CHECKED_ARGUMENTS = ("mixture-weight-missing", "mixture-mean-missing", "signs-of-one-mixed-factor")
"""Faults whose code has a try statement, where it checks its arguments; a copy of shipped code is not trusted there."""
OTHER_REASONS = ("keeps something", "its code", "cannot be looked into", "holds code", "another form")


@pytest.mark.parametrize("fault", ONLINE, ids=lambda fault: fault.id)
def test_no_fault_of_an_estimator_is_proved(fault: Fault) -> None:
    reason = refusal(fault.rule())
    if fault.id in CHECKED_ARGUMENTS:
        assert "handles errors" in reason
        return
    assert not any(other in reason for other in OTHER_REASONS), "it was looked into, and its numbers are wrong"


def test_the_gallery_has_faults_of_online_estimators() -> None:
    assert len(ONLINE) >= 20


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (UORO(balanced=True), "sqrt of what depends on noise"),
        (WRONG["Divides"], "a division by what depends on noise"),
        (WRONG["Squaring"], "moments of its state above degree"),
        (WRONG["CountsInState"], "state[t] is 1, 2"),
        (WRONG["ReadsEarlierDraws"], "its code handles errors"),
        (WRONG["CountsInNumber"], "state[t][0]"),
        (WRONG["Kept"], "the expectation of a contribution of the first 2 steps is off by"),
    ],
    ids=lambda each: each if isinstance(each, str) else getattr(each, "__name__", type(each).__name__),
)
def test_what_is_refused_has_its_reason(target: Any, reason: str) -> None:
    assert reason in refusal(target)


@pytest.mark.parametrize("target", [UORO(balanced=True), SharedSign, artbp])
def test_what_is_not_proved_is_no_refutation(target: Any) -> None:
    evidence = found(target).evidence
    assert evidence.status is Status.NOT_RUN
    assert evidence.lengths is Lengths.SIZES


def test_the_expectation_of_each_product_of_traces_is_named_by_its_quantity() -> None:
    named = found(UORO, Network("tanh"), shapes=LEAST[:1]).evidence.details["state"]["quantities"]
    assert named["E[state.s[0] state.theta[1]]"] == "da[0]/dR[0,0](t)"


def test_sums_of_products_are_identified_where_no_product_is() -> None:
    named = found(EvenSum(2), Network("tanh"), shapes=LEAST[:1]).evidence.details["state"]["quantities"]
    assert named["E[state.u[0,1] state.A[0,0,0] + state.u[1,1] state.A[1,0,0]]"] == "da[0]/dR[0,0](t)"


def test_a_result_of_a_stochastic_rule_is_not_what_is_proved() -> None:
    evidence = found(Plain, claim=Exact()).evidence
    assert evidence.status is Status.NOT_RUN
    assert "draws from noise" in evidence.statement


@pytest.mark.parametrize("target", [UORO, EvenSum, ForwardGradient, Decaying])
def test_a_stochastic_rule_whose_state_does_not_grow_is_online_for_every_length(target: Any) -> None:
    assert holds(found(target, claim=Online(), shapes=LEAST[:1]))


@pytest.mark.parametrize(
    "name", [name for name in WRONG if name.startswith(("Counts", "Keeps", "Reads")) and name != "CountsInNumber"]
)
def test_a_stochastic_rule_that_keeps_more_is_no_proof_of_online(name: str) -> None:
    assert not holds(found(WRONG[name], claim=Online(), shapes=LEAST[:1]))


def test_unbiased_online_rules_are_planned_for_it_and_functions_are_not() -> None:
    def planned(target: Any) -> set[str]:
        case = Case(expectation(as_rule(target)), Unbiased(), TANH)
        return {kind.kind for kind in kinds(case, BRIEF, first=True)}

    assert "induction" in planned(UORO)
    assert "induction" not in planned(artbp)


# Forms.

X, Y, XX, XY, YY = ((0, 1),), ((1, 1),), ((0, 2),), ((0, 1), (1, 1)), ((1, 2),)


def form(**terms: int) -> Any:
    return {globals()[name]: flint.fmpq(c) for name, c in terms.items()}


def test_a_space_of_forms_has_coordinates_for_its_sums_alone() -> None:
    forms = Forms()
    assert forms.add(form(XX=1, XY=2))
    assert forms.add(form(XY=1, YY=1))
    assert not forms.add(form(XX=3, XY=7, YY=1))
    total: Any = {}
    for pivot, c in forms.coordinates(form(XX=3, XY=7, YY=1)).items():
        for monomial, each in forms.rows[pivot].items():
            total[monomial] = total.get(monomial, 0) + c * each
    assert {monomial: c for monomial, c in total.items() if c != 0} == form(XX=3, XY=7, YY=1)
    with pytest.raises(Unproved):
        forms.coordinates(form(XX=3, XY=7, YY=2))


def test_forms_that_lead_to_each_other_are_closed_and_others_are_endless() -> None:
    exchanged = {XX: form(YY=1), YY: form(XX=1)}
    forms = closed([{(): form(XX=1)}], lambda vector: {(n,): exchanged[m] for n, m in enumerate(vector)})
    assert len(forms.rows) == 2

    def squared(vector: Any) -> Any:
        return {(n,): {((0, 2 * m[0][1]),): c} for n, (m, c) in enumerate(vector.items())}

    with pytest.raises(Endless):
        closed([{(): form(X=1)}], squared)


# The step, where the base shows nothing.


class Doubled(Plain):
    """Contributes twice as much."""

    def step(self, state: Any, x: Any, y: Any, noise: Any) -> Any:
        made, contribution = super().step(state, x, y, noise)
        return made, {name: 2 * array for name, array in contribution.items()}


def proved_from_the_start(target: Any, monkeypatch: pytest.MonkeyPatch) -> unbiased.Expected:
    """Return the proof whose base is the start alone, or raise."""
    plain = unbiased.sightings
    monkeypatch.setattr(unbiased, "sightings", lambda seen: itertools.islice(plain(seen), 1))
    claim = Unbiased()
    case = Case(expectation(as_rule(target, claims=[claim])), claim, TANH)
    return unbiased.prove(Subject(case, TANH, {}), Sizes(3, 1, 1, 1))


def test_a_wrong_contribution_of_a_step_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    assert proved_from_the_start(Plain, monkeypatch).span["first"] == 0
    with pytest.raises(Unproved, match="the expectation of a contribution is off by"):
        proved_from_the_start(Doubled, monkeypatch)


def test_a_wrong_guess_of_an_expectation_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    right = proved_from_the_start(Plain, monkeypatch).quantities

    def guess(subject: Any, seen: Any, guess: Any, forms: Any, moments: Any) -> Any:
        paths = [entry.path for entry in guess.memory.entries]
        return {pivot: right[shown(row, paths)] for pivot, row in forms.rows.items()}

    monkeypatch.setattr(unbiased, "_recognised", guess)
    assert proved_from_the_start(Plain, monkeypatch)
    for wrong in (Decaying, WRONG["OfAThird"]):
        with pytest.raises(Unproved, match="after a step is off by"):
            proved_from_the_start(wrong, monkeypatch)
    with pytest.raises(Unproved, match="at first is off by"):
        proved_from_the_start(WRONG["StartsAtOne"], monkeypatch)
