"""BPTT over a batch of sequences that differ in length: matrix products over the batch, and padding masked.

With rows for the N sequences, x(t) (N, D), h(t) (N, I), and weights w(t) (N,) that hold mask and reduction:
    s(t) = x(t) W + h(t-1) R + b,  h(t) = f(s(t)),  u(t) = h(t) V
    e(t) = w(t) dL/du(t),  delta(t) = f'(s(t)) * (e(t) V^T + delta(t+1) R^T)
    dW = sum_t x(t)^T delta(t),  dR = sum_t h(t-1)^T delta(t),  db = sum_t sum_n delta_n(t),  dV = sum_t h(t)^T e(t)
Padding is replaced by zeros before anything is computed with it: 0 times NaN is NaN, so a weight of 0 is not enough.

Source: Werbos 1990, "Backpropagation through time: what it does and how to do it".
"""

from __future__ import annotations

import numpy as np

from gradcheck.reference.claims import Exact, rule
from gradcheck.reference.network import Batch, Elman
from gradcheck.reference.networks.presented import Presented
from gradcheck.reference.typing import Gradient


@rule(Exact(), networks=[Batch(Elman(), N=2, time="mean", lengths="any"), Batch(Elman(), N=3)])
def batched_bptt(problem: Presented) -> Gradient:
    """Return the gradient of a batch of an Elman network with one bias, by one pass back through all steps."""
    net, p = problem.network, problem.parameters
    T, N = problem.mask.shape
    mask, weights = problem.mask[..., None], problem.loss_weights
    x, y = np.where(mask, problem.inputs, 0), np.where(mask, problem.targets, 0)
    s, h = [], [problem.initial_state]
    for t in range(T):
        s.append(x[t] @ p["W"] + h[t] @ p["R"] + p["b"])
        h.append(net.activation(s[t]))

    gradient = {name: np.zeros_like(array) for name, array in p.items()}
    back = np.zeros_like(h[0])
    for t in reversed(range(T)):
        u = h[t + 1] @ p["V"]
        e = weights[t][:, None] * np.stack([net.output_error(u[n], y[t, n]) for n in range(N)])
        delta = net.activation.derivative(s[t]) * (e @ p["V"].T + back)
        step = {"W": x[t].T @ delta, "R": h[t].T @ delta, "b": delta.sum(axis=0), "V": h[t + 1].T @ e}
        gradient = {name: gradient[name] + step[name] for name in gradient}
        back = delta @ p["R"].T
    return gradient
