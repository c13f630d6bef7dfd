"""What was derived for one problem is kept for an equal one, on floats and on residues, and for no other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from wrong_rules import made

from gradcheck.algorithms import bptt
from gradcheck.evidence.base import Case
from gradcheck.evidence.floats.kept import kept
from gradcheck.explain.diagnosis.points import ResiduePoint
from gradcheck.problems.lively import lively_problem
from gradcheck.problems.residues import residue_problem
from gradcheck.reference.claims import Exact
from gradcheck.reference.network import Network, Sizes
from gradcheck.reference.problem import Problem
from gradcheck.reference.scalars.ball import BallField
from gradcheck.reference.scalars.residues.modular import ModularField
from gradcheck.rules.adapt import as_rule

SIZES = Sizes(3, 2, 2, 1)
FIELD = ModularField(seed=5)


def on_floats(seed: int) -> Problem:
    return lively_problem(Network(), SIZES, seed)


def on_residues(seed: int) -> Problem:
    return residue_problem(Network(), SIZES, FIELD, np.random.default_rng(seed))


@pytest.mark.parametrize("make", [on_floats, on_residues])
def test_an_equal_problem_has_what_was_derived(make: Any) -> None:
    what, first = object(), object()
    assert kept(make(0), what, lambda: first) is first
    assert kept(make(0), what, object) is first
    assert kept(make(1), what, object) is not first
    assert kept(make(0), object(), object) is not first
    assert kept(make(0).replace(network=Network("logistic")), what, object) is not first


def test_other_functions_stand_for_the_activation_in_another_field() -> None:
    what, first = object(), object()
    other = residue_problem(Network(), SIZES, ModularField(seed=6), np.random.default_rng(0))
    assert kept(on_residues(0), what, lambda: first) is first
    assert kept(other, what, object) is not first


def test_nothing_is_kept_of_balls() -> None:
    what, field = object(), BallField(100)
    with field.working():
        problem = on_floats(0).over(field)
        assert kept(problem, what, object) is not kept(problem, what, object)


def test_what_one_rule_evaluates_hides_nothing_of_the_next() -> None:
    also = made("elsewhere", ("return {", "dW = dW + 0 * np.tanh(dW)\n    return {"))
    rules = (also, also, bptt)
    points = [ResiduePoint(Case(as_rule(rule), Exact(), Network()), Exact(), SIZES, {}, 0) for rule in rules]
    assert [point.foreign for point in points] == [True, True, False]
