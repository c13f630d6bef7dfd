"""A wrong result as the right one transformed: transposed, scaled, its rows or columns in another order, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from ..reference.network import Sizes
from ..reference.typing import Array
from .points import Change, Ground, Point

_FACTORS: dict[str, Callable[[Sizes], Fraction]] = {
    "the factor T": lambda s: Fraction(s.T),
    "the factor 1/T": lambda s: Fraction(1, s.T),
    "the factor K": lambda s: Fraction(s.K),
    "the factor 1/K": lambda s: Fraction(1, s.K),
    "the factor T K": lambda s: Fraction(s.T * s.K),
    "the factor 1/(T K)": lambda s: Fraction(1, s.T * s.K),
    "the factor I": lambda s: Fraction(s.I),
    "the factor 1/I": lambda s: Fraction(1, s.I),
    "the factor D": lambda s: Fraction(s.D),
    "the factor 1/D": lambda s: Fraction(1, s.D),
    "the factor 2": lambda s: Fraction(2),
    "the factor 1/2": lambda s: Fraction(1, 2),
    "its sign": lambda s: Fraction(-1),
}


def transformation(ground: Ground, name: str) -> str | None:
    """How parameter `name` of the result follows from the right one, in words; None where it does not."""

    def gives(change: Change) -> bool:
        try:
            return all(point.shows(name, change) for point in ground.points)
        except ValueError:  # of a shape that it does not fit
            return False

    if gives(lambda array, _: array * 0):
        return f"{name} is 0 throughout"
    for words, factor in _FACTORS.items():
        if gives(lambda array, problem, factor=factor: _scaled(array, factor(problem.sizes))):  # type: ignore[misc]
            return f"{name} equals the reference but for {words}"
    constant = _constant(ground, name)
    if constant is not None:
        return constant
    if all(np.ndim(p.result[name]) == 2 for p in ground.points):
        if gives(lambda array, _: array.T):
            return f"{name} equals the transpose of the reference"
        if gives(lambda array, _: array[::-1]):
            return f"{name} equals the reference with its rows in reverse order"
        if gives(lambda array, _: array[:, ::-1]):
            return f"{name} equals the reference with its columns in reverse order"
        for axis, lines in ((0, "rows"), (1, "columns")):
            if all(_permuted(point, name, axis) for point in ground.points):
                return f"{name} has the {lines} of the reference in another order"
    return None


def _scaled(array: Any, factor: Fraction) -> Any:
    return array * factor.numerator / factor.denominator


def _constant(ground: Ground, name: str) -> str | None:
    """The one factor between result and reference at every entry of every point, whatever it is."""
    if not ground.exact:
        return _constant_on_floats(ground, name)
    ratios = set()
    for point in ground.points:
        field: Any = point.problem.inputs.field  # type: ignore[attr-defined]
        right = field.natives(point.promised[name])
        if any(v == 0 for v in right):
            return None
        ratios |= {int(field.divide(a, b)) for a, b in zip(field.natives(point.result[name]), right, strict=True)}
    return f"{name} equals the reference but for a constant factor" if len(ratios) == 1 else None


def _constant_on_floats(ground: Ground, name: str) -> str | None:
    pairs = []
    for point in ground.points:
        field: Any = point.problem.inputs.field  # type: ignore[attr-defined]
        right = np.array([float(v.mid()) for v in field.natives(point.promised[name])])
        pairs += list(zip(np.asarray(point.result[name], dtype=float).reshape(-1), right, strict=True))
    largest = max(pairs, key=lambda pair: abs(pair[1]), default=(0.0, 0.0))
    if not largest[1]:
        return None
    ratio = largest[0] / largest[1]

    if not all(point.shows(name, lambda array, _: array * ratio) for point in ground.points):
        return None
    return f"{name} equals the reference but for the factor {ratio:.12g}"


def _permuted(point: Point, name: str, axis: int) -> bool:
    if not point.exact:
        return False
    field: Any = point.problem.inputs.field  # type: ignore[attr-defined]
    lines = [_lines(field, array, axis) for array in (point.result[name], point.promised[name])]
    return sorted(lines[0]) == sorted(lines[1])


def _lines(field: Any, array: Array, axis: int) -> list[tuple[int, ...]]:
    whole = np.array([int(v) for v in field.natives(array)], dtype=object).reshape(np.shape(array))
    return [tuple(line) for line in (whole if axis == 0 else whole.T)]
