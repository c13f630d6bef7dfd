"""Problems on which equalities hold that a rule asks about.

On polynomials two different entries of a problem are not equal, and code that asks whether they are takes one path. It
is right there for all numbers but those on which the equality holds, and a mistake may lie on the other path. An
equality of two entries, or of an entry and a constant, is made to hold on floats.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..reference.errors import GradcheckError
from ..reference.networks import start
from ..reference.problem import Problem, map_state
from ..reference.ring import FormalReference
from ..reference.scalars.formal import FormalField, entry_name
from ..rules.adapt import Rule
from ..rules.call import run

MOST = 8
"""Problems made for one rule."""


class Tie(NamedTuple):
    """An entry of a problem that is made equal to another one, or to a number.

    Attributes:
        entry: Its name, such as inputs[1,0].
        other: The name of the other entry; empty for a number.
        number: The number.
    """

    entry: str
    other: str
    number: float


def ties_of(rule: Rule, reference: FormalReference, settings: dict[str, int]) -> list[tuple[Tie, ...]]:
    """Return groups of ties, each for a problem: those between two rows, between two arrays, and all.

    Args:
        rule: The rule.
        reference: The polynomials to run it on.
        settings: Keyword arguments of the rule.
    """
    field = reference.field
    with field.noting() as differences, contextlib.suppress(GradcheckError):
        run(rule, reference.problem(reference.sizes.T).copy(), settings)
    ties = list(dict.fromkeys(tie for each in differences if (tie := _tie(field, each)) is not None))
    groups = [*_grouped(ties, _row), *_grouped(ties, _array), tuple(ties)]
    return [group for group in dict.fromkeys(groups) if group][:MOST]


def tied(problem: Problem, ties: Sequence[Tie]) -> Problem:
    """Return a float problem on which ties hold, as far as its network lets its numbers vary.

    Args:
        problem: The problem.
        ties: The ties, in the order in which they are made.
    """
    arrays = {name: array.copy() for name, array in problem.arrays().items()}
    places = {entry_name(name, at): (array, at) for name, array in arrays.items() for at in np.ndindex(*array.shape)}
    for tie in ties:
        if tie.entry in places and (not tie.other or tie.other in places):
            array, at = places[tie.entry]
            array[at] = places[tie.other][0][places[tie.other][1]] if tie.other else tie.number
    states = (array for name, array in arrays.items() if name.startswith("initial_state"))
    changes: dict[str, Any] = {"inputs": arrays["inputs"], "targets": arrays["targets"]}
    if start.is_given(problem.network):
        changes["initial_state"] = map_state(lambda _: next(states), problem.initial_state)
    return problem.varied(parameters={name: arrays[name] for name in problem.parameters}, **changes)


def _tie(field: FormalField, difference: Any) -> Tie | None:
    """Return the tie with which a polynomial vanishes; None for one that is no difference of entries and constants."""
    linear: list[tuple[str, Any]] = []
    constant: Any = 0
    for monomial, coefficient in difference.terms():
        used = [(place, power) for place, power in enumerate(monomial) if power]
        if not used:
            constant = coefficient
        elif len(used) == 1 and used[0][1] == 1:
            linear.append((field.places[used[0][0]], coefficient))
        else:
            return None
    if len(linear) == 1:
        return Tie(linear[0][0], "", _float(-constant / linear[0][1]))
    if len(linear) == 2 and linear[0][1] == -linear[1][1] and constant == 0:
        return Tie(linear[1][0], linear[0][0], 0.0)
    return None


def _float(number: Any) -> float:
    return int(number.p) / int(number.q) if hasattr(number, "p") else float(number)


def _array(name: str) -> str:
    return name.partition("[")[0]


def _row(name: str) -> str:
    return name.partition(",")[0]


def _grouped(ties: Sequence[Tie], part: Any) -> list[tuple[Tie, ...]]:
    groups: dict[tuple[str, str], list[Tie]] = {}
    for tie in ties:
        groups.setdefault((part(tie.entry), part(tie.other)), []).append(tie)
    return [tuple(group) for group in groups.values()]
