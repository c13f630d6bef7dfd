"""At least 60 right rules of many kinds: none is refuted, and what runs on formal numbers is proved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import right_routes
import right_rules
from wrong_rules import as_black_box

import gradcheck
from gradcheck.evidence.base import Case
from gradcheck.evidence.exact.formal import Formal
from gradcheck.evidence.floats import comparison, screen
from gradcheck.evidence.floats.blackbox import BlackBox
from gradcheck.evidence.floats.lagwise import Lagwise
from gradcheck.problems.lively import lively_problem
from gradcheck.records import Rounding, Status, Strength
from gradcheck.reference.claims import ENTRYWISE, Exact
from gradcheck.reference.network import DEFAULT_NETWORK, Network, Sizes
from gradcheck.rules.adapt import as_rule

FLOATS = (
    BlackBox(sizes=(Sizes(13, 4, 2, 2), Sizes(3, 3, 3, 2), Sizes(1, 1, 1, 1))),
    BlackBox(dtype="float32", sizes=(Sizes(4, 3, 3, 2),), branching=False),
    Lagwise(Sizes(8, 3, 8, 2)),
)
PROOF = Formal(2, ((2, 1, 2),))


def name(rule: Any) -> str:
    return str(rule.__name__)


def case_of(rule: Any, network: Any = DEFAULT_NETWORK, claim: Any = None) -> Case:
    claim = claim or Exact()
    return Case(as_rule(rule, claims=[claim]), claim, network)


def assert_right_on_floats(case: Case) -> None:
    for kind in FLOATS:
        found = kind.gather(case).evidence
        assert found.status in (Status.HOLDS, Status.NOT_RUN), f"{found.kind}: {found.statement}"
        assert found.status is Status.HOLDS or found.kind == "float32", found.statement
    assert screen.by_value(case, (), screen.FIRST, lambda _: None) == []


@pytest.mark.parametrize("rule", right_routes.GENERIC, ids=name)
def test_a_right_rule_on_any_numbers_is_proved(rule: Any) -> None:
    found = PROOF.gather(case_of(rule)).evidence
    assert found.status is Status.HOLDS and found.strength is Strength.PROVED, found.statement
    assert_right_on_floats(case_of(rule))


@pytest.mark.parametrize("rule", [*right_routes.ON_FLOATS, *right_routes.IN_FLOAT32], ids=name)
def test_a_right_rule_on_floats_is_not_refuted(rule: Any) -> None:
    assert_right_on_floats(case_of(rule))


@pytest.mark.parametrize(
    ("functions", "rule"), right_routes.OF_OTHERS, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_right_rule_of_another_network_is_not_refuted(functions: tuple[str, ...], rule: Any) -> None:
    assert_right_on_floats(case_of(rule, Network(*functions)))


@pytest.mark.parametrize("rule", [*right_rules.SUMS, *right_rules.TANH.values(), right_rules.matrices_first], ids=name)
def test_a_right_order_of_sums_is_not_refuted(rule: Any) -> None:
    assert_right_on_floats(case_of(as_black_box(rule)))


def test_there_are_many() -> None:
    routes = [*right_routes.GENERIC, *right_routes.ON_FLOATS, *right_routes.IN_FLOAT32]
    names = [name(rule) for rule in [*routes, *(rule for _, rule in right_routes.OF_OTHERS)]]
    assert len(set(names)) == len(names) >= 60


def test_entrywise_rounding_is_more_than_some_promise() -> None:
    """The planted twin: of a unit that nobody reads, the allowance of single entries refutes right rules."""
    base, rows = lively_problem(DEFAULT_NETWORK, Sizes(6, 4, 2, 2), 0), np.array([[1.0], [0.0], [1.0], [1.0]])
    unread = base.replace(parameters={n: a if n == "W" else a * rows for n, a in base.parameters.items()})
    norm_wise = set()
    for rule in map(as_rule, right_routes.ON_FLOATS):
        seen, *_ = comparison.compare_on(rule, Exact(), unread, {})
        strict, *_ = comparison.compare_on(rule, Exact(rounding=ENTRYWISE), unread, {})
        assert seen.outside is None and (strict.outside is not None) is (seen.rounding is Rounding.NORMWISE)
        norm_wise |= {rule.name} if strict.outside else set()
    assert {"in_a_rotated_basis", "adjoint_by_svd", "with_r_by_householder"} <= norm_wise
    assert not norm_wise & {"fused_c", "long_doubles", "a_tape_of_scalars", "adjoint_solve"}


def test_a_whole_audit_lets_a_right_rule_pass(claims_alone: None) -> None:
    rule = next(rule for rule in right_routes.ON_FLOATS if name(rule) == "in_a_rotated_basis")
    report = gradcheck.audit(rule, claims=[Exact()], effort="quick", isolated=False)
    assert report.passed and report.verdicts[-1].rounding is Rounding.NORMWISE, report.verdicts[-1].statement
