"""Sparse RTRL: the influence of the weights that exist, carried forward; the others have none.

RTRL of rates, with a column of the influence matrix for each entry of R that may differ from 0, and for W and b:
    M(0) = 0,  M(t) = J(t) M(t-1) + B(t),  contribution of step t: (V e(t))^T M(t) at those weights, and 0 elsewhere
Which weights exist is the network's pattern (`domains.mask_of`), so M has a column for each.

Source: Menick, Elsen, Evci, Osindero, Simonyan and Graves 2021, "Practical real time recurrent learning with a sparse
approximation", section 3.1. J(t) is sparse too there, and its zeros are skipped; here they are multiplied.
Cost: O(I^2 p) per step for p weights that exist. Storage: O(I p), whatever T is.
True of it: it is the gradient of the weights that exist, exactly. Of the others, which are 0, it returns 0, and the
gradient there is another.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradcheck.reference.claims import Cost, Equals, Online, rule
from gradcheck.reference.definitions import on_pattern
from gradcheck.reference.network import Leaky
from gradcheck.reference.networks.domains import mask_of
from gradcheck.reference.typing import Array, Gradient, Parameters

from .rates import Units

NETWORKS = (Leaky(leak=0.25, recurrence="ring"), Leaky("logistic", leak=0.25, recurrence="diagonal"))


class Influence(NamedTuple):
    """State of the rule: the units, their state h (I,), the weights that exist as (rows, columns), and M (I, p)."""

    units: Units
    h: Array
    weights: tuple[Array, Array]
    M: Array


@rule(
    Equals(on_pattern, differs=True),
    Online(),
    Cost(time="T*I**3*(I + D) + T*I*K", storage="I**2*(I + D) + I*K"),
    networks=NETWORKS,
    weighted=True,
)
class SparseRTRL:
    """RTRL on the weights that a sparse network has (Menick et al. 2021).

    Online, on rates: `start`, then `step` for each (x, y, weight).
    """

    def start(self, network: object, parameters: Parameters, initial_state: Array) -> Influence:
        units = Units(network, parameters)
        D, n = parameters["W"].shape
        exists = np.ones(units.shape, dtype=bool)
        exists[D : D + n] = mask_of(units.network, "R", (n, n))
        rows, columns = np.nonzero(exists)
        return Influence(units, initial_state, (rows, columns), np.zeros_like(initial_state, shape=(n, len(rows))))

    def step(self, state: Influence, x: Array, y: Array, weight: object) -> tuple[Influence, Gradient]:
        units, h, (rows, columns), M = state
        now = units.after(h, x, y, weight)
        fresh = units.leak * now.slope
        M = (1 - units.leak) * M + fresh[:, None] * (units.parameters["R"].T @ M)
        places = np.arange(len(rows))
        M[columns, places] = M[columns, places] + fresh[columns] * now.u[rows]
        trace = units.zeros(h)
        trace[rows, columns] = (units.parameters["V"] @ now.e) @ M
        return Influence(units, now.state, (rows, columns), M), units.contribution(trace, now)
