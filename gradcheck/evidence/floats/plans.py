"""All evidence on floats, in order: lag by lag, float64, float32, from one to the other, properties."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...reference.networks.base import Sizes
from ..base import Case
from ..pieces import Plan, whole
from . import blackbox, float_ladder, lagwise, properties

KINDS = (lagwise.KIND, "float64", "float32", float_ladder.KIND, properties.KIND)
"""Kinds of evidence that run the rule on floats, and charge rounding."""


@dataclass(frozen=True)
class FloatSizes:
    """How far each kind goes; a kind without sizes is left out.

    settings: at how many of the rule's float64 judges. drawn: on how many more groups of problems than those of its
    sizes the properties are asked. telling: whether float32 has the telling problems again.
    """

    lagwise: Sizes | None = lagwise.SIZE
    float64: tuple[Sizes, ...] = blackbox.SIZES
    float32: tuple[Sizes, ...] = blackbox.FLOAT32_SIZES
    ladder: tuple[Sizes, ...] = float_ladder.SIZES
    drawn: int = properties.DRAWN
    properties: tuple[Sizes, ...] = properties.SIZES
    settings: int = 2
    telling: bool = True


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
    telling=False,
)
"""For networks after a rule's first."""


def plans(case: Case, sizes: FloatSizes) -> list[Plan]:
    """Each kind that has sizes."""
    lag, ladder = sizes.lagwise, sizes.ladder
    made: list[Plan] = []
    if lag is not None:
        made.append(lagwise.plan(case, size=lag))
    if sizes.float64:
        made.append(blackbox.plan(case, sizes=sizes.float64, most_settings=sizes.settings))
    if sizes.float32:
        telling = sizes.telling
        made.append(blackbox.plan(case, dtype=np.float32, sizes=sizes.float32, most_settings=1, telling=telling))
    if ladder:
        made.append(whole(float_ladder.KIND, lambda told: float_ladder.judge(case, sizes=ladder, progress=told)))
    if sizes.properties:
        made.append(properties.plan(case, sizes=sizes.properties, drawn=sizes.drawn))
    return made
