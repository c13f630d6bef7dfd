"""From the evidence on several networks to one verdict: no more than the weakest network shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from .evidence import Finding
from .reference.claims import Claim
from .reference.network import RecurrentNetwork
from .verdicts import Evidence, Status, Strength, Verdict


def conclude(
    claim: Claim, networks: Sequence[RecurrentNetwork], gathered: list[list[Finding]], evidence: tuple[Evidence, ...]
) -> Verdict:
    """The verdict where nothing speaks against the claim: each network needs evidence that holds.

    The claim is as strong as on the network where it is shown least strongly, except that a proof for every
    activation, output and loss covers all networks.
    """
    best = [
        max((f.evidence for f in each if f.evidence.status is Status.HOLDS), key=_telling, default=None)
        for each in gathered
    ]
    for network, each, shown in zip(networks, gathered, best, strict=True):
        if shown is None:
            unsure = next((f.evidence for f in each if f.evidence.status is Status.INCONCLUSIVE), None)
            status = Status.INCONCLUSIVE if unsure else Status.NOT_RUN
            reason = (unsure or each[0].evidence).statement
            return Verdict(str(claim), status, Strength.NONE, f"on {network}: {reason}", evidence)
    sentence = getattr(claim, "sentence", f"the result equals {claim}")
    if len(networks) == 1 or covers_all(gathered[0][0]):
        weakest, where = best[0], ""
    else:
        # Of networks shown equally strongly the last: those after the first were judged at smaller sizes.
        weakest, network = min(
            zip(reversed(best), reversed(networks), strict=True), key=lambda pair: pair[0].strength if pair[0] else 0
        )
        where = f" on {network}, which shows it least strongly of the {len(networks)} networks;"
    assert weakest is not None
    text = f"{sentence}:{where} {weakest.statement} ({weakest.scope})"
    return Verdict(str(claim), Status.HOLDS, weakest.strength, text, evidence)


def _telling(evidence: Evidence) -> tuple[int, bool]:
    """Stronger first; of what is as strong, that every entry at float64 is right says the most."""
    return evidence.strength, evidence.kind == "float64"


def covers_all(finding: Finding) -> bool:
    """Whether formal evidence held for every activation, output and loss, so that other networks add nothing to it."""
    return finding.evidence.status is Status.HOLDS and "every output and every loss" in finding.evidence.statement


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
