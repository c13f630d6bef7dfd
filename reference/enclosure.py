"""A ball per entry that provably contains the true gradient (Arb, adaptive precision).

The radius grows by about the spectral radius of |R| per step, so the precision is doubled until every
ball is narrow. Where few bits are asked for, balls of float64 (`scalars.float_ball`) come first: they run in BLAS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from . import lags
from .claims import LagClaim
from .errors import GradcheckError, Undecided, UnsupportedOperation
from .networks.registry import is_shipped
from .problem import Problem
from .scalars.ball import BallField
from .scalars.float_ball import FloatBallArray, FloatBallField
from .typing import Gradient

FIRST_BITS, LAST_BITS, RELATIVE_BITS = 128, 8192, 80
FLOAT_BITS = FloatBallField.bits


@dataclass(frozen=True)
class Enclosure:
    """A gradient of balls.

    gradient: name to an array of balls, Arb's or of float64; `field.natives` has them as Arb's. bits: the
    working precision. narrow: whether every ball's relative radius is below 2^-relative_bits (an exact 0 is
    narrow). statement: the same, in words.
    """

    gradient: Gradient
    field: BallField | FloatBallField
    narrow: bool
    statement: str

    @property
    def bits(self) -> int:
        return self.field.bits


def relative_radius_bits(ball: Any) -> float:
    """Return -log2 of a ball's relative radius: infinity for an exact ball, at most 0 for one that contains 0."""
    if ball.is_exact():
        return float("inf")
    return float(ball.rel_accuracy_bits()) - 1


def enclose(
    problem: Problem,
    claim: LagClaim | None = None,
    *,
    relative_bits: int = RELATIVE_BITS,
    first_bits: int = FIRST_BITS,
    last_bits: int = LAST_BITS,
) -> Enclosure:
    """Return balls that contain the gradient of a float, integer or fraction problem.

    The precision is doubled until each ball is narrow, or `last_bits` is met; the statement says which.

    Args:
        problem: The problem, on plain numbers.
        claim: The lags that count, and the arrays; all lags of the parameters, if left out.
        relative_bits: Each ball's relative radius is to be below 2^-relative_bits.
        first_bits: The precision to begin with. 53 or fewer try balls of float64 first, on the networks whose
            equations these can run, and go on with 128 bits of Arb.
        last_bits: The largest precision to try.

    Raises:
        GradcheckError: A comparison (a relu at its kink) stays undecided at every precision.
    """
    if first_bits <= FLOAT_BITS and relative_bits < FLOAT_BITS:
        if found := _in_float64(problem, claim, relative_bits):
            return found
        first_bits = FIRST_BITS
    bits = first_bits
    while True:
        field = BallField(bits)
        try:
            with field.working():
                gradient = lags.claimed(problem.over(field), claim)
                worst = min(relative_radius_bits(b) for a in gradient.values() for b in field.natives(a))
        except Undecided as error:
            if bits >= last_bits:
                raise GradcheckError(f"undecided at {bits} bits: {error}") from error
            worst, gradient = -1.0, {}
        if worst >= relative_bits:
            return Enclosure(gradient, field, True, f"every relative radius is below 2^-{relative_bits} at {bits} bits")
        if bits >= last_bits:
            wide = sum(relative_radius_bits(b) < relative_bits for a in gradient.values() for b in field.natives(a))
            return Enclosure(
                gradient, field, False,
                f"{wide} balls are wider than 2^-{relative_bits} relative at {bits} bits, the bound on the precision: "
                "their true values are zero or beyond it",
            )  # fmt: skip
        bits *= 2


def _in_float64(problem: Problem, claim: LagClaim | None, relative_bits: int) -> Enclosure | None:
    """Enclose by balls of float64; return None where they lack an operation, or are too wide."""
    # A user's network may take single numbers out of its arrays and compute with those.
    if not is_shipped(problem.network):
        return None
    field = FloatBallField()
    try:
        with field.working(), np.errstate(all="ignore"):
            balls: dict[str, Any] = lags.claimed(problem.over(field), claim)
    except UnsupportedOperation:
        return None
    if not all(
        (np.isfinite(b.midpoint) & (2.0 ** (relative_bits + 1) * b.radius <= np.abs(b.midpoint))).all()
        for b in balls.values()
    ):
        return None
    return Enclosure(balls, field, True, f"every relative radius is below 2^-{relative_bits} in float64")


def midpoints(gradient: Gradient) -> dict[str, Any]:
    """Return the balls' midpoints as float64 arrays, for display.

    Args:
        gradient: Name to an array of balls.
    """
    return {
        name: array.midpoint
        if isinstance(array, FloatBallArray)
        else np.array([float(b.value.mid()) for b in array.reshape(-1).tolist()]).reshape(array.shape)
        for name, array in gradient.items()
    }
