"""Parameters that are what the claim promises for another problem: without weights, or with other steps or matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ...evidence.target import expected
from ...reference.claims import Claim
from ...reference.problem import Problem
from ...reference.typing import Array, Gradient
from ...reference.wanted import INPUTS
from .comparison import Comparison
from .points import Candidate

_LONGEST_TAIL = 16
"""The longest block of steps whose remainder may have been dropped."""
Other = Callable[[Problem], Problem | None]
"""Returns another problem, or None where it has no step."""


def promised_elsewhere(comparison: Comparison, names: Sequence[str]) -> dict[str, str]:
    """Map parameters to a sentence on the problem for which they are right, the same for those that share one.

    Args:
        comparison: The points of the diagnosis.
        names: The parameters to explain.
    """
    found: dict[str, str] = {}
    for words, other in _others(comparison):
        left = {name for name in names if name not in found}
        if not left:
            break
        here = comparison.matched(_candidate(comparison.claim, other), left)
        ordered = [name for name in names if name in here]
        text = f"{' and '.join(ordered)} {'is' if len(ordered) == 1 else 'are'} right for {words}"
        found |= dict.fromkeys(ordered, text)
    return found


def _candidate(claim: Claim, other: Other) -> Candidate:
    def candidate(problem: Problem) -> Gradient:
        changed = other(problem)
        if changed is None:
            return {name: np.zeros_like(array) for name, array in problem.parameters.items()}
        return _whole(expected(claim, changed), problem)

    return candidate


def _whole(gradient: Gradient, problem: Problem) -> Gradient:
    """Return a gradient with 0 for the inputs of those steps that the other problem lacks."""
    if INPUTS not in gradient:
        return gradient
    rows = gradient[INPUTS]
    return {**gradient, INPUTS: np.concatenate([rows, 0 * problem.inputs[len(rows) :]])}


def _others(comparison: Comparison) -> Iterator[tuple[str, Other]]:
    problem = comparison.points[0].problem
    if comparison.weighted:
        yield "a loss weight of 1 at every step", lambda p: p.replace(loss_weights=1 + 0 * p.loss_weights)
        yield "squared loss weights", lambda p: p.replace(loss_weights=p.loss_weights * p.loss_weights)
    for what in ("inputs", "targets"):
        yield f"{what} in reverse order", _with(what, lambda array: array[::-1])
        yield f"{what} a step earlier, around the ends", _with(what, lambda array: np.roll(array, -1, axis=0))
        yield f"{what} a step later, around the ends", _with(what, lambda array: np.roll(array, 1, axis=0))
    yield "targets of 0", _with("targets", lambda array: 0 * array)
    for name, array in problem.parameters.items():
        if array.ndim == 2 and array.shape[0] == array.shape[1]:
            yield f"a network with {name} transposed", _transposed(name)
    yield "all steps but the last alone", lambda p: _first(p, p.T - 1)
    for n in range(2, _LONGEST_TAIL + 1):
        yield f"the first T - T mod {n} steps alone: the tail is dropped", _without_tail(n)


def _with(what: str, change: Callable[[Array], Array]) -> Other:
    return lambda problem: problem.replace(**{what: change(getattr(problem, what))})


def _transposed(name: str) -> Other:
    def transposed(problem: Problem) -> Problem:
        return problem.replace(parameters={**problem.parameters, name: problem.parameters[name].T})

    return transposed


def _without_tail(length: int) -> Other:
    return lambda problem: _first(problem, problem.T - problem.T % length)


def _first(problem: Problem, steps: int) -> Problem | None:
    return problem.prefix(steps) if steps else None
