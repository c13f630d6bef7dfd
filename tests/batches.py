"""Gradients of batches as people write them: time-major or batch-first, masked, by lengths, pooled, of tokens."""

from __future__ import annotations

from typing import Any

import numpy as np

import gradcheck

Batch, Network, LSTM = gradcheck.Batch, gradcheck.Network, gradcheck.LSTM


def logistic(s: Any) -> Any:
    return 1 / (1 + np.exp(-s))


def recurrent(problem: Any, x: Any, weights: Any) -> Any:
    """A tanh layer over a batch, x (T, N, D), with the losses weighted as weights (T, N) say."""
    W, R, V = (problem.parameters[name] for name in "WRV")
    a = [problem.initial_state]
    for row in x:
        a.append(np.tanh(row @ W + a[-1] @ R))
    dW, dR, dV = np.zeros_like(W), np.zeros_like(R), np.zeros_like(V)
    back = np.zeros_like(a[0])
    for t in reversed(range(len(x))):
        e = weights[t][:, None] * (a[t + 1] @ V - problem.targets[t])
        delta = (e @ V.T + back) * (1 - a[t + 1] ** 2)
        dW, dR, dV = dW + x[t].T @ delta, dR + a[t].T @ delta, dV + a[t + 1].T @ e
        back = delta @ R.T
    return {"W": dW, "R": dR, "V": dV}


def time_major(problem: Any) -> Any:
    """BPTT with the batch in matrix products, and its mean over N and T written out."""
    T, N, _ = problem.inputs.shape
    made = recurrent(problem, problem.inputs, np.ones((T, N)))
    return {name: array / (N * T) for name, array in made.items()}


def to_inputs(problem: Any, order: slice = slice(None)) -> Any:
    """BPTT over a batch that comes first, to its inputs and initial states too, in the order of its sequences."""
    p, N = problem.parameters, len(problem.lengths)
    rows = np.swapaxes(np.where(problem.mask[..., None], problem.inputs, 0), 0, 1)
    a = [problem.initial_state]
    for row in rows:
        a.append(np.tanh(row @ p["W"] + a[-1] @ p["R"]))
    made = {name: np.zeros_like(array) for name, array in p.items()}
    back, to_rows = np.zeros_like(a[0]), []
    for t in reversed(range(len(rows))):
        e = np.where(problem.mask[:, t, None], a[t + 1] @ p["V"] - problem.targets[:, t], 0) / N
        delta = (e @ p["V"].T + back) * (1 - a[t + 1] ** 2)
        step = {"W": rows[t].T @ delta, "R": a[t].T @ delta, "V": a[t + 1].T @ e}
        made = {name: made[name] + step[name] for name in made}
        to_rows.insert(0, delta @ p["W"].T)
        back = delta @ p["R"].T
    return {**made, "inputs": np.stack(to_rows, axis=1)[order], "initial_state": back}


def to_other_inputs(problem: Any) -> Any:
    """Wrong: the gradients of the inputs are those of the sequences in reverse order."""
    return to_inputs(problem, slice(None, None, -1))


def to_inputs_time_first(problem: Any) -> Any:
    """Wrong: the gradients of the inputs come time-major, where the batch is first."""
    made = to_inputs(problem)
    return {**made, "inputs": np.swapaxes(made["inputs"], 0, 1)}


def masked(problem: Any) -> Any:
    """BPTT over padded sequences: the padding is replaced before anything is computed with it."""
    mask = problem.mask[..., None]
    x = np.where(mask, problem.inputs, 0)
    W, R, V = (problem.parameters[name] for name in "WRV")
    a = [problem.initial_state]
    for row in x:
        a.append(np.tanh(row @ W + a[-1] @ R))
    dW, dR, dV = np.zeros_like(W), np.zeros_like(R), np.zeros_like(V)
    back = np.zeros_like(a[0])
    for t in reversed(range(len(x))):
        e = np.where(mask[t], a[t + 1] @ V - problem.targets[t], 0) / problem.mask.sum()
        delta = (e @ V.T + back) * (1 - a[t + 1] ** 2)
        dW, dR, dV = dW + x[t].T @ delta, dR + a[t].T @ delta, dV + a[t + 1].T @ e
        back = delta @ R.T
    return {"W": dW, "R": dR, "V": dV}


def by_lengths(problem: Any) -> Any:
    """One sequence after the other, each up to its length, with a loss at its last step."""
    W, R, V = (problem.parameters[name] for name in "WRV")
    dW, dR, dV = np.zeros_like(W), np.zeros_like(R), np.zeros_like(V)
    for n, length in enumerate(problem.lengths):
        a = [problem.initial_state[n]]
        for x in problem.inputs[n, :length]:
            a.append(np.tanh(x @ W + a[-1] @ R))
        e = problem.network.output_error(a[-1] @ V, problem.targets[n, length - 1])
        dV = dV + np.outer(a[-1], e)
        delta = V @ e
        for t in reversed(range(length)):
            delta = delta * (1 - a[t + 1] ** 2)
            dW, dR = dW + np.outer(problem.inputs[n, t], delta), dR + np.outer(a[t], delta)
            delta = R @ delta
    return {"W": dW, "R": dR, "V": dV}


def lstm(problem: Any) -> Any:
    """BPTT of an LSTM over a batch, the weights of its gates in one matrix each, as most code has them."""
    p, (h, c), gates = problem.parameters, problem.initial_state, "zifo"
    W, R = (np.concatenate([p[f"{k}_{g}"] for g in gates], axis=1) for k in "WR")
    b, I, V = np.concatenate([p[f"b_{g}"] for g in gates]), h.shape[1], p["V"]
    kept, weights = [], problem.loss_weights
    for x in problem.inputs:
        s = x @ W + h @ R + b
        z, i, f, o = np.tanh(s[:, :I]), *(logistic(s[:, k * I : (k + 1) * I]) for k in (1, 2, 3))
        after = f * c + i * z
        kept.append((x, h, c, z, i, f, o, np.tanh(after)))
        h, c = o * np.tanh(after), after
    dW, dR, db, dV = np.zeros_like(W), np.zeros_like(R), np.zeros_like(b), np.zeros_like(V)
    dh, dc = np.zeros_like(h), np.zeros_like(c)
    for t in reversed(range(len(kept))):
        x, h, c, z, i, f, o, shown = kept[t]
        e = weights[t][:, None] * ((o * shown) @ V - problem.targets[t])
        dh = dh + e @ V.T
        dc = dc + dh * o * (1 - shown**2)
        ds = np.concatenate(
            [dc * i * (1 - z**2), dc * z * i * (1 - i), dc * c * f * (1 - f), dh * shown * o * (1 - o)], 1
        )
        dW, dR, db, dV = dW + x.T @ ds, dR + h.T @ ds, db + ds.sum(axis=0), dV + (o * shown).T @ e
        dh, dc = ds @ R.T, dc * f
    made = {"V": dV}
    for k, gate in enumerate(gates):
        part = slice(k * I, (k + 1) * I)
        made |= {f"W_{gate}": dW[:, part], f"R_{gate}": dR[:, part], f"b_{gate}": db[part]}
    return made


def tokens(problem: Any, add_at: Any = np.add.at) -> Any:
    """BPTT of token ids: rows of W are taken, and the gradient is added to the rows that were taken."""
    W, R, V = (problem.parameters[name] for name in "WRV")
    a, x = [problem.initial_state], problem.inputs
    for row in x:
        a.append(np.tanh(W[row] + a[-1] @ R))
    dW, dR, dV = np.zeros_like(W), np.zeros_like(R), np.zeros_like(V)
    back = np.zeros_like(a[0])
    for t in reversed(range(len(x))):
        e = problem.loss_weights[t][:, None] * (a[t + 1] @ V - problem.targets[t])
        delta = (e @ V.T + back) * (1 - a[t + 1] ** 2)
        add_at(dW, x[t], delta)
        dR, dV = dR + a[t].T @ delta, dV + a[t + 1].T @ e
        back = delta @ R.T
    return {"W": dW, "R": dR, "V": dV}


def windows(problem: Any, *, cut: int = 2, carried: bool = True) -> Any:
    """BPTT of windows of `cut` steps; the state is carried from one to the next, and no error goes back with it."""
    W, R, V = (problem.parameters[name] for name in "WRV")
    dW, dR, dV = np.zeros_like(W), np.zeros_like(R), np.zeros_like(V)
    start = problem.initial_state
    for first in range(0, len(problem.inputs), cut):
        x, y = problem.inputs[first : first + cut], problem.targets[first : first + cut]
        a = [start if carried else np.zeros_like(start)]
        for row in x:
            a.append(np.tanh(row @ W + a[-1] @ R))
        back = np.zeros_like(start)
        for t in reversed(range(len(x))):
            e = (a[t + 1] @ V - y[t]) / x.shape[1]
            delta = (e @ V.T + back) * (1 - a[t + 1] ** 2)
            dW, dR, dV = dW + x[t].T @ delta, dR + a[t].T @ delta, dV + a[t + 1].T @ e
            back = delta @ R.T
        start = a[-1]
    return {"W": dW, "R": dR, "V": dV}


TIME_MAJOR = Batch(Network(), N=3, time="mean")
POOLED = Batch(Network(), N=2, reduction="pooled", lengths="any")
LAST = Batch(Network(), N=2, reduction="sum", time="last", lengths="descending", batch_first=True)
OF_LSTM = Batch(LSTM(initial_state="zeros"), N=2)
WINDOWS = Batch(Network(), N=2)
TOKENS = Batch(Network(), N=2, tokens=True)
