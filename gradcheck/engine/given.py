"""Problems that a user adds to an audit, checked against the rule before any work is done."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..reference.errors import GradcheckError
from ..reference.networks.base import RecurrentNetwork
from ..reference.networks.state import state_of
from ..reference.problem import Problem
from ..rules.adapt import Rule
from ..store.data import MOST_STEPS, MOST_WORK
from ..store.problems import ProblemsFile

_FORMATS = ("float16", "float32", "float64")


def checked(given: Any, rule: Rule) -> tuple[Problem, ...]:
    """Return the problems that a user added, on float64 and on the rule's own networks.

    Args:
        given: A list of problems, or a file of them that was read.
        rule: The rule that is to be judged on them.

    Raises:
        GradcheckError: It is something else, is empty, or holds a problem on which the rule is not judged.
    """
    if isinstance(given, ProblemsFile):
        given = given.problems(rule.declaration.networks)
    if isinstance(given, Problem):
        raise GradcheckError("problems must be a list; got a single Problem; write [problem]")
    if not isinstance(given, (list, tuple)):
        raise GradcheckError(
            f"problems must be a list of gradcheck.Problem, or the path of a file of them; got {given!r:.60}, a "
            f"{type(given).__name__}"
        )
    if not given:
        raise GradcheckError("problems is empty; add at least one gradcheck.Problem, or leave it out")
    return tuple(_checked(number, each, rule) for number, each in enumerate(given, start=1))


def network_of(problem: Problem, rule: Rule) -> RecurrentNetwork | None:
    """Return the rule's network that computes what the problem's does; None where it is not judged on such a one."""
    known = state_of(problem.network)
    return next((own for own in rule.declaration.networks if state_of(own) == known), None)


def _checked(number: int, problem: Any, rule: Rule) -> Problem:
    if not isinstance(problem, Problem):
        raise GradcheckError(
            f"problem {number} is {problem!r:.60}, a {type(problem).__name__}; wanted gradcheck.Problem(parameters=, "
            "inputs=, targets=)"
        )
    for name, array in problem.arrays().items():
        if not isinstance(array, np.ndarray) or array.dtype.name not in _FORMATS:
            raise GradcheckError(
                f"problem {number} holds {name} of dtype {array.dtype}; wanted floats (try .astype(float))"
            )
    network = network_of(problem, rule)
    if network is None:
        raise GradcheckError(
            f"problem {number} is on the network {problem.network!r:.100}, on which {rule.name} is not judged; declare "
            "it: @gradcheck.rule(..., networks=[...]), or pass networks=[...]"
        )
    sizes = problem.sizes
    work = sizes.T * sizes.I * (sizes.I + sizes.D + sizes.K)
    if work > MOST_WORK or sizes.T > MOST_STEPS:
        raise GradcheckError(
            f"problem {number} is too large to be judged: {sizes}; wanted T up to {MOST_STEPS}, and T I (I + D + K) up "
            f"to {MOST_WORK}"
        )
    if not rule.declaration.weighted and (problem.loss_weights != 1).any():
        raise GradcheckError(
            f"problem {number} has loss weights that are not all 1, and {rule.name} does not declare that it reads "
            "them; declare it: @gradcheck.rule(..., weighted=True), or leave the weights out"
        )
    try:
        return problem.astype(np.float64).replace(network=network)
    except GradcheckError as error:  # an array was changed after the problem was made
        raise GradcheckError(f"problem {number} is no problem any more: {error}") from error
