"""Choice and naming of the sizes of a kind's problems."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from ..reference.claims import Claim, Exact, LagClaim, Settings
from ..reference.networks.base import Capabilities, RecurrentNetwork, Sizes, ask
from ..reference.networks.sizes import fitting
from ..rules.adapt import Rule

LONGEST = 1000
"""The most steps of a problem that is made longer to reach beyond a claim's horizon."""
LARGEST = Sizes(10**6, 10**4, 5, 4)
"""The largest size of any problem."""
_SPELLED_OUT = 8
"""A scope names up to this many sizes one by one."""


def spread(items: list[Any], most: int, turn: int = 0) -> list[Any]:
    """Return at most `most` items: the second and the last, then the first, the last but one, and some between.

    Args:
        items: The items to choose from.
        most: The greatest number of items to return.
        turn: The number of earlier choices, so that each size of a rule gets other settings. In turn 0 a single item
            is the middle one.
    """
    if len(items) <= most:
        return items
    last = len(items) - 1
    if most == 1 and turn == 0:
        return [items[len(items) // 2]]
    order = list(dict.fromkeys([1, last, 0, last - 1, last // 2, last // 4, 3 * last // 4, *range(last + 1)]))
    picked = {order[(turn * most + j) % len(order)] for j in range(most)}
    return [items[i] for i in sorted(picked)]


def grown(largest: Sizes, number: int) -> Sizes:
    """Return a size beyond the largest. With `number`, from 0 on, T and I grow in turn, and D and K vary."""
    T, I = largest.T, largest.I
    for n in range(number + 1):
        if n % 2 == 0:
            T = min(math.ceil(1.3 * T), LARGEST.T)
        else:
            I = min(math.ceil(1.2 * I), LARGEST.I)
        if (T, I) == (LARGEST.T, LARGEST.I):
            break
    return Sizes(T, I, 1 + number % LARGEST.D, 1 + (number // 2) % LARGEST.K)


def possible(network: RecurrentNetwork, sizes: Iterable[Sizes]) -> list[Sizes]:
    """Return the sizes that the network can have which are nearest to those asked for, each once.

    Args:
        network: The rule's network.
        sizes: The sizes that are asked for; of a batch, those of each sequence.
    """
    return list(dict.fromkeys(fitting(network, of_all(network, size)) for size in sizes))


def of_all(network: RecurrentNetwork, size: Sizes) -> Sizes:
    """Return the sizes of a batch whose sequences have these sizes: D and K count those of all sequences."""
    N = ask(network, Capabilities.sequences)
    return Sizes(size.T, size.I, size.D * N, size.K * N)


def reaching(claim: Claim, sizes: Sequence[Sizes]) -> list[Sizes]:
    """Return the sizes, and a longer one if a claim given by numbers leaves no lag out at any of them.

    At T <= 200, Truncated(200) is Exact, and a rule that does not truncate would satisfy it.
    """
    numbers = [n for n in (getattr(claim, name) for name in claim.arguments()) if isinstance(n, int)]
    if not isinstance(claim, LagClaim) or not numbers or any(leaves_out(claim, size.T) for size in sizes):
        return list(sizes)
    longer = Sizes(sum(numbers) + 3, 3, 2, 2)
    return [*sizes, longer] if longer.T <= LONGEST and leaves_out(claim, longer.T) else list(sizes)


def leaves_out(claim: Claim, T: int) -> bool:
    """Return True if the claim leaves out a lag at T steps, so that it differs from `Exact`."""
    if not isinstance(claim, LagClaim) or isinstance(claim, Exact):
        return False
    return any(not claim.keeps(t, k, T) for t in range(1, T + 1) for k in range(t))


def vacuous(claim: Claim, sizes: Sequence[Sizes]) -> str:
    """Return the reason why a claim given by numbers equals `Exact` at these sizes, or an empty string."""
    if (
        not isinstance(claim, LagClaim)
        or isinstance(claim, Exact)
        or not all(isinstance(getattr(claim, name), int) for name in claim.arguments())
    ):
        return ""
    if any(leaves_out(claim, size.T) for size in sizes):
        return ""
    return f"at T <= {max(size.T for size in sizes)} {claim} leaves no lag out, so it is the claim exact"


def describe(settings: Settings) -> str:
    """Return settings as text, such as "tau=3, block=2"."""
    return ", ".join(f"{k}={v}" for k, v in settings.items())


def spans(ks: Sequence[int]) -> str:
    """Return lags as text, such as "lag 3", "lags 3 to 8" or "lags 1, 4 to 6"."""
    runs: list[list[int]] = []
    for k in ks:
        if runs and k == runs[-1][-1] + 1:
            runs[-1].append(k)
        else:
            runs.append([k])
    text = ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
    return f"lag{'s' if len(ks) > 1 else ''} {text}"


def place(size: Sizes, settings: Settings) -> str:
    """Return a size with settings as text, such as "T=3, I=2, D=1, K=1, tau=3"."""
    return ", ".join(part for part in (str(size), describe(settings)) if part)


def scope(rule: Rule, sizes: Sequence[Sizes]) -> str:
    """Return the scope of a finding at these sizes."""
    return sizes_text(sizes) + (" at a spread of settings" if rule.declaration.settings else "")


def sizes_text(sizes: Sequence[Sizes]) -> str:
    """Return the sizes as text: each one, or their number and extent if there are many."""
    if len(sizes) <= _SPELLED_OUT:
        return "; ".join(map(str, sizes))
    most = ", ".join(f"{letter} up to {max(getattr(size, letter) for size in sizes)}" for letter in "TIDK")
    return f"{len(sizes)} sizes, {most}"
