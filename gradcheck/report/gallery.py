"""Gallery of wrong gradients in a terminal, and its matrix as a table and as JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from ..chapters.matrix import TOTALS, Result, Row, absent, codes, legend, totals
from ..faults import FAULTS
from ..faults.fault import Fault, by_category
from ..store.files import write_text

_COLUMN = 2 + max(len(fault.id) for fault in FAULTS) + 2
_STYLES = {Result.CAUGHT: "green", Result.MISSED: "red", Result.NOT_APPLICABLE: "", Result.FAILED: "magenta"}


def print_gallery(console: Console, faults: Sequence[Fault] = FAULTS) -> None:
    """Print every fault with its effect, by category."""
    width = max(30, console.width - _COLUMN)
    for category, members in by_category(tuple(faults)).items():
        console.print(Text(category, style="bold"))
        for fault in members:
            head = Text(f"  {fault.id:<{_COLUMN - 2}}", style="green")
            for line in textwrap.wrap(fault.effect, width, break_on_hyphens=False):
                console.print(head.append(line, style="default"), soft_wrap=True)
                head = Text(" " * _COLUMN)
        console.print()
    console.print(f"{len(faults)} faults; gradcheck faults ID shows one with its code", style="dim")


def print_fault(console: Console, fault: Fault) -> None:
    """Print one fault: its effect, where it was seen, the rule that it was made of, and its code as a diff."""
    console.print(Text(fault.id, style="bold green").append(f"  ({fault.category})", style="default"))
    for label, text in {
        "effect": fault.effect,
        "seen": fault.seen or "no source is known for certain",
        "made of": fault.base,
        "refuted as": "what the rule claims of its result" if fault.breaks == "result" else fault.breaks,
        "found by": fault.found_by or "common problems, on every kind of number that its code takes",
        "in float32": "visible" if fault.visible_in_float32 else "below its resolution",
        "audit it": f"gradcheck audit gradcheck.faults.rules:{fault.id}",
    }.items():
        lines = textwrap.wrap(text, max(30, console.width - 12), break_on_hyphens=False, break_long_words=False)
        for number, line in enumerate(lines):
            console.print(Text(f"{label if number == 0 else '':<12}", style="dim").append(line), soft_wrap=True)
    console.print()
    console.print(Syntax(fault.diff(), "diff", background_color="default", word_wrap=False), soft_wrap=True)


def print_head(console: Console, names: Sequence[str]) -> None:
    """Print the meaning of the matrix's columns, the peers that are absent, and the heads."""
    for line in textwrap.wrap(f"{legend(tuple(names))}. {absent()}", console.width, break_on_hyphens=False):
        console.print(line, style="dim", soft_wrap=True)
    console.print(
        Text(" " * (_COLUMN - 2) + "".join(f"{code:>{_apart(names)}}" for code in codes(names)), style="bold"),
        soft_wrap=True,
    )


def print_row(console: Console, row: Row) -> None:
    """Print one fault against every way."""
    line = Text(f"{row.fault:<{_COLUMN - 2}}")
    for outcome in row.outcomes.values():
        line.append(f"{outcome.result.value:>{_apart(row.outcomes)}}", style=_STYLES[outcome.result])
    console.print(line, soft_wrap=True)


def _apart(names: Collection[str]) -> int:
    """Return the width of a column: 80 columns of a terminal hold 12 ways comfortably, and 16 closely."""
    return 4 if len(names) <= 12 else 3


def print_totals(console: Console, rows: Sequence[Row]) -> None:
    """Print the number of faults that each way caught and missed."""
    console.print()
    widths = (32, 8, 8, 16, 8)
    head = "".join(f"{name:>{width}}" for name, width in zip(TOTALS[1:], widths[1:], strict=True))
    console.print(Text(" " * widths[0] + head, style="bold"))
    for name, *counts in totals(rows):
        numbers = "".join(f"{count:>{width}}" for count, width in zip(counts, widths[1:], strict=True))
        console.print(f"{name:<{widths[0]}}{numbers}")


def write_matrix(path: Path, rows: Iterable[Row]) -> None:
    """Write the matrix as JSON, with the reason of each outcome.

    Raises:
        GradcheckError: The file cannot be written.
    """
    faults = [
        {
            "fault": row.fault,
            "category": row.category,
            "outcomes": {
                name: {"result": outcome.result.name.lower(), "said": outcome.note}
                for name, outcome in row.outcomes.items()
            },
        }
        for row in rows
    ]
    write_text(path, json.dumps({"faults": faults}, indent=1, ensure_ascii=False))
