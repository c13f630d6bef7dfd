"""Arrays of a problem by name: those that a gradient is asked for, and a problem with some of them replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import GradcheckError
from .problem import Problem, map_state, state_names
from .typing import Array
from .wanted import DEFAULT, INITIAL_STATE, Of, kind_of, refusal

_CONSTANT = ("targets", "loss_weights")


def wanted(problem: Problem, of: Of = DEFAULT) -> dict[str, Array]:
    """Return the arrays that a gradient is asked for, by name and in their usual order.

    Args:
        problem: The problem, on any scalars.
        of: Their kinds, see `wanted.KINDS`.

    Raises:
        GradcheckError: The problem's network has no gradient of these.
    """
    if of == DEFAULT:
        return dict(problem.parameters)
    if text := refusal(problem.network, of):
        raise GradcheckError(text)
    given = {name: array for name, array in problem.arrays().items() if name not in _CONSTANT}
    return {name: array for name, array in given.items() if kind_of(name) in of}


def replaced(problem: Problem, name: str, array: Array, *, inside: bool = False) -> Problem:
    """Return the problem with one array in place of another.

    Args:
        problem: The problem, on any scalars.
        name: Its name, as `problem.arrays` has it.
        array: The new array, of the same shape.
        inside: Move numbers into the network's domains, as `Problem.varied` does, instead of refusing others.

    Raises:
        GradcheckError: As for `Problem`.
    """
    return all_replaced(problem, {name: array}, inside=inside)


def all_replaced(problem: Problem, new: Mapping[str, Array], *, inside: bool = False) -> Problem:
    """Return the problem with some arrays in place of others.

    Args:
        problem: The problem, on any scalars.
        new: The new arrays by name, as `problem.arrays` has them, each of the same shape as the old one.
        inside: Move numbers into the network's domains, as `Problem.varied` does, instead of refusing others.

    Raises:
        GradcheckError: As for `Problem`.
    """
    change = problem.varied if inside else problem.replace
    parameters = {name: array for name, array in new.items() if name in problem.parameters}
    changes: dict[str, Any] = {"parameters": {**problem.parameters, **parameters}} if parameters else {}
    left = {name: array for name, array in new.items() if name not in parameters}
    states = {name: array for name, array in left.items() if kind_of(name) == INITIAL_STATE}
    if states:
        in_order = state_names(problem.network.state_shape(problem.sizes))
        changes["initial_state"] = map_state(lambda old: states.get(next(in_order), old), problem.initial_state)
    return change(**changes, **{name: array for name, array in left.items() if name not in states})
