"""Right sides with a planted error, and printed ones repaired, for the same judge to tell apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcheck.reference.lecture import online_formulas as rtrl


def recursion_untransposed(q: Any) -> Any:
    delta, out = q.a[0] * 0, {}
    for t in reversed(q.times):
        delta = (q.e[t] @ np.diag(q.dg[t]) @ q.V.T + delta @ q.R) @ np.diag(q.df[t])
        out[f"dL/ds({t})"] = delta
    return out


def recursion_from_a_loss_counted_twice(q: Any) -> Any:
    delta, out = q.e[len(q.times)] @ np.diag(q.dg[len(q.times)]) @ q.V.T, {}
    for t in reversed(q.times):
        delta = (q.e[t] @ np.diag(q.dg[t]) @ q.V.T + delta) @ np.diag(q.df[t])
        out[f"dL/ds({t})"] = delta
        delta = delta @ q.R.T
    return out


def dR_one_step_short(q: Any) -> Any:
    return {"dL/dR": sum((np.outer(q.a[t - 1], q.delta[t]) for t in q.times[1:-1]), q.R * 0)}


def dV_without_slope(q: Any) -> Any:
    return {"dL/dV": sum(np.outer(q.a[t], q.e[t]) for t in q.times)}


def dW_of_the_step_before(q: Any) -> Any:
    return {"dL/dW": sum(np.outer(q.x[max(t - 1, 1)], q.delta[t]) for t in q.times)}


def influence_at_this_slope(q: Any) -> Any:
    out, I = {}, len(q.R)
    for t in q.times:
        own = np.eye(I)[:, None, :] * q.a[t - 1][:, None]
        through = 0 * own if t == 1 else (q.R.T * q.df[t]) @ q.d("s", "R", t - 1).reshape(I, -1)
        out[f"ds({t})/dR"] = own + through.reshape(I, I, I)
    return out


def loss_through_V_alone(q: Any) -> Any:
    error = {t: q.V @ q.e[t] for t in q.times}
    units = range(len(q.R))
    return {f"dL({t})/dR": sum(error[t][i] * q.d("a", "R", t)[i] for i in units) for t in q.times}


def twice_the_copies(q: Any) -> Any:
    return {f"dL/d{name}": 2 * sum(q.d("L", name, tau=t) for t in q.times) for name in "RW"}


def error_of_other_sign(q: Any) -> Any:
    return {f"dL/dyhat({t})": q.y[t] - q.yhat[t] for t in q.times}


PLANTED: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("delta-recursion", recursion_untransposed),
    ("delta-recursion", recursion_from_a_loss_counted_twice),
    ("dR-component", dR_one_step_short),
    ("dV-matrix", dV_without_slope),
    ("dW-component", dW_of_the_step_before),
    ("ds-dR", influence_at_this_slope),
    ("loss-dR", loss_through_V_alone),
    ("copies", twice_the_copies),
    ("least-squares", error_of_other_sign),
)


def dR_repaired(q: Any) -> Any:
    return {"dL/dR": sum(np.outer(q.delta[t], q.a[t - 1]) for t in q.times).T}


def summary_repaired(q: Any) -> Any:
    return {"dL/dR": sum(np.outer(q.delta[t + 1], q.a[t]) for t in (0, *q.times)).T}


def own_repaired(q: Any) -> Any:
    return {f"dyhat_k({t})/dv_ik": q.slope_g(q.u[t]) * q.a[t][:, None] for t in q.times}


REPAIRED: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("dR-component", dR_repaired),
    ("summary-dR", summary_repaired),
    ("dyhat-own", own_repaired),
    ("s-component", rtrl.s_corrected),
)
