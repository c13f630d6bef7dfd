"""Right rules by many routes, none of which may ever be refuted; all read `problem.loss_weights`."""

from __future__ import annotations

from typing import Any

import numpy as np
from wrong_rules import made

_ERROR = "net.output_error(V.T @ a[t], y[t - 1])"
_WEIGHTED = "problem.loss_weights[t - 1] * net.output_error(V.T @ a[t], y[t - 1])"
_SLOPE = "slope = net.activation.derivative(s[t])"

bptt = made("plain BPTT", (_ERROR, _WEIGHTED))


def with_slope(name: str, slope: str) -> Any:
    """BPTT that writes f' in a way of its own."""
    return made(name, (_SLOPE, f"slope = {slope}"))


TANH = {
    "1 - a^2": with_slope("1 - a^2", "1 - a[t] ** 2"),
    "1 / cosh^2": with_slope("1 / cosh^2", "1 / np.cosh(s[t]) ** 2"),
    "sech by exp": with_slope("sech by exp", "4 / (np.exp(s[t]) + np.exp(-s[t])) ** 2"),
    "tanh by exp": made("tanh by exp", ("net.activation(s[t])", "2 / (1 + np.exp(-2 * s[t])) - 1")),
    "tanh of the half": made(
        "tanh of the half", ("net.activation(s[t])", "2 * (h := np.tanh(s[t] / 2)) / (1 + h * h)")
    ),
}
"""Right for tanh, with identity output and squared error, without loss weights."""


def entry_by_entry(problem: Any) -> dict[str, Any]:
    """Python loops over single entries, sums from last to first, and every loss sent back on its own."""
    p, net = problem.parameters, problem.network
    W, R, V = p["W"], p["R"], p["V"]
    (D, I), K, T = W.shape, V.shape[1], problem.T
    a, s, e = [problem.initial_state], [None], [None]
    for t in range(1, T + 1):
        pre, u = np.zeros_like(a[0]), np.zeros_like(problem.targets[0])
        for j in range(I):
            total = a[0][0] * 0
            for i in reversed(range(I)):
                total = total + R[i, j] * a[t - 1][i]
            for d in range(D):
                total = total + W[d, j] * problem.inputs[t - 1, d]
            pre[j] = total
        s.append(pre)
        a.append(net.activation(pre))
        for k in range(K):
            total = a[0][0] * 0
            for i in range(I):
                total = total + V[i, k] * a[t][i]
            u[k] = total
        e.append(problem.loss_weights[t - 1] * net.output_error(u, problem.targets[t - 1]))
    g = {name: np.zeros_like(array) for name, array in p.items()}
    for r in range(1, T + 1):
        g["V"] += np.outer(a[r], e[r])
        delta = net.activation.derivative(s[r]) * (V @ e[r])
        for t in range(r, 0, -1):
            g["W"] += problem.inputs[t - 1][:, None] * delta
            g["R"] += a[t - 1][:, None] * delta
            if t > 1:
                delta = net.activation.derivative(s[t - 1]) * (R @ delta)
    return g


def forward_mode(problem: Any) -> dict[str, Any]:
    """RTRL in einsum and tensordot, the influence of W and of R apart."""
    p, net = problem.parameters, problem.network
    W, R, V = p["W"], p["R"], p["V"]
    D, I = W.shape
    a, eye = problem.initial_state, np.eye(I, dtype=W.dtype)
    of_W, of_R = np.zeros_like(W, shape=(I, D, I)), np.zeros_like(W, shape=(I, I, I))
    g = {name: np.zeros_like(array) for name, array in p.items()}
    for x, y, weight in zip(problem.inputs, problem.targets, problem.loss_weights, strict=True):
        s = W.T @ x + R.T @ a
        slope = net.activation.derivative(s)[:, None, None]
        of_W = slope * (np.einsum("in,idj->ndj", R, of_W) + np.einsum("d,nj->ndj", x, eye))
        of_R = slope * (np.einsum("in,ikj->nkj", R, of_R) + np.einsum("k,nj->nkj", a, eye))
        a = net.activation(s)
        e = weight * net.output_error(V.T @ a, y)
        g["W"] = g["W"] + np.tensordot(V @ e, of_W, 1)
        g["R"] = g["R"] + np.tensordot(V @ e, of_R, 1)
        g["V"] = g["V"] + np.outer(a, e)
    return g


def complex_step(problem: Any) -> dict[str, Any]:
    """Squire and Trapp's complex step, for tanh with identity output: no chain rule, no difference."""
    p = {name: array.astype(complex) for name, array in problem.parameters.items()}

    def loss() -> Any:
        a, total = problem.initial_state, 0.0
        for x, y, weight in zip(problem.inputs, problem.targets, problem.loss_weights, strict=True):
            a = np.tanh(p["W"].T @ x + p["R"].T @ a)
            total = total + weight * ((p["V"].T @ a - y) ** 2).sum() / 2
        return total

    g = {name: np.zeros(array.shape) for name, array in p.items()}
    for name, array in p.items():
        for index in np.ndindex(*array.shape):
            array[index] += 1e-150j
            g[name][index] = loss().imag / 1e-150
            array[index] = array[index].real
    return g


def by_torch(problem: Any) -> dict[str, Any]:
    """The gradient from torch's reverse mode."""
    import torch

    functional = torch.nn.functional
    functions = {
        "tanh": torch.tanh,
        "identity": lambda s: s,
        "logistic": torch.sigmoid,
        "relu": torch.relu,
        "softplus": lambda s: torch.logaddexp(s, torch.zeros_like(s)),
        "softmax": lambda s: torch.softmax(s, 0),
    }
    p = {name: torch.tensor(array, requires_grad=True) for name, array in problem.parameters.items()}
    net = problem.network
    a, total = torch.tensor(problem.initial_state), 0.0
    for x, y, weight in zip(*map(torch.tensor, (problem.inputs, problem.targets, problem.loss_weights)), strict=True):
        a = functions[net.activation.name](p["W"].T @ x + p["R"].T @ a)
        u = p["V"].T @ a
        if net.loss.name == "binary_cross_entropy":
            loss = functional.binary_cross_entropy_with_logits(u, y, reduction="sum")
        elif net.loss.name == "categorical_cross_entropy":
            loss = -(y * torch.log_softmax(u, 0)).sum()
        else:
            loss = ((functions[net.output.name](u) - y) ** 2).sum() / 2
        total = total + weight * loss
    total.backward()
    return {name: parameter.grad.numpy().copy() for name, parameter in p.items()}


def by_numpy_at(dtype: str, *, answers: str) -> Any:
    """BPTT that computes in one format and answers in another, whatever it is given."""

    def rule(problem: Any) -> dict[str, Any]:
        plain = lambda array: np.array([float(v) for v in array.reshape(-1)], dtype=dtype).reshape(array.shape)  # noqa: E731
        return {k: v.astype(answers) for k, v in bptt(problem.map(plain)).items()}

    rule.__name__ = f"{dtype} inside, {answers} outside"
    return rule
