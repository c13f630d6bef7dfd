"""Workers on this machine, as an executor."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ...reference.errors import GradcheckError
from ...store import cache
from ..isolation.parent import Worker
from ..isolation.processes import Start, Unusable, forked, spawned
from ..outcome import Outcome
from ..tasks import Context, Progress, Task
from .here import in_this_process


class References:
    """References that workers derived, for all of them: in memory, and in the cache folder where there is one.

    Nothing here is trusted: `reference.ring` compares what it says with the gradient found another way.
    """

    def __init__(self) -> None:
        self._memory: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        """Return what is kept under the key, or None."""
        if key not in self._memory:
            folder = cache.folder()
            kept = folder.get(key) if folder is not None else None
            if kept is None:
                return None
            self._memory[key] = kept
        return self._memory[key]

    def put(self, key: str, data: Any) -> None:
        """Keep plain data under the key."""
        self._memory[key] = data
        folder = cache.folder()
        if folder is not None:
            folder.put(key, data)


class Workers:
    """Workers on this machine, each a process of its own within the limits of its rule, which it serves alone.

    Rules of this package share workers: none leaves anything behind that another would find.

    A worker is a fork of this process where that can run the rule, else a fresh process. Where there is neither, tasks
    are performed in this process, and a note says so.

    Args:
        number: how many at once.
        ways: how a worker can be started, the preferred way first.
    """

    def __init__(self, number: int, ways: tuple[Start, ...] = (forked, spawned)) -> None:
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise GradcheckError(f"the number of jobs is a whole number, at least 1; got {number!r}")
        self.width = number
        self._ways, self._reasons = list(ways), list[str]()
        self._context: Context | None = None
        self._references = References()
        self._idle: list[tuple[int, Worker]] = []  # with the request that each serves; the one idle longest is first
        self._busy: set[Worker] = set()
        self._last: dict[tuple[int, Any], Worker] = {}  # the last one on each network of a request
        self._threads = ThreadPoolExecutor(number, "gradcheck worker")

    def open(self, context: Context) -> None:
        """Take the context; workers that know another are ended."""
        self._end_idle()
        self._last.clear()
        self._context = context

    async def perform(self, task: Task, progress: Progress) -> Outcome:
        """Have a worker perform the task; one that is lost with it is replaced."""
        loop = asyncio.get_running_loop()

        def tell(text: str) -> None:
            loop.call_soon_threadsafe(progress, text)

        while self._ways:
            way = self._ways[0]
            try:
                worker = self._take(task, way)  # in this thread, or a fork would go on from the middle of its work
                return await loop.run_in_executor(self._threads, self._performed, worker, task, tell)
            except Unusable as error:
                self._give_up(way, error)
        return self._in_this_process(task, progress)

    def perform_now(self, task: Task, progress: Progress) -> Outcome:
        """Perform the task as `perform` does, and wait for it."""
        while self._ways:
            way = self._ways[0]
            try:
                return self._performed(self._take(task, way), task, progress)
            except Unusable as error:
                self._give_up(way, error)
        return self._in_this_process(task, progress)

    def _give_up(self, way: Start, error: Unusable) -> None:
        if way in self._ways:
            self._ways.remove(way)
            self._reasons.append(str(error))
            self._end_idle()

    def _in_this_process(self, task: Task, progress: Progress) -> Outcome:
        assert self._context is not None
        note = f"judged in this process, without limits: {'; '.join(self._reasons)}"
        return in_this_process(task, self._context, progress, note)

    def fit(self, task: Task) -> int:
        """Return how well a free worker fits the task: one keeps what it derived of a network."""
        last = self._last.get(self._place(task))
        if last is None or not last.usable:
            return 1
        return 0 if any(worker is last for _, worker in self._idle) else 2

    def _place(self, task: Task) -> tuple[int, Any]:
        """Return what decides which worker has derived most of what a task needs."""
        assert self._context is not None
        network = self._context.prepared(task.request).networks[task.network] if task.request >= 0 else None
        return self._context.served_with(task.request), network

    def _take(self, task: Task, way: Start) -> Worker:
        """Return a worker of the task's rule: the last one on its network if that is free, else any, else a new one."""
        assert self._context is not None
        last = self._last.get(self._place(task))
        served = self._context.served_with(task.request)
        able = [worker for request, worker in self._idle if request == served]
        if able:
            worker = last if last in able else able[0]
            self._idle.remove((served, worker))
        else:
            if self._idle and len(self._idle) + len(self._busy) >= self.width:
                self._idle.pop(0)[1].end()
            worker = Worker(way, self._context, self._context.limits(task), self._references)
        self._last[self._place(task)] = worker
        self._busy.add(worker)
        return worker

    def _performed(self, worker: Worker, task: Task, progress: Progress) -> Outcome:
        try:
            return worker.perform(task, progress)
        finally:
            self._busy.discard(worker)
            if worker.usable:
                assert self._context is not None
                self._idle.append((self._context.served_with(task.request), worker))
            else:
                worker.end()

    def _end_idle(self) -> None:
        while self._idle:
            self._idle.pop()[1].end()

    def close(self, *, now: bool) -> None:
        """End every worker, `now` with what it is at."""
        if now:
            for worker in list(self._busy):
                worker.interrupt()
        self._threads.shutdown(cancel_futures=True)
        for worker in list(self._busy):  # its task was cancelled before a thread took it, or a thread is ending it
            worker.end()
            self._busy.discard(worker)
        self._end_idle()
