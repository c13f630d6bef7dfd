"""Recognition of float32 arithmetic: errors beyond the allowance of float64, but within that of float32."""

from __future__ import annotations

from .comparison import Comparison
from .points import FloatPoint, wrong_at

_ADVICE = (
    "compute in float64 throughout, or return float32 (dtype=torch.float32, x64=False in JAX) to be judged by its "
    "rounding"
)


def allowed(comparison: Comparison) -> str | None:
    """Describe a float64 result that is allowed the rounding of float32.

    Args:
        comparison: The points of the diagnosis.

    Returns:
        A sentence if all numbers of the float64 result are float32 numbers, else None.
    """
    point = comparison.points[0]
    if not isinstance(point, FloatPoint) or point.kind != "float32" or not point.in_float64:
        return None
    return "All numbers that it returns are float32 numbers, so the allowance is that of float32"


def answers_in_float32(comparison: Comparison) -> bool:
    """Return whether all results are float32 numbers, and right to within the rounding of float32.

    Args:
        comparison: The points of the diagnosis.

    Returns:
        True if both hold at every point, all of which are float points.
    """
    points = comparison.points
    return all(isinstance(point, FloatPoint) and point.in_float32 for point in points) and _right(comparison)


def _right(comparison: Comparison) -> bool:
    """Return whether every entry, judged as float64 so far, is within the allowance of float32."""
    points = [point for point in comparison.points if isinstance(point, FloatPoint) and point.kind == "float64"]
    return len(points) == len(comparison.points) and not wrong_at([point.judged_as("float32") for point in points])


def sentence(comparison: Comparison) -> str | None:
    """Describe a result that exceeds the allowance of float64 but not that of float32.

    Args:
        comparison: The points of the diagnosis.

    Returns:
        A sentence with advice, or None if the result exceeds the allowance of float32 too.
    """
    if not _right(comparison):
        return None
    count = f"all {comparison.entries(comparison.points[0].result)} entries of {len(comparison.points)} problems"
    if answers_in_float32(comparison):
        return (
            f"The rule computes in float32 and answers in float64: {count} are float32 numbers, and within what "
            f"rounding in float32 allows, but not float64: {_ADVICE}"
        )
    return (
        f"Yet {count} are within what rounding in float32 allows: if a number passes through float32 on the way, "
        f"{_ADVICE}"
    )
