"""Shrinking keeps the cause: a smaller counterexample that shows another fault is not the same counterexample."""

from __future__ import annotations

from typing import Any

import numpy as np
from wrong_rules import as_black_box, made

from gradcheck.evidence.base import Case, Witness
from gradcheck.explain import counterexample
from gradcheck.explain.traits import Traits, traits
from gradcheck.problems.lively import lively_problem
from gradcheck.reference import lags
from gradcheck.reference.claims import Exact
from gradcheck.reference.network import Network, Sizes
from gradcheck.rules.adapt import as_rule

RIGHT = as_black_box(made("plain BPTT"))
PROBLEM = lively_problem(Network(), Sizes(6, 3, 2, 2), 0)


def of(result: Any) -> Traits:
    truth = lags.gradient(PROBLEM)
    return traits(PROBLEM, {**truth, **result}, truth, {name: np.full(a.shape, 1e-12) for name, a in truth.items()})


def test_traits_name_what_holds_wherever_a_fault_shows() -> None:
    truth, cut = lags.gradient(PROBLEM), lags.gradient(PROBLEM, lambda t, k, T: k < 3)
    assert of({"R": cut["R"]}).facts == {("R", "lags below 3")}
    assert of({"W": -truth["W"]}).facts == {("W", "times a negative number")}
    assert of({"R": truth["R"].T}).facts == {("R", "transposed")}
    assert of({"V": truth["V"] * np.nan}).facts == {("V", "not finite")}
    assert not of({}).wrong


def test_results_with_the_same_fault_are_told_from_others() -> None:
    truth, cut = lags.gradient(PROBLEM), lags.gradient(PROBLEM, lambda t, k, T: k < 3)
    lost, flipped, stray = of({"R": cut["R"]}), of({"R": -truth["R"]}), of({"R": truth["R"] + 1, "W": truth["W"] + 1})
    assert lost.shown_by(of(cut)) and not lost.shown_by(flipped) and not flipped.shown_by(lost)
    assert stray.shown_by(flipped), "nothing is known of it but the parameters"
    assert not stray.shown_by(of({"V": -truth["V"]}))


def with_two_faults(problem: Any) -> Any:
    """Return the gradient without lags from 3 on, and the negative one of a sequence of one step."""
    if problem.T == 1:
        return {name: -array for name, array in RIGHT(problem).items()}
    plain = problem.astype(float)
    return lags.gradient(plain, lambda t, k, T: k < 3)


def test_shrinking_keeps_the_cause(monkeypatch: Any) -> None:
    case = Case(as_rule(with_two_faults, claims=[Exact()]), Exact(), Network())
    witness = Witness(Network(), PROBLEM.sizes, {}, "", PROBLEM, floats=True)
    found = counterexample.find(case, witness)
    assert found is not None and found.problem.T == 4
    monkeypatch.setattr(counterexample, "_same_fault", lambda known, found: True)
    found = counterexample.find(case, witness)
    assert found is not None and found.problem.T == 1, "the planted twin takes any smaller violation"
