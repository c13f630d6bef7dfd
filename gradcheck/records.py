"""Records of an audit: plain data, from a piece of evidence to the whole correctness report.

Records lie below the rooms that render and store them. `to_json`, `write`, `check` and `print` are conveniences that
find their renderer by name, in `_renderer`, and nowhere else.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar, cast

_Record = TypeVar("_Record")


class Status(enum.Enum):
    """Outcome of a claim. The value tells the reader what to make of it."""

    HOLDS = "the claim holds as stated"
    REFUTED = "the claim is false; see the counterexample"
    INCONCLUSIVE = "neither shown nor refuted; see the evidence for what would settle it"
    NOT_RUN = "not judged; see the reason"
    ERROR = "the rule failed while it was judged; see the message"

    @property
    def label(self) -> str:
        return self.name.replace("_", " ")


class Strength(enum.IntEnum):
    """Strength of what was shown, strongest highest.

    EXACT is a grade of evidence (arithmetic without rounding) and has nothing to do with the claim `Exact`; texts for
    readers print it as ROUNDING-FREE.
    """

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
    FLOATS_ONLY = "the rule's code makes floats of other numbers"


TOO_MUCH = frozenset({Cause.TIMEOUT, Cause.MEMORY})
"""Causes that say a problem was too large for the rule, not that the rule is wrong on it."""


@dataclass(frozen=True)
class Evidence:
    """One way of knowing, applied to one claim.

    Attributes:
        kind: The way of knowing: formal, modular, enclosure, ladder, float64, purity, ...
        status: The outcome.
        strength: The strength of what was shown; NONE unless the status is HOLDS.
        statement: The sentence that was shown.
        scope: Sizes, networks and settings that it was shown for.
        blind: Faults that it could not have seen.
        details: Numbers for the report, plain values only.
        covers: The networks that it speaks for.
        cause: The reason why it is missing, or why the rule cannot be judged; None where neither is so.
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

    Attributes:
        problem: Sizes, network, and the arrays by name, as nested lists of exact decimal or fraction strings.
        entry: The entry that differs, such as "R[0, 1]".
        expected: Its true value, in decimals.
        got: The value that the rule returned, in decimals.
        gap: The distance of the two, in decimals.
        allowance: The distance that rounding explains, in decimals.
        certified: The reason why the gap is no rounding.
        snippet: A NumPy program that shows it.
        exact: The true value as a fraction; empty where it is irrational.
        replay: The rule, claim, network and weights that `gradcheck replay` needs beyond the problem.
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
        """Return the case as JSON text for `gradcheck replay`.

        Raises:
            GradcheckError: The counterexample belongs to no rule that can be named.
        """
        return str(_renderer("case_to_json")(self))

    def write(self, path: str | Path) -> Path:
        """Write the case to a .json file and return its path.

        Raises:
            GradcheckError: The file cannot be written, or the counterexample belongs to no rule that can be named.
        """
        return Path(_renderer("write_text")(path, self.to_json()))


def spoken(decimals: str, fraction: str) -> str:
    """Return a number to print: an integer, a short fraction with its decimals, or the decimals alone."""
    if not fraction or len(fraction) > 40:
        return decimals
    return f"{fraction} = {decimals}" if "/" in fraction else fraction


@dataclass(frozen=True, repr=False)
class Verdict:
    """The judgement of one claim.

    Attributes:
        claim: The claim as printed, such as "truncated(3)".
        status: The outcome.
        strength: The strength of what was shown; NONE unless the status is HOLDS.
        statement: The sentence that was shown.
        evidence: The evidence, strongest first.
        counterexample: A problem on which the claim is false.
        diagnosis: The fault that explains what was seen.
        expected: The reason why the claim was expected to be refuted; empty where it was not.
        seconds: Time that workers spent on the claim, summed over them; 0 where it was not measured. Not compared.
    """

    claim: str
    status: Status
    strength: Strength
    statement: str
    evidence: tuple[Evidence, ...] = ()
    counterexample: Counterexample | None = None
    diagnosis: str | None = None
    expected: str = ""
    seconds: float = field(default=0.0, compare=False)

    @property
    def word(self) -> str:
        """Public name of the outcome: the strength where the claim holds, else the status."""
        if self.expected and self.status in _EXPECTED:
            return _EXPECTED[self.status]
        return self.strength.name if self.status is Status.HOLDS and self.strength else self.status.label

    @property
    def counts_as(self) -> Status:
        """Status towards the whole: an expected refutation counts as a pass, its absence as a refutation."""
        if self.expected and self.status in _EXPECTED:
            return Status.HOLDS if self.status is Status.REFUTED else Status.REFUTED
        return self.status

    @property
    def remark(self) -> str:
        """The expectation, and the remedy where it was not met; empty where nothing was expected."""
        if self.expected and self.status is Status.HOLDS:
            return f"no longer refuted, which was expected: {self.expected}. Remove the expectation"
        return f"expected to be refuted: {self.expected}" if self.expected else ""

    def __repr__(self) -> str:
        return f"<Verdict {self.claim}: {self.word}>"


_EXPECTED = {Status.REFUTED: "REFUTED (expected)", Status.HOLDS: "HOLDS (unexpected)"}


@dataclass(frozen=True)
class Stage:
    """One step of an audit, in order: purity, liveness, oracle agreement, claims, discrimination."""

    name: str
    status: Status
    statement: str


@dataclass(frozen=True)
class Provenance:
    """Origin of a report: when, on what and with which versions it was made.

    Attributes:
        gradcheck: The version of this package.
        python: The version and implementation of Python.
        platform: The operating system and processor.
        packages: Versions of the packages that had a part in it, by name.
        command: The command line; empty in an interactive session.
        commit: The commit of the repository that holds the rule, with "+" where the rule's file was changed since;
            empty where there is none.
        date: The time of the start in UTC, ISO 8601; empty where it was left out.
    """

    gradcheck: str
    python: str
    platform: str
    packages: dict[str, str] = field(default_factory=dict)
    command: str = ""
    commit: str = ""
    date: str = ""

    @property
    def facts(self) -> list[tuple[str, str]]:
        """(label, text) of each field that is known."""
        versions = {"gradcheck": self.gradcheck, "Python": self.python, **self.packages}
        pairs = [
            ("date", self.date),
            ("command", self.command),
            ("commit", self.commit),
            ("versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
            ("platform", self.platform),
        ]
        return [(label, text) for label, text in pairs if text]


class CheckFailed(AssertionError):
    """Raised by `check` where a claim does not hold. `report` is the whole report."""

    def __init__(self, message: str, report: Report | Collection) -> None:
        super().__init__(message)
        self.report = report

    def __reduce__(self) -> tuple[type, tuple[str, Report | Collection]]:
        return type(self), (str(self), self.report)


class _Rendered:
    """Conveniences of the records that are reports."""

    @property
    def passed(self) -> bool:
        """True where everything that was claimed holds, or is refuted as expected."""
        raise NotImplementedError

    def to_json(self) -> str:
        """Return the report as JSON text that follows `gradcheck.report.schema()`."""
        return str(_renderer("to_json")(self))

    def write(self, path: str | Path) -> Path:
        """Write the report in the format that the suffix names: .json, .md, .html or .xml.

        Raises:
            GradcheckError: The suffix names no format, or the file cannot be written.
        """
        return Path(_renderer("write")(self, path))

    def check(self) -> Self:
        """Return the report where all is well.

        Raises:
            CheckFailed: A claim does not hold. The message shows the verdict and the counterexample.
        """
        if not self.passed:
            raise CheckFailed(str(_renderer("failures")(self)), self)  # type: ignore[arg-type]
        return self

    def __str__(self) -> str:
        return str(_renderer("to_text")(self))

    def _repr_html_(self) -> str:
        return str(_renderer("to_fragment")(self))


@dataclass(frozen=True, repr=False)
class Report(_Rendered):
    """The audit of one rule.

    Attributes:
        rule: The rule's name.
        summary: The first paragraph of its docstring.
        networks: The networks that it was judged on.
        verdicts: One for each claim.
        stages: The steps of the audit, in order.
        notes: Remarks for the reader.
        seed: The seed of everything that was drawn.
        seconds: Wall time of the audit; 0 where it was not measured. Not compared.
        provenance: Origin of the report; None where it was not collected. Not compared.
    """

    rule: str
    summary: str
    networks: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    stages: tuple[Stage, ...] = ()
    notes: tuple[str, ...] = ()
    seed: int = 0
    seconds: float = field(default=0.0, compare=False)
    provenance: Provenance | None = field(default=None, compare=False)

    @property
    def passed(self) -> bool:
        """True where every claim holds, or is refuted as expected: none failed, is inconclusive or was not judged."""
        return bool(self.verdicts) and all(v.counts_as is Status.HOLDS for v in self.verdicts)

    @property
    def exit_status(self) -> int:
        """0 all claims hold, 1 a claim is refuted or its rule failed, 3 inconclusive or not run."""
        return exit_status([v.counts_as for v in self.verdicts])

    def __repr__(self) -> str:
        judged = ", ".join(f"{v.claim} {v.word}" for v in self.verdicts)
        return f"<Report on {self.rule}: {judged or 'no claim judged'}>"


@dataclass(frozen=True)
class Statement:
    """A sentence of the source lecture, judged.

    Attributes:
        id: A short name, unique in the report.
        section: The section of the chapter that it belongs to.
        title: The heading.
        printed: The lecture's text: prose with formulas between dollar signs, or one LaTeX formula without them.
        verdict: The verdict on the printed form.
        corrected: The form that holds, in the same notation; empty where the printed form does.
        corrected_verdict: The verdict on that.
        comment: A remark for the reader.
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

    Attributes:
        id: A short name, unique in the report.
        title: The heading.
        xlabel: The label of the horizontal axis.
        ylabel: The label of the vertical axis.
        series: (x, y) lists by label.
        caption: The text below.
        log_y: True for a logarithmic vertical axis.
        log_x: True for a logarithmic horizontal axis.
        styles: Line styles by label.
        section: The section of the chapter after whose statements it stands; empty for the chapter's end.
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
    """A part of the correctness report beyond the rules: judged statements, figures and tables.

    Attributes:
        id: A short name, unique in the report.
        title: The heading.
        introduction: Paragraphs between empty lines.
        statements: Judged statements.
        figures: Plots.
        tables: (caption, header, rows) each.
    """

    id: str
    title: str
    introduction: str
    statements: tuple[Statement, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]], ...] = ()


@dataclass(frozen=True, repr=False)
class Collection(_Rendered):
    """The correctness report: every rule, then the chapters.

    Attributes:
        title: The heading.
        reports: The audits, one for each rule.
        chapters: What was judged beyond the rules.
        seconds: Wall time of the whole; 0 where it was not measured. Not compared.
        provenance: Origin of the report; None where it was not collected. Not compared.
    """

    title: str
    reports: tuple[Report, ...]
    chapters: tuple[Chapter, ...] = ()
    seconds: float = field(default=0.0, compare=False)
    provenance: Provenance | None = field(default=None, compare=False)

    @property
    def passed(self) -> bool:
        """True where every rule passes and every statement holds, as printed or as corrected."""
        return all(r.passed for r in self.reports) and all(s is Status.HOLDS for s in self._statements())

    @property
    def exit_status(self) -> int:
        """0 all claims hold, 1 a claim is refuted or its rule failed, 3 inconclusive or not run."""
        return exit_status([v.counts_as for r in self.reports for v in r.verdicts] + self._statements())

    def _statements(self) -> list[Status]:
        return [(s.corrected_verdict or s.verdict).status for c in self.chapters for s in c.statements]

    def __repr__(self) -> str:
        return f"<Collection {self.title!r}: {len(self.reports)} rules, {len(self.chapters)} chapters>"


def exit_status(statuses: Sequence[Status]) -> int:
    """Return the exit status of the process for these outcomes."""
    if any(s in (Status.REFUTED, Status.ERROR) for s in statuses):
        return 1
    if not statuses or any(s is not Status.HOLDS for s in statuses):
        return 3
    return 0


def reproducible(record: _Record) -> _Record:
    """Return a copy of a record without dates, times and versions, for comparisons byte by byte."""
    return cast("_Record", _stripped(record))


def _stripped(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kept = {f.name: _stripped(getattr(value, f.name)) for f in dataclasses.fields(value) if f.compare}
        return type(value)(**kept)
    return tuple(map(_stripped, value)) if isinstance(value, tuple) else value


def _renderer(name: str) -> Any:
    """Return a function of `gradcheck.report`, the one place where records reach for a room above their own."""
    return getattr(importlib.import_module("gradcheck.report"), name)
