"""Coverage for reports: source with what never ran, and the sizes and ranges of numbers that were tried."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..records import Extent, Report, Source

_LEAST, _MOST = -20, 10
"""The decades that a picture has room for; others are drawn at its ends."""
_LARGEST = 1000


@dataclass(frozen=True)
class Line:
    """A line of source. `state` is "ran", "missed", or empty for one that computes nothing."""

    number: int
    text: str
    state: str


@dataclass(frozen=True)
class Strip:
    """A picture of one size or array: marks on a scale from 0 to 100, each with its width.

    Attributes:
        name: The letter of the size, or the name of the array.
        marks: Place and width of each mark.
        text: The same in words.
    """

    name: str
    marks: list[tuple[float, float]]
    text: str


def lines(source: Source) -> list[Line]:
    """Return the lines of a function."""
    ran, missed = set(source.ran), set(source.missed)
    return [
        Line(number, text, "missed" if number in missed else "ran" if number in ran else "")
        for number, text in enumerate(source.text.split("\n"), start=source.first)
    ]


def size_strips(extent: Extent) -> list[Strip]:
    """Return a picture for each of T, I, D and K, on a logarithmic scale from 1 to 1000."""
    found = []
    for letter, values in extent.sizes.items():
        places = {round(100 * math.log(min(n, _LARGEST)) / math.log(_LARGEST), 1) for n in values}
        found.append(Strip(letter, [(place * 0.988, 1.2) for place in sorted(places)], spans(values)))
    return found


def value_strips(extent: Extent) -> list[Strip]:
    """Return a picture for each array, on a scale of the decades of its absolute values."""
    width = 100 / (_MOST - _LEAST)
    found = []
    for name, decades in extent.decades.items():
        within = sorted({min(max(n, _LEAST), _MOST - 1) for n in decades})
        marks = [(round((n - _LEAST) * width, 2), round(width * 0.92, 2)) for n in within]
        text = f"{power_of_ten(min(decades))} to {power_of_ten(max(decades) + 1)}" if decades else "zeros alone"
        found.append(Strip(name, marks, text))
    return found


def tried(extent: Extent | None) -> list[tuple[str, str]]:
    """Return the sizes and the ranges of floats that were tried, each with its label; empty where nothing was."""
    if extent is None:
        return []
    found = []
    for label, strips in (("sizes", size_strips(extent)), ("absolute values of floats", value_strips(extent))):
        if strips:
            found.append((f"{label} tried", "; ".join(f"{strip.name} {strip.text}" for strip in strips)))
    return found


def missed(report: Report) -> str:
    """Return a sentence on the mistakes that would have been missed; empty where nothing was compared."""
    extent = report.extent
    if extent is None:
        return ""
    beyond = ", ".join(f"{letter} = {max(values)}" for letter, values in extent.sizes.items() if values)
    parts = [f"one at sizes beyond {beyond}"]
    decades = [n for values in extent.decades.values() for n in values]
    if decades:
        least, most = power_of_ten(min(decades)), power_of_ten(max(decades) + 1)
        parts.append(f"on floats, one at numbers beyond {most} or between 0 and {least}")
    places = sum(len(source.missed) for source in report.sources)
    if places:
        parts.append(f"one in the {'line' if places == 1 else f'{places} lines'} that never ran")
    return f"Mistakes that would have been missed: {'; '.join(parts)}."


def power_of_ten(exponent: int) -> str:
    """Return a power of ten as text."""
    raised = str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return {0: "1", 1: "10"}.get(exponent, "10" + raised)


def spans(values: Sequence[int]) -> str:
    """Return sizes as text, such as "1 to 9, 12, 41"."""
    runs: list[list[int]] = []
    for n in sorted(values):
        if runs and n == runs[-1][-1] + 1:
            runs[-1].append(n)
        else:
            runs.append([n])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)
