"""The gradient of a problem by (loss time, lag), and sums of the lags that a claim keeps.

g(t, k) is the contribution of the loss at time t through the parameters' use at time t - k, t = 1..T,
k = 0..t-1. The readout's own use of the parameters at time t belongs to lag 0, and the use that a learned
initial state makes of them to step 1. The gradient is the sum of them all; Werbos 1990, "Backpropagation
through time: what it does and how to do it".

A gradient may be asked for of inputs and of the initial state too (see `wanted`): g(t, k) then has what the loss at
time t contributes through the input x(t - k), in row t - k of (T, D), and g(t, t - 1) what it contributes through the
initial state, which step 1 uses.

The network's equations run once per step under `tape.vjp`, on the problem's own scalars. dL_t/du comes from
`network.output_error` where there is one, else from `loss_value`. For a field with a working precision the caller
enters `field.working()`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from . import arrays
from .claims import Exact, LagClaim
from .cotangents import CotangentSum
from .networks import base as networks
from .networks import start
from .problem import Problem
from .tape import Pullback, vjp
from .tree import flatten, map_nest, path_name
from .typing import Array, Gradient, State
from .wanted import DEFAULT, INITIAL_STATE, INPUTS, Of, joined, row

Keeps: TypeAlias = Callable[[int, int, int], bool]
"""(t, k, T) to whether the loss at time t counts the parameters' use at time t - k; see `claims.LagClaim`."""

Sums: TypeAlias = dict[str, CotangentSum]
"""Uses, by name: parameters, rows of inputs (`wanted.row`), arrays of the initial state."""


@dataclass(frozen=True)
class Unrolled:
    """A problem's forward pass, ready to be pulled back. Entry t - 1 of each list belongs to time t.

    states: a(t). readouts: u(t), (K,). errors: w_t dL_t/du(t), (K,). steps pull a cotangent of a(t) back to
    (parameters, a(t-1)), and to x(t) if it is wanted; readout_pulls pull one of u(t) back to (parameters, a(t)).
    start pulls one of a(0) back to the parameters, for a network that makes its initial state of them.
    """

    problem: Problem
    states: list[State]
    readouts: list[Array]
    errors: list[Array]
    steps: list[Pullback]
    readout_pulls: list[Pullback]
    start: Pullback | None = None
    of: Of = DEFAULT

    def enter(self, t: int) -> tuple[Sums, Any]:
        """Pull the loss at time t back to the parameters of its readout and to a(t)."""
        parameters, state = self.readout_pulls[t - 1].terms(self.errors[t - 1])
        return parameters, map_nest(CotangentSum.array, state)

    def back(self, t: int, cotangent: State) -> tuple[Sums, State]:
        """Pull a cotangent of a(t) back to what step t uses, and to a(t-1)."""
        uses, pulled, *inputs = self.steps[t - 1].terms(cotangent)
        state = map_nest(CotangentSum.array, pulled)
        if inputs:
            uses[row(t)] = inputs[0]
        if t == 1 and self.start:
            _add(uses, self.start.terms(state)[0])
        if t == 1 and INITIAL_STATE in self.of:
            uses |= {path_name(INITIAL_STATE, path): _sum(array) for path, array in flatten(state)}
        return uses, state

    def zero(self) -> Sums:
        """Return sums to add uses to."""
        return {name: CotangentSum(array) for name, array in self.problem.parameters.items()}

    def formed(self, uses: Sums) -> Gradient:
        """Return the gradient of what is wanted, from its uses."""
        return joined({name: part.array() for name, part in uses.items()}, arrays.wanted(self.problem, self.of))


def _sum(array: Array) -> CotangentSum:
    made = CotangentSum(array)
    made.add(array)
    return made


def output_error(network: networks.RecurrentNetwork, u: Array, y: Array) -> Array:
    """Return dL_t/du, shape (K,): the network's own `output_error`, or the derivative of its `loss_value`.

    Args:
        network: Any network.
        u: The readout, shape (K,).
        y: The target, shape (K,).

    Raises:
        UnsupportedOperation: The network uses an operation that `tape` lacks.
        GradcheckError: The network fails.
    """
    if callable(getattr(network, "output_error", None)):
        return networks.output_error(network, u, y)
    return derived_output_error(network, u, y)


def derived_output_error(network: networks.RecurrentNetwork, u: Array, y: Array) -> Array:
    """Return dL_t/du, shape (K,), as the derivative of `loss_value`.

    Args:
        network: Any network.
        u: The readout, shape (K,).
        y: The target, shape (K,).

    Raises:
        UnsupportedOperation: The network uses an operation that `tape` lacks.
        GradcheckError: The network fails.
    """
    value, pull = vjp(lambda at: networks.loss_value(network, at, y), u)
    (error,) = pull(value * 0 + 1)
    return error  # type: ignore[no-any-return]


def unroll(problem: Problem, of: Of = DEFAULT) -> Unrolled:
    """Run the network's equations once.

    Args:
        problem: The problem, on any scalars.
        of: The kinds of arrays that a gradient is wanted of; see `wanted.KINDS`.

    Raises:
        UnsupportedOperation: The network uses an operation that `tape` lacks.
        GradcheckError: The network fails.
    """
    network, K = problem.network, problem.targets.shape[1]
    state, first = problem.initial_state, None
    if start.is_learned(network):
        state, first = vjp(lambda p: start.learned(network, p), problem.parameters)
    unrolled = Unrolled(problem, [], [], [], [], [], first, of)
    for t, (x, y, w) in enumerate(zip(problem.inputs, problem.targets, problem.loss_weights, strict=True), start=1):
        moving = (problem.parameters, state, *([x] if INPUTS in of else []))
        state, step = vjp(lambda p, a, x=x: networks.step(network, p, a, x), *moving)
        u, pull = vjp(lambda p, a: networks.readout(network, p, a, K), problem.parameters, state)
        unrolled.states.append(state)
        unrolled.readouts.append(u)
        unrolled.errors.append(w * output_error(problem.network_at(t), u, y))
        unrolled.steps.append(step)
        unrolled.readout_pulls.append(pull)
    return unrolled


def gradient(problem: Problem, keeps: Keeps | None = None, of: Of = DEFAULT) -> Gradient:
    """Return the gradient, or the sum of the lags that `keeps` keeps.

    Losses that keep the same of the steps still to come travel back as one cotangent, and a loss that
    keeps none stops. So the exact and the chunked gradient take O(T) steps, windows of tau O(T tau).

    Args:
        problem: The problem, on any scalars.
        keeps: (t, k, T) to whether the loss at time t counts the parameters' use at t - k; all, if left out.
        of: The kinds of arrays that it is wanted of; see `wanted.KINDS`.

    Returns:
        Name to an array of its shape: parameters, inputs, initial_state or the arrays of its nest.

    Raises:
        UnsupportedOperation: The network uses an operation that `tape` lacks.
        GradcheckError: The network fails.
    """
    if keeps is None:
        return _whole(problem, of)
    unrolled, T = unroll(problem, of), problem.T
    total = unrolled.zero()
    travelling: dict[bytes, State] = {}
    for s in range(T, 0, -1):
        # Byte s - 1 of a loss's mask says whether it counts the parameters' use at time s.
        merged: dict[bytes, State] = {}
        for mask, cotangent in travelling.items():
            _merge(merged, mask[:s], cotangent)
        mask = bytes(bool(keeps(s, s - r, T)) for r in range(1, s + 1))
        if any(mask):
            parameters, cotangent = unrolled.enter(s)
            if mask[-1]:
                _add(total, parameters)
            _merge(merged, mask, cotangent)
        travelling = {}
        for mask, cotangent in merged.items():
            if any(mask):
                parameters, travelling[mask] = unrolled.back(s, cotangent)
                if mask[-1]:
                    _add(total, parameters)
    return unrolled.formed(total)


def claimed(problem: Problem, claim: LagClaim | None) -> Gradient:
    """Return the gradient that a claim promises: its lags, of its arrays.

    Args:
        problem: The problem, on any scalars.
        claim: The claim, bound to numbers; `Exact()`, if None.

    Raises:
        UnsupportedOperation: The network uses an operation that `tape` lacks.
        GradcheckError: The network fails.
    """
    if claim is None:
        return gradient(problem)
    return gradient(problem, None if isinstance(claim, Exact) else claim.keeps, claim.of)


def _whole(problem: Problem, of: Of) -> Gradient:
    """Return the sum of all lags by one pass back through the whole sequence."""
    network, K = problem.network, problem.targets.shape[1]
    given = (
        problem.parameters,
        list(problem.inputs) if INPUTS in of else (),
        problem.initial_state if INITIAL_STATE in of else (),
    )

    def readouts(parameters: Any, inputs: Any, first: Any) -> list[Any]:
        state = first if INITIAL_STATE in of else problem.initial_state
        if start.is_learned(network):
            state = start.learned(network, parameters)
        found = []
        for x in inputs if INPUTS in of else problem.inputs:
            state = networks.step(network, parameters, state, x)
            found.append(networks.readout(network, parameters, state, K))
        return found

    us, pull = vjp(readouts, *given)
    pairs = enumerate(zip(us, problem.targets, strict=True), start=1)
    errors = np.stack([output_error(problem.network_at(t), u, y) for t, (u, y) in pairs])
    uses, inputs, first = pull(list(problem.loss_weights[:, None] * errors))
    if of == DEFAULT:
        return uses  # type: ignore[no-any-return]
    uses = uses | {row(t): x for t, x in enumerate(inputs, start=1)}
    if INITIAL_STATE in of:
        uses |= {path_name(INITIAL_STATE, path): array for path, array in flatten(first)}
    return joined(uses, arrays.wanted(problem, of))


def _merge(group: dict[bytes, State], mask: bytes, cotangent: State) -> None:
    group[mask] = map_nest(lambda a, b: a + b, group[mask], cotangent) if mask in group else cotangent


def _add(total: Sums, terms: Sums) -> None:
    for name, part in terms.items():
        total.setdefault(name, CotangentSum(part.like)).add(*part.terms)


class Lags(Mapping[tuple[int, int], Gradient]):
    """(t, k) to g(t, k), name to array; each is formed when asked for."""

    def __init__(self, unrolled: Unrolled, parts: dict[tuple[int, int], Sums]) -> None:
        self._unrolled, self._parts = unrolled, parts

    def __getitem__(self, key: tuple[int, int]) -> Gradient:
        return self._unrolled.formed(self._parts[key])

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)


def by_lag(problem: Problem, of: Of = DEFAULT) -> Lags:
    """Return every g(t, k), 1 <= t <= T, 0 <= k < t, by T (T + 1) / 2 pullbacks that share one forward pass.

    Args:
        problem: The problem, on any scalars.
        of: The kinds of arrays that a gradient is wanted of; see `wanted.KINDS`.

    Raises:
        UnsupportedOperation: The network uses an operation that `tape` lacks.
        GradcheckError: The network fails.
    """
    unrolled = unroll(problem, of)
    parts: dict[tuple[int, int], Sums] = {}
    for t in range(1, problem.T + 1):
        parts.update(_of_loss(unrolled, t))
    return Lags(unrolled, parts)


def of_last_loss(problem: Problem, of: Of = DEFAULT) -> Lags:
    """Return every g(T, k), 0 <= k < T, by T pullbacks.

    Args:
        problem: The problem, on any scalars.
        of: The kinds of arrays that a gradient is wanted of; see `wanted.KINDS`.

    Raises:
        UnsupportedOperation: The network uses an operation that `tape` lacks.
        GradcheckError: The network fails.
    """
    unrolled = unroll(problem, of)
    return Lags(unrolled, _of_loss(unrolled, problem.T))


def _of_loss(unrolled: Unrolled, t: int) -> dict[tuple[int, int], Sums]:
    parts: dict[tuple[int, int], Sums] = {}
    parts[t, 0], cotangent = unrolled.enter(t)
    for k in range(t):
        parameters, cotangent = unrolled.back(t - k, cotangent)
        _add(parts.setdefault((t, k), unrolled.zero()), parameters)
    return parts


def error_signals(problem: Problem) -> list[Array]:
    """Return w_t dL_t/du(t) for t = 1..T, each of shape (K,).

    Args:
        problem: The problem, on any scalars.
    """
    return unroll(problem).errors
