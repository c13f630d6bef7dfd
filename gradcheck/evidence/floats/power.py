"""What comparisons on floats could have seen: the smallest relative error and the longest lag, per parameter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...reference import lags
from ...reference.problem import Problem
from ...reference.typing import Array


@dataclass(frozen=True)
class Reach:
    """Of one parameter, for the last loss: its longest lag that rounding leaves visible, and its longest of all."""

    visible: int
    longest: int


@dataclass
class Power:
    """Gathered problem by problem. The least that would have been caught, by parameter, and what stayed unseen.

    smallest: an entry's least allowance relative to its size. reach: by lag. seen, hidden: parameters with an entry
    that exceeds its allowance, or does not; what is exactly 0 is neither. undecided: of `total` entries, how many have
    no finite allowance.
    """

    smallest: dict[str, float] = field(default_factory=dict)
    reach: dict[str, Reach] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    undecided: int = 0
    total: int = 0

    def add(self, truth: dict[str, Array], allowed: dict[str, Array]) -> None:
        """Count a problem with these true values and allowances, both float64."""
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
        """Parameters of which rounding hid every entry."""
        return self.hidden - self.seen

    def add_lags(self, problem: Problem, allowed: dict[str, Array]) -> None:
        """Count the lags of the problem's last loss."""
        for name, came in reaches(problem, allowed).items():
            self._reached(name, came)

    def include(self, other: Power) -> None:
        """Count what another has counted."""
        for name, least in other.smallest.items():
            self.smallest[name] = min(self.smallest.get(name, float("inf")), least)
        for name, came in other.reach.items():
            self._reached(name, came)
        self.seen |= other.seen
        self.hidden |= other.hidden
        self.undecided += other.undecided
        self.total += other.total

    def _reached(self, name: str, came: Reach) -> None:
        known = self.reach.get(name, Reach(-1, -1))
        self.reach[name] = Reach(max(known.visible, came.visible), max(known.longest, came.longest))

    def as_data(self) -> dict[str, Any]:
        """Plain data, from which `from_data` makes it again."""
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
        """What would be invisible in that format, in a sentence."""
        errors = ", ".join(f"{name} {value:.1g}" for name, value in self.smallest.items() if np.isfinite(value))
        by_lag: dict[int, list[str]] = {}
        for name, reach in self.reach.items():
            if reach.longest > 0:
                by_lag.setdefault(reach.visible, []).append(name)
        lengths = ", or ".join(f"beyond lag {lag} in {' and '.join(names)}" for lag, names in by_lag.items())
        truncated = f"; a truncation {lengths} would be invisible at {kind} on these problems" if lengths else ""
        return f"relative errors below {errors} (smallest caught, per parameter){truncated}"

    def details(self) -> dict[str, Any]:
        """The numbers for the report."""
        return {
            "smallest_relative_error": {n: v for n, v in self.smallest.items() if np.isfinite(v)},
            "longest_visible_lag": {name: reach.visible for name, reach in self.reach.items()},
            **({"undecided_entries": self.undecided} if self.undecided else {}),
        }


def reaches(problem: Problem, allowed: dict[str, Array], counted: Iterable[int] | None = None) -> dict[str, Reach]:
    """How far back each parameter's contributions to the last loss exceed twice an entry's allowance; -1 for none.

    counted: the lags to look at, rising; all if left out.
    """
    found = {name: Reach(-1, -1) for name in allowed}
    terms = lags.by_lag(problem)
    for k in range(problem.T) if counted is None else counted:
        for name, term in terms[problem.T, k].items():
            size, reach = np.abs(term), found[name]
            if (size > 0).any():
                found[name] = Reach(k if (size > 2 * allowed[name]).any() else reach.visible, k)
    return found
