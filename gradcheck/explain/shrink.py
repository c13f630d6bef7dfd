"""A problem made simpler step by step while something stays true of it: fewer steps and units, zeros, integers.

Hypothesis shrinks what it draws; this takes over where it stops, and where a problem was not drawn at all. A
simpler problem costs less: sizes first, then entries that are not zero, then entries that are no small integer. Each
move that keeps the property and costs less is made, until none does or enough problems were tried.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from ..reference.errors import GradcheckError
from ..reference.networks.base import Sizes
from ..reference.problem import Problem, map_state, state_names
from ..reference.tree import flatten, is_shape
from ..reference.typing import Array

Move: TypeAlias = Callable[[Problem], Problem]

_MARKS = {"I": 1009, "D": 1013, "K": 1019}
"""Sizes that tell the axes of a network's arrays apart."""


def simplest(problem: Problem, holds: Callable[[Problem], bool], *, work: int = 100_000) -> Problem:
    """The simplest problem that is reached from `problem`, of which `holds` is true, by moves that keep it true.

    work: how many products may be spent on trying, so that large problems are tried less often.
    """
    tried: set[tuple[bytes, ...]] = set()
    before = None
    while before is not problem:
        before = problem
        for move in _moves(before):
            if work <= 0:
                return problem
            try:
                candidate = move(problem)
            except (GradcheckError, IndexError):  # targets that the loss is not defined on; what is gone by now
                continue
            key = tuple(array.tobytes() + bytes(array.shape) for array in candidate.arrays().values())
            if key not in tried and cost(candidate) < cost(problem):
                tried.add(key)
                work -= _products(candidate.sizes)
                if holds(candidate):
                    problem = candidate
    return problem


def _products(sizes: Sizes) -> int:
    """What it takes to try a problem, roughly: the products of a pass through it, and some for the way there."""
    return 500 + sizes.T * sizes.I * (sizes.I + sizes.D + sizes.K)


def cost(problem: Problem) -> tuple[float, ...]:
    """What is least for the simplest problem: T and I, then D and K, then what is in it."""
    sizes = problem.sizes
    values = [problem.loss_weights - 1, *(a for n, a in problem.arrays().items() if n != "loss_weights")]
    entries = np.concatenate([value.reshape(-1) for value in values])
    return (
        sizes.T + sizes.I,
        sizes.D + sizes.K,
        float(np.count_nonzero(entries)),
        float(sum(_digits(float(entry)) for entry in entries)),
    )


def _digits(value: float) -> float:
    """0 for 0, 1 for 1, a little more for -1 and larger integers, then by the denominator."""
    numerator, denominator = value.as_integer_ratio()
    return 0.0 if not value else min(abs(numerator), 2**60) + 0.5 * (value < 0) + 4.0 * (denominator.bit_length() - 1)


def _moves(problem: Problem) -> Iterator[Move]:
    """Moves for problems up to the size of this one: runs of zeros, then sizes, then numbers one by one."""
    arrays = problem.arrays()
    for name, array in arrays.items():
        for part in _parts(array.size):
            yield functools.partial(_with, name=name, part=part, value=1.0 if name == "loss_weights" else 0.0)
    for t in reversed(range(problem.T)):
        yield functools.partial(_without_step, t=t)
    for letter in _MARKS:
        for index in reversed(range(getattr(problem.sizes, letter))):
            yield functools.partial(_without, letter=letter, index=index)
    for name, array in arrays.items():
        for index, value in enumerate(array.reshape(-1)):
            for simpler in (1.0, -1.0, float(np.round(value)), float(np.round(2 * value)) / 2):
                yield functools.partial(_with, name=name, part=slice(index, index + 1), value=simpler)


def _parts(size: int) -> Iterator[slice]:
    """All of it, its halves, their halves, down to single entries."""
    width = size
    while width:
        yield from (slice(start, start + width) for start in range(0, size, width))
        width = (width + 1) // 2 if width > 1 else 0


def _without_step(problem: Problem, t: int) -> Problem:
    def cut(array: Array) -> Array:
        return np.delete(array, t, axis=0)

    return problem.replace(
        inputs=cut(problem.inputs), targets=cut(problem.targets), loss_weights=cut(problem.loss_weights)
    )


def _without(problem: Problem, letter: str, index: int) -> Problem:
    """The problem without one of its units, inputs or outputs."""
    network, marks = problem.network, Sizes(1, **_MARKS)

    def cut(array: Array, shape: tuple[int, ...]) -> Array:
        for axis, mark in enumerate(shape):
            if mark == _MARKS[letter]:
                array = np.delete(array, index, axis=axis)
        return array

    shapes = network.parameter_shapes(marks)
    marked = iter(shape for _, shape in flatten(network.state_shape(marks), is_shape))
    state = map_state(lambda array: cut(array, next(marked)), problem.initial_state)
    return problem.replace(
        parameters={name: cut(array, shapes[name]) for name, array in problem.parameters.items()},
        inputs=cut(problem.inputs, (1, marks.D)),
        targets=cut(problem.targets, (1, marks.K)),
        initial_state=state,
    )


def _with(problem: Problem, name: str, part: slice, value: float) -> Problem:
    """The problem with a part of one array, counted as it is stored, set to one value."""

    def put(array: Array) -> Array:
        flat = array.reshape(-1).copy()
        flat[part] = value
        return flat.reshape(array.shape)

    if name in problem.parameters:
        return problem.replace(parameters={**problem.parameters, name: put(problem.parameters[name])})
    if name.startswith("initial_state"):
        names = state_names(problem.network.state_shape(problem.sizes))
        state = map_state(lambda array: put(array) if next(names) == name else array, problem.initial_state)
        return problem.replace(initial_state=state)
    return problem.replace(**{name: put(getattr(problem, name))})
