"""Counting: what a rule costs, in operations and in numbers kept, as exact polynomials in the sizes.

A claimed cost is O(an expression): the counted polynomial must stay within a constant times it, however the sizes
grow. The counts are exact; that they go on as the polynomial says beyond what was counted is foretold, and
checked at sizes that were held out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ...records import Cause, Evidence, Status, Strength
from ...reference.claims import Cost, Online
from ...reference.errors import GradcheckError, UnsupportedOperation
from ...rules.call import RuleFailed
from ..base import Case, Finding, Kind, Plan, Progress, not_run, settled, whole
from .counts.costs import LONG, Growth, costs
from .counts.fitting import SIZES
from .counts.polynomial import Polynomial, parse

KIND = "counting"
BLIND = "a cost that sets in beyond the sizes counted"
UNSTEADY = f"it does not go on so in T up to {LONG} steps"
_UNITS = {"time": "operations", "storage": "numbers kept"}


def bounds(claim: Cost, settings: tuple[str, ...]) -> dict[str, Polynomial]:
    """Parse what the claim bounds.

    Args:
        claim: The claim.
        settings: Names of the rule's settings, which may stand in the expressions beside T, I, D and K.

    Returns:
        "time" and "storage", or one of them, to the claimed polynomial.

    Raises:
        GradcheckError: A bound is no expression, or has a name that is no size or setting; or there is no bound.
    """
    found = {}
    for what in _UNITS:
        text = getattr(claim, what)
        if text is None:
            continue
        found[what] = parse(text)
        unknown = found[what].variables - {*SIZES, *settings}
        if unknown or not found[what].terms:
            known = ", ".join([*SIZES, *settings])
            raise GradcheckError(f"{what}={text!r} of {claim} should be an expression in {known}")
    if not found:
        raise GradcheckError("Cost() says nothing; give time=, storage=, or both, such as Cost(time='T*I*(I + K + D)')")
    return found


@dataclass(frozen=True)
class Counting(Kind):
    """Counts at small sizes, fitted and checked at larger ones: `Cost` by its bounds, `Online` by its storage."""

    kind: ClassVar[str] = KIND
    strength: ClassVar[Strength] = Strength.EXACT

    def plan(self, case: Case) -> Plan:
        if isinstance(case.claim, Cost):
            return whole(KIND, lambda progress: _within_bounds(case, progress))
        if isinstance(case.claim, Online):
            return whole(KIND, lambda progress: _storage(case, progress))
        return settled(KIND, not_run(KIND, f"the claim {case.claim} says nothing of a cost"))


def _within_bounds(case: Case, progress: Progress) -> Finding:
    """Compare the counted growth with the claim's bounds. Raises what `bounds` raises."""
    claim = case.claim
    assert isinstance(claim, Cost)
    counted = costs(case.rule, case.network, case.seed)
    shown, details = [], dict[str, Any]()
    undecided: list[str] = []
    for what, bound in bounds(claim, counted.settings).items():
        progress(f"counting {_UNITS[what]}")
        try:
            growth: Growth = getattr(counted, what)
        except UnsupportedOperation as error:
            return not_run(KIND, f"the rule does not run on counted numbers: {error}")
        except RuleFailed as error:
            return Finding(Evidence(KIND, Status.ERROR, Strength.NONE, str(error), cause=Cause.FAILED))
        text = f"{what}, in {_UNITS[what]}, is {growth.told}"
        details[what] = growth.details
        outgrown = growth.outgrows(bound)
        within = f"O({getattr(claim, what)})"
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
    return Finding(Evidence(KIND, Status.HOLDS, Strength.EXACT, "; ".join(shown), scope, BLIND, details))


def _storage(case: Case, progress: Progress) -> Finding:
    """Decide if the rule keeps as many numbers at once for any T."""
    progress("counting numbers kept")
    try:
        kept = costs(case.rule, case.network, case.seed).storage
    except UnsupportedOperation as error:
        return not_run(KIND, f"the rule does not run on counted numbers: {error}")
    except RuleFailed as error:
        return Finding(Evidence(KIND, Status.ERROR, Strength.NONE, str(error), cause=Cause.FAILED))
    if kept.fitted is None:
        return Finding(Evidence(KIND, Status.INCONCLUSIVE, Strength.NONE, f"storage is {kept.told}"))
    if not kept.steady:
        text = f"storage is {kept.told}, but {UNSTEADY}"
        return Finding(Evidence(KIND, Status.INCONCLUSIVE, Strength.NONE, text))
    grows = kept.fitted.polynomial.degree("T") > 0 or bool(kept.rays.get(frozenset("T")))
    text = f"storage is {kept.told}, which {'grows with T' if grows else 'does not grow with T'}"
    status = Status.REFUTED if grows else Status.HOLDS
    return Finding(Evidence(KIND, status, Strength.EXACT, text, "", BLIND, {"storage": kept.details}))
