"""The correctness report: every shipped rule audited, the lecture judged, costs counted, truncation measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

from .asking import audit
from .counting.costs import Counts, costs_of, counts_of
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
    that a caller who is interrupted can keep them. processes: with 2 or more some chapters, and then the last rules,
    are judged in a second process while the first rules are audited; a script that asks for that needs the usual
    `if __name__ == "__main__":`. The result is the same. Raises `GradcheckError` for another effort.
    """
    told = progress or (lambda _: None)
    with _beside(processes) as pool:
        rules, reports, counts = catalogue(), list[Report](), dict[str, Counts]()
        early = {name: pool.submit(_chapter, name) for name in CHAPTERS if name not in COUNTING} if pool else {}
        beside = (
            {n: pool.submit(_audited, rules[n], effort, seed) for n in reversed(range(1, len(rules)))} if pool else {}
        )
        for number, rule in enumerate(rules):
            elsewhere = beside.get(number)
            if elsewhere and not elsewhere.cancel():  # what has not begun there is done here
                told(f"waiting for {rule.__name__}")
                found, counted = elsewhere.result()
            else:
                found, counted = _audited(rule, effort, seed, told)
            reports.append(found)
            counts[rule.__name__] = counted
            finished(found)
        counting = [name for name in CHAPTERS if name in COUNTING]  # the first of them is judged here
        late = {name: pool.submit(_chapter, name, counts) for name in counting[1:]} if pool else {}
        judged: list[Chapter] = []
        for name in CHAPTERS:
            told(name)
            begun = early.get(name) or late.get(name)
            judged.append(begun.result() if begun else _chapter(name, counts, told))
            finished(judged[-1])
    return Collection(TITLE, tuple(reports), tuple(judged))


def _audited(rule: Any, effort: str, seed: int, progress: Progress | None = None) -> tuple[Report, Counts]:
    """The audit of a rule of ours, in this process: each proof's references are derived once for all of them."""
    found = audit(rule, effort=effort, seed=seed, progress=progress, isolated=False)
    return found, counts_of(rule)


def _chapter(name: str, counts: Mapping[str, Counts] | None = None, progress: Progress = lambda _: None) -> Chapter:
    """The chapter of this name. counts: what was counted of the rules' costs, by rule."""
    for rule in catalogue() if counts else ():
        costs_of(rule).remember((counts or {}).get(rule.__name__, {}))
    return CHAPTERS[name](progress)


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
COUNTING = tuple(CHAPTERS)[:2]
"""Those that take what the audits have counted."""


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
