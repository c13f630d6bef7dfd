"""The state before step 1: given by the problem, or settled by the network.

A network that says nothing leaves it to the problem. `initial_state = "zeros"` starts from zeros, an array (or a nest
of arrays) from that, and a method `initial_state(parameters)` from what it returns: a start that is learned. What a
learned start contributes to the gradient counts as the parameters' use at step 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import GradcheckError
from ..tree import is_shape, map_nest
from ..typing import Array, Parameters, State
from .base import RecurrentNetwork, plain_shapes, shapes

GIVEN, ZEROS = "given", "zeros"


def _stated(network: RecurrentNetwork) -> Any:
    return getattr(network, "initial_state", GIVEN)


def is_given(network: RecurrentNetwork) -> bool:
    """Return whether the problem gives the initial state; else the network settles it."""
    stated = _stated(network)
    return stated is None or isinstance(stated, str) and stated == GIVEN


def is_learned(network: RecurrentNetwork) -> bool:
    """Return whether the initial state is a function of the parameters."""
    return callable(_stated(network))


def is_zeros(network: RecurrentNetwork) -> bool:
    """Return whether every sequence starts from zeros."""
    stated = _stated(network)
    return isinstance(stated, str) and stated == ZEROS


def described(network: RecurrentNetwork) -> str:
    """Return where sequences start, in words: "any initial state", "zeros", ..."""
    if is_given(network):
        return "any initial state"
    if is_learned(network):
        return "an initial state made of the parameters"
    return "zeros" if isinstance(_stated(network), str) else "a fixed initial state"


def settled(network: RecurrentNetwork, parameters: Parameters, shape: Any, like: Array) -> State:
    """Return the initial state of a network that settles it.

    Args:
        network: A network with `initial_state` of its own.
        parameters: The parameters, on any scalars.
        shape: `network.state_shape` of the problem's sizes.
        like: An array of the problem's scalars.

    Raises:
        GradcheckError: What the network says is no state of that shape.
    """

    def zeros(part: tuple[int, ...]) -> Array:
        return np.zeros_like(like, shape=tuple(part))

    stated = _stated(network)
    if isinstance(stated, str):
        if stated != ZEROS:
            raise _refusal(network, f"{stated!r}")
        return map_nest(zeros, shape, is_leaf=is_shape)
    state = learned(network, parameters) if callable(stated) else stated

    def part_of(wanted: tuple[int, ...], part: Any) -> Array:
        array = part if isinstance(part, np.ndarray) else np.asarray(part)
        if array.dtype.kind in "iubf":  # floats among other scalars are lifted exactly
            if like.dtype.kind == "f":
                return array.astype(like.dtype)
            return zeros(wanted) + array.astype(np.float64)
        return array

    try:
        made = map_nest(part_of, shape, state, is_leaf=is_shape)
        if shapes(made) == plain_shapes(shape):
            return made
    except (ValueError, KeyError, TypeError):  # nested otherwise
        pass
    found = shapes(map_nest(np.asarray, state))
    hint = "" if callable(stated) else "; a fixed array has one size: tie I to it, such as sizes={'I': 2}"
    raise GradcheckError(
        f"initial_state of the network {network.name} has shape {found}; state_shape says {plain_shapes(shape)}{hint}"
    )


def learned(network: RecurrentNetwork, parameters: Parameters) -> State:
    """Return `network.initial_state(parameters)`.

    Args:
        network: A network whose initial state is a function.
        parameters: The parameters, on any scalars.

    Raises:
        GradcheckError: It fails.
    """
    try:
        return _stated(network)(parameters)
    except GradcheckError:
        raise
    except Exception as error:
        raise GradcheckError(
            f"initial_state(parameters) of the network {network.name} raised {type(error).__name__}: {error}; "
            "it gets the parameters by name, and returns a state"
        ) from error


def _refusal(network: RecurrentNetwork, shown: str) -> GradcheckError:
    return GradcheckError(
        f"initial_state of the network {network.name} is {shown}; wanted 'given', 'zeros', an array of the state's "
        "shape, or a method that takes the parameters"
    )
