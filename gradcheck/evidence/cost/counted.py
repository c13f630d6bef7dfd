"""Counted costs: operations and numbers kept, as exact polynomials in the sizes.

A claimed cost is O(an expression): the counted polynomial must stay within a constant times it, as the sizes grow in
any way. The counts are exact. The polynomial predicts the counts beyond them, and is checked at sizes that were held
out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ...records import Evidence, Status, Strength
from ...reference.claims import Cost
from ..base import Case, Finding, Progress
from .base import UNITS, CostKind, bounds
from .counts.costs import LENGTHS, LONG, Growth, costs
from .counts.growth import outgrowing

KIND = "counting"
BLIND = "a cost that sets in beyond the sizes counted"
UNSTEADY = f"its growth with T changes within {LONG} steps"


@dataclass(frozen=True)
class Counting(CostKind):
    """Counts at small sizes, fitted by polynomials and checked at larger sizes."""

    kind: ClassVar[str] = KIND
    strength: ClassVar[Strength] = Strength.EXACT
    numbers: ClassVar[str] = "counted numbers"

    def bounded(self, case: Case, claim: Cost, progress: Progress) -> Finding:
        counted = costs(case.rule, case.network, case.seed)
        shown, details = [], dict[str, Any]()
        undecided: list[str] = []
        strength = Strength.EXACT
        for cost, bound in bounds(claim, counted.settings).items():
            progress(UNITS[cost])
            growth: Growth = getattr(counted, cost)
            text = f"{cost}, in {UNITS[cost]}, is {growth.text}"
            details[cost] = growth.details
            outgrown = growth.outgrows(bound)
            within = f"O({getattr(claim, cost)})"
            if growth.fitted is None and outgrown is None and (most := counted.at_most(cost)) is not None:
                text = f"{text}; it is at most a constant times {most}, as T doubles up to {LENGTHS[-1]}"
                if outgrowing(most, bound) is None:
                    shown.append(f"{text}, which is {within}")
                    strength = Strength.SUPPORTED
                else:
                    undecided.append(f"{text}, which is not shown to be {within}")
                continue
            if not growth.steady:
                undecided.append(f"{text}, but {UNSTEADY}")
                continue
            if outgrown is not None:
                text = f"{text}: {growth.named(outgrown)} outgrows {within}"
                return Finding(Evidence(KIND, Status.REFUTED, Strength.EXACT, text, details=details))
            if growth.fitted is None:
                undecided.append(f"{text}; nothing that was counted outgrows {within}")
            shown.append(f"{text}, which is {within}")
        if undecided:
            return Finding(Evidence(KIND, Status.INCONCLUSIVE, Strength.NONE, "; ".join(undecided), details=details))
        scope = f"counted at {counted.counted} sizes on {case.network}"
        return Finding(Evidence(KIND, Status.HOLDS, strength, "; ".join(shown), scope, BLIND, details))

    def constant(self, case: Case, progress: Progress) -> Finding:
        progress(UNITS["storage"])
        kept = costs(case.rule, case.network, case.seed).storage
        if kept.fitted is None:
            return Finding(Evidence(KIND, Status.INCONCLUSIVE, Strength.NONE, f"storage is {kept.text}"))
        if not kept.steady:
            text = f"storage is {kept.text}, but {UNSTEADY}"
            return Finding(Evidence(KIND, Status.INCONCLUSIVE, Strength.NONE, text))
        grows = kept.fitted.polynomial.degree("T") > 0 or bool(kept.rays.get(frozenset("T")))
        text = f"storage is {kept.text}, which {'grows with T' if grows else 'does not grow with T'}"
        status = Status.REFUTED if grows else Status.HOLDS
        return Finding(Evidence(KIND, status, Strength.EXACT, text, "", BLIND, {"storage": kept.details}))
