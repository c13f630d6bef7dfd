"""Growth of the state's influence from step to step, and the factor on weights that keeps it alive.

A network such as a(t) = tanh(...) / 10 forgets: with weights that keep lengths under tanh, rounding hides its long
lags. Weights that are 10 times as large keep them visible.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..reference.errors import GradcheckError
from ..reference.networks.base import step
from ..reference.problem import Problem, map_state
from ..reference.tree import leaves

FORGETS = 0.5
"""A network whose state's influence shrinks more than this at each step is given other weights: 40 steps on, 10^-12 of
it is left, which rounding at float64 all but hides."""
_LARGEST = 1.02
_FACTORS = tuple(1.1**n for n in range(1, 61))
_SHIFT = 2.0**-20


def growth(problem: Problem) -> float:
    """Return the factor by which a small change of the initial state grows in each step, on average; 0 where it fails.

    Args:
        problem: A float problem.
    """
    rng = np.random.default_rng(0)
    start = problem.initial_state
    other = map_state(lambda array: array + _SHIFT * rng.choice([-1.0, 1.0], np.shape(array)), start)
    before = _distance(start, other)
    try:
        with np.errstate(all="ignore"):
            for x in problem.inputs:
                start = step(problem.network, problem.parameters, start, x)
                other = step(problem.network, problem.parameters, other, x)
            grown = _distance(start, other) / before
    except GradcheckError:
        return 0.0
    return float(grown ** (1 / problem.T)) if np.isfinite(grown) else 0.0


def _distance(one: object, other: object) -> float:
    pairs = zip(leaves(one), leaves(other), strict=True)
    return float(np.sqrt(sum(((np.asarray(b) - np.asarray(a)) ** 2).sum() for a, b in pairs)))


def best_factor(problem: Problem, carrying: Sequence[str]) -> float:
    """Return the factor on the weights that carry the state with which its influence lasts longest; 1 where it lasts.

    Args:
        problem: A float problem.
        carrying: The parameters that multiply the state.
    """
    if not carrying or growth(problem) >= FORGETS:
        return 1.0

    def grown(by: float) -> float:
        scaled = {name: problem.parameters[name] * by for name in carrying}
        found = growth(problem.varied(parameters={**problem.parameters, **scaled}))
        return found if found <= _LARGEST else 0.0

    return max((1.0, *_FACTORS), key=grown)
