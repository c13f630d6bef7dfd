"""Wrong rules: faults of the gallery, and others made of plain NumPy BPTT by replacing one piece of its text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcheck.faults import fault_named

SOURCE = """
def rule(problem):
    p, net = problem.parameters, problem.network
    W, R, V = p["W"], p["R"], p["V"]
    x, y, T = problem.inputs, problem.targets, problem.T
    I = R.shape[0]
    a, s, e = [problem.initial_state], [None], [None]
    for t in range(1, T + 1):
        s.append(W.T @ x[t - 1] + R.T @ a[t - 1])
        a.append(net.activation(s[t]))
        e.append(net.output_error(V.T @ a[t], y[t - 1]))
    dW, dR, dV = np.zeros_like(W), np.zeros_like(R), np.zeros_like(V)
    delta = np.zeros_like(a[0])
    for t in range(T, 0, -1):
        slope = net.activation.derivative(s[t])
        delta = slope * (V @ e[t] + R @ delta)
        dW = dW + np.outer(x[t - 1], delta)
        dR = dR + np.outer(a[t - 1], delta)
        dV = dV + np.outer(a[t], e[t])
    return {"W": dW, "R": dR, "V": dV}
"""

_RETURN = 'return {"W": dW, "R": dR, "V": dV}'
_BACK = "V @ e[t] + R @ delta"
_SLOPE = "slope = net.activation.derivative(s[t])"

GALLERY = (
    "r-transposed-in-recursion",
    "dr-transposed",
    "new-state-in-dr",
    "slope-missing",
    "slope-from-s",
    "slope-of-the-activation",
    "truncated-at-1",
    "recursion-stops-early",
    "truncated-at-t-minus-1",
    "scale-2",
    "scale-1-plus-1e-9",
    "mean-over-t",
    "sign-of-dv",
    "rows-permuted",
    "initial-state-ignored",
    "initial-state-missing-in-dr",
    "time-reversed",
    "loss-at-the-last-step-only",
    "losses-injected-twice",
    "wrong-at-i-1",
    "stale-buffer",
    "returns-its-buffer",
    "changes-its-inputs",
    "wrong-when-i-exceeds-4",
    "wrong-when-t-is-odd",
    "wrong-when-t-exceeds-i",
    "rounded-to-float32",
    "one-entry-wrong",
)
"""Faults of the gallery that are functions of a problem."""

WRONG: dict[str, tuple[str, str]] = {
    "f' one step early": (_SLOPE, "slope = net.activation.derivative(s[max(t - 1, 1)])"),
    "first step missing": ("range(T, 0, -1)", "range(T, min(1, T - 1), -1)"),
    "last step missing": ("range(T, 0, -1)", "range(max(1, T - 1), 0, -1)"),
    "W transposed if D = I": (_RETURN, 'return {"W": dW.T if dW.shape[0] == I else dW, "R": dR, "V": dV}'),
    "V transposed if K = I": (_RETURN, 'return {"W": dW, "R": dR, "V": dV.T if dV.shape[1] == I else dV}'),
    "wrong if T is even": (_RETURN, 'return {"W": dW, "R": dR, "V": dV * (2 - T % 2)}'),
    "wrong if T = 1": (_RETURN, 'return {"W": dW, "R": dR * (1 + (T == 1)), "V": dV}'),
    "wrong if K = 1": (_RETURN, 'return {"W": dW, "R": dR * (1 + (V.shape[1] == 1)), "V": dV}'),
    "wrong if D > I": (_RETURN, 'return {"W": dW * (1 + (W.shape[0] > I)), "R": dR, "V": dV}'),
    "wrong if T > 30": (_BACK, "V @ e[t] + R @ delta * (1 if T - t < 30 else 0)"),
    "squeezed at I = 1": ("np.outer(x[t - 1], delta)", "(np.outer(x[t - 1], delta) if I > 1 else 0 * dW)"),
}  # fmt: skip
"""Wrong on any generic scalar, and not in the gallery: name to (text, what stands in its place)."""

NAMES = (*GALLERY, *WRONG)

WRONG_ON_FLOATS: dict[str, tuple[str, str]] = {
    "wrong where an input is 0": ("np.outer(x[t - 1], delta)", "np.outer(x[t - 1], delta) * (x[t - 1] != 0).all()"),
    "wrong where an input row is 0": (_BACK, "V @ e[t] + R @ delta * (1 if x[t - 1].any() else 0)"),
    "masks from one-hot inputs": (
        "np.outer(a[t - 1], delta)",
        "np.outer(a[t - 1], delta) * (1.0 if (x[t - 1] != 0).sum() != 1 or len(x[0]) == 1 else 0.5)",
    ),
    "wrong where a unit saturates": (_SLOPE, _SLOPE + "\n        slope = np.where(abs(s[t]) > 8, 0 * slope, slope)"),
    "clipped at 1": ("R @ delta)", "np.clip(R @ delta, -1, 1))"),
    "clipped result at 5": (_RETURN, 'return {"W": dW, "R": np.clip(dR, -5, 5), "V": dV}'),
    "NaN turned to 0 and small dropped": (_RETURN, 'return {"W": dW, "R": np.where(abs(dR) < 1e-4, 0, dR), "V": dV}'),
    "initial state zero: step 1 skipped": (_BACK, "V @ e[t] + R @ delta * (1 if a[0].any() or t > 1 else 0)"),
    "wrong at zero initial state": (_RETURN, 'return {"W": dW * (1 if a[0].any() else 2), "R": dR, "V": dV}'),
    "wrong for negative targets of zero": ("e.append(", "e.append((1.0 if y[t - 1].any() else 0.0) * "),
}  # fmt: skip
"""Wrong only at some values, which a rule must compare to know: they run on floats and balls, not on formal scalars."""


def made(name: str, replacement: tuple[str, str] | None = None) -> Callable[[Any], Any]:
    """The rule whose text has that replacement, under that name."""
    old, new = replacement or ("", "")
    assert SOURCE.count(old) == 1 or not old, f"{name}: {old!r} occurs {SOURCE.count(old)} times"
    space: dict[str, Any] = {"np": np}
    exec(SOURCE.replace(old, new, 1) if old else SOURCE, space)
    rule = space["rule"]
    rule.__name__ = name
    return rule


def wrong(name: str) -> Callable[[Any], Any]:
    """The wrong rule of that name, made anew: of `WRONG` or `WRONG_ON_FLOATS`, else of the gallery."""
    others = {**WRONG, **WRONG_ON_FLOATS}
    rule: Callable[[Any], Any] = made(name, others[name]) if name in others else fault_named(name).fresh()
    return rule


def as_black_box(rule: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same rule, but every number is cast to a float first, as code outside NumPy does."""

    def black_box(problem: Any) -> Any:
        plain = lambda array: np.array([float(v) for v in array.reshape(-1)]).reshape(array.shape)  # noqa: E731
        return rule(problem.map(plain))

    black_box.__name__ = rule.__name__
    return black_box
