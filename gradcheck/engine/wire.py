"""What units find, as plain data that JSON holds, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..evidence.base import Finding, Witness
from ..evidence.pieces import Part
from ..records import Evidence
from ..reference.networks.base import RecurrentNetwork, Sizes
from ..reference.problem import Problem
from ..store.codec import from_data, to_data
from ..store.data import problem_from
from .course import Course


def part_as_data(part: Part) -> dict[str, Any]:
    """{"shown": ..., "seconds": ...}, or "ended" for a finding."""
    if part.ended is not None:
        return {"ended": _finding_as_data(part.ended), "seconds": part.seconds}
    return {"shown": to_data(part.shown), "seconds": part.seconds}


def part_from(data: Mapping[str, Any], network: RecurrentNetwork) -> Part:
    """The part that `part_as_data` wrote, of evidence on this network."""
    if "ended" in data:
        return Part(ended=_finding_from(data["ended"], network), seconds=data["seconds"])
    return Part(shown_from(data), seconds=data["seconds"])


def shown_from(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the piece showed."""
    found: Mapping[str, Any] = from_data(Any, data["shown"])
    return found


def _finding_as_data(finding: Finding) -> dict[str, Any]:
    return {
        "evidence": to_data(finding.evidence),
        "generic": finding.generic,
        "planted": list(finding.planted),
        "witness": finding.witness and _witness_as_data(finding.witness),
    }


def _finding_from(data: Mapping[str, Any], network: RecurrentNetwork) -> Finding:
    evidence = from_data(Evidence, data["evidence"])
    witness = data["witness"] and _witness_from(data["witness"], network)
    given, rejected = data["planted"]
    return Finding(evidence, witness, data["generic"], (given, rejected))


def _witness_as_data(witness: Witness) -> dict[str, Any]:
    arrays = witness.problem and {name: _text(array) for name, array in witness.problem.arrays().items()}
    return {
        "sizes": list(dataclasses.astuple(witness.sizes)),
        "settings": dict(witness.settings),
        "detail": witness.detail,
        "arrays": arrays,
        "floats": witness.floats,
        "dtype": witness.dtype,
    }


def _text(array: Any) -> Any:
    """Nested lists of hexadecimal floats."""
    if isinstance(array, np.ndarray) and array.ndim:
        return [_text(each) for each in array]
    return float(array).hex()


def _witness_from(data: Mapping[str, Any], network: RecurrentNetwork) -> Witness:
    sizes, settings = Sizes(*data["sizes"]), dict(data["settings"])
    problem: Problem | None = data["arrays"] and problem_from(data["arrays"], network, sizes)
    return Witness(network, sizes, settings, data["detail"], problem, data["floats"], data["dtype"])


def course_as_data(course: Course) -> Any:
    """How far an audit came."""
    return to_data(course)


def course_from(data: Mapping[str, Any]) -> Course:
    """The course that `course_as_data` wrote."""
    found: Course = from_data(Course, data)
    return found


def require_found(data: Any) -> None:
    """Raises an error of some kind for what is not {"part": ...}, {"course": ...} or {"failed": ...}."""
    ((kind, value),) = data.items()
    if kind == "part":
        from_data(float, value["seconds"])
        if "ended" not in value:
            from_data(dict[str, Any], value["shown"])
            return
        ended = value["ended"]
        from_data(Evidence, ended["evidence"])
        from_data(tuple[int, int], ended["planted"])
        if not {"witness", "generic"} <= set(ended):
            raise ValueError("a finding without a witness, or None for one")
    elif kind == "course":
        if not course_from(value).verdicts:
            raise ValueError("a course without verdicts")
    elif kind != "failed" or not isinstance(value, str):
        raise ValueError(f"no unit finds {kind!r}")
