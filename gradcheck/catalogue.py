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


def report(*, effort: str = "full", seed: int = 0, progress: Progress | None = None) -> Collection:
    """Audit every shipped rule and judge the lecture; the whole correctness report.

    effort: "full" or "quick". Raises `GradcheckError` for another.
    """
    told = progress or (lambda _: None)
    reports: list[Report] = [audit(rule, effort=effort, seed=seed, progress=told) for rule in catalogue()]
    return Collection("Correctness of the shipped learning rules", tuple(reports), tuple(chapters(told)))


def chapters(progress: Progress) -> list[Chapter]:
    """The chapters beyond the rules."""
    from .lecture import chapter as lecture
    from .truncation import chapter as truncation

    progress("the lecture, judged")
    judged = lecture(progress)
    progress("truncation, measured")
    return [judged, truncation(progress)]
