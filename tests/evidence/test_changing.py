"""Rules whose answers change while a counterexample is looked for: a verdict, never a traceback of the harness."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import gradcheck
from gradcheck.algorithms.bptt import bptt
from gradcheck.evidence.base import Case, Witness
from gradcheck.evidence.floats import comparison
from gradcheck.explain import counterexample
from gradcheck.explain.diagnosis import diagnose
from gradcheck.explain.violation import AnswersChange, Violation
from gradcheck.problems.lively import lively_problem
from gradcheck.reference.network import DEFAULT_NETWORK, Sizes
from gradcheck.rules.adapt import as_rule
from gradcheck.rules.call import run

SIZES = Sizes(3, 2, 1, 1)


class Refusing(np.ndarray[Any, np.dtype[Any]]):
    """An array that takes no part in any ufunc or function."""

    def __array_ufunc__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("no ufunc")

    def __array_function__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("no function")


def _raise(gradient: dict[str, Any]) -> Any:
    raise RuntimeError("from the rule")


def _interrupted(gradient: dict[str, Any]) -> Any:
    raise SystemExit(3)


WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "doubles": lambda g: {**g, "R": 2 * g["R"]},
    "raises": _raise,
    "exits": _interrupted,
    "returns None": lambda g: None,
    "returns other keys": lambda g: {"W": g["W"]},
    "returns other shapes": lambda g: {**g, "R": g["R"][:1]},
    "returns NaN": lambda g: {**g, "R": g["R"] * np.nan},
    "returns text": lambda g: {**g, "R": "R"},
    "refuses ufuncs": lambda g: {name: a.view(Refusing) for name, a in g.items()},
    "refuses ufuncs, wrong": lambda g: {name: (2 * a).view(Refusing) for name, a in g.items()},
}
CALLS: dict[str, Callable[[int], bool]] = {
    "always": lambda call: True,
    "first": lambda call: call == 1,
    "every other call": lambda call: call % 2 == 0,
    "every 3rd call": lambda call: call % 3 == 0,
    "every 40th call": lambda call: call % 40 == 0,
    "from the 20th call on": lambda call: call >= 20,
}


def made(how: str, when: str) -> Any:
    calls: Iterator[int] = itertools.count(1)

    def changing(problem: Any) -> Any:
        gradient = {name: np.asarray(array, dtype=float) for name, array in bptt(problem).items()}
        return WRONG[how](gradient) if CALLS[when](next(calls)) else gradient

    return changing


PAIRS = [("doubles", when) for when in CALLS] + [
    (how, when) for how in WRONG if how != "doubles" for when in ("from the 20th call on", "every 3rd call")
]


@pytest.mark.slow
@pytest.mark.parametrize(("how", "when"), [*PAIRS, ("returns NaN", "always"), ("refuses ufuncs", "always")])
def test_a_search_ends_in_a_violation_nothing_or_a_refusal(how: str, when: str, short_search: None) -> None:
    case = Case(as_rule(made(how, when)), gradcheck.Exact(), DEFAULT_NETWORK)
    problem = lively_problem(DEFAULT_NETWORK, SIZES, 0)
    try:
        found = counterexample.find(case, Witness(DEFAULT_NETWORK, SIZES, {}, "", problem, floats=True))
    except AnswersChange as error:
        assert when not in ("always", "from the 20th call on")
        assert error.seen.entry and error.cause.name == "KEEPS_STATE"
        return
    assert found is None or isinstance(found, Violation)
    if when == "always":
        assert (found is not None) == (how in ("doubles", "returns NaN"))
    if found:
        assert counterexample.counterexample(case, found).snippet
        diagnosis = diagnose(case, found.settings, found.problem)
        assert diagnosis is None or isinstance(diagnosis, str)


@pytest.mark.parametrize("when", ["every other call", "every 3rd call", "every 40th call"])
def test_a_violation_that_is_not_seen_again_is_confirmed_by_no_one(when: str) -> None:
    case = Case(as_rule(made("doubles", when)), gradcheck.Exact(), DEFAULT_NETWORK)
    always = Case(as_rule(made("doubles", "always")), gradcheck.Exact(), DEFAULT_NETWORK)
    problem = lively_problem(DEFAULT_NETWORK, SIZES, 0)
    found = counterexample.find(always, Witness(DEFAULT_NETWORK, SIZES, {}, "", problem, floats=True))
    assert found is not None
    counterexample.confirm(always, found)
    with pytest.raises(AnswersChange):
        counterexample.confirm(case, found)


def test_arrays_of_the_authors_own_kind_are_judged_by_their_numbers() -> None:
    problem = lively_problem(DEFAULT_NETWORK, SIZES, 0)
    right = as_rule(made("refuses ufuncs", "always"))
    assert {type(array) for array in run(right, problem).gradient.values()} == {np.ndarray}
    seen, *_ = comparison.compare_on(right, gradcheck.Exact(), problem, {})
    assert seen.outside is None
    seen, *_ = comparison.compare_on(as_rule(made("refuses ufuncs, wrong", "always")), gradcheck.Exact(), problem, {})
    assert seen.outside is not None
