"""Enclosure evidence: the rule's result on balls, compared with balls that contain the true value.

The rule's own ball contains its result in exact arithmetic. Two narrow balls that overlap certify equality to within
their width, entry by entry. Two disjoint balls certify a difference.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ...problems.lively import INACTIVE, branching_problems, lively_problem
from ...records import Evidence, Status, Strength
from ...reference.claims import Claim, Equals, LagClaim, Settings
from ...reference.enclosure import FIRST_BITS, LAST_BITS, RELATIVE_BITS, relative_radius_bits
from ...reference.errors import UnsupportedOperation
from ...reference.networks.base import Capabilities, Sizes, ask
from ...reference.networks.sizes import fitting
from ...reference.problem import Problem
from ...reference.scalars.ball import BallField
from ...reference.scalars.formal import entry_name
from ...rules.adapt import Rule
from ...rules.failures import RuleFailed
from ..base import Case, Finding, Kind, Piece, PieceData, Plan, Progress, Witness, not_run, refused, settled
from ..budget import Budget
from ..floats.second_look import at_a_kink
from ..sizes import grown, of_all, place, reaching, scope, spread, vacuous
from ..target import entries, expected, planted, returned

KIND = "enclosure"
SIZES = (Sizes(50, 12, 2, 2), Sizes(12, 33, 3, 2))
"""A long sequence, and more units than a block of 32; both at once are 59 million products of balls for RTRL."""
_LARGE = 500
"""Above this T I, only one setting of the rule is judged."""
SMALL_SIZES = (Sizes(9, 5, 2, 2), Sizes(1, 1, 1, 1), Sizes(4, 9, 3, 1))


class Comparison:
    """Comparison of two gradients over balls.

    Attributes:
        apart: The first entry with disjoint balls, as (entry, promised ball, ball of the result), or None.
        bits: The relative agreement, in bits, of the entry with the widest balls.
        precision: The working precision in bits.
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
    """Compare a rule and a claim on balls, and double the precision until the comparison decides.

    Args:
        rule: The rule.
        claim: The claim, bound to the settings.
        problem: The float problem.
        settings: The rule's keyword arguments.
        first_bits: The first working precision.
        last_bits: The last working precision.
        wanted: Relative agreement in bits that decides for equality. Disjoint balls decide against it.

    Returns:
        The last comparison, the promised gradient, the result, the field, and the problem on it.

    Raises:
        UnsupportedOperation, RuleFailed, WrongResult: As for `gradcheck.rules.call.run`.
    """
    bits = first_bits
    while True:
        field = BallField(bits)
        with field.working():
            lifted = problem.over(field)
            promised = expected(claim, lifted)
            result = returned(rule, claim, lifted.copy(), settings)
            comparison = Comparison(field, promised, result)
        if comparison.apart or comparison.bits >= wanted or bits >= last_bits:
            return comparison, promised, result, field, lifted
        bits *= 2


@dataclass(frozen=True)
class Enclosure(Kind):
    """One lively problem of each size that the budget affords, at a spread of the rule's settings.

    A network with kinks gets a problem with units on both sides of them too.

    Attributes:
        sizes: The sizes, which may grow to reach beyond the claim's horizon.
        most_settings: The most settings of the rule at one size.
        first_bits, last_bits: The range of working precisions.
        budget: Time for each size; the default one if None.
    """

    kind: ClassVar[str] = KIND
    strength: ClassVar[Strength] = Strength.CERTIFIED

    sizes: Sequence[Sizes] = SIZES
    most_settings: int = 2
    first_bits: int = 256
    last_bits: int = 2048
    budget: Budget | None = None

    @property
    def bits(self) -> tuple[int, int]:
        """The first and the last working precision."""
        return self.first_bits, self.last_bits

    def plan(self, case: Case) -> Plan:
        if not isinstance(case.claim, (LagClaim, Equals)):
            return settled(KIND, not_run(KIND, f"the claim {case.claim} promises no particular result"))

        def piece(turn: int, size: Sizes, most_settings: int) -> Piece:
            def run(_: Sequence[PieceData], progress: Progress) -> PieceData | Finding:
                problem = lively_problem(case.network, size, case.seed, weighted=case.weighted)
                return compare_problem(case, problem, turn, most_settings, self.bits, progress)

            return Piece(str(size), run, size)

        def around_kinks(_: object, progress: Progress) -> PieceData | Finding:
            problem = branching_problems(case.network, case.seed, weighted=case.weighted)[INACTIVE]
            return compare_problem(case, problem, 0, 1, self.bits, progress, lively=False)

        def further(number: int) -> Piece:
            return piece(
                len(sizes) + number,
                fitting(case.network, of_all(case.network, grown(sizes[-1], number)), alive=True),
                1,
            )

        sizes = [
            fitting(case.network, of_all(case.network, size), alive=True) for size in reaching(case.claim, self.sizes)
        ]
        pieces = [piece(turn, size, self.most_settings) for turn, size in enumerate(sizes)]
        if ask(case.network, Capabilities.has_kinks):
            pieces.append(Piece(INACTIVE, around_kinks))
        return Plan(KIND, pieces, functools.partial(_conclude, case), self.budget or Budget(), further=further)


def compare_problem(
    case: Case,
    problem: Problem,
    turn: int,
    most: int,
    bits: tuple[int, int],
    progress: Progress,
    *,
    lively: bool = True,
) -> PieceData | Finding:
    """Compare on balls of one problem's numbers.

    Args:
        case: The rule and its claim.
        problem: The float problem.
        turn: Its number, for the choice of settings.
        most: The most settings of the rule; one where the problem is large.
        bits: The first and the last working precision.
        progress: Called with a line of text at each setting.
        lively: True for a problem on which planted faults show.
    """
    size, problems = problem.sizes, []
    most = most if size.T * size.I <= _LARGE else 1
    for settings in spread(case.rule.settings(size.T), most, turn):
        progress(place(size, settings))
        try:
            outcome = _compare_one(case, problem, settings, *bits)
        except UnsupportedOperation as error:
            return refused(KIND, "balls", error)
        except RuleFailed as error:
            return not_run(KIND, f"on balls {error}")
        if isinstance(outcome, Finding):
            return outcome
        problems.append(outcome if lively else {**outcome, "rejected": None})
    return {"size": dataclasses.astuple(size), "problems": problems}


def _compare_one(
    case: Case, problem: Problem, settings: Settings, first_bits: int, last_bits: int
) -> PieceData | Finding:
    """Return agreement and precision in bits, and if the planted fault was rejected; or a refutation."""
    claim = case.claim.bind(settings)
    comparison, promised, _, field, lifted = compare(
        case.rule, claim, problem, settings, first_bits=first_bits, last_bits=last_bits
    )
    if comparison.apart and at_a_kink(problem):
        return not_run(KIND, "the problem lies at a kink of the network, where it has no derivative")
    if comparison.apart:
        entry, p, q = comparison.apart
        text = f"at {place(problem.sizes, settings)}: {entry} is {q.str(12)}, the claim {p.str(12)}"
        return Finding(
            Evidence(KIND, Status.REFUTED, Strength.CERTIFIED, f"disjoint balls {text}"),
            Witness(case.network, problem.sizes, settings, text, problem),
        )
    with field.working():
        fault = Comparison(field, promised, planted(claim, lifted, promised))
    rejected = fault.apart is not None
    return {"bits": min(comparison.bits, 10_000.0), "precision": comparison.precision, "rejected": rejected}


def _conclude(case: Case, shown: Sequence[PieceData], budget: Budget) -> Finding:
    sizes = [Sizes(*each["size"]) for each in shown]
    if nothing := vacuous(case.claim, sizes):
        return not_run(KIND, nothing)
    problems = [problem for each in shown for problem in each["problems"]]
    bits, precision = min(p["bits"] for p in problems), max(p["precision"] for p in problems)
    rejected = [p["rejected"] for p in problems if p["rejected"] is not None]
    caught = (len(rejected), sum(rejected))
    if bits < RELATIVE_BITS:
        return Finding(
            Evidence(
                KIND,
                Status.INCONCLUSIVE,
                Strength.NONE,
                f"some balls stay wider than 2^-{RELATIVE_BITS} relative at {precision} bits: their true values are "
                "zero or beyond this precision",
            ),
            planted=caught,
        )
    width = f"2^-{int(bits)}"
    return Finding(
        Evidence(
            KIND,
            Status.HOLDS,
            Strength.CERTIFIED,
            f"in every entry, rule and true value lie in overlapping balls narrower than {width} relative",
            scope=scope(case.rule, sizes) + budget.remark,
            blind=f"differences below {width} relative; other values than those tried",
            details={"bits": precision, "relative_bits": int(bits)},
        ),
        planted=caught,
    )
