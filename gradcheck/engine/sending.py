"""Sends units to where they are made, each once, and takes what comes of them."""

from __future__ import annotations

import asyncio
import dataclasses
import pickle
import traceback
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from typing import Any

from ..reference.errors import GradcheckError
from ..store.ledger import Ledger
from .pools import Pool, processes
from .units import Task, Unit, perform, unmade

Found = Mapping[str, Any]


class Sender:
    """As many units at once as the pool is wide. progress: called with a line of text as units begin and end.

    doubted: rules of which a unit was under way when a process ended. Theirs are sent one by one from then on, so that
    what ends a process is told from what was made before it.
    """

    def __init__(self, pool: Pool, ledger: Ledger, progress: Callable[[str], None]) -> None:
        self.pool, self.ledger, self.progress = pool, ledger, progress
        self.slots, self.alone, self.suspects = asyncio.Semaphore(pool.width), asyncio.Lock(), asyncio.Lock()
        self.doubted: set[str] = set()
        self.done = self.running = 0

    async def outcome(self, task: Task) -> Found:
        """What comes of a unit: what is known of it, or once there is room for it, what is made of it."""
        found = await self.outcome_unless(lambda: False, task)
        assert found is not None
        return found

    async def outcome_unless(self, needless: Callable[[], bool], task: Task) -> Found | None:
        """The same, or None if it is needless by the time that there is room."""
        known: Found | None = self.ledger.get(task.unit.key)
        if known is not None:
            return known
        async with self.slots:
            if needless():
                return None
            self.running += 1
            self._tell(task.unit)
            try:
                made = await self._made(task)
            finally:
                self.running -= 1
        for unit, found in made:
            self._enter(unit, found)
        self._tell(task.unit)
        return made[0][1]

    def _enter(self, unit: Unit, found: Found) -> None:
        """Keep what came of a unit; what could not be asked of a rule is asked again by the next run."""
        if "failed" not in found:
            self.ledger.add(unit.key, found)
        self.done += 1

    def _tell(self, unit: Unit) -> None:
        kept = f", {self.ledger.resumed} from before" if self.ledger.resumed else ""
        self.progress(f"{self.done} units done{kept}, {self.running} under way; {unit.text}")

    async def _made(self, task: Task) -> Sequence[tuple[Unit, Found]]:
        sent = self._packed(dataclasses.replace(task, single=task.asked.name in self.doubted))
        executor = self.pool.executor
        try:
            return await self._sent(executor, task.unit, sent)
        except self.pool.broken as error:
            self.pool.renew(executor, error)
        except GradcheckError:
            raise
        except Exception as error:
            lines = traceback.format_exception(error)
            raise GradcheckError(
                f"gradcheck itself failed on {task.unit.text}; please report this:\n{''.join(lines)}"
            ) from error
        # One of those that were under way ended its process. Alone it shows whether it was this one.
        self.doubted.add(task.asked.name)
        sent = self._packed(dataclasses.replace(task, single=True))
        async with self.suspects:
            with processes(1) as apart:
                try:
                    return await asyncio.wrap_future(apart.executor.submit(_perform, task.unit, sent))
                except apart.broken as error:
                    reason = f"{task.asked.name} ended the process in which it was judged ({error})"
                    return [(task.unit, unmade(task.unit, reason))]

    async def _sent(self, executor: Executor, unit: Unit, sent: Task | bytes) -> Sequence[tuple[Unit, Found]]:
        try:
            future = executor.submit(_perform, unit, sent)
        except RuntimeError as error:
            if isinstance(error, self.pool.broken):
                raise
            raise GradcheckError(f"the executor takes no more work ({error}); hand over one that is open") from error
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise GradcheckError(
                "the executor gave up what it was sent, as one does whose cluster has gone away; what was found by "
                "then is in the results"
            ) from None

    def _packed(self, task: Task) -> Task | bytes:
        """The task as it is sent. Raises `GradcheckError` for a rule that cannot be."""
        if self.pool.shares_memory:
            return task
        try:
            return pickle.dumps(task)
        except Exception as error:
            raise GradcheckError(
                f"{task.asked.name} cannot be sent to another process ({error}); define it at the top of a module, or "
                "name it there: module:rule"
            ) from error

    async def made_alone(self, task: Task) -> Found:
        """What comes of a unit that is made while nothing else is."""
        known = self.ledger.get(task.unit.key)
        if known is None:
            async with self._nothing_else():
                known = (await self._made(task))[0][1]
            self._enter(task.unit, known)
        return known

    @asynccontextmanager
    async def _nothing_else(self) -> AsyncIterator[None]:
        async with self.alone:
            for _ in range(self.pool.width):
                await self.slots.acquire()
            try:
                yield
            finally:
                for _ in range(self.pool.width):
                    self.slots.release()


def _perform(unit: Unit, task: Task | bytes) -> Sequence[tuple[Unit, Found]]:
    """Make a unit where it was sent."""
    if isinstance(task, bytes):
        try:
            task = pickle.loads(task)
        except Exception as error:
            failed = f"the rule cannot be loaded in another process ({type(error).__name__}: {error})"
            return [(unit, {"failed": failed})]
    assert isinstance(task, Task)
    try:
        return perform(task)
    except KeyboardInterrupt:  # those of the terminal are for the process that sent this
        return [(unit, {"failed": f"{task.asked.name} raised KeyboardInterrupt"})]
