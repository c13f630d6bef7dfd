"""Backpropagation through time by hand, in plain NumPy: with its classic mistake, and mended.

gradcheck audit examples/hand_written.py:mistaken     refuted, on one step and one unit
gradcheck audit examples/hand_written.py:mended       proved
"""

import numpy as np

import gradcheck


def _backward(problem, state_read_by):
    """dL/dW, dL/dR, dL/dV; `state_read_by(a, t)` is the state that step t is thought to have read."""
    W, R, V = (problem.parameters[name] for name in "WRV")
    a = [problem.initial_state]
    for x in problem.inputs:
        a.append(np.tanh(W.T @ x + R.T @ a[-1]))

    dW, dR, dV = np.zeros_like(W), np.zeros_like(R), np.zeros_like(V)
    delta = np.zeros_like(problem.initial_state)
    for t in range(len(problem.inputs), 0, -1):
        e = V.T @ a[t] - problem.targets[t - 1]
        delta = (V @ e + R @ delta) * (1 - a[t] ** 2)
        dW += np.outer(problem.inputs[t - 1], delta)
        dR += np.outer(state_read_by(a, t), delta)
        dV += np.outer(a[t], e)
    return {"W": dW, "R": dR, "V": dV}


@gradcheck.rule(gradcheck.Exact())
def mistaken(problem):
    """BPTT that pairs delta(t) with a(t), the state that step t wrote, as the lecture's summary prints it."""
    return _backward(problem, lambda a, t: a[t])


@gradcheck.rule(gradcheck.Exact())
def mended(problem):
    """BPTT that pairs delta(t) with a(t-1), the state that step t read."""
    return _backward(problem, lambda a, t: a[t - 1])
