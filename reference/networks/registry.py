"""Shipped networks by name, and as plain data that a file can hold.

A file names a shipped network by its kind, its functions and its options; nothing that it says is imported or called.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from ..errors import GradcheckError
from .activations import ACTIVATIONS
from .batch import Batch
from .context import ContextNetwork
from .elman import Network
from .gated import GRU, MGU
from .headed import HeadedNetwork
from .leaky import ContinuousTime, Leaky
from .linear import LRU, RTU
from .losses import HEADS
from .lstm import LSTM
from .simple import IRNN, Elman, Jordan
from .stacked import Stacked

SHIPPED: dict[str, type[HeadedNetwork]] = {
    made.__name__: made
    for made in (Network, ContextNetwork, Elman, IRNN, Jordan, Leaky, ContinuousTime, GRU, MGU, LSTM, LRU, RTU, Stacked)
}
"""Kind to class. A network that is new is added here."""
SHORT = {
    "context": ContextNetwork, "elman": Elman, "irnn": IRNN, "jordan": Jordan, "leaky": Leaky, "ctrnn": ContinuousTime,
    "gru": GRU, "mgu": MGU, "lstm": LSTM, "lru": LRU, "rtu": RTU,
}  # fmt: skip
"""The names of kinds on a command line."""


def _options(made: type[HeadedNetwork]) -> dict[str, tuple[Any, Any]]:
    types = typing.get_type_hints(made)
    functions = ("activation", "head", *made.fixed)
    return {
        each.name: (types[each.name], each.default) for each in dataclasses.fields(made) if each.name not in functions
    }


OPTIONS = {kind: _options(made) for kind, made in SHIPPED.items()}
"""The options of each kind beside functions and layers: name to its type and its default."""

DEFAULT_NETWORK = Network()
ALL_NETWORKS = tuple(Network(a, g, loss) for g, loss in HEADS for a in ACTIVATIONS)
"""Every activation with every output and loss that go together."""
ALL_CONTEXT_NETWORKS = tuple(ContextNetwork(a, g, loss) for g, loss in HEADS for a in ACTIVATIONS)

_NAMES = ("activation", "output", "loss", "initial_state")


def is_shipped(network: Any) -> bool:
    """Return whether a network, and each layer of it, is of one of `SHIPPED`; a subclass may step otherwise.

    So is a batch of such a network.
    """
    if type(network) is Batch:
        return is_shipped(network.network)
    return type(network) in SHIPPED.values() and all(map(is_shipped, getattr(network, "layers", ())))


def to_data(network: Any) -> dict[str, Any] | None:
    """Return a shipped network as {"kind": "LSTM", "activation": "tanh", ..., "peepholes": True}.

    Options are left out at their defaults. Returns None for a network that is not shipped, or has a function of the
    user's own.
    """
    if not is_shipped(network):
        return None
    if type(network) is Batch:
        own = to_data(network.network)
        return None if own is None else {"kind": "Batch", "network": own, **network.chosen()}
    head = network.head
    data = {"kind": type(network).__name__, "output": head.output.name, "loss": head.loss.name, **network.chosen()}
    if isinstance(network, Stacked):
        layers = [to_data(layer) for layer in network.layers]
        data["layers"] = layers
        if None in layers:
            return None
    else:
        data = {"kind": data.pop("kind"), "activation": network.activation.name, **data}
    try:
        return data if from_data(data) == network else None
    except GradcheckError:  # a function of the user's own, or an undefined one
        return None


def from_data(data: Mapping[str, Any]) -> Any:
    """Return the shipped network that `to_data` wrote.

    Args:
        data: kind, and optionally the names of activation, output and loss, and options.

    Raises:
        GradcheckError: The kind, a name or an option is unknown, or there is something else in `data`.
    """
    names = dict(data)
    kind = names.pop("kind", None)
    if kind == "Batch":
        return _batch(names)
    if not isinstance(kind, str) or kind not in SHIPPED:
        raise GradcheckError(f"there is no shipped network {kind!r:.60}; choose one of {', '.join(SHIPPED)}, Batch")
    layers = names.pop("layers", []) if kind == "Stacked" else []
    if not isinstance(layers, list) or not all(isinstance(layer, Mapping) for layer in layers):
        raise GradcheckError(f"the layers of a stacked network are a list of networks; got {layers!r:.60}")
    functions = ("output", "loss") if kind == "Stacked" else ("activation", "output", "loss")
    known = [*functions[:-1], *OPTIONS[kind]]
    if strange := [name for name in names if name not in (*known, "loss")]:
        raise GradcheckError(f"a network has no {strange[0]!r:.60}; wanted {', '.join(known)} and loss")
    if odd := [name for name in functions if not isinstance(names.get(name, ""), str)]:
        raise GradcheckError(f"the network's {odd[0]} must be a name; got {names[odd[0]]!r:.60}")
    made: Any = SHIPPED[kind]
    return made(*map(from_data, layers), **names)


def _batch(options: dict[str, Any]) -> Batch:
    """Return the batch that `to_data` wrote, without its kind."""
    network = options.pop("network", None)
    if not isinstance(network, Mapping) or network.get("kind") == "Batch":
        raise GradcheckError(f"the network of a batch is a shipped network; got {network!r:.60}")
    if strange := [name for name in options if name not in BATCH_OPTIONS]:
        raise GradcheckError(f"a batch has no {strange[0]!r:.60}; wanted network, {', '.join(BATCH_OPTIONS)}")
    return Batch(from_data(network), **options)


BATCH_OPTIONS = tuple(each.name for each in dataclasses.fields(Batch) if each.name not in ("network", "weights"))
"""The options of a batch."""
