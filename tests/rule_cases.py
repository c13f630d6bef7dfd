"""What the tests of rules share: problems, and lags found without deriving anything."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from gradcheck.algorithms import run_rule
from gradcheck.reference.arrays import wanted
from gradcheck.reference.claims import Declaration, LagClaim
from gradcheck.reference.networks.base import Sizes
from gradcheck.reference.problem import Problem, forward
from gradcheck.reference.scalars.base import Field
from gradcheck.reference.scalars.precise import PreciseField
from gradcheck.reference.wanted import KINDS

DEFAULT = Sizes(T=5, I=3, D=2, K=2)


def declaration(target: Any) -> Declaration:
    return target.__gradcheck__


def claim_of(target: Any, chosen: dict[str, int]) -> LagClaim:
    (claim,) = (claim for claim in declaration(target).claims if isinstance(claim, LagClaim))
    return claim.bind(chosen)


def settings_of(target: Any, T: int) -> list[dict[str, int]]:
    listed = declaration(target).settings
    return list(listed(T)) if listed else [{}]


@cache
def problem_on(network: Any, sizes: Sizes = DEFAULT, seed: int = 0) -> Problem:
    """Numbers in 64ths, so that every scalar carries the same problem; uneven loss weights with a zero."""
    rng = np.random.default_rng(seed)
    rounded = lambda shape: np.round(rng.normal(size=shape) * 0.6 * 64) / 64  # noqa: E731
    T, I, D, K = sizes.T, sizes.I, sizes.D, sizes.K
    parts = np.sort(rng.integers(1, 63, size=(T, K - 1)), axis=1)  # targets that any loss accepts
    targets = np.diff(parts, axis=1, prepend=0, append=64) / 64
    return Problem(
        {name: rounded(shape) for name, shape in network.parameter_shapes(sizes).items()},
        rounded((T, D)),
        targets,
        rounded(I),
        np.array([1, 0.5, 0, 2, 1.25])[np.arange(T) % 5],
        network,
    )


def first_problem(target: Any, sizes: Sizes = DEFAULT) -> Problem:
    tanh = [n for n in declaration(target).networks if n.activation.name == "tanh"]
    return problem_on(tanh[0], sizes)


LAGS: dict[Any, dict[tuple[int, int], dict[str, Any]]] = {}


def lags(problem: Problem) -> dict[tuple[int, int], dict[str, Any]]:
    """w_t g(t, k): what weight copy t-k, or x(t-k), does to the loss at t, by central differences at 50 digits.

    Nothing is derived here: each step is given parameters of its own, and one copy at a time is moved. The initial
    state is moved before step 1.
    """
    problem = problem.astype(np.float64)
    key = (
        problem.network.name,
        str(problem.network),
        *(a.tobytes() + bytes(a.shape) for a in problem.arrays().values()),
    )
    if key in LAGS:
        return LAGS[key]
    field = PreciseField(50)
    with field.working():
        exact, net = problem.over(field), problem.network
        states, _ = forward(exact)
        h = Fraction(1, 10**20)
        found = {
            (t, k): {name: np.zeros(array.shape) for name, array in wanted(problem, KINDS).items()}
            for t in range(1, problem.T + 1)
            for k in range(t)
        }

        def losses(used: int, name: str, moved: Any) -> list[Any]:
            state, values = moved if name == "initial_state" else states[used - 1], []
            parameters = {**exact.parameters, name: moved} if name in exact.parameters else exact.parameters
            for t in range(used, problem.T + 1):
                own = parameters if t == used else exact.parameters
                state = net.step(own, state, (moved if name == "inputs" else exact.inputs)[t - 1])
                value = net.loss_value(net.readout(own, state), exact.targets[t - 1])
                values.append(exact.loss_weights[t - 1] * value)
            return values

        for used in range(1, problem.T + 1):
            for name, array in wanted(exact, KINDS).items():
                for index in np.ndindex(array.shape):
                    if (name == "inputs" and index[0] != used - 1) or (name == "initial_state" and used > 1):
                        continue
                    sides = []
                    for sign in (1, -1):
                        moved = array.copy()
                        moved[index] = moved[index] + sign * h
                        sides.append(losses(used, name, moved))
                    for t, (up, down) in enumerate(zip(*sides, strict=True), start=used):
                        found[t, t - used][name][index] = float(field.native((up - down) / (2 * h)))
    LAGS[key] = found
    return found


def complaints(gradient: Any, problem: Problem, claim: LagClaim) -> list[str]:
    """What is wrong with `gradient` as the sum of the lags that `claim` keeps; empty if nothing is.

    Allowed: 8 roundings for each product on a path (T steps of I+D+K terms), relative to the sum of |lags|.
    """
    if list(gradient) != list(wanted(problem, claim.of)):
        return [f"keys {list(gradient)}; wanted {list(wanted(problem, claim.of))}"]
    found, T = lags(problem), problem.T
    products = T * (problem.sizes.I + problem.sizes.D + problem.sizes.K)
    wrong = []
    for name, came in gradient.items():
        true = sum(g[name] for (t, k), g in found.items() if claim.keeps(t, k, T))
        scale = sum(abs(g[name]).max() for g in found.values())
        allowed = 8 * products * np.finfo(problem.inputs.dtype).eps * scale
        if came.dtype != problem.inputs.dtype or came.shape != true.shape:
            wrong.append(f"{name}: {came.dtype} {came.shape}; wanted {problem.inputs.dtype} {true.shape}")
        elif not (off := abs(came - true).max()) <= allowed:
            wrong.append(f"{name} is off by {off:.2e}, allowed {allowed:.2e}, under {claim}")
    return wrong


def all_complaints(target: Any, problem: Problem) -> list[str]:
    return [
        f"{target.__name__} {chosen}: {wrong}"
        for chosen in settings_of(target, problem.T)
        for wrong in complaints(run_rule(target, problem, **chosen), problem, claim_of(target, chosen))
    ]


def natives(field: Field, gradient: Any) -> dict[str, list[Any]]:
    return {name: field.natives(array) for name, array in gradient.items()}
