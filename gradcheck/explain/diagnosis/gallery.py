"""Comparison with the gallery's faults, in all parameters or in some."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...evidence.floats.kept import kept
from ...evidence.sizes import describe
from ...reference.claims import Settings
from ...reference.problem import Problem
from ...rules.adapt import Rule, as_rule
from ...rules.call import run
from ...rules.expectation import expectation
from .comparison import Comparison
from .points import SIZES, Candidate, matched

_MOST_NAMED = 3


@dataclass(frozen=True)
class Match:
    """A fault that agrees with the rule at every point.

    Attributes:
        fault: The fault.
        settings: The fault's keyword arguments.
        names: The wrong parameters in which it agrees.
        whole: Whether it agrees in all parameters, the right ones included.
    """

    fault: Any
    settings: Settings
    names: frozenset[str]
    whole: bool


def matches(comparison: Comparison) -> list[Match]:
    """Return the faults that agree with the rule in a wrong parameter, each at its first settings that do.

    A fault that depends on values, or loses digits of floats, is compared on floats. A fault with settings, such as
    the length of a chunk, runs with those of the rule or of its claim, or else with several small ones. An expectation
    is compared with those of faults of stochastic rules.

    Args:
        comparison: The points of the diagnosis.

    Returns:
        One match per fault, in the gallery's order.
    """
    from ...faults import ESTIMATORS, SHOWN

    found, every = list[Match](), set(comparison.points[0].result)
    for fault in ESTIMATORS if comparison.averaged else SHOWN:
        if fault.breaks not in ("result", "stable") or not fault.runs_on(comparison.points[0].problem.network):
            continue
        rule = expectation(as_rule(fault.rule()))
        for settings in _settings(rule, comparison):
            candidate = _candidate(fault.id, rule, settings)
            names = matched(comparison.points, candidate, names=comparison.wrong, repeated=fault.values)
            if names:
                whole = names == set(comparison.wrong) and (
                    matched(comparison.points, candidate, names=every - names, repeated=fault.values) == every - names
                )
                found.append(Match(fault, settings, frozenset(names), whole))
                break
    return found


def whole(comparison: Comparison, found: Sequence[Match]) -> str | None:
    """Describe the faults that agree in every parameter.

    Args:
        comparison: The points of the diagnosis.
        found: The matches.

    Returns:
        A sentence, or None if there is no such fault.
    """
    same = [match for match in found if match.whole]
    if not same:
        return None
    text = f"The result is that of the fault {_describe(same[0])} ({comparison.place(comparison.points[0].result)})"
    return text + _also(same[1:])


def shared(found: Sequence[Match], names: Sequence[str]) -> frozenset[str]:
    """Return the most of these parameters in which one fault agrees."""
    return max((match.names & set(names) for match in found), key=len, default=frozenset[str]())


def partly(comparison: Comparison, found: Sequence[Match], names: Sequence[str]) -> str | None:
    """Describe the faults that agree in the most of these parameters.

    Args:
        comparison: The points of the diagnosis.
        found: The matches.
        names: The parameters without another explanation.

    Returns:
        A sentence, or None if no fault agrees in any.
    """
    most = shared(found, names)
    if not most:
        return None
    same = [match for match in found if most <= match.names]
    ordered = [name for name in names if name in most]
    is_that = "is that" if len(most) == 1 else "are those"
    text = f"{' and '.join(ordered)} {is_that} of the fault {_describe(same[0])} ({comparison.place(most)})"
    return text + _also(same[1:])


def _describe(match: Match) -> str:
    at = f" at {describe(match.settings)}" if match.settings else ""
    return f"{match.fault.id!r}{at}: {match.fault.effect.rstrip('.')}"


def _also(others: Sequence[Match]) -> str:
    if not others:
        return ""
    more = len(others) - _MOST_NAMED + 1
    shown = ", ".join(repr(match.fault.id) for match in others[: _MOST_NAMED - 1])
    return f"; the same here as {shown}" + (f" and {more} more" if more > 0 else "")


def _settings(rule: Rule, comparison: Comparison) -> Iterator[Settings]:
    """Yield the settings to run a fault with: those of the rule or its claim if the names match, else its own."""
    listed = rule.settings(SIZES[0].T)
    wanted = set(listed[0])
    claimed = {name: getattr(comparison.claim, name) for name in comparison.claim.arguments()}
    for numbers in (comparison.settings, claimed):
        if wanted == set(numbers):
            yield numbers
            return
    yield from listed


def _candidate(name: str, rule: Rule, settings: Settings) -> Candidate:
    """Return a fault as a candidate. All rules on a network are compared at the same points, so results are kept."""
    what = (_candidate, name, *settings.items())

    def candidate(problem: Problem) -> Any:
        return kept(problem, what, lambda: run(rule, problem, settings).gradient)

    return candidate
