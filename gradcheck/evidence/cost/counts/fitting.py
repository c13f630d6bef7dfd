"""Counts at small sizes, and the polynomials that they are.

A `Region` says which sizes and settings: all of them, settings below T, or T a multiple of a setting, where the last
block is as long as the others. In a region the counts are interpolated on a grid as high as their differences
demand, and the polynomial must foretell the counts at sizes that were held out, larger ones among them.
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
"""Variable to value: T, I, D, K and the settings."""
Measure: TypeAlias = Callable[[Values], Mapping[str, int]]
"""Counts by name at such a point. Raises what the rule does."""

HIGHEST = 5
"""The highest degree that is looked for in one variable."""
FURTHER = 10
"""How much larger than that each variable is held out once, alone."""
SIZES = ("T", "I", "D", "K")


@dataclass(frozen=True)
class Region:
    """Points of a fit.

    free: variables that may be any whole numbers >= 1, and where the fit begins. forward: T, I, D, K and the settings
    in terms of them; back: them in terms of those.
    """

    text: str
    free: Values
    forward: Mapping[str, Polynomial]
    back: Mapping[str, Polynomial]

    @property
    def apart(self) -> bool:
        """Whether it leaves out sizes in which some others are larger."""
        return "i" in self.free

    def point(self, free: Values) -> dict[str, int]:
        return {name: int(polynomial(free)) for name, polynomial in self.forward.items()}


EVERYWHERE = "T >= 3 and I, D, K >= 2"


def _itself(*names: str) -> dict[str, Polynomial]:
    return {name: Polynomial.variable(name) for name in names}


def regions(settings: Sequence[str]) -> Iterator[Region]:
    """From all sizes to those where T is a multiple of the settings, and these of each other."""
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
"""How many times as large as I the length is at least where a maximum of several counts must have settled."""
_APART = f"T > {_MANY} I, I > D + K"
_BACK = {"i": Polynomial.variable("I") - Polynomial.variable("D") - Polynomial.variable("K")}


def _apart() -> dict[str, Polynomial]:
    v = Polynomial.variable
    return {**_itself("D", "K"), "I": v("i") + v("D") + v("K")}


def _first(sizes: Mapping[str, Polynomial]) -> dict[str, int]:
    return {"i": 2, "D": 1, "K": 1} if "i" in sizes["I"].variables else {"I": 2, "D": 2, "K": 2}


def _below(text: str, settings: Sequence[str], sizes: Mapping[str, Polynomial]) -> Region:
    """T is longer than the settings together, and than I where I is longer than D and K together."""
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
    """T is a multiple of the first setting, that of the second, and so on."""
    v, last = Polynomial.variable, order[-1]
    forward, back = {**sizes, last: v(last)}, dict[str, Polynomial]()
    for larger, smaller in reversed(list(itertools.pairwise(["T", *order]))):
        forward[larger] = v(f"{larger}/{smaller}") * forward[smaller]
        back[f"{larger}/{smaller}"] = v(larger) / v(smaller)
    text = "T a multiple of " + " a multiple of ".join(order)
    return Region(text, {**dict.fromkeys(back, 2), **_first(sizes), last: 2}, forward, back)


@dataclass(frozen=True)
class Fitted:
    """A count as a polynomial in T, I, D, K and the settings. in_free: the same in the region's own variables."""

    region: Region
    polynomial: Polynomial
    in_free: Polynomial
    counted: int
    held_out: int


def fit(measure: Measure, regions: Sequence[Region], kind: str, *, alike: bool = False) -> Fitted | None:
    """The count of that kind as a polynomial in the first region where it is one of degrees up to `HIGHEST`.

    alike: ask no more of it than for I, D and K of like size. A peak is the largest of several counts, and which of
    them that is may change where one of these is many times another.
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
        degree = _degree(count, region.free, name)
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


def _degree(count: Callable[[Values], int], first: Values, name: str) -> int | None:
    """The degree in one variable, from differences along a line; None where they do not come to an end."""
    start = {other: value + 1 for other, value in first.items()}
    line: list[int] = []
    for n in range(HIGHEST + 3):
        line.append(count({**start, name: first[name] + n}))
        degree = vanishing(line)
        if degree is not None:
            return degree
    return None


def vanishing(line: Sequence[int], tail: int | None = None) -> int | None:
    """The degree of the polynomial on which these lie, with two numbers more than it takes; None for none.

    tail: how many of the last differences must vanish, all of them if left out.
    """
    for degree in range(len(line) - 2):
        differences = np.diff(np.array(line, dtype=object), degree + 1)
        if not (differences if tail is None else differences[-tail:]).any():
            return degree
    return None


def _held_out(first: Values, degrees: Values, alike: bool) -> Iterator[Values]:
    """Larger sizes, all at once and one variable at a time, the others at and above where the fit begins.

    Each alone is once far above the others, unless I, D and K are to be alike.
    """
    above = {name: value + degrees[name] + 2 for name, value in first.items()}
    yield above
    for number, name in enumerate(first):
        others = {other: value + (number + k) % 2 for k, (other, value) in enumerate(first.items())}
        yield {**others, name: above[name]}
        if not alike or name not in ("I", "i", "D", "K"):
            yield {**first, name: above[name] + FURTHER}
