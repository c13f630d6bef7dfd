"""Real-time recurrent learning: the influence of every weight on every unit, carried forward.

With Theta = [W; R] stacked, u(t) = [x(t); a(t-1)], s(t) = Theta^T u(t), J(t) = ds(t)/ds(t-1) and the
influence matrix M(t)[n, (m, j)] = ds_n(t)/dTheta_mj:
    J(t) = R^T diag f'(s(t-1))
    M(0) = 0,  M(t)[n, (m, j)] = (J(t) M(t-1))[n, (m, j)] + [n = j] u_m(t)
    contribution of step t: d(t)^T M(t) for Theta, a(t) e(t)^T for V
with e(t) and d(t) as in `unfolding`.
On other networks, see `on_cells`.

Source: Williams & Zipser 1989, "A learning algorithm for continually running fully recurrent neural
networks". Cost: O(I^2 P) per step with P = (D+I) I. Storage: O(I P), whatever T is.
True of it: the contributions sum to the gradient, and after each step to that of the prefix, at fixed
parameters. With parameters that change between the steps it is the gradient of nothing in particular.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradcheck.reference.claims import Cost, Exact, Online, rule
from gradcheck.reference.network import ALL_NETWORKS
from gradcheck.reference.typing import Array, Gradient, Parameters

from .cells import or_on_any_cell
from .on_cells import RTRL as OnAnyCell


class Influence(NamedTuple):
    """State of RTRL: the network, its activations a (I,), f'(s) (I,) and M (I, P)."""

    network: Any
    parameters: Parameters
    a: Array
    slope: Array
    M: Array


@rule(
    Exact(),
    Online(),
    Cost(time="T*I**3*(I + D) + T*I*K", storage="I**2*(I + D) + I*K"),
    networks=ALL_NETWORKS,
    weighted=True,
)
@or_on_any_cell(OnAnyCell)
class RTRL:
    """Real-time recurrent learning (Williams & Zipser 1989): the influence matrix, carried forward.

    Online: `start`, then `step` for each (x, y, weight); every step has a contribution.
    """

    def start(self, network: Any, parameters: Parameters, initial_state: Array) -> Influence:
        D, n = parameters["W"].shape
        # f'(s(0)) does not exist, a(0) being given; as 0 it says that a(0) depends on no weight.
        slope = np.zeros_like(initial_state)
        return Influence(network, parameters, initial_state, slope, np.zeros_like(slope, shape=(n, (D + n) * n)))

    def step(self, state: Influence, x: Array, y: Array, weight: Any) -> tuple[Influence, Gradient]:
        net, parameters, a, slope, M = state
        W, R, V = (parameters[name] for name in "WRV")
        D, n = W.shape

        u = np.concatenate([x, a])
        M = (R.T * slope) @ M
        unit = np.arange(n)
        own = M.reshape(n, D + n, n)  # a view: [unit, :, unit] are the weights into the unit itself
        own[unit, :, unit] = own[unit, :, unit] + u

        s = W.T @ x + R.T @ a
        a, slope = net.activation(s), net.activation.derivative(s)
        e = weight * net.output_error(V.T @ a, y)
        d = slope * (V @ e)
        dTheta = (d @ M).reshape(D + n, n)
        return Influence(net, parameters, a, slope, M), {"W": dTheta[:D], "R": dTheta[D:], "V": np.outer(a, e)}
