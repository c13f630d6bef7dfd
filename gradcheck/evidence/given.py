"""Evidence on problems that a user adds: on floats, and where they are small on balls and on residues too.

A problem is added to reach code that no problem of ours reaches. On residues its sizes are kept, and its values drawn.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..records import Evidence, Status, Strength
from ..reference.networks.base import Sizes
from ..reference.problem import Problem
from .base import Case, Finding, Kind, Piece, PieceData, Plan, Progress, lags_shown
from .budget import Budget
from .exact import enclosure, modular
from .floats.blackbox import allowance_text, compare_problem, kinks_of, kinks_text, rounding_of

KIND, BALLS, RESIDUES = "given", "given enclosure", "given modular"
LARGEST = 25_000
"""Most T I (I + D + K) of a problem on numbers other than floats."""


def kinds(problems: Sequence[Problem]) -> list[Kind]:
    """Return the kinds of evidence on added problems, those on floats first."""
    small = tuple(problem for problem in problems if _work(problem.sizes) <= LARGEST)
    found: list[Kind] = [GivenFloats(tuple(problems))] if problems else []
    return [*found, GivenBalls(small), GivenResidues(small)] if small else found


def _work(sizes: Sizes) -> int:
    return sizes.T * sizes.I * (sizes.I + sizes.D + sizes.K)


def _title(number: int, problem: Problem) -> str:
    return f"problem {number + 1} of those added, {problem.sizes}"


@dataclass(frozen=True)
class GivenFloats(Kind):
    """The rule's results at float64 on added problems."""

    kind: ClassVar[str] = KIND
    strength: ClassVar[Strength] = Strength.SUPPORTED

    problems: tuple[Problem, ...]

    def plan(self, case: Case) -> Plan:
        def piece(number: int, problem: Problem) -> Piece:
            def compare(_: Sequence[PieceData], progress: Progress) -> PieceData | Finding:
                title = _title(number, problem)
                return _renamed(KIND, compare_problem(case, "float64", number + 1, title, problem, 2, True, progress))

            return Piece(_title(number, problem), compare)

        pieces = [piece(number, problem) for number, problem in enumerate(self.problems)]
        return Plan(KIND, pieces, functools.partial(_conclude, self.problems))


@dataclass(frozen=True)
class GivenBalls(Kind):
    """The rule's results on balls of the numbers of added problems."""

    kind: ClassVar[str] = BALLS
    strength: ClassVar[Strength] = Strength.CERTIFIED

    problems: tuple[Problem, ...]

    def plan(self, case: Case) -> Plan:
        inner = enclosure.Enclosure()

        def piece(number: int, problem: Problem) -> Piece:
            run = functools.partial(enclosure.compare_problem, case, problem, number, 1, inner.bits)
            return Piece(_title(number, problem), lambda _, progress: _renamed(BALLS, run(progress)), problem.sizes)

        pieces = [piece(number, problem) for number, problem in enumerate(self.problems)]
        return Plan(BALLS, pieces, _concluding(BALLS, inner.plan(case).conclude))


@dataclass(frozen=True)
class GivenResidues(Kind):
    """The rule's results on residues at the sizes of added problems."""

    kind: ClassVar[str] = RESIDUES
    strength: ClassVar[Strength] = Strength.EXACT

    problems: tuple[Problem, ...]

    def plan(self, case: Case) -> Plan:
        sizes = sorted({problem.sizes for problem in self.problems}, key=_work)
        inner = modular.Modular(sizes, 1).plan(case)

        def renamed(piece: Piece) -> Piece:
            return dataclasses.replace(
                piece, run=lambda before, progress: _renamed(RESIDUES, piece.run(before, progress))
            )

        return Plan(RESIDUES, [renamed(each) for each in inner.pieces], _concluding(RESIDUES, inner.conclude))


Conclude = Callable[[Sequence[PieceData], Budget], Finding]


def _concluding(kind: str, conclude: Conclude) -> Conclude:
    def concluded(shown: Sequence[PieceData], budget: Budget) -> Finding:
        found = _renamed(kind, conclude(shown, budget))
        assert isinstance(found, Finding)
        # A fault planted in a problem that was made for another purpose may be invisible there.
        return dataclasses.replace(found, planted=(0, 0))

    return concluded


def _renamed(kind: str, found: PieceData | Finding) -> PieceData | Finding:
    """Return a result of another kind of evidence as one of this kind."""
    if not isinstance(found, Finding):
        return found
    return dataclasses.replace(found, evidence=dataclasses.replace(found.evidence, kind=kind))


def _conclude(problems: Sequence[Problem], shown: Sequence[PieceData], budget: Budget) -> Finding:
    worst, rounding = max((each["worst"] for each in shown), default=0.0), rounding_of(shown)
    sizes = "; ".join(dict.fromkeys(str(problem.sizes) for problem in problems))
    several = "the problem" if len(problems) == 1 else f"each of the {len(problems)} problems"
    return Finding(
        Evidence(
            KIND,
            Status.HOLDS,
            Strength.SUPPORTED,
            f"within rounding on {several} that the user added, every entry within its derived "
            f"{allowance_text(rounding)} (at most {worst:.2g} of it){kinks_text(shown)}",
            scope=sizes,
            blind="other values than those of these problems",
            details={"worst_in_allowances": worst, **kinks_of(shown)},
            rounding=rounding,
        ),
        reach=lags_shown(shown)["reach"],
    )
