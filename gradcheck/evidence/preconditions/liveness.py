"""Liveness: on a dead problem every rule agrees with every other.

Before a rule is judged, the problems it will be judged on must show that each parameter entry and each lag
contributes, and by how much.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...problems.lively import lively_problem, living_sizes
from ...reference import lags
from ...reference.enclosure import RELATIVE_BITS
from ...reference.networks.base import RecurrentNetwork, Sizes


@dataclass(frozen=True)
class Liveness:
    """How visible a problem's entries and lags are.

    dead: parameter entries whose gradient is 0. faintest: the least of all lags' largest relative
    contributions, for the last loss, as a power of two, with its lag. alive: whether balls see all of it.
    """

    dead: tuple[str, ...]
    faintest_bits: float
    faintest_lag: int
    alive: bool
    statement: str


@lru_cache(maxsize=256)
def liveness(network: RecurrentNetwork, size: Sizes, seed: int, weighted: bool) -> Liveness:
    """How visible every entry and lag is on the lively problem of that size and seed."""
    size = living_sizes(network, size)
    problem = lively_problem(network, size, seed, weighted=weighted)
    whole = lags.gradient(problem)
    dead = tuple(f"{n}{list(map(int, i)) or ''}" for n, a in whole.items() for i in np.argwhere(a == 0))
    faintest, at = float("inf"), 0
    for (_, k), term in lags.of_last_loss(problem).items():
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
    return Liveness(dead, faintest, at, alive, text)
