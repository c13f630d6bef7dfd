"""Where units are made: processes of our own, any `concurrent.futures.Executor`, or a Dask cluster."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any, Protocol

from ..reference.errors import GradcheckError

FOREIGN = 256
"""How many units are sent at once to an executor that does not say how many it can make."""


class Pool(Protocol):
    """executor: where units are sent now. width: how many are sent at once.

    shares_memory: whether they are made in this process. broken: what their futures raise where a process was killed.
    """

    width: int
    shares_memory: bool
    broken: tuple[type[BaseException], ...]

    @property
    def executor(self) -> Executor: ...

    def ready(self) -> None:
        """Raises `GradcheckError` where nothing can be made here."""

    def renew(self, ended: Executor, error: BaseException) -> None:
        """Replace an executor that has ended. Raises `GradcheckError` where it is not ours to replace."""


class Processes:
    """Fresh processes of this machine; where one is killed, all are replaced."""

    shares_memory = False
    broken: tuple[type[BaseException], ...] = (BrokenExecutor,)

    def __init__(self, number: int) -> None:
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise GradcheckError(f"the number of processes is a whole number, at least 1; got {number!r}")
        self._number, self.width = number, 2 * number
        self._executor = self._made()

    def _made(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self._number, mp_context=get_context("spawn"), initializer=_quiet)

    @property
    def executor(self) -> Executor:
        return self._executor

    def ready(self) -> None:
        """Start the first. Raises `GradcheckError` where none can be, as from a script without its guard."""
        try:
            self._executor.submit(_nothing).result()
        except BrokenExecutor:
            raise GradcheckError(
                "no process could be started (what it said is above, if anything); a script that asks for jobs needs "
                '`if __name__ == "__main__":` around what it does, since each of them imports it'
            ) from None

    def renew(self, ended: Executor, error: BaseException) -> None:
        """Start others; those who notice later that these have ended find that it was done."""
        if ended is self._executor:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = self._made()

    def close(self, now: bool) -> None:
        """End them, `now` without what they are at. Its thread is waited for: Python writes to it as it ends."""
        for process in list((self._executor._processes or {}).values()) if now else []:
            process.kill()
        self._executor.shutdown(cancel_futures=True)


def _nothing() -> None:
    pass


def _quiet() -> None:
    """An interrupt is for the process that was started from the terminal; these end with it, however it ends."""
    import signal

    from .isolation.worker import end_with_parent

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


class Given:
    """An executor that a caller made, and ends."""

    def __init__(self, executor: Executor) -> None:
        if not callable(getattr(executor, "submit", None)):
            raise GradcheckError(
                f"executor={executor!r:.60} has no method submit; hand over a concurrent.futures.Executor"
            )
        self.executor = executor
        self.shares_memory = isinstance(executor, ThreadPoolExecutor)
        self.broken: tuple[type[BaseException], ...] = (BrokenExecutor,)
        self.width = 2 * int(getattr(executor, "_max_workers", 0) or FOREIGN // 2)

    def ready(self) -> None:
        """What a caller hands over is taken to work."""

    def renew(self, ended: Executor, error: BaseException) -> None:
        raise GradcheckError(
            f"the executor broke before all was done ({error}); what was found by then is in the results"
        )


class Cluster(Given):
    """A Dask cluster, which sends what a killed worker had to another; only a unit that kills several comes back."""

    def renew(self, ended: Executor, error: BaseException) -> None:
        pass


@contextlib.contextmanager
def processes(number: int | None = None) -> Iterator[Processes]:
    """That many, one for each core unless given, killed at once where the work ends early."""
    pool = Processes(available() if number is None else number)
    try:
        yield pool
    except BaseException:
        pool.close(now=True)
        raise
    pool.close(now=False)


@contextlib.contextmanager
def given(executor: Executor) -> Iterator[Given]:
    """That executor; it is left running."""
    yield Given(executor)


@contextlib.contextmanager
def dask(address: str) -> Iterator[Given]:
    """The workers of the Dask cluster whose scheduler has this address, such as tcp://127.0.0.1:8786."""
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
        pool = Cluster(client.get_executor(pure=False))
        pool.width = 2 * max(1, sum(client.ncores().values()))
        pool.broken = (distributed.KilledWorker,)
        yield pool


def available() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
