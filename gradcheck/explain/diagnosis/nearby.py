"""Change of a rule's error from a problem to one nearby, which tells rounding from mistakes.

The error of a mistake, or of a Taylor series that was cut, hardly changes with the last digits of a problem. Rounding
changes beyond recognition as soon as the numbers move by more than the spacing of their format, and not before.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...reference.errors import GradcheckError
from ...reference.typing import Array
from .comparison import Comparison
from .points import FloatPoint

_MOST = 3
"""Points that are looked at, those at which the rule is wrong first."""


def changes(comparison: Comparison, size: float) -> float:
    """Return how much the error of the wrong parameters changes where every number of the problem does.

    Args:
        comparison: The points of the diagnosis.
        size: The largest relative change of the problem's numbers.

    Returns:
        The median over points of the error's change, relative to the error: about 0 for a mistake, about 1.4 if the
        errors have nothing in common. It is 0 if the points are not all floats, or the rule fails nearby.
    """
    found = []
    for number, point in enumerate(comparison.points[:_MOST]):
        if not isinstance(point, FloatPoint):
            return 0.0
        near = point.floats.map(_moved(np.random.default_rng(number), size))
        try:
            moved = comparison.on_floats(near.varied(loss_weights=point.floats.loss_weights))
        except GradcheckError:
            return 0.0
        before, after = (_errors(each, comparison.wrong) for each in (point, moved))
        norm = float(np.linalg.norm(before))
        found.append(float(np.linalg.norm(after - before)) / norm if norm else 0.0)
    ratio = float(np.median(found))
    return ratio if np.isfinite(ratio) else 0.0


def _moved(rng: np.random.Generator, size: float) -> Callable[[Array], Array]:
    return lambda array: array * (1 + size * rng.uniform(-1, 1, np.shape(array)))


def _errors(point: FloatPoint, names: tuple[str, ...]) -> Array:
    with np.errstate(all="ignore"):
        parts = [np.asarray(point.result[name], dtype=float) - point.middles[name] for name in names]
    return np.concatenate([np.reshape(part, -1) for part in parts])
