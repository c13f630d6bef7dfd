"""How long proofs take: of one rule at one size, of every rule at every small size, and what imports take."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from gradcheck.chapters.catalogue import catalogue
from gradcheck.evidence.base import Case, run_piece
from gradcheck.evidence.exact import formal
from gradcheck.reference.claims import Equals, LagClaim
from gradcheck.reference.network import Sizes
from gradcheck.rules.adapt import as_rule

from .rows import Outcome, Row, at_most

REPEATS = 5
_EVERY = """
from gradcheck.chapters.catalogue import catalogue
from gradcheck.evidence.base import Case
from gradcheck.evidence.exact import formal
from gradcheck.reference.claims import Equals, LagClaim
from gradcheck.rules.adapt import as_rule
for rule in map(as_rule, catalogue()):
    for claim in rule.declaration.claims:
        if isinstance(claim, (Equals, LagClaim)):
            finding = formal.Formal().gather(Case(rule, claim, rule.declaration.networks[0]))
            assert finding.evidence.strength.name == "PROVED", finding.evidence.statement
            assert finding.evidence.scope.startswith("every T <= 4, I <= 3, D <= 2, K <= 2"), finding.evidence.scope
"""


def cases() -> list[Case]:
    """What is proved: the first network of each rule, f, g and L undefined, stands for all."""
    return [
        Case(rule, claim, rule.declaration.networks[0])
        for rule in map(as_rule, catalogue())
        for claim in rule.declaration.claims
        if isinstance(claim, (Equals, LagClaim))
    ]


def each_rule(size: Sizes) -> Callable[[], Outcome]:
    """The slowest of the rules at this size, at all of its settings, where SymPy's side is there; it is PROVED."""

    def run() -> Outcome:
        seconds = {f"{case.rule.name}, {case.claim}": _seconds_to_prove(case, size) for case in cases()}
        return Outcome(max(seconds.values()), seconds)

    return run


def _seconds_to_prove(case: Case, size: Sizes) -> float:
    plan = formal.Formal(size.T, [(size.I, size.D, size.K)]).plan(case)
    piece = plan.pieces[-1]
    assert piece.size == size
    parts = [run_piece(plan, piece, (), lambda _: None) for _ in range(REPEATS + 1)][1:]  # without the first
    assert all(part.ended is None and part.shown["family"] == 0 for part in parts), f"{case.rule.name} is not proved"
    return statistics.median(part.seconds for part in parts)


def every_rule(*, kept: bool) -> Callable[[], Outcome]:
    """All proofs in a fresh process, from an empty folder or from one that such a process has filled."""

    def run() -> Outcome:
        with tempfile.TemporaryDirectory() as folder:
            if kept:
                _seconds_of(_EVERY, folder)
            times = [_seconds_of(_EVERY, folder if kept else str(Path(folder, str(n)))) for n in range(3)]
        return Outcome(statistics.median(times), {"a fresh process": statistics.median(times)})

    return run


def imports() -> Outcome:
    """What an audit needs before it begins, and `import gradcheck` alone, less what starting Python takes."""
    empty = [_seconds_of("pass", "off") for _ in range(REPEATS + 1)][1:]
    package = [_seconds_of("import gradcheck", "off") for _ in range(REPEATS + 1)][1:]
    everything = [_seconds_of("from gradcheck import audit, rule", "off") for _ in range(REPEATS + 1)][1:]
    took = {
        "import gradcheck": statistics.median(package) - statistics.median(empty),
        "from gradcheck import audit, rule": statistics.median(everything) - statistics.median(empty),
    }
    return Outcome(took["from gradcheck import audit, rule"], took)


def _seconds_of(program: str, cache: str) -> float:
    environment = {**os.environ, "GRADCHECK_CACHE": cache}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is compiled
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
    return time.perf_counter() - start


_SIZES = (Sizes(5, 3, 1, 1), Sizes(4, 4, 2, 2), Sizes(8, 2, 1, 1))
_SMALL = "every rule proved at every T <= 4, I <= 3, D, K <= 2"
ROWS = (
    *(
        Row(f"seconds: the slowest rule proved at {size}, given SymPy's side", at_most(0.2), each_rule(size))
        for size in _SIZES
    ),
    Row(f"seconds: {_SMALL}, nothing kept", at_most(15), every_rule(kept=False)),
    Row(f"seconds: {_SMALL}, SymPy's derivatives kept", at_most(3), every_rule(kept=True)),
    Row("seconds: from gradcheck import audit, rule", at_most(0.5), imports),
)
