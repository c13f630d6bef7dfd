"""Float problems as trained networks and long recordings make them: weights that are mostly 0, states that settle.

Code that skips what is 0, or what no longer changes, takes another path there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..reference.networks.base import Capabilities, RecurrentNetwork, Sizes, TargetDomain, ask
from ..reference.networks.state import cached
from ..reference.problem import Problem, forward
from ..reference.tree import leaves
from ..reference.typing import Array
from .lively import fading, lively_problem

WIDE, LONG = Sizes(6, 34, 9, 7), (Sizes(64, 3, 2, 2), Sizes(128, 2, 2, 2))
"""Sizes of problems with weights that are mostly 0; and of those with states that settle, the first that suffices."""
MOSTLY, NEARLY, SETTLING = 12, 40, 0.25
"""One in so many weights is kept; and a factor of what multiplies the state, with which it settles to its last bit."""
_AGAIN, _STEPS = 12, 6
"""Steps before the end at which a settled state moves again, and for how many."""


@cached(64)
def trained_problems(network: RecurrentNetwork, seed: int, *, weighted: bool = False) -> dict[str, Problem]:
    """Build problems of trained networks.

    Args:
        network: The problems' network.
        seed: Seed of the draws.
        weighted: Draw loss weights.

    Returns:
        The problems by a name that describes their values; those with states that settle are `SETTLED`.
    """
    wide = lively_problem(network, WIDE, seed, weighted=weighted)
    settled: dict[str, Problem] = {}
    for sizes in LONG:
        settled = dict(_settled(fading(lively_problem(network, sizes, seed, weighted=weighted), SETTLING)))
        if _rests(settled[SETTLED[0]]):
            break
    return {**dict(_pruned(wide)), **settled}


def _rests(problem: Problem) -> bool:
    """Return True if the state does not change any more where it would move again."""
    states, _ = forward(problem.prefix(problem.T - _AGAIN))
    return all(np.array_equal(a, b) for a, b in zip(*map(leaves, states[-2:]), strict=True))


def _pruned(problem: Problem) -> Iterator[tuple[str, Problem]]:
    matrices = [name for name, array in problem.parameters.items() if array.ndim > 1]
    for text, change in _PRUNED.items():
        for names in (matrices, *([name] for name in matrices)):
            changed = {name: change(problem.parameters[name]) for name in names}
            yield f"{' and '.join(names)} {text}", problem.varied(parameters={**problem.parameters, **changed})


def _keeping(marked: Callable[[Array, Array], Array]) -> Callable[[Array], Array]:
    """Return a change that keeps the entries at marked rows and columns, and sets the others to 0."""

    def change(array: Array) -> Array:
        kept: Array = np.where(marked(*np.indices(array.shape)), array, 0.0)
        return kept

    return change


def _one_in(n: int) -> Callable[[Array], Array]:
    """Return a change that keeps one in n entries, in a pattern without rows or columns of its own."""
    return _keeping(lambda i, j: (i * 7 + j * 3) % n == 0)


def _rows_zero(array: Array) -> Array:
    return array * (np.arange(len(array)) % 2)[:, None]


def _columns_zero(array: Array) -> Array:
    return array * (np.arange(array.shape[1]) % 2)


_PRUNED: dict[str, Callable[[Array], Array]] = {
    "mostly 0": _one_in(MOSTLY),
    "nearly all 0": _one_in(NEARLY),
    "with two of four 0": _keeping(lambda i, j: (i + j) % 4 < 2),
    "in diagonal blocks": _keeping(lambda i, j: i // 5 == j // 5),
    "with rows of zeros": _rows_zero,
    "with columns of zeros": _columns_zero,
}
SETTLED = ("a state that settles", "a state that settles, moves, and settles again")


def _settled(problem: Problem) -> Iterator[tuple[str, Problem]]:
    """Yield a problem with one input for all steps, where errors settle too, and one with others in between."""
    inputs = np.repeat(problem.inputs[:1], problem.T, axis=0)
    first: dict[str, Array] = {"inputs": inputs}
    if ask(problem.network, Capabilities.target_domain) is TargetDomain.REAL:
        first["targets"] = np.repeat(problem.targets[:1], problem.T, axis=0)
    moving = inputs.copy()
    moves = slice(problem.T - _AGAIN, problem.T - _AGAIN + _STEPS)
    moving[moves] = problem.inputs[moves]
    yield SETTLED[0], problem.varied(**first)
    yield SETTLED[1], problem.varied(inputs=moving)
