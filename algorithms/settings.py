"""Validation of the lengths that rules take as keyword arguments."""

from __future__ import annotations

import operator
from typing import Any

from gradcheck.reference.errors import GradcheckError


def require_steps(value: Any, name: str) -> int:
    """Return `value` as an int. Raises `GradcheckError` unless it is a whole number of steps, at least 1."""
    try:
        steps = 0 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        steps = 0
    if steps < 1:
        raise GradcheckError(f"{name} must be a whole number of steps, at least 1; got {value!r}")
    return steps


def require_window(horizon: Any, stride: Any) -> tuple[int, int]:
    """Return both as ints. Raises `GradcheckError` unless 1 <= stride <= horizon, both whole numbers."""
    horizon, stride = require_steps(horizon, "horizon"), require_steps(stride, "stride")
    if stride > horizon:
        raise GradcheckError(
            f"stride must not exceed horizon, or losses between passes are lost; got {stride} and {horizon}"
        )
    return horizon, stride
