"""How long somebody waits in a terminal until `gradcheck audit` says something about a claim, imports included.

Of a rule that needs a framework, what that takes alone is measured beside it and taken off: its import, and where it
compiles for each shape, that at the shapes of the calls before the verdict.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import re
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from gradcheck.evidence.floats import lagwise
from gradcheck.evidence.preconditions import purity

from .rows import Outcome, Row, Skipped, at_most

WANTED = 1.5
"""Seconds."""
LONGEST = 120.0
REPEATS = 5
_VERDICT = re.compile(
    rb"(PROVED|EXACT|CERTIFIED|SUPPORTED|REFUTED)[^\r\n]*exact|exact[^\r\n]*(PROVED|EXACT|CERTIFIED|SUPPORTED|REFUTED)"
)
_COLOURS = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
_EXAMPLES = Path(__file__).parent.parent / "examples"
_JAX_RULE = """
import jax, jax.numpy as jnp

def by_scan(parameters, inputs, targets, initial_state):
    def step(a, x):
        a = jnp.tanh(x @ parameters["W"] + a @ parameters["R"])
        return a, a @ parameters["V"]
    return ((jax.lax.scan(step, initial_state, inputs)[1] - targets) ** 2).sum() / 2
"""
_JAX_AUDITED = f"""{_JAX_RULE}
import gradcheck
by_scan = gradcheck.jax.rule(by_scan)
"""
_JAX_SIZES = [*map(dataclasses.astuple, purity.SIZES), dataclasses.astuple(lagwise.SIZE)]
"""Sizes of purity's problems, and of those that tell the lags of a black box apart."""
_JAX_ALONE = f"""{_JAX_RULE}
import numpy as np
jax.config.update("jax_enable_x64", True)
compiled = jax.jit(jax.grad(by_scan))
for T, I, D, K in {_JAX_SIZES}:
    parameters = dict(W=np.ones((D, I)), R=np.ones((I, I)), V=np.ones((I, K)))
    jax.block_until_ready(compiled(parameters, np.ones((T, D)), np.ones((T, K)), np.ones(I)))
"""


def seconds_until_first_verdict(target: str, cache: str) -> float:
    """From the start of the program to the first line that says how strongly the target's claim `exact` is shown.

    cache: the folder of what is kept between processes, or `off`.
    """
    import pty

    start = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is compiled
        os.environ.update(COLUMNS="80", LINES="40", TERM="xterm", GRADCHECK_CACHE=cache)
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


def measured(target: str, package: str = "", alone: str = "", *, kept: bool = True) -> Callable[[], Outcome]:
    """The median over some starts; the first start, which fills the caches of the disk, is not counted.

    package: what the rule needs. alone: a program whose time is the package's own. kept: whether each start finds what
    the one before kept of SymPy's derivatives.
    """

    def run() -> Outcome:
        if not hasattr(os, "fork"):
            raise Skipped("this system has no pseudo-terminals")
        if package and importlib.util.find_spec(package) is None:
            raise Skipped(f"pip install {package}")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "jax_rule.py")
            path.write_text(_JAX_AUDITED, encoding="utf-8")
            caches = [str(Path(folder, "cache" if kept else f"cache{number}")) for number in range(REPEATS + 1)]
            pairs = [
                (
                    seconds_until_first_verdict(target.format(jax_rule=path), cache),
                    _seconds_of(alone) if alone else 0.0,
                )
                for cache in caches
            ][1:]
        first, own = (statistics.median(side) for side in zip(*pairs, strict=True))
        beyond = statistics.median(whole - part for whole, part in pairs)
        seconds = {"until the first verdict": first, **({f"{package} alone": own} if alone else {})}
        return Outcome(beyond / WANTED, seconds)

    return run


def _seconds_of(program: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return time.perf_counter() - start


_BY_HAND, _BY_TORCH = f"{_EXAMPLES}/hand_written.py:mended", f"{_EXAMPLES}/torch_rnn.py:torch_rnn"
_BY_JAX = "{jax_rule}:by_scan"
ROWS = (
    Row("first verdict in a terminal, BPTT by hand, nothing kept / 1.5 s", at_most(1), measured(_BY_HAND, kept=False)),
    Row("first verdict in a terminal, BPTT by hand / 1.5 s", at_most(1), measured(_BY_HAND)),
    Row(
        "first verdict in a terminal, torch, beyond its import / 1.5 s",
        at_most(1),
        measured(_BY_TORCH, "torch", "import torch"),
    ),
    Row(
        "first verdict in a terminal, JAX, beyond its import and compiling / 1.5 s",
        at_most(1),
        measured(_BY_JAX, "jax", _JAX_ALONE),
    ),
)
