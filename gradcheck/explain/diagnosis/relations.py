"""Other claims about lags that the whole result fulfils: a simpler explanation than any fault of the gallery."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...evidence.target import expected
from ...reference.claims import Chunked, Equals, Exact, LagClaim, Truncated
from ...reference.wanted import kinds_of
from .comparison import Comparison
from .points import Candidate, matched


@dataclass(frozen=True)
class Relation:
    """The claim that every entry of the result fulfils instead of the rule's own, and a sentence about it."""

    fulfils: LagClaim
    text: str


def relation(comparison: Comparison) -> Relation | None:
    """Find the first claim that the whole result fulfils: the full gradient, then truncations.

    Truncations are tried only for an `Equals` claim; for claims about lags, `decomposition` names the wrong lags.

    Args:
        comparison: The points of the diagnosis.

    Returns:
        The claim and a sentence, or None if the result fulfils no other claim.
    """
    names = set(comparison.points[0].result)
    for claim in _claims(comparison):
        if claim != comparison.claim and matched(comparison.points, _candidate(claim)) == names:
            if isinstance(claim, Exact):
                text = "The result is the full gradient: it counts every lag"
                text += ", those that the claim leaves out too" if isinstance(comparison.claim, LagClaim) else ""
            else:
                text = claim.sentence[0].upper() + claim.sentence[1:]
            return Relation(claim, f"{text} ({comparison.place(names)})")
    return None


def _candidate(claim: LagClaim) -> Candidate:
    return lambda problem: expected(claim, problem)


def _claims(comparison: Comparison) -> Iterator[LagClaim]:
    of = kinds_of(comparison.points[0].result)
    yield Exact(of=of)
    if isinstance(comparison.claim, Equals):
        for n in range(1, max(point.problem.T for point in comparison.points)):
            yield Truncated(n, of=of)
            yield Chunked(n, of=of)
