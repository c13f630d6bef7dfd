"""The kinds of evidence on floats, in order: lag by lag, float64, float32, float ladder, properties."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from ...reference.networks.base import Sizes
from .. import given
from ..base import Kind
from . import blackbox, branches, float_ladder, lagwise, properties

KINDS = (lagwise.KIND, "float64", "float32", float_ladder.KIND, properties.KIND, branches.KIND, given.KIND)
"""Kinds of evidence that run the rule on floats and allow for rounding."""


@dataclass(frozen=True)
class FloatSizes:
    """Extent of each kind. A kind without sizes is left out.

    Attributes:
        lagwise, float64, float32, ladder, properties: Sizes of each kind.
        drawn: Groups of problems that the properties draw beyond those of their sizes.
        settings: The most settings of the rule at float64.
        branching: The formats that run the branching problems too.
    """

    lagwise: Sizes | None = lagwise.SIZE
    float64: tuple[Sizes, ...] = blackbox.SIZES
    float32: tuple[Sizes, ...] = blackbox.FLOAT32_SIZES
    ladder: tuple[Sizes, ...] = float_ladder.SIZES
    drawn: int = properties.DRAWN
    properties: tuple[Sizes, ...] = properties.SIZES
    settings: int = 2
    branching: tuple[str, ...] = ("float64", "float32")


FULL = FloatSizes()
QUICK = FloatSizes(
    lagwise=Sizes(24, 5, 24, 2),
    float32=blackbox.FURTHER_SIZES,
    ladder=float_ladder.SIZES[:1],
    properties=properties.SIZES[1:2],
    drawn=properties.DRAWN // 2,
)
FURTHER = FloatSizes(
    lagwise=None,
    float64=blackbox.FURTHER_SIZES,
    float32=blackbox.FURTHER_SIZES[1:],
    ladder=(),
    properties=(),
    settings=1,
    branching=("float64",),
)
"""For networks after a rule's first."""
REPEATED = dataclasses.replace(FURTHER, branching=())
"""For networks whose activation and head were each judged on networks before."""


def kinds(sizes: FloatSizes) -> list[Kind]:
    """Return each kind that has sizes, in order."""
    found: list[Kind] = []
    if sizes.lagwise is not None:
        found.append(lagwise.Lagwise(sizes.lagwise))
    if sizes.float64:
        branching = "float64" in sizes.branching
        found.append(blackbox.BlackBox(sizes=sizes.float64, most_settings=sizes.settings, branching=branching))
    if sizes.float32:
        branching = "float32" in sizes.branching
        found.append(blackbox.BlackBox(dtype=np.float32, sizes=sizes.float32, most_settings=1, branching=branching))
    if sizes.ladder:
        found.append(float_ladder.FloatLadder(sizes.ladder))
    if sizes.properties:
        found.append(properties.Properties(sizes=sizes.properties, drawn=sizes.drawn))
    return found
