"""Verdicts: what was claimed, what was shown, how strongly, and what could not have been seen."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Status(enum.Enum):
    """What became of a claim. The value is what the reader is told to make of it."""

    HOLDS = "the claim holds as stated"
    REFUTED = "the claim is false; see the counterexample"
    INCONCLUSIVE = "neither shown nor refuted; see the evidence for what would settle it"
    NOT_RUN = "not judged; see the reason"
    ERROR = "the rule failed while it was judged; see the message"

    @property
    def label(self) -> str:
        return self.name.replace("_", " ")


class Strength(enum.IntEnum):
    """How strongly a claim was shown, strongest highest."""

    NONE = 0
    SUPPORTED = 1
    CERTIFIED = 2
    EXACT = 3
    PROVED = 4


class Covers(enum.Enum):
    """The networks that evidence speaks for."""

    NETWORK = "the network on which it was gathered"
    KIND = "every network of that kind: activation, output and loss were left undefined"


class Cause(enum.Enum):
    """The reason why evidence is missing, or why a rule cannot be judged."""

    TIMEOUT = "a call of the rule did not return in time"
    MEMORY = "the rule used up its memory"
    CRASH = "the rule's process was ended by a signal"
    EXIT = "the rule ended its own process"
    CHANNEL = "the rule closed, or wrote into, the channel of its results"
    FAILED = "the rule raised an error"
    MALFORMED = "the rule returned something that is no gradient"
    KEEPS_STATE = "the rule's result depends on earlier calls"


TOO_MUCH = frozenset({Cause.TIMEOUT, Cause.MEMORY})
"""Causes that say a problem was too large for the rule, not that the rule is wrong on it."""


@dataclass(frozen=True)
class Evidence:
    """One way of knowing, applied to one claim.

    kind: formal, modular, enclosure, ladder, float64, purity, ... statement: the sentence that was shown.
    scope: the sizes, networks and settings that it was shown for. blind: what it could not have seen.
    details: numbers for the report, plain values only. covers: the networks that it speaks for.
    cause: why it is missing, or why the rule cannot be judged; None where neither is so.
    """

    kind: str
    status: Status
    strength: Strength
    statement: str
    scope: str = ""
    blind: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    covers: Covers = Covers.NETWORK
    cause: Cause | None = None


@dataclass(frozen=True)
class Counterexample:
    """A problem on which the claim is false.

    problem: arrays by name as nested lists of exact decimal or fraction strings, with sizes and network.
    entry: such as R[0, 1]. expected, got, gap, allowance: decimal strings. certified: why the gap is not
    rounding. snippet: a NumPy program that shows it. exact: the expected value as a fraction, empty where it is
    irrational. replay: what `gradcheck replay` needs beyond the problem: rule, claim, network, weighted.
    """

    problem: dict[str, Any]
    entry: str
    expected: str
    got: str
    gap: str
    allowance: str
    certified: str
    snippet: str
    exact: str = ""
    replay: dict[str, Any] = field(default_factory=dict)

    @property
    def true(self) -> str:
        """The true value to print: an integer, a fraction and its decimals, or the decimals alone."""
        return spoken(self.expected, self.exact)

    def to_json(self) -> str:
        """The case as JSON text for `gradcheck replay`. Raises `GradcheckError` where it is of no rule."""
        from .store.case import to_json

        return to_json(self)

    def write(self, path: str | Path) -> Path:
        """Write the case to a .json file. Raises `GradcheckError` where that cannot be done."""
        from .report.files import write_text

        return write_text(path, self.to_json())


def spoken(decimals: str, fraction: str) -> str:
    """A number to print: an integer, a fraction and its decimals, or where neither is known or short the decimals."""
    if not fraction or len(fraction) > 40:
        return decimals
    return f"{fraction} = {decimals}" if "/" in fraction else fraction


@dataclass(frozen=True)
class Verdict:
    """The judgement of one claim. expected: why it was expected to be refuted; empty where it was not."""

    claim: str
    status: Status
    strength: Strength
    statement: str
    evidence: tuple[Evidence, ...] = ()
    counterexample: Counterexample | None = None
    diagnosis: str | None = None
    expected: str = ""

    @property
    def word(self) -> str:
        """What to print: the strength where the claim holds, else the status; how it met an expectation to fail."""
        if self.expected and self.status in _EXPECTED:
            return _EXPECTED[self.status]
        return self.strength.name if self.status is Status.HOLDS and self.strength else self.status.label

    @property
    def counts_as(self) -> Status:
        """What it is to whether all is well: an expected refutation counts as a pass, its absence as a refutation."""
        if self.expected and self.status in _EXPECTED:
            return Status.HOLDS if self.status is Status.REFUTED else Status.REFUTED
        return self.status

    @property
    def remark(self) -> str:
        """What was expected, and what to do where it did not come; empty where nothing was."""
        if self.expected and self.status is Status.HOLDS:
            return f"no longer refuted, which was expected: {self.expected}. Take the expectation away"
        return f"expected to be refuted: {self.expected}" if self.expected else ""


_EXPECTED = {Status.REFUTED: "REFUTED (expected)", Status.HOLDS: "HOLDS (unexpected)"}


@dataclass(frozen=True)
class Stage:
    """One step of an audit, in order: purity, liveness, oracle agreement, claims, discrimination."""

    name: str
    status: Status
    statement: str


@dataclass(frozen=True)
class Report:
    """The audit of one rule."""

    rule: str
    summary: str
    networks: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    stages: tuple[Stage, ...] = ()
    notes: tuple[str, ...] = ()
    seed: int = 0

    @property
    def passed(self) -> bool:
        """Every claim holds, or is refuted as expected: none failed, is inconclusive or was left unjudged."""
        return bool(self.verdicts) and all(v.counts_as is Status.HOLDS for v in self.verdicts)

    @property
    def exit_status(self) -> int:
        """0 all claims hold, 1 a claim is refuted or its rule failed, 3 inconclusive or not run."""
        return exit_status([v.counts_as for v in self.verdicts])

    def to_json(self) -> str:
        """The report as JSON text, following the schema in the package."""
        from .report import to_json

        return to_json(self)

    def write(self, path: str | Path) -> Path:
        """Write .json, .md, .html or .xml by suffix. Raises `GradcheckError` where that cannot be done."""
        from .report import write

        return write(self, path)

    def __str__(self) -> str:
        from .report import to_text

        return to_text(self)


@dataclass(frozen=True)
class Statement:
    """A sentence of the source lecture, judged. Formulas are LaTeX without dollar signs.

    printed: as the lecture has it. verdict: of the printed form. corrected: what holds instead, where the
    printed form does not, with its own verdict. section groups rows in the report.
    """

    id: str
    section: str
    title: str
    printed: str
    verdict: Verdict
    corrected: str = ""
    corrected_verdict: Verdict | None = None
    comment: str = ""


@dataclass(frozen=True)
class Figure:
    """Data of a plot; `gradcheck.report` draws it.

    series: label to (x, y) lists. styles: label to line style. section: of the chapter's statements, after which it
    stands; at the chapter's end where it is empty.
    """

    id: str
    title: str
    xlabel: str
    ylabel: str
    series: dict[str, tuple[list[float], list[float]]]
    caption: str
    log_y: bool = True
    log_x: bool = False
    styles: dict[str, str] = field(default_factory=dict)
    section: str = ""


@dataclass(frozen=True)
class Chapter:
    """A part of the catalogue report beyond the rules: judged statements and figures."""

    id: str
    title: str
    introduction: str
    statements: tuple[Statement, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]], ...] = ()
    """(caption, header, rows) each."""


@dataclass(frozen=True)
class Collection:
    """The whole correctness report: every rule, then the chapters."""

    title: str
    reports: tuple[Report, ...]
    chapters: tuple[Chapter, ...] = ()

    @property
    def passed(self) -> bool:
        return all(r.passed for r in self.reports) and all(
            (s.corrected_verdict or s.verdict).status is Status.HOLDS for c in self.chapters for s in c.statements
        )

    @property
    def exit_status(self) -> int:
        judged = [(s.corrected_verdict or s.verdict).status for c in self.chapters for s in c.statements]
        return exit_status([v.counts_as for r in self.reports for v in r.verdicts] + judged)

    def to_json(self) -> str:
        from .report import to_json

        return to_json(self)

    def write(self, path: str | Path) -> Path:
        from .report import write

        return write(self, path)

    def __str__(self) -> str:
        from .report import to_text

        return to_text(self)


def exit_status(statuses: list[Status]) -> int:
    """The process exit status for these outcomes."""
    if any(s in (Status.REFUTED, Status.ERROR) for s in statuses):
        return 1
    if not statuses or any(s is not Status.HOLDS for s in statuses):
        return 3
    return 0
