"""The correctness report: every shipped rule audited, the lecture judged, costs counted, truncation measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from threading import RLock
from typing import Any

from ..engine.audit import audit
from ..evidence.cost.counts.costs import Counts, costs_of, counts_of
from ..records import Chapter, Collection, Report

Progress = Callable[[str], None]


def catalogue() -> tuple[Any, ...]:
    """The shipped rules."""
    from ..algorithms import CATALOGUE

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
    rules, reports, counts = catalogue(), list[Report](), dict[str, Counts]()
    with _beside(processes) as beside:
        for name in CHAPTERS:
            if name not in COUNTING:
                beside.wants(name, _chapter, name)
        for number in reversed(range(1, len(rules))):
            beside.wants(number, _audited, rules[number], effort, seed)
        for number, rule in enumerate(rules):
            told(f"waiting for {rule.__name__}")
            found, counted = beside.taken(number) or _audited(rule, effort, seed, told)
            reports.append(found)
            counts[rule.__name__] = counted
            finished(found)
        for name in [name for name in CHAPTERS if name in COUNTING][1:]:  # the first of them is judged here
            beside.wants(name, _chapter, name, counts)
        judged: list[Chapter] = []
        for name in CHAPTERS:
            told(name)
            judged.append(beside.taken(name) or _chapter(name, counts, told))
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
    from .costs import chapter

    return chapter(catalogue(), progress)


def _truncation(progress: Progress = lambda _: None) -> Chapter:
    from .truncation import chapter

    return chapter(progress)


def _faults(progress: Progress = lambda _: None) -> Chapter:
    from .matrix import chapter

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


class _Beside:
    """Work for a second process, one piece after the other: what it has not begun can be done here instead."""

    def __init__(self, pool: ProcessPoolExecutor | None) -> None:
        self._pool, self._lock = pool, RLock()  # a future that has ended already calls at once
        self._waiting: dict[Any, tuple[Any, ...]] = {}
        self._begun: dict[Any, Future[Any]] = {}
        self._idle = True

    def wants(self, key: Any, function: Callable[..., Any], *arguments: Any) -> None:
        """Have it done there, after what was wanted before."""
        if self._pool is not None:
            with self._lock:
                self._waiting[key] = (function, *arguments)
                self._feed()

    def taken(self, key: Any) -> Any:
        """What came of it, waited for where it was begun; None where it was not, and will not be."""
        with self._lock:
            self._waiting.pop(key, None)
        begun = self._begun.get(key)
        return None if begun is None else begun.result()

    def _feed(self) -> None:
        if self._idle and self._waiting and self._pool is not None:
            self._idle, key = False, next(iter(self._waiting))
            self._begun[key] = future = self._pool.submit(*self._waiting.pop(key))
            future.add_done_callback(self._ended)

    def _ended(self, future: Future[Any]) -> None:
        with self._lock:
            self._idle = True
            if not future.cancelled() and future.exception() is None:
                self._feed()


@contextmanager
def _beside(processes: int) -> Iterator[_Beside]:
    if processes < 2:
        yield _Beside(None)
        return
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            yield _Beside(pool)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
