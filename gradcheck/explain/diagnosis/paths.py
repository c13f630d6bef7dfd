"""A result that is that of a backward pass through the network's own operations, one of which is wrong.

This needs no fault of the gallery, so it explains results on networks that a user wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...problems.lively import lively_problem
from ...reference.errors import GradcheckError
from ...reference.networks.base import Sizes
from ...reference.problem import Problem
from ...reference.typing import Gradient
from .comparison import Comparison
from .points import Candidate, Point
from .prototype import prototype
from .recorded import Recorded, recorded
from .variants import Variant, variants

_PROTOTYPE = Sizes(3, 5, 3, 2)
_SCREENED = Sizes(3, 3, 2, 2)
"""The sizes of the problem on which all variants are tried first."""


@dataclass(frozen=True)
class Path:
    """A wrong backward pass that gives the result in these parameters."""

    names: frozenset[str]
    text: str


def paths(comparison: Comparison, names: Sequence[str]) -> list[Path]:
    """Return wrong backward passes that each give the result in wrong parameters, some of these among them.

    Args:
        comparison: The points of the diagnosis.
        names: The parameters that have no explanation yet.
    """
    wrong, left, found = frozenset(comparison.wrong), set(names), list[Path]()
    try:
        made = prototype(lively_problem(comparison.points[0].problem.network, _PROTOTYPE, 0))
        screen = comparison.make(_SCREENED, 40)
        record = recorded(screen.plain)
    except GradcheckError:
        return found
    for variant in variants(made):
        if not left:
            break
        if left & variant.reach and variant.reach <= wrong and _shown_by(screen, record, variant):
            if variant.reach <= comparison.matched(_candidate(variant), variant.reach):
                found.append(Path(variant.reach, variant.text))
                left -= variant.reach
    return found


def _shown_by(screen: Point, record: Recorded, variant: Variant) -> bool:
    with np.errstate(all="ignore"):
        return variant.reach <= screen.near(record.gradient(variant.change), variant.reach)


def _candidate(variant: Variant) -> Candidate:
    def candidate(problem: Problem) -> Gradient:
        return recorded(problem).gradient(variant.change)

    return candidate


def sentence(comparison: Comparison, found: Sequence[Path]) -> str | None:
    """Describe the paths, or return None if there are none."""
    if not found:
        return None
    parts = []
    for path in found:
        ordered = [name for name in comparison.wrong if name in path.names]
        whole = path.names == set(comparison.wrong)
        some = f"{' and '.join(ordered)} {'is that' if len(ordered) == 1 else 'are those'}"
        parts.append(f"{'The result is that' if whole else some} of a backward pass {path.text}")
    explained = frozenset().union(*(path.names for path in found))
    return f"{'; '.join(parts)} ({comparison.place(explained)})"
