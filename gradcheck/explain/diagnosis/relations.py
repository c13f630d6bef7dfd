"""Whole results that are what another claim about lags promises: simpler to say than any fault of the gallery."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...evidence.target import expected
from ...reference.claims import Chunked, Equals, Exact, LagClaim, Truncated
from .comparison import Ground
from .points import Candidate, matched


@dataclass(frozen=True)
class Relation:
    """The claim that every entry of the result fulfils instead of the rule's own, and the sentence that says so."""

    fulfils: LagClaim
    text: str


def relation(ground: Ground) -> Relation | None:
    """Return the first claim, the full gradient before truncations, that the whole result fulfils; or None.

    Truncations are tried where the rule's claim is about no lags; for others, the lags that are wrong are named.
    """
    names = set(ground.points[0].result)
    for claim in _claims(ground):
        if claim != ground.claim and matched(ground.points, _candidate(claim)) == names:
            if isinstance(claim, Exact):
                said = "The result is the full gradient: it counts every lag"
                said += ", those that the claim leaves out too" if isinstance(ground.claim, LagClaim) else ""
            else:
                said = claim.sentence[0].upper() + claim.sentence[1:]
            return Relation(claim, f"{said} ({ground.place(names)})")
    return None


def _candidate(claim: LagClaim) -> Candidate:
    return lambda problem: expected(claim, problem)


def _claims(ground: Ground) -> Iterator[LagClaim]:
    yield Exact()
    if isinstance(ground.claim, Equals):
        for n in range(1, max(point.problem.T for point in ground.points)):
            yield Truncated(n)
            yield Chunked(n)
