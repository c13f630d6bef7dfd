"""Truncated backpropagation through time, windowed: each loss is sent back through tau steps.

    delta_0(t) = d(t),  delta_k(t) = f'(s(t)) * R delta_(k-1)(t+1)     the loss at t+k, on s(t)
    delta(t) = delta_0(t) + ... + delta_(tau-1)(t)
and the sums of BPTT. The recursion runs over the lag k, for all t at once: each lag is one product
of a (T-k, I) matrix with R^T, and the outer products are taken once, of the sum.
On other networks, see `on_cells`.

Source: Williams & Peng 1990, "An efficient gradient-based algorithm for on-line training of
recurrent network trajectories", there BPTT(h) with h = tau.
Cost: O(tau I^2 + I (I+K+D)) per loss step. Storage: O(T (I+K)); step by step, O(tau (I+D)) would do.
True of it: it is the gradient restricted to the lags below tau; the gradient itself where tau >= T.
Its error need not fall as tau grows.
"""

from __future__ import annotations

from gradcheck.reference.claims import Cost, Truncated, every, rule
from gradcheck.reference.network import ALL_NETWORKS
from gradcheck.reference.problem import Problem
from gradcheck.reference.typing import Gradient

from .cells import or_on_any_cell
from .on_cells import truncated_bptt as on_any_cell
from .settings import require_steps
from .unfolding import unfold


@rule(
    Truncated("tau"),
    Cost(time="T*I*(tau*I + K + D)", storage="T*(I + K) + I*(I + D + K)"),
    networks=ALL_NETWORKS,
    weighted=True,
    settings=every("tau"),
)
@or_on_any_cell(on_any_cell)
def truncated_bptt(problem: Problem, *, tau: int) -> Gradient:
    """Return the gradient truncated at `tau` steps: each loss goes back through `tau` steps.

    Raises `GradcheckError` unless tau is a whole number >= 1.
    """
    tau = require_steps(tau, "tau")
    R, net = problem.parameters["R"], unfold(problem)
    delta, lagged = net.d.copy(), net.d
    for k in range(1, min(tau, problem.T)):
        lagged = net.slope[:-k] * (lagged[1:] @ R.T)
        delta[:-k] = delta[:-k] + lagged
    return net.gradient(delta)
