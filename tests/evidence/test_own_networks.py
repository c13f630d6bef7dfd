"""Audits of networks that people write: where they start, what their sizes tie, what their numbers may be."""

from __future__ import annotations

from typing import Any

import pytest
from own_networks import BARE, FIXED, LEARNED, MATRICES, PAIRS, ZEROS, Pair, bptt, plain, read, squared

import gradcheck
from gradcheck import Sizes, Status
from gradcheck.evidence.base import Case
from gradcheck.evidence.exact.enclosure import Enclosure
from gradcheck.evidence.exact.formal import Formal
from gradcheck.evidence.exact.modular import Modular
from gradcheck.evidence.floats.blackbox import BlackBox
from gradcheck.evidence.floats.properties import Properties
from gradcheck.reference.claims import Exact
from gradcheck.rules.adapt import as_rule

EACH = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)


def _exact(rule: Any, network: Any) -> Any:
    report = gradcheck.audit(rule, claims=[gradcheck.Exact()], networks=[network], effort="quick", isolated=False)
    return next(v for v in report.verdicts if str(v.claim) == "exact")


KINDS: dict[str, Any] = {
    "formal": Formal(largest_T=2, shapes=((1, 1, 1), (2, 1, 2))),
    "modular": Modular(sizes=(Sizes(7, 3, 2, 2),)),
    "enclosure": Enclosure(sizes=(Sizes(5, 3, 2, 2),)),
    "float64": BlackBox(sizes=(Sizes(3, 2, 2, 1),)),
    "properties": Properties(sizes=(Sizes(3, 2, 2, 1),), drawn=1),
}


@EACH
def test_a_right_rule_is_accepted_by_every_kind_that_it_runs_on(pair: Pair) -> None:
    """A kind that a rule does not run on says why; none refutes a right rule."""
    case = Case(as_rule(pair.right, claims=[Exact()], networks=[pair.network]), Exact(), pair.network)
    found = {name: kind.gather(case).evidence for name, kind in KINDS.items()}
    assert {name for name, each in found.items() if each.status is Status.HOLDS} >= {*pair.kinds, "float64"}, found
    assert all(each.status in (Status.HOLDS, Status.NOT_RUN) for each in found.values()), found


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair.name in ("learned", "one-hot")], ids=lambda p: p.name)
def test_a_whole_audit_of_a_right_rule_holds(pair: Pair, brief: None) -> None:
    assert _exact(pair.right, pair.network).status is Status.HOLDS


@EACH
def test_a_wrong_rule_is_refuted_by_a_program_that_runs(pair: Pair, brief: None) -> None:
    verdict = _exact(pair.wrong, pair.network)
    assert verdict.status is Status.REFUTED, verdict
    assert verdict.counterexample is not None
    exec(compile(verdict.counterexample.snippet, "snippet", "exec"), {})


def test_a_rule_for_zeros_is_told_how_to_say_so(brief: None) -> None:
    network = gradcheck.network(plain, read, MATRICES)
    verdict = _exact(lambda p: bptt(p, start=0 * p.initial_state)[0], network)
    assert verdict.status is Status.REFUTED
    assert "right from a zero initial state" in str(verdict.diagnosis)
    off = _exact(lambda p: bptt(p, start=0 * p.initial_state, recurrent=0.9)[0], network)
    assert off.status is Status.REFUTED and "zero initial state" not in str(off.diagnosis)


def test_a_learned_start_without_a_gradient_is_named(brief: None) -> None:
    def dropped(problem: Any) -> Any:
        return {**bptt(problem)[0], "b": 0 * problem.parameters["b"]}

    verdict = _exact(dropped, LEARNED)
    assert verdict.status is Status.REFUTED
    assert "b is 0 throughout" in str(verdict.diagnosis)


def test_a_proof_speaks_of_the_initial_state_only_where_the_problem_gives_it() -> None:
    for network, given in ((ZEROS, False), (BARE, True)):
        case = Case(as_rule(PAIRS[0].right, claims=[Exact()], networks=[network]), Exact(), network)
        assert ("initial state" in KINDS["formal"].gather(case).evidence.statement) is given


def test_a_wrong_output_error_is_named(brief: None) -> None:
    network = gradcheck.network(
        plain, read, MATRICES, loss=squared, output_error=lambda u, y: 2 * (u - y), name="twice"
    )
    verdict = _exact(PAIRS[0].right, network)
    assert verdict.status is Status.NOT_RUN
    assert "output_error(u, y) of the network twice is not the derivative of its loss_value" in verdict.statement


def test_the_sizes_of_a_fixed_state_are_its_own() -> None:
    case = Case(as_rule(PAIRS[2].right, claims=[Exact()], networks=[FIXED]), Exact(), FIXED)
    assert KINDS["enclosure"].gather(case).evidence.scope == "T=5, I=2, D=2, K=2"
