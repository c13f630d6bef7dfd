"""The fewest sizes of every kind of evidence, for tests of what happens around an audit."""

from __future__ import annotations

from gradcheck.evidence.exact import enclosure
from gradcheck.evidence.floats import blackbox
from gradcheck.evidence.floats.plans import FloatSizes
from gradcheck.judge.effort import Effort
from gradcheck.reference.networks.base import Sizes

BRIEF = Effort(
    formal_T=3,
    formal_shapes=((1, 1, 1),),
    induction_shapes=((1, 1, 1),),
    modular_sizes=(Sizes(12, 3, 1, 1),),
    enclosure_sizes=enclosure.SMALL_SIZES[:1],
    digits=(50,),
    floats=FloatSizes(
        lagwise=Sizes(5, 2, 5, 1),
        float64=blackbox.SIZES[1:2],
        float32=(Sizes(5, 3, 2, 2),),
        ladder=(Sizes(5, 3, 2, 2),),
        properties=(Sizes(3, 2, 2, 1),),
        drawn=1,
        branching=(),
    ),
)
