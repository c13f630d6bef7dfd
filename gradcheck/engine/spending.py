"""Time beyond a full audit, spent where it adds power: on further pieces of each kind of evidence, evenly.

A kind goes on to larger sizes, other primes, longer lags and other numbers. What would take too long is passed over;
where that is all that comes, or the rule does not let a piece be made, the kind ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..evidence.pieces import Piece, Plan
from ..reference.networks.base import Sizes
from .units import CHUNK

GROWTH = 6.0
"""How much longer the next size of a proof may take than the one before it."""
LONGEST = 45.0
"""Seconds that no piece is begun which would take longer: calls of a rule are ended after 60."""
MOST = 32
"""Pieces that are sent together."""
MISSED = 12
"""Pieces in a row that would take too long, after which a kind ends."""


@dataclass(frozen=True)
class Planned:
    """A further piece, its number, and the seconds that it is expected to take."""

    number: int
    piece: Piece
    predicted: float


@dataclass
class Account:
    """One kind of evidence for one claim on one network, to which further pieces can be added.

    position: of the network, and of the kind on it. base: what the pieces of the full audit showed. spare: the further
    pieces that were made, by number, with the seconds that each took. tried: how many were thought of. against: whether
    one speaks against the claim, or the rule failed there. stopped: why no more could be made, if so.
    """

    position: tuple[int, int]
    plan: Plan
    base: Sequence[Mapping[str, Any]]
    last: float
    spare: dict[int, float] = field(default_factory=dict)
    sizes: list[Sizes] = field(default_factory=list)
    tried: int = 0
    expected: float = 0.0
    open: bool = True
    against: bool = False
    stopped: str = ""

    @property
    def network(self) -> int:
        return self.position[0]

    @property
    def used(self) -> float:
        """Seconds, with those that what is under way will take."""
        return sum(self.spare.values()) + self.expected

    def next(self, left: float) -> list[Planned]:
        """The pieces to make next, one after the other: as many as are short, up to `CHUNK` seconds; none at an end."""
        batch: list[Planned] = []
        while len(batch) < MOST and (ahead := self._ahead(left)) is not None:
            if batch and (self.plan.cumulative or sum(p.predicted for p in batch) + ahead.predicted > CHUNK):
                break
            batch.append(ahead)
            self.tried = ahead.number + 1
        self.expected += sum(planned.predicted for planned in batch)
        self.open = bool(batch)
        return batch

    def _ahead(self, left: float) -> Planned | None:
        for number in range(self.tried, self.tried + MISSED):
            piece = self.plan.further(number) if self.plan.further else None
            if piece is None:
                break
            predicted = GROWTH * self.last if self.plan.cumulative else self._predicted(piece)
            if predicted <= min(left, LONGEST):
                return Planned(number, piece, predicted)
        return None

    def _predicted(self, piece: Piece) -> float:
        """What the size foretells, from those that were made here; at first what the last piece took."""
        known = self.plan.budget.predicted(piece.size) if piece.size else 0.0
        return known or self.last

    def made(self, planned: Planned, seconds: float) -> None:
        """Enter a piece that was made."""
        self.expected -= planned.predicted
        self.spare[planned.number], self.last = seconds, seconds
        if planned.piece.size is not None:
            self.sizes.append(planned.piece.size)
            self.plan.budget.record(planned.piece.size, seconds)

    def ended(self, unmade: Sequence[Planned]) -> None:
        """End the kind at a piece that the rule did not let be made, or that speaks against it; no more are made."""
        self.expected -= sum(planned.predicted for planned in unmade)
        self.open = False

    @property
    def told(self) -> str:
        """For the report: modular 12 (T up to 300, I up to 60)."""
        text = f"{self.plan.kind} {len(self.spare)}"
        if not self.sizes:
            return text
        return f"{text} (T up to {max(s.T for s in self.sizes)}, I up to {max(s.I for s in self.sizes)})"


class Deadline:
    """When the time that may be spent ends."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds, self._clock, self._start = seconds, clock, clock()

    @property
    def left(self) -> float:
        return self.seconds - (self._clock() - self._start)
