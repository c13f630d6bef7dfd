"""Polynomials fitted to counts at small sizes.

A `Region` is a set of sizes and settings: all of them, settings below T, or T a multiple of a setting, so that the last
block is as long as the others. In a region the counts are interpolated on a grid whose degrees follow from their
differences. The polynomial must predict the counts at sizes that were held out, some of them larger.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ....reference.errors import GradcheckError, UnsupportedOperation
from ....reference.typing import Array
from .polynomial import Polynomial, interpolate

Values: TypeAlias = Mapping[str, int]
"""Values of T, I, D, K and the settings, by name."""
Measure: TypeAlias = Callable[[Values], Mapping[str, int]]
"""Function that returns the counts at such values, by name. It raises the errors of the rule."""

HIGHEST = 5
"""The highest degree in one variable."""
FURTHER = 10
"""Each variable is held out once, alone, at a value this much larger."""
SIZES = ("T", "I", "D", "K")


@dataclass(frozen=True)
class Region:
    """Sizes and settings of a fit.

    Attributes:
        text: A description for reports.
        free: Variables that may be any whole numbers >= 1, with the values at which the fit begins.
        forward: T, I, D, K and the settings as polynomials in the free variables.
        back: The free variables in terms of T, I, D, K and the settings.
    """

    text: str
    free: Values
    forward: Mapping[str, Polynomial]
    back: Mapping[str, Polynomial]

    @property
    def apart(self) -> bool:
        """True if the region holds only sizes with I > D + K."""
        return "i" in self.free

    def point(self, free: Values) -> dict[str, int]:
        return {name: int(polynomial(free)) for name, polynomial in self.forward.items()}


EVERYWHERE = "T >= 3 and I, D, K >= 2"


def _itself(*names: str) -> dict[str, Polynomial]:
    return {name: Polynomial.variable(name) for name in names}


def regions(settings: Sequence[str]) -> Iterator[Region]:
    """Yield regions from all sizes to those in which T is a multiple of the settings, and these of each other."""
    plain, apart = _itself("I", "D", "K"), _apart()
    if not settings:
        every = _itself(*SIZES)
        yield Region(EVERYWHERE, {"T": 3, "I": 2, "D": 2, "K": 2}, every, every)
        yield _below(_APART, settings, apart)
        return
    chains = list(itertools.permutations(settings))
    yield _below(f"T > {' + '.join(settings)}", settings, plain)
    yield from (_chained(order, plain) for order in chains)
    yield _below(f"T > {' + '.join(settings)} + {_MANY} I, I > D + K", settings, apart)


_MANY = 4
"""In regions for the maximum of several counts, T is larger than I by this factor, so that one of them is largest."""
_APART = f"T > {_MANY} I, I > D + K"
_BACK = {"i": Polynomial.variable("I") - Polynomial.variable("D") - Polynomial.variable("K")}


def _apart() -> dict[str, Polynomial]:
    v = Polynomial.variable
    return {**_itself("D", "K"), "I": v("i") + v("D") + v("K")}


def _first(sizes: Mapping[str, Polynomial]) -> dict[str, int]:
    return {"i": 2, "D": 1, "K": 1} if "i" in sizes["I"].variables else {"I": 2, "D": 2, "K": 2}


def _below(text: str, settings: Sequence[str], sizes: Mapping[str, Polynomial]) -> Region:
    """Return the region where T exceeds the sum of the settings, and in regions apart also a multiple of I."""
    v, apart = Polynomial.variable, "i" in sizes["I"].variables
    beside = Polynomial.of(0)
    for name in settings:
        beside += v(name)
    if apart:
        beside += Polynomial.of(_MANY) * sizes["I"]
    forward = {**sizes, **_itself(*settings), "T": v("t") + beside}
    back = {"t": v("T") - beside.substitute({"i": _BACK["i"]}), **(_BACK if apart else {})}
    return Region(text, {"t": 2, **_first(sizes), **dict.fromkeys(settings, 3 if apart else 2)}, forward, back)


def _chained(order: Sequence[str], sizes: Mapping[str, Polynomial]) -> Region:
    """Return the region where T is a multiple of the first setting, that of the second, and so on."""
    v, last = Polynomial.variable, order[-1]
    forward, back = {**sizes, last: v(last)}, dict[str, Polynomial]()
    for larger, smaller in reversed(list(itertools.pairwise(["T", *order]))):
        forward[larger] = v(f"{larger}/{smaller}") * forward[smaller]
        back[f"{larger}/{smaller}"] = v(larger) / v(smaller)
    text = "T a multiple of " + " a multiple of ".join(order)
    return Region(text, {**dict.fromkeys(back, 2), **_first(sizes), last: 2}, forward, back)


@dataclass(frozen=True)
class Fitted:
    """A count as a polynomial.

    Attributes:
        region: The sizes and settings for which it holds.
        polynomial: The count in T, I, D, K and the settings.
        in_free: The same in the region's free variables.
        counted: The number of points of the fit.
        held_out: The number of points that it predicted.
    """

    region: Region
    polynomial: Polynomial
    in_free: Polynomial
    counted: int
    held_out: int


def fit(measure: Measure, regions: Sequence[Region], kind: str, *, alike: bool = False) -> Fitted | None:
    """Fit a count by a polynomial of degrees up to `HIGHEST`, in the first region in which it is one.

    Args:
        measure: Returns the counts at a point.
        regions: The regions to try, in order.
        kind: The name of the count.
        alike: Hold out only points with I, D and K of like size. A peak is the largest of several counts, and another
            one may be the largest where one of these sizes is many times another.

    Returns:
        The polynomial, or None if the count is none in any region.
    """
    for region in regions:
        try:
            if found := _fit(measure, region, kind, alike):
                text = f"{region.text}, of like size" if alike else region.text
                return dataclasses.replace(found, region=dataclasses.replace(region, text=text))
        except UnsupportedOperation:
            raise
        except GradcheckError:  # the rule refuses such settings
            continue
    return None


def _fit(measure: Measure, region: Region, kind: str, alike: bool) -> Fitted | None:
    tried: set[tuple[int, ...]] = set()

    def count(free: Values) -> int:
        tried.add(tuple(free.values()))
        return measure(region.point(free))[kind]

    degrees: dict[str, int] = {}
    for name in region.free:
        degree = degree_along(count, region.free, name)
        if degree is None:
            return None
        degrees[name] = degree
    nodes = [[first + n for n in range(degrees[name] + 1)] for name, first in region.free.items()]
    grid: Array = np.empty([len(n) for n in nodes], dtype=object)
    for index in np.ndindex(*grid.shape):
        chosen = (values[n] for values, n in zip(nodes, index, strict=True))
        grid[index] = count(dict(zip(region.free, chosen, strict=True)))
    fitted = interpolate(list(region.free), nodes, grid)
    counted = len(tried)
    if any(fitted(free) != count(free) for free in _held_out(region.free, degrees, alike)):
        return None
    return Fitted(region, fitted.substitute(region.back), fitted, counted, len(tried) - counted)


def degree_along(count: Callable[[Values], int], first: Values, name: str) -> int | None:
    """Return the degree of a count in one variable, from differences along a line, or None if they do not vanish.

    Args:
        count: Returns the count at a point.
        first: The point with the smallest values.
        name: The variable.
    """
    start = {other: value + 1 for other, value in first.items()}
    line: list[int] = []
    for n in range(HIGHEST + 3):
        line.append(count({**start, name: first[name] + n}))
        degree = vanishing(line)
        if degree is not None:
            return degree
    return None


def vanishing(line: Sequence[int], tail: int | None = None) -> int | None:
    """Return the degree of the polynomial through equally spaced values, or None if there is none.

    Args:
        line: The values, at least two more than a polynomial of that degree needs.
        tail: The number of last differences that must vanish; all of them if None.
    """
    for degree in range(len(line) - 2):
        differences = np.diff(np.array(line, dtype=object), degree + 1)
        if not (differences if tail is None else differences[-tail:]).any():
            return degree
    return None


def _held_out(first: Values, degrees: Values, alike: bool) -> Iterator[Values]:
    """Yield points with larger values, of all variables at once and of one at a time.

    The others are at or above the start of the fit. Each variable alone is once far above the others, unless I, D and
    K must be alike.
    """
    above = {name: value + degrees[name] + 2 for name, value in first.items()}
    yield above
    for number, name in enumerate(first):
        others = {other: value + (number + k) % 2 for k, (other, value) in enumerate(first.items())}
        yield {**others, name: above[name]}
        if not alike or name not in ("I", "i", "D", "K"):
            yield {**first, name: above[name] + FURTHER}
