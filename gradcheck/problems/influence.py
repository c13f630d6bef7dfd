"""Parts that parameters play in a network, found by what they do to it, never by their names or shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from ..reference import lags
from ..reference.errors import GradcheckError
from ..reference.networks import base as networks
from ..reference.problem import Problem, map_state
from ..reference.tape import vjp
from ..reference.typing import Array, State

SHARED = -1
"""Owner of an entry that drives several units or outputs, or none."""


def driven(problem: Problem) -> dict[str, Array]:
    """Return, for each entry of each parameter, the unit that it drives in one step, or `SHARED`.

    Unit j is entry j of each array of the state that has one entry per unit. An entry drives a unit if the derivative
    of the unit's state with respect to it is not 0 at the problem's numbers.

    Args:
        problem: A float problem with numbers that are not 0.

    Returns:
        Arrays of whole numbers, shaped like the parameters.
    """
    units = problem.sizes.I

    def pull(unrolled: lags.Unrolled, unit: int) -> lags.Sums:
        return unrolled.back(1, map_state(lambda array: _unit(array, unit, units), unrolled.states[0]))[0]

    return _owners(problem, units, pull)


def read_out(problem: Problem) -> dict[str, Array]:
    """Return, for each entry of each parameter, the output that it drives through the readout, or `SHARED`.

    Args:
        problem: A float problem with numbers that are not 0.
    """
    outputs = problem.targets.shape[1]
    return _owners(problem, outputs, lambda unrolled, k: unrolled.readout_pulls[0].terms(np.eye(outputs)[k])[0])


def reading(problem: Problem) -> dict[str, Array]:
    """Return, for each entry of each parameter, the unit whose state it reads, in a step or the readout, or `SHARED`.

    Args:
        problem: A float problem with numbers that are not 0.
    """
    owners = {name: np.full(array.shape, SHARED) for name, array in problem.parameters.items()}
    units = problem.sizes.I
    try:
        always = _acting(problem, problem.initial_state)
        for unit in range(units):
            silent = map_state(lambda array, unit=unit: array * (1 - _unit(array, unit, units)), problem.initial_state)
            for name, acts in _acting(problem, silent).items():
                owners[name][always[name] & ~acts] = unit
    except GradcheckError:  # the tape has no rule for the network
        pass
    return owners


def _acting(problem: Problem, state: State) -> dict[str, Array]:
    """Return True for the entries that a step from a state, or its readout, depends on."""
    network, outputs = problem.network, problem.targets.shape[1]
    after, step = vjp(lambda p: networks.step(network, p, state, problem.inputs[0]), problem.parameters)
    read, readout = vjp(lambda p: networks.readout(network, p, state, outputs), problem.parameters)
    pulled = [step(map_state(_uneven, after))[0], readout(_uneven(read))[0]]
    return {name: (pulled[0][name] != 0) | (pulled[1][name] != 0) for name in problem.parameters}


def _uneven(array: Array) -> Array:
    """Return numbers that no two of which cancel."""
    return np.resize(np.pi ** np.arange(1, array.size + 1), array.shape)


def by_owner(problem: Problem, owners: dict[str, Array], factors: Array, names: Iterable[str]) -> Problem:
    """Multiply the entries of some parameters by the factors of their owners, those without one by 1.

    Args:
        problem: A float problem.
        owners: The owners, from `driven` or `read_out`.
        factors: A factor for each unit or output.
        names: The parameters to change.
    """
    changed = dict(problem.parameters)
    for name in names:
        changed[name] = changed[name] * np.where(owners[name] == SHARED, 1.0, factors[owners[name]])
    return problem.varied(parameters=changed)


def _owners(problem: Problem, number: int, pull: Callable[[lags.Unrolled, int], lags.Sums]) -> dict[str, Array]:
    """Return who is driven by each entry, `SHARED` throughout where the tape has no rule for the network."""
    owners = {name: np.full(array.shape, SHARED) for name, array in problem.parameters.items()}
    several = {name: np.zeros(array.shape, dtype=bool) for name, array in problem.parameters.items()}
    try:
        unrolled = lags.unroll(problem.prefix(1))
        parts = [pull(unrolled, owner) for owner in range(number)]
    except GradcheckError:
        return owners
    for owner, sums in enumerate(parts):
        for name, part in sums.items():
            acts = part.array() != 0
            several[name] |= acts & (owners[name] != SHARED)
            owners[name][acts] = owner
    return {name: np.where(several[name], SHARED, array) for name, array in owners.items()}


def _unit(array: Array, unit: int, units: int) -> Array:
    """Return ones at a unit's place, and zeros elsewhere."""
    chosen = np.zeros(array.shape)
    if array.ndim and array.shape[-1] == units:
        chosen[..., unit] = 1
    return chosen
