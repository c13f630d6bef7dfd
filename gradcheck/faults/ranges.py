"""Faults of floats at extreme values: formulas that are right, and programs that overflow or lose what is small."""

from __future__ import annotations

from ..reference.network import Network
from .fault import Fault
from .hidden import gradient_then, hidden
from .patched import Change

_SOFTMAX = (Network("tanh", "softmax", "categorical_cross_entropy"),)
_ERROR = "net.output_error(u[t], y[t])"
_SLOPE = "slope = net.activation.derivative(s)"
_STATE = "net.activation(s[t])"


def _range(id: str, effect: str, old: str, new: str, networks: tuple[Network, ...], seen: str = "") -> Fault:
    changes = (Change("unfolding", old, new),)
    return hidden(id, "ranges", effect, "stable", changes, networks=networks, seen=seen, breaks="stable")


FAULTS = (
    _range(
        "tanh-by-exponentials",
        "tanh is a quotient of exponentials, which overflow: inf/inf beyond s = 710.",
        _STATE, "(np.exp(s[t]) - np.exp(-s[t])) / (np.exp(s[t]) + np.exp(-s[t]))", (Network("tanh"),),
    ),
    _range(
        "slope-by-exponentials",
        "The logistic slope is a quotient of exponentials, whose square overflows: inf/inf below s = -355.",
        _SLOPE, "slope = np.exp(-s) / (1 + np.exp(-s)) ** 2", (Network("logistic"),),
    ),
    _range(
        "softplus-by-exponentials",
        "The slope of softplus is exp(s) / (1 + exp(s)), which is inf/inf beyond s = 710.",
        _SLOPE, "slope = np.exp(s) / (1 + np.exp(s))", (Network("softplus"),),
    ),
    _range(
        "softmax-without-a-shift",
        "The softmax takes exponentials of outputs as they are, which overflow.",
        _ERROR, "np.exp(u[t]) / np.exp(u[t]).sum() * y[t].sum() - y[t]", _SOFTMAX,
        "softmax written out, before numerically stable versions were the rule",
    ),
    _range(
        "logistic-error-by-division",
        "The error of the cross-entropy is divided by p (1 - p) and multiplied again: 0/0 where p is 0 or 1.",
        _ERROR, "(lambda p: (p - y[t]) / (p * (1 - p)) * (p * (1 - p)))(1 / (1 + np.exp(-u[t])))",
        (Network("tanh", "logistic", "binary_cross_entropy"),),
    ),
    _range(
        "cross-entropy-clipped",
        "Probabilities are clipped to 10^-7 before the error is taken, as for a logarithm.",
        _ERROR, "np.clip(net.output(u[t]), 1e-7, 1 - 1e-7) * y[t].sum() - y[t]", _SOFTMAX,
        "Keras clips the outputs of its cross-entropy at 10^-7",
    ),
    hidden(
        "clipped-at-100000", "ranges", "Entries are clipped to 10^5 in size.", "stable",
        gradient_then("    return {name: np.clip(array, -1e5, 1e5) for name, array in gradient.items()}\n"),
        networks=(Network("identity"),), breaks="stable",
    ),
)  # fmt: skip
