"""From the evidence on several networks to one verdict: no more than the weakest network shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..evidence.base import Finding, hidden_lags
from ..evidence.cost import counted, measured
from ..evidence.floats import properties
from ..evidence.sizes import spans
from ..records import Cause, Counterexample, Covers, Evidence, Rounding, Status, Strength, Verdict
from ..reference.claims import Claim, LagClaim, Unbiased
from ..reference.networks.base import RecurrentNetwork
from ..rules.coverage.seen import Seen

ADVICE = "add a problem that reaches it: audit(..., problems=[...]) or --problems"
"""Remedy for code that never ran."""


@dataclass(frozen=True)
class Gathered:
    """Evidence on one network.

    Args:
        network: the network.
        findings: one per kind, in order, up to the first that speaks against the claim.
        covered: a proof on another network of its class that covers this one too.
        most: the most that can be said, where some of the evidence was taken back.
    """

    network: RecurrentNetwork
    findings: tuple[Finding, ...]
    covered: Evidence | None = None
    most: Evidence | None = None

    @property
    def best(self) -> Evidence | None:
        """The evidence that shows the claim most strongly here; properties compare a rule with itself alone."""
        if self.most:
            return self.most
        shown = [f.evidence for f in self.findings if f.evidence.status is Status.HOLDS]
        shown = [e for e in shown if e.kind != properties.KIND] + ([self.covered] if self.covered else [])
        return max(shown, key=_rank, default=None)


def covers_its_class(finding: Finding | None) -> bool:
    """Return True if a finding is a proof that covers every network of its class."""
    return finding is not None and finding.evidence.status is Status.HOLDS and finding.evidence.covers is Covers.KIND


def conclude(claim: Claim, gathered: Sequence[Gathered], seen: Mapping[str, Seen] | None = None) -> Verdict:
    """Return the verdict where nothing speaks against the claim: each network needs evidence that holds.

    The claim is as strong as on the network where it is shown least strongly, and as the branch of the rule's code that
    ran under the weakest evidence. Where one never ran it is SUPPORTED at most.

    Args:
        claim: The claim.
        gathered: The evidence, by network.
        seen: What ran of the rule's code, by kind of evidence; nothing of a rule without code of its author's.
    """
    evidence = merge([finding.evidence for each in gathered for finding in each.findings])
    failed = next((e for e in evidence if e.status is Status.ERROR), None)
    if failed:
        return Verdict(str(claim), Status.ERROR, Strength.NONE, failed.statement, evidence)
    kept = next((e for e in evidence if e.status is Status.INCONCLUSIVE and e.cause is Cause.KEEPS_STATE), None)
    if kept:
        return Verdict(str(claim), Status.INCONCLUSIVE, Strength.NONE, kept.statement, evidence)
    for each in gathered:
        if each.best is None:
            unsure = next((f.evidence for f in each.findings if f.evidence.status is Status.INCONCLUSIVE), None)
            status = Status.INCONCLUSIVE if unsure else Status.NOT_RUN
            reason = (unsure or each.findings[0].evidence).statement
            return Verdict(str(claim), status, Strength.NONE, f"on {each.network}: {reason}", evidence)
    best = [each.best for each in gathered if each.best]
    # Of networks shown equally strongly the last: those after the first were judged at smaller sizes.
    weakest, at = min(zip(reversed(best), reversed(gathered), strict=True), key=lambda pair: pair[0].strength)
    if isinstance(claim, LagClaim):
        for each in gathered:
            lags = hidden_lags(each.findings)
            if lags and each.best is not None and each.best.strength <= Strength.SUPPORTED:
                return _unseen_lags(claim, each, lags, evidence)
    where = ""
    if any(shown is not weakest for shown in best):
        where = f" on {at.network}, which shows it least strongly of the {len(gathered)} networks;"
    sentence = getattr(claim, "sentence", f"the result equals {claim}")
    text = f"{sentence}:{where} {weakest.statement} ({weakest.scope})"
    shown = [finding.evidence for each in gathered for finding in each.findings]
    rounding = _rounding(shown)
    if rounding is Rounding.NORMWISE and weakest.rounding is not rounding:
        text += "; on floats norm-wise, not entry-wise"
    verdict = Verdict(str(claim), Status.HOLDS, weakest.strength, text, evidence, rounding=rounding)
    return _as_far_as_seen(verdict, shown, seen or {}, ADVICE)


def _rounding(evidence: Sequence[Evidence]) -> Rounding | None:
    """Return the widest rounding that any evidence allowed for."""
    allowed = {e.rounding for e in evidence if e.status is Status.HOLDS}
    return next((each for each in (Rounding.NORMWISE, Rounding.ENTRYWISE) if each in allowed), None)


def _unseen_lags(claim: Claim, gathered: Gathered, lags: Sequence[int], evidence: tuple[Evidence, ...]) -> Verdict:
    """Return INCONCLUSIVE: floats alone were compared, and rounding hides lags that the claim keeps."""
    text = (
        f"on {gathered.network}: rounding hides {spans(lags)} of the last loss on every problem, and a rule without "
        f"{'it' if len(lags) == 1 else 'them'} would pass too; add a problem that shows "
        f"{'it' if len(lags) == 1 else 'them'}: audit(..., problems=[...]) or --problems"
    )
    return Verdict(str(claim), Status.INCONCLUSIVE, Strength.NONE, text, evidence)


def _as_far_as_seen(
    verdict: Verdict, gathered: Sequence[Evidence], seen: Mapping[str, Seen], advice: str = ""
) -> Verdict:
    """Return the verdict, no stronger than what was shown of each branch of the rule's code."""
    whole = Seen()
    for each in seen.values():
        whole.include(each)
    unseen = whole.unseen()
    if unseen:
        strength = min(verdict.strength, Strength.SUPPORTED)
        branches = "1 branch" if len(unseen) == 1 else f"{len(unseen)} branches"
        text = f"{branches} of the rule's code never ran, so the claim is SUPPORTED at most"
        text = "; ".join(filter(None, (verdict.statement, text, advice)))
        return dataclasses.replace(verdict, strength=strength, statement=text, unseen=unseen)
    shown: dict[str, Strength] = {}
    for evidence in (each for each in gathered if each.status is Status.HOLDS):
        shown[evidence.kind] = max(shown.get(evidence.kind, Strength.NONE), evidence.strength)
    for place, kinds in whole.under(seen):
        strength = max((shown.get(kind, Strength.SUPPORTED) for kind in kinds), default=Strength.SUPPORTED)
        if strength < verdict.strength:
            text = f"{verdict.statement}; {place} ran under {_listed(sorted(kinds))} evidence alone"
            verdict = dataclasses.replace(verdict, strength=strength, statement=text)
    return verdict


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def conclude_costs(claim: Claim, findings: Sequence[Finding], seen: Mapping[str, Seen] | None = None) -> Verdict:
    """Return the verdict on costs: the worst of what was found; growth stands for what was not counted.

    Args:
        claim: The claim.
        findings: One per kind of evidence.
        seen: What ran of the rule's code, by kind of evidence.
    """
    evidence = tuple(finding.evidence for finding in findings)
    open_ = [e for e in evidence if e.status is not Status.HOLDS]
    if any(e.kind == measured.KIND for e in evidence):
        open_ = [e for e in open_ if e.kind != counted.KIND]
    if open_:
        last = open_[-1]
        return Verdict(str(claim), last.status, last.strength, last.statement, evidence)
    shown = [e for e in evidence if e.status is Status.HOLDS]
    text = "; ".join(e.statement for e in shown)
    verdict = Verdict(str(claim), Status.HOLDS, min(e.strength for e in shown), text, evidence)
    return _as_far_as_seen(verdict, evidence, seen or {})


def refuted(
    claim: Claim, evidence: tuple[Evidence, ...], example: Counterexample, place: str, diagnosis: str | None
) -> Verdict:
    """Return REFUTED with its certified counterexample."""
    of = "the expectation of " if isinstance(claim, Unbiased) else ""
    text = f"{of}{example.entry} is {example.got}, should be {example.true} ({place})"
    return Verdict(str(claim), Status.REFUTED, Strength.CERTIFIED, text, evidence, example, diagnosis)


def unsettled(claim: Claim, evidence: tuple[Evidence, ...], against: Sequence[Evidence]) -> Verdict:
    """Return INCONCLUSIVE, where evidence speaks against a claim and no counterexample was found."""
    said = ", and ".join(f"{e.kind} evidence speaks against it ({e.statement})" for e in against)
    text = f"{said}, but no certified counterexample was found"
    return Verdict(str(claim), Status.INCONCLUSIVE, Strength.NONE, text, evidence)


def excused(before: Gathered, on_floats: Sequence[Finding]) -> Gathered | None:
    """Return what can be said of a network where the rounding of the rule's constants explains what speaks against it.

    None where float64 evidence does not hold.
    """
    against = before.findings[-1]
    double = next(f.evidence for f in on_floats if f.evidence.kind == "float64")
    if double.status is not Status.HOLDS:
        return None
    said = f"{against.evidence.kind} evidence speaks against it ({against.evidence.statement})"
    text = f"on floats {double.statement}; without rounding its code gives something else, as rounded constants do"
    taken_back = dataclasses.replace(
        against.evidence,
        status=Status.INCONCLUSIVE,
        statement=f"{against.evidence.statement}; the rounding of the rule's own constants explains it",
    )
    return Gathered(
        before.network,
        (*before.findings[:-1], dataclasses.replace(against, evidence=taken_back), *on_floats),
        most=dataclasses.replace(double, statement=f"{text}: {said}"),
    )


def merge(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """Return evidence of one kind on several networks as one entry; what does not hold stays on its own."""
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


def _rank(evidence: Evidence) -> tuple[int, bool]:
    """Stronger first; among equals, float64 evidence says the most."""
    return evidence.strength, evidence.kind == "float64"
