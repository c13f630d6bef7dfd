"""The order in which tasks run: rules and claims in theirs, within a claim by what a task tells for its cost."""

from __future__ import annotations

import asyncio
import bisect
import itertools
from collections.abc import Callable
from typing import TypeAlias

from ..evidence.exact import formal
from ..evidence.exact.induction import kind as induction
from . import tasks
from .tasks import Task

Rank: TypeAlias = tuple[int, int, float, int]
"""Rank of a task: the audit, the claim, its cost for what it tells, and the network."""
_FIRST_GUESS = {
    formal.KIND: 0.2, induction.KIND: 0.2, "modular": 0.1, "enclosure": 0.2, "float64": 0.3, "float32": 0.3,
    "properties": 0.25, tasks.SCREENING: 1.0,
}  # fmt: skip
"""Seconds that a task of this kind is expected to take before one was seen; others take 0.5."""
_WEIGHT = {formal.KIND: 4.0, induction.KIND: 4.0, "modular": 3.0, "enclosure": 2.0}
"""Worth of a kind's result, by the strength that it shows; other kinds 1."""


class Costs:
    """Seconds that tasks take, predicted from those that ran."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, str], float] = {}

    def record(self, task: Task, seconds: float) -> None:
        """Remember what a task took."""
        key = (task.request, task.kind)
        self._seen[key] = 0.5 * (self._seen.get(key, seconds) + seconds)

    def for_its_worth(self, task: Task) -> float:
        """Return the seconds predicted from such tasks for this rule, divided by how much the result is worth."""
        seconds = self._seen.get((task.request, task.kind), _FIRST_GUESS.get(task.kind, 0.5))
        return seconds / _WEIGHT.get(task.kind, 1.0)


class Queue:
    """As many tasks at once as the executor is wide, each in its turn.

    Args:
        width: how many at once.
        fit: how well a free place fits a task, the lower the better; decides among tasks of a claim and a kind.
    """

    def __init__(self, width: int, fit: Callable[[Task], int] = lambda task: 0) -> None:
        self._free, self._width, self._fit = width, width, fit
        self._waiting: list[tuple[Rank, int, Task, asyncio.Future[None]]] = []
        self._number = itertools.count()
        self._exclusive = asyncio.Lock()

    async def enter(self, task: Task, rank: Rank) -> None:
        """Wait for a place; the lowest rank goes first."""
        if task.alone:
            async with self._exclusive:
                taken = 0
                try:
                    while taken < self._width:
                        await self._place(task, (-1, 0, 0.0, 0))
                        taken += 1
                except BaseException:
                    self._give_back(taken)
                    raise
        else:
            await self._place(task, rank)

    async def _place(self, task: Task, rank: Rank) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        bisect.insort(self._waiting, (rank, next(self._number), task, place))
        asyncio.get_running_loop().call_soon(self._admit)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # it was given already
                self._give_back(1)
            raise

    def leave(self, task: Task) -> None:
        """Give the place back; what the one who leaves waits for next may take it."""
        self._give_back(self._width if task.alone else 1)

    def _give_back(self, places: int) -> None:
        self._free += places
        asyncio.get_running_loop().call_soon(self._admit)

    def _admit(self) -> None:
        while self._free and self._waiting:
            first = self._waiting[0]
            alike = (e for e in self._waiting if e[0][:2] == first[0][:2] and e[2].kind == first[2].kind)
            chosen = min(alike, key=lambda each: self._fit(each[2]))
            self._waiting.remove(chosen)
            place = chosen[-1]
            if not place.cancelled():
                self._free -= 1
                place.set_result(None)
