"""Counting: what a rule costs, in operations and in numbers kept, as exact polynomials in the sizes.

A claimed cost is O(an expression): the counted polynomial must stay within a constant times it, however the sizes
grow. The counts are exact; that they go on as the polynomial says beyond what was counted is foretold, and
checked at sizes that were held out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...records import Evidence, Status, Strength
from ...reference.claims import Cost
from ...reference.errors import GradcheckError, UnsupportedOperation
from ...rules.call import RuleFailed
from ..base import Case, Finding, not_run
from . import measured as measured
from .counts.costs import LONG, Growth, costs
from .counts.fitting import SIZES
from .counts.polynomial import Polynomial, parse

KIND = "counting"
GROWTH = "growth"
BLIND = "a cost that sets in beyond the sizes counted"
UNSTEADY = f"it does not go on so in T up to {LONG} steps"
_UNITS = {"time": "operations", "storage": "numbers kept"}


def bounds(claim: Cost, settings: tuple[str, ...]) -> dict[str, Polynomial]:
    """What the claim bounds. Raises `GradcheckError` for no expression, and for names that are no size or setting."""
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


def judge(case: Case, *, progress: Callable[[str], None] = lambda _: None) -> Finding:
    """Judge a `Cost` by the counted polynomials. Raises what `bounds` and the rule raise."""
    claim = case.claim
    assert isinstance(claim, Cost)
    counted = costs(case.rule, case.network, case.seed)
    said, details = [], dict[str, Any]()
    undecided: list[str] = []
    for what, bound in bounds(claim, counted.settings).items():
        progress(f"counting {_UNITS[what]}")
        try:
            growth: Growth = getattr(counted, what)
        except UnsupportedOperation as error:
            return not_run(KIND, f"the rule does not run on counted numbers: {error}")
        except RuleFailed as error:
            return Finding(Evidence(KIND, Status.ERROR, Strength.NONE, str(error)))
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
        said.append(f"{text}, which is {within}")
    if undecided:
        return Finding(Evidence(KIND, Status.INCONCLUSIVE, Strength.NONE, "; ".join(undecided), details=details))
    scope = f"counted at {counted.counted} sizes on {case.network}"
    return Finding(Evidence(KIND, Status.HOLDS, Strength.EXACT, "; ".join(said), scope, BLIND, details))


def measure(case: Case, *, progress: Callable[[str], None] = lambda _: None) -> Finding:
    """Judge a `Cost` by measured growth: SUPPORTED or INCONCLUSIVE. Raises what the rule raises."""
    claim = case.claim
    assert isinstance(claim, Cost)
    claimed = bounds(claim, costs(case.rule, case.network, case.seed).settings)
    found = measured.exponents(case, progress)
    said: list[str] = []
    above: list[str] = []
    for what, bound in claimed.items():
        for exponent in found[what]:
            most = _largest(bound, exponent.size)
            text = f"{what} grows with exponent {exponent} (claimed {most})"
            (said if exponent.high < most + 0.5 else above).append(text)
    details = {what: [str(e) for e in exponents] for what, exponents in found.items()}
    if above:
        return Finding(Evidence(GROWTH, Status.INCONCLUSIVE, Strength.NONE, "; ".join(above), details=details))
    scope = "; ".join(f"{name} from {sizes[0]} to {sizes[-1]}" for name, sizes in measured.LINES.items())
    blind = "memory that neither Python nor NumPy allocates; growth at other sizes"
    return Finding(Evidence(GROWTH, Status.HOLDS, Strength.SUPPORTED, "; ".join(said), scope, blind, details))


def _largest(bound: Polynomial, name: str) -> int:
    return max(dict(monomial).get(name, 0) for monomial in bound.terms)
