"""The network unrolled in time: what every rule that stores the history begins and ends with.

    s(t) = W^T x(t) + R^T a(t-1),  a(t) = f(s(t)),  u(t) = V^T a(t)
    e(t) = w_t dL_t/du(t)          the error at the output, loss weight w_t included
    d(t) = f'(s(t)) * V e(t)       the immediate error: loss t on the pre-activation of the same step

A rule turns d into delta(t), the error that it assigns to s(t), by its own recursion; then
    dL/dW = sum_t x(t) delta(t)^T,  dL/dR = sum_t a(t-1) delta(t)^T,  dL/dV = sum_t a(t) e(t)^T.
Cost: O(T I (I+K+D)). Storage: O(T (I+K)) beside the sequence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.reference.problem import Problem
from gradcheck.reference.typing import Array, Gradient


@dataclass(frozen=True)
class Unfolded:
    """The history of one sequence; row t-1 belongs to step t, but row t of `a` is a(t)."""

    x: Array
    a: Array
    slope: Array
    e: Array
    d: Array

    def gradient(self, delta: Array) -> Gradient:
        """Return the sums of outer products, from the errors delta (T, I) on the pre-activations."""
        return {"W": self.x.T @ delta, "R": self.a[:-1].T @ delta, "V": self.a[1:].T @ self.e}


def unfold(problem: Problem) -> Unfolded:
    """Run the lecture's network forward over the problem's sequence."""
    net: Any = problem.network
    W, R, V = (problem.parameters[name] for name in "WRV")
    x, y, T = problem.inputs, problem.targets, problem.T

    s = x @ W
    a = np.zeros_like(x, shape=(T + 1, R.shape[0]))
    a[0] = problem.initial_state
    for t in range(T):
        s[t] = s[t] + a[t] @ R
        a[t + 1] = net.activation(s[t])

    u = a[1:] @ V
    e = np.zeros_like(u)
    for t in range(T):
        e[t] = net.output_error(u[t], y[t])
    e = problem.loss_weights[:, None] * e
    slope = net.activation.derivative(s)
    return Unfolded(x, a, slope, e, slope * (e @ V.T))
