"""Float ladder: the rule's error at float32 and at float64.

The error of a right rule falls as the rounding allowance does. The effect of a bug does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import flint
import numpy as np

from ...problems.lively import lively_problem
from ...records import Evidence, Rounding, Status, Strength
from ...reference.claims import Equals, LagClaim
from ...reference.errors import UnsupportedOperation
from ...reference.networks.base import Sizes
from ...reference.networks.sizes import fitting
from ...reference.scalars.ball import BallField
from ...reference.scalars.formal import entry_name
from ...reference.typing import Array, Gradient
from ...rules.failures import RuleFailed
from ..base import Case, Finding, Kind, Plan, Progress, Witness, not_run, whole
from ..sizes import of_all, place, spread
from ..target import entries
from .comparison import casts_up, compare, compare_on, midpoints

SIZES = (Sizes(12, 5, 3, 1), Sizes(7, 7, 2, 2), Sizes(4, 3, 3, 2))
KIND = "float ladder"


def _shares(result: Gradient, truth: Gradient, field: BallField) -> dict[str, float]:
    """Return the relative error of each nonzero entry, by its name."""
    found = {}
    for (name, index, got), (_, _, ball) in zip(entries(result), entries(truth), strict=True):
        true = field.native(ball)
        if float(true.mid()):
            found[entry_name(name, index)] = float((abs(flint.arb(float(got)) - true) / abs(true)).mid())
    return found


def _digits(shares: dict[str, float]) -> float:
    """Return the decimal digits to which the worst entry agrees; infinity if it is exact."""
    worst = max(shares.values(), default=0.0)
    return float(-np.log10(worst)) if worst else float("inf")


def planted(truth: Gradient, coarse: dict[str, Array], fine: dict[str, Array]) -> Gradient:
    """Return a wrong result for both formats, with the geometric mean of their allowances as its error.

    Args:
        truth: The promised gradient as float64.
        coarse: Absolute allowances at float32, by parameter.
        fine: Absolute allowances at float64, by parameter.
    """
    return {name: truth[name] + np.sqrt(coarse[name] * fine[name]) for name in truth}


@dataclass(frozen=True)
class FloatLadder(Kind):
    """The rule's errors at float32 and at float64, each compared with the allowance of its format.

    Attributes:
        sizes: Sizes of the problems.
    """

    kind: ClassVar[str] = KIND
    strength: ClassVar[Strength] = Strength.SUPPORTED

    sizes: Sequence[Sizes] = SIZES

    def plan(self, case: Case) -> Plan:
        return whole(KIND, lambda progress: _climb(case, self.sizes, progress))


def _climb(case: Case, sizes: Sequence[Sizes], progress: Progress) -> Finding:
    if not isinstance(case.claim, (LagClaim, Equals)):
        return not_run(KIND, f"the claim {case.claim} promises no particular result")
    digits = {"float32": float("inf"), "float64": float("inf")}
    count = rejected = 0
    rounding = Rounding.ENTRYWISE
    for size in sizes:
        size = fitting(case.network, of_all(case.network, size), alive=True)
        problem = lively_problem(case.network, size, case.seed + 3, weighted=case.weighted)
        for settings in spread(case.rule.settings(size.T), 1):
            at = place(size, settings)
            progress(at)
            claim = case.claim.bind(settings)
            try:
                coarse, low, truth, field, allowed = compare_on(case.rule, claim, problem, settings, np.float32)
                fine, high, *_, narrow = compare_on(case.rule, claim, problem, settings, np.float64)
            except UnsupportedOperation as error:
                return not_run(KIND, str(error))
            except RuleFailed as error:
                return not_run(KIND, f"the rule does not run at both formats: {error}")
            if any(array.dtype.itemsize < 8 for array in high.values()):
                return not_run(KIND, "it returns a coarser format for float64, so there is only one format to compare")
            if casts_up(claim, problem, low, truth, field):
                text = "it returns float64 for float32, as exact as for float64, so there is only one format to compare"
                return not_run(KIND, text)
            with field.working():
                kink = fine.kink or coarse.kink
                below, above = _shares(low, truth, field), _shares(high, truth, field)
                if seen := fine.outside or coarse.outside:
                    dtype = "float64" if fine.outside else "float32"
                    text = _error_text(at, seen[0], below, above, stays=coarse.outside is None)
                    return Finding(
                        Evidence(KIND, Status.REFUTED, Strength.CERTIFIED, text),
                        Witness(case.network, size, settings, text, kink or problem, floats=True, dtype=dtype),
                    )
                if kink:
                    continue
                if Rounding.NORMWISE in (fine.rounding, coarse.rounding):
                    rounding = Rounding.NORMWISE
                same = planted(midpoints(truth, field), allowed, narrow)
                count += 1
                rejected += (
                    compare(same, truth, field, allowed).outside is None
                    and compare(same, truth, field, narrow).outside is not None
                )
            digits["float32"] = min(digits["float32"], _digits(below))
            digits["float64"] = min(digits["float64"], _digits(above))
    shown = ", ".join(
        f"{value:.1f} at {kind}" if np.isfinite(value) else f"all at {kind}" for kind, value in digits.items()
    )
    return Finding(
        Evidence(
            KIND,
            Status.HOLDS,
            Strength.SUPPORTED,
            f"errors fall with the format as {'norm-wise ' if rounding is Rounding.NORMWISE else ''}rounding does; "
            f"digits that agree in the worst entry: {shown}",
            scope="; ".join(map(str, sizes)),
            blind="differences that rounding at float64 could have made",
            details={"agreement": {kind: round(min(value, 1e6), 2) for kind, value in digits.items()}},
            rounding=rounding,
        ),
        planted=(count, rejected),
    )


def _error_text(at: str, entry: str, below: dict[str, float], above: dict[str, float], *, stays: bool) -> str:
    """Return a sentence on the errors of an entry in both formats."""
    errors = " and ".join(
        f"{shares[entry]:.2g} of it at {kind}"
        for kind, shares in (("float32", below), ("float64", above))
        if entry in shares
    )
    what = "does not fall with the format as rounding does" if stays else "is more than rounding"
    return f"at {at}: the error of {entry} {what}: {errors or 'it should be 0'}"
