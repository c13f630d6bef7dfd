"""The sides of the lecture's equations from the output layer to the gradients of BPTT.

Each function takes `Quantities` (or the same names in plain NumPy) and returns arrays by name. It mentions
nothing but `q` and `np`, so that its source can stand in a program of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .printed import Sides


def left_yhat(q: Any) -> Sides:
    """Return yhat(t)."""
    return {f"yhat({t})": q.yhat[t] for t in q.times}


def yhat_component(q: Any) -> Sides:
    """Return g(sum_i v_ik a_i(t))."""
    return {f"yhat({t})": q.g(sum(q.V[i] * q.a[t][i] for i in range(len(q.V)))) for t in q.times}


def yhat_linear(q: Any) -> Sides:
    """Return sum_i v_ik a_i(t)."""
    return {f"yhat({t})": sum(q.V[i] * q.a[t][i] for i in range(len(q.V))) for t in q.times}


def left_dV(q: Any) -> Sides:
    """Return dL/dV."""
    return {"dL/dV": q.d("L", "V")}


def dV_by_time(q: Any) -> Sides:
    """Return sum_t dL_t/dV."""
    return {"dL/dV": sum(q.d("L", "V", t) for t in q.times)}


def dV_chain(q: Any) -> Sides:
    """Return sum_t sum_l dL_t/dyhat_l(t) dyhat_l(t)/dV."""
    K = range(len(q.y[1]))
    return {"dL/dV": sum(q.d("L", "yhat", tau=t)[l] * q.d("yhat", "V", t)[l] for t in q.times for l in K)}


def dV_component(q: Any) -> Sides:
    """Return sum_t dL_t/dyhat_k(t) dyhat_k(t)/dv_ik."""
    total = q.V * 0
    for t in q.times:
        for k in range(len(q.y[t])):
            total[:, k] = total[:, k] + q.d("L", "yhat", tau=t)[k] * q.d("yhat", "V", t)[k, :, k]
    return {"dL/dV": total}


def left_cross(q: Any) -> Sides:
    """Return dyhat_l(t)/dv_ik, over i."""
    K = range(len(q.y[1]))
    return {f"dyhat_{l + 1}({t})/dv_i{k + 1}": q.d("yhat", "V", t)[l, :, k] for t in q.times for l in K for k in K}


def cross_is_zero(q: Any) -> Sides:
    """Return 0 where l is not k."""
    K = range(len(q.y[1]))
    return {f"dyhat_{l + 1}({t})/dv_i{k + 1}": q.a[t] * 0 for t in q.times for l in K for k in K if l != k}


def left_error(q: Any) -> Sides:
    """Return dL_t/dyhat(t)."""
    return {f"dL/dyhat({t})": q.d("L", "yhat", tau=t) for t in q.times}


def error_is_difference(q: Any) -> Sides:
    """Return yhat(t) - y(t)."""
    return {f"dL/dyhat({t})": q.yhat[t] - q.y[t] for t in q.times}


def left_own(q: Any) -> Sides:
    """Return dyhat_k(t)/dv_ik, over i and k."""
    I, K = range(q.V.shape[0]), range(q.V.shape[1])
    out = {f"dyhat_k({t})/dv_ik": q.V * 0 for t in q.times}
    for t in q.times:
        for i in I:
            for k in K:
                out[f"dyhat_k({t})/dv_ik"][i, k] = q.d("yhat", "V", t)[k, i, k]
    return out


def own_without_g(q: Any) -> Sides:
    """Return sum_j d(v_jk a_j(t))/dv_ik, which is a_i(t)."""
    return {f"dyhat_k({t})/dv_ik": q.a[t][:, None] + q.V * 0 for t in q.times}


def own_of_activation(q: Any) -> Sides:
    """Return g'(a_i(t)) a_i(t)."""
    return {f"dyhat_k({t})/dv_ik": (q.slope_g(q.a[t]) * q.a[t])[:, None] + q.V * 0 for t in q.times}


def own_corrected(q: Any) -> Sides:
    """Return g'((V^T a(t))_k) a_i(t)."""
    return {f"dyhat_k({t})/dv_ik": np.outer(q.a[t], q.slope_g(q.V.T @ q.a[t])) for t in q.times}


def dV_printed(q: Any) -> Sides:
    """Return sum_t e(t) diag(g'(V^T a(t))) a(t)^T."""
    return {"dL/dV": sum(np.outer(q.e[t] @ np.diag(q.dg[t]), q.a[t]) for t in q.times)}


def dV_corrected(q: Any) -> Sides:
    """Return sum_t a(t) e(t)^T diag(g'(V^T a(t)))."""
    return {"dL/dV": sum(np.outer(q.a[t], q.e[t] @ np.diag(q.dg[t])) for t in q.times)}


def left_delta(q: Any) -> Sides:
    """Return dL/ds(t), t = 0 among them."""
    return {f"dL/ds({t})": q.d("L", "s", tau=t) for t in (0, *q.times)}


def delta_by_activation(q: Any) -> Sides:
    """Return dL/da(t) da(t)/ds(t)."""
    return {f"dL/ds({t})": q.d("L", "a", tau=t) @ q.d("a", "s", t, t) for t in q.times}


def delta_by_next(q: Any) -> Sides:
    """Return (dL_t/da(t) + dL/ds(t+1) ds(t+1)/da(t)) da(t)/ds(t)."""

    def later(t: int) -> Any:
        return 0 if t == q.times[-1] else q.d("L", "s", tau=t + 1) @ q.d("s", "a", t + 1, t)

    return {f"dL/ds({t})": (q.d("L", "a", t, t) + later(t)) @ q.d("a", "s", t, t) for t in q.times}


def delta_by_output(q: Any) -> Sides:
    """Return (dL/dyhat(t) dyhat(t)/da(t) + dL/ds(t+1) ds(t+1)/da(t)) da(t)/ds(t)."""

    def later(t: int) -> Any:
        return 0 if t == q.times[-1] else q.d("L", "s", tau=t + 1) @ q.d("s", "a", t + 1, t)

    def now(t: int) -> Any:
        return q.d("L", "yhat", tau=t) @ q.d("yhat", "a", t, t)

    return {f"dL/ds({t})": (now(t) + later(t)) @ q.d("a", "s", t, t) for t in q.times}


def delta_recursion(q: Any) -> Sides:
    """Return delta(t)^T = (e(t)^T diag(g') V^T + delta(t+1)^T R^T) diag(f'(s(t))), from delta(T+1) = 0."""
    delta, out = q.a[0] * 0, {}
    for t in reversed(q.times):
        delta = (q.e[t] @ np.diag(q.dg[t]) @ q.V.T + delta @ q.R.T) @ np.diag(q.df[t])
        out[f"dL/ds({t})"] = delta
    return out


def delta_to_zero(q: Any) -> Sides:
    """Return delta one step further: no loss at time 0, and s(0) = 0 as the lecture says under RTRL."""
    delta = q.delta[1] @ q.R.T @ np.diag(q.df[0])
    return {"dL/ds(0)": delta}


def left_dR(q: Any) -> Sides:
    """Return dL/dR."""
    return {"dL/dR": q.d("L", "R")}


def left_dW(q: Any) -> Sides:
    """Return dL/dW."""
    return {"dL/dW": q.d("L", "W")}


def left_shared(q: Any) -> Sides:
    """Return dL/dR and dL/dW."""
    return {"dL/dR": q.d("L", "R"), "dL/dW": q.d("L", "W")}


def sum_over_copies(q: Any) -> Sides:
    """Return sum_t dL/dR(t), and the same for W."""
    return {f"dL/d{name}": sum(q.d("L", name, tau=t) for t in q.times) for name in "RW"}


def dR_chain(q: Any) -> Sides:
    """Return sum_t dL/ds(t) ds(t)/dr_ij(t)."""
    steps = [q.d("L", "s", tau=t) @ q.d("s", "R", t, t).reshape(len(q.R), -1) for t in q.times]
    return {"dL/dR": sum(steps).reshape(q.R.shape)}


def dR_unit_printed(q: Any) -> Sides:
    """Return sum_t dL/ds_i(t) ds_i(t)/dr_ij(t)."""
    total = q.R * 0
    for t in q.times:
        for i, j in np.ndindex(*q.R.shape):
            total[i, j] = total[i, j] + q.delta[t][i] * q.d("s", "R", t, t)[i, i, j]
    return {"dL/dR": total}


def dR_unit_corrected(q: Any) -> Sides:
    """Return sum_t dL/ds_j(t) ds_j(t)/dr_ij(t)."""
    total = q.R * 0
    for t in q.times:
        for i, j in np.ndindex(*q.R.shape):
            total[i, j] = total[i, j] + q.delta[t][j] * q.d("s", "R", t, t)[j, i, j]
    return {"dL/dR": total}


def dR_printed(q: Any) -> Sides:
    """Return sum_t delta_i(t) a_j(t-1)."""
    return {"dL/dR": sum(np.outer(q.delta[t], q.a[t - 1]) for t in q.times)}


def dR_same_time(q: Any) -> Sides:
    """Return sum_t delta(t) a(t)^T."""
    return {"dL/dR": sum(np.outer(q.delta[t], q.a[t]) for t in q.times)}


def dR_corrected(q: Any) -> Sides:
    """Return sum_t a(t-1) delta(t)^T."""
    return {"dL/dR": sum(np.outer(q.a[t - 1], q.delta[t]) for t in q.times)}


def dW_printed(q: Any) -> Sides:
    """Return sum_t delta(t) x(t)^T."""
    return {"dL/dW": sum(np.outer(q.delta[t], q.x[t]) for t in q.times)}


def dW_corrected(q: Any) -> Sides:
    """Return sum_t x(t) delta(t)^T."""
    return {"dL/dW": sum(np.outer(q.x[t], q.delta[t]) for t in q.times)}
