"""Sizes that a network can have: the nearest ones to what was asked for.

A network may tie its sizes: no output layer (K = I), inputs that are added to the state (D = I), pairs of units
(I even). Its own `parameter_shapes` and `sizes_of` say so, and nothing else needs to be declared.
"""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from ..errors import GradcheckError
from .base import Capabilities, RecurrentNetwork, Sizes, ask, plain_shapes, sizes_of
from .state import cached

_ROUNDS = 8
_FURTHER = 8
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
    for more in sorted(itertools.product(range(_FURTHER + 1), repeat=3), key=sum):
        near = Sizes(asked.T, asked.I + more[0], asked.D + more[1], asked.K + more[2])
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
    raise (
        failed[0]
        if failed
        else GradcheckError(
            f"the network {network.name} has fewer than the {least} outputs that its output function needs near {sizes}"
        )
    )


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
