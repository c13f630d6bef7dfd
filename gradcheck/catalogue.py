"""The correctness report: every shipped rule audited, the lecture judged, costs counted, truncation measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

from .asking import audit
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
    processes: int = 1,
) -> Collection:
    """Audit every shipped rule and judge the lecture; the whole correctness report.

    effort: "full" or "quick". finished: called with each part as soon as it is there, in the report's order, so
    that a caller who is interrupted can keep them. processes: with 2 or more the chapters, and then the last rules,
    are judged in a second process while the first rules are audited; a script that asks for that needs the usual
    `if __name__ == "__main__":`. The result is the same. Raises `GradcheckError` for another effort.
    """
    told = progress or (lambda _: None)
    with _beside(processes) as pool:
        waiting = [pool.submit(judge) for judge in CHAPTERS.values()] if pool else []
        rules, reports = catalogue(), list[Report]()
        beside = {}
        if pool:
            for number in reversed(range(len(rules) // 2 + 1, len(rules))):
                beside[number] = pool.submit(_audited, rules[number], effort, seed)
        for number, rule in enumerate(rules):
            elsewhere = beside.get(number)
            if elsewhere and not elsewhere.cancel():  # what has not begun there is done here
                told(f"waiting for {rule.__name__}")
                reports.append(elsewhere.result())
            else:
                reports.append(_audited(rule, effort, seed, told))
            finished(reports[-1])
        judged: list[Chapter] = []
        for number, (name, judge) in enumerate(CHAPTERS.items()):
            told(name)
            judged.append(waiting[number].result() if waiting else judge(told))
            finished(judged[-1])
    return Collection(TITLE, tuple(reports), tuple(judged))


def _audited(rule: Any, effort: str, seed: int, progress: Progress | None = None) -> Report:
    """The audit of a rule of ours, in this process: each proof's references are derived once for all of them."""
    return audit(rule, effort=effort, seed=seed, progress=progress, isolated=False)


def _lecture(progress: Progress = lambda _: None) -> Chapter:
    from .lecture import chapter

    return chapter(progress)


def _costs(progress: Progress = lambda _: None) -> Chapter:
    from .counting.chapter import chapter

    return chapter(catalogue(), progress)


def _truncation(progress: Progress = lambda _: None) -> Chapter:
    from .truncation import chapter

    return chapter(progress)


def _faults(progress: Progress = lambda _: None) -> Chapter:
    from .faults.matrix import chapter

    return chapter(progress)


CHAPTERS: dict[str, Callable[..., Chapter]] = {
    "the lecture, judged": _lecture,
    "costs, counted": _costs,
    "truncation, measured": _truncation,
    "wrong gradients, and who catches them": _faults,
}
"""The chapters beyond the rules, in order: what is said while they are judged, and what judges them."""


@contextmanager
def _beside(processes: int) -> Iterator[ProcessPoolExecutor | None]:
    if processes < 2:
        yield None
        return
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
