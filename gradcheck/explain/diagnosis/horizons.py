"""Other claims about lags that a wrong parameter fulfils: the gradient restricted to lags below n, or cut every n.

`decomposition` finds those that show within six steps. A horizon of 20 shows from step 21 on, and the smallest
counterexample has that length; so this module tries every horizon below the counterexample's length.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from ...evidence.target import expected
from ...reference.claims import Chunked, LagClaim, Truncated
from ...reference.errors import GradcheckError
from ...reference.networks.base import Sizes
from ...reference.wanted import DEFAULT, Of, kinds_of
from .comparison import Comparison
from .points import Candidate, matched

_LONGEST = 48
_SHORTEST = 6
"""Shortest horizon of a truncation that is tried here; `decomposition` covers shorter ones."""


def other_claims(comparison: Comparison, names: Iterable[str], shortest: int = _SHORTEST) -> dict[str, str]:
    """Find the claims that parameters fulfil instead of the rule's.

    Each is checked at all points and at two further lengths. The second exceeds twice the horizon, which separates a
    single cut from repeated ones.

    Args:
        comparison: The points of the diagnosis.
        names: The parameters to explain.
        shortest: The shortest horizon of a truncation to try.

    Returns:
        A map from parameter to a sentence, for those that fulfil another claim.
    """
    left, found, T = set(names), dict[str, str](), max(comparison.seen.T, _SHORTEST)
    if T > _LONGEST or not left:
        return found
    try:
        short = comparison.make(Sizes(T, 3, 2, 2), 30)
        for n, claim in _claims(T, shortest, kinds_of(left)):
            here = matched([short], _candidate(claim), names=left) if claim != comparison.claim else set()
            if here:
                long = comparison.make(Sizes(2 * n + 2, 3, 2, 2), 31)
                here = matched([long, *comparison.points], _candidate(claim), names=here)
                words = dataclasses.replace(claim, of=DEFAULT).sentence.removeprefix("the result ")
                found |= {name: f"{name} {words}, at T = {T} and {long.problem.T} too" for name in here}
                left -= here
            if not left:
                break
    except GradcheckError:  # the rule does not run at one of these lengths
        pass
    return found


def _candidate(claim: LagClaim) -> Candidate:
    return lambda problem: expected(claim, problem)


def _claims(T: int, shortest: int, of: Of) -> Iterator[tuple[int, LagClaim]]:
    for n in range(T - 1, 1, -1):
        yield n, Chunked(n, of=of)
        if n >= shortest:
            yield n, Truncated(n, of=of)
