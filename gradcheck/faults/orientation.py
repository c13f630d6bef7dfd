"""Faults of orientation: transposed matrices in the recursion, the result or the forward pass."""

from __future__ import annotations

from .fault import Fault
from .patched import Change


def _fault(id: str, effect: str, base: str, *changes: Change, seen: str = "") -> Fault:
    return Fault(id, "orientation", effect, base, changes, seen)


FAULTS = (
    _fault(
        "r-transposed-in-recursion",
        "The error is carried back by R^T where R is needed; right at I = 1, and for symmetric R.",
        "bptt",
        Change("bptt", "R @ delta[t + 1]", "R.T @ delta[t + 1]"),
    ),
    _fault(
        "r-transposed-in-influence",
        "The influence is carried forward by R where R^T is needed; right at I = 1, and for symmetric R.",
        "rtrl",
        Change("rtrl", "M = (R.T * slope) @ M", "M = (R * slope) @ M"),
    ),
    _fault(
        "dr-transposed",
        "dR comes back transposed; its shape is right.",
        "bptt",
        Change("unfolding", "self.a[:-1].T @ delta", "delta.T @ self.a[:-1]"),
        seen="the source lecture's printed dL/dr_ij = sum delta_i(t) a_j(t-1), judged in `gradcheck report`",
    ),
    _fault(
        "dw-transposed",
        "dW's numbers in the order of its transpose, in dW's shape: right where I = 1 or D = 1.",
        "bptt",
        Change("unfolding", "self.x.T @ delta", "(delta.T @ self.x).reshape(len(self.x.T), -1)"),
        seen="the source lecture's printed dL/dw_ij = sum delta_i(t) x_j(t), judged in `gradcheck report`",
    ),
    _fault(
        "dv-transposed",
        "dV's numbers in the order of its transpose, in dV's shape: right where I = 1 or K = 1.",
        "bptt",
        Change(
            "unfolding",
            "self.a[1:].T @ self.e",
            "(self.e.T @ self.a[1:]).reshape(len(self.a.T), -1)",
        ),
        seen="the source lecture's printed dL/dV = sum e a^T, judged in `gradcheck report`",
    ),
    _fault(
        "v-reshaped-in-the-error",
        "The output error goes back through V reshaped to (K, I) rather than transposed; right where I = 1 or K = 1.",
        "bptt",
        Change("unfolding", "slope * (e @ V.T)", "slope * (e @ V.reshape(V.shape[::-1]))"),
    ),
    _fault(
        "w-read-by-columns",
        "The forward pass reads W in the order of its transpose: the gradient at another point, of another loss.",
        "bptt",
        Change("unfolding", "s = x @ W", "s = x @ W.T.reshape(W.shape)"),
    ),
)  # fmt: skip
