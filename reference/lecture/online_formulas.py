"""The sides of the lecture's equations on RTRL.

Each function takes `Quantities` (or the same names in plain NumPy) and returns arrays by name. It mentions
nothing but `q` and `np`, so that its source can stand in a program of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .printed import Sides


def left_s(q: Any) -> Sides:
    """Return s(t), under every reading of the printed index."""
    I = range(len(q.R))
    return {f"s({t}){k}": q.s[t] for t in q.times for k in ("", *(f" read with k={k + 1}" for k in I))}


def s_printed(q: Any) -> Sides:
    """Return sum_l w_ln x_l(t) + sum_l r_kn a_k(t-1): k is free, and the sum adds the same term I times."""
    I = len(q.R)
    return {f"s({t}) read with k={k + 1}": q.x[t] @ q.W + I * q.R[k] * q.a[t - 1][k] for t in q.times for k in range(I)}


def s_corrected(q: Any) -> Sides:
    """Return sum_l w_ln x_l(t) + sum_k r_kn a_k(t-1)."""
    return {f"s({t})": q.x[t] @ q.W + sum(q.R[k] * q.a[t - 1][k] for k in range(len(q.R))) for t in q.times}


def left_influence(q: Any) -> Sides:
    """Return ds(t)/dR and ds(t)/dW."""
    return {f"ds({t})/d{name}": q.d("s", name, t) for name in "RW" for t in q.times}


def ds_dR_by_activations(q: Any) -> Sides:
    """Return sum_k dr_kn/dr_ij a_k(t-1) + sum_k r_kn da_k(t-1)/dr_ij."""
    out, I = {}, len(q.R)
    for t in q.times:
        own = np.eye(I)[:, None, :] * (np.eye(I) @ q.a[t - 1])[:, None]  # dr_kn/dr_ij = [k=i] [n=j]
        through = 0 * own if t == 1 else q.R.T @ q.d("a", "R", t - 1).reshape(I, -1)
        out[f"ds({t})/dR"] = own + through.reshape(I, I, I)
    return out


def ds_dR_recursion(q: Any) -> Sides:
    """Return a_i(t-1) [n=j] + sum_k r_kn f'(s_k(t-1)) ds_k(t-1)/dr_ij."""
    out, I = {}, len(q.R)
    for t in q.times:
        own = np.eye(I)[:, None, :] * q.a[t - 1][:, None]  # over n, i, j
        through = 0 * own if t == 1 else (q.R.T * q.df[t - 1]) @ q.d("s", "R", t - 1).reshape(I, -1)
        out[f"ds({t})/dR"] = own + through.reshape(I, I, I)
    return out


def ds_dW_by_activations(q: Any) -> Sides:
    """Return sum_l dw_ln/dw_dj x_l(t) + sum_k r_kn da_k(t-1)/dw_dj."""
    out, (D, I) = {}, q.W.shape
    for t in q.times:
        own = np.eye(I)[:, None, :] * (np.eye(D) @ q.x[t])[:, None]  # dw_ln/dw_dj = [l=d] [n=j]
        through = 0 * own if t == 1 else q.R.T @ q.d("a", "W", t - 1).reshape(I, -1)
        out[f"ds({t})/dW"] = own + through.reshape(I, D, I)
    return out


def ds_dW_recursion(q: Any) -> Sides:
    """Return x_d(t) [n=j] + sum_k r_kn f'(s_k(t-1)) ds_k(t-1)/dw_dj."""
    out, (D, I) = {}, q.W.shape
    for t in q.times:
        own = np.eye(I)[:, None, :] * q.x[t][:, None]  # over n, d, j
        through = 0 * own if t == 1 else (q.R.T * q.df[t - 1]) @ q.d("s", "W", t - 1).reshape(I, -1)
        out[f"ds({t})/dW"] = own + through.reshape(I, D, I)
    return out


def influence_from_zero(q: Any) -> Sides:
    """Return both recursions, run from ds(0) = 0, where f'(s(0)) does not matter."""
    out = {}
    for name, inputs in (("R", q.a), ("W", q.x[1:])):
        m, I = getattr(q, name).shape
        M = q.a[0][:, None, None] * np.zeros((I, m, I))
        for t in q.times:
            through = (q.R.T * q.df[t - 1]) @ M.reshape(I, -1)
            M = np.eye(I)[:, None, :] * inputs[t - 1][:, None] + through.reshape(I, m, I)
            out[f"ds({t})/d{name}"] = M
    return out


def left_start(q: Any) -> Sides:
    """Return a(0) = 0 by convention, and ds(t)/dR, ds(t)/dW."""
    influence = {f"ds({t})/d{name}": q.d("s", name, t) for name in "RW" for t in q.times}
    return {"a(0)": q.a[0] * 0, **influence}


def start_of_s(q: Any) -> Sides:
    """Return f(s(0)) with s(0) = 0."""
    return {"a(0)": q.f(q.a[0] * 0)}


def left_da(q: Any) -> Sides:
    """Return da(t)/dR."""
    return {f"da({t})/dR": q.d("a", "R", t) for t in q.times}


def da_dR(q: Any) -> Sides:
    """Return diag(f'(s(t))) ds(t)/dR."""
    I = len(q.R)
    steps = {t: np.diag(q.df[t]) @ q.d("s", "R", t).reshape(I, -1) for t in q.times}
    return {f"da({t})/dR": step.reshape(I, I, I) for t, step in steps.items()}


def left_loss_dR(q: Any) -> Sides:
    """Return dL_t/dR."""
    return {f"dL({t})/dR": q.d("L", "R", t) for t in q.times}


def loss_dR_chain(q: Any) -> Sides:
    """Return sum_k dL_t/dyhat_k(t) dyhat_k(t)/dR."""
    K = range(len(q.y[1]))
    return {f"dL({t})/dR": sum(q.d("L", "yhat", tau=t)[k] * q.d("yhat", "R", t)[k] for k in K) for t in q.times}


def loss_dR_printed(q: Any) -> Sides:
    """Return sum_k e_k(t) da_k(t)/dR."""
    K = range(len(q.y[1]))
    return {f"dL({t})/dR": sum(q.e[t][k] * q.d("a", "R", t)[k] for k in K) for t in q.times}


def loss_dR_corrected(q: Any) -> Sides:
    """Return sum_i (V (e(t) * g'(V^T a(t))))_i da_i(t)/dR."""
    I = range(len(q.R))
    error = {t: q.V @ (q.e[t] * q.dg[t]) for t in q.times}
    return {f"dL({t})/dR": sum(error[t][i] * q.d("a", "R", t)[i] for i in I) for t in q.times}
