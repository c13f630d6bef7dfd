"""Properties: a rule's results on several problems must fit together, by theorems of `laws`, with no reference at all.

Each law is a sum that must vanish. A right rule lies within its rounding allowance of the truth on each problem, so
the sum lies within the sum of the allowances of 0; beyond it the rule has left the truth on at least one of the
problems, which becomes the witness.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..problems import lively_problem, living_sizes
from ..reference.claims import Claim, LagClaim, Settings
from ..reference.errors import UnsupportedOperation
from ..reference.network import Sizes
from ..reference.scalars.formal import entry_name
from ..reference.scalars.rounded import RoundedField
from ..reference.typing import Gradient
from ..results import RuleFailed, run
from ..verdicts import Evidence, Status, Strength
from . import Case, Finding, Witness, describe, not_run, spread
from .allowance import allowance
from .blackbox import coarsest, compare_on, failed
from .laws import PROPERTIES, Law, Property

KIND = "properties"
SIZES = (Sizes(5, 3, 2, 2), Sizes(4, 2, 3, 1), Sizes(7, 4, 1, 3))


def violated(case: Case, claim: Claim, law: Law, settings: Settings) -> str:
    """The first entry of a law's sum that lies beyond what rounding allows, with both numbers; empty for none."""
    moved: list[Gradient] = []
    allowed: dict[str, Any] = {}
    for number, term in enumerate(law.terms):
        result = run(case.rule, term.problem.copy(), settings).gradient
        bounds = allowance(claim, term.problem, RoundedField.for_dtype(coarsest(result, np.float64)))
        moved.append({n: term.scale(n) * term.move(n, a.astype(np.float64)) for n, a in result.items()})
        times = 2 if law.rounded and number == 0 else 1
        for name, array in bounds.items():
            allowed[name] = allowed.get(name, 0) + times * np.abs(term.scale(name) * term.move(name, array))
    for name, sums in allowed.items():
        for index in np.ndindex(*sums.shape):
            parts, may = [float(part[name][index]) for part in moved], float(sums[index])
            gap = abs(math.fsum(parts)) if np.isfinite(parts).all() else float("inf")
            if gap > may and np.isfinite(may):
                return f"{entry_name(name, index)} is off by {gap:.3g}, rounding allows {may:.2g}"
    return ""


def judge(
    case: Case,
    *,
    properties: Sequence[Property] = PROPERTIES,
    sizes: Sequence[Sizes] = SIZES,
    progress: Callable[[str], None] = lambda _: None,
) -> Finding:
    """Try every property that is a theorem for the case, at each of these sizes, with one of the rule's settings."""
    if not isinstance(case.claim, LagClaim):
        return not_run(KIND, f"nothing that the claim {case.claim} promises is a theorem about several problems")
    tried: dict[str, int] = {}
    for number, size in enumerate(sizes):
        problem = lively_problem(
            case.network,
            living_sizes(case.network, size),
            case.seed + 11,
            weighted=case.weighted,
            zero_state=number == 1,
        )
        for settings in spread(case.rule.settings(size.T), 1):
            claim = case.claim.bind(settings)
            for each in properties:
                at = ", ".join(filter(None, [each.name, str(problem.sizes), describe(settings)]))
                progress(at)
                try:
                    for law in each.laws(claim, problem, case.weighted):
                        if any(settings not in case.rule.settings(term.problem.T) for term in law.terms):
                            continue  # a shorter problem may be none for these settings
                        tried[each.name] = tried.get(each.name, 0) + 1
                        if said := violated(case, claim, law, settings):
                            text = f"{each.sentence}, but not for this rule: {said} ({at})"
                            return _against(case, claim, law, settings, text)
                except UnsupportedOperation as error:
                    return not_run(KIND, str(error))
                except RuleFailed as error:
                    return failed(case, KIND, size, settings, error)
    if not tried:
        return not_run(KIND, f"none of the properties is a theorem for {case.claim} on {case.network}")
    return Finding(
        Evidence(
            KIND,
            Status.HOLDS,
            Strength.SUPPORTED,
            f"results on {sum(tried.values())} groups of problems fit together, within rounding: {', '.join(tried)}",
            scope="; ".join(map(str, sizes)),
            blind="what is wrong in the same way on all problems of a group",
            details={"groups": tried},
        )
    )


def _against(case: Case, claim: Claim, law: Law, settings: Settings, text: str) -> Finding:
    """A property that does not hold; the witness is a problem on which the rule left what it was claimed to return."""
    for term in law.terms:
        seen, *_ = compare_on(case.rule, claim, term.problem, settings)
        if seen.outside:
            break
    return Finding(
        Evidence(KIND, Status.REFUTED, Strength.NONE, text),
        Witness(case.network, term.problem.sizes, settings, text, term.problem, floats=True),
    )
