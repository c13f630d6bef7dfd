"""What a process of its own costs an audit: the same audit isolated and in this process."""

from __future__ import annotations

import time
from collections.abc import Callable

from gradcheck.algorithms import bptt
from gradcheck.engine.audit import audit
from gradcheck.reference.network import Network

from . import threads
from .rows import Outcome, Row, at_most, in_turn


def isolated_over_in_process(effort: str, repeats: int) -> Callable[[], Outcome]:
    """Each side runs once unmeasured, so that neither pays for what is derived once for both."""

    def run() -> Outcome:
        def judged(isolated: bool) -> object:
            with threads.of_children():
                return audit(bptt, networks=[Network()], effort=effort, isolated=isolated)

        assert judged(True) == judged(False), "isolation changes what is found"
        return in_turn(
            lambda: judged(True),
            lambda: judged(False),
            ("isolated", "in process"),
            repeats=repeats,
            clock=time.perf_counter,
        )

    return run


ROWS = (
    Row("quick audit of BPTT: isolated / in process", at_most(1.25), isolated_over_in_process("quick", 5)),
    Row("full audit of BPTT: isolated / in process", at_most(1.25), isolated_over_in_process("full", 3)),
)
