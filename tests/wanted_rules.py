"""Rules that return gradients of inputs and of the initial state, by hand, and mistakes in these alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import gradcheck
from gradcheck.reference.functions import apply
from gradcheck.reference.networks.elman import Network
from gradcheck.reference.wanted import KINDS

ALL = gradcheck.Exact(of=KINDS)
LSTM = gradcheck.LSTM()


def tanh_bptt(problem: Any) -> Any:
    """delta(t) = f'(s(t)) * (V e(t) + R delta(t+1)); dL/dx(t) = W delta(t), dL/da(0) = R delta(1)."""
    W, R, V = (problem.parameters[name] for name in "WRV")
    net, x = problem.network, problem.inputs
    a, slopes = [problem.initial_state], []
    for row in x:
        s = W.T @ row + R.T @ a[-1]
        a.append(net.activation(s))
        slopes.append(net.activation.derivative(s))
    dW, dR, dV, dx = (np.zeros_like(array) for array in (W, R, V, x))
    delta = np.zeros_like(a[0])
    for t in reversed(range(problem.T)):
        e = problem.loss_weights[t] * net.output_error(V.T @ a[t + 1], problem.targets[t])
        delta = slopes[t] * (V @ e + R @ delta)
        dW = dW + np.outer(x[t], delta)
        dR = dR + np.outer(a[t], delta)
        dV = dV + np.outer(a[t + 1], e)
        dx[t] = W @ delta
    return {"W": dW, "R": dR, "V": dV, "inputs": dx, "initial_state": R @ delta}


def _send_back(problem: Any, keeps: Callable[[int, int], bool]) -> Any:
    """Send each loss back by itself, and count the lags that are kept."""
    W, R, V = (problem.parameters[name] for name in "WRV")
    net, x, T = problem.network, problem.inputs, problem.T
    a, slopes = [problem.initial_state], []
    for row in x:
        s = W.T @ row + R.T @ a[-1]
        a.append(net.activation(s))
        slopes.append(net.activation.derivative(s))
    found = {name: np.zeros_like(array) for name, array in {**problem.parameters, "inputs": x}.items()}
    found["initial_state"] = np.zeros_like(a[0])
    for t in range(1, T + 1):
        e = problem.loss_weights[t - 1] * net.output_error(V.T @ a[t], problem.targets[t - 1])
        if keeps(t, 0):
            found["V"] = found["V"] + np.outer(a[t], e)
        back = V @ e
        for k in range(t):
            delta = slopes[t - k - 1] * back
            back = R @ delta
            if keeps(t, k):
                found["W"] = found["W"] + np.outer(x[t - k - 1], delta)
                found["R"] = found["R"] + np.outer(a[t - k - 1], delta)
                found["inputs"][t - k - 1] = found["inputs"][t - k - 1] + W @ delta
        if keeps(t, t - 1):
            found["initial_state"] = found["initial_state"] + back
    return found


def by_lags(claim: Any) -> Any:
    """Return a rule that returns what a claim about lags promises, of all arrays."""

    def rule(problem: Any) -> Any:
        return _send_back(problem, lambda t, k: claim.keeps(t, k, problem.T))

    return rule


def lstm_bptt(problem: Any) -> Any:
    """LSTM by hand, with the state (h, c) nested as the network has it."""
    p, x, T = problem.parameters, problem.inputs, problem.T

    h, c = problem.initial_state
    kept = []
    for row in x:
        s = {g: p[f"W_{g}"].T @ row + p[f"R_{g}"].T @ h + p[f"b_{g}"] for g in "zifo"}
        z, i, f, o = np.tanh(s["z"]), *(apply("logistic", s[g]) for g in "ifo")
        before, c = (h, c), f * c + i * z
        h = o * np.tanh(c)
        kept.append((before, (z, i, f, o), (h, c)))
    found = {name: np.zeros_like(array) for name, array in p.items()}
    dx, dh, dc = np.zeros_like(x), np.zeros_like(h), np.zeros_like(c)
    for t in reversed(range(T)):
        (h0, c0), (z, i, f, o), (h, c) = kept[t]
        e = problem.loss_weights[t] * (p["V"].T @ h - problem.targets[t])
        found["V"] = found["V"] + np.outer(h, e)
        dh = dh + p["V"] @ e
        shown = np.tanh(c)
        dc = dc + dh * o * (1 - shown * shown)
        ds = {"z": dc * i * (1 - z * z), "i": dc * z * i * (1 - i), "f": dc * c0 * f * (1 - f), "o": dh * shown * o}
        ds["o"] = ds["o"] * (1 - o)
        for g, d in ds.items():
            found[f"W_{g}"] = found[f"W_{g}"] + np.outer(x[t], d)
            found[f"R_{g}"] = found[f"R_{g}"] + np.outer(h0, d)
            found[f"b_{g}"] = found[f"b_{g}"] + d
        dx[t] = sum((p[f"W_{g}"] @ ds[g] for g in "ifo"), p["W_z"] @ ds["z"])
        dh = sum((p[f"R_{g}"] @ ds[g] for g in "ifo"), p["R_z"] @ ds["z"])
        dc = dc * f
    return {**found, "inputs": dx, "initial_state": (dh, dc)}


RIGHT = {"tanh": (tanh_bptt, Network()), "LSTM": (lstm_bptt, LSTM)}


def _late(problem: Any, found: Any) -> Any:
    rows = found["inputs"]
    return {**found, "inputs": np.concatenate([rows[:1] * 0, rows[:-1]])}


def _first_row_halved(problem: Any, found: Any) -> Any:
    rows = found["inputs"]
    return {**found, "inputs": np.concatenate([rows[:1] / 2, rows[1:]])}


def _dropped(problem: Any, found: Any) -> Any:
    state = found["initial_state"]
    return {**found, "initial_state": (state[0], 0 * state[1]) if isinstance(state, tuple) else 0 * state}


def _turned(problem: Any, found: Any) -> Any:
    state = found["initial_state"]
    return {**found, "initial_state": state[::-1] if isinstance(state, tuple) else np.roll(state, 1)}


MISTAKES: dict[str, Any] = {
    "a step late": _late,
    "first row halved": _first_row_halved,
    "dropped": _dropped,
    "in the wrong order": _turned,
}


def mistaken(rule: Any, mistake: str) -> Any:
    """Return a rule with a mistake in the gradient of inputs or initial state."""

    def wrong(problem: Any) -> Any:
        return MISTAKES[mistake](problem, rule(problem))

    return wrong
