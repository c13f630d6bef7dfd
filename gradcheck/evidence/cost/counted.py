"""Counted costs: operations and numbers kept, as exact polynomials in the sizes.

A claimed cost is O(an expression): the counted polynomial must stay within a constant times it, as the sizes grow in
any way. The counts are exact. The polynomial predicts the counts beyond them, and is checked at sizes that were held
out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ...problems.lively import lively_problem
from ...records import Evidence, Status, Strength
from ...reference.claims import Cost
from ...reference.networks.base import Sizes
from ...reference.scalars.counted import CountedField
from ...rules.authors import authored_by
from ...rules.call import run, watching
from ...rules.coverage.profile import LineProfile
from ..base import Case, Finding, Progress, not_run
from ..sizes import spread
from .base import UNITS, CostKind, bounds
from .counts.costs import LENGTHS, LONG, Growth, costs
from .counts.growth import outgrowing
from .measured import beyond, kept_for_each_step

KIND = "counting"
BLIND = "a cost that sets in beyond the sizes counted; copies that leave counted numbers; memory of compiled code"
UNSTEADY = f"its growth with T changes within {LONG} steps"
PATHS = (Sizes(9, 3, 2, 2), Sizes(4, 5, 2, 3), Sizes(40, 2, 2, 1))
"""Sizes at which the lines that run on floats are compared with those that run on counted numbers."""
MOST_SETTINGS = 5
"""Settings with which they are compared at the first of them."""


@dataclass(frozen=True)
class Counting(CostKind):
    """Counts at small sizes, fitted by polynomials and checked at larger sizes."""

    kind: ClassVar[str] = KIND
    strength: ClassVar[Strength] = Strength.EXACT
    numbers: ClassVar[str] = "counted numbers"

    def bounded(self, case: Case, claim: Cost, progress: Progress) -> Finding:
        if other := _other_path(case):
            return not_run(KIND, other)
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
            if outgrown is None and cost == "time":
                growth, outgrown = counted.moves, counted.moves.outgrows(bound)
                text = f"{text}; but numbers copied or compared are {growth.text}" if outgrown is not None else text
            if outgrown is not None:
                text = f"{text}: {growth.named(outgrown)} outgrows {within}"
                return Finding(Evidence(KIND, Status.REFUTED, Strength.EXACT, text, details=details))
            if more := beyond(case, cost, bound):
                undecided.append(f"{text}; but {more}")
                continue
            if getattr(counted, cost).fitted is None:
                undecided.append(f"{text}; nothing that was counted outgrows {within}")
            shown.append(f"{text}, which is {within}")
        if undecided:
            return Finding(Evidence(KIND, Status.INCONCLUSIVE, Strength.NONE, "; ".join(undecided), details=details))
        scope = f"counted at {counted.counted} sizes on {case.network}"
        return Finding(Evidence(KIND, Status.HOLDS, strength, "; ".join(shown), scope, BLIND, details))

    def constant(self, case: Case, progress: Progress) -> Finding:
        if other := _other_path(case):
            return not_run(KIND, other)
        progress(UNITS["storage"])
        kept = costs(case.rule, case.network, case.seed).storage
        if kept.fitted is None:
            return Finding(Evidence(KIND, Status.INCONCLUSIVE, Strength.NONE, f"storage is {kept.text}"))
        if not kept.steady:
            text = f"storage is {kept.text}, but {UNSTEADY}"
            return Finding(Evidence(KIND, Status.INCONCLUSIVE, Strength.NONE, text))
        grows = kept.fitted.polynomial.degree("T") > 0 or bool(kept.rays.get(frozenset("T")))
        text = f"storage is {kept.text}, which {'grows with T' if grows else 'does not grow with T'}"
        if not grows and (more := kept_for_each_step(case)):
            return Finding(Evidence(KIND, Status.INCONCLUSIVE, Strength.NONE, f"{text}; but {more}"))
        status = Status.REFUTED if grows else Status.HOLDS
        return Finding(Evidence(KIND, status, Strength.EXACT, text, "", BLIND, {"storage": kept.details}))


def _other_path(case: Case) -> str:
    """Return a sentence on lines that run more or less often on floats than on counted numbers; empty if none do."""
    authored = authored_by(case.rule.target)
    for number, size in enumerate(PATHS):
        problem = lively_problem(case.network, size, case.seed, weighted=case.weighted)
        for settings in spread(case.rule.settings(size.T), 1 if number else MOST_SETTINGS):
            profiles = []
            for given in (problem.copy(), problem.over(CountedField())):
                with watching(LineProfile(authored)) as profile:
                    run(case.rule, given, settings)
                profiles.append(profile)
            if other := profiles[0].differs(profiles[1]):
                at, floats, counted = other
                times = f"{at} ran {floats} times, and {counted} on counted numbers"
                return f"on floats the rule takes another path: {times}"
    return ""
