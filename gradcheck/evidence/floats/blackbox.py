"""Black-box evidence: a rule that only runs on floats, judged against balls, at float64 or float32.

Each entry is within its rounding allowance of the true value, provably outside, or undecided. Problems
are chosen for power: long lags stay visible on them; the power reached is reported, per parameter:
the smallest relative error that would have been caught, and the longest lag.

A rule is judged by the coarser of the format that it was given and the one it answers in. One that answers a
float32 problem in float64, and to within what float64 rounds, has cast up: its float32 is float64 again, NOT RUN.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import OrderedDict
from collections.abc import Sequence
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
from ..base import Case, Finding, Kind, Piece, Plan, Progress, Shown, Witness, not_run, settled, total
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
"""T odd and even, below, at and above I; each size 1 in turn; more inputs or outputs than units, and as many.

Where D = I or K = I a transposed W or V has the right shape.
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
"""Of these for a second format: where code is compiled for each shape, that is what an audit waits for."""
FURTHER_SIZES = (Sizes(21, 4, 2, 3), Sizes(4, 3, 3, 3))
"""For networks after a rule's first."""
ZERO_STATE = (1, 4)
"""Which of `SIZES` start from a zero state."""


@dataclass(frozen=True)
class FloatComparison:
    """Float entries against balls.

    outside: the first entry that is provably further than its allowance, as (entry, got, true, allowance).
    undecided: entries whose allowance is infinite. worst: the largest distance in units of the allowance.
    """

    outside: tuple[str, float, Any, float] | None
    undecided: int
    worst: float


def compare(result: Gradient, truth: Gradient, field: BallField, allowed: dict[str, Array]) -> FloatComparison:
    """Compare float entries with balls, in the field's working precision."""
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
    """Run the rule at `dtype` on the problem and compare: (comparison, result, truth, field, allowances)."""
    given = problem.astype(dtype)
    result = run(rule, given.copy(), settings).gradient
    exact = given.astype(np.float64)
    truth, allowed = _known(claim, exact, np.dtype(coarsest(result, dtype)).name)
    with FIELD.working():
        return compare(result, truth, FIELD, allowed), result, truth, FIELD, allowed


FIELD = BallField(320)
_KNOWN: OrderedDict[Any, tuple[Gradient, dict[str, Array]]] = OrderedDict()
_MOST_KNOWN = 2048


def _known(claim: Claim, problem: Problem, kind: str) -> tuple[Gradient, dict[str, Array]]:
    """The true gradient as balls and the allowances; kept, since every rule is asked the same problems.

    What a claim's own target returns is asked anew: it may not be a function of its problem.
    """

    def derive() -> tuple[Gradient, dict[str, Array]]:
        with FIELD.working():
            truth = expected(claim, problem.over(FIELD))
            return truth, allowance(claim, problem, RoundedField.for_dtype(kind))

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
    """The format to judge by: a rule that computes in float32 whatever it is given is judged as float32."""
    formats = [array.dtype for array in result.values() if array.dtype.kind == "f"]
    return max([np.dtype(dtype), *formats], key=lambda d: float(np.finfo(d).eps))


def midpoints(gradient: Gradient, field: BallField) -> Gradient:
    """Balls as the float64 nearest to their middle."""
    return {
        name: np.array([float(ball.mid()) for ball in field.natives(array)]).reshape(np.shape(array))
        for name, array in gradient.items()
    }


def casts_up(claim: Claim, problem: Problem, result: Gradient, truth: Gradient, field: BallField) -> bool:
    """Whether a rule that was given float32 answers in float64, and to within what float64 rounds."""
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
    """A rule that raises on floats cannot be judged; one that raises on float32 alone does not run there."""
    if kind == "float32":
        return not_run(kind, f"the rule does not run at float32: {error}")
    return Finding(
        Evidence(kind, Status.ERROR, Strength.NONE, str(error)), Witness(case.network, size, settings, str(error))
    )


@dataclass(frozen=True)
class BlackBox(Kind):
    """The rule's float results on problems of these sizes, and on telling ones, at a spread of its settings."""

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
            def run(before: Sequence[Shown], progress: Progress) -> Shown | Finding:
                zero_state = number in ZERO_STATE
                problem = lively_problem(case.network, size, seed, weighted=case.weighted, zero_state=zero_state)
                return _compare_problem(case, kind, number, title, problem, most, True, progress)

            return Piece(title, run)

        def other(number: int, name: str, problem: Problem) -> Piece:
            title = f"{problem.sizes}, {name}"
            return Piece(
                title,
                lambda _, progress: _compare_problem(
                    case, kind, number, title, problem, most_settings, False, progress
                ),
            )

        def further(number: int) -> Piece:
            """Return other numbers at the same sizes and, in every fourth place, a larger one."""
            turn, other = divmod(number, 4)
            longest = max(sizes, key=lambda size: size.T)
            size, seed = sizes[number % len(sizes)] if other else grown(longest, turn), case.seed + 1000 + number
            return dataclasses.replace(lively(len(pieces) + number, size, seed, 1, f"{size}, seed {seed}"), size=size)

        pieces = [lively(number, size, case.seed, most_settings, str(size)) for number, size in enumerate(sizes)]
        others = branching_problems(case.network, case.seed, weighted=case.weighted) if self.branching else {}
        pieces += [other(number, *named) for number, named in enumerate(others.items(), start=len(sizes))]
        return Plan(kind, pieces, functools.partial(_conclude, kind), further=further)


def _compare_problem(
    case: Case, kind: str, number: int, title: str, problem: Problem, most: int, lively: bool, progress: Progress
) -> Shown | Finding:
    """Compare on one problem, the number-th of its kind. lively: True if its longest lag must be seen."""
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
            return not_run(kind, "for float32 it answers in float64, as exactly as float64 does: it casts up")
        worst = max(worst, seen.worst)
        power.add(midpoints(truth, field), allowed)
        if number == 0:
            power.add_lags(problem, allowed)
        if not lively or living_sizes(case.network, size) != size:
            continue  # on these the longest lag may well be 0
        lag = longest_kept(claim, size.T) if kind == "float64" else _visible(claim, problem, allowed)
        if lag < 0:
            continue  # the power says so
        with field.working():
            fault = planted(claim, problem.over(field), truth, lag)
            given += 1
            rejected += compare(midpoints(fault, field), truth, field, allowed).outside is not None
    return {
        "size": dataclasses.astuple(size),
        "worst": worst,
        "power": power.as_data(),
        "planted": [given, rejected],
    }


def _visible(claim: Claim, problem: Problem, allowed: dict[str, Array]) -> int:
    """The longest lag of the last loss that the claim keeps and rounding leaves visible; -1 for none."""
    kept = [k for k in range(problem.T) if not isinstance(claim, LagClaim) or claim.keeps(problem.T, k, problem.T)]
    return max(reach.visible for reach in reaches(problem, allowed, kept).values())


def _conclude(kind: str, shown: Sequence[Shown], budget: Budget) -> Finding:
    """What it comes to that no entry is outside: of a parameter that rounding hides altogether, nothing is known."""
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
