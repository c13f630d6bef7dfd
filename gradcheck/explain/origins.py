"""Expressions and imports that give a printed program its network, or a user's rule or function."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

from ..reference.network import RecurrentNetwork, Stacked
from ..reference.networks.activations import ACTIVATIONS
from ..reference.networks.headed import HeadedNetwork
from ..reference.networks.registry import is_shipped
from ..rules.authors import installed
from .source import FUNCTIONS, LOSSES, OUTPUTS


def shipped(network: RecurrentNetwork) -> bool:
    """Return whether a network is exactly a shipped one.

    Args:
        network: The network.

    Returns:
        True for the networks of gradcheck of known functions; False for subclasses, which may step otherwise.
    """
    if not isinstance(network, HeadedNetwork) or not is_shipped(network):
        return False
    f, g, loss = network.activation, network.head.output.name, network.head.loss.name
    known = f == ACTIVATIONS.get(f.name) and f.name in FUNCTIONS and g in OUTPUTS and loss in LOSSES
    return known and all(map(shipped, getattr(network, "layers", ())))


def expression(network: Any) -> str:
    """Return an expression that makes a shipped network, such as gradcheck.LSTM('tanh', ..., peepholes=True)."""
    if isinstance(network, Stacked):
        given = [*map(expression, network.layers)]
        given += [f"output={network.head.output.name!r}", f"loss={network.head.loss.name!r}"]
    else:
        given = [parts(network)]
    given += [f"{name}={value!r}" for name, value in network.chosen().items()]
    return f"gradcheck.{type(network).__name__}({', '.join(given)})"


def constructor(network: Any) -> str | None:
    """Find an expression that rebuilds the network from its class.

    Args:
        network: The network.

    Returns:
        The expression, checked by evaluation, or None.
    """
    kind = type(network)
    tried = [repr(network), f"{kind.__qualname__}()"]
    with contextlib.suppress(AttributeError):
        tried.insert(0, f"{kind.__qualname__}({parts(network)})")
    for text in tried:
        with contextlib.suppress(Exception):
            made = eval(text, {kind.__qualname__.rpartition(".")[2]: kind, **vars(sys.modules[kind.__module__])})
            if type(made) is kind and (made == network or vars(made) == vars(network)):
                return text
    return None


def parts(network: Any) -> str:
    """Return the arguments of `Network` as source.

    Args:
        network: The network.

    Returns:
        The names of f, g and L, quoted and separated by commas.
    """
    return ", ".join(map(repr, (network.activation.name, network.head.output.name, network.head.loss.name)))


def importable(module_name: str) -> str | None:
    """Return the name under which another program imports a module.

    Args:
        module_name: The name of the module in this process.

    Returns:
        The name, which is the stem of the file for a module loaded from a path; or None.
    """
    name = module_name.removeprefix("_gradcheck_")
    if name == "__main__" or (name != module_name and name in {*sys.stdlib_module_names, "numpy", "gradcheck"}):
        return None
    return name


def importing_instance(network: Any) -> tuple[list[str], str] | None:
    """Return the import lines of a network that a module holds by name, and that name; None if no module does.

    Args:
        network: The network. The module of its `step` is looked at first, then all that are neither installed nor ours.
    """
    first = getattr(network.step, "__module__", None) or ""
    for home in sorted(sys.modules, key=lambda name: name != first):
        file = getattr(sys.modules[home], "__file__", None)
        if home != first and (not file or installed(Path(file))):
            continue
        for name, value in list(vars(sys.modules[home]).items()):
            if value is network and (lines := importing(home, name, network)):
                return lines, name
    return None


def importing(module_name: str, qualname: str, wanted: Any) -> list[str] | None:
    """Return the import lines that bind `wanted` to its qualified name, or None if it has no importable name.

    Args:
        module_name: The name of the module in this process.
        qualname: The qualified name within the module.
        wanted: The object that the name must refer to.

    Returns:
        Lines of source, with an extension of `sys.path` where the module needs it.
    """
    module, name = sys.modules.get(module_name), importable(module_name)
    found: Any = module
    for part in qualname.split("."):
        found = getattr(found, part, None)
    if module is None or wanted is None or found is not wanted or name is None:
        return None
    line = f"from {name} import {qualname.partition('.')[0]}"
    file = getattr(module, "__file__", None)
    folder = Path(file).resolve().parents[name.count(".") + file.endswith("__init__.py")] if file else None
    if folder is None or name.split(".")[0] == "gradcheck" or Path(sys.prefix) in folder.parents:
        return [line]
    return ["import sys", f"sys.path.insert(0, {str(folder)!r})", line]
