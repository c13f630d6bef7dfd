"""Claims, networks and problems as plain data that a file can hold, and back.

A shipped network is its kind and the names of its functions. A user's own is the class by module and name, the
expression that makes it again, and its repr to tell whether that came out the same; nothing in a file is evaluated
but literals.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..explain.program import constructor, shipped
from ..reference.claims import CLAIMS, Claim, Equals, LagClaim
from ..reference.errors import GradcheckError
from ..reference.networks.base import ContextNetwork, Network, RecurrentNetwork
from ..reference.problem import Problem
from ..reference.typing import Array
from ..rules.adapt import as_rule

_SHIPPED: dict[str, Any] = {"Network": Network, "ContextNetwork": ContextNetwork}
_GIVEN = ("inputs", "targets", "loss_weights")


def claim_as_data(claim: Claim) -> dict[str, Any]:
    """{"kind": "truncated", "tau": 3}; of `Equals` the target as module:name, empty where it has none."""
    if isinstance(claim, Equals):
        origin = as_rule(claim.target).origin
        return {"kind": claim.kind, "target": origin if _named(origin) is claim.target else ""}
    return {"kind": claim.kind, **dataclasses.asdict(claim)}


def claim_from(data: Mapping[str, Any]) -> Claim:
    """The claim that `claim_as_data` wrote. Raises `GradcheckError` where it is none, or its rule cannot be found."""
    kind = data.get("kind")
    judged = {name: made for name, made in CLAIMS.items() if issubclass(made, (LagClaim, Equals))}
    if kind not in judged:
        raise GradcheckError(f"its claim is {kind!r}; a case is about one of {', '.join(judged)}")
    wanted, came = {f.name for f in dataclasses.fields(judged[kind])}, set(data) - {"kind"}
    if wanted != came:
        names = [", ".join(sorted(each)) or "no numbers" for each in (came, wanted)]
        raise GradcheckError(f"its claim {kind} has {names[0]}; wanted {names[1]}")
    if kind != Equals.kind:
        if not all(isinstance(number, int) for number in (data[name] for name in wanted)):
            raise GradcheckError(f"its claim {dict(data)} should have whole numbers")
        return judged[kind](**{name: data[name] for name in wanted})
    target = _named(str(data["target"]))
    if target is None:
        raise GradcheckError(
            f"its claim is equality with the rule {data['target']!r}, which cannot be imported; run this where it can "
            "be, or give that rule a name in a module"
        )
    return Equals(target)


def network_as_data(network: RecurrentNetwork) -> dict[str, str]:
    """{"kind": "Network", "activation": "tanh", ...}; of a user's own {"kind": "own", "class": ..., ...}."""
    if shipped(network):
        known: Any = network
        return {
            "kind": type(network).__name__,
            "activation": known.activation.name,
            "output": known.head.output.name,
            "loss": known.head.loss.name,
        }
    return {
        "kind": "own",
        "class": _class(network),
        "made": constructor(network) or "",
        "repr": repr(network),
    }


def _class(network: RecurrentNetwork) -> str:
    return f"{type(network).__module__}:{type(network).__qualname__}"


def network_from(data: Mapping[str, Any], declared: Iterable[RecurrentNetwork] = ()) -> RecurrentNetwork:
    """The network that `network_as_data` wrote; a user's own may be one of those that a rule declares.

    Raises `GradcheckError` where its class is not found, or does not make the same network again.
    """
    kind = data.get("kind")
    if kind in _SHIPPED:
        names = [data.get(part) for part in ("activation", "output", "loss")]
        if not all(isinstance(name, str) for name in names):
            raise GradcheckError(f"its network {dict(data)} lacks the name of its activation, output or loss")
        return _SHIPPED[kind](*names)  # type: ignore[no-any-return]
    if kind != "own" or not all(isinstance(data.get(part), str) for part in ("class", "made", "repr")):
        raise GradcheckError(
            f"its network {dict(data)!r:.60} is of no known kind; wanted {', '.join(_SHIPPED)}, or own with class, "
            "made and repr"
        )
    for network in declared:
        if _class(network) == data["class"] and repr(network) == data["repr"]:
            return network
    return _made_again(data["class"], data["made"], data["repr"])


def _made_again(name: str, made: str, shown: str) -> RecurrentNetwork:
    kind = _named(name)
    if not isinstance(kind, type):
        raise GradcheckError(
            f"its network is {shown} of the class {name}, which cannot be imported; run this where it can be, or "
            "declare the network on the rule: @gradcheck.rule(..., networks=[...])"
        )
    network: Any = None
    came = "nothing was found that makes it again"
    if made:
        try:
            call = ast.parse(made, mode="eval").body
            if not isinstance(call, ast.Call):
                raise ValueError("no call of a class")
            values = [ast.literal_eval(argument) for argument in call.args]
            network = kind(*values, **{str(part.arg): ast.literal_eval(part.value) for part in call.keywords})
            came = f"{made} is {network!r} now"
        except Exception as error:
            came = f"{made} raised {type(error).__name__}: {error}"
    if network is None or repr(network) != shown:
        raise GradcheckError(
            f"its network is {shown} of the class {name}, and {came}; declare the network on the rule: "
            "@gradcheck.rule(..., networks=[...])"
        )
    return network  # type: ignore[no-any-return]


def _named(name: str) -> Any:
    """What "module:qualname" names; None where there is no such thing."""
    module, _, qualname = name.partition(":")
    try:
        found = sys.modules.get(module) or importlib.import_module(module)
        for part in qualname.split("."):
            found = getattr(found, part)
    except Exception:  # a module may do anything while it is imported
        return None
    return found


def problem_from(arrays: Mapping[str, Any], network: RecurrentNetwork) -> Problem:
    """The problem whose arrays, nested lists of numbers as text, these are. Raises `GradcheckError` for any other."""
    missing = [name for name in _GIVEN if name not in arrays]
    if missing or not any(name.startswith("initial_state") for name in arrays):
        raise GradcheckError(f"its arrays lack {', '.join(missing) or 'initial_state'}; it has {', '.join(arrays)}")
    read = {name: _array(value, name) for name, value in arrays.items()}
    states = [read.pop(name) for name in list(read) if name.startswith("initial_state[")]
    state: Any = tuple(states) if states else read.pop("initial_state")
    inputs, targets, weights = (read.pop(name) for name in _GIVEN)
    try:
        return Problem(read, inputs, targets, state, weights, network)
    except GradcheckError as error:
        raise GradcheckError(f"its arrays do not fit together: {error}") from error


def _array(value: Any, name: str) -> Array:
    try:
        return np.array(_floats(value, name), dtype=np.float64)
    except ValueError as error:
        raise GradcheckError(f"{name} holds rows of different lengths ({error})") from error


def _floats(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_floats(each, name) for each in value]
    try:
        if isinstance(value, str):
            return float.fromhex(value) if "x" in value.lower() else float(value)
    except ValueError:
        pass
    raise GradcheckError(f"{name} holds {value!r:.40}; wanted lists of numbers as text, such as '0.5' or '0x1p-1'")
