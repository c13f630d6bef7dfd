"""Greedy shrinking of a problem that keeps a property: fewer steps and units, more zeros, smaller integers.

It continues where Hypothesis stops, and also shrinks problems that were not drawn. A simpler problem has a lower cost:
sizes count first, then nonzero entries, then entries that are no small integer. The loop makes each move that keeps
the property and lowers the cost, until no move is left or the budget is spent.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from ..reference import arrays
from ..reference.errors import GradcheckError
from ..reference.networks.base import Sizes
from ..reference.networks.sizes import fewer
from ..reference.problem import Problem, map_state
from ..reference.tree import flatten, is_shape
from ..reference.typing import Array

Move: TypeAlias = Callable[[Problem], Problem]


def simplest(problem: Problem, holds: Callable[[Problem], bool], *, work: int = 100_000) -> Problem:
    """Shrink a problem while a property holds.

    Args:
        problem: The problem to start from, which has the property.
        holds: The property.
        work: The budget, in products. Larger problems use more of it per try.

    Returns:
        The simplest problem reached, or `problem` itself if no move keeps the property.
    """
    tried: set[tuple[tuple[tuple[int, ...], bytes], ...]] = set()
    before = None
    while before is not problem:
        before = problem
        for move in _moves(before):
            if work <= 0:
                return problem
            try:
                candidate = move(problem)
            except (
                GradcheckError,
                IndexError,
            ):  # targets outside the loss's domain; an index removed by an earlier move
                continue
            key = tuple((array.shape, array.tobytes()) for array in candidate.arrays().values())
            if key not in tried and cost(candidate) < cost(problem):
                tried.add(key)
                work -= products(candidate.sizes)
                if holds(candidate):
                    problem = candidate
    return problem


def products(sizes: Sizes) -> int:
    """Estimate the work of one try in products: a constant overhead, and a pass through the problem."""
    return 500 + sizes.T * sizes.I * (sizes.I + sizes.D + sizes.K)


def cost(problem: Problem) -> tuple[float, ...]:
    """Return the cost that shrinking lowers, compared left to right.

    Args:
        problem: Any problem.

    Returns:
        T + I, D + K, the number of nonzero entries, and the complexity of all entries. Loss weights count as their
        distance from 1.
    """
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
    """Return the complexity of a number: 0 for 0, 1 for 1, more for -1 and larger integers, most for fractions."""
    numerator, denominator = value.as_integer_ratio()
    return 0.0 if not value else min(abs(numerator), 2**60) + 0.5 * (value < 0) + 4.0 * (denominator.bit_length() - 1)


def _moves(problem: Problem) -> Iterator[Move]:
    """Yield moves for problems up to this one's size: runs of zeros, then smaller sizes, then single numbers."""
    arrays = problem.free_arrays()
    for name, array in arrays.items():
        for part in _parts(array.size):
            yield functools.partial(_with, name=name, part=part, value=1.0 if name == "loss_weights" else 0.0)
    for t in reversed(range(problem.T)):
        yield functools.partial(_without_step, t=t)
    for letter in "IDK":
        for index in reversed(range(getattr(problem.sizes, letter))):
            yield functools.partial(_without, letter=letter, index=index)
    for name, array in arrays.items():
        for index, value in enumerate(array.reshape(-1)):
            for simpler in (1.0, -1.0, float(np.round(value)), float(np.round(2 * value)) / 2):
                yield functools.partial(_with, name=name, part=slice(index, index + 1), value=simpler)


def _parts(size: int) -> Iterator[slice]:
    """Yield the slices of an array of `size` entries: the whole, its halves, their halves, down to single entries."""
    width = size
    while width:
        yield from (slice(start, start + width) for start in range(0, size, width))
        width = (width + 1) // 2 if width > 1 else 0


def _without_step(problem: Problem, t: int) -> Problem:
    def cut(array: Array) -> Array:
        return np.delete(array, t, axis=0)

    return problem.varied(
        inputs=cut(problem.inputs), targets=cut(problem.targets), loss_weights=cut(problem.loss_weights)
    )


def _without(problem: Problem, letter: str, index: int) -> Problem:
    """Return the problem without one of its units, inputs or outputs, and without what its network ties to that.

    An axis may run over the units several times, as those of stacked gates do; the unit goes from each run.
    """
    network, sizes = problem.network, problem.sizes
    left = fewer(network, sizes, letter)
    if left is None:
        return problem
    many, few = getattr(sizes, letter), getattr(left, letter)

    def cut(array: Array, shape: tuple[int, ...]) -> Array:
        for axis, (old, new) in enumerate(zip(array.shape, shape, strict=True)):
            if old == new:
                continue
            runs = old // many if old % many == 0 and new * many == old * few else 1
            each = new // runs
            kept = [i for i in range(old // runs) if i != index][:each]
            array = np.take(array, [run * (old // runs) + i for run in range(runs) for i in kept], axis)
        return array

    shapes = network.parameter_shapes(left)
    wanted = iter(shape for _, shape in flatten(network.state_shape(left), is_shape))
    return problem.varied(
        parameters={name: cut(array, shapes[name]) for name, array in problem.parameters.items()},
        inputs=cut(problem.inputs, (problem.T, left.D)),
        targets=cut(problem.targets, (problem.T, left.K)),
        initial_state=map_state(lambda array: cut(array, next(wanted)), problem.initial_state),
    )


def _with(problem: Problem, name: str, part: slice, value: float) -> Problem:
    """Return the problem with part of one array, indexed as flattened, set to one value."""

    def put(array: Array) -> Array:
        flat = array.reshape(-1).copy()
        flat[part] = value
        return flat.reshape(array.shape)

    return arrays.replaced(problem, name, put(problem.arrays()[name]), inside=True)
