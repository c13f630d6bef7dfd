"""What is wrong with a rule that was refuted: facts, each checked at points where a coincidence is all but impossible.

First the gallery of wrong gradients: every fault is run beside the rule, and one that gives the same in every
entry of every point is named. Then what each wrong parameter is: the right one transformed (`factors`), or a sum of
other paths than it should count (`decomposition`). Then where the rule is wrong (`where`). What matches nothing is
described by the entries in which it is off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..evidence import Case
from ..reference.claims import Settings
from ..reference.errors import GradcheckError
from ..reference.problem import Problem
from ..results import run
from ..rules import as_rule
from . import decomposition, factors, where
from .points import Candidate, Ground, ground

_MOST_NAMED = 3


def diagnose(
    case: Case, settings: Settings, seen: Problem, *, progress: Callable[[str], None] = lambda _: None
) -> str | None:
    """What the rule computes instead of what it claims, in sentences; None where nothing can be said.

    seen: the problem of the counterexample. settings: what the rule was run with there.
    """
    progress("comparing the result with known faults")
    found = ground(case, settings, seen)
    if found is None:
        told = [where.values(case, settings, seen)]
    else:
        told = [_from_the_gallery(found), _parameters(found), where.sizes(found)]
        if not found.exact and not told[-1]:
            told.append(where.values(case, settings, seen))
        if not any(told):
            told = [where.entries(found)]
    return " ".join(f"{text}." for text in told if text) or None


def _parameters(found: Ground) -> str | None:
    parts = [text for name in found.wrong if (text := _parameter(found, name))]
    return "; ".join(parts) + _at(found) if parts else None


def _at(found: Ground) -> str:
    kind = "random points of a finite field" if found.exact else "problems, within rounding"
    return f" (all {found.entries(found.wrong)} entries of {len(found.points)} {kind})"


def _parameter(found: Ground, name: str) -> str | None:
    changed = factors.transformation(found, name)
    if changed:
        return changed
    sums = decomposition.decompose(found, name)
    return decomposition.sentence(sums, found.claim, name) if sums else None


def _from_the_gallery(found: Ground) -> str | None:
    """The faults that give the same as the rule, in every parameter."""
    names = set(found.points[0].result)
    same = [fault for fault, candidate in _gallery(found) if found.matched(candidate) == names]
    if not same:
        return None
    first, *others = same
    text = f"The result is that of the fault {first.id!r}: {first.effect.rstrip('.')}{_at(found)}"
    if others:
        more = len(others) - _MOST_NAMED + 1
        shown = ", ".join(repr(fault.id) for fault in others[: _MOST_NAMED - 1]) + (
            f" and {more} more" if more > 0 else ""
        )
        text += f"; the same here as {shown}"
    return text


def _gallery(found: Ground) -> Sequence[tuple[Any, Candidate]]:
    """Faults that can be run as candidates on these points."""
    from ..faults import FAULTS

    return [(fault, _candidate(fault)) for fault in FAULTS if fault.breaks != "pure"]


def _candidate(fault: Any) -> Candidate:
    rule = as_rule(fault.rule())

    def candidate(problem: Problem) -> Any:
        for settings in rule.settings(problem.T)[:1]:
            return run(rule, problem, settings).gradient
        raise GradcheckError(f"the fault {fault.id} has no settings for T={problem.T}")

    return candidate
