"""Evidence on a stochastic rule that claims the same result whatever its noise: what was drawn shows no more than that.

Each problem has noise of its own, so that evidence on many problems tries much noise. It cannot try all of it, so a
claim that holds is SUPPORTED at most. One that does not is refuted, since a problem and its noise show that.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from ..records import Covers, Status, Strength
from .base import Case, Finding, Kind, Piece, PieceData, Plan, Progress
from .budget import Budget

NOTE = "on noise drawn at random"


@dataclass(frozen=True)
class OnDrawnNoise(Kind):
    """Evidence of another kind, on a stochastic rule.

    Attributes:
        inner: That kind.
    """

    inner: Kind

    @property
    def kind(self) -> str:
        """The name of the other kind."""
        return self.inner.kind

    @property
    def strength(self) -> Strength:
        """SUPPORTED at most."""
        return min(self.inner.strength, Strength.SUPPORTED)

    def plan(self, case: Case) -> Plan:
        """Return the plan of the other kind, whose finding says that noise was drawn."""
        plan = self.inner.plan(case)
        further = plan.further

        def conclude(shown: Sequence[PieceData], budget: Budget) -> Finding:
            return _capped(plan.conclude(shown, budget))

        return dataclasses.replace(
            plan,
            pieces=[_of_drawn(piece) for piece in plan.pieces],
            conclude=conclude,
            further=None if further is None else lambda number: _of_drawn(further(number)),
        )


def _of_drawn(piece: Piece) -> Piece:
    def run(before: Sequence[PieceData], progress: Progress) -> PieceData | Finding:
        shown = piece.run(before, progress)
        return _capped(shown) if isinstance(shown, Finding) else shown

    return dataclasses.replace(piece, run=run)


def _capped(finding: Finding) -> Finding:
    evidence = finding.evidence
    if evidence.status is not Status.HOLDS:
        return finding
    strength, text = min(evidence.strength, Strength.SUPPORTED), f"{evidence.statement}, {NOTE}"
    capped = dataclasses.replace(evidence, strength=strength, statement=text, covers=Covers.NETWORK)
    return dataclasses.replace(finding, evidence=capped)
