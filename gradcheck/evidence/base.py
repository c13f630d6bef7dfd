"""Ways of knowing. Each module judges a `Case` and returns a `Finding`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..records import Cause, Evidence, Status, Strength
from ..reference.claims import Claim, Exact, LagClaim, Settings
from ..reference.networks.base import RecurrentNetwork, Sizes
from ..reference.problem import Problem
from ..rules.adapt import Rule

LONGEST = 1000
"""The most steps that a problem is given to reach beyond a claim's horizon."""
_SPELLED_OUT = 8
"""Up to this many sizes each is named in a scope."""


@dataclass(frozen=True)
class Case:
    """One claim of one rule on one network, to be judged."""

    rule: Rule
    claim: Claim
    network: RecurrentNetwork
    seed: int = 0

    @property
    def weighted(self) -> bool:
        return self.rule.declaration.weighted


@dataclass(frozen=True)
class Witness:
    """Where a claim was seen to fail: enough to look for a small certified counterexample.

    floats: whether it was seen on floats, which a rule may treat differently from other scalars, and of which format.
    """

    network: RecurrentNetwork
    sizes: Sizes
    settings: Settings
    detail: str
    problem: Problem | None = None
    floats: bool = False
    dtype: str = "float64"


@dataclass(frozen=True)
class Finding:
    """Evidence, and a witness where it speaks against the claim.

    generic is False where the rule's code does not run on the scalar: then another way of knowing must be
    found. planted: how many planted faults the same comparison was given, and how many it rejected.
    """

    evidence: Evidence
    witness: Witness | None = None
    generic: bool = True
    planted: tuple[int, int] = (0, 0)


def not_run(kind: str, reason: str, **details: Any) -> Finding:
    """A finding that nothing was judged, and why."""
    return Finding(Evidence(kind, Status.NOT_RUN, Strength.NONE, reason, details=details), generic=False)


def lost(kind: str, reason: str, cause: Cause | None = None) -> Finding:
    """What stands for a kind of evidence that the rule did not let be gathered, by a crash or by taking too long.

    As for a rule that raises: float evidence is asked of every rule, the others only where its code permits.
    """
    if kind == "float64":
        return Finding(Evidence(kind, Status.ERROR, Strength.NONE, reason, cause=cause))
    finding = not_run(kind, reason)
    return dataclasses.replace(finding, evidence=dataclasses.replace(finding.evidence, cause=cause))


def spread(items: list[Any], most: int, turn: int = 0) -> list[Any]:
    """At most `most` items: the second and the last, then the first, the last but one, and evenly between.

    turn: how many times as many were taken before, so that a rule that is judged at several sizes is judged at
    another few of its settings at each. Of one with turn 0, the middle.
    """
    if len(items) <= most:
        return items
    last = len(items) - 1
    if most == 1 and turn == 0:
        return [items[len(items) // 2]]
    order = list(dict.fromkeys([1, last, 0, last - 1, last // 2, last // 4, 3 * last // 4, *range(last + 1)]))
    picked = {order[(turn * most + j) % len(order)] for j in range(most)}
    return [items[i] for i in sorted(picked)]


def reaching(claim: Claim, sizes: Sequence[Sizes]) -> list[Sizes]:
    """These sizes, and a longer one where the claim, given by numbers, leaves no lag out at any of them.

    Truncated(200) is Exact at T <= 200: there a rule that does not truncate at all would pass for one that does.
    """
    numbers = [n for n in dataclasses.astuple(claim) if isinstance(n, int)]
    if not isinstance(claim, LagClaim) or not numbers or any(tells(claim, size.T) for size in sizes):
        return list(sizes)
    longer = Sizes(sum(numbers) + 3, 3, 2, 2)
    return [*sizes, longer] if longer.T <= LONGEST and tells(claim, longer.T) else list(sizes)


def tells(claim: Claim, T: int) -> bool:
    """Whether the claim leaves out some lag of some loss of T steps, and so says something else than `Exact`."""
    if not isinstance(claim, LagClaim) or isinstance(claim, Exact):
        return False
    return any(not claim.keeps(t, k, T) for t in range(1, T + 1) for k in range(t))


def vacuous(claim: Claim, sizes: Sequence[Sizes]) -> str:
    """Why a claim given by numbers is not shown at these sizes: it keeps every lag there. Empty where it is."""
    if (
        not isinstance(claim, LagClaim)
        or isinstance(claim, Exact)
        or not all(isinstance(n, int) for n in dataclasses.astuple(claim))
    ):
        return ""
    if any(tells(claim, size.T) for size in sizes):
        return ""
    return f"at T <= {max(size.T for size in sizes)} {claim} leaves no lag out, and is no other claim than exact"


def describe(settings: Settings) -> str:
    """tau=3, block=2; empty for none."""
    return ", ".join(f"{k}={v}" for k, v in settings.items())


def place(size: Sizes, settings: Settings) -> str:
    """T=3, I=2, D=1, K=1, tau=3: where something was seen."""
    return ", ".join(part for part in (str(size), describe(settings)) if part)


def scope(case: Case, sizes: Sequence[Sizes]) -> str:
    """The sizes of a finding, for its scope."""
    return sizes_text(sizes) + (" at a spread of settings" if case.rule.declaration.settings else "")


def sizes_text(sizes: Sequence[Sizes]) -> str:
    """Each size, where there are a few; else how many, and how large."""
    if len(sizes) <= _SPELLED_OUT:
        return "; ".join(map(str, sizes))
    most = ", ".join(f"{letter} up to {max(getattr(size, letter) for size in sizes)}" for letter in "TIDK")
    return f"{len(sizes)} sizes, {most}"
