"""BPTT(h; h'): every h' steps, and at the end, one backward pass through the last h steps.

A pass after step p, the one before it after step q (q = 0 at first), for t = p, ..., p-h+1:
    delta_p(p+1) = 0,  delta_p(t) = [t > q] d(t) + f'(s(t)) * R delta_p(t+1)
    delta(t) = sum over passes of delta_p(t)
and the sums of BPTT. [t > q] injects each loss in one pass only; without it, losses in the overlap
of two passes would be counted twice.
On other networks, see `on_cells`.

Source: Williams & Peng 1990, "An efficient gradient-based algorithm for on-line training of
recurrent network trajectories".
Cost: O(h I^2 / h' + I (I+K+D)) per step. Storage: O(T (I+K)); step by step, O(h (I+D)) would do.
True of it: a loss m steps before its pass keeps the lags below h - m. h' = 1 is truncated BPTT; h' = h
is chunked BPTT where h divides T (the last pass goes back h steps even if fewer are new); h >= T is BPTT.
"""

from __future__ import annotations

import numpy as np

from gradcheck.reference.claims import Cost, Windowed, rule
from gradcheck.reference.network import ALL_NETWORKS
from gradcheck.reference.problem import Problem
from gradcheck.reference.typing import Gradient

from .cells import or_on_any_cell
from .on_cells import windowed_bptt as on_any_cell
from .settings import require_window
from .unfolding import unfold


def _settings(T: int) -> list[dict[str, int]]:
    return [{"horizon": h, "stride": stride} for h in range(1, T + 2) for stride in range(1, h + 1)]


@rule(
    Windowed("horizon", "stride"),
    Cost(time="T*I*(I*horizon/stride + I + K + D)", storage="T*(I + K) + I*(I + D + K)"),
    networks=ALL_NETWORKS,
    weighted=True,
    settings=_settings,
)
@or_on_any_cell(on_any_cell)
def windowed_bptt(problem: Problem, *, horizon: int, stride: int) -> Gradient:
    """Return BPTT(h; h') (Williams & Peng 1990): every `stride` steps, a backward pass through the last `horizon`.

    Raises `GradcheckError` unless 1 <= stride <= horizon, both whole numbers.
    """
    horizon, stride = require_window(horizon, stride)
    R, net = problem.parameters["R"], unfold(problem)
    delta = np.zeros_like(net.d)
    done = 0
    for end in (*range(stride, problem.T, stride), problem.T):
        carried = np.zeros_like(net.d[0])
        for t in reversed(range(max(end - horizon, 0), end)):
            carried = net.slope[t] * (R @ carried)
            if t >= done:
                carried = carried + net.d[t]
            delta[t] = delta[t] + carried
        done = end
    return net.gradient(delta)
