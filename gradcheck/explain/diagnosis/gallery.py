"""The gallery's faults as candidates: which of them give the same as the rule, in all parameters or in some."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...evidence.sizes import describe
from ...reference.claims import Settings
from ...reference.problem import Problem
from ...rules.adapt import Rule, as_rule
from ...rules.call import run
from .comparison import Ground
from .points import SIZES, Candidate, matched

_MOST_NAMED = 3


@dataclass(frozen=True)
class Match:
    """A fault, what it was run with, and the wrong parameters in which it gives the same at every point.

    whole: whether it gives the same in all parameters, those that are right too.
    """

    fault: Any
    settings: Settings
    names: frozenset[str]
    whole: bool


def matches(ground: Ground) -> list[Match]:
    """The faults that give the same as the rule in some wrong parameter, each at the first settings at which it does.

    A fault that looks at its numbers, or loses digits of floats, is compared on floats. One with settings of its
    own, such as the length of a chunk, is run with those of the rule or of its claim, or with several small ones.
    """
    from ...faults import FAULTS

    found, every = list[Match](), set(ground.points[0].result)
    for fault in FAULTS:
        if fault.breaks == "pure":
            continue
        rule = as_rule(fault.rule())
        for settings in _settings(rule, ground):
            candidate = _candidate(rule, settings)
            names = matched(ground.points, candidate, names=ground.wrong, repeated=fault.values)
            if names:
                whole = names == set(ground.wrong) and (
                    matched(ground.points, candidate, names=every - names, repeated=fault.values) == every - names
                )
                found.append(Match(fault, settings, frozenset(names), whole))
                break
    return found


def whole(ground: Ground, found: Sequence[Match]) -> str | None:
    """The faults that give the same in every parameter, in a sentence; None where none does."""
    same = [match for match in found if match.whole]
    if not same:
        return None
    told = f"The result is that of the fault {_told(same[0])} ({ground.place(ground.points[0].result)})"
    return told + _also(same[1:])


def partly(ground: Ground, found: Sequence[Match], names: Sequence[str]) -> str | None:
    """The faults that give the same in most of these parameters, in a sentence; None where none does in any."""
    shared = max((match.names & set(names) for match in found), key=len, default=frozenset[str]())
    if not shared:
        return None
    same = [match for match in found if shared <= match.names]
    ordered = [name for name in names if name in shared]
    is_that = "is that" if len(shared) == 1 else "are those"
    told = f"{' and '.join(ordered)} {is_that} of the fault {_told(same[0])} ({ground.place(shared)})"
    return told + _also(same[1:])


def _told(match: Match) -> str:
    at = f" at {describe(match.settings)}" if match.settings else ""
    return f"{match.fault.id!r}{at}: {match.fault.effect.rstrip('.')}"


def _also(others: Sequence[Match]) -> str:
    if not others:
        return ""
    more = len(others) - _MOST_NAMED + 1
    shown = ", ".join(repr(match.fault.id) for match in others[: _MOST_NAMED - 1])
    return f"; the same here as {shown}" + (f" and {more} more" if more > 0 else "")


def _settings(rule: Rule, ground: Ground) -> Iterator[Settings]:
    """What a fault is run with: nothing, or the numbers of the rule or its claim, if they are of that kind."""
    listed = rule.settings(SIZES[0].T)
    wanted = set(listed[0])
    claimed = {field.name: getattr(ground.claim, field.name) for field in dataclasses.fields(ground.claim)}
    for numbers in (ground.settings, claimed):
        if wanted == set(numbers):
            yield numbers
            return
    yield from listed


def _candidate(rule: Rule, settings: Settings) -> Candidate:
    def candidate(problem: Problem) -> Any:
        return run(rule, problem, settings).gradient

    return candidate
