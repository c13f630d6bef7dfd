"""The gradient checkers of torch, JAX and autograd, asked about a wrong gradient as their users ask.

The gradient is the backward pass of an operation of theirs whose forward pass is the loss. Their defaults are kept,
but that it is judged in reverse mode and to first order, which is all that such an operation has, and that JAX works
in float64. None is imported before it is asked.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..algorithms.online import run_rule
from ..reference.claims import Settings
from ..reference.problem import Problem
from ..reference.typing import Array


@dataclass(frozen=True)
class Question:
    """Is `gradient` the gradient of `value` at `start`? Both take the parameters' arrays, one each."""

    start: tuple[Array, ...]
    value: Callable[..., float]
    gradient: Callable[..., tuple[Array, ...]]


def question(rule: Any, objective: Callable[[Problem], Any], problem: Problem, settings: Settings) -> Question:
    """Whether a rule's result on a problem is the gradient of its objective there."""
    problem, names = problem.copy(), list(problem.parameters)

    def at(arrays: tuple[Array, ...]) -> Problem:
        return problem.replace(parameters=dict(zip(names, arrays, strict=True)))

    def value(*arrays: Array) -> float:
        return float(objective(at(arrays)))

    def gradient(*arrays: Array) -> tuple[Array, ...]:
        with np.errstate(all="ignore"):
            found = run_rule(rule, at(arrays), **settings)
        return tuple(np.ascontiguousarray(found[name]) for name in names)

    return Question(tuple(problem.parameters[name].copy() for name in names), value, gradient)


@dataclass(frozen=True)
class Peer:
    """A checker: `accepts` is whether it finds nothing wrong. package: what must be installed."""

    name: str
    package: str
    accepts: Callable[[Question], bool]

    @property
    def installed(self) -> bool:
        return importlib.util.find_spec(self.package) is not None


def _torch(asked: Question, *, fast: bool) -> bool:
    torch: Any = importlib.import_module("torch")

    class Loss(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *parameters: Any) -> Any:
            ctx.save_for_backward(*parameters)
            return torch.tensor(asked.value(*(p.detach().numpy() for p in parameters)), dtype=torch.float64)

        @staticmethod
        def backward(ctx: Any, *upstream: Any) -> Any:
            arrays = asked.gradient(*(p.detach().numpy() for p in ctx.saved_tensors))
            return tuple(upstream[0] * torch.from_numpy(array) for array in arrays)

    start = tuple(torch.tensor(array, requires_grad=True) for array in asked.start)
    return bool(torch.autograd.gradcheck(Loss.apply, start, fast_mode=fast, raise_exception=False))


def _jax(asked: Question) -> bool:
    jax: Any = importlib.import_module("jax")
    check_grads = importlib.import_module("jax.test_util").check_grads
    home = jax if hasattr(jax, "enable_x64") else importlib.import_module("jax.experimental")

    def value(*parameters: Any) -> Any:
        return jax.numpy.asarray(asked.value(*map(np.array, parameters)))

    def forward(*parameters: Any) -> Any:
        return value(*parameters), parameters

    def backward(parameters: Any, upstream: Any) -> Any:
        return tuple(upstream * jax.numpy.asarray(g) for g in asked.gradient(*map(np.array, parameters)))

    with home.enable_x64(True):
        loss = jax.custom_vjp(value)
        loss.defvjp(forward, backward)
        start = tuple(map(jax.numpy.asarray, asked.start))
        return _asserts_nothing(lambda: check_grads(loss, start, order=1, modes=("rev",)))


def _autograd(asked: Question) -> bool:
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    loss = primitive(asked.value)
    places = range(len(asked.start))
    defvjp(
        loss, *(lambda _, *arrays, place=place: lambda up: up * asked.gradient(*arrays)[place] for place in places)
    )  # fmt: skip
    state = np.random.get_state()  # it draws its directions from NumPy's global generator
    np.random.seed(0)
    try:
        return _asserts_nothing(
            lambda: check_grads(loss, tuple(places), modes=["rev"], order=1)(*(a.copy() for a in asked.start))
        )
    finally:
        np.random.set_state(state)


def _asserts_nothing(check: Callable[[], Any]) -> bool:
    try:
        check()
    except AssertionError:
        return False
    return True


PEERS = (
    Peer("torch.autograd.gradcheck, slow", "torch", lambda asked: _torch(asked, fast=False)),
    Peer("torch.autograd.gradcheck, fast", "torch", lambda asked: _torch(asked, fast=True)),
    Peer("jax.test_util.check_grads", "jax", _jax),
    Peer("autograd.test_util.check_grads", "autograd", _autograd),
)
