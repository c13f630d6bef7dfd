"""Effort: the sizes of an audit."""

from __future__ import annotations

from dataclasses import dataclass

from ..evidence.exact import enclosure, formal, ladder, modular
from ..evidence.floats import plans as floats
from ..reference.networks.base import Sizes


@dataclass(frozen=True)
class Effort:
    """Sizes of each kind of evidence in an audit."""

    formal_T: int = formal.LARGEST_T
    formal_shapes: tuple[tuple[int, int, int], ...] = formal.SHAPES
    induction_shapes: tuple[tuple[int, int, int], ...] = formal.SHAPES
    modular_sizes: tuple[Sizes, ...] = modular.SIZES
    enclosure_sizes: tuple[Sizes, ...] = (*enclosure.SMALL_SIZES, *enclosure.SIZES)
    digits: tuple[int, ...] = ladder.DIGITS
    floats: floats.FloatSizes = floats.FULL


FULL = Effort()
QUICK = Effort(
    formal_T=3,
    formal_shapes=((1, 1, 1), (2, 2, 1), (2, 1, 2)),
    induction_shapes=((1, 1, 1), (2, 2, 1)),
    modular_sizes=(Sizes(24, 6, 2, 2),),
    enclosure_sizes=enclosure.SMALL_SIZES,
    digits=(50, 100),
    floats=floats.QUICK,
)
EFFORTS = {"full": FULL, "quick": QUICK}
