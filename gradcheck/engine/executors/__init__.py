"""Executors: where tasks are performed. Each performs any task of its context; the scheduler knows nothing else."""

from __future__ import annotations

import os

from ..request import AuditRequest
from .base import TaskExecutor as TaskExecutor
from .futures import Futures as Futures
from .futures import dask as dask
from .here import Here as Here
from .workers import Workers as Workers


def local(requests: tuple[AuditRequest, ...], jobs: int | None) -> TaskExecutor:
    """Return the executor of this machine: workers, or this process where no limits are asked for and no jobs."""
    if jobs is None and all(request.limits is None for request in requests) and requests:
        return Here()
    return Workers(available() if jobs is None else jobs)


def available() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
