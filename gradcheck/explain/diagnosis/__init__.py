"""What is wrong with a rule that was refuted: facts, each checked at points where a coincidence is all but impossible.

First the simplest relations: the whole result is what another claim promises (`relations`), or is off as difference
quotients are (`differences`). Then the gallery of wrong gradients (`gallery`): every fault is run beside the rule, and
one that gives the same in every entry of every point is named. Then what each wrong parameter is: the right one
transformed (`factors`), a sum of other paths than it should count (`decomposition`), or what another claim promises
(`horizons`). Then whether it is what float32 rounds to (`precision`), and where the rule is wrong (`where`). A
parameter that matches nothing is described: which entries are off, by how much, and from which length, loss and lag on
(`unmatched`).
"""

from __future__ import annotations

from collections.abc import Callable

from ...evidence.base import Case
from ...reference.claims import Settings
from ...reference.problem import Problem
from . import decomposition, differences, factors, gallery, horizons, precision, relations, where
from . import unmatched as differing
from .comparison import Ground, ground


def diagnose(
    case: Case,
    settings: Settings,
    seen: Problem,
    *,
    dtype: str = "float64",
    progress: Callable[[str], None] = lambda _: None,
) -> str | None:
    """What the rule computes instead of what it claims, in sentences; None where nothing can be said.

    seen: the problem of the counterexample. settings: what the rule was run with there. dtype: of its floats.
    """
    progress("comparing the result with known faults")
    found = ground(case, settings, seen, dtype)
    if found is None:
        told = [where.values(case, settings, seen)]
    else:
        told = _told(case, found, seen)
    return " ".join(f"{text}." for text in told if text) or None


def _told(case: Case, found: Ground, seen: Problem) -> list[str | None]:
    if relation := relations.relation(found):
        return [precision.allowed(found), relation.text]
    if quotients := differences.differences(found):
        return [quotients.text]
    faults = gallery.matches(found)
    named, (parts, counted) = gallery.whole(found, faults), _parameters(found)
    told = [precision.allowed(found), named]
    told.append("; ".join(parts.values()) + f" ({found.place(parts)})" if parts else None)
    told.append("; ".join(counted.values()) + f" ({decomposition.place(found)})" if counted else None)
    rounded = None if parts or counted else precision.sentence(found)
    at_sizes = where.sizes(found)
    at_values = None if found.exact or at_sizes else where.values(case, found.settings, seen)
    unexplained = [] if named else [name for name in found.wrong if name not in parts and name not in counted]
    if unexplained and (shared := gallery.partly(found, faults, unexplained)):
        told.append(shared)
    elif unexplained and not at_values and not precision.answers_in_float32(found):
        told.append(differing.sentence(found, case.network, unexplained))
    return [*told, rounded, at_sizes, at_values]


def _parameters(found: Ground) -> tuple[dict[str, str], dict[str, str]]:
    """Wrong parameter to what it is instead, at all points; and to the paths that it counts, where that is known."""
    parts = {name: text for name in found.wrong if (text := factors.transformation(found, name))}
    parts |= horizons.other_claims(found, [name for name in found.wrong if name not in parts])
    parts = {name: parts[name] for name in found.wrong if name in parts}
    left = [name for name in found.wrong if name not in parts]
    return parts, {name: text for name in left if (text := decomposition.counted(found, name))}
