"""The expectation of a stochastic rule that is not the gradient: a factor of it, its first lags, or that of a fault.

The points are small, since the outcomes of the noise grow exponentially with the sizes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...evidence.target import expected
from ...reference.claims import LagClaim, Truncated
from ...reference.errors import GradcheckError
from ...reference.wanted import kinds_of
from . import factors, gallery
from .comparison import Comparison
from .points import Candidate
from .where import pattern


def facts(found: Comparison) -> list[str | None]:
    """Describe an expectation that is not the gradient.

    Args:
        found: The points of the diagnosis.

    Returns:
        Sentences without the last full stop: what the expectation of each wrong parameter is, else the fault that has
        the same, else the entries that are wrong.
    """
    parts = dict(_parts(found))
    said = "In expectation " + "; ".join(parts.values()) + f" ({found.place(parts)})" if parts else None
    left = [name for name in found.wrong if name not in parts]
    if not left:
        return [said]
    named = gallery.whole(found, gallery.matches(found))
    return [named, said, None if named else _entries(found, left)]


def _parts(found: Comparison) -> Iterator[tuple[str, str]]:
    """Yield wrong parameters with what their expectation is."""
    for name in found.wrong:
        try:
            text = factors.transformation(found, name) or _first_lags(found, name)
        except GradcheckError:  # its noise has too many outcomes at a further point
            text = None
        if text:
            yield name, text


def _first_lags(found: Comparison, name: str) -> str | None:
    """Describe a parameter that is right up to a lag and counts none beyond."""
    for n in range(1, max(point.problem.T for point in found.points)):
        if found.matched(_candidate(Truncated(n, of=kinds_of([name]))), [name]):
            return f"{name} counts the lags up to {n - 1} exactly, and none beyond"
    return None


def _candidate(claim: LagClaim) -> Candidate:
    return lambda problem: expected(claim, problem)


def _entries(found: Comparison, names: Sequence[str]) -> str:
    """Name the wrong entries of parameters, and the parameters that are right."""
    shown = []
    for name in names:
        where = {shape for point in found.points if (shape := pattern(~point.right[name]))}
        shown.append(f"{name} in {where.pop() if len(where) == 1 else 'some entries'}")
    right = [name for name in found.points[0].result if name not in found.wrong]
    kept = f"; {' and '.join(right)} {'is' if len(right) == 1 else 'are'} right" if right else ""
    return f"The expectation is biased in {', '.join(shown)}{kept}"
