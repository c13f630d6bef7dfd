"""The gradient to N decimal digits by two independent routes (mpmath).

`recursion` runs the reverse pass at N digits. `difference_quotient` knows no chain rule at all: it is
mpmath's numerical derivative of the unrolled loss, which raises its own working precision until the
quotient is good to N digits.
"""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np

from . import arrays, lags
from .claims import LagClaim
from .errors import GradcheckError
from .problem import Problem, loss
from .scalars.precise import PreciseField
from .typing import Array, Gradient
from .wanted import DEFAULT, Of


def recursion(problem: Problem, digits: int, claim: LagClaim | None = None) -> Gradient:
    """Return the gradient by the reverse pass at a precision.

    Args:
        problem: The problem, on plain numbers.
        digits: Decimal digits of every operation.
        claim: The lags that count, and the arrays; all lags of the parameters, if left out.

    Returns:
        Name to an array of precise scalars.
    """
    field = PreciseField(digits)
    with field.working():
        return lags.claimed(problem.over(field), claim)


def difference_quotient(problem: Problem, digits: int, of: Of = DEFAULT) -> Gradient:
    """Return the gradient by mpmath's difference quotient of the loss.

    Args:
        problem: The problem, on plain numbers.
        digits: Decimal digits to which the quotient is good.
        of: The kinds of arrays that it is wanted of; see `wanted.KINDS`.

    Returns:
        Name to an array of mpf scalars.
    """
    field = PreciseField(digits)
    with field.working():
        lifted = problem.over(field)
        return {
            name: field.array([_quotient(field, lifted, name, i) for i in np.ndindex(*array.shape)], array.shape)
            for name, array in arrays.wanted(lifted, of).items()
        }


def _quotient(field: PreciseField, problem: Problem, name: str, index: tuple[int, ...]) -> Any:
    here: Array = problem.arrays()[name]

    def loss_at(value: Any) -> Any:
        changed = here.copy()
        changed[index] = field.scalar(value)
        moved = arrays.replaced(problem, name, changed)  # a learned start moves with its parameters
        return field.native(np.asarray(loss(moved)).item())

    return mpmath.diff(loss_at, field.native(here[index]))


def digits_of_agreement(a: Any, b: Any) -> float:
    """Return the least number of decimal digits to which two gradients agree, relative to each entry.

    Args:
        a: Name to an array of mpf values or precise scalars.
        b: The same.

    Raises:
        GradcheckError: The names or shapes differ.
    """
    if set(a) != set(b):
        raise GradcheckError(f"the gradients have different parameters: {sorted(a)} and {sorted(b)}")
    least = float("inf")
    for name in a:
        for x, y in zip(np.asarray(a[name]).reshape(-1), np.asarray(b[name]).reshape(-1), strict=True):
            p, q = (v.value if hasattr(v, "value") else mpmath.mpf(v) for v in (x, y))
            gap, size = abs(p - q), max(abs(p), abs(q))
            if not mpmath.isfinite(gap):
                return float("-inf")
            if gap:
                least = min(least, float(-mpmath.log10(gap / size)) if size else float("inf"))
    return least
