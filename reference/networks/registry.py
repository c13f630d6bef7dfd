"""Shipped networks by name, and as plain data that a file can hold.

A file names a shipped network by its kind and its functions; nothing that it says is imported or called.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import GradcheckError
from .activations import ACTIVATIONS
from .context import ContextNetwork
from .elman import Network
from .headed import HeadedNetwork
from .losses import HEADS
from .start import GIVEN

SHIPPED: dict[str, type[HeadedNetwork]] = {"Network": Network, "ContextNetwork": ContextNetwork}
"""Kind to class. A network that is new is added here."""

DEFAULT_NETWORK = Network()
ALL_NETWORKS = tuple(Network(a, g, loss) for g, loss in HEADS for a in ACTIVATIONS)
"""Every activation with every output and loss that go together."""
ALL_CONTEXT_NETWORKS = tuple(ContextNetwork(a, g, loss) for g, loss in HEADS for a in ACTIVATIONS)

_NAMES = ("activation", "output", "loss", "initial_state")


def is_shipped(network: Any) -> bool:
    """Return whether the class of a network is one of `SHIPPED`; a subclass is not, for it may step otherwise."""
    return type(network) in SHIPPED.values()


def to_data(network: Any) -> dict[str, str] | None:
    """Return a shipped network as {"kind": "Network", "activation": "tanh", ...}, or None for any other network."""
    for kind, made in SHIPPED.items():
        if type(network) is made:
            head = network.head
            names = {"activation": network.activation.name, "output": head.output.name, "loss": head.loss.name}
            if network.initial_state != GIVEN:
                names["initial_state"] = network.initial_state
            try:
                return {"kind": kind, **names} if made(**names) == network else None
            except GradcheckError:  # a function of the user's own, or an undefined one
                return None
    return None


def from_data(data: Mapping[str, Any]) -> HeadedNetwork:
    """Return the shipped network that `to_data` wrote.

    Args:
        data: kind, and optionally the names of activation, output and loss, and where sequences start.

    Raises:
        GradcheckError: The kind or a name is unknown, or there is something else in `data`.
    """
    names = dict(data)
    kind = names.pop("kind", None)
    if not isinstance(kind, str) or kind not in SHIPPED:
        raise GradcheckError(f"there is no shipped network {kind!r:.60}; choose one of {', '.join(SHIPPED)}")
    if strange := [name for name in names if name not in _NAMES]:
        raise GradcheckError(f"a network has no {strange[0]!r:.60}; wanted {', '.join(_NAMES)}")
    if odd := [name for name, value in names.items() if not isinstance(value, str)]:
        raise GradcheckError(f"the network's {odd[0]} must be a name; got {names[odd[0]]!r:.60}")
    return SHIPPED[kind](**names)
