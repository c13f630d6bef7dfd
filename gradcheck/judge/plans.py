"""Plans: which kinds of evidence a claim gets on a network, strongest first."""

from __future__ import annotations

from ..evidence.base import Case, vacuous
from ..evidence.cost import counted, online
from ..evidence.exact import enclosure, formal, ladder, modular
from ..evidence.floats import plans as floats
from ..evidence.pieces import Plan, whole
from ..reference.claims import Cost, Equals, LagClaim, Online
from .effort import Effort


def plans(case: Case, effort: Effort, *, first: bool) -> list[Plan]:
    """Return the kinds of evidence for a claim on one network, in the order in which they count.

    Args:
        case: the claim of the rule, on the network.
        effort: the sizes of an audit.
        first: whether the network is the first of its class; the others are judged at fewer and smaller sizes, and
            get the formal kind only where no proof on the first covers them.
    """
    if isinstance(case.claim, (Cost, Online)):
        return _of_costs(case)
    if not isinstance(case.claim, (LagClaim, Equals)):
        return []
    modular_sizes = effort.modular_sizes if first else modular.SMALL_SIZES
    ball_sizes = effort.enclosure_sizes if first else enclosure.SMALL_SIZES[:1]
    settings = 2 if first else 1
    found = [
        formal.plan(case, largest_T=effort.formal_T, shapes=effort.formal_shapes),
        modular.plan(case, sizes=modular_sizes, most_settings=settings),
        enclosure.plan(case, sizes=ball_sizes, most_settings=settings),
    ]
    if first:
        found.append(whole(ladder.KIND, lambda told: ladder.judge(case, digits=effort.digits, progress=told)))
    on_floats = floats.plans(case, effort.floats if first else floats.FURTHER)
    if vacuous(case.claim, effort.floats.float64):  # kinds that do not look for a longer problem show nothing here
        on_floats = [plan for plan in on_floats if plan.kind in ("float64", "float32")]
    return found + on_floats


def _of_costs(case: Case) -> list[Plan]:
    """Count where the code can be counted; measure what cannot."""
    if isinstance(case.claim, Cost):
        return [
            whole(counted.KIND, lambda told: counted.judge(case, progress=told)),
            whole(counted.GROWTH, lambda told: counted.measure(case, progress=told)),
        ]
    return [
        whole(online.CAUSALITY, lambda told: online.causality(case, progress=told)),
        whole(counted.KIND, lambda told: online.storage(case, progress=told)),
        whole(counted.GROWTH, lambda told: online.measured_storage(case, progress=told)),
    ]
