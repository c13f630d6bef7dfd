"""Definition of synthetic gradients: products of Jacobians within blocks, and a predicted signal at their ends."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..problem import Problem
from ..typing import Array, Gradient
from .linearised import Linearised, linearise


def first_guess(n: int) -> Array:
    """Return the linear predictor (n + 1, n) that a rule starts from, of small eighths."""
    rows, columns = np.indices((n + 1, n))
    return ((2 * rows + 3 * columns) % 5 - 2) / 8


def dni(
    problem: Problem,
    *,
    block: int = 1,
    predictor: Callable[[int], Array] = first_guess,
    rate: float = 0.125,
) -> Gradient:
    """Return what synthetic gradients yield, with a linear predictor that learns from block to block.

    Each weight gets what the losses of its own block say of it, and what the signal C^T [state(q); 1] says that all
    later ones do. The predictor then moves against its error at the block's start. No signal follows the sequence.

    Source: Jaderberg et al. 2017, "Decoupled neural interfaces using synthetic gradients", section 2.1; Czarnecki et
    al. 2017, "Understanding synthetic gradients and decoupled neural interfaces".

    Args:
        problem: A problem on a network of rates.
        block: The length of blocks, in steps.
        predictor: Takes I and returns C (I + 1, I).
        rate: The predictor's learning rate.
    """
    made = linearise(problem)
    C = predictor(made.errors.shape[1])
    total = {name: np.zeros_like(array[0]) for name, array in made.own.items()}
    for start in range(0, made.T, block):
        end = start + block
        seen, last = _with_one(made.states[start]), _with_one(made.states[min(end, made.T)])
        signal = C.T @ last if end <= made.T else np.zeros_like(made.errors[0])
        found = [_reaching(made, t, min(end, made.T), signal) for t in range(start, min(end, made.T) + 1)]
        for name, own in made.own.items():
            for t in range(start, min(end, made.T)):
                total[name] = total[name] + own[t] * found[t - start + 1][0]
        C = C - rate * np.outer(seen, C.T @ seen - found[0][1])
    return made.gradient(total)


def _with_one(state: Array) -> Array:
    return np.concatenate([state, np.zeros_like(state[:1]) + 1])


def _reaching(made: Linearised, t: int, end: int, signal: Array) -> tuple[Array, Array]:
    """Return what the losses up to `end`, and the signal there, say of state(t): with the loss at t, and without."""
    later = np.zeros_like(signal)
    for loss in range(t + 1, end + 1):
        row = made.errors[loss - 1] + signal if loss == end else made.errors[loss - 1]
        for back in range(loss - 1, t - 1, -1):
            row = row @ made.jacobians[back]
        later = later + row
    if t == end:
        later = later + signal
    return (made.errors[t - 1] + later if t else later), later
