"""How long certainty takes: enclosures, identities modulo a prime, the whole report; seconds, with a goal."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

from gradcheck.algorithms import RTRL, Schmidhuber, bptt, run_online
from gradcheck.evidence.preconditions import oracles
from gradcheck.problems.lively import lively_problem
from gradcheck.problems.residues import residue_problem
from gradcheck.reference import lags
from gradcheck.reference.network import DEFAULT_NETWORK, Network, Sizes
from gradcheck.reference.scalars.ball import BallField
from gradcheck.reference.scalars.residues.array import ResidueField

from .rows import Outcome, Row, alone, at_most


def _enclosure(sizes: Sizes, bits: int) -> Callable[[], Outcome]:
    def run() -> Outcome:
        problem, field = lively_problem(DEFAULT_NETWORK, sizes, 0), BallField(bits)

        def enclose() -> None:
            with field.working():
                gradient = lags.gradient(problem.over(field))
                least = min(b.rel_accuracy_bits() for a in gradient.values() for b in field.natives(a))
            assert least > 80, f"only {least} bits are certain"

        return alone(enclose, f"{bits} bits")

    return run


def modular_identity() -> Outcome:
    """BPTT, RTRL and blocks of I steps at one point modulo 2^31 - 1."""
    field = ResidueField()
    problem = residue_problem(Network(), Sizes(100, 64, 1, 1), field, np.random.default_rng(0))

    def run() -> None:
        reference = bptt(problem)
        for online in (RTRL(), Schmidhuber()):
            result = run_online(online, problem)
            assert all(field.equal(reference[n], result[n]).all() for n in reference)

    return alone(run, "three rules, compared", repeats=3)


def _process(command: list[str], label: str) -> Callable[[], Outcome]:
    def run() -> Outcome:
        return alone(
            lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL),
            label,
            repeats=1,
            clock=time.perf_counter,
        )

    return run


def report() -> Outcome:
    """`gradcheck report` in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "gradcheck", "report", "--html", f"{folder}/report.html"]
        return _process(command, "a fresh process")()


def lost_digits() -> Outcome:
    """The most digits by which SymPy, mpmath, dual numbers and Arb differ, of 50, 100 and 200."""
    problem = lively_problem(DEFAULT_NETWORK, Sizes(3, 2, 2, 2), 0)
    start = time.perf_counter()
    lost = {n: max(0.0, n - min(oracles.agreement_on(problem, n).digits.values())) for n in (50, 100, 200)}
    return Outcome(max(lost.values()), {"all oracles, three precisions": time.perf_counter() - start})


ROWS = (
    Row("seconds: certified gradient, T=50, I=32, 256 bits", at_most(0.1), _enclosure(Sizes(50, 32, 4, 4), 256)),
    Row("seconds: certified gradient, T=200, I=64, 768 bits", at_most(1), _enclosure(Sizes(200, 64, 4, 4), 768)),
    Row("seconds: BPTT = RTRL = blocks modulo 2^31 - 1, I=64, T=100", at_most(3), modular_identity),
    Row("digits lost between oracles at 50, 100, 200 digits", at_most(5), lost_digits),
    Row("seconds: gradcheck report", at_most(90), report),
)
