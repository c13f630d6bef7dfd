"""Networks as people write them, each with a right rule and a wrong one: starts, tied sizes, domains, no derivative."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import gradcheck

Gradient = dict[str, Any]
MATRICES = {"W": ("I", "D"), "R": ("I", "I"), "V": ("K", "I")}


def plain(p: Any, a: Any, x: Any) -> Any:
    return np.tanh(p["W"] @ x + p["R"] @ a)


def read(p: Any, a: Any) -> Any:
    return p["V"] @ a


def squared(u: Any, y: Any) -> Any:
    return ((u - y) ** 2).sum() / 2


def bptt(problem: Any, start: Any = None, recurrent: float = 1.0) -> tuple[Gradient, Any]:
    """Return the gradient of `MATRICES` by BPTT, and dL/da(0); `recurrent` is the share of R that errors pass."""
    W, R, V = (problem.parameters[name] for name in "WRV")
    a = [problem.initial_state if start is None else start]
    for x in problem.inputs:
        a.append(np.tanh(W @ x + R @ a[-1]))
    dW, dR, dV, back = 0 * W, 0 * R, 0 * V, 0 * a[0]
    for t in reversed(range(len(problem.inputs))):
        e = problem.loss_weights[t] * (V @ a[t + 1] - problem.targets[t])
        s = (1 - a[t + 1] ** 2) * (V.T @ e + back)
        dW, dR, dV = dW + np.outer(s, problem.inputs[t]), dR + np.outer(s, a[t]), dV + np.outer(e, a[t + 1])
        back = recurrent * (R.T @ s)
    return {"W": dW, "R": dR, "V": dV}, back


@dataclass(frozen=True)
class Pair:
    """A network, a right rule for it, a wrong one, and the kinds of evidence that judge the right one exactly."""

    name: str
    network: Any
    right: Callable[[Any], Gradient]
    wrong: Callable[[Any], Gradient]
    kinds: frozenset[str] = frozenset({"formal", "modular", "enclosure"})


ZEROS = gradcheck.network(plain, read, MATRICES, initial_state="zeros", name="from zeros")
FIXED = gradcheck.network(plain, read, MATRICES, sizes={"I": 2}, initial_state=np.array([0.5, -0.25]), name="fixed")
LEARNED = gradcheck.network(
    plain, read, {**MATRICES, "b": "I"}, initial_state=lambda p: np.tanh(p["b"]), name="learned start"
)
BARE = gradcheck.network(plain, read, MATRICES, loss=squared, name="no output error")


def _learned(problem: Any, share: float = 1.0) -> Gradient:
    gradient, back = bptt(problem)
    return {**gradient, "b": share * (1 - problem.initial_state**2) * back}


def _from_zeros_floats(problem: Any) -> Gradient:
    """A plain BPTT as in a tutorial: it makes its zeros itself, and so runs on floats alone."""
    return bptt(problem, start=np.zeros(problem.initial_state.shape))[0]


def _no_output_layer(p: Any, a: Any, x: Any) -> Any:
    return np.tanh(p["W"] @ x + p["R"] @ a)


UNREAD = gradcheck.network(_no_output_layer, lambda p, a: a, {"W": ("I", "D"), "R": ("I", "I")}, name="no output layer")


def _unread(problem: Any, recurrent: float = 1.0) -> Gradient:
    W, R = problem.parameters["W"], problem.parameters["R"]
    a = [problem.initial_state]
    for x in problem.inputs:
        a.append(np.tanh(W @ x + R @ a[-1]))
    dW, dR, back = 0 * W, 0 * R, 0 * a[0]
    for t in reversed(range(len(problem.inputs))):
        s = (1 - a[t + 1] ** 2) * (a[t + 1] - problem.targets[t] + back)
        dW, dR, back = dW + np.outer(s, problem.inputs[t]), dR + np.outer(s, a[t]), recurrent * (R.T @ s)
    return {"W": dW, "R": dR}


def _added(p: Any, a: Any, x: Any) -> Any:
    return np.tanh(x + p["R"] @ a)


ADDED = gradcheck.network(
    _added, read, {"R": ("I", "I"), "V": ("K", "I")}, sizes={"D": "I"}, name="inputs added to the state"
)


def _added_rule(problem: Any, recurrent: float = 1.0) -> Gradient:
    R, V = problem.parameters["R"], problem.parameters["V"]
    a = [problem.initial_state]
    for x in problem.inputs:
        a.append(np.tanh(x + R @ a[-1]))
    dR, dV, back = 0 * R, 0 * V, 0 * a[0]
    for t in reversed(range(len(problem.inputs))):
        e = V @ a[t + 1] - problem.targets[t]
        s = (1 - a[t + 1] ** 2) * (V.T @ e + back)
        dR, dV, back = dR + np.outer(s, a[t]), dV + np.outer(e, a[t + 1]), recurrent * (R.T @ s)
    return {"R": dR, "V": dV}


@dataclass(frozen=True)
class Rotating:
    """Pairs of units that turn into each other: I must be even. A class, with nothing but the equations."""

    name = "rotating pairs"

    def parameter_shapes(self, sizes: Any) -> dict[str, tuple[int, ...]]:
        if sizes.I % 2:
            raise ValueError("units come in pairs")
        return {"W": (sizes.I, sizes.D), "c": (sizes.I // 2,), "s": (sizes.I // 2,), "V": (sizes.K, sizes.I)}

    def state_shape(self, sizes: Any) -> Any:
        return (sizes.I,)

    def sizes_of(self, parameters: Any, T: int) -> Any:
        return gradcheck.Sizes(T, *parameters["W"].shape, parameters["V"].shape[0])

    def step(self, p: Any, a: Any, x: Any) -> Any:
        half = len(p["c"])
        left, right = a[:half], a[half:]
        turned = np.concatenate([p["c"] * left - p["s"] * right, p["s"] * left + p["c"] * right])
        return turned + p["W"] @ x

    def readout(self, p: Any, a: Any) -> Any:
        return p["V"] @ a

    def loss_value(self, u: Any, y: Any) -> Any:
        return squared(u, y)


def _rotating(problem: Any, sign: float = 1.0) -> Gradient:
    p, network = problem.parameters, problem.network
    half = len(p["c"])
    a = [problem.initial_state]
    for x in problem.inputs:
        a.append(network.step(p, a[-1], x))
    gradient, back = {name: 0 * value for name, value in p.items()}, 0 * a[0]
    for t in reversed(range(len(problem.inputs))):
        e = p["V"] @ a[t + 1] - problem.targets[t]
        d = p["V"].T @ e + back
        dl, dr, left, right = d[:half], d[half:], a[t][:half], a[t][half:]
        gradient["V"] = gradient["V"] + np.outer(e, a[t + 1])
        gradient["W"] = gradient["W"] + np.outer(d, problem.inputs[t])
        gradient["c"] = gradient["c"] + dl * left + dr * right
        gradient["s"] = gradient["s"] + dr * left - sign * dl * right
        back = np.concatenate([p["c"] * dl + p["s"] * dr, p["c"] * dr - p["s"] * dl])
    return gradient


def _decay(p: Any, a: Any, x: Any) -> Any:
    return np.exp(-1 / p["tau"]) * a + np.tanh(p["W"] @ x)


DECAY = gradcheck.network(
    _decay,
    read,
    {"W": ("I", "D"), "tau": ("I",), "V": ("K", "I")},
    domains={"tau": "positive"},
    name="time constants",
)


def _decaying(problem: Any, share: float = 1.0) -> Gradient:
    """RTRL that reads log(tau), as libraries that keep tau positive do."""
    W, tau, V = (problem.parameters[name] for name in ("W", "tau", "V"))
    k, a = np.exp(-np.exp(-np.log(tau))), problem.initial_state
    aw, at = 0 * W, 0 * tau
    gradient = {name: 0 * value for name, value in problem.parameters.items()}
    for x, y in zip(problem.inputs, problem.targets, strict=True):
        at = k * at + share * k / tau**2 * a
        f = np.tanh(W @ x)
        aw, a = k[:, None] * aw + np.outer(1 - f * f, x), k * a + f
        e = V @ a - y
        d = V.T @ e
        gradient = {
            "W": gradient["W"] + d[:, None] * aw,
            "tau": gradient["tau"] + d * at,
            "V": gradient["V"] + np.outer(e, a),
        }
    return gradient


def _embedded(p: Any, a: Any, x: Any) -> Any:
    return np.tanh(p["E"].T @ x + p["R"] @ a)


EMBEDDED = gradcheck.network(
    _embedded,
    read,
    {"E": ("D", "I"), "R": ("I", "I"), "V": ("K", "I")},
    domains={"inputs": "one-hot"},
    name="embedded words",
)


def _embedding(problem: Any, adds: bool = True) -> Gradient:
    """BPTT that looks words up, which is right for one-hot inputs alone."""
    E, R, V = (problem.parameters[name] for name in "ERV")
    words = [max(range(len(x)), key=lambda d, x=x: float(x[d])) for x in problem.inputs]
    a = [problem.initial_state]
    for word in words:
        a.append(np.tanh(E[word] + R @ a[-1]))
    dE, dR, dV, back = 0 * E, 0 * R, 0 * V, 0 * a[0]
    for t in reversed(range(len(words))):
        e = V @ a[t + 1] - problem.targets[t]
        s = (1 - a[t + 1] ** 2) * (V.T @ e + back)
        dE[words[t]] = dE[words[t]] * adds + s
        dR, dV, back = dR + np.outer(s, a[t]), dV + np.outer(e, a[t + 1]), R.T @ s
    return {"E": dE, "R": dR, "V": dV}


ONE_NUMBER = gradcheck.network(
    lambda p, a, x: np.tanh(p["w"] * a + p["u"] @ x),
    lambda p, a: p["V"] * a,
    {"w": (), "u": "D", "V": "K"},
    state=(),
    sizes={"I": 1},
    name="one number",
)


def _one_number(problem: Any, recurrent: float = 1.0) -> Gradient:
    w, u, V = (problem.parameters[name] for name in ("w", "u", "V"))
    a = [problem.initial_state]
    for x in problem.inputs:
        a.append(np.tanh(w * a[-1] + u @ x))
    dw, du, dV, back = 0 * w, 0 * u, 0 * V, 0 * w
    for t in reversed(range(len(problem.inputs))):
        e = V * a[t + 1] - problem.targets[t]
        s = (1 - a[t + 1] ** 2) * ((V * e).sum() + back)
        dw, du, dV, back = dw + s * a[t], du + s * problem.inputs[t], dV + a[t + 1] * e, recurrent * w * s
    return {"w": dw, "u": du, "V": dV}


def _cross_entropy(u: Any, y: Any) -> Any:
    """Softmax and cross-entropy in one, shifted by the largest readout; of one output, it is always 0."""
    shifted = u - u.max()
    return -(y * (shifted - np.log(np.exp(shifted).sum()))).sum()


ENTROPY = gradcheck.network(plain, read, MATRICES, loss=_cross_entropy, name="own cross-entropy")


def _classifying(problem: Any, share: float = 1.0) -> Gradient:
    W, R, V = (problem.parameters[name] for name in "WRV")
    a = [problem.initial_state]
    for x in problem.inputs:
        a.append(np.tanh(W @ x + R @ a[-1]))
    dW, dR, dV, back = 0 * W, 0 * R, 0 * V, 0 * a[0]
    for t in reversed(range(len(problem.inputs))):
        u, y = V @ a[t + 1], problem.targets[t]
        p = np.exp(u - u.max())
        e = p / p.sum() * y.sum() - share * y
        s = (1 - a[t + 1] ** 2) * (V.T @ e + back)
        dW, dR, dV = dW + np.outer(s, problem.inputs[t]), dR + np.outer(s, a[t]), dV + np.outer(e, a[t + 1])
        back = R.T @ s
    return {"W": dW, "R": dR, "V": dV}


PAIRS = (
    Pair("zeros", ZEROS, lambda p: bptt(p)[0], lambda p: bptt(p, recurrent=0.999)[0]),
    Pair(
        "zeros of its own",
        gradcheck.network(plain, read, MATRICES, initial_state="zeros", name="from zeros, floats"),
        _from_zeros_floats,
        lambda p: bptt(p, start=np.zeros(p.initial_state.shape), recurrent=0.999)[0],
        frozenset({"float64"}),
    ),
    Pair("fixed", FIXED, lambda p: bptt(p)[0], lambda p: bptt(p, start=0 * p.initial_state)[0]),
    Pair("learned", LEARNED, _learned, lambda p: _learned(p, 0.999)),
    Pair("no output error", BARE, lambda p: bptt(p)[0], lambda p: bptt(p, recurrent=0.999)[0]),
    Pair("no output layer", UNREAD, _unread, lambda p: _unread(p, 0.999)),
    Pair("inputs added", ADDED, _added_rule, lambda p: _added_rule(p, 0.999)),
    Pair("even units", Rotating(), _rotating, lambda p: _rotating(p, 0.999)),
    Pair("positive", DECAY, _decaying, lambda p: _decaying(p, 0.999), frozenset({"enclosure"})),
    Pair("one-hot", EMBEDDED, _embedding, lambda p: _embedding(p, False), frozenset({"float64"})),
    Pair("own cross-entropy", ENTROPY, _classifying, lambda p: _classifying(p, 0.999), frozenset({"float64"})),
    Pair("one number", ONE_NUMBER, _one_number, lambda p: _one_number(p, 0.999)),
)
