"""Time beyond a full audit, spent where it adds power: on further pieces of each kind of evidence, evenly.

A kind goes on to larger sizes, other primes, longer lags and other numbers. A piece that would take too long is passed
over; where only such pieces come, or the rule does not let one be made, the kind ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..evidence.base import Piece, Plan
from ..records import Stage, Status
from ..reference.networks.base import Sizes

GROWTH = 6.0
"""Most that the next size of a proof may take, as a multiple of the one before it."""
LONGEST = 45.0
"""Skip pieces predicted to take longer than this (seconds); calls of a rule time out after 60."""
MISSED = 12
"""Pieces in a row that would take too long, after which a kind ends."""


@dataclass(frozen=True)
class Planned:
    """A further piece, its number, and its predicted time in seconds."""

    number: int
    piece: Piece
    predicted: float


@dataclass
class Account:
    """One kind of evidence for one claim on one network, to which further pieces can be added.

    Args:
        plan: its plan.
        base: what the pieces of the full audit showed.
        last: seconds that the last piece took.
        spare: what the further pieces showed, by number.
        refuted_by: number of the first further piece that speaks against the claim, or where the rule failed.
        stopped: why no more could be made, if so.
    """

    plan: Plan
    base: Sequence[Mapping[str, Any]]
    last: float
    spare: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    sizes: list[Sizes] = field(default_factory=list)
    used: float = 0.0
    tried: int = 0
    open: bool = True
    refuted_by: int | None = None
    stopped: str = ""

    @property
    def against(self) -> bool:
        """True if a further piece speaks against the claim, or the rule failed there."""
        return self.refuted_by is not None

    def speaks_first(self, planned: Planned) -> bool:
        """Note that a piece speaks against the claim; return True if none before it does, in the order of numbers."""
        first = self.refuted_by is None or planned.number < self.refuted_by
        if first:
            self.refuted_by = planned.number
        return first

    def next(self, left: float) -> Planned | None:
        """Return the piece to make next, within the seconds that are left; None where the kind ends."""
        for number in range(self.tried, self.tried + MISSED):
            piece = self.plan.further(number) if self.plan.further else None
            if piece is None:
                break
            predicted = GROWTH * self.last if self.plan.cumulative else self._predicted(piece)
            if predicted <= min(left, LONGEST):
                self.tried = number + 1
                self.used += predicted
                return Planned(number, piece, predicted)
        self.open = False
        return None

    def _predicted(self, piece: Piece) -> float:
        """Predict seconds from the sizes that were made; at first from the last piece."""
        known = self.plan.budget.predicted(piece.size) if piece.size else 0.0
        return known or self.last

    def enter(self, planned: Planned, shown: Mapping[str, Any] | None, seconds: float) -> None:
        """Enter a piece that was made; `shown` is None for one that ended its kind."""
        self.used += seconds - planned.predicted
        self.last = seconds
        if shown is not None:
            self.spare[planned.number] = shown
        if planned.piece.size is not None:
            self.sizes.append(planned.piece.size)
            self.plan.budget.record(planned.piece.size, seconds)

    @property
    def text(self) -> str:
        """Text of what was added, such as: modular 12 (T up to 300, I up to 60)."""
        text = f"{self.plan.kind} {len(self.sizes) or len(self.spare)}"
        if not self.sizes:
            return text
        return f"{text} (T up to {max(s.T for s in self.sizes)}, I up to {max(s.I for s in self.sizes)})"


class Deadline:
    """The end of the time that may be spent, in seconds from now."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds, self._clock, self._start = seconds, clock, clock()
        self._end = seconds

    @property
    def left(self) -> float:
        """Seconds left."""
        return self._end - self.spent

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    def stop(self) -> None:
        """Let no time be left."""
        self._end = min(self._end, self.spent)


def bought(claims: Sequence[tuple[str, bool, Sequence[Account]]], deadline: Deadline, rules: int) -> Stage | None:
    """Return the stage that says what the time added to the evidence on each claim.

    Args:
        claims: each claim, whether it was refuted, and its accounts.
        deadline: of the spending.
        rules: how many rules shared the time.
    """
    able = [accounts for _, _, accounts in claims if accounts]
    if not able:
        is_refuted = any(refuted for _, refuted, _ in claims)
        why = "what could have been added to is refuted already" if is_refuted else "there is nothing to add to"
        return Stage("budget", Status.NOT_RUN, f"no time was spent: {why}") if claims else None
    text, against, stopped = [], [], []
    for claim, _, accounts in claims:
        added = [account for account in accounts if account.spare or account.sizes]
        if added:
            text.append(f"{claim}: {', '.join(account.text for account in added)}")
        against += [f"{claim}, by {account.plan.kind}" for account in added if account.against]
        stopped += [f"{account.plan.kind} {account.stopped}" for account in accounts if account.stopped]
    tried = any(account.tried for accounts in able for account in accounts)
    if not tried and all(refuted for _, refuted, accounts in claims if accounts):
        return Stage("budget", Status.NOT_RUN, "no time was spent: what could have been added to is refuted already")
    ends = f"; no more could be made: {'; '.join(stopped)}" if stopped else ""
    several = f", shared by {rules} rules," if rules > 1 else ""
    spent = f"{_duration(min(deadline.seconds, deadline.spent) / 60)}{several}"
    if not text:
        return Stage("budget", Status.HOLDS, f"{spent} bought no further evidence: no kind could go on in time{ends}")
    said = f"{spent} bought further pieces of evidence: {'; '.join(text)}{ends}"
    if against:
        return Stage("budget", Status.REFUTED, f"{said}; what speaks against {'; '.join(against)} was found there")
    return Stage("budget", Status.HOLDS, said)


def _duration(minutes: float) -> str:
    """40 s; 10 min; 2.5 h."""
    for least, unit in ((60.0, "h"), (1.0, "min")):
        if minutes >= least * 0.999:
            return f"{minutes / least:.3g} {unit}"
    return f"{60 * minutes:.3g} s"
