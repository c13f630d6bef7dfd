"""Notes of operations while a function runs on traced arrays: for those who ask which line made what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

NOTE: ContextVar[Callable[[Any], None] | None] = ContextVar("NOTE", default=None)


@contextmanager
def noting(note: Callable[[Any], None]) -> Iterator[None]:
    """Call `note` with each array that an operation of `tape` makes, while its callers are still on the stack.

    Args:
        note: Takes a `tape.Traced` array.
    """
    token = NOTE.set(note)
    try:
        yield
    finally:
        NOTE.reset(token)
