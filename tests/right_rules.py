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


def with_sums(name: str, add: Any) -> Any:
    """BPTT in which every sum, of a product of matrices and over time, is `add` of an array of terms, over axis 0."""

    def product(matrix: Any, vector: Any) -> Any:
        return add(matrix.T * vector[:, None])

    def rule(problem: Any) -> dict[str, Any]:
        p, net, T = problem.parameters, problem.network, problem.T
        W, R, V = p["W"], p["R"], p["V"]
        a, s, e = [problem.initial_state], [None], [None]
        for x, y, weight in zip(problem.inputs, problem.targets, problem.loss_weights, strict=True):
            s.append(add(np.concatenate([W * x[:, None], R * a[-1][:, None]])))
            a.append(net.activation(s[-1]))
            e.append(weight * net.output_error(product(V.T, a[-1]), y))
        terms: dict[str, list[Any]] = {"W": [], "R": [], "V": []}
        delta = np.zeros_like(a[0])
        for t in range(T, 0, -1):
            delta = net.activation.derivative(s[t]) * add(np.stack([product(V, e[t]), product(R, delta)]))
            terms["W"].append(np.outer(problem.inputs[t - 1], delta))
            terms["R"].append(np.outer(a[t - 1], delta))
            terms["V"].append(np.outer(a[t], e[t]))
        return {key: add(np.stack(found)) for key, found in terms.items()}

    rule.__name__ = name
    return rule


def _pairwise(terms: Any) -> Any:
    half = len(terms) // 2
    return terms[0] if len(terms) == 1 else _pairwise(terms[:half]) + _pairwise(terms[half:])


def _in_order(terms: Any) -> Any:
    total = np.zeros_like(terms[0])
    for term in terms:
        total = total + term
    return total


def _compensated(terms: Any) -> Any:
    """Kahan's sum; without its correction where that is no number, after an overflow."""
    total, lost = np.zeros_like(terms[0]), np.zeros_like(terms[0])
    for term in terms:
        larger = total + (term - lost)
        lost = np.nan_to_num((larger - total) - (term - lost), nan=0.0, posinf=0.0, neginf=0.0)
        total = larger
    return total


SUMS = [
    with_sums("pairwise sums", _pairwise),
    with_sums("sums from the first", _in_order),
    with_sums("sums from the last", lambda terms: _in_order(terms[::-1])),
    with_sums("sums of the smallest first", lambda terms: _in_order(np.sort(terms, axis=0))),
    with_sums("sums of the largest first", lambda terms: _in_order(np.take_along_axis(
        terms, np.argsort(-abs(terms), axis=0), axis=0))),
    with_sums("Kahan's sums", _compensated),
    with_sums("einsum", lambda terms: np.einsum("i...->...", terms)),
]  # fmt: skip
"""The same terms added in other orders."""


def matrices_first(problem: Any) -> dict[str, Any]:
    """Products of Jacobians before any error meets them: g(t, k) from J(t) ... J(t-k+1), lag by lag."""
    p, net, T = problem.parameters, problem.network, problem.T
    W, R, V = p["W"], p["R"], p["V"]
    a, slopes, e = [problem.initial_state], [None], [None]
    for x, y, weight in zip(problem.inputs, problem.targets, problem.loss_weights, strict=True):
        s = W.T @ x + R.T @ a[-1]
        a.append(net.activation(s))
        slopes.append(net.activation.derivative(s))
        e.append(weight * net.output_error(V.T @ a[-1], y))
    g = {name: np.zeros_like(array) for name, array in p.items()}
    for t in range(1, T + 1):
        g["V"] += np.outer(a[t], e[t])
        product = np.diag(slopes[t])  # ds(t) to a(t)
        for u in range(t, 0, -1):
            delta = product @ (V @ e[t])
            g["W"] += np.outer(problem.inputs[u - 1], delta)
            g["R"] += np.outer(a[u - 1], delta)
            if u > 1:
                product = (slopes[u - 1][:, None] * R) @ product
    return g


def by_jax(problem: Any) -> dict[str, Any]:
    """The gradient from JAX's reverse mode over a scan, in the problem's format."""
    import jax
    import jax.numpy as jnp

    net = problem.network
    functions = {
        "tanh": jnp.tanh,
        "identity": lambda s: s,
        "logistic": jax.nn.sigmoid,
        "relu": jax.nn.relu,
        "softplus": jax.nn.softplus,
        "softmax": jax.nn.softmax,
    }

    def loss_at(u: Any, y: Any) -> Any:
        if net.loss.name == "binary_cross_entropy":
            return -(y * jax.nn.log_sigmoid(u) + (1 - y) * jax.nn.log_sigmoid(-u)).sum()
        if net.loss.name == "categorical_cross_entropy":
            return -(y * jax.nn.log_softmax(u)).sum()
        return ((functions[net.output.name](u) - y) ** 2).sum() / 2

    def loss(p: Any, arrays: Any) -> Any:
        def step(a: Any, given: Any) -> Any:
            x, y, weight = given
            a = functions[net.activation.name](p["W"].T @ x + p["R"].T @ a)
            return a, weight * loss_at(p["V"].T @ a, y)

        start, *sequence = arrays
        return jax.lax.scan(step, start, tuple(sequence))[1].sum()

    with jax.enable_x64(problem.inputs.dtype == np.float64):
        arrays = (problem.initial_state, problem.inputs, problem.targets, problem.loss_weights)
        found = jax.grad(loss)(dict(problem.parameters), arrays)
        return {name: np.array(array) for name, array in found.items()}
