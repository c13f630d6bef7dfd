"""Rules as a user writes them, right, wrong and broken, for the tests of the faces."""

from __future__ import annotations

import ctypes
import functools
import sys
from typing import Any

import numpy as np

import gradcheck
from gradcheck.algorithms import truncated_bptt
from gradcheck.reference.problem import Problem

CALLS = [0]
RANDOM = np.random.default_rng(0)


@gradcheck.rule(gradcheck.Exact())
def good(problem: Problem) -> Any:
    """Backpropagation through time by hand."""
    W, R, V = (problem.parameters[name] for name in "WRV")
    a = [problem.initial_state]
    for x in problem.inputs:
        a.append(np.tanh(W.T @ x + R.T @ a[-1]))
    dW, dR, dV, delta = np.zeros_like(W), np.zeros_like(R), np.zeros_like(V), np.zeros_like(a[0])
    for t in range(len(problem.inputs), 0, -1):
        e = V.T @ a[t] - problem.targets[t - 1]
        delta = (V @ e + R @ delta) * (1 - a[t] ** 2)
        dW += np.outer(problem.inputs[t - 1], delta)
        dR += np.outer(a[t - 1], delta)
        dV += np.outer(a[t], e)
    return {"W": dW, "R": dR, "V": dV}


@gradcheck.rule(gradcheck.Exact())
def wrong(problem: Problem) -> Any:
    """Half the gradient of R."""
    gradient = good(problem)
    return {**gradient, "R": gradient["R"] / 2}


@gradcheck.rule(gradcheck.Exact())
def talkative(problem: Problem) -> Any:
    print("on standard output")
    print("on standard error", file=sys.stderr)
    return good(problem)


@gradcheck.rule(gradcheck.Pure())
def undeclared(problem: Problem) -> Any:
    """Nothing is claimed of its result."""
    return good(problem)


BY_ID: dict[int, Any] = {}


def remembers_by_id(problem: Problem) -> Any:
    """Two problems may have one id, if the first is gone; here they always have."""
    kept = BY_ID.setdefault(0, good(problem))
    return {name: array.copy() for name, array in kept.items()}


def raises_at_length(problem: Problem) -> Any:
    raise ValueError("the first line\n  the second line\n" + "x" * 1000)


def bare(problem: Problem) -> Any:
    return wrong(problem)


def two_arguments(problem: Problem, tau: int) -> Any:
    return good(problem)


def no_argument() -> Any:
    return {}


def nothing(problem: Problem) -> Any:
    return None


def a_list(problem: Problem) -> Any:
    return list(good(problem).values())


async def asynchronous(problem: Problem) -> Any:
    return good(problem)


def key_missing(problem: Problem) -> Any:
    gradient = good(problem)
    del gradient["R"]
    return gradient


def key_extra(problem: Problem) -> Any:
    return {**good(problem), "b": np.zeros(2)}


def transposed(problem: Problem) -> Any:
    gradient = good(problem)
    return {**gradient, "W": gradient["W"].T}


def lists(problem: Problem) -> Any:
    return {name: array.tolist() for name, array in good(problem).items()}


def complex_numbers(problem: Problem) -> Any:
    return {name: array + 0j for name, array in good(problem).items()}


def whole_numbers(problem: Problem) -> Any:
    return {name: np.zeros(array.shape, dtype=int) for name, array in good(problem).items()}


def nones(problem: Problem) -> Any:
    return {name: np.full(array.shape, None) for name, array in good(problem).items()}


def strings(problem: Problem) -> Any:
    return {name: array.astype(str) for name, array in good(problem).items()}


def not_a_number(problem: Problem) -> Any:
    gradient = good(problem)
    gradient["V"][0, 0] = np.nan
    return gradient


def infinite(problem: Problem) -> Any:
    gradient = good(problem)
    return {**gradient, "V": np.full_like(gradient["V"], np.inf)}


def raises(problem: Problem) -> Any:
    raise ValueError("no such luck")


def raises_in_numpy(problem: Problem) -> Any:
    return {"W": np.ones((2, 3)) @ np.ones((2, 3))}


def raises_on_long(problem: Problem) -> Any:
    if problem.T > 10:
        raise ValueError("too long for me")
    return good(problem)


def exits(problem: Problem) -> Any:
    sys.exit(3)


def recurses(problem: Problem) -> Any:
    return recurses(problem)


def mutates(problem: Problem) -> Any:
    gradient = good(problem)
    problem.parameters["W"][0, 0] += 1
    return gradient


def mutates_inputs(problem: Problem) -> Any:
    gradient = good(problem)
    problem.inputs[:] = 0
    return gradient


def empties(problem: Problem) -> Any:
    gradient = good(problem)
    problem.parameters.clear()
    return gradient


def keeps_state(problem: Problem) -> Any:
    CALLS[0] += 1
    return {name: array * CALLS[0] for name, array in good(problem).items()}


def draws(problem: Problem) -> Any:
    return {name: array + RANDOM.normal(size=array.shape) for name, array in good(problem).items()}


def views(problem: Problem) -> Any:
    return {name: array[:] for name, array in problem.parameters.items()}


_BUFFERS: dict[Any, Any] = {}


def reuses_its_buffer(problem: Problem) -> Any:
    gradient = good(problem)
    kept = {name: _BUFFERS.setdefault((name, array.shape), np.empty_like(array)) for name, array in gradient.items()}
    for name, array in gradient.items():
        kept[name][...] = array
    return kept


def single_precision(problem: Problem) -> Any:
    if problem.inputs.dtype == object:
        return {name: array.astype(np.float32) for name, array in good(problem).items()}
    return good(problem.astype(np.float32))


def closes_its_output(problem: Problem) -> Any:
    print("the last word")
    sys.stdout.close()
    return good(problem)


class Online:
    """Only what is needed to be looked at: `step` returns what the class is told to."""

    came: Any = None

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        return parameters

    def step(self, state: Any, x: Any, y: Any) -> Any:
        return state, self.came


class ContributesNothing(Online):
    pass


class ContributesSomeKeys(Online):
    def step(self, state: Any, x: Any, y: Any) -> Any:
        return state, {"W": state["W"]}


class ContributesLists(Online):
    def step(self, state: Any, x: Any, y: Any) -> Any:
        return state, {name: array.tolist() for name, array in state.items()}


class ContributesShapes(Online):
    def step(self, state: Any, x: Any, y: Any) -> Any:
        return state, {name: array.T.copy() for name, array in state.items()}


class ForgetsTheState(Online):
    def step(self, state: Any, x: Any, y: Any) -> Any:
        return {name: array.copy() for name, array in state.items()}


class StartsWithTwo(Online):
    def start(self, network: Any, parameters: Any) -> Any:  # type: ignore[override]
        return parameters


class StepsWithWeight(Online):
    def step(self, state: Any, x: Any, y: Any, weight: Any) -> Any:  # type: ignore[override]
        return state, None


class StepsSwapped(Online):
    def step(self, x: Any, y: Any, state: Any) -> Any:
        return state, None


class StepsWithoutTarget(Online):
    def step(self, state: Any, x: Any) -> Any:  # type: ignore[override]
        return state, None


class ContributionFirst(Online):
    def step(self, state: Any, x: Any, y: Any) -> Any:
        return dict(state), x


class WithoutStep:
    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        return parameters


class NeedsTau(Online):
    def __init__(self, tau: int) -> None:
        self.tau = tau


@gradcheck.rule(gradcheck.Exact(), settings=lambda T: [])
class OnlineWithoutSettings(Online):
    pass


@gradcheck.rule(gradcheck.Exact(), settings=lambda T: [{"tau": 1 // (T - 1)}])
class OnlineSettingsThatRaise(Online):
    pass


class Methods:
    def rule(self, problem: Problem) -> Any:
        return good(problem)


class Callable:
    def __call__(self, problem: Problem) -> Any:
        return good(problem)


def logged(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*arguments: Any, **named: Any) -> Any:
        return function(*arguments, **named)

    return wrapper


wrapped = logged(good)
bound_tau = functools.partial(truncated_bptt, tau=3)


@gradcheck.rule(gradcheck.Truncated("tau"), settings=lambda T: [])
def no_settings(problem: Problem, *, tau: int = 1) -> Any:
    return good(problem)


@gradcheck.rule(gradcheck.Truncated("tau"), settings=lambda T: [{"tau": T // 0}])
def settings_that_raise(problem: Problem, *, tau: int = 1) -> Any:
    return good(problem)


@gradcheck.rule(gradcheck.Truncated("h"), settings=lambda T: [{"tau": 1}])
def settings_without_the_name(problem: Problem, *, tau: int = 1) -> Any:
    return good(problem)


def crashes(problem: Problem) -> Any:
    ctypes.string_at(0)


def loops(problem: Problem) -> Any:
    while True:
        pass
