"""Float problems as real data are: rows that come again or nearly so, zeros, symmetric and extreme weights.

Each is a change of a lively problem, by a name that describes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..reference.networks import start
from ..reference.networks.base import Capabilities, TargetDomain, ask
from ..reference.problem import Problem, map_state
from ..reference.typing import Array
from .influence import SHARED, read_out

Change = Callable[[Array], Array]


def structured(problem: Problem, values: tuple[float, ...] = ()) -> Iterator[tuple[str, Problem]]:
    """Yield problems of one size with structured values, each with its name.

    Args:
        problem: A lively problem.
        values: Numbers that the rule's code names; inputs, targets, weights and states take them in turn.
    """
    for name, change in _CHANGES.items():
        yield from _each_array(problem, name, change)
    for parameter, array in problem.parameters.items():
        if array.ndim == 2 and array.shape[0] == array.shape[1]:
            for name, change in _SQUARE.items():
                yield f"{parameter} {name}", _with(problem, parameter, change)
    for factor in dict.fromkeys((*_SMALL, *(abs(value) for value in values if 0 < abs(value) < 1))):
        yield f"what enters units {factor!r} times as large", _entering(problem, factor)
    for factor in (2.0**-40, 2.0**40) if _free_targets(problem) else ():
        yield f"errors {factor!r} times as large", _erring(problem, factor)
    for value in dict.fromkeys((1.0, *values[:_MOST_NEAR])):
        for text, share in _NEAR.items():
            yield from _each_array(problem, f"{text} {value!r}", _holding(value * (1 + share)))
    for value in values:
        yield from _each_array(problem, f"with {value!r}", _holding(value))
        yield from _each_array(problem, f"with above {value!r}", _holding(_next(value, 1)))
        yield from _each_array(problem, f"with below {value!r}", _holding(_next(value, -1)))


def _entering(problem: Problem, factor: float) -> Problem:
    """Scale inputs, state and biases, so that what enters a unit is small, and the weights are not."""
    return problem.varied(
        inputs=problem.inputs * factor,
        initial_state=map_state(lambda array: array * factor, problem.initial_state),
        parameters={n: array * (factor if array.ndim < 2 else 1) for n, array in problem.parameters.items()},
    )


def _erring(problem: Problem, factor: float) -> Problem:
    """Scale readout and targets, and so the errors, by a power of 2: an absolute tolerance is large or small then."""
    reads = read_out(problem)
    scaled = {name: array * np.where(reads[name] == SHARED, 1.0, factor) for name, array in problem.parameters.items()}
    return problem.varied(parameters=scaled, targets=problem.targets * factor)


def _each_array(problem: Problem, name: str, change: Change) -> Iterator[tuple[str, Problem]]:
    """Yield a problem for each array that the change is made to."""
    yield f"inputs {name}", problem.varied(inputs=change(problem.inputs))
    if _free_targets(problem):
        yield f"targets {name}", problem.varied(targets=change(problem.targets))
    if start.is_given(problem.network):
        yield f"state {name}", problem.varied(initial_state=map_state(change, problem.initial_state))
    for parameter in problem.parameters:
        yield f"{parameter} {name}", _with(problem, parameter, change)


def _with(problem: Problem, name: str, change: Change) -> Problem:
    return problem.varied(parameters={**problem.parameters, name: change(problem.parameters[name])})


def _free_targets(problem: Problem) -> bool:
    return ask(problem.network, Capabilities.target_domain) is TargetDomain.REAL


def _next(value: float, sign: int) -> float:
    """Return a number a little larger or smaller, which float32 holds too."""
    return value + sign * 2.0**-12 * max(1.0, abs(value))


def _holding(value: float) -> Change:
    """Return a change that puts a value at every other place, from the first on."""

    def change(array: Array) -> Array:
        changed = np.array(array, dtype=float)
        changed.reshape(-1)[::2] = value
        return changed

    return change


def _repeated(array: Array) -> Array:
    """Repeat the first row."""
    return np.broadcast_to(array[:1], array.shape).copy() if array.ndim else array


def _late_zeros(array: Array) -> Array:
    """Set the later half to 0, as in a padded sequence."""
    changed = np.array(array)
    if changed.ndim:
        changed[len(changed) // 2 :] = 0
    return changed


def _nearly_repeated(array: Array) -> Array:
    """Repeat the first row with changes of 2^-8, 2^-12, 2^-16 and so on, so that neighbours nearly agree."""
    changed = _repeated(array)
    for number in range(1, len(changed) if changed.ndim else 0):
        changed[number] *= 1 + 2.0 ** (-4 - 4 * number)
    return changed


def _many_magnitudes(array: Array) -> Array:
    """Make each number in turn a sixteenth as large as the one before, down to 2^-40."""
    scales = 2.0 ** (-4.0 * (np.arange(array.size) % 11))
    changed: Array = array * scales.reshape(array.shape)
    return changed


def _dominant_diagonal(array: Array) -> Array:
    """Make R + R^T positive definite, as of an R near the identity, and no larger than it."""
    changed: Array = 0.75 * np.eye(len(array)) + array * (0.25 / max(float(np.abs(array).sum(axis=1).max()), 1.0))
    return changed


_NEAR = {"just above": 2.0**-20, "just below": -(2.0**-20), "all but": 2.0**-32}
"""Relative distance of numbers from one that they are near: within 1e-5, as `np.isclose` has it, and within 1e-9."""
_MOST_NEAR = 6
_SMALL = (2.0**-10, 2.0**-20, 2.0**-30)
_CHANGES: dict[str, Change] = {
    "repeated": _repeated,
    "nearly repeated": _nearly_repeated,
    "of many magnitudes": _many_magnitudes,
    "constant": lambda array: np.full_like(array, 0.5),
    "zero": np.zeros_like,
    "zero in the later half": _late_zeros,
    "positive": np.abs,
    "negative": lambda array: -np.abs(array),
    "of whole numbers": lambda array: np.round(4 * array),
    "of -1": lambda array: np.full_like(array, -1.0),
    "of 1": lambda array: np.full_like(array, 1.0),
    "8 times as large": lambda array: 8 * array,
    "1000 times as large": lambda array: 1000 * array,
    "an eighth as large": lambda array: array / 8,
    "a millionth as large": lambda array: array * 2.0**-20,
}
_SQUARE: dict[str, Change] = {
    "the identity": lambda array: np.eye(len(array)),
    "symmetric": lambda array: (array + array.T) / 2,
    "nearly symmetric": lambda array: (array + array.T) / 2 + 2.0**-20 * array,
    "with a dominant diagonal": _dominant_diagonal,
    "nilpotent": lambda array: np.triu(array, 1),
    "a permutation": lambda array: np.roll(np.eye(len(array)), 1, axis=0),
}
