"""Running rules: a function is called, an online rule is stepped through the sequence, and for passes see `passes`.

An online rule has `start(network, parameters, initial_state) -> state` and `step(state, x, y) -> (state,
contribution)`; `step` takes the loss weight as a fourth argument where the rule is declared `weighted`. A
contribution is a dict with the parameters' names and shapes, or None for a step that has none; a rule that claims the
gradient of the initial state has "initial_state" in it too, nested as that is. A rule that gathers several steps
before it contributes (Schmidhuber's blocks) has `finish(state) -> contribution` too, called once after the last step.
The gradient is the sum.

A stochastic rule draws from `noise`, and from nothing else: a function takes it after the problem, `step` as its last
argument, and `start` may take it after the initial state.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np

from gradcheck.reference.claims import Declaration
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.noise import Noise
from gradcheck.reference.problem import Problem
from gradcheck.reference.tree import map_nest
from gradcheck.reference.typing import Gradient

from .passes import PassesRule, is_in_passes, run_passes


@runtime_checkable
class OnlineRule(Protocol):
    """Protocol of an online rule; `finish(state)` is optional."""

    @property
    def start(self) -> Callable[..., Any]: ...

    @property
    def step(self) -> Callable[..., tuple[Any, Gradient | None]]: ...


Rule = Callable[..., Gradient] | OnlineRule | type[OnlineRule] | PassesRule | type[PassesRule]


NOISE = "noise"
"""The name of the parameter by which a rule says that it is stochastic."""


def is_stochastic(rule: Any) -> bool:
    """Return True for a rule that draws from noise.

    Args:
        rule: A function whose second parameter is named noise, or an online rule, class or instance, whose step has a
            parameter named noise.
    """
    if hasattr(rule, "start") and hasattr(rule, "step"):
        return NOISE in _positional(rule.step)
    if is_in_passes(rule):
        return False
    return not isinstance(rule, type) and _positional(rule)[1:2] == [NOISE]


def starts_with_noise(rule: Any) -> bool:
    """Return True for an online rule whose start draws from noise too."""
    return NOISE in _positional(rule.start)


def stepping(rule: Any, step: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that calls `step` in place of the step of a rule, with the parameters that the rule's has."""

    def in_place(*arguments: Any) -> Any:
        return step(*arguments)

    in_place.__wrapped__ = rule.step  # type: ignore[attr-defined]
    return in_place


def _positional(function: Any) -> list[str]:
    """Return the names of the positional parameters of a function; none where they cannot be told."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def run_online(
    rule: OnlineRule, problem: Problem, *, weighted: bool | None = None, noise: Noise | None = None
) -> Gradient:
    """Return the sum of the contributions of an online rule over the problem's sequence.

    Args:
        rule: The rule.
        problem: The problem.
        weighted: True if `step` takes the loss weight; what the rule declares if None.
        noise: What a stochastic rule draws from; None for any other.

    Returns:
        The gradient, by name.

    Raises:
        GradcheckError: The rule contributes nothing, or noise is missing, or not wanted.
    """
    _check_noise(rule, noise)
    if weighted is None:
        weighted = getattr(rule, "__gradcheck__", Declaration()).weighted
    drawing = () if noise is None else (noise,)
    at_start = drawing if drawing and starts_with_noise(rule) else ()
    state = rule.start(problem.network, problem.parameters, problem.initial_state, *at_start)
    total: Gradient | None = None
    for x, y, weight in zip(problem.inputs, problem.targets, problem.loss_weights, strict=True):
        x, y = np.array(x, subok=True), np.array(y, subok=True)  # a view would give the rule the whole sequence
        state, contribution = rule.step(state, x, y, *((weight,) if weighted else ()), *drawing)
        total = _sum(total, contribution)
    finish = getattr(rule, "finish", None)
    if finish is not None:
        total = _sum(total, finish(state))
    if total is None:
        raise GradcheckError(
            f"{type(rule).__name__} contributed nothing in {problem.T} steps; return a dict of arrays from step, "
            "or give it finish(state) for what is left after the last step"
        )
    return total


def run_rule(rule: Rule, problem: Problem, *, noise: Noise | None = None, **settings: int) -> Gradient:
    """Run a rule, be it a function, an online rule, one in passes, or the class of one, and return its gradient.

    Args:
        rule: The rule.
        problem: The problem.
        noise: What a stochastic rule draws from, such as `SampledNoise(0, problem.inputs)`; None for any other.
        settings: Go to the function, or to the class when it is made.

    Returns:
        The gradient, by name.

    Raises:
        GradcheckError: There are settings for an online rule that is already made, or noise is missing or not wanted.
    """
    if settings and isinstance(rule, (OnlineRule, PassesRule)) and not isinstance(rule, type):
        raise GradcheckError(
            f"{type(rule).__name__} is already made; give {', '.join(settings)} when making it, or pass the class"
        )
    if is_in_passes(rule):
        _check_noise(rule, noise)
        in_passes: Any = rule(**settings) if isinstance(rule, type) else rule
        return run_passes(in_passes, problem)
    if isinstance(rule, type):
        return run_online(cast(OnlineRule, rule(**settings)), problem, noise=noise)
    if isinstance(rule, OnlineRule):
        return run_online(rule, problem, noise=noise)
    _check_noise(rule, noise)
    function = cast(Callable[..., Gradient], rule)
    return function(problem, **settings) if noise is None else function(problem, noise, **settings)


def _check_noise(rule: Any, noise: Noise | None) -> None:
    name = getattr(rule, "__name__", type(rule).__name__)
    if noise is None and is_stochastic(rule):
        raise GradcheckError(f"{name} draws from noise; give it some: noise=SampledNoise(0, problem.inputs)")
    if noise is not None and not is_stochastic(rule):
        raise GradcheckError(f"{name} takes no noise; leave noise out, or name a parameter of it noise")


def _sum(total: Gradient | None, contribution: Gradient | None) -> Gradient | None:
    if contribution is None:
        return total
    if total is None:  # a rule may write its next contribution into the same arrays
        return map_nest(lambda array: np.array(array, subok=True), dict(contribution))  # type: ignore[no-any-return]
    return map_nest(lambda one, other: one + other, dict(total), contribution)  # type: ignore[no-any-return]
