"""Every row, both sides in turn in one process; exit status 1 if a goal is missed, or a compared ratio is worse."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from . import threads  # noqa: F401  isort: skip  (before NumPy is loaded)

from rich.console import Console
from rich.table import Table

from gradcheck.reference.errors import GradcheckError

from . import diagnosis, first_verdict, isolation, peers, plots, proofs, residues, rivals, rules, scale, truth
from .comparing import Change, Compared, compare, elsewhere
from .growth import CURVES, Curve, Line
from .results import Result, Results, measure, merged, read, surroundings, write
from .rows import Row

ROWS: tuple[Row, ...] = (
    *isolation.ROWS,  # first: once JAX is in use a process forks no more
    *scale.ROWS,
    *peers.ROWS,
    *truth.ROWS,
    *proofs.ROWS,
    *residues.ROWS,
    *rules.ROWS,
    *rivals.ROWS,
    *diagnosis.ROWS,
    *first_verdict.ROWS,
)
GROWTH: tuple[Curve, ...] = CURVES


def ratios(results: Sequence[Result]) -> Table:
    shown = Table("ratio", "measured", "quartiles", "goal", "", "median times")
    for row in results:
        if row.ratio is None:
            shown.add_row(row.name, "", "", str(row.goal), "skipped", row.skipped)
            continue
        times = "\n".join(f"{label}: {1000 * seconds:.1f} ms" for label, seconds in row.seconds.items())
        spread = "" if row.quartiles is None else " to ".join(f"{q:.2f}" for q in row.quartiles)
        shown.add_row(row.name, f"{row.ratio:.2f}", spread, str(row.goal), "yes" if row.met else "NO", times)
    return shown


def exponents(lines: Sequence[Line]) -> Table:
    shown = Table("growth of", "along", "at", "sizes", "measured exponent", "counted")
    for line in lines:
        sizes = " ".join(map(str, line.sizes))
        shown.add_row(
            f"{line.figure}: {line.label}", line.along, line.other, sizes, f"{line.exponent:.2f}", str(line.counted)
        )
    return shown


def changes(rows: Sequence[Compared]) -> Table:
    shown = Table("ratio", "old", "new", "change", "")
    for row in rows:
        old, new = ("" if value is None else f"{value:.2f}" for value in (row.old, row.new))
        shown.add_row(row.name, old, new, row.relative, row.change.value)
    return shown


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="TEXT", default="", help="only rows and growth whose name contains this")
    parser.add_argument(
        "--rounds", type=int, choices=range(1, 10), default=1, help="measure all rows so often, one after the other"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    parser.add_argument("--compare", type=Path, metavar="OLD", help="show what changed since the results in that file")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw there how times grow with T and with I")
    chosen = parser.parse_args(arguments)
    console = Console()
    try:
        return _run(chosen, console)
    except GradcheckError as error:
        console.print(f"error: {error}", markup=False, soft_wrap=True)
        return 2


def _run(chosen: argparse.Namespace, console: Console) -> int:
    old = read(chosen.compare) if chosen.compare is not None else None  # before the minutes that rows take
    wanted = chosen.only.lower()
    chosen_rows = [row for row in ROWS if wanted in row.name.lower()]
    curves = [curve for curve in GROWTH if wanted in curve.name.lower()]
    if not chosen_rows and not curves:
        raise GradcheckError(f"no row and no growth has {chosen.only!r} in its name; without --only all are measured")
    rounds = [[measure(row) for row in chosen_rows] for _ in range(chosen.rounds)]
    rows = tuple(merged(row) for row in zip(*rounds, strict=True))
    growth = tuple(curve.measure() for curve in curves)
    results = Results(surroundings(), rows, growth)
    if chosen.json is not None:
        write(results, chosen.json)
    if rows:
        console.print(ratios(rows))
    if growth:
        console.print(exponents(growth))
    console.print(str(results.surroundings), markup=False)
    if chosen.plots is not None:
        for path in plots.draw(growth, chosen.plots):
            console.print(f"drawn: {path}", markup=False, soft_wrap=True)
    worse = False
    if old is not None:
        compared = [row for row in compare(old, results) if wanted in row.name.lower()]
        console.print(changes(compared))
        if different := elsewhere(old, results):
            console.print(f"measured elsewhere: {different}", markup=False)
        worse = any(row.change is Change.WORSE for row in compared)
    return 1 if worse or any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
