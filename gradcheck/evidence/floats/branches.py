"""Problems that reach branches of the rule's code which no comparison had run: found by cheap calls, then compared.

Sizes come from the whole numbers in the rule's code (a 64 asks for 63, 64, 65 and 128), from relations of sizes, and
from the sizes that kernels are made of; values from its other numbers, and from data as they are.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ...problems.lively import branching_problems, lively_problem
from ...problems.structured import structured
from ...problems.ties import ties_of
from ...problems.trained import SETTLED, trained_problems
from ...records import Evidence, Status, Strength
from ...reference.claims import Settings
from ...reference.errors import GradcheckError
from ...reference.networks.base import Sizes
from ...reference.networks.sizes import fitting
from ...reference.problem import Problem
from ...reference.ring import FormalReference
from ...reference.scalars.counted import CountedField
from ...rules.authors import authored_by
from ...rules.call import run, watching
from ...rules.coverage.numbers import numbers_in
from ...rules.coverage.recorder import Recorder
from ...rules.coverage.seen import Seen
from ...rules.coverage.watched import watched
from ..base import Case, Finding, Kind, Piece, PieceData, Plan, Progress, total
from ..budget import Budget
from ..sizes import spread
from . import screen
from .blackbox import allowance_text, compare_problem, kinks_of, kinks_text, rounding_of
from .reach import Reach

KIND = "branches"
SECONDS = 20.0
"""Seconds in which branches are searched for."""
LONGEST, WIDEST, MOST_INPUTS = 300, 130, 260
"""The largest T, I, and D or K that are tried."""
_MOST_VALUES = 20
_MOST_COMPARED = 20
"""The largest size at which comparisons within arrays are looked at: they take a call for each entry."""
_BASES = (Sizes(5, 3, 2, 2), Sizes(9, 4, 4, 3))
_TIED = Sizes(4, 3, 3, 3)
_RELATIONS = (
    Sizes(3, 3, 3, 3), Sizes(1, 1, 1, 1), Sizes(2, 3, 2, 5), Sizes(4, 3, 6, 1), Sizes(6, 3, 1, 2), Sizes(1, 5, 2, 2),
    *(Sizes(T, 2, 1, 1) for T in (2, 3, *range(6, 21), 33, 50, 65, 70, 100, 129, 150, 200, 257)),
    *(Sizes(3, I, 2, 2) for I in (6, 7, 8, 9, 16, 17, 32, 33, 48, 64, 65, 70)),
    *(Sizes(3, 2, D, 2) for D in (7, 8, 16, 17, 33, 64, 65)), *(Sizes(3, 2, 2, K) for K in (7, 8, 16, 17, 33, 64, 65)),
)  # fmt: skip


def screened(
    case: Case, recorder: Recorder, blocks: bool, progress: Progress, limits: screen.Limits = screen.FIRST
) -> list[Reach]:
    """Return problems on which the rule's result is not close to the claimed one on floats: by size, and by value.

    Args:
        case: The rule and its claim.
        recorder: Records which numbers are in its code.
        blocks: Try the sizes that kernels are made of too.
        progress: Called with a line of text at each try.
        limits: The time that each of both may take.
    """
    recorder.reset()
    _try(case, Reach(_BASES[0]), recorder)
    ran, target = recorder.numbers(), case.rule.target
    written = numbers_in(target, authored_by(target))
    numbers = {kind: [*dict.fromkeys([*ran[kind], *written[kind]])] for kind in ran}
    found = screen.by_size(case, numbers, blocks, limits, progress)
    return found + screen.by_value(case, _values(numbers), limits, progress)


def compared(case: Case, recorder: Recorder, seen: Seen) -> list[list[Any]]:
    """Return rows of both sides of each comparison within arrays of floats, and add them to what was not seen.

    Args:
        case: The rule and its claim.
        recorder: Records what runs.
        seen: What ran before.
    """
    recorder.reset()
    for base in _BASES:
        _try(case, Reach(base), recorder)
    return seen.want(recorder.as_data())


def explore(case: Case, recorder: Recorder, seen: Seen, progress: Progress, *, others: bool = False) -> list[Reach]:
    """Return problems that reach branches which had never run, the first found for each.

    Args:
        case: The rule and its claim.
        recorder: Records what runs.
        seen: What ran before. What is found is added.
        progress: Called with a line of text at each try.
        others: True for a rule that is known to run on other numbers than floats.
    """
    found: list[Reach] = []
    deadline = time.monotonic() + SECONDS
    recorder.reset()
    _try(case, Reach(_BASES[0]), recorder)
    numbers = recorder.numbers()
    for reach in candidates(case, numbers):
        missing = seen.never_ran()
        if not missing or time.monotonic() > deadline:
            break
        progress(str(reach))
        recorder.reset()
        failed = _try(case, reach, recorder, others)
        ran = Seen()
        ran.add(recorder.as_data())
        # A rule takes all sizes; extreme values may overflow in one that is right.
        if (failed and not reach.change) or any(missing.get(key, set()) & each for key, each in ran.ran.items()):
            found.append(reach)
            seen.include(ran)
            if failed:
                break
    return found


def candidates(case: Case, numbers: Mapping[type, Sequence[float]]) -> Iterator[Reach]:
    """Yield problems that may reach other branches, the most likely first.

    Args:
        case: The rule and its claim.
        numbers: The whole numbers in the rule's code, and the others.
    """
    whole = [int(n) for n in numbers[int] if 1 < n <= LONGEST]
    near = list(dict.fromkeys(m for n in whole for m in (n + 1, n, n - 1, 2 * n, 2 * n + 1, 3 * n) if m >= 1))
    for n in near:
        sizes = [Sizes(n, 2, 2, 1)] if n <= LONGEST else []
        sizes += [Sizes(4, n, 2, 2)] if n <= WIDEST else []
        sizes += [Sizes(3, 3, n, 2), Sizes(3, 3, 2, n)] if n <= MOST_INPUTS else []
        yield from map(Reach, sizes)
    yield from map(Reach, _RELATIONS)
    for name in branching_problems(case.network, case.seed, weighted=case.weighted):
        yield Reach(_BASES[0], name)
    for name, problem in trained_problems(case.network, case.seed, weighted=case.weighted).items():
        yield Reach(problem.sizes, name)
    values = _values(numbers)
    for base in _BASES:
        problem = lively_problem(case.network, base, case.seed, weighted=case.weighted)
        for name, _ in structured(problem, values):
            yield Reach(base, name, values)


def with_all_values(case: Case, recorder: Recorder) -> list[Reach]:
    """Return a problem for each structure of values, for a rule that compares values within its arrays.

    Args:
        case: The rule and its claim.
        recorder: Records which numbers are in its code.
    """
    recorder.reset()
    _try(case, Reach(_BASES[0]), recorder)
    values = _values(recorder.numbers())
    base = lively_problem(case.network, _BASES[0], case.seed, weighted=case.weighted)
    trained = trained_problems(case.network, case.seed, weighted=case.weighted)
    settled = [Reach(trained[name].sizes, name) for name in SETTLED]
    return [*settled, *(Reach(_BASES[0], name, values) for name, _ in structured(base, values))]


def with_equalities(case: Case) -> list[Reach]:
    """Return problems on which equalities hold that the rule's code asks about.

    Args:
        case: The rule and its claim.
    """
    sizes = fitting(case.network, _TIED)
    reference = FormalReference(case.network, sizes, weighted=case.weighted)
    settings = spread(case.rule.settings(sizes.T), 1)[0]
    try:
        return [Reach(sizes, ties=group) for group in ties_of(case.rule, reference, settings)]
    except GradcheckError:  # of a network that has no polynomials
        return []


def _values(numbers: Mapping[type, Sequence[float]]) -> tuple[float, ...]:
    """Return the numbers of the code that problems are made with."""
    named = [*numbers[float], *(n for n in numbers[int] if n > 1)]
    return tuple(dict.fromkeys(float(n) for n in named))[:_MOST_VALUES]


def _try(case: Case, reach: Reach, recorder: Recorder, others: bool = False) -> bool:
    """Run the rule on a problem; return True if it fails there."""
    problem = reach.problem(case)
    try:
        with watching(recorder):
            _run_compared(case, problem, others)
            run(case.rule, problem.copy(), _settings(case, problem))
    except GradcheckError:
        return True
    return False


def _run_compared(case: Case, problem: Problem, others: bool) -> None:
    """Run the rule on floats whose comparisons within arrays are seen, if its code lets them in.

    This comes before it runs on plain floats, after which a recorder may have nothing left to look for.
    """
    kinds = [watched(problem)]
    if others and max(dataclasses.astuple(problem.sizes)) <= _MOST_COMPARED:
        kinds.append(problem.over(CountedField()))
    for each in kinds:
        with contextlib.suppress(GradcheckError):
            run(case.rule, each, _settings(case, problem))


def _settings(case: Case, problem: Problem) -> Settings:
    chosen: Settings = spread(case.rule.settings(problem.T), 1)[0]
    return chosen


@dataclass(frozen=True)
class Branches(Kind):
    """The rule's results at float64 on problems that reach branches which no other evidence ran."""

    strength: ClassVar[Strength] = Strength.SUPPORTED

    reached: tuple[Reach, ...]
    others: bool = False
    """True for a rule that is known to run on other numbers than floats."""

    @property
    def kind(self) -> str:
        """The name in `Evidence.kind`."""
        return KIND

    def plan(self, case: Case) -> Plan:
        def piece(number: int, reach: Reach) -> Piece:
            def compare(_: Sequence[PieceData], progress: Progress) -> PieceData | Finding:
                problem = reach.problem(case)
                _run_compared(case, problem, self.others)
                # at the settings that the search used, and at others
                found = compare_problem(case, "float64", 1, str(reach), problem, 1, False, progress)
                if len(case.rule.settings(problem.T)) > 1 and not isinstance(found, Finding):
                    first = found
                    found = compare_problem(case, "float64", number + 1, str(reach), problem, 2, False, progress)
                    if not isinstance(found, Finding):
                        wide = first["normwise"] or found["normwise"]
                        found = {**found, "worst": max(first["worst"], found["worst"]), "normwise": wide}
                if isinstance(found, Finding):
                    return dataclasses.replace(found, evidence=dataclasses.replace(found.evidence, kind=KIND))
                return found

            return Piece(str(reach), compare)

        pieces = [piece(number, reach) for number, reach in enumerate(self.reached)]
        return Plan(KIND, pieces, functools.partial(_conclude, self.reached))


def _conclude(reached: Sequence[Reach], shown: Sequence[PieceData], budget: Budget) -> Finding:
    worst, rounding = max((each["worst"] for each in shown), default=0.0), rounding_of(shown)
    return Finding(
        Evidence(
            KIND,
            Status.HOLDS,
            Strength.SUPPORTED,
            "within rounding where other code ran, or where results were not close, every entry within its derived "
            f"{allowance_text(rounding)} (at most {worst:.2g} of it){kinks_text(shown)}",
            scope="; ".join(map(str, reached)),
            blind="other values in these branches",
            details={"worst_in_allowances": worst, **kinks_of(shown)},
            rounding=rounding,
        ),
        planted=total(each["planted"] for each in shown),
    )
