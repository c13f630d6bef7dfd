"""The branches of a rule's code that ran in comparisons, and those that never did."""

from __future__ import annotations

import linecache
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from ...records import Unseen
from .branches import AGAIN, DEEPER, FAILED, HELD, Branch

Key: TypeAlias = tuple[str, str, int]
"""A function: its file, its qualified name, and its first line."""
_MOST_TEXT = 60


@dataclass
class Seen:
    """The branches that ran in judged comparisons.

    Attributes:
        ran: The branches that ran, by function.
        missed: Those that had not run in some comparison; what ran in another is in both.
    """

    ran: dict[Key, set[Branch]] = field(default_factory=dict)
    missed: dict[Key, set[Branch]] = field(default_factory=dict)

    def add(self, rows: Iterable[Sequence[Any]]) -> None:
        """Add what `Recorder.as_data` says of one comparison."""
        for file, name, line, ran, missed in rows:
            key = (file, name, line)
            self.ran.setdefault(key, set()).update(map(tuple, ran))
            self.missed.setdefault(key, set()).update(map(tuple, missed))

    def want(self, rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
        """Add both sides of the comparisons that ran outside a judged comparison, and return rows of them for `add`."""
        wanted = []
        for file, name, line, ran, missed in rows:
            sides = [branch for branch in (*ran, *missed) if len(branch) > 4 and branch[4] in (HELD, FAILED)]
            if sides:
                wanted.append([file, name, line, [], sides])
        self.add(wanted)
        return wanted

    def include(self, other: Seen) -> None:
        """Add what another has seen."""
        for key, branches in other.ran.items():
            self.ran.setdefault(key, set()).update(branches)
        for key, branches in other.missed.items():
            self.missed.setdefault(key, set()).update(branches)

    def under(self, seen: Mapping[str, Seen]) -> Iterator[tuple[str, frozenset[str]]]:
        """Yield each branch that ran, as file and line, with the kinds of evidence under which it ran.

        Args:
            seen: What ran, by kind; this is all of it together.
        """
        for key in sorted(self.ran):
            for branch in sorted(self.ran[key], key=str):
                kinds = frozenset(kind for kind, each in seen.items() if branch in each.ran.get(key, set()))
                yield f"{Path(key[0]).name}:{branch[0]}", kinds

    def never_ran(self) -> dict[Key, set[Branch]]:
        """Return the branches that never ran, by function."""
        never = {key: branches - self.ran.get(key, set()) for key, branches in self.missed.items()}
        return {key: branches for key, branches in never.items() if branches}

    def as_data(self) -> list[list[Any]]:
        """Return rows for `add`."""
        return [
            [*key, [list(b) for b in self.ran.get(key, ())], [list(b) for b in missed - self.ran.get(key, set())]]
            for key, missed in self.missed.items()
        ]

    def unseen(self) -> tuple[Unseen, ...]:
        """List the branches that never ran, in the order of their lines."""
        found: list[Unseen] = []
        for key in sorted(self.missed):
            file, name, _ = key
            ran = self.ran.get(key, set())
            never = self.missed[key] - ran
            lines = sorted(branch[0] for branch in never if len(branch) == 1)
            if lines and not ran:
                found.append(Unseen(Path(file).name, lines[0], lines[-1], f"{name} was never called"))
                continue
            found += [Unseen(Path(file).name, *span, "never ran") for span in _spans(lines, _lines(ran))]
            found += [
                Unseen(Path(file).name, branch[0], branch[2], _text(file, branch, ran))
                for branch in sorted(never, key=str)
                if len(branch) > 1 and _tried(branch, ran) and not _shown_by_lines(branch, lines)
            ]
        return tuple(sorted(found, key=lambda each: (each.file, each.first, each.last)))


def _lines(branches: set[Branch]) -> set[int]:
    return {branch[0] for branch in branches if len(branch) == 1}


def _spans(lines: list[int], ran: set[int]) -> list[tuple[int, int]]:
    """Join lines between which none ran."""
    spans: list[tuple[int, int]] = []
    for line in lines:
        if spans and not any(spans[-1][1] < each < line for each in ran):
            spans[-1] = spans[-1][0], line
        else:
            spans.append((line, line))
    return spans


def _tried(branch: Branch, ran: set[Branch]) -> bool:
    """Return True if the test was decided, one way or another, or the loop's first round ran."""
    if branch[4] == AGAIN and (branch[-1],) in ran:
        return True
    return any(other[:4] == branch[:4] for other in ran if len(other) > 1)


def _shown_by_lines(branch: Branch, lines: list[int]) -> bool:
    """Return True if the lines that never ran begin where the test would have led."""
    return branch[-1] in lines


def _text(file: str, branch: Branch, ran: set[Branch]) -> str:
    line, column, end, end_column, outcome, _ = branch
    text = linecache.getline(file, line).encode()[column : end_column if end == line else None].decode().strip()
    text = text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 3]}..."
    if outcome in (HELD, FAILED):
        asked = f"`{text}`" if text else "a comparison of values"
        return f"{asked} was never {'true' if outcome == HELD else 'false'}"
    if outcome == "entered":
        return "the loop was never entered"
    if outcome == AGAIN:
        return "the loop never came to a second round"
    if outcome == DEEPER:
        return "the function called itself, but never twice deep"
    if outcome in ("None", "not None"):
        text = text.partition(" is ")[0]
    return f"`{text}` was never {outcome}"
