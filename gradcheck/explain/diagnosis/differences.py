"""Recognition of difference quotients by their errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...reference import arrays
from ...reference.problem import Problem, loss
from ...reference.typing import Array
from .comparison import Comparison
from .nearby import changes
from .points import FloatPoint

_MOVES = {"central": (0.5, -0.5), "forward": (1.0, 0.0), "backward": (0.0, -1.0)}
"""Points at which the loss is taken, in widths of the difference: central differences with a step h are 2 h wide."""
_POWER = {"central": 2, "forward": 1, "backward": 1}
"""Power of the step with which the remainder of the Taylor series grows."""
_FIRST = {"central": 1e-3, "forward": 1e-4, "backward": 1e-4}
"""Steps at which the first term of the remainder is most of the error."""
_ROUNDING = (1e-5, 6e-6, 3e-6, 1e-6, 3e-7, 1e-7, 3e-8, 1e-8)
"""Steps at which rounding dominates central differences: only the sizes of the errors are compared."""


@dataclass(frozen=True)
class Differences:
    """Differences whose error matches the result's.

    Attributes:
        step: The step, to two digits.
        kind: "central", "forward" or "backward" if the errors match entry by entry; empty if only their sizes do.
        text: A sentence about them.
    """

    step: float
    kind: str
    text: str


def differences(comparison: Comparison) -> Differences | None:
    """Find the differences whose error matches the result's.

    Args:
        comparison: The points of the diagnosis.

    Returns:
        The differences, or None if none match or the points are not all floats.
    """
    points = [point for point in comparison.points if isinstance(point, FloatPoint)]
    if len(points) < len(comparison.points):
        return None
    errors = [_flat(point, point.result) - _flat(point, point.middles) for point in points]
    if not all(np.isfinite(error).all() and error.any() for error in errors):
        return None
    # Where the step is small, rounding blurs the entries, and is other rounding on a problem next to it.
    blurred = changes(comparison, 1e-9)
    for kind in _MOVES:
        if step := _by_entry(points, errors, kind, 0.3 if blurred > 0.1 else 0.1):
            return _found(step, kind)
    everywhere = set(comparison.wrong) == set(points[0].result)
    if everywhere and blurred > 0.3 and (step := _by_size(points, errors)):
        return _found(step, "")
    return None


def _found(step: float, kind: str) -> Differences:
    text = f"as far off as differences with a step of {step:g} are"
    text += f", entry by entry those of {kind} differences" if kind else ""
    return Differences(step, kind, f"It is {text}: compute derivatives, or claim nothing exact")


def _by_entry(points: Sequence[FloatPoint], errors: Sequence[Array], kind: str, most: float) -> float | None:
    """Return the step at which the error is that of the differences, but for the fraction `most`, if there is one."""
    step = _FIRST[kind]
    for _ in range(2):  # the second time from near the step itself, where further terms count as they do there
        others = _remainders(points, step, kind)
        overlap = sum(float(e @ o) for e, o in zip(errors, others, strict=True))
        size = sum(float(o @ o) for o in others)
        if not (overlap > 0 and size > 0 and np.isfinite(overlap / size)):
            return None
        step *= float((overlap / size) ** (1 / _POWER[kind]))
        if not 1e-9 < step < 1:
            return None
    for digits in (1, 2):
        rounded = float(f"{step:.{digits}g}")
        others = _remainders(points, rounded, kind)
        if max(_ratio(e - o, o) for e, o in zip(errors, others, strict=True)) < most:
            return rounded
    return None


def _by_size(points: Sequence[FloatPoint], errors: Sequence[Array]) -> float | None:
    """Return the step at which rounding makes errors as large, if there is one."""
    best: tuple[float, float] | None = None
    for step in _ROUNDING:
        others = _remainders(points, step, "central")
        logs = [abs(np.log10(_ratio(e, o))) for e, o in zip(errors, others, strict=True)]
        if max(logs) < 0.5 and (best is None or np.mean(logs) < best[1]):
            best = step, float(np.mean(logs))
    return best and best[0]


def _ratio(a: Array, b: Array) -> float:
    size = float(np.linalg.norm(b))
    return float(np.linalg.norm(a)) / size if size else float("inf")


def _flat(point: FloatPoint, gradient: dict[str, Array]) -> Array:
    return np.concatenate([np.asarray(gradient[name], dtype=float).reshape(-1) for name in point.result])


def _remainders(points: Sequence[FloatPoint], step: float, kind: str) -> list[Array]:
    """Return the errors of the difference quotients of the loss, as one vector for each point."""
    found = []
    for point in points:
        width = 2 * step if kind == "central" else step
        problem, values = point.floats, list[float]()
        for name in point.result:
            for index in np.ndindex(*problem.arrays()[name].shape):
                high, low = (_loss(problem, name, index, move * width) for move in _MOVES[kind])
                values.append((high - low) / width)
        found.append(np.array(values) - _flat(point, point.middles))
    return found


def _loss(problem: Problem, name: str, index: Sequence[int], move: float) -> float:
    moved = problem.arrays()[name].copy()
    moved[tuple(index)] += move
    return float(loss(arrays.replaced(problem, name, moved)))
