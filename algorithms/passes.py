"""Running rules that are given as passes: forwards over the inputs, then backwards over what each step kept.

    state(0) = start(network, parameters, initial_state),  (state(t), kept(t)) = forward(state(t-1), x(t))
    cotangent(T) = end(state(T)),  (cotangent(t-1), contribution(t)) = backward(cotangent(t), kept(t), y(t))
`backward` takes the loss weight as a fourth argument where the rule is declared `weighted`. A rule without `end` gets
zeros, nested as the initial state is. A contribution is a dict with the parameters' names and shapes, or None. A rule
with `finish(cotangent(0)) -> contribution` is asked once after the first step's `backward`: for what a start that is
made of the parameters adds, or for the gradient of the initial state, under "initial_state". The gradient is the sum.
The tuples, lists and dicts that a step keeps are copied; their arrays are not, so a rule must not write into them.

Source: Griewank and Walther 2008, "Evaluating Derivatives", chapter 3: reverse mode on a program of T equal steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np

from gradcheck.reference.claims import Declaration
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.problem import Problem
from gradcheck.reference.tree import children, map_nest, rebuilt
from gradcheck.reference.typing import Gradient, State


@runtime_checkable
class PassesRule(Protocol):
    """Protocol of a rule given as passes; `end(state)` and `finish(cotangent)` are optional."""

    @property
    def start(self) -> Callable[..., Any]: ...

    @property
    def forward(self) -> Callable[..., tuple[Any, Any]]: ...

    @property
    def backward(self) -> Callable[..., tuple[Any, Gradient | None]]: ...


def is_in_passes(rule: Any) -> bool:
    """Return True for a rule given as passes, a class or an instance."""
    return all(hasattr(rule, name) for name in ("start", "forward", "backward"))


def run_passes(rule: PassesRule, problem: Problem, *, weighted: bool | None = None) -> Gradient:
    """Return the sum of the contributions of a rule given as passes.

    Args:
        rule: The rule.
        problem: The problem.
        weighted: True if `backward` takes the loss weight; what the rule declares if None.

    Returns:
        The gradient, by name.

    Raises:
        GradcheckError: The rule contributes nothing.
    """
    if weighted is None:
        weighted = getattr(rule, "__gradcheck__", Declaration()).weighted
    state = rule.start(problem.network, problem.parameters, problem.initial_state)
    kept = []
    for x in problem.inputs:
        state, of_step = rule.forward(state, np.array(x, subok=True))  # a view would hold the whole sequence
        kept.append(detached(of_step))
    cotangent, total = last_cotangent(rule, state, problem.initial_state), Gradient()
    for t in reversed(range(problem.T)):
        weight = (problem.loss_weights[t],) if weighted else ()
        cotangent, part = rule.backward(cotangent, kept.pop(), np.array(problem.targets[t], subok=True), *weight)
        _add(total, part)
    finish = getattr(rule, "finish", None)
    if finish is not None:
        _add(total, finish(cotangent))
    if not total:
        raise GradcheckError(
            f"{type(rule).__name__} contributed nothing in {problem.T} steps; return a dict of arrays from backward, "
            "or give it finish(cotangent) for what is left after step 1"
        )
    return total


def last_cotangent(rule: Any, state: Any, initial_state: State) -> Any:
    """Return the cotangent after the last step: from the rule's `end`, or zeros, nested as the initial state is."""
    end = getattr(rule, "end", None)
    return map_nest(np.zeros_like, initial_state) if end is None else end(state)


def detached(kept: Any) -> Any:
    """Return what a step kept in tuples, lists and dicts of its own, so that no other step can add to them."""
    if type(kept) not in (tuple, list, dict) and not hasattr(kept, "_fields"):
        return kept
    return rebuilt(kept, [detached(part) for _, part in children(kept) or ()])


def _add(total: Gradient, part: Gradient | None) -> None:
    """Add a contribution, in new arrays: a rule may write its next one into the same."""
    for name, value in (part or {}).items():
        if name in total:
            total[name] = map_nest(lambda one, other: one + other, total[name], value)
        else:
            total[name] = map_nest(lambda array: np.array(array, subok=True), value)
