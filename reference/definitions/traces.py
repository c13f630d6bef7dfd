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


def symmetric(V: Array) -> Array:
    """Return V itself, the feedback that the gradient has."""
    return V


def leaking(n: int, alpha: Any) -> Any:
    """Return 1 - alpha, the share of its state that each of n units keeps."""
    return 1 - alpha


def rflo(problem: Problem, *, feedback: Callable[[Array], Array] = symmetric) -> Gradient:
    """Return RFLO by its definition: signal(t) = B e(t).

    Source: Murray 2019, eLife 8:e43299, equations 3-5.

    Args:
        problem: A problem on a network of rates.
        feedback: Takes V (I, K) and returns B (I, K).
    """
    made = linearise(problem)
    return _summed(made, _rows(feedback(problem.parameters["V"]), made.signals), 1 - _leak(problem))


def eprop(problem: Problem) -> Gradient:
    """Return e-prop with the instantaneous learning signal: signal(t) is the loss's derivative in state_j(t), at t.

    Source: Bellec et al. 2020, Nature Communications 11:3625, equations 1-4.

    Args:
        problem: A problem on a network of rates or potentials.
    """
    made = linearise(problem)
    return _summed(made, made.errors, 1 - _leak(problem))


def neighbours(n: int) -> Array:
    """Return a sensitivity of units to each other, (n, n): 1 of a unit to itself, and a half of each to the next."""
    return np.eye(n) + np.eye(n, k=1) / 2


def kernl(
    problem: Problem,
    *,
    sensitivity: Callable[[int], Array] = neighbours,
    decay: Callable[[int, Any], Any] = leaking,
) -> Gradient:
    """Return KeRNL by its definition: signal(t) = A^T V e(t).

    Source: Roth, Kanitscheider and Fiete 2019, ICLR, equations 8-10, with A and the rates given.

    Args:
        problem: A problem on a network of rates.
        sensitivity: Takes I and returns A (I, I).
        decay: Takes I and alpha, and returns what a trace is multiplied by in a step, a number or (I,).
    """
    made = linearise(problem)
    n = made.errors.shape[1]
    signals = _rows(sensitivity(n).T, made.errors)
    return _summed(made, signals, decay(n, _leak(problem)))


def _leak(problem: Problem) -> Any:
    """Return alpha, the share of a step that is new."""
    return getattr(problem.network, "leak", 1)


def _rows(matrix: Array, vectors: Array) -> Array:
    """Return the products of a matrix with each row."""
    return np.stack([matrix @ row for row in vectors])


def _summed(made: Linearised, signals: Array, decay: Any) -> Gradient:
    total = {name: np.zeros_like(array[0]) for name, array in made.own.items()}
    forgets = isinstance(decay, (int, float)) and decay == 0
    factor = np.zeros_like(signals[0]) + 1
    for k in range(1 if forgets else made.T):
        found = factor * signals[k:]
        for name, own in made.own.items():
            wide = found if own.ndim == found.ndim else found[:, None, :]
            total[name] = total[name] + (own[: made.T - k] * wide).sum(axis=0)
        factor = factor * decay
    return made.gradient(total)
