"""Transformations of the right result: 0, a factor, another parameter's, the transpose, lines in another order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ...evidence.target import expected
from ...problems.lively import lively_problem
from ...reference.errors import GradcheckError
from ...reference.networks.base import Sizes
from ...reference.problem import Problem
from ...reference.typing import Gradient
from .comparison import Comparison
from .points import SIZES, Change

_FACTORS: dict[str, Callable[[Sizes], Fraction]] = {
    "the factor T": lambda s: Fraction(s.T),
    "the factor 1/T": lambda s: Fraction(1, s.T),
    "the factor K": lambda s: Fraction(s.K),
    "the factor 1/K": lambda s: Fraction(1, s.K),
    "the factor T K": lambda s: Fraction(s.T * s.K),
    "the factor 1/(T K)": lambda s: Fraction(1, s.T * s.K),
    "the factor 2/T": lambda s: Fraction(2, s.T),
    "the factor 2/K": lambda s: Fraction(2, s.K),
    "the factor 2/(T K)": lambda s: Fraction(2, s.T * s.K),
    "the factor I": lambda s: Fraction(s.I),
    "the factor 1/I": lambda s: Fraction(1, s.I),
    "the factor D": lambda s: Fraction(s.D),
    "the factor 1/D": lambda s: Fraction(1, s.D),
    "the factor 2": lambda s: Fraction(2),
    "the factor 1/2": lambda s: Fraction(1, 2),
    "the factor 1/3": lambda s: Fraction(1, 3),
    "its sign": lambda s: Fraction(-1),
}


def transformation(comparison: Comparison, name: str) -> str | None:
    """Describe a parameter of the result as a transformation of the right one.

    Args:
        comparison: The points of the diagnosis.
        name: The parameter.

    Returns:
        A sentence, or None if no transformation matches.
    """

    def gives(change: Change) -> bool:
        try:
            return all(point.shows(name, change) for point in comparison.points)
        except ValueError:  # the change does not fit this shape
            return False

    if gives(lambda array, _: array * 0):
        return f"{name} is 0 throughout"
    for words, factor in _FACTORS.items():
        if gives(lambda array, problem, factor=factor: _scaled(array, factor(problem.sizes))):  # type: ignore[misc]
            return f"{name} equals the reference but for {words}"
    constant = _constant(comparison, name)
    if constant is not None:
        return constant
    if other := _of_another(comparison, name):
        return other
    if all(np.ndim(p.result[name]) == 1 for p in comparison.points):
        if all(point.reordered(name, 0) for point in comparison.points):
            return f"{name} has the entries of the reference in another order"
    if all(np.ndim(p.result[name]) == 2 for p in comparison.points):
        if gives(lambda array, _: array.T):
            return f"{name} equals the transpose of the reference"
        if gives(lambda array, _: array[::-1]):
            return f"{name} equals the reference with its rows in reverse order"
        if gives(lambda array, _: array[:, ::-1]):
            return f"{name} equals the reference with its columns in reverse order"
        for words, by in {"one place late": 1, "one place early": -1}.items():
            if gives(lambda array, _, by=by: _shifted(array, by)):  # type: ignore[misc]
                return f"{name} has the rows of the reference {words}, and 0 for the one that is missing"
        for axis, lines in ((0, "rows"), (1, "columns")):
            if all(point.reordered(name, axis) for point in comparison.points):
                return f"{name} has the {lines} of the reference in another order"
    return None


def _of_another(comparison: Comparison, name: str) -> str | None:
    """Describe a parameter that equals what another one should be, or its transpose; else return None."""
    shape = np.shape(comparison.points[0].result[name])
    for other, array in comparison.points[0].result.items():
        for turned in (False, True):
            if (
                other == name
                or (np.shape(array)[::-1] if turned else np.shape(array)) != shape
                or turned > len(shape) - 1
            ):
                continue

            def candidate(problem: Problem, other: str = other, turned: bool = turned) -> Gradient:
                right = expected(comparison.claim, problem)[other]
                return {**problem.parameters, name: right.T if turned else right}

            if comparison.matched(candidate, [name]):
                return f"{name} equals {'the transpose of ' if turned else ''}the gradient of {other}"
    return None


def _shifted(array: Any, by: int) -> Any:
    return np.concatenate([array[:by] * 0, array[:-by]] if by > 0 else [array[-by:], array[by:] * 0])


def _scaled(array: Any, factor: Fraction) -> Any:
    return array * factor.numerator / factor.denominator


def _constant(comparison: Comparison, name: str) -> str | None:
    """Describe the factor between result and reference if it is the same in every entry of every point, else None."""
    if not comparison.exact:
        ratio = _ratio(comparison.points, name)
        if ratio is None or not all(point.shows(name, lambda array, _: array * ratio) for point in comparison.points):
            return None
        return f"{name} equals the reference but for the factor {_shortly(ratio)}"
    ratios = set()
    for point in comparison.points:
        field: Any = point.problem.inputs.field  # type: ignore[attr-defined]
        right = field.natives(point.promised[name])
        if any(v == 0 for v in right):
            return None
        ratios |= {int(field.divide(a, b)) for a, b in zip(field.natives(point.result[name]), right, strict=True)}
    if len(ratios) != 1:
        return None
    return f"{name} equals the reference but for a constant factor{_on_floats(comparison, name)}"


def _on_floats(comparison: Comparison, name: str) -> str:
    """Describe the factor on floats; return "" if the rule does not run on them."""
    try:
        seen = comparison.on_floats(lively_problem(comparison.points[0].problem.network, SIZES[0], 0))
    except GradcheckError:
        return ""
    ratio = _ratio([seen], name)
    return "" if ratio is None else f", {_shortly(ratio)} on floats"


def _shortly(ratio: float) -> str:
    """Format a factor with twelve digits, or with all if twelve would round it to 1."""
    return repr(ratio) if ratio != 1 and f"{ratio:.12g}" == "1" else f"{ratio:.12g}"


def _ratio(points: Sequence[Any], name: str) -> float | None:
    """Return the factor of the largest right entry, on floats; None if all are 0."""
    pairs = [
        pair
        for point in points
        for pair in zip(
            np.asarray(point.result[name], dtype=float).reshape(-1), point.middles[name].reshape(-1), strict=True
        )
    ]
    got, right = max(pairs, key=lambda pair: abs(pair[1]), default=(0.0, 0.0))
    return float(got / right) if right else None
