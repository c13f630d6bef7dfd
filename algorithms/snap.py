"""SnAp-n: the influence matrix of RTRL, masked to what is reached within n steps of the recurrent core.

With M(t)[n, (m, j)] = dh_n(t)/dTheta_mj of [W; R; b] stacked, J(t) = dh(t)/dh(t-1) and B(t) = dh(t)/dTheta:
    M(0) = 0,  M(t) = mask * (J(t) M(t-1) + B(t))
    mask[n, (m, j)]: unit n is unit j, or is reached from it within n - 1 connections
    contribution of step t: (V e(t))^T M(t) for Theta, h(t) e(t)^T for V
The connections are those of the network's pattern (`domains.mask_of`): the entries of R that may differ from 0 in any
problem, and a unit's own memory. Values are never looked at: an input of zeros does not erase what it may reach.

Source: Menick, Elsen, Evci, Osindero, Simonyan and Graves 2021, "Practical real time recurrent learning with a sparse
approximation", section 3. There the mask is what is nonzero after n steps of the core from a zero influence; the
parameters outside a pattern do not exist there, here they are parameters at 0 whose influence starts at the same unit.
Cost: that of RTRL, for masked entries are stored as zeros; the paper's code stores the others alone, so that n = 1
costs O(P) per step. Storage: O(I P), whatever T is.
True of it: n = 1 is RTRL with diag(J) in place of J. It is the gradient where each unit that is ever reached is reached
within n - 1 connections: n = 2 on a dense network, the diameter plus 1 on a sparse one, and not before.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradcheck.reference.claims import Cost, Equals, Online, rule
from gradcheck.reference.definitions import snap as definition
from gradcheck.reference.networks.domains import mask_of
from gradcheck.reference.typing import Array, Gradient, Parameters

from .rates import RATES, Moment, Units
from .settings import require_steps


class Influence(NamedTuple):
    """State of the rule: the units, their state h (I,), the mask and M, both (I, P)."""

    units: Units
    h: Array
    mask: Array
    M: Array


def reached(pattern: Array, n: int) -> Array:
    """Return whether unit j is unit i or is reached from it within n - 1 connections, at [j, i].

    Args:
        pattern: The connections from row to column, (I, I) booleans.
        n: The steps of the core, the first of which reaches the unit itself.
    """
    found = own = np.eye(len(pattern), dtype=int)
    for _ in range(n - 1):
        found = np.minimum(found @ (own + pattern), 1)
    return found.T


@rule(
    Equals(definition, differs=True),
    Online(),
    Cost(time="T*I**3*(I + D) + T*I*K", storage="I**2*(I + D) + I*K"),
    networks=RATES,
    weighted=True,
    settings=lambda T: [{"n": n} for n in (1, 2, 3)],
)
class SnAp:
    """SnAp-n (Menick et al. 2021): the influence on units that are reached within n steps of the core.

    Online: `start`, then `step` for each (x, y, weight).

    Args:
        n: The number of steps, 1 or more.

    Raises:
        GradcheckError: n is no whole number >= 1.
    """

    def __init__(self, n: int = 1) -> None:
        self.n = require_steps(n, "n")

    def start(self, network: object, parameters: Parameters, initial_state: Array) -> Influence:
        units = Units(network, parameters)
        rows, n = units.shape
        pattern = mask_of(units.network, "R", (n, n)).astype(int)
        mask = np.repeat(reached(pattern, self.n)[:, None, :], rows, axis=1).reshape(n, rows * n)
        return Influence(units, initial_state, mask, np.zeros_like(initial_state, shape=mask.shape))

    def step(self, state: Influence, x: Array, y: Array, weight: object) -> tuple[Influence, Gradient]:
        units, h, mask, M = state
        now = units.after(h, x, y, weight)
        M = mask * (_carried(units, now, M) + _immediate(units, now))
        trace = ((units.parameters["V"] @ now.e) @ M).reshape(units.shape)
        return Influence(units, now.state, mask, M), units.contribution(trace, now)


def _carried(units: Units, now: Moment, M: Array) -> Array:
    """Return J(t) M, with J(t) = (1 - alpha) identity + alpha diag f' R^T."""
    return (1 - units.leak) * M + (units.leak * now.slope)[:, None] * (units.parameters["R"].T @ M)  # type: ignore[no-any-return]


def _immediate(units: Units, now: Moment) -> Array:
    """Return B(t), (I, P): alpha f'_j u_m for unit j itself."""
    rows, n = units.shape
    own = np.zeros_like(now.u, shape=(n, rows, n))
    unit = np.arange(n)
    own[unit, :, unit] = np.outer(units.leak * now.slope, now.u)
    return own.reshape(n, rows * n)
