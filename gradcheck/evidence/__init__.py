"""Ways of knowing. Each module judges a `Case` and returns a `Finding`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..reference.claims import Claim, Settings
from ..reference.network import RecurrentNetwork, Sizes
from ..reference.problem import Problem
from ..rules import Rule
from ..verdicts import Evidence, Status, Strength


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

    floats: whether it was seen on floats, which a rule may treat differently from other scalars.
    """

    network: RecurrentNetwork
    sizes: Sizes
    settings: Settings
    detail: str
    problem: Problem | None = None
    floats: bool = False


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


def spread(items: list[Any], most: int) -> list[Any]:
    """At most `most` items: the second and the last, then the first, then evenly between; of one, the middle."""
    if len(items) <= most:
        return items
    if most == 1:
        return [items[len(items) // 2]]
    last = len(items) - 1
    picked = [i for i in (1, last, 0) if i <= last][:most]
    for i in range(1, most):
        if len(picked) < most:
            picked.append(round(i * last / most))
    return [items[i] for i in sorted(set(picked))]


def describe(settings: Settings) -> str:
    """tau=3, block=2; empty for none."""
    return ", ".join(f"{k}={v}" for k, v in settings.items())


def place(size: Sizes, settings: Settings) -> str:
    """T=3, I=2, D=1, K=1, tau=3: where something was seen."""
    return ", ".join(part for part in (str(size), describe(settings)) if part)


def scope(case: Case, sizes: Sequence[Sizes]) -> str:
    """The sizes of a finding, for its scope."""
    return "; ".join(map(str, sizes)) + (" at a spread of settings" if case.rule.declaration.settings else "")
