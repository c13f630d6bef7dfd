"""`python -m benchmarks [--json FILE]`: every row, measured in turn; exit status 1 if a goal is missed."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from . import diagnosis, first_verdict, isolation, peers, proofs, residues, rivals, rules, truth
from .rows import Row, Skipped

ROWS: tuple[Row, ...] = (
    *peers.ROWS,
    *truth.ROWS,
    *proofs.ROWS,
    *residues.ROWS,
    *rules.ROWS,
    *rivals.ROWS,
    *isolation.ROWS,
    *diagnosis.ROWS,
    *first_verdict.ROWS,
)


def measure(row: Row) -> dict[str, Any]:
    """The row's name, goal and either its ratio, times and whether the goal is met, or why it was skipped."""
    try:
        outcome = row.run()
    except Skipped as reason:
        return {"name": row.name, "goal": str(row.goal), "skipped": str(reason)}
    met = row.goal.met(outcome.ratio)
    return {"name": row.name, "goal": str(row.goal), "ratio": outcome.ratio, "met": met, "seconds": outcome.seconds}


def table(results: list[dict[str, Any]]) -> Table:
    shown = Table("ratio", "measured", "goal", "", "median times")
    for result in results:
        if "skipped" in result:
            shown.add_row(result["name"], "", result["goal"], "skipped", result["skipped"])
            continue
        times = "\n".join(f"{label}: {1000 * seconds:.1f} ms" for label, seconds in result["seconds"].items())
        shown.add_row(result["name"], f"{result['ratio']:.2f}", result["goal"], "yes" if result["met"] else "NO", times)
    return shown


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    parser.add_argument("--only", metavar="TEXT", default="", help="only rows whose name contains this")
    chosen = parser.parse_args(arguments)
    machine = (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, NumPy {numpy.__version__}"
    )
    results = [measure(row) for row in ROWS if chosen.only.lower() in row.name.lower()]
    console = Console()
    console.print(table(results))
    console.print(machine)
    if chosen.json is not None:
        chosen.json.write_text(json.dumps({"machine": machine, "rows": results}, indent=2) + "\n", encoding="utf-8")
    return 0 if all(result.get("met", True) for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
