"""The lecture's equations as functions: the left side, the right side as printed, and the right side corrected.

Each takes `Quantities` (or the same names in plain NumPy) and returns arrays by name. The judge compares what
the right side names with the same names on the left, which are derivatives of the forward pass. A function
here mentions nothing but `q` and `np`, so that its source can stand in a program of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

Sides: TypeAlias = dict[str, Any]
"""Name, such as dL/dR, to array."""


@dataclass(frozen=True)
class Formula:
    """left: the true value. printed, corrected: right sides. family: of `lecture_quantities.FAMILIES`."""

    left: Callable[[Any], Sides]
    printed: Callable[[Any], Sides]
    corrected: Callable[[Any], Sides] | None = None
    family: str = "undefined"


# The output layer


def left_yhat(q: Any) -> Sides:
    return {f"yhat({t})": q.yhat[t] for t in q.times}


def yhat_component(q: Any) -> Sides:
    return {f"yhat({t})": q.g(sum(q.V[i] * q.a[t][i] for i in range(len(q.V)))) for t in q.times}


def yhat_linear(q: Any) -> Sides:
    return {f"yhat({t})": sum(q.V[i] * q.a[t][i] for i in range(len(q.V))) for t in q.times}


def left_dV(q: Any) -> Sides:
    return {"dL/dV": q.d("L", "V")}


def dV_by_time(q: Any) -> Sides:
    return {"dL/dV": sum(q.d("L", "V", t) for t in q.times)}


def dV_chain(q: Any) -> Sides:
    K = range(len(q.y[1]))
    return {"dL/dV": sum(q.d("L", "yhat", tau=t)[l] * q.d("yhat", "V", t)[l] for t in q.times for l in K)}


def dV_component(q: Any) -> Sides:
    total = q.V * 0
    for t in q.times:
        for k in range(len(q.y[t])):
            total[:, k] = total[:, k] + q.d("L", "yhat", tau=t)[k] * q.d("yhat", "V", t)[k, :, k]
    return {"dL/dV": total}


def left_cross(q: Any) -> Sides:
    K = range(len(q.y[1]))
    return {f"dyhat_{l + 1}({t})/dv_i{k + 1}": q.d("yhat", "V", t)[l, :, k] for t in q.times for l in K for k in K}


def cross_is_zero(q: Any) -> Sides:
    K = range(len(q.y[1]))
    return {f"dyhat_{l + 1}({t})/dv_i{k + 1}": q.a[t] * 0 for t in q.times for l in K for k in K if l != k}


def left_error(q: Any) -> Sides:
    return {f"dL/dyhat({t})": q.d("L", "yhat", tau=t) for t in q.times}


def error_is_difference(q: Any) -> Sides:
    return {f"dL/dyhat({t})": q.yhat[t] - q.y[t] for t in q.times}


def left_own(q: Any) -> Sides:
    K = range(len(q.y[1]))
    return {f"dyhat_{k + 1}({t})/dv_i{k + 1}": q.d("yhat", "V", t)[k, :, k] for t in q.times for k in K}


def own_without_g(q: Any) -> Sides:
    # The derivative of sum_j v_jk a_j(t) in v_ik is a_i(t).
    K = range(len(q.y[1]))
    return {f"dyhat_{k + 1}({t})/dv_i{k + 1}": q.a[t] for t in q.times for k in K}


def own_of_activation(q: Any) -> Sides:
    K = range(len(q.y[1]))
    return {f"dyhat_{k + 1}({t})/dv_i{k + 1}": q.slope_g(q.a[t]) * q.a[t] for t in q.times for k in K}


def own_corrected(q: Any) -> Sides:
    K = range(len(q.y[1]))
    return {f"dyhat_{k + 1}({t})/dv_i{k + 1}": q.slope_g(q.V.T @ q.a[t])[k] * q.a[t] for t in q.times for k in K}


def dV_printed(q: Any) -> Sides:
    return {"dL/dV": sum(np.outer(q.e[t] @ np.diag(q.dg[t]), q.a[t]) for t in q.times)}


def dV_corrected(q: Any) -> Sides:
    return {"dL/dV": sum(np.outer(q.a[t], q.e[t] @ np.diag(q.dg[t])) for t in q.times)}


# The error signal


def left_delta(q: Any) -> Sides:
    return {f"dL/ds({t})": q.d("L", "s", tau=t) for t in (0, *q.times)}


def delta_by_activation(q: Any) -> Sides:
    return {f"dL/ds({t})": q.d("L", "a", tau=t) @ q.d("a", "s", t, t) for t in q.times}


def delta_by_next(q: Any) -> Sides:
    def later(t: int) -> Any:
        return 0 if t == q.times[-1] else q.d("L", "s", tau=t + 1) @ q.d("s", "a", t + 1, t)

    return {f"dL/ds({t})": (q.d("L", "a", t, t) + later(t)) @ q.d("a", "s", t, t) for t in q.times}


def delta_by_output(q: Any) -> Sides:
    def later(t: int) -> Any:
        return 0 if t == q.times[-1] else q.d("L", "s", tau=t + 1) @ q.d("s", "a", t + 1, t)

    def now(t: int) -> Any:
        return q.d("L", "yhat", tau=t) @ q.d("yhat", "a", t, t)

    return {f"dL/ds({t})": (now(t) + later(t)) @ q.d("a", "s", t, t) for t in q.times}


def delta_recursion(q: Any) -> Sides:
    delta, out = q.a[0] * 0, {}  # delta(T+1) = 0
    for t in reversed(q.times):
        delta = (q.e[t] @ np.diag(q.dg[t]) @ q.V.T + delta @ q.R.T) @ np.diag(q.df[t])
        out[f"dL/ds({t})"] = delta
    return out


def delta_to_zero(q: Any) -> Sides:
    # One step further: no loss at time 0, and s(0) = 0 as the lecture says under RTRL.
    delta = q.delta[1] @ q.R.T @ np.diag(q.df[0])
    return {"dL/ds(0)": delta}


# The recurrent and the input weights


def left_dR(q: Any) -> Sides:
    return {"dL/dR": q.d("L", "R")}


def left_dW(q: Any) -> Sides:
    return {"dL/dW": q.d("L", "W")}


def left_shared(q: Any) -> Sides:
    return {"dL/dR": q.d("L", "R"), "dL/dW": q.d("L", "W")}


def sum_over_copies(q: Any) -> Sides:
    return {f"dL/d{name}": sum(q.d("L", name, tau=t) for t in q.times) for name in "RW"}


def dR_chain(q: Any) -> Sides:
    steps = [q.d("L", "s", tau=t) @ q.d("s", "R", t, t).reshape(len(q.R), -1) for t in q.times]
    return {"dL/dR": sum(steps).reshape(q.R.shape)}


def dR_unit_printed(q: Any) -> Sides:
    total = q.R * 0
    for t in q.times:
        for i, j in np.ndindex(*q.R.shape):
            total[i, j] = total[i, j] + q.delta[t][i] * q.d("s", "R", t, t)[i, i, j]
    return {"dL/dR": total}


def dR_unit_corrected(q: Any) -> Sides:
    total = q.R * 0
    for t in q.times:
        for i, j in np.ndindex(*q.R.shape):
            total[i, j] = total[i, j] + q.delta[t][j] * q.d("s", "R", t, t)[j, i, j]
    return {"dL/dR": total}


def dR_printed(q: Any) -> Sides:
    return {"dL/dR": sum(np.outer(q.delta[t], q.a[t - 1]) for t in q.times)}


def dR_same_time(q: Any) -> Sides:
    return {"dL/dR": sum(np.outer(q.delta[t], q.a[t]) for t in q.times)}


def dR_corrected(q: Any) -> Sides:
    return {"dL/dR": sum(np.outer(q.a[t - 1], q.delta[t]) for t in q.times)}


def dW_printed(q: Any) -> Sides:
    return {"dL/dW": sum(np.outer(q.delta[t], q.x[t]) for t in q.times)}


def dW_corrected(q: Any) -> Sides:
    return {"dL/dW": sum(np.outer(q.x[t], q.delta[t]) for t in q.times)}


# Forward accumulation


def left_s(q: Any) -> Sides:
    I = range(len(q.R))
    return {f"s({t}){k}": q.s[t] for t in q.times for k in ("", *(f" read with k={k + 1}" for k in I))}


def s_printed(q: Any) -> Sides:
    # The index k is free; the sum over l adds the same term I times.
    I = len(q.R)
    return {f"s({t}) read with k={k + 1}": q.x[t] @ q.W + I * q.R[k] * q.a[t - 1][k] for t in q.times for k in range(I)}


def s_corrected(q: Any) -> Sides:
    return {f"s({t})": q.x[t] @ q.W + sum(q.R[k] * q.a[t - 1][k] for k in range(len(q.R))) for t in q.times}


def left_influence(q: Any) -> Sides:
    return {f"ds({t})/d{name}": q.d("s", name, t) for name in "RW" for t in q.times}


def ds_dR_by_activations(q: Any) -> Sides:
    def earlier(t: int) -> Any:
        return 0 if t == 1 else (q.R.T @ q.d("a", "R", t - 1).reshape(len(q.R), -1)).reshape(*q.R.shape, -1)

    own = np.eye(len(q.R))  # d r_kn / d r_ij = [k = i] [n = j]
    direct = lambda t: np.multiply.outer(own, q.a[t - 1] @ own).transpose(0, 2, 1)  # noqa: E731
    return {f"ds({t})/dR": direct(t) + earlier(t) for t in q.times}


def ds_dR_recursion(q: Any) -> Sides:
    def earlier(t: int) -> Any:
        return 0 if t == 1 else ((q.R.T * q.df[t - 1]) @ q.d("s", "R", t - 1).reshape(len(q.R), -1)).reshape(*q.R.shape, -1)

    iverson = np.eye(len(q.R))  # [n = j]
    direct = lambda t: np.multiply.outer(iverson, q.a[t - 1]).transpose(0, 2, 1)  # noqa: E731
    return {f"ds({t})/dR": direct(t) + earlier(t) for t in q.times}


def ds_dW_by_activations(q: Any) -> Sides:
    def earlier(t: int) -> Any:
        D, I = q.W.shape
        return 0 if t == 1 else (q.R.T @ q.d("a", "W", t - 1).reshape(I, -1)).reshape(I, D, I)

    own = np.eye(len(q.R))  # d w_ln / d w_dj = [l = d] [n = j]
    direct = lambda t: np.multiply.outer(own, q.x[t] @ np.eye(len(q.W))).transpose(0, 2, 1)  # noqa: E731
    return {f"ds({t})/dW": direct(t) + earlier(t) for t in q.times}


def ds_dW_recursion(q: Any) -> Sides:
    def earlier(t: int) -> Any:
        D, I = q.W.shape
        return 0 if t == 1 else ((q.R.T * q.df[t - 1]) @ q.d("s", "W", t - 1).reshape(I, -1)).reshape(I, D, I)

    iverson = np.eye(len(q.R))  # [n = j]
    direct = lambda t: np.multiply.outer(iverson, q.x[t]).transpose(0, 2, 1)  # noqa: E731
    return {f"ds({t})/dW": direct(t) + earlier(t) for t in q.times}


def influence_from_zero(q: Any) -> Sides:
    # Both recursions, run from ds(0) = 0; what f'(s(0)) is does not matter then.
    out = {}
    for name, inputs in (("R", q.a), ("W", q.x[1:])):
        (m, n), M = getattr(q, name).shape, None
        for t in q.times:
            earlier = 0 if M is None else ((q.R.T * q.df[t - 1]) @ M.reshape(n, -1)).reshape(n, m, n)
            M = np.multiply.outer(np.eye(n), inputs[t - 1]).transpose(0, 2, 1) + earlier
            out[f"ds({t})/d{name}"] = M
    return out


def left_start(q: Any) -> Sides:
    influence = {f"ds({t})/d{name}": q.d("s", name, t) for name in "RW" for t in q.times}
    return {"a(0)": q.a[0] * 0, **influence}


def start_of_s(q: Any) -> Sides:
    return {"a(0)": q.f(q.a[0] * 0)}


def left_da(q: Any) -> Sides:
    return {f"da({t})/dR": q.d("a", "R", t) for t in q.times}


def da_dR(q: Any) -> Sides:
    I = len(q.R)
    steps = {t: np.diag(q.df[t]) @ q.d("s", "R", t).reshape(I, -1) for t in q.times}
    return {f"da({t})/dR": step.reshape(I, I, I) for t, step in steps.items()}


def left_loss_dR(q: Any) -> Sides:
    return {f"dL({t})/dR": q.d("L", "R", t) for t in q.times}


def loss_dR_chain(q: Any) -> Sides:
    K = range(len(q.y[1]))
    return {f"dL({t})/dR": sum(q.d("L", "yhat", tau=t)[k] * q.d("yhat", "R", t)[k] for k in K) for t in q.times}


def loss_dR_printed(q: Any) -> Sides:
    K = range(len(q.y[1]))
    return {f"dL({t})/dR": sum(q.e[t][k] * q.d("a", "R", t)[k] for k in K) for t in q.times}


def loss_dR_corrected(q: Any) -> Sides:
    I = range(len(q.R))
    error = {t: q.V @ (q.e[t] * q.dg[t]) for t in q.times}
    return {f"dL({t})/dR": sum(error[t][i] * q.d("a", "R", t)[i] for i in I) for t in q.times}


FORMULAS: dict[str, Formula] = {
    "dV-sum": Formula(left_dV, dV_by_time),
    "yhat-component": Formula(left_yhat, yhat_component),
    "dV-chain": Formula(left_dV, dV_chain),
    "dyhat-cross": Formula(left_cross, cross_is_zero),
    "dV-component": Formula(left_dV, dV_component),
    "least-squares": Formula(left_error, error_is_difference, family="half squared error"),
    "dyhat-sum": Formula(left_own, own_without_g, own_corrected),
    "dyhat-own": Formula(left_own, own_of_activation, own_corrected),
    "yhat-linear": Formula(left_yhat, yhat_linear, yhat_component),
    "dV-matrix": Formula(left_dV, dV_printed, dV_corrected),
    "delta-definition": Formula(left_delta, delta_by_activation),
    "delta-next": Formula(left_delta, delta_by_next),
    "delta-output": Formula(left_delta, delta_by_output),
    "delta-recursion": Formula(left_delta, delta_recursion),
    "delta-range": Formula(left_delta, delta_to_zero, delta_recursion),
    "copies": Formula(left_shared, sum_over_copies),
    "dR-chain": Formula(left_dR, dR_chain),
    "dR-unit": Formula(left_dR, dR_unit_printed, dR_unit_corrected),
    "dR-component": Formula(left_dR, dR_printed, dR_corrected),
    "dW-component": Formula(left_dW, dW_printed, dW_corrected),
    "summary-dW": Formula(left_dW, dW_printed, dW_corrected),
    "summary-dR": Formula(left_dR, dR_same_time, dR_corrected),
    "summary-dV": Formula(left_dV, dV_printed, dV_corrected),
    "s-component": Formula(left_s, s_printed, s_corrected),
    "ds-dR-sum": Formula(left_influence, ds_dR_by_activations),
    "ds-dR": Formula(left_influence, ds_dR_recursion),
    "ds-dW-sum": Formula(left_influence, ds_dW_by_activations),
    "ds-dW": Formula(left_influence, ds_dW_recursion),
    "start-s": Formula(left_start, start_of_s, influence_from_zero),
    "start-derivatives": Formula(left_start, influence_from_zero),
    "da-dR": Formula(left_da, da_dR),
    "loss-dR-chain": Formula(left_loss_dR, loss_dR_chain),
    "loss-dR": Formula(left_loss_dR, loss_dR_printed, loss_dR_corrected),
    "readout": Formula(left_loss_dR, loss_dR_printed, family="activations as outputs"),
}
"""Row to equation; the other rows of `lecture.STATEMENTS` are no equations between arrays."""
