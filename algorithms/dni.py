"""DNI (synthetic gradients): backpropagation within blocks, whose later losses are predicted from the state.

A block is the steps p+1, ..., q. With G(t) = dL/dh(t) as the block sees it, u(t) = [x(t); h(t-1); 1], and the
predictor C (I+1, I):
    signal      g = C^T [h(q); 1], taken for the part of dL/dh(q) that comes from the losses after q
    errors      G(q) = V e(q) + g,  G(t) = V e(t) + (1 - alpha) G(t+1) + R (alpha f'(s(t+1)) * G(t+1))
    gradient    [W; R; b] stacked: sum_t u(t) (alpha f'(s(t)) * G(t))^T,  V: sum_t h(t) e(t)^T
    learning    target = (1 - alpha) G(p+1) + R (alpha f'(s(p+1)) * G(p+1))
                C <- C - rate [h(p); 1] (C^T [h(p); 1] - target)^T, once the block's signal is taken
The block that is open when the sequence ends has the signal 0, for no loss follows.

Source: Jaderberg, Czarnecki, Osindero, Vinyals, Graves, Silver and Kavukcuoglu 2017, "Decoupled neural interfaces using
synthetic gradients", section 2.1; for linear predictors Czarnecki, Swirszcz, Jaderberg, Osindero, Vinyals and
Kavukcuoglu 2017, "Understanding synthetic gradients and decoupled neural interfaces".
The paper's predictors see no target of the step; Marschall's code adds it, uses blocks of one step, and takes targets
from a copy of C that lags behind.
Cost: O(I (I+D+K)) per step. Storage: O(B (I+D+K) + I^2) for blocks of B steps, whatever T is.
True of it: biased, unless the signal is the true one at every boundary: then it is the gradient. The signal 0 makes it
chunked BPTT.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gradcheck.reference.claims import Cost, Equals, Online, rule
from gradcheck.reference.definitions import dni as definition
from gradcheck.reference.definitions import first_guess
from gradcheck.reference.typing import Array, Gradient, Parameters

from .rates import RATES, Moment, Units
from .settings import require_steps


class Block(NamedTuple):
    """State of the rule: the units, the time, h (I,), the predictor C (I+1, I), h at the block's start, its steps."""

    units: Units
    t: int
    h: Array
    C: Array
    first: Array
    steps: tuple[Moment, ...]


def _with_one(h: Array) -> Array:
    return np.concatenate([h, np.ones_like(h[:1])])


def predicted(C: Array, t: int, h: Array) -> Array:
    """Return the signal of a linear predictor, C^T [h; 1]."""
    return C.T @ _with_one(h)


@rule(
    Equals(definition, differs=True),
    Online(),
    Cost(time="T*I*(I + D + K)", storage="block*(I + D + K) + I*(I + D + K)"),
    networks=RATES,
    weighted=True,
    settings=lambda T: [{"block": n} for n in range(1, min(T, 3) + 1)],
)
class DNI:
    """DNI (Jaderberg et al. 2017) with a linear predictor, which learns from block to block.

    Online, on rates: `start`, `step` for each (x, y, weight), and `finish` for the block that is still open.

    Args:
        block: The length of blocks, in steps.
        predictor: Takes I, and returns C (I+1, I) to start from.
        rate: The predictor's learning rate; 0 keeps it.
        signal: Takes C, t and h(t), and returns the signal (I,); `predicted` if left out. It may be the true one.

    Raises:
        GradcheckError: block is no whole number >= 1.
    """

    def __init__(
        self,
        block: int = 1,
        predictor: Callable[[int], Array] = first_guess,
        rate: float = 0.125,
        signal: Callable[[Array, int, Array], Array] = predicted,
    ) -> None:
        self.block, self.predictor, self.rate, self.signal = require_steps(block, "block"), predictor, rate, signal

    def start(self, network: object, parameters: Parameters, initial_state: Array) -> Block:
        units = Units(network, parameters)
        return Block(units, 0, initial_state, self.predictor(len(initial_state)), initial_state, ())

    def step(self, state: Block, x: Array, y: Array, weight: object) -> tuple[Block, Gradient | None]:
        now = state.units.after(state.h, x, y, weight)
        state = state._replace(t=state.t + 1, h=now.state, steps=(*state.steps, now))
        if len(state.steps) < self.block:
            return state, None
        contribution, target = _sent_back(state, self.signal(state.C, state.t, state.h))
        seen = _with_one(state.first)
        C = state.C - self.rate * np.outer(seen, state.C.T @ seen - target)
        return state._replace(C=C, first=state.h, steps=()), contribution

    def finish(self, state: Block) -> Gradient | None:
        return _sent_back(state, np.zeros_like(state.h))[0] if state.steps else None


def _sent_back(state: Block, carried: Array) -> tuple[Gradient, Array]:
    """Return the contribution of a block that gets `carried` from the losses after it, and what it sends back."""
    units = state.units
    R, V, alpha = units.parameters["R"], units.parameters["V"], units.leak
    trace, readout = units.zeros(state.h), np.zeros_like(V)
    for now in reversed(state.steps):
        G = V @ now.e + carried
        delta = alpha * now.slope * G
        trace, readout = trace + np.outer(now.u, delta), readout + np.outer(now.h, now.e)
        carried = (1 - alpha) * G + R @ delta
    return {**units.contribution(trace, state.steps[-1]), "V": readout}, carried
