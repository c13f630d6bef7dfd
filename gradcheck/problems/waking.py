"""Changes that wake a network whose units are silent on small numbers, such as units with a threshold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..reference import lags
from ..reference.errors import GradcheckError
from ..reference.networks.base import RecurrentNetwork, Sizes
from ..reference.networks.state import cached
from ..reference.problem import Problem, map_state

GAINS = (1.0, 4.0, 16.0, 64.0)
_PROBES = (Sizes(4, 3, 2, 2), Sizes(7, 4, 2, 3))


@dataclass(frozen=True)
class Waking:
    """A change of problems that lets units take part which are silent otherwise.

    Attributes:
        gain: Factor of the inputs.
        positive: Make every parameter, input and state positive.
    """

    gain: float = 1.0
    positive: bool = False

    def __call__(self, problem: Problem) -> Problem:
        """Return the changed problem."""
        if self.positive:
            problem = problem.varied(
                parameters={name: np.abs(array) for name, array in problem.parameters.items()},
                inputs=np.abs(problem.inputs),
                initial_state=map_state(np.abs, problem.initial_state),
            )
        return problem.varied(inputs=problem.inputs * self.gain) if self.gain != 1 else problem


CHANGES = tuple(Waking(gain, positive) for gain in GAINS for positive in (False, True))
"""The changes to try, in this order; the first is none."""


@cached(64)
def waking(network: RecurrentNetwork, draw: Callable[[RecurrentNetwork, Sizes], Problem]) -> Waking:
    """Return the first change of problems under which the most entries and lags contribute to the gradient.

    Args:
        network: The network.
        draw: Draws a problem of a network and sizes, the same one each time.
    """
    best, fewest = CHANGES[0], -1
    for change in CHANGES:
        silent = sum(_silent(change(draw(network, size))) for size in _PROBES)
        if fewest < 0 or silent < fewest:
            best, fewest = change, silent
        if not silent:
            break
    return best


def _silent(problem: Problem) -> int:
    """Count the entries and lags that contribute nothing to the gradient; every one if it cannot be computed."""
    try:
        with np.errstate(all="ignore"):
            entries = np.concatenate([np.asarray(a, float).reshape(-1) for a in lags.gradient(problem).values()])
            terms = lags.of_last_loss(problem).values()
    except GradcheckError:
        return sum(array.size for array in problem.parameters.values()) + problem.T
    useless = ~np.isfinite(entries) | (entries == 0)
    return int(useless.sum()) + sum(not any(np.any(array) for array in term.values()) for term in terms)
