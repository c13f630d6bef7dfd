"""Liveness: each parameter entry and each lag contributes to the gradient on the problems of an audit.

On a dead problem all rules agree, so a comparison shows nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...problems.lively import lively_problem
from ...records import Evidence, Status, Strength
from ...reference import lags
from ...reference.enclosure import RELATIVE_BITS
from ...reference.networks.base import RecurrentNetwork, Sizes
from ...reference.networks.sizes import fitting
from ...reference.networks.state import cached
from ...reference.wanted import DEFAULT, INITIAL_STATE, PARAMETERS, Of
from ..base import Case, Finding, Kind, Plan, whole

KIND = "liveness"


@dataclass(frozen=True)
class Visibility:
    """Visibility of a problem's entries and lags.

    Attributes:
        dead: Entries with gradient 0.
        faintest_bits: The base-2 logarithm of the largest relative contribution of the faintest lag to the last loss.
        faintest_lag: That lag.
        alive: True if every entry contributes, and every lag enough for balls to see it.
        statement: A sentence for the report.
    """

    dead: tuple[str, ...]
    faintest_bits: float
    faintest_lag: int
    alive: bool
    statement: str


@dataclass(frozen=True)
class Liveness(Kind):
    """The lively problem of one size: HOLDS if every entry and lag contributes, else INCONCLUSIVE.

    Attributes:
        size: The problem's size.
    """

    kind: ClassVar[str] = KIND
    strength: ClassVar[Strength] = Strength.NONE

    size: Sizes

    def plan(self, case: Case) -> Plan:
        def look(_: object) -> Finding:
            found = visibility(case.network, self.size, case.seed, case.weighted, case.rule.of)
            status = Status.HOLDS if found.alive else Status.INCONCLUSIVE
            return Finding(Evidence(KIND, status, Strength.NONE, found.statement))

        return whole(KIND, look)


@cached(256)
def visibility(network: RecurrentNetwork, size: Sizes, seed: int, weighted: bool, of: Of = DEFAULT) -> Visibility:
    """Measure the visibility of every entry and lag on the lively problem of a size and seed.

    Args:
        network: The network.
        size: The size.
        seed: The seed.
        weighted: Whether the problem has loss weights.
        of: The kinds of arrays that a gradient is wanted of. Lags are looked at in parameters, if these are among them.
    """
    size = fitting(network, size, alive=True)
    problem = lively_problem(network, size, seed, weighted=weighted)
    whole = lags.gradient(problem, None, of)
    dead = tuple(f"{n}{list(map(int, i)) or ''}" for n, a in whole.items() for i in np.argwhere(a == 0))
    faintest, at = float("inf"), 0
    for (_, k), term in lags.of_last_loss(problem, DEFAULT if PARAMETERS in of else of).items():
        if of == (INITIAL_STATE,) and k < size.T - 1:
            continue  # the last loss uses it at one lag alone
        share = max(float((np.abs(term[n]) / np.where(whole[n] == 0, 1, np.abs(whole[n]))).max()) for n in term)
        bits = float(np.log2(share)) if share > 0 else float("-inf")
        if bits < faintest:
            faintest, at = bits, k
    alive = not dead and faintest > -RELATIVE_BITS
    if dead:
        text = f"{len(dead)} entries do not contribute at {size}, first {dead[0]}"
    elif not alive:
        text = f"lag {at} contributes less than balls can see at {size}"
    else:
        text = f"every entry and every lag contributes at {size}; the faintest, lag {at}, 2^{faintest:.0f} of its entry"
    return Visibility(dead, faintest, at, alive, text)
