"""Results of tasks as plain data that JSON holds, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..evidence.base import Finding, Part, Witness
from ..records import Evidence
from ..reference.networks.base import RecurrentNetwork, Sizes
from ..reference.problem import Problem
from ..store.codec import from_data, to_data
from ..store.data import arrays_as_data, problem_from


def check_result(result: Any) -> None:
    """Raise an error of some kind for what is no result of a task."""
    if not isinstance(from_data(dict[str, Any], result)["seconds"], (int, float)):
        raise TypeError("the seconds of a task are a number")
    for key in ("ended", "finding"):
        if key in result:
            ended = result[key]
            from_data(Evidence, ended["evidence"])
            from_data(tuple[int, int], ended["planted"])
            if "witness" not in ended:
                raise ValueError("a finding without a witness, or None for one")
    if "holds" in result:
        from_data(bool, result["holds"])
        from_data(str, result["statement"])
    if not set(result) & {"shown", "ended", "finding", "holds", "explained", "found", "cause", "reached"}:
        raise ValueError("a task without a result")


def part_to_data(part: Part) -> dict[str, Any]:
    """Return {"shown": ..., "seconds": ...}, or "ended" with a finding in place of "shown"."""
    if part.ended is not None:
        return {"ended": finding_to_data(part.ended), "seconds": part.seconds}
    return {"shown": to_data(part.shown), "seconds": part.seconds}


def part_from(data: Mapping[str, Any], network: RecurrentNetwork) -> Part:
    """Return the part that `part_to_data` wrote, of evidence on this network."""
    if "ended" in data:
        return Part(ended=finding_from(data["ended"], network), seconds=data["seconds"])
    return Part(from_data(Any, data["shown"]), seconds=data["seconds"])


def finding_to_data(finding: Finding) -> dict[str, Any]:
    """Return a finding as plain data."""
    return {
        "evidence": to_data(finding.evidence),
        "planted": list(finding.planted),
        "hidden": list(finding.hidden),
        "reach": finding.reach,
        "witness": finding.witness and witness_to_data(finding.witness),
    }


def finding_from(data: Mapping[str, Any], network: RecurrentNetwork) -> Finding:
    """Return the finding that `finding_to_data` wrote, on this network."""
    witness = data["witness"] and witness_from(data["witness"], network)
    given, rejected = data["planted"]
    lags = tuple(data["hidden"]), data["reach"]
    return Finding(from_data(Evidence, data["evidence"]), witness, (given, rejected), *lags)


def witness_to_data(witness: Witness) -> dict[str, Any]:
    """Return a witness as plain data."""
    return {
        "sizes": list(dataclasses.astuple(witness.sizes)),
        "settings": dict(witness.settings),
        "detail": witness.detail,
        "arrays": witness.problem and arrays_as_data(witness.problem),
        "floats": witness.floats,
        "dtype": witness.dtype,
    }


def witness_from(data: Mapping[str, Any], network: RecurrentNetwork) -> Witness:
    """Return the witness that `witness_to_data` wrote, on this network."""
    sizes, settings = Sizes(*data["sizes"]), dict(data["settings"])
    problem: Problem | None = data["arrays"] and problem_from(data["arrays"], network, sizes)
    return Witness(network, sizes, settings, data["detail"], problem, data["floats"], data["dtype"])
