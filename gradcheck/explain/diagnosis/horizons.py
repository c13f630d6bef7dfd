"""A wrong result as what another claim about lags promises: the gradient restricted to lags below n, or cut every n.

`decomposition` finds such a sum by itself where it shows within six steps. A horizon of 20 shows from step 21 on, where
a counterexample of the fewest steps has it; so all horizons below the counterexample's length are tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...evidence.target import expected
from ...reference.claims import Chunked, LagClaim, Truncated
from ...reference.errors import GradcheckError
from ...reference.networks.base import Sizes
from .comparison import Ground
from .points import Candidate, matched

_LONGEST = 48
_SHORTEST = 6
"""Of the horizons of a truncation: `decomposition` has the others."""


def other_claims(ground: Ground, names: Iterable[str]) -> dict[str, str]:
    """Parameter to the claim that it fulfils instead of the rule's, in words, for those that fulfil one.

    Checked at all points and at two lengths more. The second is more than twice the horizon: what is cut once is not
    taken for what is cut again and again.
    """
    left, found, T = set(names), dict[str, str](), ground.seen.T
    if T > _LONGEST or not left:
        return found
    try:
        short = ground.make(Sizes(T, 3, 2, 2), 30)
        for n, claim in _claims(T):
            here = matched([short], _candidate(claim), names=left) if claim != ground.claim else set()
            if here:
                long = ground.make(Sizes(2 * n + 2, 3, 2, 2), 31)
                here = matched([long, *ground.points], _candidate(claim), names=here)
                words = claim.sentence.removeprefix("the result ")
                found |= {name: f"{name} {words}, at T = {T} and {long.problem.T} too" for name in here}
                left -= here
            if not left:
                break
    except GradcheckError:  # the rule does not run at one of these lengths
        pass
    return found


def _candidate(claim: LagClaim) -> Candidate:
    return lambda problem: expected(claim, problem)


def _claims(T: int) -> Iterator[tuple[int, LagClaim]]:
    for n in range(T - 1, 1, -1):
        yield n, Chunked(n)
        if n >= _SHORTEST:
            yield n, Truncated(n)
