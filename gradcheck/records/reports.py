"""Report on one rule, and the correctness report on many."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar, cast

from .chapters import Chapter
from .outcomes import Status
from .rendering import renderer
from .verdicts import Stage, Verdict

_Record = TypeVar("_Record")


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


@dataclass(frozen=True)
class Source:
    """A function of the rule's author in which something never ran.

    Attributes:
        file: Name of the file.
        name: Qualified name of the function.
        first: Its first line.
        text: Its lines, cut where they are many.
        ran: Numbers of the lines on which everything ran.
        missed: Numbers of the lines on which something never ran.
    """

    file: str
    name: str
    first: int
    text: str
    ran: tuple[int, ...] = ()
    missed: tuple[int, ...] = ()


@dataclass(frozen=True)
class Extent:
    """Problems on which a rule was compared.

    Attributes:
        sizes: The sizes, by letter: T, I, D, K.
        decades: The decades of absolute values of floats, by array; n stands for 10^n up to 10^(n+1).
    """

    sizes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    decades: dict[str, tuple[int, ...]] = field(default_factory=dict)


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
        return str(renderer("to_json")(self))

    def write(self, path: str | Path) -> Path:
        """Write the report in the format that the suffix names: .json, .md, .html or .xml.

        Raises:
            GradcheckError: The suffix names no format, or the file cannot be written.
        """
        return Path(renderer("write")(self, path))

    def check(self) -> Self:
        """Return the report where all is well.

        Raises:
            CheckFailed: A claim does not hold. The message shows the verdict and the counterexample.
        """
        if not self.passed:
            raise CheckFailed(str(renderer("failures")(self)), self)  # type: ignore[arg-type]
        return self

    def __str__(self) -> str:
        return str(renderer("to_text")(self))

    def _repr_html_(self) -> str:
        return str(renderer("to_fragment")(self))


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
        sources: Functions of the rule's author in which something never ran.
        extent: The problems on which it was compared; None where there were none.
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
    sources: tuple[Source, ...] = ()
    extent: Extent | None = None

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
