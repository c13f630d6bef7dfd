"""Problems by name: sizes, and a change of the lively problem of these sizes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...problems.lively import branching_problems, full_bits, lively_problem
from ...problems.structured import structured
from ...problems.ties import Tie, tied
from ...problems.trained import trained_problems
from ...reference.networks.base import RecurrentNetwork, Sizes
from ...reference.networks.state import cached
from ...reference.problem import Problem
from ..base import Case

FULL_BITS = "numbers of all 53 bits, at a size of its own"
"""Name of the change that gives every number all its bits."""
DRAW = "draw "
"""Prefix of the names of changes that draw all numbers anew; the number of the draw follows."""

_MOST_SHOWN = 3


@cached(8)
def _structured(
    network: RecurrentNetwork, sizes: Sizes, seed: int, weighted: bool, values: tuple[float, ...]
) -> dict[str, Problem]:
    return dict(structured(lively_problem(network, sizes, seed, weighted=weighted), values))


@cached(512)
def _drawn(network: RecurrentNetwork, sizes: Sizes, seed: int, weighted: bool) -> Problem:
    return lively_problem(network, sizes, seed, weighted=weighted)


@dataclass(frozen=True)
class Reach:
    """A problem by its sizes and its change, as plain data.

    Attributes:
        sizes: Its sizes.
        change: How it differs from the lively problem of these sizes; empty where it does not.
        values: The numbers of the rule's code that changes were made with.
        ties: Entries that are made equal to others.
    """

    sizes: Sizes
    change: str = ""
    values: tuple[float, ...] = ()
    ties: tuple[Tie, ...] = ()

    def problem(self, case: Case) -> Problem:
        """Return the problem."""
        if self.change.startswith(DRAW):
            seed = case.seed + 5000 + int(self.change.removeprefix(DRAW))
            return _drawn(case.network, self.sizes, seed, case.weighted)
        base = lively_problem(case.network, self.sizes, case.seed, weighted=case.weighted)
        if self.ties:
            return tied(base, self.ties)
        if self.change == FULL_BITS:
            return full_bits(base, case.seed)
        if not self.change:
            return base
        for named in (branching_problems, trained_problems):
            if (problem := named(case.network, case.seed, weighted=case.weighted).get(self.change)) is not None:
                return problem
        return _structured(case.network, self.sizes, case.seed, case.weighted, self.values)[self.change]

    def as_data(self) -> list[Any]:
        """Return plain data for `from_data`."""
        sizes, ties = list(dataclasses.astuple(self.sizes)), [list(tie) for tie in self.ties]
        return [sizes, self.change, list(self.values), ties]

    @classmethod
    def from_data(cls, data: Sequence[Any]) -> Reach:
        sizes, change, values, ties = data
        return cls(Sizes(*sizes), change, tuple(values), tuple(Tie(*tie) for tie in ties))

    def __str__(self) -> str:
        equal = [f"{tie.entry} = {tie.other or tie.number}" for tie in self.ties[:_MOST_SHOWN]]
        more = [f"and {len(self.ties) - _MOST_SHOWN} more"] if len(self.ties) > _MOST_SHOWN else []
        return ", ".join([str(self.sizes), *([self.change] if self.change else []), *equal, *more])
