"""Recognition of coarse formats: float32, float16 or bfloat16 where the rule answers in float64."""

from __future__ import annotations

from .comparison import Comparison
from .nearby import changes
from .points import FloatPoint, stored_as, wrong_at

_ADVICE = "compute in float64 throughout"
_OR_FLOAT32 = ", or return float32 (dtype=torch.float32, x64=False in JAX) to be judged by its rounding"


def allowed(comparison: Comparison) -> str | None:
    """Describe a float64 result that is allowed the rounding of a coarser format.

    Args:
        comparison: The points of the diagnosis.

    Returns:
        A sentence if all numbers of the float64 result are numbers of that format, else None.
    """
    point = comparison.points[0]
    if not isinstance(point, FloatPoint) or point.kind == "float64" or not point.in_float64:
        return None
    return f"All numbers that it returns are {point.kind} numbers, so the allowance is that of {point.kind}"


def answers_in(comparison: Comparison) -> str | None:
    """Return the coarse format of all results, if they are right to within its rounding.

    Args:
        comparison: The points of the diagnosis.

    Returns:
        "float32", "float16" or "bfloat16", or None.
    """
    kind = stored_as(comparison.points)
    return kind if kind is not None and _right(comparison, kind) else None


def _right(comparison: Comparison, kind: str) -> bool:
    """Return whether every entry, judged as float64 so far, is within the allowance of the format."""
    points = [point for point in comparison.points if isinstance(point, FloatPoint) and point.kind == "float64"]
    return len(points) == len(comparison.points) and not wrong_at([point.judged_as(kind) for point in points])


def rounds_to_float32(comparison: Comparison) -> bool:
    """Return whether the errors are those of rounding to float32, the spacing of which is 2^-23 relative.

    Those stay as they are where the problem moves by much less than that, and are others where it moves by more.

    Args:
        comparison: The points of the diagnosis.

    Returns:
        True if so; False for a wrong factor, for differences, and for rounding to any other format.
    """
    return _right(comparison, "float32") and changes(comparison, 1e-9) < 0.3 and changes(comparison, 2e-6) > 0.5


def sentence(comparison: Comparison) -> str | None:
    """Describe a result whose errors are those of rounding to a coarse format.

    Args:
        comparison: The points of the diagnosis.

    Returns:
        A sentence with advice, or None if the errors have another cause.
    """
    count = f"all {comparison.entries(comparison.points[0].result)} entries of {len(comparison.points)} problems"
    if kind := answers_in(comparison):
        return (
            f"The rule computes in {kind} and answers in float64: {count} are {kind} numbers, and within what "
            f"rounding in {kind} allows, but not float64: {_ADVICE}{_OR_FLOAT32 if kind == 'float32' else ''}"
        )
    if rounds_to_float32(comparison):
        return (
            f"A number passes through float32 on the way: {count} are within what rounding in float32 allows, and "
            f"the errors stay as they are until the problem moves by more than that: {_ADVICE}{_OR_FLOAT32}"
        )
    return None
