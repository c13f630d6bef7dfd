"""The rules against torch and JAX: their reverse mode, and the fastest real-time recurrent learning written in either.

All in float64, on the CPU, with the same number of threads; compiled before the clock starts. RTRL and blocks do more
work than reverse mode by a factor of I^2 and I: against it they are held to "no slower" where its overhead
per step still counts, and shown at I=64 as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcheck.algorithms import RTRL, Schmidhuber, bptt
from gradcheck.algorithms.online import run_rule
from gradcheck.reference.network import Sizes
from gradcheck.reference.problem import Problem

from . import threads
from .frameworks import NAMES, jax_arrays, jax_gradient, problem_of, torch_gradient
from .rows import Outcome, Row, at_most, in_turn, require_same

Maker = Callable[[Problem], Callable[[], dict[str, Any]]]


def torch_autograd(problem: Problem) -> Callable[[], dict[str, Any]]:
    return torch_gradient(threads.torch(), problem)


def torch_layer(problem: Problem) -> Callable[[], dict[str, Any]]:
    """torch.nn.RNN: W and R, its readout being no part of it."""
    torch = threads.torch()
    sizes = problem.sizes
    rnn: Any = torch.nn.RNN(sizes.D, sizes.I, bias=False, dtype=torch.float64)
    x, y, a0 = (torch.tensor(array) for array in (problem.inputs, problem.targets, problem.initial_state))
    W, R, V = (torch.tensor(problem.parameters[name]) for name in NAMES)
    with torch.no_grad():
        rnn.weight_ih_l0.copy_(W.T)
        rnn.weight_hh_l0.copy_(R.T)

    def run() -> dict[str, Any]:
        rnn.zero_grad()
        states, _ = rnn(x, a0[None])
        (((states @ V - y) ** 2).sum() / 2).backward()
        return {"W": rnn.weight_ih_l0.grad.numpy().T, "R": rnn.weight_hh_l0.grad.numpy().T}

    return run


def jax_autograd(problem: Problem) -> Callable[[], dict[str, Any]]:
    return jax_gradient(threads.jax(), problem)


def torch_rtrl(problem: Problem) -> Callable[[], dict[str, Any]]:
    """RTRL in torch: two influence matrices written in turn, no autograd, everything else in place."""
    torch = threads.torch()
    (D, n), T = problem.parameters["W"].shape, problem.T
    x, y, a0 = (torch.tensor(array) for array in (problem.inputs, problem.targets, problem.initial_state))
    W, R, V = (torch.tensor(problem.parameters[name]) for name in NAMES)
    pair = [torch.empty((n, (D + n) * n), dtype=torch.float64) for _ in range(2)]
    own = [M.view(n, D + n, n).diagonal(dim1=0, dim2=2) for M in pair]  # (D+n, n)

    @torch.inference_mode()  # type: ignore[untyped-decorator]
    def run() -> dict[str, Any]:
        a, J, drive, now = a0, torch.zeros_like(R), x @ W, 0
        pair[0].zero_()
        dTheta, dV = torch.zeros((D + n) * n, dtype=torch.float64), torch.zeros_like(V)
        for t in range(T):
            torch.mm(J, pair[now], out=pair[1 - now])
            now = 1 - now
            own[now].add_(torch.cat((x[t], a))[:, None])
            a = torch.tanh(drive[t] + a @ R)
            slope = 1 - a * a
            e = a @ V - y[t]
            dTheta.addmv_(pair[now].T, slope * (V @ e))
            dV.addr_(a, e)
            J = R.T * slope
        found = dTheta.view(D + n, n).numpy()
        return {"W": found[:D], "R": found[D:], "V": dV.numpy()}

    return run  # type: ignore[no-any-return]


def jax_rtrl(problem: Problem) -> Callable[[], dict[str, Any]]:
    """RTRL in JAX: one compiled scan over the steps."""
    jax = threads.jax()
    jnp = jax.numpy
    (D, n), arrays = problem.parameters["W"].shape, jax_arrays(jax, problem)
    x, y, a0 = (jnp.asarray(array) for array in (problem.inputs, problem.targets, problem.initial_state))

    @jax.jit  # type: ignore[untyped-decorator]
    def gradient(W: Any, R: Any, V: Any) -> Any:
        def step(carried: Any, given: Any) -> Any:
            a, J, M, dTheta, dV = carried
            x_t, y_t, drive = given
            u = jnp.concatenate([x_t, a])
            M = (J @ M).reshape(n, D + n, n) + jnp.eye(n)[:, None, :] * u[None, :, None]
            M = M.reshape(n, (D + n) * n)
            a = jnp.tanh(drive + a @ R)
            slope = 1 - a * a
            e = a @ V - y_t
            return (a, R.T * slope, M, dTheta + (slope * (V @ e)) @ M, dV + jnp.outer(a, e)), None

        start = (a0, jnp.zeros_like(R), jnp.zeros((n, (D + n) * n)), jnp.zeros((D + n) * n), jnp.zeros_like(V))
        (_, _, _, dTheta, dV), _ = jax.lax.scan(step, start, (x, y, x @ W))
        found = dTheta.reshape(D + n, n)
        return found[:D], found[D:], dV

    return lambda: dict(zip(NAMES, map(np.asarray, gradient(*arrays)), strict=True))


RIVALS: dict[str, Maker] = {
    "torch autograd": torch_autograd,
    "torch.nn.RNN": torch_layer,
    "jax.grad, jit": jax_autograd,
    "RTRL in torch": torch_rtrl,
    "RTRL in JAX, jit": jax_rtrl,
}
RULES: dict[str, Any] = {"BPTT": bptt, "RTRL": RTRL, "blocks": Schmidhuber}


def against(rule: str, rival: str, sizes: Sizes, *, repeats: int = 9) -> Row:
    """The rule's time over the rival's, on the same problem."""

    def run() -> Outcome:
        problem = problem_of(sizes)
        theirs = RIVALS[rival](problem)

        def ours() -> dict[str, Any]:
            return run_rule(RULES[rule], problem)

        require_same(theirs(), ours())
        return in_turn(ours, theirs, (rule, rival), repeats=repeats)

    return Row(f"{rule} / {rival}, I={sizes.I}, T={sizes.T}", at_most(1), run)


_WIDE, _MIDDLE, _NARROW = Sizes(200, 256, 16, 8), Sizes(100, 64, 16, 8), Sizes(200, 8, 4, 4)
ROWS = (
    *(against("BPTT", rival, _WIDE) for rival in ("torch autograd", "torch.nn.RNN", "jax.grad, jit")),
    *(against(rule, rival, _MIDDLE) for rule in ("RTRL", "blocks") for rival in ("RTRL in torch", "RTRL in JAX, jit")),
    *(against(rule, "torch autograd", sizes) for rule in ("RTRL", "blocks") for sizes in (_NARROW, _MIDDLE)),
)
