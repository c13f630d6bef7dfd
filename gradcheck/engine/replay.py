"""`gradcheck.replay`: a rule run on a saved case, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..evidence.base import place
from ..explain.replay import Outcome, Replay, check_settings, compared
from ..records import Counterexample, Evidence
from ..reference.claims import Claim
from ..reference.networks.base import RecurrentNetwork, Sizes
from ..rules.adapt import Rule, as_rule
from ..store.case import Document, read
from ..store.codec import from_data, to_data
from .course import Course, Loss
from .isolation import parent as isolation
from .isolation.parent import DEFAULT_LIMITS, Limits


def replay(
    case: str | Path | Mapping[str, Any] | Counterexample,
    rule: Any,
    *,
    claims: Sequence[Claim] | None = None,
    networks: Sequence[RecurrentNetwork] | None = None,
    isolated: bool = True,
    limits: Limits = DEFAULT_LIMITS,
) -> Replay:
    """Run a rule on a saved case.

    A case is data: a network that is not shipped, and the target of `Equals`, must be declared by the rule, or handed
    over here.

    Args:
        case: The path of a case, its data, or a counterexample of a report.
        rule: A function of a problem, or an online rule.
        claims: Claims to recognise the case's claim among, instead of those that the rule declares.
        networks: Networks to recognise the case's network among, instead of those that the rule declares.
        isolated: Run the rule in a process of its own; an end of that process is an ERROR, never FIXED.
        limits: The time and memory that it may use there.

    Returns:
        The record: STILL WRONG, FIXED, INCONCLUSIVE or ERROR.

    Raises:
        GradcheckError: It is no case or no rule; its network or target is neither shipped nor declared; or the rule
            does not take the case's settings.
    """
    document = read(case)
    weighted = True if document.weighted else None
    replayed = as_rule(rule, claims=claims, networks=networks, weighted=weighted)
    replaying = _Replaying(replayed, document)
    if isolated:
        isolation.judge(replaying, limits)
    while replaying.waiting:
        replaying.advance()
    assert replaying.result is not None
    return replaying.result


class _Replaying:
    """A replay as an audit of one step; see `course.Auditing`."""

    progress: Callable[[str], None]
    reaching: Callable[[str], None]
    found: Callable[[str, Evidence], None]
    rule_free = False

    def __init__(self, rule: Rule, document: Document) -> None:
        self.rule, self.document = rule, document
        self.progress = self.reaching = lambda text: None
        self.found = lambda claim, evidence: None
        self.notes: list[str] = []
        self.sought: set[Any] = set()
        self.result: Replay | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        declared = self.rule.declaration
        how = {"claims": declared.claims, "networks": declared.networks, "weighted": declared.weighted}
        return _again, (self.rule.target, how, self.document)

    @property
    def waiting(self) -> str:
        return "replay" if self.result is None else ""

    @property
    def course(self) -> Course:
        return Course(pieces=to_data(self.result))

    @course.setter
    def course(self, reached: Course) -> None:
        self.result = from_data(Replay, reached.pieces, "replay")

    def advance(self) -> None:
        claim, problem = self.document.claim_and_problem(self.rule)
        check_settings(self.rule, problem, self.document.settings)
        before = (self.document.entry, self.document.got)
        self.result = compared(self.rule, claim, problem, self.document.settings, before)

    def give_up(self, loss: Loss) -> None:
        kind, *numbers = self.document.claim.__struct_config__.tag, *msgspec.structs.astuple(self.document.claim)
        claim = f"{kind}({', '.join(map(str, numbers))})" if numbers else kind
        where = place(Sizes(*msgspec.structs.astuple(self.document.sizes)), self.document.settings)
        before = (self.document.entry, self.document.got)
        message = f"{self.rule.name} {loss.reason}"
        self.result = Replay(Outcome.ERROR, self.rule.name, claim, where, before, message=message)

    def derive(self, wanted: Any) -> None:
        """Nothing: a replay needs no reference that takes long to derive."""


def _again(target: Any, how: dict[str, Any], document: Document) -> _Replaying:
    return _Replaying(as_rule(target, **how), document)
