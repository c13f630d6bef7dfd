"""Source of the author's functions in which something never ran, for the reader of a report."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Iterable
from pathlib import Path

from ...records import Source
from .seen import Key, Seen

MOST_FUNCTIONS, MOST_LINES, WIDEST = 20, 200, 200
"""The most functions, lines of each, and characters of a line."""


def sources(seen: Iterable[Seen]) -> tuple[Source, ...]:
    """Return the functions in which something never ran, for one claim or another.

    Args:
        seen: What ran in the comparisons of each claim.
    """
    ran, missed = dict[Key, set[int]](), dict[Key, set[int]]()
    for each in seen:
        for key, branches in each.never_ran().items():
            missed.setdefault(key, set()).update(branch[0] for branch in branches)
            ran.setdefault(key, set()).update(branch[0] for branch in each.ran.get(key, set()))
    found = (_source(key, ran[key], missed[key]) for key in sorted(missed)[:MOST_FUNCTIONS])
    return tuple(each for each in found if each is not None)


def _source(key: Key, ran: set[int], missed: set[int]) -> Source | None:
    file, name, first = key
    try:
        block = inspect.getblock(linecache.getlines(file)[first - 1 :])
    except (SyntaxError, IndentationError):
        return None
    lines = [line.rstrip()[:WIDEST] for line in block[:MOST_LINES]]
    if not lines:
        return None
    last = first + len(lines) - 1
    seen, unseen = (tuple(sorted(n for n in numbers if first <= n <= last)) for numbers in (ran - missed, missed))
    return Source(Path(file).name, name, first, "\n".join(lines), seen, unseen)
