"""Power of comparisons on floats: the smallest relative error and the longest lag seen, per array."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...reference import lags
from ...reference.problem import Problem
from ...reference.typing import Array
from ...reference.wanted import kinds_of


@dataclass(frozen=True)
class Reach:
    """Lags of one parameter for the last loss; -1 for none.

    Attributes:
        visible: The longest lag that exceeds rounding.
        longest: The longest lag that is not 0.
    """

    visible: int
    longest: int


@dataclass
class Power:
    """Power of the comparisons so far, gathered problem by problem.

    Attributes:
        smallest: The least allowance of an entry relative to its size, by parameter.
        reach: The visible lags, by parameter.
        seen: Parameters with an entry that exceeds its allowance.
        hidden: Parameters with an entry that does not. An entry that is exactly 0 counts as neither.
        undecided: The number of entries without a finite allowance.
        total: The number of all entries.
    """

    smallest: dict[str, float] = field(default_factory=dict)
    reach: dict[str, Reach] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    undecided: int = 0
    total: int = 0

    def add(self, truth: dict[str, Array], allowed: dict[str, Array]) -> None:
        """Add a problem with these true values and allowances, both float64."""
        for name, allow in allowed.items():
            size = np.abs(truth[name])
            with np.errstate(all="ignore"):
                least = float(np.min(np.where(size > 0, allow / size, np.inf), initial=np.inf))
            self.smallest[name] = min(self.smallest.get(name, float("inf")), least)
            if (allow < size).any():
                self.seen.add(name)
            if (((size > 0) | np.isinf(allow)) & (allow >= size)).any():
                self.hidden.add(name)
            self.undecided += int((~np.isfinite(allow)).sum())
            self.total += allow.size

    @property
    def unseen(self) -> set[str]:
        """Parameters with every entry hidden by rounding."""
        return self.hidden - self.seen

    def add_lags(self, problem: Problem, allowed: dict[str, Array]) -> None:
        """Add the lags of the problem's last loss."""
        for name, reach in reaches(problem, allowed).items():
            self._add_reach(name, reach)

    def include(self, other: Power) -> None:
        """Add the comparisons of another."""
        for name, least in other.smallest.items():
            self.smallest[name] = min(self.smallest.get(name, float("inf")), least)
        for name, reach in other.reach.items():
            self._add_reach(name, reach)
        self.seen |= other.seen
        self.hidden |= other.hidden
        self.undecided += other.undecided
        self.total += other.total

    def _add_reach(self, name: str, reach: Reach) -> None:
        known = self.reach.get(name, Reach(-1, -1))
        self.reach[name] = Reach(max(known.visible, reach.visible), max(known.longest, reach.longest))

    def as_data(self) -> dict[str, Any]:
        """Return plain data for `from_data`."""
        return {
            "smallest": dict(self.smallest),
            "reach": {name: [reach.visible, reach.longest] for name, reach in self.reach.items()},
            "seen": sorted(self.seen),
            "hidden": sorted(self.hidden),
            "undecided": self.undecided,
            "total": self.total,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Power:
        reach = {name: Reach(*pair) for name, pair in data["reach"].items()}
        seen, hidden = set(data["seen"]), set(data["hidden"])
        return cls(dict(data["smallest"]), reach, seen, hidden, data["undecided"], data["total"])

    def blind(self, kind: str) -> str:
        """Return a sentence on the errors that are invisible in a format."""
        errors = ", ".join(f"{name} {value:.1g}" for name, value in self.smallest.items() if np.isfinite(value))
        by_lag: dict[int, list[str]] = {}
        for name, reach in self.reach.items():
            if reach.longest > 0 and reach.visible >= 0:
                by_lag.setdefault(reach.visible, []).append(name)
        lengths = ", or ".join(f"beyond lag {lag} in {' and '.join(names)}" for lag, names in by_lag.items())
        truncated = f"; a truncation {lengths} would be invisible at {kind} on these problems" if lengths else ""
        unseen = " and ".join(name for name, reach in self.reach.items() if reach.visible < 0 < reach.longest)
        lost = f"; rounding at {kind} hides what the last loss owes to {unseen}" if unseen else ""
        return f"relative errors below {errors} (smallest caught, per array){truncated}{lost}"

    def details(self) -> dict[str, Any]:
        """Return the numbers for the report."""
        return {
            "smallest_relative_error": {n: v for n, v in self.smallest.items() if np.isfinite(v)},
            "longest_visible_lag": {name: reach.visible for name, reach in self.reach.items()},
            **({"undecided_entries": self.undecided} if self.undecided else {}),
        }


def reaches(problem: Problem, allowed: dict[str, Array], counted: Iterable[int] | None = None) -> dict[str, Reach]:
    """Find the longest lags at which contributions to the last loss exceed twice an entry's allowance.

    Args:
        problem: The problem.
        allowed: Absolute allowances by parameter.
        counted: The lags to examine, rising; all if None.

    Returns:
        The visible and the longest lag of each parameter.
    """
    found = {name: Reach(-1, -1) for name in allowed}
    terms = lags.of_last_loss(problem, kinds_of(allowed))
    for k in range(problem.T) if counted is None else counted:
        for name, term in terms[problem.T, k].items():
            size, reach = np.abs(term), found[name]
            if (size > 0).any():
                found[name] = Reach(k if (size > 2 * allowed[name]).any() else reach.visible, k)
    return found
