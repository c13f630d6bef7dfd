"""Running rules: a function is called, an online rule is stepped through the sequence.

An online rule has `start(network, parameters, initial_state) -> state` and `step(state, x, y) -> (state,
contribution)`; `step` takes the loss weight as a fourth argument where the rule is declared `weighted`. A
contribution is a dict with the parameters' names and shapes, or None for a step that has none; a rule that claims the
gradient of the initial state has "initial_state" in it too, nested as that is. A rule that gathers several steps
before it contributes (Schmidhuber's blocks) has `finish(state) -> contribution` too, called once after the last step.
The gradient is the sum.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np

from gradcheck.reference.claims import Declaration
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.problem import Problem
from gradcheck.reference.tree import map_nest
from gradcheck.reference.typing import Gradient, Parameters, State


@runtime_checkable
class OnlineRule(Protocol):
    """Protocol of an online rule; `finish(state)` is optional."""

    @property
    def start(self) -> Callable[[Any, Parameters, State], Any]: ...

    @property
    def step(self) -> Callable[..., tuple[Any, Gradient | None]]: ...


Rule = Callable[..., Gradient] | OnlineRule | type[OnlineRule]


def run_online(rule: OnlineRule, problem: Problem, *, weighted: bool | None = None) -> Gradient:
    """Return the sum of the contributions of an online rule over the problem's sequence.

    weighted: whether `step` takes the loss weight; what the rule declares if left out. Raises
    `GradcheckError` for a rule that contributes nothing.
    """
    if weighted is None:
        weighted = getattr(rule, "__gradcheck__", Declaration()).weighted
    state = rule.start(problem.network, problem.parameters, problem.initial_state)
    total: Gradient | None = None
    for x, y, weight in zip(problem.inputs, problem.targets, problem.loss_weights, strict=True):
        x, y = np.array(x, subok=True), np.array(y, subok=True)  # a view would give the rule the whole sequence
        state, contribution = rule.step(state, x, y, weight) if weighted else rule.step(state, x, y)
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


def run_rule(rule: Rule, problem: Problem, **settings: int) -> Gradient:
    """Run a rule, be it a function, an online rule, or the class of one, and return its gradient.

    `settings` go to the function, or to the class when it is made. Raises `GradcheckError` for settings
    with an online rule that is already made.
    """
    if isinstance(rule, type):
        return run_online(rule(**settings), problem)
    if isinstance(rule, OnlineRule):
        if settings:
            raise GradcheckError(
                f"{type(rule).__name__} is already made; give {', '.join(settings)} when making it, or pass the class"
            )
        return run_online(rule, problem)
    return rule(problem, **settings)


def _sum(total: Gradient | None, contribution: Gradient | None) -> Gradient | None:
    if contribution is None:
        return total
    if total is None:  # a rule may write its next contribution into the same arrays
        return map_nest(lambda array: np.array(array, subok=True), dict(contribution))  # type: ignore[no-any-return]
    return map_nest(lambda one, other: one + other, dict(total), contribution)  # type: ignore[no-any-return]
