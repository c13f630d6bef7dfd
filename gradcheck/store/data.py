"""Claims, networks and problems as plain data that a file can hold, and back.

A file is data: nothing that it names is imported, called or evaluated. A shipped network is its kind and the names of
its functions. Any other network, and the target of `Equals`, is only *recognised* among those that the rule at hand
declares; shipped rules are targets too.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from ..algorithms import CATALOGUE
from ..reference import wanted
from ..reference.claims import CLAIMS, NORMWISE, Claim, Equals, GradientClaim, LagClaim
from ..reference.errors import GradcheckError
from ..reference.networks import registry
from ..reference.networks.base import RecurrentNetwork, Sizes
from ..reference.problem import Problem, named_state
from ..reference.typing import Array
from ..rules.adapt import as_rule

MOST_STEPS = 10_000
MOST_WORK = 10_000_000
"""Most T I (I + D + K), the multiplications of one forward pass."""
MOST_AXES = 8

Name = Annotated[str, msgspec.Meta(max_length=1000)]
Layers = Annotated[list[dict[str, Name | bool | int | float | None]], msgspec.Meta(max_length=100)]
Length = Annotated[int, msgspec.Meta(ge=1, le=MOST_STEPS)]
_NUMBER = re.compile(r"-?([0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?|0x[0-9a-fA-F]+(\.[0-9a-fA-F]*)?(p[-+]?[0-9]+)?)")
_GIVEN = ("inputs", "targets", "loss_weights")
_STRICT: dict[str, Any] = {"tag_field": "kind", "forbid_unknown_fields": True}


def _documented(text: str) -> dict[str, Any]:
    return {"__doc__": text}


_ROUNDING = ("rounding", Literal["normwise", "entrywise"], NORMWISE)
_Kind = Literal["parameters", "inputs", "initial_state"]
_OF = ("of", Annotated[tuple[_Kind, ...], msgspec.Meta(min_length=1, max_length=3)], wanted.DEFAULT)
_LAGS = {kind: made for kind, made in CLAIMS.items() if issubclass(made, LagClaim)}
LAG_CLAIMS = tuple(
    msgspec.defstruct(
        kind, [*((name, Length) for name in made.arguments()), _OF, _ROUNDING], tag=kind,
        namespace=_documented((made.__doc__ or "").partition("\n")[0]), **_STRICT,
    )
    for kind, made in _LAGS.items()
)  # fmt: skip


class EqualsData(msgspec.Struct, tag="equals", **_STRICT):
    """The claim that the rule returns what another rule returns; target: that rule, as module:name."""

    target: Name
    rounding: Literal["normwise", "entrywise"] = NORMWISE


def _functions(kind: str) -> list[tuple[str, Any]]:
    """Return the fields of a shipped network that a file must have."""
    names: list[tuple[str, Any]] = [("activation", Name), ("output", Name), ("loss", Name)]
    return [("layers", Layers), *names[1:]] if kind == "Stacked" else names


_OF_ONE = tuple(
    msgspec.defstruct(
        kind, [*_functions(kind), *((name, *option) for name, option in registry.OPTIONS[kind].items())], tag=kind,
        namespace=_documented("A shipped network, by the names of its functions, and its options."), **_STRICT,
        omit_defaults=True,
    )
    for kind in registry.SHIPPED
)  # fmt: skip


class BatchData(msgspec.Struct, tag="Batch", omit_defaults=True, **_STRICT):
    """A batch of a shipped network, and its options."""

    network: Annotated[dict[str, Name | bool | int | float | Layers | None], msgspec.Meta(max_length=20)]
    N: Annotated[int, msgspec.Meta(ge=1, le=1000)] | None = 2
    reduction: Name = "mean"
    time: Name = "sum"
    outputs: Name = "sum"
    scale: Length = 1
    lengths: Name | Annotated[list[Length], msgspec.Meta(max_length=1000)] = "equal"
    padding: Name = "nan"
    tokens: bool = False
    batch_first: bool = False


NETWORKS = (*_OF_ONE, BatchData)


class OwnNetwork(msgspec.Struct, tag="own", rename={"qualname": "class"}, **_STRICT):
    """A user's own network, as module:class and repr. made: written by old versions, and ignored."""

    qualname: Name
    repr: Name
    made: str = ""


class SizesData(msgspec.Struct, forbid_unknown_fields=True):
    """Steps, units, inputs, outputs."""

    T: Length
    I: Length  # noqa: E741
    D: Length
    K: Length


class Numbers:
    """Nested lists of numbers as text."""

    def __init__(self, value: Any) -> None:
        self.value = value


def claim_as_data(claim: Claim) -> dict[str, Any]:
    """Return {"kind": "truncated", "tau": 3}, or for `Equals` its target as module:name."""
    said = {name: getattr(claim, name) for name in claim.arguments()}
    if isinstance(claim, Equals):
        said["target"] = as_rule(claim.target).origin
    if isinstance(claim, LagClaim) and claim.of != wanted.DEFAULT:
        said["of"] = list(claim.of)
    if isinstance(claim, GradientClaim) and claim.rounding != NORMWISE:
        said["rounding"] = claim.rounding
    return {"kind": claim.kind, **said}


def claim_from(data: Any, declared: Iterable[Claim] = ()) -> Claim:
    """Return the claim of a case.

    Args:
        data: One of `LAG_CLAIMS`, or `EqualsData`.
        declared: The claims of the rule at hand; the target of an `Equals` is one of theirs, or a shipped rule.

    Raises:
        GradcheckError: The target is neither, or the numbers make no claim.
    """
    if not isinstance(data, EqualsData):
        return _LAGS[data.__struct_config__.tag](**msgspec.structs.asdict(data))
    own = [claim for claim in declared if isinstance(claim, Equals)]
    for claims in (own, [Equals(each) for each in list[Any](CATALOGUE)]):
        found = [each for each in claims if _same_place(as_rule(each.target).origin, data.target)]
        if len(found) == 1:
            return dataclasses.replace(found[0], rounding=data.rounding)
        if found:
            raise GradcheckError(
                f"its claim is equality with {data.target!r:.200}, and the rule declares {len(found)} targets of that "
                "name; give each a name of its own"
            )
    raise GradcheckError(
        f"its claim is equality with {data.target!r:.200}, which is no shipped rule and is not declared by this one; "
        "declare it: @gradcheck.rule(gradcheck.Equals(...)), or pass claims=[gradcheck.Equals(...)]"
    )


def network_as_data(network: RecurrentNetwork) -> dict[str, str]:
    """Return {"kind": "Network", "activation": "tanh", ...}, or {"kind": "own", "class": ..., "repr": ...}."""
    if data := registry.to_data(network):
        return data
    return {"kind": "own", "class": f"{type(network).__module__}:{type(network).__qualname__}", "repr": _shown(network)}


def network_from(data: Any, declared: Iterable[RecurrentNetwork] = ()) -> RecurrentNetwork:
    """Return the network of a case.

    Args:
        data: One of `NETWORKS`, or `OwnNetwork`.
        declared: The networks of the rule at hand, among which one that is not shipped is recognised.

    Raises:
        GradcheckError: It is not among them, or its functions have unknown names.
    """
    if not isinstance(data, OwnNetwork):
        shipped: Any = registry.from_data({"kind": data.__struct_config__.tag, **msgspec.structs.asdict(data)})
        return shipped  # type: ignore[no-any-return]
    found = []
    for each in declared:
        own = network_as_data(each)
        if own["kind"] == "own" and _same_place(own["class"], data.qualname) and own["repr"] == data.repr:
            found.append(each)
    if not found:
        raise GradcheckError(
            f"its network is {data.repr!r:.100} of the class {data.qualname!r:.100}, which this rule does not declare; "
            "declare it: @gradcheck.rule(..., networks=[...]), or pass networks=[...]"
        )
    if len(found) > 1:
        raise GradcheckError(
            f"its network is {data.repr!r:.100}, and the rule declares {len(found)} that look like that; give the "
            f"class {data.qualname!r:.100} a repr that tells them apart"
        )
    return found[0]


def problem_from(arrays: Mapping[str, Any], network: RecurrentNetwork, sizes: Sizes) -> Problem:
    """Return the problem of these arrays, nested lists of numbers as text.

    Raises:
        GradcheckError: They do not fit together, or are too large to be computed with.
    """
    work = sizes.T * sizes.I * (sizes.I + sizes.D + sizes.K)
    if work > MOST_WORK:
        raise GradcheckError(f"it is too large: T I (I + D + K) is {work}, and at most {MOST_WORK} can be replayed")
    read = {name: _array(value, name) for name, value in arrays.items()}
    missing = [name for name in _GIVEN if name not in read]
    if missing:
        raise GradcheckError(f"its arrays lack {', '.join(missing)}; it has {', '.join(read)}")
    try:
        state = named_state(lambda name, shape: read.pop(name), network.state_shape(sizes))
        inputs, targets, weights = (read.pop(name) for name in _GIVEN)
        problem = Problem(read, inputs, targets, state, weights, network)
    except GradcheckError as error:
        raise GradcheckError(f"its arrays do not fit together: {error}") from error
    except KeyError as error:
        raise GradcheckError(f"its arrays lack {error.args[0]}; it has {', '.join(arrays)}") from error
    except Exception as error:  # a user's network may raise anything
        raise GradcheckError(f"its arrays do not fit {network.name}: {type(error).__name__}: {error}") from error
    if problem.sizes != sizes:
        raise GradcheckError(f"its sizes are {sizes}, and its arrays have {problem.sizes}")
    return problem


def arrays_as_data(problem: Problem) -> dict[str, Any]:
    """Return the arrays of a float problem as nested lists of hexadecimal floats."""
    return {name: _text(array) for name, array in problem.arrays().items()}


def _text(array: Any) -> Any:
    if isinstance(array, np.ndarray) and array.ndim:
        return [_text(each) for each in array]
    return float(array).hex()


def array_schema(kind: Any) -> dict[str, Any]:
    """Return the JSON Schema of an array: nested lists of numbers as text."""
    return {
        "description": "Nested lists of numbers as text, decimal or hexadecimal, that read back to the same floats.",
        "anyOf": [
            {"type": "string", "pattern": f"^({_NUMBER.pattern})$"},
            {"type": "array", "items": {"$ref": "#/$defs/array"}},
        ],
    }


def _shown(network: RecurrentNetwork) -> str:
    """Return its repr on one line, without the addresses that the default repr has."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(repr(network).split()))[:1000]


def _same_place(one: str, other: str) -> bool:
    """Compare module:name with another. A script is `__main__` where it runs; a file that was loaded has a prefix."""
    (module, _, name), (its, _, second) = one.partition(":"), other.partition(":")
    modules = {each.removeprefix("_gradcheck_") for each in (module, its)} - {"__main__", "__mp_main__"}
    return name == second and len(modules) <= 1


def _array(value: Any, name: str) -> Array:
    try:
        return np.array(_floats(value, name, MOST_AXES), dtype=np.float64)
    except ValueError as error:
        raise GradcheckError(f"{name} holds rows of different lengths ({error})") from error


def _floats(value: Any, name: str, axes: int) -> Any:
    if isinstance(value, list) and axes:
        return [_floats(each, name, axes - 1) for each in value]
    try:
        if isinstance(value, str) and len(value) < 1000 and _NUMBER.fullmatch(value):
            return float.fromhex(value) if "x" in value else float(value)
    except OverflowError:
        raise GradcheckError(f"{name} holds {value:.40}, which no float holds") from None
    came = repr(value[:40]) if isinstance(value, str) else f"a {type(value).__name__}"
    raise GradcheckError(f"{name} holds {came}; wanted lists of numbers as text, such as '0.5' or '0x1p-1'")
