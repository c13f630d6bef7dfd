"""Theorems about several problems: right rules keep them under every claim; each has a fault that it alone notices."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from right_rules import bptt, by_numpy_at
from wrong_rules import as_black_box

import gradcheck
from gradcheck.evidence.base import Case
from gradcheck.evidence.floats import laws, properties
from gradcheck.evidence.floats.laws import PROPERTIES
from gradcheck.explain import counterexample
from gradcheck.problems.lively import lively_problem
from gradcheck.records import Status, Strength
from gradcheck.reference import lags
from gradcheck.reference.claims import Chunked, Claim, Equals, Exact, Truncated, Windowed
from gradcheck.reference.network import ALL_NETWORKS, ContextNetwork, Network, Sizes
from gradcheck.rules.adapt import as_rule

BY_NAME = {each.name: each for each in PROPERTIES}


@pytest.fixture(autouse=True)
def undiagnosed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with the wrong rules here is for tests/evidence/test_diagnosis.py to say."""
    monkeypatch.setattr("gradcheck.engine.tasks.diagnose", lambda *_, **__: None)


@pytest.fixture(autouse=True)
def not_shrunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make violations no smaller, which takes long, but where that is tested."""
    if not request.node.name.endswith("is_shrunk"):
        search = properties._search
        monkeypatch.setattr(
            properties,
            "_search",
            lambda case, known, most, seed: None if most == properties.SHRINKING else search(case, known, most, seed),
        )


def judged(rule: Any, claim: Claim = Exact(), network: Any = None, weighted: bool = True, **kwargs: Any) -> Any:  # noqa: B008
    case = Case(as_rule(rule, claims=[claim], weighted=weighted), claim, network or Network())
    return properties.Properties(**kwargs).gather(case)


def when(suspects: Any, factor: float = 1 + 2.0**-20) -> Any:
    """A rule whose dV and dW are off by a millionth where `suspects` says so of the problem."""

    def rule(problem: Any) -> Any:
        found = bptt(problem)
        if suspects(problem):
            found = {**found, "W": found["W"] * factor, "V": found["V"] * factor}
        return found

    return rule


def remembers_two_steps(problem: Any) -> Any:
    """dR also pairs each error with the state before the last."""
    found, shifted = bptt(problem), problem.replace(initial_state=problem.initial_state * 0)
    states = [np.zeros_like(problem.initial_state), *lags.unroll(shifted).states]
    return {
        **found,
        "R": found["R"] + 2.0**-20 * sum(np.outer(a, b) for a, b in zip(states, states[1:-1], strict=False)),
    }


FAULTS = {
    "permutation": when(lambda p: p.sizes.I > 1 and abs(p.parameters["W"][0, 0]) > abs(p.parameters["W"][0, 1]) > 0),
    "sign flip": when(lambda p: p.parameters["V"].sum() > 0),
    "loss scaling": when(lambda p: abs(p.parameters["V"]).max() > 2),
    "loss subsets": lambda p: bptt(p.replace(loss_weights=p.loss_weights * abs(p.loss_weights))),
    "sequences": when(lambda p: len(p.parameters["W"]) > 3 or p.targets.shape[1] > 3),
    "prefix": when(lambda p: p.T % 2 == 0 and p.parameters["V"].any() and p.parameters["R"].any()),
    "reset": remembers_two_steps,
}
"""Faults by the property that notices them."""


@pytest.mark.parametrize("name", FAULTS)
def test_each_property_alone_notices_its_fault(name: str) -> None:
    finding = judged(FAULTS[name], properties=[BY_NAME[name]])
    assert finding.evidence.status is Status.REFUTED, finding.evidence
    assert finding.evidence.strength is Strength.NONE, "without a certified counterexample it is no refutation yet"
    assert BY_NAME[name].sentence in finding.evidence.statement
    assert finding.witness.floats and finding.witness.problem is not None


@pytest.mark.parametrize("name", ["permutation", "sign flip", "loss scaling", "loss subsets", "sequences", "prefix"])
def test_no_other_property_notices_it(name: str) -> None:
    others = [each for each in PROPERTIES if each.name != name]
    finding = judged(FAULTS[name], properties=others)
    assert finding.evidence.status is Status.HOLDS, finding.evidence


def test_every_property_has_a_fault() -> None:
    assert set(FAULTS) == set(BY_NAME)


SOME = (Sizes(6, 3, 2, 2), Sizes(3, 2, 1, 2))
CLAIMS = [Exact(), *map(Truncated, (1, 2, 4, 9)), *map(Chunked, (1, 2, 3, 5)), Windowed(3, 2), Windowed(6, 3)]


@pytest.mark.parametrize("claim", CLAIMS, ids=str)
def test_right_rules_keep_every_property_under_every_claim(claim: Any) -> None:
    finding = judged(lambda problem: lags.gradient(problem, claim.keeps), claim, sizes=SOME)
    assert finding.evidence.status is Status.HOLDS, finding.evidence
    assert set(finding.evidence.details["groups"]) == set(BY_NAME), finding.evidence.details


@pytest.mark.parametrize("network", [*ALL_NETWORKS[1::4], *map(ContextNetwork, ("tanh", "logistic"))], ids=str)
def test_right_rules_keep_every_property_on_every_network(network: Any) -> None:
    finding = judged(lags.gradient, network=network, sizes=properties.SIZES[:1])
    assert finding.evidence.status is Status.HOLDS, finding.evidence
    assert {"permutation", "loss subsets", "prefix", "reset"} <= set(finding.evidence.details["groups"])


# What Hypothesis draws


def plain_readout(problem: Any) -> bool:
    """Whether some entry of V is 1 or -1: never on a lively problem."""
    return bool((abs(problem.parameters["V"]) == 1).any())


def test_drawn_problems_show_what_lively_ones_do_not_and_shrink() -> None:
    how: dict[str, Any] = {"properties": [BY_NAME["loss scaling"]]}
    assert judged(when(plain_readout), drawn=0, **how).evidence.status is Status.HOLDS
    finding = judged(when(plain_readout), drawn=100, **how)
    assert finding.evidence.status is Status.REFUTED, finding.evidence
    assert finding.witness.problem.sizes == Sizes(1, 1, 1, 1), finding.witness.problem


def test_what_a_lively_problem_shows_is_shrunk() -> None:
    finding = judged(FAULTS["loss scaling"], properties=[BY_NAME["loss scaling"]])
    assert finding.witness.problem.sizes == Sizes(1, 1, 1, 1), finding.witness.problem
    assert str(finding.witness.problem.sizes) in finding.evidence.statement


def test_what_no_small_problem_shows_is_told_of_the_lively_one() -> None:
    long = when(lambda p: p.T >= 9 and abs(p.parameters["V"]).max() > 2)
    finding = judged(long, properties=[BY_NAME["loss scaling"]], sizes=[Sizes(9, 3, 2, 2)])
    assert finding.evidence.status is Status.REFUTED and finding.witness.problem.T == 9, finding.evidence


def test_the_seed_alone_says_what_is_drawn() -> None:
    seen: list[list[bytes]] = []

    def noted(problem: Any) -> Any:
        seen[-1].append(b"".join(array.tobytes() for array in problem.arrays().values()))
        return bptt(problem)

    for seed in (0, 0, 1):
        seen.append([])
        properties.Properties(sizes=properties.SIZES[:1]).gather(
            Case(as_rule(noted, claims=[Exact()]), Exact(), Network(), seed)
        )
    assert seen[0] == seen[1] != seen[2]


def test_a_rule_that_fails_on_a_drawn_problem_is_an_error() -> None:
    def picky(problem: Any) -> Any:
        if not problem.inputs.all():
            raise ValueError("an input is 0")
        return bptt(problem)

    finding = judged(picky)
    assert finding.evidence.status is Status.ERROR and "an input is 0" in finding.evidence.statement, finding.evidence


def test_a_rule_that_answers_differently_each_time_breaks_no_search() -> None:
    calls = [0]

    def fickle(problem: Any) -> Any:
        calls[0] += 1
        return when(lambda p: calls[0] > 80 and calls[0] % 7 == 0)(problem)

    finding = judged(fickle, drawn=100)
    assert finding.evidence.status is Status.REFUTED, finding.evidence


@pytest.mark.parametrize("network", ALL_NETWORKS[::3], ids=str)
def test_no_drawn_problem_speaks_against_a_right_rule(network: Any) -> None:
    finding = judged(lags.gradient, network=network, sizes=properties.SIZES[:1], drawn=40)
    assert finding.evidence.status is Status.HOLDS, finding.evidence


# Where a property is no theorem, it is not asked


def asked(
    claim: Any = None, network: Any = None, *, weighted: bool = True, size: Sizes = properties.SIZES[0]
) -> set[str]:
    problem = lively_problem(network or Network(), size, 0, weighted=weighted)
    return {each.name for each in PROPERTIES if list(each.laws(claim or Exact(), problem, weighted))}


def test_properties_are_asked_where_they_are_theorems() -> None:
    assert asked() == set(BY_NAME)
    assert asked(weighted=False) == set(BY_NAME) - {"loss subsets"}
    assert "sign flip" not in asked(network=Network("logistic"))
    assert "loss scaling" not in asked(network=Network("tanh", "tanh"))
    assert "sequences" not in asked(network=Network("tanh", "softmax"))
    assert "prefix" not in asked(size=Sizes(1, 3, 2, 2))
    assert "permutation" not in asked(size=Sizes(3, 1, 2, 2))


def test_a_prefix_is_asked_only_where_the_claim_keeps_the_same_lags_of_it() -> None:
    claim = Windowed(3, 2)  # whose last pass, at the end, comes early or late with T
    kept = {T: "prefix" in asked(claim, size=Sizes(T, 2, 2, 2)) for T in (4, 5)}
    assert kept == {4: False, 5: True}, kept


def test_the_sum_over_a_prefix_would_be_wrong_there() -> None:
    """The planted twin: asked all the same, the property speaks against a right rule."""
    claim, problem = Windowed(3, 2), lively_problem(Network(), Sizes(4, 2, 2, 2), 0)
    (law,) = BY_NAME["prefix"].laws(Exact(), problem, False)
    always = laws.Property("prefix", "asked all the same", lambda *_: iter([law]))
    case = Case(as_rule(lambda p: lags.gradient(p, claim.keeps), claims=[claim]), claim, Network())
    assert properties.violation(case, properties.Trial((always,), problem, {}))


class Leaning(Network):
    """A network whose units are not alike."""

    def step(self, parameters: Any, state: Any, x: Any) -> Any:
        a = super().step(parameters, state, x)
        return a * (np.arange(len(a)) + 1.0)


def test_users_networks_are_asked_only_what_holds_for_any_network() -> None:
    network = Leaning()
    assert asked(network=network) == {"loss subsets", "prefix", "reset"}
    finding = judged(lags.gradient, network=network)
    assert finding.evidence.status is Status.HOLDS, finding.evidence


def test_claims_about_other_rules_are_no_theorems() -> None:
    assert judged(bptt, Equals(bptt)).evidence.status is Status.NOT_RUN


@pytest.mark.slow
def test_a_rule_that_answers_in_float32_is_charged_float32() -> None:
    rule = by_numpy_at("float32", answers="float32")
    assert judged(rule, sizes=properties.SIZES[:1]).evidence.status is Status.HOLDS
    finer = judged(by_numpy_at("float32", answers="float64"), sizes=properties.SIZES[:1])
    assert finer.evidence.status is Status.REFUTED, "as a float64 rule it is wrong by far more than rounding"


def test_settings_that_a_shorter_problem_lacks_are_not_tried_on_it() -> None:
    @gradcheck.rule(Exact(), settings=lambda T: [{"length": T}])
    def for_one_length(problem: Any, *, length: int) -> Any:
        if problem.T != length:
            raise ValueError("made for another length")
        return bptt(problem)

    finding = properties.Properties().gather(Case(as_rule(for_one_length), Exact(), Network()))
    assert finding.evidence.status is Status.HOLDS, finding.evidence
    assert not {"prefix", "reset"} & set(finding.evidence.details["groups"])


def test_a_rounded_number_costs_the_whole_problems_allowance_once_more() -> None:
    problem = lively_problem(Network(), Sizes(3, 2, 2, 2), 0)
    found = {each.name: [law.rounded for law in each.laws(Exact(), problem, True)] for each in PROPERTIES}
    assert {name for name, rounded in found.items() if any(rounded)} == {"prefix", "reset"}
    assert all(all(found[name]) for name in ("prefix", "reset")), found


# The way to a verdict


def test_a_violated_property_leads_to_a_counterexample(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault needs two networks side by side: no other evidence has problems like that."""
    monkeypatch.setattr(counterexample, "_search", lambda *args: None)  # the witness is enough of a counterexample
    side_by_side = when(lambda p: p.parameters["R"].shape[0] > 1 and not p.parameters["R"][0, -1].any(), 2.0)
    verdict = gradcheck.audit(as_black_box(side_by_side), claims=[Exact()], effort="quick").verdicts[-1]
    assert verdict.status is Status.REFUTED and verdict.counterexample is not None, verdict.statement
    assert verdict.evidence[-1].kind == "properties" and "side by side" in verdict.evidence[-1].statement


def test_a_violated_property_without_a_counterexample_is_no_refutation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted fault of our own: a law that is no theorem speaks against a right rule, and refutes nothing."""

    def false_law(claim: Any, problem: Any, weighted: bool) -> Any:
        yield laws.Law((laws.Term(problem), laws.Term(problem, lambda name: -2.0)))

    monkeypatch.setattr(counterexample, "_search", lambda *args: None)  # so that the witness alone decides
    false, plan = [laws.Property("false", "nothing holds", false_law)], properties.Properties.plan
    monkeypatch.setattr(
        properties.Properties, "plan", lambda self, case: plan(dataclasses.replace(self, properties=false), case)
    )
    verdict = gradcheck.audit(as_black_box(bptt), claims=[Exact()], weighted=True, effort="quick").verdicts[-1]
    assert verdict.status is Status.INCONCLUSIVE, verdict.statement
    assert "properties evidence speaks against it" in verdict.statement and "nothing holds" in verdict.statement
