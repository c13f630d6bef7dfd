"""Audits and claims on their way to a verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from ..evidence.base import Finding
from ..judge.conclude import Gathered
from ..records import Cause, Evidence, Status
from ..reference.claims import Claim
from ..rules.coverage.extent import Tried
from ..rules.coverage.seen import Seen
from .further import Account
from .request import Prepared

MOST_LOST = 3
"""After so many networks on which tasks of a kind were lost, the kind is not tried on further ones."""
Position: TypeAlias = tuple[int, int]
"""Place of a kind of evidence: the number of its network, and its place there."""


@dataclass(eq=False)
class Judged:
    """A claim on its way.

    Args:
        audit: the audit that it belongs to.
        name: name of the claim in its audit.
        position: its place among the report's claims.
        findings: what each kind of evidence came to, by position; an error message where the rule failed there.
        excused: networks whose evidence against the claim is explained, with what can be said of them.
        accounts: kinds to which further pieces can be added.
        lost: networks on which a task was lost, by kind.
        covered: networks that a proof on another one of their family covers, with that proof.
        looked: what comparisons saw of the rule's code and on which problems, by position and kind of evidence.
        screened: what cheap calls tried and on which problems they found it wrong, by network.
        explored: whether problems were looked for that reach the rest of it.
    """

    audit: Audit
    name: str
    claim: Claim
    position: int
    findings: dict[Position, Finding | str] = field(default_factory=dict)
    excused: dict[int, Gathered] = field(default_factory=dict)
    accounts: dict[Position, Account] = field(default_factory=dict)
    lost: dict[str, set[int]] = field(default_factory=dict)
    covered: dict[int, Evidence] = field(default_factory=dict)
    looked: list[tuple[Position, str, Mapping[str, Any]]] = field(default_factory=list)
    screened: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    explored: bool = False

    def see(self, position: Position, kind: str, result: Mapping[str, Any]) -> None:
        """Add what ran of the rule's code in a comparison of this kind, and on which problems."""
        self.looked.append((position, kind, result))

    @property
    def counted(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The comparisons that count, by kind: on several workers some are made beyond the one that decides."""
        against = self.against
        for position, kind, result in self.looked:
            if against is None or position <= against:
                yield kind, result

    @property
    def seen(self) -> dict[str, Seen]:
        """Coverage of the rule's code by kind of evidence."""
        found: dict[str, Seen] = {}
        for kind, result in self.counted:
            if "ran" in result:
                found.setdefault(kind, Seen()).add(result["ran"])
        return found

    @property
    def seen_at_all(self) -> Seen:
        """Coverage of the rule's code under all kinds of evidence together."""
        whole = Seen()
        for each in self.seen.values():
            whole.include(each)
        return whole

    def aside(self) -> Judged:
        """Return the same claim without what was found, to gather evidence that does not count for it by itself."""
        return replace(self, findings={}, excused={}, accounts={})

    @property
    def against(self) -> Position | None:
        """The first position that speaks against the claim, or where the rule failed."""
        open_ = [p for p, f in self.findings.items() if p[0] not in self.excused and _decides(f)]
        return min(open_, default=None)

    @property
    def floats_only(self) -> bool:
        """True where nothing speaks against the claim, and other numbers than floats did not run through the rule."""
        found = [finding.evidence for finding in self.findings.values() if isinstance(finding, Finding)]
        return self.against is None and any(evidence.cause is Cause.FLOATS_ONLY for evidence in found)

    @property
    def compares(self) -> bool:
        """True where the rule's code compares values within its arrays, so that it has branches of its own there."""
        found = [finding.evidence for finding in self.findings.values() if isinstance(finding, Finding)]
        return any(evidence.cause is Cause.COMPARES for evidence in found)

    @property
    def settled(self) -> bool:
        """True where further evidence would be in vain: something speaks against the claim, or the rule failed."""
        return self.against is not None or any(account.against for account in self.accounts.values())

    def needless(self, position: Position) -> bool:
        """Return True if a verdict is reached before this position counts."""
        against = self.against
        return position[0] in self.excused or (against is not None and position > against)

    def gave_up(self, kind: str, network: int) -> bool:
        """Return True if a kind is not tried on this network, whatever became of it: too many before it were lost."""
        return sum(number < network for number in self.lost.get(kind, ())) >= MOST_LOST


def _decides(finding: Finding | str) -> bool:
    return isinstance(finding, str) or finding.evidence.status is Status.REFUTED


@dataclass(eq=False)
class Audit:
    """An audit on its way."""

    number: int
    prepared: Prepared
    claims: list[Judged] = field(default_factory=list)
    blocked: str = ""
    planted: tuple[int, int] = (0, 0)
    hidden: list[int] = field(default_factory=list)
    gathered: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def tried(self) -> Tried:
        """The problems on which claims were judged."""
        found = Tried()
        for judged in self.claims:
            for _, result in judged.counted:
                if "tried" in result:
                    found.include(result["tried"])
        return found

    @property
    def rule(self) -> str:
        """The rule's name, for messages."""
        return self.prepared.rule.name
