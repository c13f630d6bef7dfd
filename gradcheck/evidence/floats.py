"""All evidence on floats, in order: lag by lag, float64, float32, from one to the other, properties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..reference.network import Sizes
from . import Case, Finding, blackbox, float_ladder, lagwise, properties

KINDS = (lagwise.KIND, "float64", "float32", float_ladder.KIND, properties.KIND)
"""Kinds of evidence that run the rule on floats, and charge rounding."""

Told = Callable[[str], None]


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


def plan(case: Case, sizes: FloatSizes) -> list[tuple[str, Callable[[Told], Finding]]]:
    """(kind, judge) for each kind that has sizes; a judge is called with what is told its progress."""
    lag = sizes.lagwise
    kinds: list[tuple[str, bool, Callable[[Told], Finding]]] = [
        (lagwise.KIND, lag is not None, lambda told: lagwise.judge(case, size=lag or lagwise.SIZE, progress=told)),
        (
            "float64",
            bool(sizes.float64),
            lambda told: blackbox.judge(case, sizes=sizes.float64, most_settings=sizes.settings, progress=told),
        ),
        (
            "float32",
            bool(sizes.float32),
            lambda told: blackbox.judge(
                case, dtype=np.float32, sizes=sizes.float32, most_settings=1, telling=sizes.telling, progress=told
            ),
        ),
        (
            float_ladder.KIND,
            bool(sizes.ladder),
            lambda told: float_ladder.judge(case, sizes=sizes.ladder, progress=told),
        ),
        (
            properties.KIND,
            bool(sizes.properties),
            lambda told: properties.judge(case, sizes=sizes.properties, drawn=sizes.drawn, progress=told),
        ),
    ]
    return [(kind, judge) for kind, wanted, judge in kinds if wanted]
