"""Time limits of pytest-timeout, which interrupt an audit as Ctrl-C does.

pytest-timeout raises its exception wherever the signal arrives: within a callback that ignores exceptions, or within a
search that treats any failure of a test as a finding, where it is lost. An interrupt passes through every part of an
audit and ends its workers. So the signal interrupts, again each second until the audit has ended, and then the handler
of pytest-timeout fails the test.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

_AGAIN = 1.0
"""Seconds until the next interrupt, where the last one was lost."""


@contextlib.contextmanager
def ending_the_audit() -> Iterator[None]:
    """Let a time limit that is reached within this context end it, and then fail the test.

    Raises:
        BaseException: Whatever the handler of the time limit raises, once the context has ended.
    """
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGALRM)
    if not callable(handler):
        yield
        return
    frames: list[FrameType | None] = []

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        frames.append(frame)
        signal.setitimer(signal.ITIMER_REAL, _AGAIN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, interrupt)
    try:
        yield
    except BaseException:
        if not frames:
            raise
    finally:
        if frames:
            signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    if frames:
        handler(signal.SIGALRM, frames[0])
