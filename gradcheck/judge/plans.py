"""Plans: which kinds of evidence a claim gets on a network, strongest first."""

from __future__ import annotations

from collections.abc import Sequence

from ..evidence import aligned, differs, given
from ..evidence.base import Case, Kind, Plan
from ..evidence.cost import counted, measured, online
from ..evidence.drawn import OnDrawnNoise
from ..evidence.exact import enclosure, formal, ladder, modular
from ..evidence.exact.induction import kind as induction
from ..evidence.floats import plans as floats
from ..evidence.floats import properties, sampling, stability
from ..evidence.sizes import vacuous
from ..problems.extremes import parts
from ..reference.claims import Aligned, Cost, Equals, LagClaim, Online, Stable
from ..reference.networks.base import RecurrentNetwork, Sizes
from .effort import Effort

ON_OTHERS = frozenset({formal.KIND, induction.KIND, modular.KIND, enclosure.KIND, ladder.KIND})
"""Kinds of evidence that run the rule on other numbers than floats."""
COMPARED = ON_OTHERS | {
    *floats.KINDS,
    given.BALLS,
    given.RESIDUES,
    online.KIND,
    counted.KIND,
    measured.KIND,
    aligned.KIND,
    sampling.KIND,
}
COMPARED -= {properties.KIND}
"""Kinds of evidence that compare results or costs with what is claimed; properties compare results with each other."""


def plans(case: Case, effort: Effort, *, first: bool) -> list[Plan]:
    """Return the plans of all `kinds` for a claim on one network, in the order in which they count."""
    return [kind.plan(case) for kind in kinds(case, effort, first=first)]


def screened(networks: Sequence[RecurrentNetwork]) -> list[int]:
    """Return the places of the networks that are screened: those with a step or a readout that no earlier one has."""
    return [place for place, network in enumerate(networks) if not place or parts(networks, network)]


def kinds(case: Case, effort: Effort, *, first: bool) -> Sequence[Kind]:
    """Return the kinds of evidence for a claim on one network, in the order in which they count.

    Args:
        case: The claim of the rule, on the network.
        effort: The sizes of an audit.
        first: True if the network is the first of its class; the others get fewer and smaller sizes, and the formal
            kind only where no proof on the first covers them.
    """
    if isinstance(case.claim, Cost):
        return [counted.Counting(), measured.Growth()]
    if isinstance(case.claim, Online):
        lasting = [induction.Induction(effort.induction_shapes)] if case.rule.online else []
        return [*lasting, online.Causality(), counted.Counting(), measured.Growth()]
    if isinstance(case.claim, Stable):
        return [stability.Stability()] if parts(case.rule.declaration.networks, case.network) else []
    if isinstance(case.claim, Aligned):
        return [aligned.Alignment(aligned.DRAWN if first else aligned.DRAWN_ON_OTHERS)]
    if not isinstance(case.claim, (LagClaim, Equals)):
        return []
    if case.rule.averaged:
        return _of_expectation(case, effort, first)
    modular_sizes = effort.modular_sizes if first else modular.SMALL_SIZES
    ball_sizes = effort.enclosure_sizes if first else enclosure.SMALL_SIZES[:1]
    settings = 2 if first else 1
    found: list[Kind] = [
        formal.Formal(effort.formal_T, effort.formal_shapes),
        *([induction.Induction(effort.induction_shapes)] if induction.applies(case) else []),
        modular.Modular(modular_sizes, settings),
        enclosure.Enclosure(ball_sizes, settings),
    ]
    if first:
        found.append(ladder.Ladder(digits=effort.digits))
    new = first or parts(case.rule.declaration.networks, case.network)
    on_floats = floats.kinds(effort.floats if first else floats.FURTHER if new else floats.REPEATED)
    if vacuous(case.claim, effort.floats.float64):  # kinds that do not look for a longer problem show nothing here
        on_floats = [kind for kind in on_floats if kind.kind in ("float64", "float32")]
    beside = [differs.Differs()] if isinstance(case.claim, Equals) and case.claim.differs else []
    every = [*beside, *found, *on_floats, *given.kinds(case.problems)]
    return [OnDrawnNoise(kind) for kind in every] if case.rule.stochastic else every


_DRAWN_T = 3
_DRAWN_SHAPES = ((1, 1, 1), (2, 1, 1), (1, 2, 2), (3, 1, 1))
_DRAWN_SIZES = (Sizes(3, 2, 1, 1), Sizes(4, 2, 1, 1), Sizes(3, 3, 1, 1), Sizes(4, 3, 1, 1))
_DRAWN_ON_BALLS = (Sizes(2, 1, 1, 1), Sizes(2, 2, 1, 1))
"""Sizes at which the expectation of a rule is worked out: the outcomes grow exponentially with them."""


def _of_expectation(case: Case, effort: Effort, first: bool) -> list[Kind]:
    """Return the kinds of evidence on the expectation of a stochastic rule; floats round it, so they show nothing."""
    most = 1 if not first else None if effort.formal_shapes == formal.SHAPES else 2
    lasting = induction.applies(case)
    return [
        formal.Formal(min(effort.formal_T, _DRAWN_T), _DRAWN_SHAPES[:most]),
        *([induction.Induction(effort.induction_shapes if first else effort.induction_shapes[:1])] if lasting else []),
        modular.Modular(_DRAWN_SIZES[:most], 1),
        enclosure.Enclosure(_DRAWN_ON_BALLS[:most], 1),
        sampling.Sampling(),
    ]
