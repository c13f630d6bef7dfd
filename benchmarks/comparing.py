"""Two runs of the benchmarks, row by row: which ratios got worse by more than their noise.

The noise of a ratio is its interquartile range over the turns, of several rounds from the lowest to the highest. A row
is worse, or better, where the ranges of the two runs are apart; one that was measured once has no noise to tell by, so
it is shown and never judged. On a shared machine one round tells of little but its own moment: `--rounds 3`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from .results import Result, Results


class Change(enum.Enum):
    """What became of a row."""

    WORSE = "WORSE"
    BETTER = "better"
    SAME = "within the noise"
    ONCE = "measured once: no noise to tell by"
    NEW = "not in the old file"
    GONE = "only in the old file"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Compared:
    """A row before and after; None where it was not measured."""

    name: str
    old: float | None
    new: float | None
    change: Change

    @property
    def relative(self) -> str:
        """The change of the ratio in percent of the old one."""
        if self.old is None or self.new is None:
            return ""
        return f"{100 * (self.new / self.old - 1):+.0f} %" if self.old else "from 0"


def compare(old: Results, new: Results) -> list[Compared]:
    """Every row of either run, those of the new one first."""
    return list(_compared({row.name: row for row in old.rows}, {row.name: row for row in new.rows}))


def elsewhere(old: Results, new: Results) -> str:
    """In what the two runs' surroundings differ; empty where they do not. Ratios travel better than seconds."""
    before, after = old.surroundings, new.surroundings
    differing = []
    if before.machine != after.machine:
        differing.append(f"{before.machine} then, {after.machine} now")
    if before.threads != after.threads:
        differing.append(f"threads: {before.threads} then, {after.threads} now")
    for name in sorted({*before.versions, *after.versions}):
        then, now = before.versions.get(name, "none"), after.versions.get(name, "none")
        if then != now:
            differing.append(f"{name} {then} then, {now} now")
    return "; ".join(differing)


def _compared(old: dict[str, Result], new: dict[str, Result]) -> Iterator[Compared]:
    for name, row in new.items():
        before = old.get(name)
        yield Compared(name, before.ratio if before else None, row.ratio, _change(before, row))
    for name, row in old.items():
        if name not in new:
            yield Compared(name, row.ratio, None, Change.GONE)


def _change(old: Result | None, new: Result) -> Change:
    if old is None:
        return Change.NEW
    if old.ratio is None or new.ratio is None:
        return Change.SKIPPED
    if old.quartiles is None or new.quartiles is None:
        return Change.ONCE
    higher, lower = new.quartiles[0] > old.quartiles[1], new.quartiles[1] < old.quartiles[0]
    if not (higher or lower):
        return Change.SAME
    return Change.WORSE if higher != new.goal.at_least else Change.BETTER
