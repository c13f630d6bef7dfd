"""Definitions of the rules with a trace per weight: sums over lags, with powers of what a trace decays by.

    dTheta_mj = sum over t and k of signal_j(t) decay_j^k dstate_j(t-k)/dTheta_mj
The derivative is that of one step, its state before held fixed. decay = 1 - alpha, but for KeRNL with rates of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..problem import Problem
from ..typing import Array, Gradient
from .linearised import Linearised, linearise


def rflo(problem: Problem, *, feedback: Callable[[int, int], Array] | None = None) -> Gradient:
    """Return RFLO by its definition: signal(t) = B e(t).

    Source: Murray 2019, eLife 8:e43299, equations 3-5.

    Args:
        problem: A problem on a network of rates.
        feedback: Takes I and K and returns B (I, K); V if None.
    """
    B = problem.parameters["V"] if feedback is None else feedback(*problem.parameters["V"].shape)
    made = linearise(problem)
    return _summed(made, _rows(B, made.signals), _kept(problem))


def eprop(problem: Problem) -> Gradient:
    """Return e-prop with the instantaneous learning signal: signal(t) is the loss's derivative in state_j(t), at t.

    Source: Bellec et al. 2020, Nature Communications 11:3625, equations 1-4.

    Args:
        problem: A problem on a network of rates or potentials.
    """
    made = linearise(problem)
    return _summed(made, made.errors, _kept(problem))


def neighbours(n: int) -> Array:
    """Return a sensitivity of units to each other, (n, n): 1 of a unit to itself, and a half to the next in a ring."""
    return np.eye(n) + np.roll(np.eye(n), 1, axis=1) / 2


def kernl(
    problem: Problem,
    *,
    sensitivity: Callable[[int], Array] = neighbours,
    decay: Callable[[int], Array] | None = None,
) -> Gradient:
    """Return KeRNL by its definition: signal(t) = A^T V e(t).

    Source: Roth, Kanitscheider and Fiete 2019, ICLR, equations 8-10, with A and the rates given.

    Args:
        problem: A problem on a network of rates.
        sensitivity: Takes I and returns A (I, I).
        decay: Takes I and returns what a trace is multiplied by in a step, (I,); 1 - alpha if None.
    """
    made = linearise(problem)
    n = made.errors.shape[1]
    signals = _rows(sensitivity(n).T, made.errors)
    return _summed(made, signals, _kept(problem) if decay is None else decay(n))


def _kept(problem: Problem) -> Any:
    """Return 1 - alpha, the share of its state that a unit keeps."""
    return 1 - getattr(problem.network, "leak", 1)


def _rows(matrix: Array, vectors: Array) -> Array:
    """Return the products of a matrix with each row."""
    return np.stack([matrix @ row for row in vectors])


def _summed(made: Linearised, signals: Array, decay: Any) -> Gradient:
    total = {name: np.zeros_like(array[0]) for name, array in made.own.items()}
    factor = np.zeros_like(signals[0]) + 1
    for k in range(made.T):
        for name, own in made.own.items():
            for t in range(k, made.T):
                total[name] = total[name] + own[t - k] * (factor * signals[t])
        factor = factor * decay
    return made.gradient(total)
