"""The correctness report: every shipped rule audited, the lecture judged, costs counted, truncation measured."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..engine import events
from ..engine.executors import Workers, available
from ..engine.request import AuditRequest
from ..engine.run import run
from ..evidence.cost.counts.costs import costs_of
from ..records import Chapter, Collection, Report
from ..store.codec import from_data
from ..store.provenance import collect

Progress = Callable[[str], None]


def catalogue() -> tuple[Any, ...]:
    """Return the shipped rules."""
    from ..algorithms import CATALOGUE

    return CATALOGUE


TITLE = "Correctness of the shipped learning rules"


def report(
    *,
    effort: str = "full",
    seed: int = 0,
    progress: Progress | None = None,
    finished: Callable[[Report | Chapter], None] = lambda _: None,
    handlers: Sequence[events.Handler] = (),
    jobs: int | None = None,
) -> Collection:
    """Audit every shipped rule, and judge the lecture: the whole correctness report.

    Args:
        effort: "full" or "quick".
        seed: seed of every problem.
        progress: called with a line of text at each step.
        finished: called with each report and chapter once it is there, in the report's order, so that a caller who is
            interrupted can keep them.
        handlers: called with each event of the audits and chapters.
        jobs: number of workers; one for each core if None. The report is the same for any number.

    Returns:
        The reports and chapters.

    Raises:
        GradcheckError: there is no such effort.
    """
    start, jobs = time.monotonic(), available() if jobs is None else jobs
    requests = audits(effort, seed)
    parts = _Parts(requests, progress or (lambda _: None), finished)
    early = {name: chapter for name, chapter in CHAPTERS.items() if name not in COUNTING}
    run(requests, Workers(jobs), handlers=[parts, *handlers], ended=parts.end, functions=early, take=parts.take)
    late = {name: functools.partial(_counted, CHAPTERS[name], parts.counts) for name in COUNTING}
    run([], Workers(jobs), handlers=[parts, *handlers], functions=late, take=parts.take)
    reports, chapters = tuple(parts.reports.values()), tuple(parts.chapters[name] for name in CHAPTERS)
    return Collection(TITLE, reports, chapters, seconds=time.monotonic() - start, provenance=collect())


def audits(effort: str, seed: int) -> list[AuditRequest]:
    """Return the audit of each shipped rule; they are ours, and run without limits."""
    return [AuditRequest(rule, effort=effort, seed=seed, limits=None) for rule in catalogue()]


class _Parts:
    """Parts of the report as they come, passed on in its order."""

    def __init__(
        self, requests: Sequence[AuditRequest], progress: Progress, finished: Callable[[Report | Chapter], None]
    ) -> None:
        self.reports: dict[int, Report] = {}
        self.chapters: dict[str, Chapter] = {}
        self.counts: dict[int, events.CostsCounted] = {}
        self._progress, self._finished = progress, finished
        self._due: list[int | str] = [*range(len(requests)), *CHAPTERS]

    def __call__(self, event: events.Event) -> None:
        """Take one event into account."""
        if isinstance(event, events.Progress):
            self._progress(event.text)
        if isinstance(event, events.CostsCounted):
            self.counts[event.audit] = event

    def end(self, end: events.AuditFinished, report: Report | None) -> None:
        """Take the report of an audit, unless it was interrupted."""
        if report is not None and not end.interrupted:
            self.reports[end.audit] = report
            self._pass_on()

    def take(self, name: str, record: Mapping[str, Any]) -> None:
        """Take a chapter, as plain data."""
        self.chapters[name] = from_data(Chapter, record)
        self._pass_on()

    def _pass_on(self) -> None:
        while self._due:
            key = self._due[0]
            part: Report | Chapter | None = self.reports.get(key) if isinstance(key, int) else self.chapters.get(key)
            if part is None:
                return
            del self._due[0]
            self._finished(part)


def _counted(
    chapter: Callable[[Progress], Chapter], counts: Mapping[int, events.CostsCounted], progress: Progress
) -> Chapter:
    """Return the chapter, made with what the audits counted of the rules' costs."""
    for number, counted in counts.items():
        costs_of(catalogue()[number]).remember(counted.as_counts())
    return chapter(progress)


def _lecture(progress: Progress = lambda _: None) -> Chapter:
    from .lecture import chapter

    return chapter(progress)


def _costs(progress: Progress = lambda _: None) -> Chapter:
    from .costs import chapter

    return chapter(catalogue(), progress)


def _truncation(progress: Progress = lambda _: None) -> Chapter:
    from .truncation import chapter

    return chapter(progress)


def _relations(progress: Progress = lambda _: None) -> Chapter:
    from .relations import chapter

    return chapter(progress)


def _learning(progress: Progress = lambda _: None) -> Chapter:
    from .learning import chapter

    return chapter(progress)


def _faults(progress: Progress = lambda _: None) -> Chapter:
    from .matrix import chapter

    return chapter(progress)


CHAPTERS: dict[str, Callable[..., Chapter]] = {
    "the lecture": _lecture,
    "costs": _costs,
    "truncation": _truncation,
    "relations": _relations,
    "learning": _learning,
    "wrong gradients": _faults,
}
"""The chapters beyond the rules, in order, by their names in progress lines."""
COUNTING = tuple(CHAPTERS)[:2]
"""Chapters that take what the audits have counted."""
