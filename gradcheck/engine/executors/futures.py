"""Any executor of `concurrent.futures`, and Dask clusters."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import pickle
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, ThreadPoolExecutor
from typing import Any

from ...records import Cause
from ...reference.errors import GradcheckError
from ...reference.private import executor_width
from ..outcome import Done, Failed, HarnessFailed, Lost, Outcome
from ..tasks import Context, Progress, Task
from .bench import _OPENING, _clear_benches, _remotely

FOREIGN = 64
"""Tasks sent at once to an executor that does not say how many it can perform."""


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
