"""The correctness report: every shipped rule audited, the lecture judged, truncation measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .auditing import audit
from .verdicts import Chapter, Collection, Report

Progress = Callable[[str], None]


def catalogue() -> tuple[Any, ...]:
    """The shipped rules."""
    from .algorithms import CATALOGUE

    return CATALOGUE


TITLE = "Correctness of the shipped learning rules"


def report(
    *,
    effort: str = "full",
    seed: int = 0,
    progress: Progress | None = None,
    finished: Callable[[Report | Chapter], None] = lambda _: None,
) -> Collection:
    """Audit every shipped rule and judge the lecture; the whole correctness report.

    effort: "full" or "quick". finished: called with each part as soon as it is there, so that a caller who is
    interrupted can keep them. Raises `GradcheckError` for another effort.
    """
    told = progress or (lambda _: None)
    reports: list[Report] = []
    for rule in catalogue():
        reports.append(audit(rule, effort=effort, seed=seed, progress=told))
        finished(reports[-1])
    judged = chapters(told)
    for chapter in judged:
        finished(chapter)
    return Collection(TITLE, tuple(reports), tuple(judged))


def chapters(progress: Progress) -> list[Chapter]:
    """The chapters beyond the rules."""
    from .lecture import chapter as lecture
    from .truncation import chapter as truncation

    progress("the lecture, judged")
    judged = lecture(progress)
    progress("truncation, measured")
    return [judged, truncation(progress)]
