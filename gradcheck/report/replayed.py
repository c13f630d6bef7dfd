"""What came of a replayed case, as plain text of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .words import distance, one_line

if TYPE_CHECKING:
    from ..explain.replay import Replay

_WIDTH, _COLUMN, _NAMED = 80, 14, 6


def to_text(replay: Replay) -> str:
    """The outcome, the numbers of one entry, and how many others are wrong."""
    return "\n".join(_lines(replay))


def _lines(replay: Replay) -> Iterator[str]:
    head = f"{replay.outcome.label}: {replay.rule}, claimed {replay.claim}, on the case with {replay.where}"
    yield from textwrap.wrap(one_line(head), _WIDTH, break_on_hyphens=False)
    if replay.message:
        yield from _row("", replay.message)
    if replay.shown:
        is_to = "should be" if replay.shown.name in replay.wrong else "truly"
        yield from _row(replay.shown.name, f"{replay.shown.got}, {is_to} {replay.shown.true}")
        off = distance(replay.shown.got, replay.shown.gap, replay.shown.allowance)
        yield from _row("off by", off)
        yield from _row("entries", _entries(replay))
    entry, got = replay.before
    yield from _row("the case", f"{entry} was {got}")


def _entries(replay: Replay) -> str:
    parts = {"are wrong": replay.wrong, "have no finite rounding allowance": replay.undecided}
    said = [f"{len(names)} of {replay.total} {what}: {_named(names)}" for what, names in parts.items() if names]
    return "; ".join(said) or f"all {replay.total} are within what rounding allows"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _row(label: str, text: str) -> Iterator[str]:
    lines = textwrap.wrap(one_line(text), _WIDTH - _COLUMN, break_on_hyphens=False) or [""]
    for number, line in enumerate(lines):
        yield f"{'' if number else one_line(label):<{_COLUMN}}{line}"
