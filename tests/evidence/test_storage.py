"""A rule goes by the numbers of its problem, however they are stored, and works while another thread calls it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from right_rules import entry_by_entry
from wrong_rules import made

import gradcheck
from gradcheck.algorithms.bptt import bptt
from gradcheck.algorithms.rtrl import RTRL
from gradcheck.evidence.base import Case
from gradcheck.evidence.preconditions import calls, storage, threads
from gradcheck.evidence.preconditions.purity import Purity
from gradcheck.problems.lively import lively_problem
from gradcheck.records import Cause, Status
from gradcheck.reference.network import DEFAULT_NETWORK, Network, Sizes
from gradcheck.reference.problem import Problem
from gradcheck.reference.typing import Gradient
from gradcheck.rules.adapt import as_rule

Rule = Callable[[Problem], Gradient]


def case_of(rule: Any, network: Any = DEFAULT_NETWORK) -> Case:
    return Case(as_rule(rule, claims=[gradcheck.Exact()], networks=[network]), gradcheck.Exact(), network)


def with_parameters(change: Callable[[Any], Any]) -> Rule:
    return lambda problem: bptt(
        problem.replace(parameters={name: change(array) for name, array in problem.parameters.items()})
    )


def by_position(problem: Problem) -> Gradient:
    return bptt(problem.replace(parameters=dict(zip("WRV", problem.parameters.values(), strict=True))))


def names_by_position(problem: Problem) -> Gradient:
    return dict(zip(problem.parameters, bptt(problem).values(), strict=True))


def by_identity(problem: Problem) -> Gradient:
    by_id = {id(problem.parameters[name]): array for name, array in bptt(problem).items()}
    return {name: by_id[id(array)].copy() for name, array in problem.parameters.items()}


def by_memory(problem: Problem) -> Gradient:
    """Read the inputs from the memory that holds them, as C code does."""
    inputs = problem.inputs if problem.inputs.base is None else problem.inputs.base
    read = np.frombuffer(inputs.tobytes("A"), dtype=np.float64)[: problem.inputs.size]
    return bptt(problem.replace(inputs=read.reshape(problem.inputs.shape)))


def by_flags(problem: Problem) -> Gradient:
    gradient = bptt(problem)
    return gradient if problem.inputs.flags.writeable else {**gradient, "W": gradient["W"] * 2}


def changes_what_is_not_contiguous(problem: Problem) -> Gradient:
    gradient = bptt(problem)
    if not problem.inputs.flags.c_contiguous:
        problem.inputs[...] = 0
    return gradient


WRONG: dict[str, Rule] = {
    "memory order": with_parameters(lambda array: array.ravel("K").reshape(array.shape)),
    "bytes of this machine": with_parameters(lambda array: array.view(np.float64)),
    "by position": by_position,
    "names by position": names_by_position,
    "by identity": by_identity,
    "by memory": by_memory,
    "by flags": by_flags,
    "changes its inputs": changes_what_is_not_contiguous,
    "taken for an autoencoder": lambda problem: bptt(
        problem if not np.shares_memory(problem.inputs, problem.targets) else problem.replace(targets=problem.inputs)
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_rule_that_goes_by_more_than_the_numbers_is_not_pure(name: str) -> None:
    evidence = Purity().gather(case_of(WRONG[name])).evidence
    assert (evidence.status, evidence.cause) == (Status.REFUTED, Cause.STORAGE), evidence.statement


def test_nothing_else_is_judged_of_such_a_rule(brief: None) -> None:
    report = gradcheck.audit(by_position, [gradcheck.Exact()], effort="quick", isolated=False)
    assert {verdict.claim: verdict.status for verdict in report.verdicts} == {
        "pure": Status.REFUTED, "exact": Status.NOT_RUN, "stable": Status.NOT_RUN
    }  # fmt: skip


@pytest.mark.parametrize(("rule", "network"), [(bptt, DEFAULT_NETWORK), (RTRL, DEFAULT_NETWORK),
    (entry_by_entry, DEFAULT_NETWORK), (bptt, Network("logistic", "logistic", "binary_cross_entropy"))])  # fmt: skip
def test_a_right_rule_takes_numbers_however_they_are_stored(rule: Any, network: Any) -> None:
    assert storage.check(case_of(rule, network), [gradcheck.Exact()]) == []


def test_a_rule_that_refuses_arrays_is_pure_and_says_so() -> None:
    def refuses(problem: Problem) -> Gradient:
        if not problem.inputs.flags.c_contiguous:
            raise TypeError("wanted C order")
        return bptt(problem)

    evidence = Purity().gather(case_of(refuses)).evidence
    assert evidence.status is Status.HOLDS
    assert "fails with arrays in Fortran order (TypeError: wanted C order)" in evidence.statement


@pytest.mark.parametrize("network", [DEFAULT_NETWORK, gradcheck.GRU()])
def test_stored_otherwise_the_numbers_are_the_same(network: Any) -> None:
    problem = lively_problem(network, storage.SIZE, 0)
    stored = dict(storage.stored_otherwise(problem))
    assert {"arrays in Fortran order", "arrays with negative strides", "one row for all steps"} <= set(stored)
    for text, other in list(stored.items())[:7]:
        for name, array in problem.arrays().items():
            assert np.array_equal(other.arrays()[name], array), text
    assert not stored["arrays in Fortran order"].inputs.flags.c_contiguous
    assert stored["arrays with negative strides"].inputs.strides[0] < 0
    assert not stored["arrays that are not aligned"].inputs.flags.aligned


# Calls from two threads at once

_BUFFERED = ("a, s, e = [problem.initial_state], [None], [None]", "a, s, e = KEPT; del a[1:], s[1:], e[1:]; "
    "a[:] = [problem.initial_state]")  # fmt: skip


def in_memory_of_the_module() -> Rule:
    """Return a rule that keeps its states in lists of its module, which each call fills anew."""
    rule = made("in memory of the module", _BUFFERED)
    rule.__globals__["KEPT"] = [], [None], [None]
    return rule


_SLOPES: dict[str, Any] = {}
_STACK: list[Problem] = []


def in_a_dict_of_the_module(problem: Problem) -> Gradient:
    _SLOPES["problem"] = problem
    size = problem.sizes
    assert size.T > 0
    return bptt(_SLOPES["problem"])


def on_a_stack_of_the_module(problem: Problem) -> Gradient:
    """Right where one call lies within the other."""
    _STACK.append(problem)
    gradient = bptt(_STACK[-1])
    _STACK.pop()
    return gradient


def guarded_in_part(problem: Problem) -> Gradient:
    with _PART:
        _SLOPES["problem"] = problem
    return bptt(_SLOPES["problem"])


_PART = threading.Lock()


def guarded(rule: Rule) -> Rule:
    lock = threading.Lock()

    def locked(problem: Problem) -> Gradient:
        with lock:
            return rule(problem)

    return locked


class OfEachThread(threading.local):
    """A workspace that each thread has of its own."""

    def __call__(self, problem: Problem) -> Gradient:
        self.problem = problem
        return bptt(self.problem)


@pytest.mark.parametrize(
    "rule", [in_memory_of_the_module(), in_a_dict_of_the_module, on_a_stack_of_the_module, guarded_in_part]
)
def test_a_rule_that_two_threads_cannot_call_at_once_keeps_state(rule: Rule) -> None:
    with pytest.raises(calls.KeepsState, match="while another thread calls it"):
        for _ in range(20):  # the first has no lines to stop at: threads run freely
            threads.check(case_of(rule))


@pytest.mark.parametrize(
    "rule", [bptt, guarded(in_a_dict_of_the_module), guarded(in_memory_of_the_module()), OfEachThread()]
)
def test_a_rule_that_two_threads_can_call_at_once_keeps_none(rule: Rule) -> None:
    assert threads.check(case_of(rule)) == []


def test_a_rule_that_promises_one_call_at_a_time_is_held_to_no_more() -> None:
    def alone(problem: Problem) -> Gradient:
        return in_a_dict_of_the_module(problem)

    at_once = case_of(gradcheck.rule(gradcheck.Exact())(alone))
    assert Purity().gather(at_once).evidence.status is Status.REFUTED
    in_turn = case_of(gradcheck.rule(gradcheck.Exact(), gradcheck.Pure(threads=False))(alone))
    evidence = Purity().gather(in_turn).evidence
    assert evidence.status is Status.HOLDS and "it promises one call at a time" in evidence.scope + evidence.statement


def test_an_error_of_calls_at_once_is_named() -> None:
    busy: list[int] = []

    def rule(problem: Problem) -> Gradient:
        if busy:
            raise RuntimeError("busy")
        busy.append(1)
        gradient = bptt(problem)
        busy.clear()
        return gradient

    assert threads.check(case_of(rule)) == ["fails when two threads call it at once (RuntimeError: busy)"]


def test_each_line_is_a_place_to_stop_at() -> None:
    reached = [("rule.py", line) for line in (1, 2, 2, 2, 2, 2, 3)]
    assert threads._stops(reached) == [0, 1, 3, 5, 6]
    assert len(threads._stops([("rule.py", n) for n in range(1000)])) <= threads.MOST_STOPS
    assert Sizes(3, 2, 2, 2) == threads.SIZE
