"""Backpropagation through time.

    delta(T) = d(T),  delta(t) = d(t) + f'(s(t)) * R delta(t+1)
    dL/dW = sum_t x(t) delta(t)^T,  dL/dR = sum_t a(t-1) delta(t)^T,  dL/dV = sum_t a(t) e(t)^T
with e(t) and d(t) as in `unfolding`.
On other networks, see `on_cells`.

Source: Werbos 1990, "Backpropagation through time: what it does and how to do it".
Cost: O(I (I+K+D)) per step. Storage: O(T (I+K)), every activation of the sequence.
True of it: it is the gradient. delta(t) is dL/ds(t), so it needs the losses after t: not online.
"""

from __future__ import annotations

from gradcheck.reference.claims import Cost, Exact, rule
from gradcheck.reference.network import ALL_NETWORKS
from gradcheck.reference.problem import Problem
from gradcheck.reference.typing import Array, Gradient

from .cells import or_on_any_cell
from .on_cells import bptt as on_any_cell
from .unfolding import unfold


@rule(
    Exact(),
    Cost(time="T*I*(I + K + D)", storage="T*(I + K) + I*(I + D + K)"),
    networks=ALL_NETWORKS,
    weighted=True,
)
@or_on_any_cell(on_any_cell)
def bptt(problem: Problem) -> Gradient:
    """Return the gradient by backpropagation through time (Werbos 1990), a backward pass over the stored sequence."""
    net = unfold(problem)
    return net.gradient(backpropagate(problem.parameters["R"], net.slope, net.d))


def backpropagate(R: Array, slope: Array, d: Array) -> Array:
    """Return delta of every step (n, I) from f'(s) and d (n, I); nothing comes back from after the last step."""
    delta = d.copy()
    for t in reversed(range(len(d) - 1)):
        delta[t] = d[t] + slope[t] * (R @ delta[t + 1])
    return delta
