"""The deterministic rules that are no exact gradient: each against its definition, and each definition against it."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import pytest
from rule_cases import declaration, natives, settings_of

import gradcheck
from gradcheck.algorithms import (
    DNI,
    RFLO,
    DiagonalRTRL,
    EProp,
    KeRNL,
    LayeredRTRL,
    SnAp,
    SparseRTRL,
    adaptive_truncation,
    bptt,
    eprop_factorised,
    run_rule,
)
from gradcheck.algorithms.adaptive_truncation import horizon, tail_bound
from gradcheck.chapters import relations
from gradcheck.evidence.base import Case, Finding, Witness
from gradcheck.evidence.differs import Differs
from gradcheck.evidence.target import expected
from gradcheck.problems.lively import lively_problem
from gradcheck.problems.residues import residue_problem
from gradcheck.records import Evidence, Status, Strength
from gradcheck.reference import definitions, lags
from gradcheck.reference.claims import Claim, Equals, Exact, Truncated, rule
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import GRU, LRU, Leaky, Network, Stacked
from gradcheck.reference.networks.base import Sizes
from gradcheck.reference.networks.domains import mask_of
from gradcheck.reference.problem import Problem
from gradcheck.reference.scalars.ball import BallField
from gradcheck.reference.scalars.rational import RationalField
from gradcheck.reference.scalars.residues.modular import ModularField
from gradcheck.rules.adapt import as_rule

BIASED = (SnAp, SparseRTRL, RFLO, EProp, KeRNL, DNI, LayeredRTRL)
EXACT = (DiagonalRTRL, eprop_factorised)
SIZES = Sizes(5, 4, 2, 2)


def claim_of(target: Any) -> Claim:
    return declaration(target).claims[0]


def at_residues(network: Any, sizes: Sizes = SIZES, seed: int = 0) -> tuple[ModularField, Problem]:
    field = ModularField(seed=seed)
    return field, residue_problem(network, sizes, field, np.random.default_rng(seed), weighted=True)


CASES = [(target, network) for target in (*BIASED, *EXACT) for network in declaration(target).networks]


@pytest.mark.parametrize(("target", "network"), CASES, ids=lambda part: getattr(part, "__name__", str(part)))
def test_a_rule_is_its_definition_in_a_finite_field(target: Any, network: Any) -> None:
    field, problem = at_residues(network)
    differs = 0
    exact = natives(field, lags.gradient(problem))
    for chosen in settings_of(target, problem.T):
        came = natives(field, run_rule(target, problem, **chosen))
        assert came == natives(field, expected(claim_of(target).bind(chosen), problem)), chosen
        differs += came != exact
    assert bool(differs) == (target in BIASED), "a biased rule must differ, an exact one must not"


@pytest.mark.parametrize("target", [*BIASED, *EXACT, adaptive_truncation], ids=lambda target: target.__name__)
def test_a_rule_runs_on_balls(target: Any) -> None:
    network, field = declaration(target).networks[0], BallField(128)
    problem = lively_problem(network, Sizes(4, 3, 2, 1), 0, weighted=True)
    with field.working():
        on_balls = {
            n: [float(v.mid()) for v in vs] for n, vs in natives(field, run_rule(target, problem.over(field))).items()
        }
    for name, array in run_rule(target, problem).items():
        assert np.allclose(array.reshape(-1), on_balls[name], rtol=1e-9, atol=1e-12), name


def _other(V: Any) -> Any:
    return V[::-1] + 1


def _rates(n: int, alpha: Any) -> Any:
    return np.arange(1, n + 1) / 8


@pytest.mark.parametrize(
    ("made", "definition"),
    [
        (RFLO(_other), functools.partial(definitions.rflo, feedback=_other)),
        (KeRNL(np.eye, _rates), functools.partial(definitions.kernl, sensitivity=np.eye, decay=_rates)),
        (DNI(2, rate=0), functools.partial(definitions.dni, block=2, rate=0)),
        (SnAp(2), functools.partial(definitions.snap, n=2)),
    ],
    ids=["RFLO", "KeRNL", "DNI", "SnAp"],
)
def test_free_choices_are_arguments_of_the_definition_too(made: Any, definition: Any) -> None:
    field, problem = at_residues(Leaky(leak=0.25))
    assert natives(field, run_rule(made, problem)) == natives(field, definition(problem))


def test_a_predictor_that_learns_is_not_the_first_guess() -> None:
    field, problem = at_residues(Network())
    assert natives(field, run_rule(DNI(1), problem)) != natives(field, run_rule(DNI(1, rate=0), problem))


def test_snap_masks_by_structure_where_values_are_zero() -> None:
    problem = lively_problem(Network(), Sizes(4, 3, 2, 1), 0)
    silent = problem.replace(parameters={**problem.parameters, "R": 0 * problem.parameters["R"]})
    state = SnAp(2).start(silent.network, silent.parameters, silent.initial_state)
    assert state.mask.all(), "a dense network reaches every unit, whatever R holds"


def test_an_online_rule_that_is_made_is_held_to_its_own_settings() -> None:
    made = as_rule(SnAp(2))
    assert made.settings(4) == [{}]
    claim = made.declaration.claims[0]
    field, problem = at_residues(declaration(SnAp).networks[-1])
    assert natives(field, expected(claim, problem)) == natives(field, definitions.snap(problem, n=2))


@pytest.mark.parametrize(
    ("target", "network"),
    [(RFLO, GRU()), (EProp, Leaky()), (SnAp, Leaky(leak=0.5, biases=2)), (DiagonalRTRL, Leaky(leak=0.5)),
     (DiagonalRTRL, LRU(readout_bias=True)), (LayeredRTRL, LRU()),
     (LayeredRTRL, Stacked(LRU(), LRU(), residual=True))],
    ids=str,
)  # fmt: skip
def test_a_network_that_a_rule_is_not_written_for_is_refused(target: Any, network: Any) -> None:
    problem = lively_problem(network, Sizes(2, 2, 2, 1), 0)
    with pytest.raises(GradcheckError, match="got the network .*; use "):
        run_rule(target, problem)


# The target of a claim that must differ.


def differing(target: Any, network: Any = None) -> Any:
    made = as_rule(target)
    claim = made.declaration.claims[0]
    return Differs().gather(Case(made, claim, network or made.declaration.networks[0])).evidence


def on_floats(problem: Problem) -> Any:
    """A definition outside NumPy: RFLO on floats."""
    found = definitions.rflo(problem.map(lambda a: np.array([float(v) for v in a.reshape(-1)]).reshape(a.shape)))
    return {name: np.array(array.tolist()) for name, array in found.items()}


@pytest.mark.parametrize("target", BIASED, ids=lambda target: target.__name__)
def test_a_definition_differs_from_the_gradient_on_every_network(target: Any) -> None:
    for network in declaration(target).networks:
        evidence = differing(target, network)
        assert (evidence.status, evidence.strength) == (Status.HOLDS, Strength.EXACT), evidence


def test_a_black_box_may_be_a_definition() -> None:
    evidence = differing(rule(Equals(on_floats, differs=True))(lambda problem: on_floats(problem)))
    assert (evidence.status, evidence.strength) == (Status.HOLDS, Strength.CERTIFIED), evidence


def test_a_definition_that_is_the_gradient_is_refuted(brief: None) -> None:
    @rule(Equals(bptt, differs=True))
    def vacuous(problem: Problem) -> Any:
        return bptt(problem)

    assert differing(vacuous).status is Status.REFUTED
    report = gradcheck.audit(vacuous, effort="quick", isolated=False)
    verdict = next(v for v in report.verdicts if v.claim.startswith("equals"))
    assert verdict.status is Status.REFUTED and "was the gradient in each of" in verdict.statement, verdict
    with pytest.raises(Exception, match="differs"):
        report.check()


# Patterns of parameters.


def test_entries_outside_a_pattern_are_zero_in_every_problem() -> None:
    network = Leaky(leak=0.25, recurrence="ring")
    mask = mask_of(network, "R", (4, 4))
    assert mask.sum() == 8
    field, drawn = at_residues(network)
    assert [bool(v) for v in field.natives(drawn.parameters["R"])] == mask.reshape(-1).tolist()
    assert (lively_problem(network, SIZES, 0).parameters["R"] != 0).tolist() == mask.tolist()
    gradient = lags.gradient(drawn)
    assert all(field.natives(gradient["R"])), "weights at 0 have a gradient"


def test_a_number_outside_a_pattern_is_refused() -> None:
    problem = lively_problem(Leaky(leak=0.25, recurrence="diagonal"), Sizes(2, 2, 1, 1), 0)
    with pytest.raises(GradcheckError, match="zeros off the diagonal"):
        problem.replace(parameters={**problem.parameters, "R": np.ones((2, 2))})
    with pytest.raises(GradcheckError, match="no recurrence='sparse'"):
        Leaky(leak=0.25, recurrence="sparse")


# Adaptive truncation.


@pytest.mark.parametrize("seed", range(4))
def test_adaptive_truncation_is_truncation_at_its_horizon_with_a_bounded_error(seed: int) -> None:
    problem = lively_problem(Network(), Sizes(8, 3, 2, 1), seed)
    problem = problem.replace(parameters={**problem.parameters, "R": problem.parameters["R"] * 2.0 ** -(seed + 1)})
    tau = horizon(problem, 4, 0.5)
    assert tau == definitions.adaptive.__globals__["horizon"](problem)
    cut, whole = lags.claimed(problem, Truncated(tau)), lags.gradient(problem)
    for name, array in run_rule(adaptive_truncation, problem).items():
        assert np.allclose(array, cut[name], rtol=1e-12, atol=1e-15)
    error = np.sqrt(sum(((cut[name] - whole[name]) ** 2).sum() for name in "WR"))
    assert error <= tail_bound(problem, tau) * (1 + 1e-12)
    dropped = tail_bound(problem, tau + 1)
    assert seed == 0 or dropped < tail_bound(problem, tau), "each lag left out counts"


def test_some_horizon_is_short() -> None:
    problem = lively_problem(Network(), Sizes(8, 3, 2, 1), 0)
    weak = problem.replace(parameters={**problem.parameters, "R": problem.parameters["R"] / 8})
    assert horizon(weak, 4, 0.5) < problem.T <= horizon(problem, 4, 1e-9)


# The map of relations.


@pytest.mark.parametrize("relation", [r for rs in relations.RELATIONS.values() for r in rs], ids=lambda r: r.id)
def test_a_relation_is_proved(relation: Any) -> None:
    verdict = relations.verdict(relation, relations.found(relation))
    assert (verdict.status, verdict.strength) == (Status.HOLDS, Strength.PROVED), verdict


def relation_of(id: str) -> relations.Relation:
    return next(r for rs in relations.RELATIONS.values() for r in rs if r.id == id)


@pytest.mark.parametrize("id", ["rflo-none", "rflo-diagonal"])
def test_a_relation_that_is_the_other_way_round_is_refuted(id: str) -> None:
    relation = relation_of(id)
    wrong = dataclasses.replace(relation, equal=not relation.equal)
    assert relations.verdict(wrong, relations.found(wrong)).status is Status.REFUTED


def test_different_polynomials_of_the_same_values_prove_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    relation = relation_of("rflo-none")
    witness = Witness(relation.place.network, Sizes(2, 2, 1, 1), {}, "")
    apart = Finding(Evidence("formal", Status.REFUTED, Strength.NONE, ""), witness)
    monkeypatch.setattr(relations.formal.Formal, "gather", lambda self, case: apart)
    differing = dataclasses.replace(relation, equal=False)
    assert relations.verdict(differing, relations.found(differing)).status is Status.INCONCLUSIVE


def test_rationals_carry_the_relations_too() -> None:
    field = RationalField()
    problem = lively_problem(Leaky("identity", leak=0.25, recurrence="none"), Sizes(4, 3, 2, 1), 0).over(field)
    assert natives(field, run_rule(RFLO, problem)) == natives(field, lags.claimed(problem, Exact()))
