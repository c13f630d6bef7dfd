"""Enclosure evidence: the rule run on balls against a ball that contains the true value, at realistic sizes.

The rule's own ball contains what its code computes in exact arithmetic. Two narrow balls that overlap
certify equality to within their width, entry by entry; two that do not overlap certify a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..budget import Budget
from ..problems import lively_problem, living_sizes
from ..reference.claims import Claim, Equals, LagClaim, Settings
from ..reference.enclosure import FIRST_BITS, LAST_BITS, RELATIVE_BITS, relative_radius_bits
from ..reference.errors import UnsupportedOperation
from ..reference.network import Sizes
from ..reference.problem import Problem
from ..reference.scalars.ball import BallField
from ..reference.scalars.formal import entry_name
from ..results import RuleFailed, run
from ..rules import Rule
from ..verdicts import Evidence, Status, Strength
from . import Case, Finding, Witness, not_run, place, reaching, scope, spread, vacuous
from .target import entries, expected, planted

SIZES = (Sizes(12, 12, 2, 2), Sizes(50, 32, 3, 2))
_LARGE = 500
"""Above this T I, one setting is judged."""
SMALL_SIZES = (Sizes(9, 5, 2, 2), Sizes(1, 1, 1, 1), Sizes(4, 9, 3, 1))


class Comparison:
    """Two gradients over balls.

    apart: the first entry whose balls are disjoint. bits: the narrowest relative agreement shown, in bits.
    precision: at which working precision.
    """

    def __init__(self, field: BallField, promised: Any, result: Any) -> None:
        self.precision = field.bits
        self.bits = float("inf")
        self.apart: tuple[str, Any, Any] | None = None
        for (name, index, a), (_, _, b) in zip(entries(promised), entries(result), strict=True):
            p, q = field.native(a), field.native(b)
            if not p.overlaps(q):
                self.apart = self.apart or (entry_name(name, index), p, q)
            else:
                self.bits = min(self.bits, relative_radius_bits(p), relative_radius_bits(q))


def compare(
    rule: Rule,
    claim: Claim,
    problem: Problem,
    settings: Settings,
    *,
    first_bits: int = FIRST_BITS,
    last_bits: int = LAST_BITS,
    wanted: float = RELATIVE_BITS,
) -> tuple[Comparison, Any, Any, BallField, Problem]:
    """Compare rule and claim on balls, doubling the precision until `wanted` bits are shown or the balls part."""
    bits = first_bits
    while True:
        field = BallField(bits)
        with field.working():
            lifted = problem.over(field)
            promised = expected(claim, lifted)
            result = run(rule, lifted.copy(), settings).gradient
            comparison = Comparison(field, promised, result)
        if comparison.apart or comparison.bits >= wanted or bits >= last_bits:
            return comparison, promised, result, field, lifted
        bits *= 2


def judge(
    case: Case,
    *,
    sizes: Sequence[Sizes] = SIZES,
    most_settings: int = 2,
    first_bits: int = 256,
    last_bits: int = 2048,
    budget: Budget | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Finding:
    """Certify the case on one lively problem of each size that the budget affords, at a spread of its settings."""
    if not isinstance(case.claim, (LagClaim, Equals)):
        return not_run("enclosure", f"the claim {case.claim} promises no particular result")
    budget = budget or Budget()
    sizes = [living_sizes(case.network, size) for size in reaching(case.claim, sizes)]
    shown: list[_Shown] = []
    for turn, size in enumerate(sizes):
        if not budget.affords(size):
            continue
        with budget.timed(size):
            problem = lively_problem(case.network, size, case.seed, weighted=case.weighted)
            most = most_settings if size.T * size.I <= _LARGE else 1
            for settings in spread(case.rule.settings(size.T), most, turn):
                progress(place(size, settings))
                try:
                    outcome = _judge_one(case, problem, settings, first_bits, last_bits)
                except UnsupportedOperation as error:
                    return not_run("enclosure", f"the rule does not run on balls: {error}")
                except RuleFailed as error:
                    return not_run("enclosure", f"on balls {error}")
                if isinstance(outcome, Finding):
                    return outcome
                shown.append(outcome)
    reached = [size for size in sizes if size not in budget.left_out]
    if nothing := vacuous(case.claim, reached):
        return not_run("enclosure", nothing)
    return _concluded(case, reached, budget.remark, shown)


@dataclass(frozen=True)
class _Shown:
    """What one problem showed: agreement in bits, at which precision, and whether the planted fault was rejected."""

    bits: float
    precision: int
    rejected: bool


def _judge_one(case: Case, problem: Problem, settings: Settings, first_bits: int, last_bits: int) -> _Shown | Finding:
    claim = case.claim.bind(settings)
    comparison, promised, _, field, lifted = compare(
        case.rule, claim, problem, settings, first_bits=first_bits, last_bits=last_bits
    )
    if comparison.apart:
        entry, p, q = comparison.apart
        text = f"at {place(problem.sizes, settings)}: {entry} is {q.str(12)}, the claim {p.str(12)}"
        return Finding(
            Evidence("enclosure", Status.REFUTED, Strength.CERTIFIED, f"disjoint balls {text}"),
            Witness(case.network, problem.sizes, settings, text, problem),
        )
    with field.working():
        fault = Comparison(field, promised, planted(claim, lifted, promised))
    return _Shown(comparison.bits, comparison.precision, fault.apart is not None)


def _concluded(case: Case, sizes: Sequence[Sizes], remark: str, shown: list[_Shown]) -> Finding:
    bits, precision = min(s.bits for s in shown), max(s.precision for s in shown)
    caught = (len(shown), sum(s.rejected for s in shown))
    if bits < RELATIVE_BITS:
        return Finding(
            Evidence(
                "enclosure",
                Status.INCONCLUSIVE,
                Strength.NONE,
                f"some balls stay wider than 2^-{RELATIVE_BITS} relative at {precision} bits: their true values are "
                "zero or beyond this precision",
            ),
            planted=caught,
        )
    width = f"2^-{int(min(bits, 10_000))}"
    return Finding(
        Evidence(
            "enclosure",
            Status.HOLDS,
            Strength.CERTIFIED,
            f"in every entry, rule and true value lie in overlapping balls narrower than {width} relative",
            scope=scope(case, sizes) + remark,
            blind=f"differences below {width} relative; other values than the {len(shown)} problem(s) tried",
            details={"bits": precision, "relative_bits": int(min(bits, 10_000))},
        ),
        planted=caught,
    )
