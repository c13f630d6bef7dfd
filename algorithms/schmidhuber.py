"""Schmidhuber's fixed-storage algorithm: BPTT within blocks, RTRL from block to block.

With Theta = [W; R] stacked, u(t) = [x(t); a(t-1)], and Q(t)[l, (m, j)] = da_l(t)/dTheta_mj. A block is
the steps p+1, ..., q; d(t) and e(t) are as in `unfolding`.
    errors      delta(q) = d(q),  delta(t) = d(t) + f'(s(t)) * R delta(t+1)
    gradient    Theta: sum_t u(t) delta(t)^T + (R delta(p+1))^T Q(p),   V: sum_t a(t) e(t)^T
    units       Delta(q) = diag f'(s(q)),  Delta(t) = (Delta(t+1) R^T) diag f'(s(t))
    influence   Q(0) = 0,  Q(q)[l, (m, j)] = sum_t Delta(t)[l, j] u_m(t) + (Delta(p+1) R^T Q(p))[l, (m, j)]
Row l of Delta is one pass of BPTT with the error 1 on unit l: all I passes run as one matrix product
per step, and the sum over t is a product of (D+I, B) with (B, I) for each of them.

Source: Schmidhuber 1992, "A fixed size storage O(n^3) time complexity learning algorithm for fully
recurrent continually running networks". Cost with blocks of B steps: O(I^2 (I+D) (1 + I/B)) per step
on average, so O(I^3) with B = I and D = O(I), most of it at block ends, where it is O(I^4).
Storage: O(I^2 (I+D) + B (I^2+D+K)), whatever T is.
True of it: the contributions sum to the gradient for every B, 1 to beyond T, at fixed parameters.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradcheck.reference.claims import Cost, Exact, Online, every, rule
from gradcheck.reference.network import ALL_NETWORKS
from gradcheck.reference.typing import Array, Gradient, Parameters

from .bptt import backpropagate
from .settings import require_steps


class Step(NamedTuple):
    """One step of the open block: u (D+I,), f'(s), a and d (I,), e (K,)."""

    u: Array
    slope: Array
    a: Array
    d: Array
    e: Array


class Blocks(NamedTuple):
    """State of the rule: the network, its activations a (I,), Q (I, P) at the block's start, the block so far."""

    network: Any
    parameters: Parameters
    a: Array
    Q: Array
    block: tuple[Step, ...]


def _settings(T: int) -> list[dict[str, int]]:
    return [*every("block")(T), {}]


@rule(
    Exact(),
    Online(),
    Cost(
        time="T*I**2*(I + D)*(1 + I/block) + T*I*K",
        storage="I**2*(I + D + block) + (I + block)*K",
    ),
    networks=ALL_NETWORKS,
    weighted=True,
    settings=_settings,
)
class Schmidhuber:
    """Schmidhuber's fixed-storage algorithm (1992): BPTT within blocks, their influence carried forward.

    Online: `start`, `step` for each (x, y, weight), and `finish` for the block that is still open.

    block: its length B; I if left out. `step` has a contribution at the end of a block and None before;
    `finish` has that of the last, shorter block, or None. Raises `GradcheckError` unless block is a whole
    number >= 1.
    """

    def __init__(self, block: int | None = None) -> None:
        self.block = None if block is None else require_steps(block, "block")

    def start(self, network: Any, parameters: Parameters, initial_state: Array) -> Blocks:
        D, n = parameters["W"].shape
        Q = np.zeros_like(initial_state, shape=(n, (D + n) * n))
        return Blocks(network, parameters, initial_state, Q, ())

    def step(self, state: Blocks, x: Array, y: Array, weight: Any) -> tuple[Blocks, Gradient | None]:
        net, parameters, a, _, _ = state
        W, R, V = (parameters[name] for name in "WRV")
        u = np.concatenate([x, a])
        s = W.T @ x + R.T @ a
        a, slope = net.activation(s), net.activation.derivative(s)
        e = weight * net.output_error(V.T @ a, y)
        state = state._replace(a=a, block=(*state.block, Step(u, slope, a, slope * (V @ e), e)))
        if len(state.block) < (self.block or R.shape[0]):
            return state, None
        return state._replace(Q=_influence(state), block=()), _gradient(state)

    def finish(self, state: Blocks) -> Gradient | None:
        return _gradient(state) if state.block else None


def _gradient(state: Blocks) -> Gradient:
    """Return the contribution of the open block's losses, through the block and through the steps before it."""
    R, D = state.parameters["R"], state.parameters["W"].shape[0]
    u, slope, a, d, e = _stacked(state.block)
    delta = backpropagate(R, slope, d)
    dTheta = u.T @ delta + ((R @ delta[0]) @ state.Q).reshape(u.shape[1], -1)
    return {"W": dTheta[:D], "R": dTheta[D:], "V": a.T @ e}


def _influence(state: Blocks) -> Array:
    """Return Q at the end of the open block."""
    R = state.parameters["R"]
    u, slope, *_ = _stacked(state.block)
    B, n = slope.shape
    Delta = np.zeros_like(slope, shape=(B, n, n))
    unit = np.arange(n)
    Delta[-1, unit, unit] = slope[-1]
    for t in reversed(range(B - 1)):
        Delta[t] = (Delta[t + 1] @ R.T) * slope[t]
    within = u.T @ Delta.transpose(1, 0, 2)  # [l, m, j]
    return within.reshape(n, -1) + (Delta[0] @ R.T) @ state.Q  # type: ignore[no-any-return]


def _stacked(block: tuple[Step, ...]) -> Step:
    """Return the block's steps as one record whose arrays have the steps as rows."""
    return Step(*(np.concatenate([row[None] for row in rows]) for rows in zip(*block, strict=True)))
