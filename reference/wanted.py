"""Arrays that a gradient is asked for: parameters, inputs, initial state.

A claim names them: `Exact(of=("parameters", "inputs"))`. A gradient has an array for each parameter by its name,
inputs as (T, D), and each array of the initial state: initial_state, or initial_state[0], initial_state[h], ... as the
state is nested.

The loss at time t uses the input x(t - k) at lag k, as it uses the parameters of that step, and the initial state
before step 1, hence at lag t - 1. So a claim that leaves lags out says which part of these gradients it keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from .errors import GradcheckError
from .networks import start
from .networks.base import RecurrentNetwork
from .networks.domains import INPUTS as INPUTS
from .networks.domains import domain_of
from .typing import Array, Gradient

Of = tuple[str, ...]
PARAMETERS, INITIAL_STATE = "parameters", "initial_state"
KINDS: Of = (PARAMETERS, INPUTS, INITIAL_STATE)
DEFAULT: Of = (PARAMETERS,)


def checked(of: Any) -> Of:
    """Return the kinds of arrays in their usual order.

    Args:
        of: A list or tuple of names among `KINDS`.

    Raises:
        GradcheckError: It is none, is empty, or has a name that is unknown or repeated.
    """
    example = f"such as of={KINDS!r}"
    if not isinstance(of, (list, tuple)):
        raise GradcheckError(f"of must be a tuple of names; got {of!r:.60}; write one {example}")
    for name in of:
        if name not in KINDS:
            raise GradcheckError(f"of can name {', '.join(KINDS)}; got {name!r:.60}")
    if not of or len(set(of)) < len(of):
        raise GradcheckError(f"of must name each kind of array once, and at least one; got {of!r:.60}; write {example}")
    return tuple(name for name in KINDS if name in of)


def kind_of(name: str) -> str:
    """Return the kind of an array of a gradient, from its name."""
    head = name.partition("[")[0]
    return head if head in (INPUTS, INITIAL_STATE) else PARAMETERS


def kinds_of(names: Iterable[str]) -> Of:
    """Return the kinds of some arrays of a gradient, from their names."""
    found = set(map(kind_of, names))
    return tuple(kind for kind in KINDS if kind in found)


def refusal(network: RecurrentNetwork, of: Of) -> str:
    """Return why a network has no gradient of these arrays, and what to do; empty if it has one.

    An initial state that the network settles is no array of the problem, and inputs whose numbers lie apart cannot be
    moved.
    """
    left = tuple(kind for kind in of if kind != INITIAL_STATE) or DEFAULT
    if INITIAL_STATE in of and not start.is_given(network):
        return (
            f"the {network.name} network starts from {start.described(network)}, so there is no gradient of an initial "
            f"state that the problem gives; leave it out: of={left!r}, or declare a network with initial_state='given'"
        )
    left = tuple(kind for kind in of if kind != INPUTS) or DEFAULT
    if INPUTS in of and domain_of(network, INPUTS).discrete:
        return (
            f"the {network.name} network takes inputs that lie apart ({domain_of(network, INPUTS).kind}), so the loss "
            f"has no gradient in them; leave them out: of={left!r}"
        )
    return ""


def described(of: Of) -> str:
    """Return the kinds in words, such as "parameters, inputs and initial state"."""
    *most, last = (kind.replace("_", " ") for kind in of)
    return f"{', '.join(most)} and {last}" if most else last


def row(t: int) -> str:
    """Return the name of the input of step t = 1, 2, ... among the uses of a gradient: inputs[0] for x(1)."""
    return f"{INPUTS}[{t - 1}]"


def joined(
    uses: Mapping[str, Array], like: Mapping[str, Array], zeros: Callable[[Array], Array] = np.zeros_like
) -> Gradient:
    """Return a gradient from its uses: arrays by name, with that of inputs row by row.

    Args:
        uses: Parameters, rows of inputs as `row` names them, and arrays of the initial state. What is missing is zero.
        like: The problem's arrays that are asked for.
        zeros: Makes zeros of the shape of an array.
    """
    found: Gradient = {}
    for name, array in like.items():
        if kind_of(name) == INPUTS:
            rows = [uses.get(row(t)) for t in range(1, len(array) + 1)]
            found[name] = np.stack([zeros(x) if use is None else use for x, use in zip(array, rows, strict=True)])
        else:
            found[name] = uses[name] if name in uses else zeros(array)
    return found
