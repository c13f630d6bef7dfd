"""Results that are clipped, entry by entry or as a whole, on any network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...reference.typing import Array
from .comparison import Comparison
from .points import FloatPoint


def sentence(comparison: Comparison) -> str | None:
    """Describe the limits to which a result is clipped, or return None if it is not.

    Args:
        comparison: The points of the diagnosis.
    """
    points = [point for point in comparison.points if isinstance(point, FloatPoint)]
    if len(points) < len(comparison.points):  # a rule that compares its numbers does not run on residues
        return None
    return _by_norm(comparison, points) or _by_entry(comparison, points)


def _by_entry(comparison: Comparison, points: Sequence[FloatPoint]) -> str | None:
    """Return words for limits [a, b] if each wrong entry is the limit that the right one exceeds."""
    got, right, off = (
        np.concatenate(
            [np.asarray(_of(point)[name], float).reshape(-1) for point in points for name in comparison.wrong]
        )
        for _of in (lambda p: p.result, lambda p: p.middles, lambda p: {n: ~a for n, a in p.right.items()})
    )
    wrong = off.astype(bool)
    if np.unique(got[wrong]).size > 2 or wrong.sum() < 3:
        return None
    low, high = got[wrong].min(), got[wrong].max()
    # The right entry lies beyond the limit, on the limit's own side of 0.
    above, below = (right > got) & (got == high) & (got > 0), (right < got) & (got == low) & (got < 0)
    inside = (low == high) | ((right <= high) & (right >= low))
    if not (above | below)[wrong].all() or not inside[~wrong].all():
        return None
    limits = f"to [{low:.6g}, {high:.6g}]" if low < high else f"at {low:.6g}"
    names = " and ".join(comparison.wrong)
    return f"Entries of {names} are clipped {limits}, and right where they are smaller ({wrong.sum()} entries)"


def _by_norm(comparison: Comparison, points: Sequence[FloatPoint]) -> str | None:
    """Return words for the norm to which the result is shrunk wherever it is longer."""
    wrong = [point for point in points if not all(same.all() for same in point.right.values())]
    if len(wrong) < 2 or set(comparison.wrong) != set(points[0].result):
        return None
    most = [_norm(point.result) for point in wrong]
    slack = max(_norm(point.allowed) for point in points)
    limit = float(np.median(most))
    if max(most) - min(most) > 2 * slack or any(_norm(p.middles) > limit + slack for p in points if p not in wrong):
        return None
    if not all(_shrunk(point, limit / _norm(point.middles)) for point in wrong):
        return None
    return f"The gradient is shrunk to the norm {limit:.6g} where it is longer ({len(wrong)} problems)"


def _shrunk(point: FloatPoint, factor: float) -> bool:
    return factor < 1 and all(point.shows(name, lambda array, _: array * factor) for name in point.result)


def _norm(gradient: dict[str, Array]) -> float:
    return float(np.sqrt(sum((np.asarray(array, float) ** 2).sum() for array in gradient.values())))
