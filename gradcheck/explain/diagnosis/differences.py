"""Results that are as far off as difference quotients of the loss are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...reference.problem import Problem, loss
from ...reference.typing import Array
from .comparison import Ground
from .points import FloatPoint

_ROUNDING = (1e-5, 1e-6, 1e-7)
"""Steps whose quotients are off by rounding, yet by far less than float32 would be: only their sizes are compared."""
_CUT = (1e-1, 1e-2, 1e-3, 1e-4)
"""Steps whose quotients are off by what the Taylor series leaves out, entry by entry."""


@dataclass(frozen=True)
class Differences:
    """The step of the central differences that are as far off as the result, and the sentence that says so."""

    step: float
    text: str


def differences(ground: Ground) -> Differences | None:
    """Return the step of central differences whose error is the result's, or None. Floats only."""
    points = [point for point in ground.points if isinstance(point, FloatPoint)]
    if len(points) < len(ground.points) or set(ground.wrong) != set(points[0].result):
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
        f"It is as far off as central differences with a step of {best[0]:g} are: difference quotients are no exact "
        "gradient; compute derivatives, or claim nothing exact"
    )
    return Differences(best[0], text)


def _ratio(a: Array, b: Array) -> float:
    size = float(np.linalg.norm(b))
    return float(np.linalg.norm(a)) / size if size else float("inf")


def _flat(point: FloatPoint, gradient: dict[str, Array]) -> Array:
    return np.concatenate([np.asarray(gradient[name], dtype=float).reshape(-1) for name in point.result])


def _quotients(point: FloatPoint, step: float) -> Array:
    """Return the central difference quotients of the loss in every entry of the parameters, one after the other."""
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
