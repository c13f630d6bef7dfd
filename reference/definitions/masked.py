"""Definitions of the rules that mask: SnAp-n as masked products of Jacobians, and the gradient on a pattern.

    SnAp-n  dTheta_mj = sum over t and k of error(t)^T P_j J(t) P_j J(t-1) ... P_j J(t-k+1) P_j dstate(t-k)/dTheta_mj
where P_j keeps the units that unit j reaches within n - 1 connections, itself included.
"""

from __future__ import annotations

import numpy as np

from .. import lags
from ..networks.domains import mask_of
from ..problem import Problem
from ..typing import Array, Gradient
from .linearised import linearise


def snap(problem: Problem, *, n: int = 1) -> Gradient:
    """Return SnAp-n by its definition.

    Source: Menick et al. 2021, "Practical real time recurrent learning with a sparse approximation", section 3.

    Args:
        problem: A problem on a network of rates, whose matrix between units is R.
        n: The steps of the core within which a unit must be reached.
    """
    made = linearise(problem)
    pattern = mask_of(problem.network, "R", problem.parameters["R"].shape)
    near = (_within(pattern, n - 1)).astype(int)
    total = {name: np.zeros_like(array[0]) for name, array in made.own.items()}
    for t in range(made.T):
        row = near * made.errors[t]  # row j: error^T P_j, and what is multiplied to it
        for back in range(t, -1, -1):
            at_own = row[np.arange(len(near)), np.arange(len(near))]
            for name, own in made.own.items():
                total[name] = total[name] + own[back] * at_own
            row = (row @ made.jacobians[back]) * near
    return made.gradient(total)


def _within(pattern: Array, hops: int) -> Array:
    """Return whether a walk of at most so many connections leads from unit j to unit i, at [j, i]."""
    n = len(pattern)
    distance = np.where(pattern, 1, n + 1)
    distance[np.arange(n), np.arange(n)] = 0
    for middle in range(n):
        distance = np.minimum(distance, distance[:, [middle]] + distance[[middle], :])
    return distance <= hops


def on_pattern(problem: Problem) -> Gradient:
    """Return the gradient with zeros where R has no connection: what RTRL finds of the weights that exist.

    Source: Menick et al. 2021, section 3.1, where sparse weights are all the parameters that there are.

    Args:
        problem: A problem on a network whose matrix between units is R.
    """
    found = lags.gradient(problem)
    mask = mask_of(problem.network, "R", found["R"].shape).astype(int)
    return {**found, "R": found["R"] * mask}
