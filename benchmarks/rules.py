"""How fast the rules are: RTRL against its own products, blocks against RTRL, BPTT against torch."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradcheck.algorithms import RTRL, Schmidhuber, bptt, run_online
from gradcheck.reference.network import Network, Sizes
from gradcheck.reference.problem import Problem

from .rows import Outcome, Row, Skipped, at_least, at_most, in_turn


def problem_of(sizes: Sizes) -> Problem:
    """A tanh network whose activations neither die out nor saturate."""
    rng, net = np.random.default_rng(0), Network()
    parameters = {
        name: rng.normal(size=shape) / np.sqrt(shape[0]) for name, shape in net.parameter_shapes(sizes).items()
    }
    return Problem(parameters, rng.normal(size=(sizes.T, sizes.D)), rng.normal(size=(sizes.T, sizes.K)))


def require_same(first: dict[str, Any], second: dict[str, Any]) -> None:
    """A benchmark of a wrong result is worth nothing."""
    for name in first:
        np.testing.assert_allclose(first[name], second[name], rtol=1e-6, atol=1e-8 * np.abs(second[name]).max())


def rtrl_over_its_products() -> Outcome:
    problem = problem_of(Sizes(T=8, I=128, D=16, K=8))
    rng, (n, D) = np.random.default_rng(1), (problem.sizes.I, problem.sizes.D)
    J, M = rng.normal(size=(n, n)), rng.normal(size=(n, (D + n) * n))
    out = np.empty_like(M)

    def products() -> None:
        for _ in range(problem.T):
            np.matmul(J, M, out=out)

    require_same(run_online(RTRL(), problem), bptt(problem))
    return in_turn(lambda: run_online(RTRL(), problem), products, ("RTRL", "its products alone"))


def rtrl_over_blocks() -> Outcome:
    problem = problem_of(Sizes(T=256, I=128, D=16, K=8))
    require_same(run_online(Schmidhuber(), problem), bptt(problem))
    return in_turn(
        lambda: run_online(RTRL(), problem),
        lambda: run_online(Schmidhuber(), problem),
        ("RTRL", "Schmidhuber, blocks of 128"),
        repeats=5,
    )


def bptt_over_torch() -> Outcome:
    try:
        import torch
    except ImportError:
        raise Skipped("pip install torch==2.13.0") from None
    problem = problem_of(Sizes(T=200, I=256, D=16, K=8))
    tensors = {name: torch.tensor(array, requires_grad=True) for name, array in problem.parameters.items()}
    x, y = torch.tensor(problem.inputs), torch.tensor(problem.targets)
    a0 = torch.tensor(problem.initial_state)

    def autograd() -> dict[str, Any]:
        drive, a, states = x @ tensors["W"], a0, []
        for t in range(len(x)):
            a = torch.tanh(drive[t] + a @ tensors["R"])
            states.append(a)
        loss = ((torch.stack(states) @ tensors["V"] - y) ** 2).sum() / 2
        gradients = torch.autograd.grad(loss, list(tensors.values()))
        return {name: g.numpy() for name, g in zip(tensors, gradients, strict=True)}

    def layer() -> dict[str, Any]:
        rnn.zero_grad()
        states, _ = rnn(x, a0[None])
        loss = ((states @ tensors["V"] - y) ** 2).sum() / 2
        loss.backward()
        return {"W": rnn.weight_ih_l0.grad.numpy().T, "R": rnn.weight_hh_l0.grad.numpy().T}

    rnn: Any = torch.nn.RNN(16, 256, bias=False, dtype=torch.float64)
    with torch.no_grad():
        rnn.weight_ih_l0.copy_(tensors["W"].T)
        rnn.weight_hh_l0.copy_(tensors["R"].T)

    require_same(autograd(), bptt(problem))
    require_same(layer(), bptt(problem))
    loop = in_turn(lambda: bptt(problem), autograd, ("BPTT", "torch, a loop"))
    fast = in_turn(lambda: bptt(problem), layer, ("BPTT", "torch.nn.RNN"))
    return Outcome(max(loop.ratio, fast.ratio), {**loop.seconds, **fast.seconds})


ROWS = (
    Row("RTRL / its own matrix products, I=128, D=16", at_most(2), rtrl_over_its_products),
    Row("RTRL / Schmidhuber's blocks, I=128, T=256", at_least(5), rtrl_over_blocks),
    Row("BPTT / torch CPU autograd, I=256, T=200", at_most(1), bptt_over_torch),
)
