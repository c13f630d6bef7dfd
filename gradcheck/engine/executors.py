"""Executors: where tasks are performed. Each performs any task of its context; the scheduler knows nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from ..records import Cause
from ..reference.errors import GradcheckError
from ..reference.private import executor_width
from ..store import cache
from .isolation.parent import Done, Failed, HarnessFailed, Lost, Worker
from .isolation.processes import Start, Unusable, forked, spawned
from .request import AuditRequest, Limits
from .tasks import Context, Task, perform

Outcome: TypeAlias = Done | Failed | Lost
Progress: TypeAlias = Callable[[str], None]
FOREIGN = 64
"""Tasks sent at once to an executor that does not say how many it can perform."""


class TaskExecutor(Protocol):
    """Performs tasks.

    width: how many at once. notes: what the reader of the reports should know.
    """

    width: int
    notes: list[str]

    def open(self, context: Context) -> None:
        """Take the context of all tasks to come."""

    async def perform(self, task: Task, progress: Progress) -> Outcome:
        """Return the outcome of a task."""

    def fit(self, task: Task) -> int:
        """Return how well a free place fits the task: 0 where its network was at work before, then 1, then 2."""

    def close(self, *, now: bool) -> None:
        """End; `now` without what is under way."""


@dataclass
class References:
    """References that workers derived, for all of them: in memory, and in the cache folder where there is one.

    Nothing here is trusted: `reference.ring` compares what it says with the gradient found another way.
    """

    memory: dict[str, Any] = field(default_factory=dict)

    def __hash__(self) -> int:
        return id(self)

    def get(self, key: str) -> Any:
        """Return what is kept under the key, or None."""
        if key not in self.memory:
            folder = cache.folder()
            kept = folder.get(key) if folder is not None else None
            if kept is None:
                return None
            self.memory[key] = kept
        return self.memory[key]

    def put(self, key: str, data: Any) -> None:
        """Keep plain data under the key."""
        self.memory[key] = data
        folder = cache.folder()
        if folder is not None:
            folder.put(key, data)


def in_this_process(task: Task, context: Context, progress: Progress) -> Outcome:
    """Perform a task here and now, without limits."""
    try:
        return Done(perform(task, context, progress))
    except GradcheckError as error:
        return Failed(str(error))


class Here:
    """This process, one task after the other, without limits: as a debugger wants it."""

    width = 1

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._context: Context | None = None

    def open(self, context: Context) -> None:
        """Take the context."""
        self._context = context

    async def perform(self, task: Task, progress: Progress) -> Outcome:
        """Perform the task before anything else goes on."""
        assert self._context is not None
        await asyncio.sleep(0)  # let what became ready meanwhile take its place in the queue
        return in_this_process(task, self._context, progress)

    def perform_now(self, task: Task, progress: Progress) -> Outcome:
        """Perform the task."""
        assert self._context is not None
        return in_this_process(task, self._context, progress)

    def fit(self, task: Task) -> int:
        """Return 0: every network was at work here."""
        return 0

    def close(self, *, now: bool) -> None:
        """Nothing is left behind."""


class Workers:
    """Workers on this machine, each a process of its own within the limits of its rule.

    A worker is a fork of this process where that can run the rule, else a fresh process. Where there is neither, tasks
    are performed in this process, and a note says so.

    Args:
        number: how many at once.
        ways: how a worker can be started, the preferred way first.
    """

    def __init__(self, number: int, ways: tuple[Start, ...] = (forked, spawned)) -> None:
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise GradcheckError(f"the number of jobs is a whole number, at least 1; got {number!r}")
        self.width, self.notes = number, list[str]()
        self._ways, self._reasons = list(ways), list[str]()
        self._context: Context | None = None
        self._references = References()
        self._idle: list[tuple[Limits | None, Worker]] = []
        self._busy: set[Worker] = set()
        self._last: dict[int, Worker] = {}
        self._threads = ThreadPoolExecutor(number, "gradcheck worker")
        self._here = threading.Lock()

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
                worker = self._take(task, way)  # in this thread: a worker ends with the thread that started it
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
        self.notes[:] = [f"judged in this process, without limits: {'; '.join(self._reasons)}"]
        assert self._context is not None
        with self._here:
            return in_this_process(task, self._context, progress)

    def fit(self, task: Task) -> int:
        """Return how well a free worker fits the task: one keeps what it derived of a network."""
        last = self._last.get(self._network(task))
        if last is None or not last.usable:
            return 1
        return 0 if any(worker is last for _, worker in self._idle) else 2

    def _network(self, task: Task) -> int:
        assert self._context is not None
        return id(self._context.prepared(task.request).networks[task.network]) if task.request >= 0 else 0

    def _take(self, task: Task, way: Start) -> Worker:
        """Return a worker for the task: the last one on its network, if that is free, else any, else a new one."""
        assert self._context is not None
        limits, network = self._context.limits(task), self._network(task)
        able = [each for each in self._idle if each[0] == limits]
        if able:
            chosen = next((each for each in able if each[1] is self._last.get(network)), able[0])
            self._idle.remove(chosen)
            self._busy.add(chosen[1])
            self._last[network] = chosen[1]
            return chosen[1]
        if len(self._idle) + len(self._busy) >= self.width:
            self._end_idle()
        worker = self._last[network] = Worker(way, self._context, limits, self._references)
        self._busy.add(worker)
        return worker

    def _performed(self, worker: Worker, task: Task, progress: Progress) -> Outcome:
        assert self._context is not None
        try:
            outcome = worker.perform(task, progress)
        finally:
            self._busy.discard(worker)
            if worker.usable:
                self._idle.append((self._context.limits(task), worker))
            else:
                worker.end()
        return outcome

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


class Futures:
    """An executor that a caller made, and ends: `concurrent.futures`, or a Dask cluster.

    Args:
        executor: where tasks are sent.
        width: how many at once.
        broken: what its futures raise where a process of it was killed.
    """

    def __init__(
        self, executor: Executor, width: int = 0, broken: tuple[type[BaseException], ...] = (BrokenExecutor,)
    ) -> None:
        if not callable(getattr(executor, "submit", None)):
            raise GradcheckError(
                f"executor={executor!r:.60} has no method submit; hand over a concurrent.futures.Executor"
            )
        self.width = width or executor_width(executor) or FOREIGN
        self.notes: list[str] = []
        self._executor, self._broken = executor, broken
        self._shares_memory = isinstance(executor, ThreadPoolExecutor)
        self._context: Context | bytes | None = None

    def open(self, context: Context) -> None:
        """Take the context, packed to be sent.

        Raises:
            GradcheckError: a rule cannot be sent to another process.
        """
        if self._shares_memory:
            self._context = context
            return
        try:
            self._context = pickle.dumps(context)
        except Exception as error:
            names = ", ".join(request.name or str(request.target) for request in context.requests)
            raise GradcheckError(
                f"{names} cannot be sent to another process ({error}); define it at the top of a module, or name it "
                "there: module:rule"
            ) from error

    async def perform(self, task: Task, progress: Progress) -> Outcome:
        """Send the task, and wait for its outcome."""
        assert self._context is not None
        try:
            future = self._executor.submit(_remotely, self._context, task)
        except self._broken as error:
            raise GradcheckError(_broke(error)) from error
        except RuntimeError as error:
            raise GradcheckError(f"the executor takes no more work ({error}); hand over one that is open") from error
        try:
            kind, value = await asyncio.wrap_future(future)
        except self._broken as error:
            if importlib.import_module(type(error).__module__.partition(".")[0]).__name__ == "distributed":
                return Lost(Cause.CRASH, f"ended several workers of the cluster, one after the other ({error})")
            raise GradcheckError(_broke(error)) from error
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            raise GradcheckError(
                "the executor gave up what it was sent, as one does whose cluster has gone away; what was found by "
                "then is in the results"
            ) from None
        if kind == "done":
            return Done(value)
        if kind == "failed":
            return Failed(value)
        if kind == "lost":
            return Lost(Cause[value[0]], value[1])
        raise HarnessFailed(value)

    def fit(self, task: Task) -> int:
        """Return 0: whoever runs this executor chooses."""
        return 0

    def close(self, *, now: bool) -> None:
        """Leave it running; workers that its threads started in this process are ended."""
        if isinstance(self._context, Context):
            with _OPENING:
                self._context.over = True
                _clear_benches(now=now)


def _broke(error: BaseException) -> str:
    return f"the executor broke before all was done ({error}); what was found by then is in the results"


class _Bench:
    """A worker in another process of an executor, kept from one task to the next.

    Threads of one process take turns: a rule's changes around it are no other's doing.
    """

    def __init__(self, context: Context) -> None:
        self.context, self.turn = context, threading.Lock()
        self.workers: Workers | Here = Workers(1) if any(r.limits for r in context.requests) else Here()
        self.workers.open(context)

    def perform(self, task: Task) -> tuple[str, Any]:
        """Return the outcome of the task as plain data."""
        with self.turn:
            if self.context.over:
                return _CUT_SHORT
            outcome = self.workers.perform_now(task, lambda _: None)
        if isinstance(outcome, Done):
            return "done", dict(outcome.result)
        if isinstance(outcome, Failed):
            return "failed", outcome.message
        return "lost", (outcome.cause.name, outcome.reason)


_CUT_SHORT = ("lost", (Cause.CHANNEL.name, "was not called: the run had ended"))
_BENCHES: dict[str, _Bench] = {}
"""The bench of this process; one, since another context means that the run before it has ended."""
_OPENING = threading.Lock()


def _clear_benches(*, now: bool) -> None:
    for each in _BENCHES.values():
        each.workers.close(now=now)
    _BENCHES.clear()


def _remotely(context: Context | bytes, task: Task) -> tuple[str, Any]:
    """Perform a task where it was sent."""
    try:
        with _OPENING:
            name = hashlib.sha256(context).hexdigest() if isinstance(context, bytes) else str(id(context))
            if isinstance(context, Context) and context.over:
                return _CUT_SHORT
            if name not in _BENCHES:
                try:
                    loaded = pickle.loads(context) if isinstance(context, bytes) else context
                except Exception as error:
                    return "failed", f"the rule cannot be loaded in another process ({type(error).__name__}: {error})"
                _clear_benches(now=False)
                _BENCHES[name] = _Bench(loaded)
            bench = _BENCHES[name]
        return bench.perform(task)
    except HarnessFailed as error:
        return "broken", str(error)


def local(requests: tuple[AuditRequest, ...], jobs: int | None) -> TaskExecutor:
    """Return the executor of this machine: workers, or this process where no limits are asked for and no jobs."""
    if jobs is None and all(request.limits is None for request in requests) and requests:
        return Here()
    return Workers(available() if jobs is None else jobs)


@contextlib.contextmanager
def dask(address: str) -> Iterator[Futures]:
    """Open the workers of the Dask cluster whose scheduler has this address, such as tcp://127.0.0.1:8786.

    Raises:
        GradcheckError: Dask is not installed, or no scheduler with workers answers.
    """
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError as error:
        raise GradcheckError("--dask needs: pip install 'rnn-gradcheck[distributed]'") from error
    try:
        client: Any = distributed.Client(address, timeout=10)
    except (OSError, ValueError, TimeoutError) as error:
        raise GradcheckError(
            f"no Dask scheduler answers at {address!r} ({error}); start one with dask scheduler"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=10)
        except TimeoutError:
            raise GradcheckError(
                f"the Dask scheduler at {address!r} has no workers; start some with dask worker {address}"
            ) from None
        width = 2 * max(1, sum(client.ncores().values()))
        yield Futures(client.get_executor(pure=False), width, (distributed.KilledWorker,))


def available() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
