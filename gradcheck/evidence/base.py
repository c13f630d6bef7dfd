"""Base of every kind of evidence, with its plan, pieces and findings.

A kind is a frozen dataclass that holds its extent (sizes, digits, settings). Its `plan` lists the pieces to run on a
case. The result of a piece is plain data, so that it can be saved or sent to another process. The same pieces give the
same finding in any process.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..records import Cause, Evidence, Status, Strength
from ..reference.claims import Claim, Settings
from ..reference.errors import FloatsWanted, GradcheckError, Undecided
from ..reference.networks.base import RecurrentNetwork, Sizes
from ..reference.problem import Problem
from ..rules.adapt import Rule, WrongResult
from ..rules.failures import KeptNumbers
from .budget import Budget
from .target import TargetFailed


@dataclass(frozen=True)
class Case:
    """One claim of one rule on one network, with the problems on that network that a user added."""

    rule: Rule
    claim: Claim
    network: RecurrentNetwork
    seed: int = 0
    problems: tuple[Problem, ...] = ()

    @property
    def weighted(self) -> bool:
        return self.rule.declaration.weighted


@dataclass(frozen=True)
class Witness:
    """A failure of a claim, from which the search for a small certified counterexample starts.

    Attributes:
        network: The network.
        sizes: The sizes of the problem.
        settings: The settings of the rule.
        detail: A sentence for the reader.
        problem: The problem, if the evidence has one on floats.
        floats: True if the claim failed on floats, which a rule may treat differently from other scalars.
        dtype: The name of the float format.
    """

    network: RecurrentNetwork
    sizes: Sizes
    settings: Settings
    detail: str
    problem: Problem | None = None
    floats: bool = False
    dtype: str = "float64"


@dataclass(frozen=True)
class Finding:
    """Evidence, with a witness if it refutes the claim.

    Attributes:
        evidence: The record for the report.
        witness: A failure of the claim, or None.
        planted: The number of planted faults given to the same comparison, and the number that it rejected.
        hidden: The lags of the last loss whose absence rounding hides on some problem.
        reach: The longest lag whose absence was rejected on some problem, -1 for none.
    """

    evidence: Evidence
    witness: Witness | None = None
    planted: tuple[int, int] = (0, 0)
    hidden: tuple[int, ...] = ()
    reach: int = -1


PieceData: TypeAlias = Mapping[str, Any]
"""Result of a piece, as plain JSON values that only its own kind reads."""
Progress: TypeAlias = Callable[[str], None]
"""Callback that receives a line of text at each step."""


@dataclass(frozen=True)
class Part:
    """The outcome of a piece.

    Attributes:
        shown: Result of the piece.
        ended: The finding with which the kind ends early, or None.
        seconds: Wall time of the piece.
    """

    shown: PieceData = field(default_factory=dict)
    ended: Finding | None = None
    seconds: float = 0.0

    @property
    def compared(self) -> bool:
        """True if the piece compared something with what is claimed, and found it right."""
        return self.ended is None or self.ended.evidence.status is Status.HOLDS


@dataclass(frozen=True)
class Piece:
    """One step of a kind of evidence, mostly at one size.

    Attributes:
        label: Name of the piece within its kind.
        run: Takes the results of the earlier pieces and a progress callback.
        size: The size from which time is predicted, or None.
    """

    label: str
    run: Callable[[Sequence[PieceData], Progress], PieceData | Finding]
    size: Sizes | None = None


@dataclass(frozen=True)
class Plan:
    """The pieces of one kind of evidence on one case, in order.

    Attributes:
        kind: Name of the kind.
        pieces: The pieces of a full audit.
        conclude: Turns the results of all pieces into a finding.
        budget: Time for each size.
        cumulative: True if the budget bounds all pieces together, not each one.
        further: Returns the piece of any number from 0 on beyond `pieces`, at a larger size or on other numbers.
    """

    kind: str
    pieces: Sequence[Piece]
    conclude: Callable[[Sequence[PieceData], Budget], Finding]
    budget: Budget = field(default_factory=Budget)
    cumulative: bool = False
    further: Callable[[int], Piece] | None = None

    def affords(self, piece: Piece) -> bool:
        """Return True if the time predicted for the piece fits the budget."""
        if self.cumulative:
            return self.budget.affords_next()
        return piece.size is None or self.budget.affords(piece.size)


class Kind(abc.ABC):
    """Abstract base of the kinds of evidence.

    Law: every piece of `plan(case)` depends only on the case and on the kind's own fields, and returns a finding or
    plain data for every rule.
    """

    @property
    @abc.abstractmethod
    def kind(self) -> str:
        """The name in `Evidence.kind`."""

    @property
    @abc.abstractmethod
    def strength(self) -> Strength:
        """The greatest strength of evidence of this kind."""

    @abc.abstractmethod
    def plan(self, case: Case) -> Plan:
        """Return the pieces to run on this case."""

    def gather(self, case: Case, progress: Progress = lambda _: None) -> Finding:
        """Run the plan in this process, piece by piece.

        Args:
            case: The claim to gather evidence on.
            progress: Called with a line of text at each step.

        Returns:
            The finding of the whole plan.
        """
        return gather(self.plan(case), progress)


Traversal: TypeAlias = Generator[tuple[Piece, Sequence[PieceData]], Part, Finding]
"""Generator of the pieces to run, each with the results before it. It expects the part of each."""
RunPiece: TypeAlias = Callable[[Plan, Piece, Sequence[PieceData], Progress], Part]


def traverse(plan: Plan) -> Traversal:
    """Yield the pieces that the budget affords, until one ends the kind or none is left, and return the finding."""
    shown: list[PieceData] = []
    budget = plan.budget
    for piece in plan.pieces:
        if not plan.affords(piece):
            continue
        part = yield piece, tuple(shown)
        if piece.size is not None:
            budget.record(piece.size, part.seconds)
        if part.ended is not None:
            return part.ended
        shown.append(part.shown)
    return plan.conclude(shown, budget)


def run_piece(plan: Plan, piece: Piece, before: Sequence[PieceData], progress: Progress) -> Part:
    """Run a piece in this process. A malformed result, numbers of another call, or a failing target ends the kind.

    Args:
        plan: The plan of the piece.
        piece: The piece.
        before: Results of the earlier pieces.
        progress: Called with a line of text at each step.

    Returns:
        The result, or the finding with which the kind ends, and the time in seconds.
    """
    start = plan.budget.clock()
    shown: PieceData | Finding
    try:
        shown = piece.run(before, progress)
    except WrongResult as error:
        shown = Finding(Evidence(plan.kind, Status.ERROR, Strength.NONE, str(error), cause=Cause.MALFORMED))
    except KeptNumbers as error:
        open_ = Evidence(plan.kind, Status.INCONCLUSIVE, Strength.NONE, str(error), cause=error.cause)
        shown = Finding(open_) if error.on_floats else not_run(plan.kind, str(error))
    except TargetFailed as error:
        shown = not_run(plan.kind, str(error))
    seconds = max(plan.budget.clock() - start, 1e-6)
    return Part(ended=shown, seconds=seconds) if isinstance(shown, Finding) else Part(shown, seconds=seconds)


def gather(plan: Plan, progress: Progress = lambda _: None, run: RunPiece = run_piece) -> Finding:
    """Run a plan piece by piece and return its finding.

    Args:
        plan: The plan.
        progress: Called with a line of text at each step.
        run: Runs one piece.
    """
    steps = traverse(plan)
    try:
        piece, before = next(steps)
        while True:
            piece, before = steps.send(run(plan, piece, before, progress))
    except StopIteration as end:
        finding: Finding = end.value
        return finding


def whole(kind: str, run: Callable[[Progress], Finding], label: str = "all") -> Plan:
    """Return the plan of a kind that has one piece, which returns the finding."""

    def conclude(shown: Sequence[PieceData], budget: Budget) -> Finding:
        raise AssertionError("the only piece returns the finding")

    return Plan(kind, (Piece(label, lambda before, progress: run(progress)),), conclude)


def settled(kind: str, finding: Finding) -> Plan:
    """Return the plan of a kind that has nothing to run."""
    return Plan(kind, (), lambda shown, budget: finding)


def not_run(kind: str, reason: str, **details: Any) -> Finding:
    """Return the finding of a kind that compared nothing, with the reason."""
    return Finding(Evidence(kind, Status.NOT_RUN, Strength.NONE, reason, details=details))


def refused(kind: str, on: str, error: GradcheckError, *, who: str = "the rule") -> Finding:
    """Return the finding that code does not run on other numbers than floats.

    Args:
        kind: The kind of evidence.
        on: Name of the numbers, such as "residues".
        error: What running the code on them raised.
        who: Whose code it is.
    """
    cause = None
    if isinstance(error, FloatsWanted):
        cause = Cause.FLOATS_ONLY
    elif isinstance(error, Undecided):
        cause = Cause.COMPARES
    evidence = not_run(kind, f"{who} does not run on {on}: {error}").evidence
    return Finding(dataclasses.replace(evidence, cause=cause))


ON_FLOAT64 = ("float64", "lagwise", "branches", "given", "stability")
"""Kinds that run the rule on float64 alone."""


def lost(kind: str, reason: str, cause: Cause | None = None) -> Finding:
    """Return the placeholder for evidence lost to a crash or timeout.

    Every rule must run on floats of 64 bits, so the loss of such evidence is an ERROR. Other kinds are optional.

    Args:
        kind: Name of the kind.
        reason: A sentence for the report.
        cause: The cause of the loss, if known.
    """
    if kind in ON_FLOAT64:
        return Finding(Evidence(kind, Status.ERROR, Strength.NONE, reason, cause=cause))
    finding = not_run(kind, reason)
    return dataclasses.replace(finding, evidence=dataclasses.replace(finding.evidence, cause=cause))


def hidden_lags(findings: Iterable[Finding]) -> list[int]:
    """Return the lags whose absence rounding hides on every problem, in order."""
    every = list(findings)
    reach = max((each.reach for each in every), default=-1)
    return sorted({lag for each in every for lag in each.hidden if lag > reach})


def lags_shown(shown: Iterable[PieceData]) -> dict[str, Any]:
    """Return the fields `hidden` and `reach` of a finding, from those of its pieces."""
    every = list(shown)
    hidden = sorted({lag for each in every for lag in each["hidden"]})
    return {"hidden": tuple(hidden), "reach": max((each["reach"] for each in every), default=-1)}


def total(planted: Iterable[Sequence[int]]) -> tuple[int, int]:
    """Return the numbers of planted faults given and rejected, summed over pieces."""
    pairs = list(planted)
    return sum(given for given, _ in pairs), sum(rejected for _, rejected in pairs)
