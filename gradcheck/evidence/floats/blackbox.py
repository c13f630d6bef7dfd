"""Black-box evidence: the rule's float results compared with balls, at float64 or float32.

Each entry is within its rounding allowance of the true value, provably outside, or undecided. Problems are chosen for
power, so that long lags stay visible. The report names the power reached, per array: the smallest relative error
that would have been caught, and the longest visible lag.

A rule is judged at the coarser of the formats of its problem and its result. A rule whose float64 result for a float32
problem is within the rounding of float64 has cast up: its float32 is float64 again, and NOT RUN.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...problems.lively import branching_problems, fading, lively_problem
from ...records import Evidence, Rounding, Status, Strength
from ...reference.claims import Claim, Equals, LagClaim, Settings
from ...reference.errors import UnsupportedOperation
from ...reference.networks.base import Sizes
from ...reference.networks.sizes import fitting
from ...reference.problem import Problem
from ...reference.typing import Array
from ...rules.failures import RuleFailed
from ..base import Case, Finding, Kind, Piece, PieceData, Plan, Progress, Witness, lags_shown, not_run, settled, total
from ..budget import Budget
from ..sizes import describe, grown, possible, reaching, spread, vacuous
from ..target import planted, to_plant
from .comparison import casts_up, coarsest, compare, compare_on, midpoints, outside_text
from .power import Power, reaches

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
    Sizes(48, 12, 2, 1),
    Sizes(20, 16, 3, 2),
)
"""Sizes with T odd and even, below, at and above I; with each size 1 in turn; with more inputs or outputs than units.

At D = I or K = I a transposed W or V has the right shape.
"""
FLOAT32_SIZES = (
    Sizes(41, 6, 2, 2),
    Sizes(12, 5, 3, 1),
    Sizes(5, 8, 1, 3),
    Sizes(1, 3, 2, 2),
    Sizes(4, 1, 1, 1),
    Sizes(1, 1, 1, 1),
    Sizes(4, 3, 3, 2),
    Sizes(20, 16, 3, 2),
)
"""Fewer sizes for a second format, since some rules are compiled for each shape."""
BLOCKS = Sizes(32, 16, 16, 16)
"""Sizes at which units for products of matrices are used, some of which round float32 to 10 bits.

Where the state fades, so few roundings add up that this shows.
"""
FURTHER_SIZES = (Sizes(21, 4, 2, 3), Sizes(4, 3, 3, 3))
"""Sizes for networks after a rule's first."""
ZERO_STATE = (1, 4)
"""Positions in `SIZES` of the problems that start from a zero state."""


def failed(case: Case, kind: str, size: Sizes, settings: Settings, error: RuleFailed) -> Finding:
    """Return the finding on a rule that raised an error: NOT RUN at float32, else ERROR."""
    if kind == "float32":
        return not_run(kind, f"the rule does not run at float32: {error}")
    return Finding(
        Evidence(kind, Status.ERROR, Strength.NONE, str(error)), Witness(case.network, size, settings, str(error))
    )


@dataclass(frozen=True)
class BlackBox(Kind):
    """The rule's results on lively problems and on branching ones, at a spread of its settings.

    Attributes:
        dtype: The float format.
        sizes: Sizes of the lively problems, which may grow to reach beyond the claim's horizon.
        most_settings: The most settings of the rule on one problem.
        branching: Run the branching problems too.
    """

    strength: ClassVar[Strength] = Strength.SUPPORTED

    dtype: Any = np.float64
    sizes: Sequence[Sizes] = SIZES
    most_settings: int = 2
    branching: bool = True

    @property
    def kind(self) -> str:
        """The name of the float format."""
        return str(np.dtype(self.dtype).name)

    def plan(self, case: Case) -> Plan:
        kind, most_settings = self.kind, self.most_settings
        if not isinstance(case.claim, (LagClaim, Equals)):
            return settled(kind, not_run(kind, f"the claim {case.claim} promises no particular result"))
        sizes = possible(case.network, reaching(case.claim, self.sizes))
        if nothing := vacuous(case.claim, sizes):
            return settled(kind, not_run(kind, nothing))

        def lively(number: int, size: Sizes, seed: int, most: int, title: str) -> Piece:
            def run(before: Sequence[PieceData], progress: Progress) -> PieceData | Finding:
                zero_state = number in ZERO_STATE
                problem = lively_problem(case.network, size, seed, weighted=case.weighted, zero_state=zero_state)
                return compare_problem(case, kind, number, title, problem, most, True, progress)

            return Piece(title, run)

        def other(number: int, name: str, problem: Problem) -> Piece:
            title = f"{problem.sizes}, {name}"
            return Piece(
                title,
                lambda _, progress: compare_problem(case, kind, number, title, problem, most_settings, False, progress),
            )

        def further(number: int) -> Piece:
            """Return a piece with other numbers at one of the sizes; every fourth is at a larger size."""
            turn, other = divmod(number, 4)
            longest = max(sizes, key=lambda size: size.T)
            size, seed = sizes[number % len(sizes)] if other else grown(longest, turn), case.seed + 1000 + number
            return dataclasses.replace(lively(len(pieces) + number, size, seed, 1, f"{size}, seed {seed}"), size=size)

        pieces = [lively(number, size, case.seed, most_settings, str(size)) for number, size in enumerate(sizes)]
        others = dict(branching_problems(case.network, case.seed, weighted=case.weighted)) if self.branching else {}
        if self.branching and kind == "float32":
            blocks = lively_problem(case.network, BLOCKS, case.seed, weighted=case.weighted)
            others["a state that fades"] = fading(blocks, 0.125)
        pieces += [other(number, *named) for number, named in enumerate(others.items(), start=len(sizes))]
        return Plan(kind, pieces, functools.partial(_conclude, kind), further=further)


def compare_problem(
    case: Case, kind: str, number: int, title: str, problem: Problem, most: int, lively: bool, progress: Progress
) -> PieceData | Finding:
    """Compare on one problem.

    Args:
        case: The rule and its claim.
        kind: Name of the float format.
        number: Number of the problem.
        title: Its name.
        problem: The problem.
        most: The most settings.
        lively: True if the problem's longest lag must be visible.
        progress: Called with a line of text at each step.
    """
    dtype, size, power, worst = np.dtype(kind), problem.sizes, Power(), 0.0
    given, rejected, kinks, hidden, reach = 0, 0, 0, set[int](), -1
    wide = False
    for settings in spread(case.rule.settings(size.T), most, number):
        at = ", ".join(filter(None, [title, describe(settings)]))
        progress(at)
        claim = case.claim.bind(settings)
        try:
            seen, result, truth, field, allowed = compare_on(case.rule, claim, problem, settings, dtype)
        except UnsupportedOperation as error:
            return not_run(kind, str(error))
        except RuleFailed as error:
            return failed(case, kind, size, settings, error)
        if seen.outside:
            text = outside_text(at, seen.outside)
            return Finding(
                Evidence(kind, Status.REFUTED, Strength.CERTIFIED, text),
                Witness(case.network, size, settings, text, seen.kink or problem, floats=True, dtype=kind),
            )
        if seen.kink:
            kinks += 1
            continue
        wide = wide or seen.rounding is Rounding.NORMWISE
        if number == 0 and kind == "float32" and casts_up(claim, problem, result, truth, field):
            return not_run(kind, "it returns float64 for float32, as exact as for float64: it casts up")
        worst = max(worst, seen.worst)
        power.add(midpoints(truth, field), allowed)
        if number == 0:
            power.add_lags(problem, allowed)
        if not lively or fitting(case.network, size, alive=True) != size:
            continue  # the longest lag may be 0 there
        fine = coarsest(result, dtype) == np.float64  # a coarser format hides long lags of a right rule too
        lag = to_plant(claim, size.T)[1] if fine else _visible(claim, problem, allowed)
        if lag < 0:
            continue  # the power reports it
        fault = planted(claim, problem, midpoints(truth, field), None if fine else lag)
        with field.working():
            seen_there = compare(fault, truth, field, allowed).outside is not None
        given, rejected = given + 1, rejected + seen_there
        if seen_there:
            reach = max(reach, lag)
        else:
            hidden.update(range(_visible(claim, problem, allowed) + 1, lag + 1))
    return {
        "size": dataclasses.astuple(size),
        "worst": worst,
        "power": power.as_data(),
        "planted": [given, rejected],
        "kinks": kinks,
        "normwise": wide,
        "hidden": sorted(hidden),
        "reach": reach,
    }


def _visible(claim: Claim, problem: Problem, allowed: dict[str, Array]) -> int:
    """Return the longest lag of the last loss that the claim keeps and that exceeds rounding; -1 for none."""
    kept = [k for k in range(problem.T) if not isinstance(claim, LagClaim) or claim.keeps(problem.T, k, problem.T)]
    return max(reach.visible for reach in reaches(problem, allowed, kept).values())


def _conclude(kind: str, shown: Sequence[PieceData], budget: Budget) -> Finding:
    """Return the finding where no entry is outside. It is INCONCLUSIVE if rounding hides every entry of a parameter."""
    power, worst, caught = Power(), max(each["worst"] for each in shown), total(each["planted"] for each in shown)
    for each in shown:
        power.include(Power.from_data(each["power"]))
    undecided = f"{power.undecided} of {power.total} entries have no finite rounding allowance (overflow)"
    details = {**power.details(), "worst_in_allowances": worst, **kinks_of(shown)}
    if power.unseen:
        text = f"rounding at {kind} may exceed every entry of {', '.join(sorted(power.unseen))}, on every problem"
        text += f"; {undecided}" if power.undecided else ""
        return Finding(Evidence(kind, Status.INCONCLUSIVE, Strength.NONE, text, details=details), planted=caught)
    rounding = rounding_of(shown)
    text = f"every entry within its derived {allowance_text(rounding)} of a certified ball (at most {worst:.2g} of it)"
    text += f", but {undecided}" if power.undecided else ""
    text += kinks_text(shown)
    largest = [max(each["size"][n] for each in shown) for n in range(2)]
    return Finding(
        Evidence(
            kind,
            Status.HOLDS,
            Strength.SUPPORTED,
            text,
            scope=f"{len(shown)} problems, T up to {largest[0]}, I up to {largest[1]}",
            blind=power.blind(kind),
            details=details,
            rounding=rounding,
        ),
        planted=caught,
        **lags_shown(shown),
    )


def rounding_of(shown: Sequence[PieceData]) -> Rounding:
    """Return the rounding that the results of pieces had to be allowed for."""
    return Rounding.NORMWISE if any(each["normwise"] for each in shown) else Rounding.ENTRYWISE


def allowance_text(rounding: Rounding) -> str:
    """Return the name of an allowance in a sentence."""
    return "norm-wise rounding allowance" if rounding is Rounding.NORMWISE else "rounding allowance"


def kinks_of(shown: Sequence[PieceData]) -> dict[str, int]:
    """Return the number of results at kinks, as details of evidence; nothing where there are none."""
    number = sum(each["kinks"] for each in shown)
    return {"at_kinks": number} if number else {}


def kinks_text(shown: Sequence[PieceData]) -> str:
    """Return what to add to a sentence about problems at kinks; empty where there are none."""
    if not kinks_of(shown):
        return ""
    return "; at a kink, where the network has no derivative, the rule takes another slope, and it is right beside it"
