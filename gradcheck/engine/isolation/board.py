"""Shared memory in which a worker says what it is doing, far cheaper than by a message."""

from __future__ import annotations

import mmap
import struct
import time

STARTED, CUT_OFF, KIND, PLACE, SIZE = 0, 8, 16, 64, 512
"""Offsets of the fields, and the size of the whole, in bytes."""


class Board:
    """The running call of a worker's rule: when it began, for which kind of task, on which problem.

    Args:
        memory: shared memory of `SIZE` bytes.
    """

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self.began("")
        self.ended(None)
        self.reached("")
        self._memory[CUT_OFF] = False

    def reached(self, kind: str) -> None:
        """Note the kind of the task that begins."""
        self._put(KIND, PLACE, kind)
        self._put(PLACE, SIZE, "")

    def began(self, place: str, problem: object = None) -> None:
        """Note that a call of the rule begins, and its problem."""
        self._put(PLACE, SIZE, place)
        struct.pack_into("d", self._memory, STARTED, time.monotonic())

    def ended(self, error: BaseException | None) -> None:
        """Note that the call returned, or raised."""
        struct.pack_into("d", self._memory, STARTED, 0.0)

    def note_cut_off(self) -> None:
        """Note that the worker has no channel any more to say what it found."""
        self._memory[CUT_OFF] = True

    @property
    def cut_off(self) -> bool:
        """True once the worker's channel is gone."""
        return bool(self._memory[CUT_OFF])

    @property
    def started(self) -> float:
        """When the running call began, on the clock `time.monotonic`; 0.0 between calls."""
        return float(struct.unpack_from("d", self._memory, STARTED)[0])

    @property
    def place(self) -> str:
        """Problem of the running, or the last, call."""
        text = self._memory[PLACE:SIZE].partition(b"\0")[0].decode("utf-8", "replace")
        return f" ({'at' if self.started else 'after the call at'} {text})" if text else ""

    def _put(self, start: int, stop: int, text: str) -> None:
        encoded = text.encode("utf-8", "replace")[: stop - start - 1]
        self._memory[start : start + len(encoded) + 1] = encoded + b"\0"
