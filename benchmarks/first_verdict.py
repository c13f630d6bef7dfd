"""How long somebody waits in a terminal until `gradcheck audit` says something about a claim, imports included."""

from __future__ import annotations

import importlib.util
import os
import re
import select
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from .rows import Outcome, Row, Skipped, at_most

WANTED = 2.0
"""Seconds."""
LONGEST = 120.0
REPEATS = 3
_VERDICT = re.compile(
    rb"(PROVED|EXACT|CERTIFIED|SUPPORTED|REFUTED)[^\r\n]*exact|exact[^\r\n]*(PROVED|EXACT|CERTIFIED|SUPPORTED|REFUTED)"
)
_COLOURS = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
_EXAMPLES = Path(__file__).parent.parent / "examples"
_JAX_RULE = """
import gradcheck, jax, jax.numpy as jnp

@gradcheck.jax.rule
def by_scan(parameters, inputs, targets, initial_state):
    def step(a, x):
        a = jnp.tanh(x @ parameters["W"] + a @ parameters["R"])
        return a, a @ parameters["V"]
    return ((jax.lax.scan(step, initial_state, inputs)[1] - targets) ** 2).sum() / 2
"""


def seconds_until_first_verdict(target: str) -> float:
    """From the start of the program to the first line that says how strongly the target's claim `exact` is shown."""
    import pty

    start = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(COLUMNS="80", LINES="40", TERM="xterm")
        os.execv(sys.executable, [sys.executable, "-m", "gradcheck", "audit", target])
    seen = b""
    try:
        while (waited := time.perf_counter() - start) < LONGEST:
            if select.select([terminal], [], [], 0.01)[0]:
                seen += os.read(terminal, 65536)
                if _VERDICT.search(_COLOURS.sub(b"", seen)):
                    return waited
        raise AssertionError(f"no verdict on {target} within {LONGEST:g} s: {seen[-300:]!r}")
    finally:
        os.close(terminal)  # which hangs up on the audit
        os.waitpid(pid, 0)


def measured(target: str, package: str = "") -> Callable[[], Outcome]:
    """The median over some starts; the first start, which fills the caches of the disk, is not counted."""

    def run() -> Outcome:
        if not hasattr(os, "fork"):
            raise Skipped("this system has no pseudo-terminals")
        if package and importlib.util.find_spec(package) is None:
            raise Skipped(f"pip install {package}")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "jax_rule.py")
            path.write_text(_JAX_RULE, encoding="utf-8")
            taken = [seconds_until_first_verdict(target.format(jax_rule=path)) for _ in range(REPEATS + 1)][1:]
        first = statistics.median(taken)
        return Outcome(first / WANTED, {"until the first verdict": first})

    return run


ROWS = (
    Row("first verdict in a terminal, BPTT by hand / 2 s", at_most(1), measured(f"{_EXAMPLES}/hand_written.py:mended")),
    Row(
        "first verdict in a terminal, torch / 2 s", at_most(1), measured(f"{_EXAMPLES}/torch_rnn.py:torch_rnn", "torch")
    ),
    Row("first verdict in a terminal, JAX / 2 s", at_most(1), measured("{jax_rule}:by_scan", "jax")),
)
"""Whoever imports a framework waits for that too."""
