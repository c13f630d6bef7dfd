"""Gradient checkers of torch, JAX and autograd, called about a wrong gradient as their users call them.

The gradient becomes the backward pass of an operation whose forward pass is the loss. The defaults are kept, with two
exceptions: reverse mode and first order, which is all that such an operation has, and float64 in JAX. A framework is
imported when its checker is called.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..algorithms.online import run_rule
from ..reference import arrays
from ..reference.claims import Settings
from ..reference.networks.base import Capabilities, ask
from ..reference.networks.state import state_of
from ..reference.problem import Problem
from ..reference.typing import Array
from ..reference.wanted import DEFAULT, Of
from ..rules.returned import by_name


@dataclass(frozen=True)
class Question:
    """A value, a supposed gradient of it, and the place to compare them. Both take the arrays that are wanted."""

    start: tuple[Array, ...]
    value: Callable[..., float]
    gradient: Callable[..., tuple[Array, ...]]


def as_question(
    rule: Any, objective: Callable[[Problem], Any], problem: Problem, settings: Settings, of: Of = DEFAULT
) -> Question:
    """Return the question whether a rule's result on a problem is the gradient of the objective there.

    Args:
        rule: The rule, a function or a class with `start` and `step`.
        objective: The value of a problem.
        problem: The problem; its arrays are the place.
        settings: The rule's settings, such as a horizon.
        of: The kinds of arrays whose gradient the rule returns.
    """
    problem = problem.copy()
    place = arrays.wanted(problem, of)

    def at(given: tuple[Array, ...]) -> Problem:
        return arrays.all_replaced(problem, dict(zip(place, given, strict=True)))

    fixed = objective, of, state_of(problem.network), _digest(problem.arrays().values())

    def value(*given: Array) -> float:
        key = (*fixed, _digest(given))
        if key not in _VALUES:
            _VALUES[key] = float(objective(at(given)))
            while len(_VALUES) > _MOST_VALUES:
                del _VALUES[next(iter(_VALUES))]
        return _VALUES[key]

    def gradient(*given: Array) -> tuple[Array, ...]:
        with np.errstate(all="ignore"):
            moved = at(given)
            result = by_name(run_rule(rule, ask(moved.network, Capabilities.presented, moved), noise=None, **settings))
        return tuple(np.ascontiguousarray(result[name]) for name in place)

    return Question(tuple(array.copy() for array in place.values()), value, gradient)


_VALUES: dict[Any, float] = {}
"""Values that were asked for before: of one problem, checkers ask for the same ones whatever the gradient."""
_MOST_VALUES = 2**15


def _digest(given: Iterable[Array]) -> bytes:
    found = hashlib.blake2b(digest_size=16)
    for array in given:
        found.update(repr(array.shape).encode() + array.tobytes())
    return found.digest()


@dataclass(frozen=True)
class Peer:
    """A gradient checker of another package.

    Attributes:
        name: The name to print.
        package: The package to install.
        accepts: Returns True where the checker finds nothing wrong.
    """

    name: str
    package: str
    accepts: Callable[[Question], bool]

    @property
    def installed(self) -> bool:
        return importlib.util.find_spec(self.package) is not None


def _torch(question: Question, *, fast: bool) -> bool:
    torch: Any = importlib.import_module("torch")

    class Loss(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *parameters: Any) -> Any:
            ctx.save_for_backward(*parameters)
            return torch.tensor(question.value(*(p.detach().numpy() for p in parameters)), dtype=torch.float64)

        @staticmethod
        def backward(ctx: Any, *upstream: Any) -> Any:
            arrays = question.gradient(*(p.detach().numpy() for p in ctx.saved_tensors))
            return tuple(upstream[0] * torch.from_numpy(array) for array in arrays)

    start = tuple(torch.tensor(array, requires_grad=True) for array in question.start)
    return bool(torch.autograd.gradcheck(Loss.apply, start, fast_mode=fast, raise_exception=False))


def _jax(question: Question) -> bool:
    jax: Any = importlib.import_module("jax")
    check_grads = importlib.import_module("jax.test_util").check_grads
    home = jax if hasattr(jax, "enable_x64") else importlib.import_module("jax.experimental")

    def value(*parameters: Any) -> Any:
        return jax.numpy.asarray(question.value(*map(np.array, parameters)))

    def forward(*parameters: Any) -> Any:
        return value(*parameters), parameters

    def backward(parameters: Any, upstream: Any) -> Any:
        return tuple(upstream * jax.numpy.asarray(g) for g in question.gradient(*map(np.array, parameters)))

    with home.enable_x64(True):
        loss = jax.custom_vjp(value)
        loss.defvjp(forward, backward)
        start = tuple(map(jax.numpy.asarray, question.start))
        return _passes(lambda: check_grads(loss, start, order=1, modes=("rev",)))


def _autograd(question: Question) -> bool:
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_grads

    loss = primitive(question.value)
    places = range(len(question.start))
    defvjp(
        loss, *(lambda _, *arrays, place=place: lambda up: up * question.gradient(*arrays)[place] for place in places)
    )  # fmt: skip
    state = np.random.get_state()  # it draws its directions from NumPy's global generator
    np.random.seed(0)
    try:
        return _passes(
            lambda: check_grads(loss, tuple(places), modes=["rev"], order=1)(*(a.copy() for a in question.start))
        )
    finally:
        np.random.set_state(state)


def _passes(check: Callable[[], Any]) -> bool:
    """Return False where a check raises AssertionError, by which it reports a wrong gradient."""
    try:
        check()
    except AssertionError:
        return False
    return True


PEERS = (
    Peer("torch.autograd.gradcheck, slow", "torch", lambda question: _torch(question, fast=False)),
    Peer("torch.autograd.gradcheck, fast", "torch", lambda question: _torch(question, fast=True)),
    Peer("jax.test_util.check_grads", "jax", _jax),
    Peer("autograd.test_util.check_grads", "autograd", _autograd),
)
