"""Chunked BPTT: the graph is cut every C steps, the state carried over.

    delta(t) = d(t) where t is a multiple of C or t = T
    delta(t) = d(t) + f'(s(t)) * R delta(t+1) elsewhere
and the sums of BPTT: BPTT on each piece of C steps, the state that enters it taken as a constant.
This is what `hidden.detach()` every C steps does in PyTorch while the parameters stay fixed.
On other networks, see `on_cells`.

Source: BPTT(h; h') of Williams & Peng 1990, "An efficient gradient-based algorithm for on-line
training of recurrent network trajectories", at h = h' = C, where C divides T.
Cost: O(I (I+K+D)) per step. Storage: O(T (I+K)); chunk by chunk, O(C (I+K)) would do.
True of it: the loss at t keeps the lags k <= (t-1) mod C; the last chunk may be shorter. The gradient
where C >= T. Its error need not fall as C grows.
"""

from __future__ import annotations

import numpy as np

from gradcheck.reference.claims import Chunked, Cost, every, rule
from gradcheck.reference.network import ALL_NETWORKS
from gradcheck.reference.problem import Problem
from gradcheck.reference.typing import Gradient

from .bptt import backpropagate
from .cells import or_on_any_cell
from .on_cells import chunked_bptt as on_any_cell
from .settings import require_steps
from .unfolding import unfold


@rule(
    Chunked("length"),
    Cost(time="T*I*(I + K + D)", storage="T*(I + K) + I*(I + D + K)"),
    networks=ALL_NETWORKS,
    weighted=True,
    settings=every("length"),
)
@or_on_any_cell(on_any_cell)
def chunked_bptt(problem: Problem, *, length: int) -> Gradient:
    """Return the gradient with the graph cut every `length` steps and the state carried over.

    Raises `GradcheckError` unless length is a whole number >= 1.
    """
    length = require_steps(length, "length")
    R, net = problem.parameters["R"], unfold(problem)
    delta = np.zeros_like(net.d)
    for first in range(0, problem.T, length):
        chunk = slice(first, first + length)
        delta[chunk] = backpropagate(R, net.slope[chunk], net.d[chunk])
    return net.gradient(delta)
