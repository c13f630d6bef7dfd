"""Kinds of evidence in pieces: one size at a time, each piece apart from the others, and what they come to together.

What a piece showed is plain data, so that it can be kept in a file, or come from another process or machine; the same
pieces come to the same finding, wherever and in whatever order they were made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..records import Evidence, Status, Strength
from ..reference.networks.base import Sizes
from ..rules.call import WrongResult
from .base import Finding, not_run
from .budget import Budget
from .target import TargetFailed

Shown: TypeAlias = Mapping[str, Any]
"""What a piece showed, as JSON could hold it; its kind alone knows what it means."""
Told: TypeAlias = Callable[[str], None]


@dataclass(frozen=True)
class Part:
    """What came of a piece: what it showed, or the finding in which its kind ends there; and the seconds it took."""

    shown: Shown = field(default_factory=dict)
    ended: Finding | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Piece:
    """One size of a kind of evidence. label: names it among the pieces of its kind.

    run: called with what the pieces before it showed, and with what is told of progress. asked: whether it is made
    whatever it takes.
    """

    label: str
    run: Callable[[Sequence[Shown], Told], Shown | Finding]
    size: Sizes | None = None
    asked: bool = False


@dataclass(frozen=True)
class Plan:
    """One kind of evidence on one case: its pieces, in order, and what makes a finding of what they showed.

    further: pieces beyond those, by number from 0 on without end, for whoever has time to spare; larger ones, or on
    other numbers. cumulative: whether the time that counts is that of all pieces together, not that of the next.
    """

    kind: str
    pieces: Sequence[Piece]
    conclude: Callable[[Sequence[Shown], Budget], Finding]
    budget: Budget = field(default_factory=Budget)
    cumulative: bool = False
    further: Callable[[int], Piece] | None = None

    def affords(self, piece: Piece) -> bool:
        """Whether there is time for the piece, by what those before it took."""
        if self.cumulative:
            return self.budget.affords_next()
        return piece.size is None or self.budget.affords(piece.size)


Course: TypeAlias = Generator[tuple[Piece, Sequence[Shown]], Part, Finding]
"""Yields each piece that is to be made, with what was shown before it; is sent what came of it."""


def whole(kind: str, judge: Callable[[Told], Finding], label: str = "all") -> Plan:
    """A kind that is made in one piece."""

    def run(before: Sequence[Shown], told: Told) -> Finding:
        return judge(told)

    def conclude(shown: Sequence[Shown], budget: Budget) -> Finding:
        raise AssertionError("its only piece is the finding")

    return Plan(kind, (Piece(label, run),), conclude)


def settled(kind: str, finding: Finding) -> Plan:
    """A kind that has nothing to try."""
    return Plan(kind, (), lambda shown, budget: finding)


def course(plan: Plan) -> Course:
    """Piece after piece that the budget affords, until one ends the kind or all have been made."""
    shown: list[Shown] = []
    budget = plan.budget
    for piece in plan.pieces:
        if not (piece.asked or plan.affords(piece)):
            continue
        part = yield piece, tuple(shown)
        if piece.size is not None:
            budget.record(piece.size, part.seconds)
        if part.ended is not None:
            return part.ended
        shown.append(part.shown)
    return plan.conclude(shown, budget)


def made(plan: Plan, piece: Piece, before: Sequence[Shown], told: Told) -> Part:
    """What comes of a piece here and now; a rule that answers wrongly, or a target that fails, ends its kind."""
    start = plan.budget.clock()
    shown: Shown | Finding
    try:
        shown = piece.run(before, told)
    except WrongResult as error:
        shown = Finding(Evidence(plan.kind, Status.ERROR, Strength.NONE, str(error)))
    except TargetFailed as error:
        shown = not_run(plan.kind, str(error))
    seconds = max(plan.budget.clock() - start, 1e-6)
    return Part(ended=shown, seconds=seconds) if isinstance(shown, Finding) else Part(shown, seconds=seconds)


Make: TypeAlias = Callable[[Plan, Piece, Sequence[Shown], Told], Part]


def gather(plan: Plan, told: Told = lambda _: None, make: Make = made) -> Finding:
    """The finding of a kind, its pieces made one after the other."""
    steps = course(plan)
    try:
        piece, before = next(steps)
        while True:
            piece, before = steps.send(make(plan, piece, before, told))
    except StopIteration as end:
        finding: Finding = end.value
        return finding


def total(planted: Iterable[Sequence[int]]) -> tuple[int, int]:
    """Planted faults given and rejected, over all pieces."""
    pairs = list(planted)
    return sum(given for given, _ in pairs), sum(rejected for _, rejected in pairs)


LARGEST = Sizes(10**6, 10**4, 5, 4)
"""No rule is asked for more."""


def grown(largest: Sizes, number: int) -> Sizes:
    """The size of this number, from 0 on, beyond the largest of a kind: in turn longer, with more units, and wider."""
    T, I = largest.T, largest.I
    for n in range(number + 1):
        if n % 2 == 0:
            T = min(math.ceil(1.3 * T), LARGEST.T)
        else:
            I = min(math.ceil(1.2 * I), LARGEST.I)
        if (T, I) == (LARGEST.T, LARGEST.I):
            break
    return Sizes(T, I, 1 + number % LARGEST.D, 1 + (number // 2) % LARGEST.K)
