"""Recognition of difference quotients by the size of their error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...reference.problem import Problem, loss
from ...reference.typing import Array
from .comparison import Comparison
from .points import FloatPoint

_ROUNDING = (1e-5, 1e-6, 1e-7)
"""Steps at which rounding dominates, yet far below that of float32: only the sizes of the errors are compared."""
_CUT = (1e-1, 1e-2, 1e-3, 1e-4)
"""Steps at which the remainder of the Taylor series dominates: the errors are compared entry by entry."""


@dataclass(frozen=True)
class Differences:
    """The step of central differences whose error matches the result's, and a sentence about it."""

    step: float
    text: str


def differences(comparison: Comparison) -> Differences | None:
    """Find the step of central differences whose error matches the result's.

    Args:
        comparison: The points of the diagnosis.

    Returns:
        The step and a sentence, or None if no step matches or the points are not all floats.
    """
    points = [point for point in comparison.points if isinstance(point, FloatPoint)]
    if len(points) < len(comparison.points) or set(comparison.wrong) != set(points[0].result):
        return None
    errors = [_flat(point, point.result) - _flat(point, point.middles) for point in points]
    if not all(np.isfinite(error).all() and error.any() for error in errors):
        return None
    best: tuple[float, float] | None = None
    for step in (*_CUT, *_ROUNDING):
        others = [_quotients(point, step) - _flat(point, point.middles) for point in points]
        if step in _CUT:
            off = max(_ratio(e - o, o) for e, o in zip(errors, others, strict=True))
            fits, distance = off < 0.1, off
        else:
            logs = [abs(np.log10(_ratio(e, o))) for e, o in zip(errors, others, strict=True)]
            fits, distance = max(logs) < 0.5, float(np.mean(logs))
        if fits and (best is None or distance < best[1]):
            best = step, distance
    if best is None:
        return None
    text = (
        f"Its error is as large as that of central differences with a step of {best[0]:g}, which are no exact "
        "gradient: compute derivatives, or claim nothing exact"
    )
    return Differences(best[0], text)


def _ratio(a: Array, b: Array) -> float:
    size = float(np.linalg.norm(b))
    return float(np.linalg.norm(a)) / size if size else float("inf")


def _flat(point: FloatPoint, gradient: dict[str, Array]) -> Array:
    return np.concatenate([np.asarray(gradient[name], dtype=float).reshape(-1) for name in point.result])


def _quotients(point: FloatPoint, step: float) -> Array:
    """Return the central difference quotients of the loss, one for each entry of the parameters, as a vector."""
    problem, values = point.floats, list[float]()
    for name in point.result:
        for index in np.ndindex(*problem.parameters[name].shape):
            high, low = (_loss(problem, name, index, move) for move in (step, -step))
            values.append((high - low) / (2 * step))
    return np.array(values)


def _loss(problem: Problem, name: str, index: Sequence[int], move: float) -> float:
    moved = problem.parameters[name].copy()
    moved[tuple(index)] += move
    return float(loss(problem.replace(parameters={**problem.parameters, name: moved})))
