"""Conditions under which a rule is wrong: sizes, entries, and kinds of numbers."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from ...evidence.base import Case
from ...evidence.floats.comparison import compare_on
from ...problems.lively import branching_problems, lively_problem
from ...reference.claims import Settings
from ...reference.errors import GradcheckError
from ...reference.networks.base import Sizes
from ...reference.problem import Problem
from .comparison import Comparison
from .points import wrong_at

_GRID = [
    Sizes(T, I, D, K) for T, I, (D, K) in itertools.product((1, 2, 3, 4, 5, 6), (1, 2, 3, 5), ((1, 1), (2, 3), (3, 2)))
]
_BEYOND = (Sizes(7, 4, 2, 3), Sizes(8, 3, 1, 2), Sizes(9, 6, 3, 1), Sizes(11, 2, 2, 4), Sizes(2, 4, 4, 2))
"""Sizes off the grid, at which what was read off it must hold too."""
_SAMPLE = (
    Sizes(2, 5, 2, 3),
    Sizes(3, 3, 1, 1),
    Sizes(2, 2, 3, 2),
    Sizes(5, 3, 2, 3),
    Sizes(4, 2, 1, 1),
    Sizes(3, 5, 3, 2),
)
"""Sizes on both sides of each condition, except conditions on a size of 1 or above 3. A rule that is wrong at all of
these is wrong wherever an error can show."""
_CONDITIONS: dict[str, Callable[[Sizes], bool]] = {
    "T > I": lambda s: s.T > s.I,
    "T >= I": lambda s: s.T >= s.I,
    "T < I": lambda s: s.T < s.I,
    "T <= I": lambda s: s.T <= s.I,
    "T is odd": lambda s: s.T % 2 == 1,
    "T is even": lambda s: s.T % 2 == 0,
    "I = 1": lambda s: s.I == 1,
    "K = 1": lambda s: s.K == 1,
    "K > 1": lambda s: s.K > 1,
    "D = 1": lambda s: s.D == 1,
    "D > 1": lambda s: s.D > 1,
    "D > I": lambda s: s.D > s.I,
    "K > I": lambda s: s.K > s.I,
    "D = I": lambda s: s.D == s.I,
    "K = I": lambda s: s.K == s.I,
    **{f"T > {n}": lambda s, n=n: s.T > n for n in (1, 2, 3, 4, 5)},  # type: ignore[misc]
    **{f"T is no multiple of {n}": lambda s, n=n: s.T % n > 0 for n in (3, 4, 5)},  # type: ignore[misc]
    **{f"T is a multiple of {n}": lambda s, n=n: s.T % n == 0 for n in (3, 4, 5)},  # type: ignore[misc]
    **{f"I > {n}": lambda s, n=n: s.I > n for n in (1, 2, 3)},  # type: ignore[misc]
    "T = 1": lambda s: s.T == 1,
}
_OF_ONE_SIZE: dict[str, Callable[[int, int], bool]] = {
    "{0} > {1}": lambda value, first: value >= first,
    "{0} is a multiple of {2}": lambda value, first: value % first == 0,
    "{0} is {2}": lambda value, first: value == first,
}
_BASE, _OTHER_BASE, _LARGEST, _ALL_UP_TO = Sizes(3, 3, 2, 2), Sizes(4, 2, 3, 1), 64, 8
_TRIVIAL = ("T > 1", "I > 1")
"""Conditions that are never reported: at T = 1 or I = 1 there is little to get wrong."""


def sizes(comparison: Comparison) -> str | None:
    """Find a condition on the sizes that holds exactly where the rule is wrong.

    Args:
        comparison: The points of the diagnosis.

    Returns:
        A sentence, or None if no condition fits.
    """

    def wrong(size: Sizes) -> bool:
        return bool(wrong_at([comparison.make(size, 5)]))

    try:
        if all(map(wrong, _SAMPLE)):
            return None
        return condition(wrong, comparison.seen)
    except GradcheckError:
        return None


def condition(wrong: Callable[[Sizes], bool], seen: Sizes) -> str | None:
    """Find a condition on sizes that holds exactly where a rule is wrong.

    Args:
        wrong: Returns whether the rule is wrong at these sizes.
        seen: Sizes at which it is, the smallest that are known.

    Returns:
        A sentence, or None if no condition fits.
    """
    return _by_grid(wrong) or _by_one_size(wrong, seen)


def _by_grid(wrong: Callable[[Sizes], bool]) -> str | None:
    """Return a condition on small sizes."""
    possible = {words: holds for words, holds in _CONDITIONS.items() if words not in _TRIVIAL}
    count = 0
    for size in _GRID:
        off = wrong(size)
        possible = {words: holds for words, holds in possible.items() if holds(size) == off}
        count += off
        if not possible:
            return None
    for size in _BEYOND:
        off = wrong(size)
        possible = {words: holds for words, holds in possible.items() if holds(size) == off}
    if not possible:
        return None
    return f"It is wrong exactly where {next(iter(possible))}, at {count} of {len(_GRID)} sizes tried"


def _by_one_size(wrong: Callable[[Sizes], bool], seen: Sizes) -> str | None:
    """Return a condition on one size: beyond a number, or a multiple of one."""
    for letter in "TIDK":
        least = getattr(seen, letter)
        if not 1 < least <= _LARGEST:
            continue

        def at(value: int, letter: str = letter, base: Sizes = _BASE) -> bool:
            return wrong(dataclasses.replace(base, **{letter: value}))

        first, right = least, 1
        while first - right > 1:
            middle = (first + right) // 2
            first, right = (middle, right) if at(middle) else (first, middle)
        tried = _around(first)
        for words, holds in _OF_ONE_SIZE.items():
            if all(at(value) == holds(value, first) for value in tried) and all(
                at(value, base=_OTHER_BASE) == holds(value, first) for value in {first - 1, first}
            ):
                listed = f"1 to {tried[-1]}" if len(tried) == tried[-1] else ", ".join(map(str, tried))
                return f"It is wrong exactly where {words.format(letter, first - 1, first)}, at {letter} = {listed}"
    return None


def _around(first: int) -> list[int]:
    """Return values on both sides of the first that is wrong, up to more than twice as large."""
    if first <= _ALL_UP_TO:
        return list(range(1, 2 * first + 2))
    return sorted({1, first // 2, first - 1, first, first + 1, 2 * first - 1, 2 * first, 2 * first + 1})


def values(case: Case, settings: Settings, seen: Problem) -> str | None:
    """Find the kinds of special problems on which a rule is wrong that is right on generic numbers.

    Args:
        case: The rule and its claim.
        settings: The rule's keyword arguments.
        seen: The problem of the counterexample.

    Returns:
        A sentence, or None if no kind is found or the rule is wrong on generic numbers too.
    """
    claim = case.claim.bind(settings)
    branching = branching_problems(case.network, case.seed, weighted=case.weighted)

    def wrong(problem: Problem) -> bool:
        try:
            return compare_on(case.rule, claim, problem, settings)[0].outside is not None
        except GradcheckError:
            return False

    sizes = [*(problem.sizes for problem in branching.values()), seen.sizes]
    if any(wrong(lively_problem(case.network, size, case.seed, weighted=case.weighted)) for size in sizes):
        return None
    kinds = [name for name, problem in branching.items() if wrong(problem)]
    return f"It is right on generic numbers, and wrong on: {'; '.join(kinds)}" if kinds else None


def pattern(off: Any) -> str:
    """Describe the true entries of a boolean array.

    Args:
        off: The array, of any shape.

    Returns:
        Words such as "the first row", or "" if no entry is true.
    """
    if not off.any():
        return ""
    if off.all():
        return "every entry"
    if off.ndim == 2:
        rows, columns = off.any(axis=1), off.any(axis=0)
        if off[rows].all():
            return _lines("row", rows)
        if off[:, columns].all():
            return _lines("column", columns)
        if off.shape[0] == off.shape[1] and np.array_equal(off, np.eye(len(off), dtype=bool)):
            return "the diagonal"
        if off.shape[0] == off.shape[1] and np.array_equal(off, ~np.eye(len(off), dtype=bool)):
            return "everything but the diagonal"
    where = np.argwhere(off)
    return f"the entry {', '.join(map(str, where[0].tolist()))} alone" if len(where) == 1 else "some entries"


def _lines(kind: str, hit: Any) -> str:
    found = np.flatnonzero(hit).tolist()
    if len(found) > 1:
        contiguous = found[-1] - found[0] == len(found) - 1
        if contiguous and found[-1] == len(hit) - 1:
            return f"the {kind}s from {found[0]} on"
        return f"the first {len(found)} {kind}s" if contiguous and found[0] == 0 else f"some {kind}s"
    if found[0] == 0:
        return f"the first {kind}"
    return f"the last {kind}" if found[0] == len(hit) - 1 else f"{kind} {found[0]}"
