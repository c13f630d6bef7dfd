"""From the evidence on several networks to one verdict: no more than the weakest network shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..evidence.base import Finding
from ..evidence.floats import properties
from ..records import Covers, Evidence, Status, Strength, Verdict
from ..reference.claims import Claim
from ..reference.networks.base import RecurrentNetwork


@dataclass(frozen=True)
class Gathered:
    """What was found on one network.

    covered: a proof on another network of the same kind, which holds for this one too. most: the most that can be
    said, where some of the evidence was taken back.
    """

    network: RecurrentNetwork
    findings: tuple[Finding, ...]
    covered: Evidence | None = None
    most: Evidence | None = None

    @property
    def proof(self) -> Evidence | None:
        """A proof here for every activation, output and loss, so for every network of this kind."""
        found = self.findings[0].evidence
        general = found.status is Status.HOLDS and found.covers is Covers.KIND
        return self.covered or (found if general and not self.most else None)

    @property
    def best(self) -> Evidence | None:
        """The evidence that shows the claim most strongly here; properties compare a rule with itself alone."""
        if self.most:
            return self.most
        shown = [f.evidence for f in self.findings if f.evidence.status is Status.HOLDS]
        shown = [e for e in shown if e.kind != properties.KIND] + ([self.covered] if self.covered else [])
        return max(shown, key=_telling, default=None)


def conclude(claim: Claim, gathered: Sequence[Gathered], evidence: tuple[Evidence, ...]) -> Verdict:
    """The verdict where nothing speaks against the claim: each network needs evidence that holds.

    The claim is as strong as on the network where it is shown least strongly.
    """
    for each in gathered:
        if each.best is None:
            unsure = next((f.evidence for f in each.findings if f.evidence.status is Status.INCONCLUSIVE), None)
            status = Status.INCONCLUSIVE if unsure else Status.NOT_RUN
            reason = (unsure or each.findings[0].evidence).statement
            return Verdict(str(claim), status, Strength.NONE, f"on {each.network}: {reason}", evidence)
    best = [each.best for each in gathered if each.best]
    # Of networks shown equally strongly the last: those after the first were judged at smaller sizes.
    weakest, at = min(zip(reversed(best), reversed(gathered), strict=True), key=lambda pair: pair[0].strength)
    where = ""
    if any(shown is not weakest for shown in best):
        where = f" on {at.network}, which shows it least strongly of the {len(gathered)} networks;"
    sentence = getattr(claim, "sentence", f"the result equals {claim}")
    text = f"{sentence}:{where} {weakest.statement} ({weakest.scope})"
    return Verdict(str(claim), Status.HOLDS, weakest.strength, text, evidence)


def _telling(evidence: Evidence) -> tuple[int, bool]:
    """Stronger first; of what is as strong, that every entry at float64 is right says the most."""
    return evidence.strength, evidence.kind == "float64"


def merge(evidence: list[Evidence]) -> tuple[Evidence, ...]:
    """Evidence of one kind on several networks as one entry; anything that does not hold stays on its own."""
    merged: dict[Any, Evidence] = {}
    count: dict[Any, int] = {}
    for e in evidence:
        key = (e.kind, e.status) if e.status in (Status.HOLDS, Status.NOT_RUN) else (e.kind, len(merged), e.statement)
        if key in merged:
            count[key] += 1
            if e.status is Status.HOLDS and e.strength < merged[key].strength:
                merged[key] = e
        else:
            merged[key], count[key] = e, 1
    return tuple(
        dataclasses.replace(e, scope=f"{e.scope}; and {count[key] - 1} more networks at smaller sizes")
        if count[key] > 1 and e.status is Status.HOLDS
        else e
        for key, e in merged.items()
    )
