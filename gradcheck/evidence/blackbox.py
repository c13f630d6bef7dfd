"""Black-box evidence: a rule that only runs on floats, judged against balls.

Each entry is within its rounding allowance of the true value, provably outside, or undecided. Problems
are chosen for power: long lags stay visible on them; the power reached is reported, per parameter:
the smallest relative error that would have been caught, and the longest lag.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np

from ..problems import lively_problem, living_sizes, telling_problems
from ..reference import lags
from ..reference.claims import Claim, Equals, LagClaim, Settings
from ..reference.errors import UnsupportedOperation
from ..reference.network import Sizes
from ..reference.problem import Problem
from ..reference.scalars.ball import BallField
from ..reference.scalars.formal import entry_name
from ..reference.scalars.rounded import RoundedField
from ..reference.typing import Array, Gradient
from ..results import RuleFailed, run
from ..rules import Rule
from ..verdicts import Evidence, Status, Strength
from . import Case, Finding, Witness, describe, not_run, spread
from .allowance import allowance
from .target import entries, expected, planted

SIZES = (
    Sizes(41, 6, 2, 2),
    Sizes(12, 5, 3, 1),
    Sizes(5, 8, 1, 3),
    Sizes(7, 7, 2, 2),
    Sizes(1, 3, 2, 2),
    Sizes(4, 1, 1, 1),
    Sizes(1, 2, 3, 1),
    Sizes(2, 2, 1, 4),
    Sizes(3, 1, 3, 2),
    Sizes(8, 3, 5, 2),
    Sizes(1, 1, 1, 1),
    Sizes(6, 10, 2, 1),
    Sizes(4, 3, 3, 2),
    Sizes(5, 3, 2, 3),
    Sizes(3, 3, 3, 3),
)
"""T odd and even, below, at and above I; each size 1 in turn; more inputs or outputs than units, and as many.

Where D = I or K = I a transposed W or V has the right shape.
"""
FURTHER_SIZES = (Sizes(21, 4, 2, 3), Sizes(4, 3, 3, 3))
"""For networks after a rule's first."""
ZERO_STATE = (1, 4)
"""Which of `SIZES` start from a zero state."""


@dataclass(frozen=True)
class FloatComparison:
    """Float entries against balls.

    outside: the first entry that is provably further than its allowance, as (entry, got, true, allowance).
    undecided: entries whose allowance is infinite. smallest: per parameter, the least allowance relative
    to its entry. worst: the largest distance in units of the allowance.
    """

    outside: tuple[str, float, Any, float] | None
    undecided: int
    smallest: dict[str, float]
    worst: float


def compare(result: Gradient, truth: Gradient, field: BallField, allowed: dict[str, Array]) -> FloatComparison:
    """Compare float entries with balls, in the field's working precision."""
    outside, undecided, worst = None, 0, 0.0
    smallest: dict[str, float] = {}
    for (name, index, value), (_, _, ball) in zip(entries(result), entries(truth), strict=True):
        true, allow = field.native(ball), float(allowed[name][index])
        if not np.isfinite(allow):
            undecided += 1
            continue
        gap = abs(flint.arb(float(value)) - true) if np.isfinite(value) else flint.arb.pos_inf()
        if gap > flint.arb(allow) and outside is None:
            outside = (entry_name(name, index), float(value), true, allow)
        if allow > 0:
            worst = max(worst, float(gap.mid()) / allow)
        size = float(abs(true).mid())
        if size > 0:
            smallest[name] = min(smallest.get(name, float("inf")), allow / size)
    return FloatComparison(outside, undecided, smallest, worst)


def compare_on(
    rule: Rule, claim: Claim, problem: Problem, settings: Settings, dtype: Any = np.float64
) -> tuple[FloatComparison, Gradient, Gradient, BallField, dict[str, Array]]:
    """Run the rule at `dtype` on the problem and compare: (comparison, result, truth, field, allowances)."""
    given = problem.astype(dtype)
    result = run(rule, given.copy(), settings).gradient
    exact = given.astype(np.float64)
    field = BallField(320)
    with field.working():
        truth = expected(claim, exact.over(field))
        allowed = allowance(claim, exact, RoundedField.for_dtype(_coarsest(result, dtype)))
        return compare(result, truth, field, allowed), result, truth, field, allowed


def _coarsest(result: Gradient, dtype: Any) -> Any:
    """The format to judge by: a rule that computes in float32 whatever it is given is judged as float32."""
    formats = [array.dtype for array in result.values() if array.dtype.kind == "f"]
    return max([np.dtype(dtype), *formats], key=lambda d: float(np.finfo(d).eps))


def visible_lag(problem: Problem, allowed: dict[str, Array]) -> int:
    """The longest lag of the last loss of which some entry exceeds its allowance, at float64; -1 for none."""
    longest, terms = -1, lags.by_lag(problem)
    for k in range(problem.T):
        term = terms[problem.T, k]
        if any((np.abs(term[name]) > 2 * allowed[name]).any() for name in term):
            longest = k
    return longest


def judge(
    case: Case,
    *,
    dtype: Any = np.float64,
    sizes: Sequence[Sizes] = SIZES,
    most_settings: int = 2,
    progress: Callable[[str], None] = lambda _: None,
) -> Finding:
    """Judge the rule's float results on problems of these sizes, at a spread of its settings."""
    kind = np.dtype(dtype).name
    if not isinstance(case.claim, (LagClaim, Equals)):
        return not_run(kind, f"the claim {case.claim} promises no particular result")
    undecided = planted_count = rejected = total = 0
    smallest: dict[str, float] = {}
    worst, longest = 0.0, -1
    problems = {
        str(size): lively_problem(
            case.network, size, case.seed, weighted=case.weighted, zero_state=number in ZERO_STATE
        )
        for number, size in enumerate(sizes)
    }
    for name, problem in telling_problems(case.network, case.seed, weighted=case.weighted).items():
        problems[f"{problem.sizes}, {name}"] = problem
    for number, (title, problem) in enumerate(problems.items()):
        size = problem.sizes
        for settings in spread(case.rule.settings(size.T), most_settings):
            at = ", ".join(filter(None, [title, describe(settings)]))
            progress(at)
            claim = case.claim.bind(settings)
            try:
                seen, result, truth, field, allowed = compare_on(case.rule, claim, problem, settings, dtype)
            except UnsupportedOperation as error:
                return not_run(kind, str(error))
            except RuleFailed as error:
                return Finding(
                    Evidence(kind, Status.ERROR, Strength.NONE, str(error)),
                    Witness(case.network, size, settings, str(error)),
                )
            if seen.outside:
                entry, got, true, allow = seen.outside
                known = true.str(17, radius=False)
                text = f"at {at}: {entry} is {got!r}, the true value {known}, rounding allows {allow:.2g}"
                return Finding(
                    Evidence(kind, Status.REFUTED, Strength.CERTIFIED, text),
                    Witness(case.network, size, settings, text, problem, floats=True),
                )
            undecided += seen.undecided
            total += sum(a.size for a in result.values())
            worst = max(worst, seen.worst)
            for name, value in seen.smallest.items():
                smallest[name] = min(smallest.get(name, float("inf")), value)
            if number == 0:
                longest = max(longest, visible_lag(problem, allowed))
            if number >= len(sizes) or living_sizes(case.network, size) != size:
                continue  # on these the longest lag may well be 0
            with field.working():
                lifted = problem.astype(dtype).astype(np.float64).over(field)
                fault = planted(claim, lifted, truth)
                as_floats = {
                    n: np.array([float(b.mid()) for b in field.natives(a)]).reshape(a.shape) for n, a in fault.items()
                }
                planted_count += 1
                rejected += compare(as_floats, truth, field, allowed).outside is not None
    power = ", ".join(f"{name} {value:.1g}" for name, value in smallest.items())
    if undecided:
        return Finding(
            Evidence(
                kind,
                Status.INCONCLUSIVE,
                Strength.NONE,
                f"{undecided} of {total} entries have no finite rounding allowance (overflow)",
            ),
            planted=(planted_count, rejected),
        )
    return Finding(
        Evidence(
            kind,
            Status.HOLDS,
            Strength.SUPPORTED,
            f"every entry within its derived rounding allowance of a certified ball (at most {worst:.2g} of it)",
            scope=f"{len(problems)} problems, T up to {max(s.T for s in sizes)}, I up to {max(s.I for s in sizes)}",
            blind=f"relative errors below {power} (smallest caught, per parameter); a truncation beyond lag {longest}",
            details={"smallest_relative_error": smallest, "longest_visible_lag": longest, "worst_in_allowances": worst},
        ),
        planted=(planted_count, rejected),
    )
