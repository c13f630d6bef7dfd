"""The gallery of wrong gradients in a terminal, and its matrix as a table and as JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from ..chapters.matrix import Result, Row, codes, legend, totals
from ..faults import FAULTS
from ..faults.fault import Fault, by_category
from ..reference.errors import GradcheckError

_COLUMN = 2 + max(len(fault.id) for fault in FAULTS) + 2
_STYLES = {Result.CAUGHT: "green", Result.MISSED: "red", Result.NOT_APPLICABLE: ""}


def print_gallery(console: Console, faults: Sequence[Fault] = FAULTS) -> None:
    """Every fault with its effect, by category."""
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
    """One fault: its effect, where it has been seen, what it is made of, and its code as a diff."""
    console.print(Text(fault.id, style="bold green").append(f"  ({fault.category})", style="default"))
    for label, text in {
        "effect": fault.effect,
        "seen": fault.seen or "no source is known for certain",
        "made of": fault.base,
        "refuted as": "pure" if fault.breaks == "pure" else "what the rule claims of its result",
        "in float32": "visible" if fault.visible_in_float32 else "below its resolution",
        "audit it": f"gradcheck audit gradcheck.faults.rules:{fault.id}",
    }.items():
        lines = textwrap.wrap(text, max(30, console.width - 12), break_on_hyphens=False, break_long_words=False)
        for number, line in enumerate(lines):
            console.print(Text(f"{label if number == 0 else '':<12}", style="dim").append(line), soft_wrap=True)
    console.print()
    console.print(Syntax(fault.diff(), "diff", background_color="default", word_wrap=False), soft_wrap=True)


def print_head(console: Console, names: Sequence[str]) -> None:
    """What the matrix's columns are, and their heads."""
    for line in textwrap.wrap(legend(tuple(names)), console.width, break_on_hyphens=False):
        console.print(line, style="dim", soft_wrap=True)
    console.print(
        Text(" " * (_COLUMN - 2) + "".join(f"{code:>{_apart(names)}}" for code in codes(names)), style="bold"),
        soft_wrap=True,
    )


def print_row(console: Console, row: Row) -> None:
    """One fault against every way."""
    line = Text(f"{row.fault:<{_COLUMN - 2}}")
    for outcome in row.outcomes.values():
        line.append(f"{outcome.result.value:>{_apart(row.outcomes)}}", style=_STYLES[outcome.result])
    console.print(line, soft_wrap=True)


def _apart(names: Collection[str]) -> int:
    """How wide a column is: 80 columns of a terminal hold 12 ways comfortably, and 16 closely."""
    return 4 if len(names) <= 12 else 3


def print_totals(console: Console, rows: Sequence[Row]) -> None:
    """How many faults each way caught and missed."""
    console.print()
    console.print(Text(f"{'':<32}{'caught':>8}{'missed':>8}{'not applicable':>16}", style="bold"))
    for name, caught, missed, other in totals(rows):
        console.print(f"{name:<32}{caught:>8}{missed:>8}{other:>16}")


def write_matrix(path: Path, rows: Iterable[Row]) -> None:
    """The matrix as JSON, with what each way said. Raises `GradcheckError` where it cannot be written."""
    faults = [
        {
            "fault": row.fault,
            "category": row.category,
            "outcomes": {
                name: {"result": outcome.result.name.lower(), "said": outcome.said}
                for name, outcome in row.outcomes.items()
            },
        }
        for row in rows
    ]
    try:
        path.write_text(json.dumps({"faults": faults}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise GradcheckError(f"cannot write {str(path)!r}: {error.strerror or error}") from error
