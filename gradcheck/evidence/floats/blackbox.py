"""Black-box evidence: the rule's float results compared with balls, at float64 or float32.

Each entry is within its rounding allowance of the true value, provably outside, or undecided. Problems are chosen for
power, so that long lags stay visible. The report names the power reached, per parameter: the smallest relative error
that would have been caught, and the longest visible lag.

A rule is judged at the coarser of the formats of its problem and its result. A rule whose float64 result for a float32
problem is within the rounding of float64 has cast up: its float32 is float64 again, and NOT RUN.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import flint
import numpy as np

from ...problems.lively import branching_problems, lively_problem, living_sizes
from ...records import Evidence, Status, Strength
from ...reference.claims import Claim, Equals, LagClaim, Settings
from ...reference.errors import UnsupportedOperation
from ...reference.networks.base import Sizes
from ...reference.networks.state import state_of
from ...reference.problem import Problem
from ...reference.scalars.ball import BallField
from ...reference.scalars.formal import entry_name
from ...reference.scalars.rounded import RoundedField
from ...reference.typing import Array, Gradient
from ...rules.adapt import Rule
from ...rules.call import RuleFailed, run
from ..base import Case, Finding, Kind, Piece, PieceData, Plan, Progress, Witness, not_run, settled, total
from ..budget import Budget
from ..sizes import describe, grown, reaching, spread, vacuous
from ..target import entries, expected, longest_kept, planted
from .allowance import allowance
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
FURTHER_SIZES = (Sizes(21, 4, 2, 3), Sizes(4, 3, 3, 3))
"""Sizes for networks after a rule's first."""
ZERO_STATE = (1, 4)
"""Positions in `SIZES` of the problems that start from a zero state."""


@dataclass(frozen=True)
class FloatComparison:
    """Comparison of float entries with balls.

    Attributes:
        outside: The first entry provably outside its allowance, as (entry, result, true value, allowance), or None.
        undecided: The number of entries with an infinite allowance.
        worst: The largest distance in units of the allowance.
    """

    outside: tuple[str, float, Any, float] | None
    undecided: int
    worst: float


def compare(result: Gradient, truth: Gradient, field: BallField, allowed: dict[str, Array]) -> FloatComparison:
    """Compare float entries with balls, in the field's working precision.

    Args:
        result: The rule's result as floats.
        truth: The promised gradient as balls.
        field: The field of the balls.
        allowed: Absolute allowances by parameter.
    """
    outside, undecided, worst = None, 0, 0.0
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
    return FloatComparison(outside, undecided, worst)


def compare_on(
    rule: Rule, claim: Claim, problem: Problem, settings: Settings, dtype: Any = np.float64
) -> tuple[FloatComparison, Gradient, Gradient, BallField, dict[str, Array]]:
    """Run the rule at a format on a problem and compare the result with the claim.

    Args:
        rule: The rule.
        claim: The claim, bound to the settings.
        problem: The float problem.
        settings: The rule's keyword arguments.
        dtype: The float format of the problem that the rule gets.

    Returns:
        The comparison, the result, the promised gradient as balls, their field, and the allowances.

    Raises:
        UnsupportedOperation, RuleFailed, WrongResult: As for `gradcheck.rules.call.run`.
        TargetFailed: The target of an `Equals` claim does not run.
    """
    given = problem.astype(dtype)
    result = run(rule, given.copy(), settings).gradient
    exact = given.astype(np.float64)
    truth, allowed = known(claim, exact, result, dtype)
    with FIELD.working():
        return compare(result, truth, FIELD, allowed), result, truth, FIELD, allowed


FIELD = BallField(320)
_KNOWN: OrderedDict[Any, Gradient] = OrderedDict()
_MOST_KNOWN = 4096


def known(claim: Claim, problem: Problem, result: Gradient, dtype: Any) -> tuple[Gradient, dict[str, Array]]:
    """Return the promised gradient as balls, and the allowances, of each array at the format that it has.

    A result of one coarse array is judged at the coarse format there, and at the fine one in the others.

    Args:
        claim: The claim, bound to settings.
        problem: The problem on float64.
        result: The rule's result.
        dtype: The format of the problem that the rule got; no array is judged at a finer one.
    """

    def true() -> Gradient:
        with FIELD.working():
            return expected(claim, problem.over(FIELD))

    formats = {name: np.dtype(coarsest({name: array}, dtype)).name for name, array in result.items()}
    bounds = {
        kind: _kept(claim, problem, kind, functools.partial(allowance, claim, problem, RoundedField.for_dtype(kind)))
        for kind in sorted(set(formats.values()))
    }
    return _kept(claim, problem, "", true), {name: bounds[formats[name]][name] for name in formats}


def _kept(claim: Claim, problem: Problem, kind: str, derive: Callable[[], Gradient]) -> Gradient:
    """Return what was derived before for an equal problem, since all rules get the same ones.

    The result of a claim's own target is not kept, since that may be impure.
    """
    if isinstance(claim, Equals):
        return derive()
    arrays = tuple((name, array.shape, array.tobytes()) for name, array in problem.arrays().items())
    key = (claim, state_of(problem.network), kind, arrays)
    if key not in _KNOWN:
        _KNOWN[key] = derive()
        while len(_KNOWN) > _MOST_KNOWN:
            _KNOWN.popitem(last=False)
    return _KNOWN[key]


def coarsest(result: Gradient, dtype: Any) -> Any:
    """Return the coarsest of the given format and those of the result, at which the rule is judged."""
    formats = [array.dtype for array in result.values() if array.dtype.kind == "f"]
    return max([np.dtype(dtype), *formats], key=lambda d: float(np.finfo(d).eps))


def midpoints(gradient: Gradient, field: BallField) -> Gradient:
    """Round the midpoints of balls to float64."""
    return {
        name: np.array([float(ball.mid()) for ball in field.natives(array)]).reshape(np.shape(array))
        for name, array in gradient.items()
    }


def casts_up(claim: Claim, problem: Problem, result: Gradient, truth: Gradient, field: BallField) -> bool:
    """Return True if the result for a float32 problem is float64, and within the rounding of float64.

    Args:
        claim: The claim, bound to settings.
        problem: The float problem.
        result: The rule's result at float32.
        truth: The promised gradient as balls.
        field: The field of the balls.
    """
    if any(array.dtype.itemsize < 8 for array in result.values()):
        return False
    with field.working():
        finer = allowance(claim, problem, RoundedField.for_dtype(np.float64))
        return compare(result, truth, field, finer).outside is None


def outside_text(at: str, outside: tuple[str, float, Any, float], kind: str = "") -> str:
    """Return a sentence on an entry that is provably outside its allowance."""
    entry, got, true, allow = outside
    where = f" at {kind}" if kind else ""
    return (
        f"at {at}: {entry} is {got!r}{where}, the true value {true.str(17, radius=False)}, rounding allows {allow:.2g}"
    )


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
        sizes = reaching(case.claim, self.sizes)
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
        others = branching_problems(case.network, case.seed, weighted=case.weighted) if self.branching else {}
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
    given = rejected = 0
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
                Witness(case.network, size, settings, text, problem, floats=True, dtype=kind),
            )
        if number == 0 and kind == "float32" and casts_up(claim, problem, result, truth, field):
            return not_run(kind, "it returns float64 for float32, as exact as for float64: it casts up")
        worst = max(worst, seen.worst)
        power.add(midpoints(truth, field), allowed)
        if number == 0:
            power.add_lags(problem, allowed)
        if not lively or living_sizes(case.network, size) != size:
            continue  # the longest lag may be 0 there
        lag = longest_kept(claim, size.T) if kind == "float64" else _visible(claim, problem, allowed)
        if lag < 0:
            continue  # the power reports it
        fault = planted(claim, problem, midpoints(truth, field), lag)
        with field.working():
            given += 1
            rejected += compare(fault, truth, field, allowed).outside is not None
    return {
        "size": dataclasses.astuple(size),
        "worst": worst,
        "power": power.as_data(),
        "planted": [given, rejected],
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
    details = {**power.details(), "worst_in_allowances": worst}
    if power.unseen:
        text = f"rounding at {kind} may exceed every entry of {', '.join(sorted(power.unseen))}, on every problem"
        text += f"; {undecided}" if power.undecided else ""
        return Finding(Evidence(kind, Status.INCONCLUSIVE, Strength.NONE, text, details=details), planted=caught)
    text = f"every entry within its derived rounding allowance of a certified ball (at most {worst:.2g} of it)"
    text += f", but {undecided}" if power.undecided else ""
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
        ),
        planted=caught,
    )
