"""The same number of threads for both sides of every ratio: one, in NumPy's BLAS, torch and XLA.

A BLAS reads its number when it is loaded, so `__main__` imports this first. The environment is put back
afterwards: commands that rows start in processes of their own run as their users start them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

THREADS = 1
_BLAS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


FIXED = "numpy" not in sys.modules
"""True if NumPy's BLAS was loaded here, with `THREADS` threads; else it has as many as it chose."""
with _environment(dict.fromkeys(_BLAS, str(THREADS))):
    import numpy  # noqa: F401

from .rows import Skipped  # noqa: E402  (which loads NumPy)


@contextmanager
def of_children() -> Iterator[None]:
    """Processes that are started in this context get as many threads as this one has."""
    with _environment(dict.fromkeys(_BLAS, str(THREADS)) if FIXED else {}):
        yield


def torch() -> Any:
    """torch, with `THREADS` threads. Raises `Skipped` where it is not installed."""
    try:
        import torch
    except ImportError:
        raise Skipped("pip install torch==2.13.0") from None
    torch.set_num_threads(THREADS)
    return torch


def jax() -> Any:
    """JAX on the CPU, in float64, with `THREADS` threads. Raises `Skipped` where it is not installed."""
    try:
        # XLA takes NPROC for the size of its pool when it starts, which `devices` makes it do.
        with _environment({"NPROC": str(THREADS), "JAX_PLATFORMS": "cpu"}):
            import jax

            jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
            jax.devices()
    except ImportError:
        raise Skipped("pip install jax==0.10.2") from None
    return jax
