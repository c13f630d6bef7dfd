"""Whether a result that float64 does not allow is one that float32 does: a format was left on the way."""

from __future__ import annotations

from .comparison import Ground
from .points import FloatPoint, wrong_at

_ADVICE = (
    "have it computed in float64 throughout, or return float32 (dtype=torch.float32, x64=False in JAX), by whose "
    "rounding it is judged then"
)


def allowed(ground: Ground) -> str | None:
    """That the rule answers in float32 numbers and is allowed their rounding, where float64 came back."""
    point = ground.points[0]
    if not isinstance(point, FloatPoint) or point.kind != "float32" or not point.in_float64:
        return None
    return "All numbers that it returns are float32's, so each is allowed what float32 rounds"


def answers_in_float32(ground: Ground) -> bool:
    """Whether it is right to within float32, and every number that it returns is one of float32's."""
    points = ground.points
    return all(isinstance(point, FloatPoint) and point.in_float32 for point in points) and _right(ground)


def _right(ground: Ground) -> bool:
    """Whether every entry is within what float32 rounds, where it was judged by what float64 does."""
    points = [point for point in ground.points if isinstance(point, FloatPoint) and point.kind == "float64"]
    return len(points) == len(ground.points) and not wrong_at([point.judged_as("float32") for point in points])


def sentence(ground: Ground) -> str | None:
    """That every entry is within what rounding in float32 allows, where float64's has been exceeded; None if not so."""
    if not _right(ground):
        return None
    count = f"all {ground.entries(ground.points[0].result)} entries of {len(ground.points)} problems"
    if answers_in_float32(ground):
        return (
            f"The rule computes in float32 and answers in float64: {count} are float32 numbers, and within what "
            f"rounding in float32 allows, but not float64: {_ADVICE}"
        )
    return (
        f"Yet {count} are within what rounding in float32 allows: where a number passes through float32 on the way, "
        f"{_ADVICE}"
    )
