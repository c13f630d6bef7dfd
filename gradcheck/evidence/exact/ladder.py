"""Precision ladder: the rule's error at 50, 100 and 200 digits.

The error of a correct rule falls with the precision. The effect of a bug does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import mpmath

from ...problems.lively import lively_problem
from ...records import Evidence, Rounding, Status, Strength
from ...reference.claims import NORMWISE, Equals, LagClaim
from ...reference.errors import UnsupportedOperation
from ...reference.networks.base import Sizes
from ...reference.scalars.formal import entry_name
from ...reference.scalars.precise import PreciseField
from ...reference.scalars.rounded import NormwiseField, RoundedField
from ...rules.failures import RuleFailed
from ..base import Case, Finding, Kind, Plan, Progress, Witness, not_run, whole
from ..floats.allowance import allowance, normwise
from ..sizes import describe, place, possible, spread, vacuous
from ..target import entries, expected, planted, returned

KIND = "ladder"
SIZE = Sizes(7, 3, 2, 2)
DIGITS = (50, 100, 200)


def _beyond(result: Any, truth: Any, allowed: Any) -> tuple[float, str]:
    """Return the least digits of agreement, and the first entry beyond its allowance or an empty string."""
    digits, worst = float("inf"), ""
    for (name, index, a), (_, _, b) in zip(entries(result), entries(truth), strict=True):
        gap, size = abs(a.value - b.value), abs(b.value)
        if gap and size:
            digits = min(digits, float(-mpmath.log10(gap / size)))
        if not gap <= allowed[name][index]:  # so that NaN is beyond
            worst = worst or entry_name(name, index)
    return digits, worst


@dataclass(frozen=True)
class Ladder(Kind):
    """One problem at several precisions, compared with the promised value at 30 digits more.

    Attributes:
        size: The problem's size.
        digits: The precisions in decimal digits.
    """

    kind: ClassVar[str] = KIND
    strength: ClassVar[Strength] = Strength.SUPPORTED

    size: Sizes = SIZE
    digits: Sequence[int] = DIGITS

    def plan(self, case: Case) -> Plan:
        (size,) = possible(case.network, [self.size])
        return whole(KIND, lambda progress: _climb(case, size, self.digits, progress))


def _climb(case: Case, size: Sizes, digits: Sequence[int], progress: Progress) -> Finding:
    if not isinstance(case.claim, (LagClaim, Equals)):
        return not_run(KIND, f"the claim {case.claim} promises no particular result")
    if nothing := vacuous(case.claim, [size]):
        return not_run(KIND, nothing)
    problem = lively_problem(case.network, size, case.seed + 7, weighted=case.weighted)
    agreement: dict[int, float] = {}
    planted_count = rejected = 0
    rounding = Rounding.ENTRYWISE
    for settings in spread(case.rule.settings(size.T), 3):
        claim = case.claim.bind(settings)
        for n in digits:
            progress(", ".join(filter(None, (f"{n} digits", describe(settings)))))
            high, low = PreciseField(n + 30), PreciseField(n)
            with high.working():
                truth = expected(claim, problem.over(high))
                fault = planted(claim, problem.over(high), truth)
            allowed = allowance(claim, problem, RoundedField.for_digits(n))
            try:
                with low.working():
                    result = returned(case.rule, claim, problem.over(low), settings)
                    values = {name: low.lift(array) for name, array in result.items()}
            except UnsupportedOperation as error:
                return not_run(KIND, f"the rule does not run at {n} digits: {error}")
            except RuleFailed as error:
                return not_run(KIND, f"at {n} digits {error}")
            with high.working():
                finer = {k: high.array(low.natives(v), v.shape) for k, v in values.items()}
                agreed, off = _beyond(finer, truth, allowed)
                if off and case.claim.rounding == NORMWISE:
                    allowed, rounding = normwise(claim, problem, NormwiseField.for_digits(n)), Rounding.NORMWISE
                    _, off = _beyond(finer, truth, allowed)
                planted_count += 1
                rejected += bool(_beyond(fault, truth, allowed)[1])
            agreement[n] = min(agreement.get(n, float("inf")), agreed)
            if off:
                where = f"{place(size, settings)}"
                text = f"at {n} digits and {where} {off} is off by more than rounding; {agreed:.1f} digits agree"
                return Finding(
                    Evidence(KIND, Status.REFUTED, Strength.NONE, text),
                    Witness(case.network, size, settings, text, problem),
                )
    shown = ", ".join(f"{agreement[n]:.1f} of {n}" if agreement[n] < 1e6 else f"all of {n}" for n in digits)
    return Finding(
        Evidence(
            KIND,
            Status.HOLDS,
            Strength.SUPPORTED,
            f"digits that agree with the value at higher precision: {shown}",
            scope=str(size),
            blind=f"differences that rounding at {max(digits)} digits could have made",
            details={"agreement": {str(k): round(min(v, 1e6), 2) for k, v in agreement.items()}},
            rounding=rounding,
        ),
        planted=(planted_count, rejected),
    )
