"""Events: what an audit says while it runs. A report is a fold over them; every face is a handler of them."""

from __future__ import annotations

import dataclasses
import typing
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ..judge.conclude import merge
from ..records import Cause, Evidence, Extent, Provenance, Report, Source, Stage, Status, Strength, Verdict
from ..store.codec import to_data as plain
from ..store.codec import union_schema


@dataclass(frozen=True)
class AuditStarted:
    """An audit begins: its number in this run, the rule, and the claims in the report's order.

    names: the claims' names in events of tasks, which tell claims that are printed alike apart; "" stands for purity.
    """

    audit: int
    rule: str
    summary: str
    networks: tuple[str, ...]
    claims: tuple[str, ...]
    seed: int
    expected: dict[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    provenance: Provenance | None = None


@dataclass(frozen=True)
class _OfTask:
    """Base of the events of one task."""

    audit: int
    claim: str
    network: int
    kind: str
    piece: str


@dataclass(frozen=True)
class TaskStarted(_OfTask):
    """A task was passed to where it is performed."""


@dataclass(frozen=True)
class Progress:
    """A line of text on what a task is at."""

    audit: int
    text: str


@dataclass(frozen=True)
class TaskFinished(_OfTask):
    """A task returned, after so many seconds of its own."""

    seconds: float


@dataclass(frozen=True)
class TaskLost(_OfTask):
    """A task did not return: the rule did not let it be performed."""

    cause: Cause
    reason: str


@dataclass(frozen=True)
class EvidenceFound:
    """One kind of evidence on one network is complete.

    position: the claim's place among those of the report, for two may be printed alike.
    """

    audit: int
    position: int
    claim: str
    network: int
    evidence: Evidence


@dataclass(frozen=True)
class CostsCounted:
    """Operations and numbers kept were counted, at each size and setting.

    counts: pairs of (name, value) for each of T, I, D, K and the settings, with {"time": ..., "storage": ...}.
    """

    audit: int
    counts: tuple[tuple[tuple[tuple[str, int], ...], dict[str, int]], ...]

    def as_counts(self) -> dict[tuple[tuple[str, int], ...], dict[str, int]]:
        """Return the counts by size."""
        return dict(self.counts)


@dataclass(frozen=True)
class StageJudged:
    """A stage of the audit, before or after its claims, was judged."""

    audit: int
    stage: Stage


@dataclass(frozen=True)
class ClaimJudged:
    """A claim has its verdict. planted: planted faults that its evidence was given, and rejected.

    position: its place among the claims of the report.
    """

    audit: int
    position: int
    verdict: Verdict
    planted: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class NoteAdded:
    """The report's reader should know this."""

    audit: int
    text: str


@dataclass(frozen=True)
class CoverageFound:
    """Coverage of the rule's code and of problems, over all claims: what never ran, and what was tried."""

    audit: int
    sources: tuple[Source, ...]
    extent: Extent | None


@dataclass(frozen=True)
class AuditFinished:
    """Nothing more comes of this audit.

    interrupted: whether the user cut it short. problem: why it could not be made, if so. broken: whether that is the
    harness's own fault, with a traceback. seconds: since it began.
    """

    audit: int
    interrupted: bool = False
    problem: str = ""
    broken: bool = False
    seconds: float = 0.0


Event: TypeAlias = (
    AuditStarted
    | TaskStarted
    | Progress
    | TaskFinished
    | TaskLost
    | EvidenceFound
    | CostsCounted
    | StageJudged
    | ClaimJudged
    | NoteAdded
    | CoverageFound
    | AuditFinished
)
Handler: TypeAlias = Callable[[Event], None]


def to_data(event: Event) -> dict[str, Any]:
    """Return the event as plain data, its name under "event"."""
    data: dict[str, Any] = plain(event)
    return {"event": type(event).__name__, **data}


def schema() -> dict[str, object]:
    """Return the JSON Schema of an event as `to_data` writes it, generated from the records."""
    return union_schema(typing.get_args(Event), "event", "An event of an audit, one line of --events.", tag="event")


class Fold:
    """The report of one audit, folded from its events."""

    def __init__(self) -> None:
        self.started: AuditStarted | None = None
        self.verdicts: dict[int, Verdict] = {}
        self.evidence: dict[tuple[int, int, str], Evidence] = {}
        self.stages: list[Stage] = []
        self.notes: list[str] = []
        self.spent: dict[str, float] = defaultdict(float)
        self.seconds = 0.0
        self.coverage: CoverageFound | None = None

    def __call__(self, event: Event) -> None:
        """Take one event into account."""
        if isinstance(event, AuditStarted):
            self.started = event
        elif isinstance(event, ClaimJudged):
            self.verdicts[event.position] = event.verdict
        elif isinstance(event, EvidenceFound):
            self.evidence[event.position, event.network, event.evidence.kind] = event.evidence
        elif isinstance(event, StageJudged):
            self.stages.append(event.stage)
        elif isinstance(event, NoteAdded):
            self.notes.append(event.text)
        elif isinstance(event, TaskFinished):
            self.spent[event.claim] += event.seconds
        elif isinstance(event, CoverageFound):
            self.coverage = event
        elif isinstance(event, AuditFinished):
            self.seconds = event.seconds

    @property
    def report(self) -> Report:
        """The report of what has come by now; claims without a verdict are NOT RUN, with their evidence so far."""
        begun = self.started
        assert begun is not None
        verdicts = [self.verdicts.get(place) or self._stopped(place, claim) for place, claim in enumerate(begun.claims)]
        return Report(
            rule=begun.rule,
            summary=begun.summary,
            networks=begun.networks,
            verdicts=tuple(self._completed(place, verdict) for place, verdict in enumerate(verdicts)),
            stages=tuple(self.stages),
            notes=tuple(dict.fromkeys(self.notes)),
            seed=begun.seed,
            seconds=self.seconds,
            provenance=begun.provenance,
            sources=self.coverage.sources if self.coverage else (),
            extent=self.coverage.extent if self.coverage else None,
        )

    def _stopped(self, place: int, claim: str) -> Verdict:
        found = merge([e for (of, _, _), e in sorted(self.evidence.items(), key=lambda i: i[0][1]) if of == place])
        evidence = tuple(sorted(found, key=lambda e: -e.strength))
        reason = "interrupted before its verdict; the evidence so far is below" if evidence else "interrupted"
        return Verdict(claim, Status.NOT_RUN, Strength.NONE, f"not judged: {reason}", evidence)

    def _completed(self, place: int, verdict: Verdict) -> Verdict:
        begun = self.started
        assert begun is not None
        name = begun.names[place] if place < len(begun.names) else verdict.claim
        expected = begun.expected.get(verdict.claim) or begun.expected.get(verdict.claim.partition("(")[0], "")
        return dataclasses.replace(verdict, seconds=self.spent.get(name, 0.0), expected=expected or verdict.expected)


def fold(events: Sequence[Event]) -> Report:
    """Return the report of one audit's events."""
    folded = Fold()
    for event in events:
        folded(event)
    return folded.report
