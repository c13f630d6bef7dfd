"""The same network in NumPy, torch and JAX: a problem, and its loss as a function of tensors or arrays, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcheck.reference.network import Network, Sizes
from gradcheck.reference.problem import Problem

NAMES = ("W", "R", "V")


def problem_of(sizes: Sizes) -> Problem:
    """A tanh network whose activations neither die out nor saturate."""
    rng, net = np.random.default_rng(0), Network()
    parameters = {
        name: rng.normal(size=shape) / np.sqrt(shape[0]) for name, shape in net.parameter_shapes(sizes).items()
    }
    return Problem(parameters, rng.normal(size=(sizes.T, sizes.D)), rng.normal(size=(sizes.T, sizes.K)))


def torch_tensors(torch: Any, problem: Problem) -> tuple[Any, ...]:
    """W, R, V as leaves that require a gradient."""
    return tuple(torch.tensor(problem.parameters[name], requires_grad=True) for name in NAMES)


def torch_loss(torch: Any, problem: Problem) -> Callable[..., Any]:
    """The loss as a function of W, R, V: a loop over the steps, what needs no loop outside it."""
    x, y, a0 = (torch.tensor(array) for array in (problem.inputs, problem.targets, problem.initial_state))

    def loss(W: Any, R: Any, V: Any) -> Any:
        drive, a, states = x @ W, a0, []
        for t in range(len(x)):
            a = torch.tanh(drive[t] + a @ R)
            states.append(a)
        return ((torch.stack(states) @ V - y) ** 2).sum() / 2

    return loss


def torch_gradient(torch: Any, problem: Problem) -> Callable[[], dict[str, Any]]:
    """torch.autograd.grad of that loss."""
    tensors, loss = torch_tensors(torch, problem), torch_loss(torch, problem)

    def gradient() -> dict[str, Any]:
        found = torch.autograd.grad(loss(*tensors), tensors)
        return {name: g.numpy() for name, g in zip(NAMES, found, strict=True)}

    return gradient


def jax_arrays(jax: Any, problem: Problem) -> tuple[Any, ...]:
    """W, R, V."""
    return tuple(jax.numpy.asarray(problem.parameters[name]) for name in NAMES)


def jax_loss(jax: Any, problem: Problem) -> Callable[..., Any]:
    """The loss as a function of W, R, V: a scan over the steps, what needs no loop outside it. Not compiled."""
    jnp = jax.numpy
    x, y, a0 = (jnp.asarray(array) for array in (problem.inputs, problem.targets, problem.initial_state))

    def loss(W: Any, R: Any, V: Any) -> Any:
        def step(a: Any, drive: Any) -> Any:
            a = jnp.tanh(drive + a @ R)
            return a, a

        _, states = jax.lax.scan(step, a0, x @ W)
        return ((states @ V - y) ** 2).sum() / 2

    return loss


def jax_gradient(jax: Any, problem: Problem) -> Callable[[], dict[str, Any]]:
    """jax.grad of that loss, compiled by jax.jit at the first call."""
    compiled = jax.jit(jax.grad(jax_loss(jax, problem), argnums=(0, 1, 2)))
    arrays = jax_arrays(jax, problem)
    return lambda: dict(zip(NAMES, map(np.asarray, compiled(*arrays)), strict=True))
