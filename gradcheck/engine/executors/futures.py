"""Any executor of `concurrent.futures`, and Dask clusters."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import pickle
import uuid
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, ThreadPoolExecutor
from typing import Any

from ...records import Cause
from ...reference.errors import GradcheckError
from ...reference.private import executor_width
from ..outcome import Lost, Outcome
from ..tasks import Context, Progress, Task
from . import bench

FOREIGN = 64
"""Tasks sent at once to an executor that does not say how many it can perform."""
DASK_SECONDS = 10.0
"""Seconds in which a Dask scheduler answers, and in which it has a worker."""


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
            raise GradcheckError(f"executor={executor!r:.60} has no method submit; pass a concurrent.futures.Executor")
        self.width = width or executor_width(executor) or FOREIGN
        self._executor, self._broken = executor, broken
        self._shares_memory = isinstance(executor, ThreadPoolExecutor)
        self._run = ""
        self._context: Context | bytes = b""

    def open(self, context: Context) -> None:
        """Take the context, packed to be sent.

        Raises:
            GradcheckError: a rule cannot be sent to another process.
        """
        self._run = uuid.uuid4().hex
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
        try:
            future = self._executor.submit(bench.perform, self._run, self._context, task)
        except self._broken as error:
            raise GradcheckError(_broke(error)) from error
        except RuntimeError as error:
            raise GradcheckError(f"the executor takes no more work ({error}); pass one that is open") from error
        try:
            return await asyncio.wrap_future(future)
        except self._broken as error:
            if type(error).__module__.partition(".")[0] == "distributed":
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

    def fit(self, task: Task) -> int:
        """Return 0: whoever runs this executor chooses."""
        return 0

    def close(self, *, now: bool) -> None:
        """Leave it running; end what its tasks started in this process. Others end that once they are idle."""
        bench.end(self._run, now=now)


def _broke(error: BaseException) -> str:
    return f"the executor broke before all was done ({error}); what was found by then is in the results"


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
        client: Any = distributed.Client(address, timeout=DASK_SECONDS)
    except (OSError, ValueError, TimeoutError) as error:
        raise GradcheckError(
            f"no Dask scheduler answers at {address!r} ({error}); start one with dask scheduler"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=DASK_SECONDS)
        except TimeoutError:
            raise GradcheckError(
                f"the Dask scheduler at {address!r} has no workers; start some with dask worker {address}"
            ) from None
        width = 2 * max(1, sum(client.ncores().values()))
        yield Futures(client.get_executor(pure=False), width, (distributed.KilledWorker,))
