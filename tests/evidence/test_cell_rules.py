"""Rules on any cell: a right one is accepted by exact evidence on every shipped cell, and wrong ones are refuted."""

from __future__ import annotations

from typing import Any

import pytest
from cells import CELLS, GATED, gates_taken_for_constants, named, path_dropped
from made_up import GatedLeaky

import gradcheck
from gradcheck.algorithms import RTRL, bptt, chunked_bptt, run_rule, truncated_bptt, windowed_bptt
from gradcheck.evidence.base import Case
from gradcheck.evidence.exact import formal, modular
from gradcheck.evidence.exact.enclosure import Enclosure
from gradcheck.evidence.exact.modular import Modular
from gradcheck.problems.lively import lively_problem
from gradcheck.records import Status, Strength
from gradcheck.reference import lags
from gradcheck.reference.claims import Chunked, Exact, Truncated, Windowed
from gradcheck.reference.network import LRU, LSTM, RTU, ContinuousTime, Network, Sizes
from gradcheck.reference.scalars.precise import PreciseField
from gradcheck.rules.adapt import as_rule

FORMAL = formal.Formal(largest_T=2, shapes=[(1, 1, 1), (2, 1, 1)])
MODULAR = Modular(sizes=(Sizes(5, 3, 2, 2),))
RULES: tuple[Any, ...] = (
    (bptt, Exact(), {}), (truncated_bptt, Truncated(2), {"tau": 2}), (chunked_bptt, Chunked(2), {"length": 2}),
    (windowed_bptt, Windowed(3, 2), {"horizon": 3, "stride": 2}), (RTRL, Exact(), {}),
)  # fmt: skip
ONLY_ENCLOSED = (LRU(), RTU())


def evidence(kind: Any, target: Any, cell: Any) -> Any:
    return kind.gather(Case(as_rule(target, networks=[cell]), Exact(), cell)).evidence


@pytest.mark.parametrize("cell", CELLS, ids=named)
def test_bptt_on_any_cell_is_accepted(cell: Any) -> None:
    shown = evidence(FORMAL, bptt, cell)
    if cell not in ONLY_ENCLOSED and not isinstance(cell, ContinuousTime):  # exp and quotients are no polynomials
        assert shown.strength is Strength.PROVED, shown.statement
    if cell not in ONLY_ENCLOSED:  # nor have sin, cos and sqrt residues
        shown = evidence(MODULAR, bptt, cell)
        assert shown.strength is Strength.EXACT, shown.statement
    shown = evidence(Enclosure(sizes=(Sizes(6, 3, 2, 2),)), bptt, cell)
    assert shown.strength is Strength.CERTIFIED, shown.statement


@pytest.mark.parametrize("cell", CELLS, ids=named)
def test_twin_a_dropped_path_is_refuted(cell: Any) -> None:
    kind = Enclosure(sizes=(Sizes(6, 3, 2, 2),)) if cell in ONLY_ENCLOSED else MODULAR
    assert evidence(kind, path_dropped, cell).status is Status.REFUTED


@pytest.mark.parametrize("cell", GATED, ids=named)
def test_twin_gates_without_derivative_are_refuted(cell: Any) -> None:
    assert evidence(MODULAR, gates_taken_for_constants, cell).status is Status.REFUTED


@pytest.mark.parametrize("cell", [*CELLS, GatedLeaky()], ids=named)
@pytest.mark.parametrize(("rule", "claim", "settings"), RULES, ids=lambda each: getattr(each, "__name__", ""))
def test_each_rule_takes_any_cell(rule: Any, claim: Any, settings: Any, cell: Any) -> None:
    problem = lively_problem(cell, Sizes(5, 2, 2, 2), 0, weighted=True)
    field = PreciseField(40)
    with field.working():
        found, true = run_rule(rule, problem.over(field), **settings), lags.gradient(problem.over(field), claim.keeps)
        for name in true:
            gap = [abs(a - b) for a, b in zip(field.natives(found[name]), field.natives(true[name]), strict=True)]
            assert max(gap) < 1e-35, name


def test_the_fully_recurrent_network_keeps_its_own_code() -> None:
    """A cell's step runs on traced arrays; the lecture's recursion has none."""
    problem = lively_problem(Network(), Sizes(4, 3, 2, 2), 0)

    class Untraced(Network):
        pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gradcheck.algorithms.cells.vjp", lambda *_: pytest.fail("traced"))
        for rule, _, settings in RULES:
            run_rule(rule, problem, **settings)
        with pytest.raises(pytest.fail.Exception, match="traced"):
            bptt(problem.replace(network=Untraced()))


@pytest.mark.parametrize(
    ("rule", "settings", "said"),
    [
        (truncated_bptt, {"tau": 0}, "tau must be a whole number of steps"),
        (chunked_bptt, {"length": 1.5}, "length must be a whole number of steps"),
        (windowed_bptt, {"horizon": 1, "stride": 2}, "stride must not exceed horizon"),
    ],
)
def test_bad_settings_on_a_cell(rule: Any, settings: Any, said: str) -> None:
    with pytest.raises(gradcheck.GradcheckError, match=said):
        rule(lively_problem(LSTM(), Sizes(3, 2, 2, 2), 0), **settings)


def test_a_proof_leaves_out_what_has_too_many_monomials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formal, "MOST_TERMS", 10_000)
    shown = formal.Formal(largest_T=4, shapes=[(1, 1, 1), (2, 1, 1)]).gather(
        Case(as_rule(bptt, networks=[LSTM()]), Exact(), LSTM())
    )
    assert shown.evidence.strength is Strength.PROVED
    assert shown.evidence.scope.startswith("T <= 3 at (I, D, K) = (1, 1, 1); T <= 2 at (I, D, K) = (2, 1, 1)")
    truncated = formal.Formal(largest_T=4, shapes=[(2, 1, 1)]).gather(
        Case(as_rule(bptt, networks=[LSTM()]), Truncated(3), LSTM())
    )
    assert truncated.evidence.status is Status.NOT_RUN, "up to T = 2 it would be the claim exact"


def test_modular_points_are_shorter_where_a_cell_evaluates_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modular, "WANTED_BITS", 10)  # one point
    shown = evidence(Modular(sizes=(Sizes(130, 7, 2, 2),)), bptt, LSTM())
    assert shown.strength is Strength.EXACT and shown.scope == "T=65, I=7, D=2, K=2"
    assert 10 < shown.details["failure_bits"] < 31
