"""Sizes that a network can have: the nearest ones to what was asked for.

A network may tie its sizes: no output layer (K = I), inputs that are added to the state (D = I), pairs of units
(I even). Its own `parameter_shapes` and `sizes_of` say so, and nothing else needs to be declared.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np

from ..errors import GradcheckError
from .base import Capabilities, RecurrentNetwork, Sizes, ask, plain_shapes, sizes_of
from .state import cached

_ROUNDS = 8
_FURTHER, _FARTHEST = 8, 128
_LITTLE = sorted(itertools.product(range(_FURTHER + 1), repeat=3), key=sum)
"""Units, inputs and outputs that are added in search of sizes that fit."""


@cached(4096)
def fitting(network: RecurrentNetwork, sizes: Sizes, *, alive: bool = False) -> Sizes:
    """Return the sizes themselves where the network can have them, else near ones that it can have.

    Args:
        network: Any network.
        sizes: The sizes that are asked for. T is kept.
        alive: Ask for enough outputs for a gradient that is not 0 throughout, such as two for softmax.

    Raises:
        GradcheckError: Its methods fail at all sizes nearby, or contradict each other.
    """
    least = ask(network, Capabilities.least_outputs) if alive else 1
    asked = Sizes(sizes.T, sizes.I, sizes.D, max(sizes.K, least))
    failed: list[Exception] = []
    for near in _nearby(asked):
        try:
            found = _settled(network, near)
        except Exception as error:  # a user's method may raise anything at sizes that it does not have
            failed.append(error)
            continue
        if found is None:
            failed.append(
                GradcheckError(
                    f"the network {network.name} has no sizes near {sizes}: sizes_of(parameters, T) contradicts "
                    "parameter_shapes(sizes); mend one of them"
                )
            )
        elif found.K >= least:
            return found
    if not failed:
        raise GradcheckError(f"the network {network.name} never has the {least} outputs that its output function needs")
    first = failed[0]
    if isinstance(first, GradcheckError):
        raise first
    raise GradcheckError(
        f"parameter_shapes(sizes), state_shape(sizes) or sizes_of(parameters, T) of the network {network.name} raised "
        f"{type(first).__name__}: {first}, at {sizes} and at all sizes nearby"
    ) from first


def _nearby(sizes: Sizes) -> Iterator[Sizes]:
    """Yield sizes from near to far: all sums of a little more, then one of I, D and K far beyond, then all alike."""
    for more in _LITTLE:
        yield Sizes(sizes.T, sizes.I + more[0], sizes.D + more[1], sizes.K + more[2])
    for n in range(_FURTHER + 1, _FARTHEST + 1):
        for letter in "IDK":
            yield dataclasses.replace(sizes, **{letter: getattr(sizes, letter) + n})
    largest = max(sizes.I, sizes.D, sizes.K)
    for n in range(largest, largest + _FARTHEST + 1):
        yield Sizes(sizes.T, n, n, n)


def fewer(network: RecurrentNetwork, sizes: Sizes, letter: str) -> Sizes | None:
    """Return the next smaller sizes that the network can have, with less of one of I, D and K; None if there are none.

    Args:
        network: Any network.
        sizes: Sizes that it can have.
        letter: I, D or K.
    """
    for less in range(1, min(getattr(sizes, letter), _FURTHER)):
        asked = dataclasses.replace(sizes, **{letter: getattr(sizes, letter) - less})
        try:
            found = fitting(network, asked)
        except Exception:  # a user's method may raise anything at sizes that it does not have
            continue
        if getattr(found, letter) < getattr(sizes, letter) and max(found.I, found.D, found.K) <= max(
            sizes.I, sizes.D, sizes.K
        ):
            return found
    return None


def _settled(network: RecurrentNetwork, sizes: Sizes) -> Sizes | None:
    """Return the sizes that shapes and `sizes_of` agree on, from these on; None where they never do."""
    for _ in range(_ROUNDS):
        shapes = network.parameter_shapes(sizes)
        plain_shapes(network.state_shape(sizes))
        implied = sizes_of(network, {name: np.zeros(shape) for name, shape in shapes.items()}, sizes.T)
        if implied == sizes:
            return sizes
        if min(implied.I, implied.D, implied.K) < 1:
            return None
        sizes = implied
    return None
