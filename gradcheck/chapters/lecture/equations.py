"""Verdicts on equations of the lecture: proved as polynomials, or refuted by a small problem, certified in balls."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ...records import Counterexample, Evidence, Status, Strength, Verdict
from ...reference.lecture.formulas import Formula
from ...reference.lecture.printed import Sides
from ...reference.lecture.quantities import FAMILIES, FormalQuantities, numeric
from ...reference.network import Network, Sizes
from ...reference.problem import Problem
from ...reference.scalars.ball import BallField
from ...reference.scalars.formal import entry_name
from .snippet import program

Side = Callable[[Any], Sides]

DISTINCT, SQUARE = Sizes(3, 2, 4, 1), Sizes(3, 2, 2, 2)
SIZES = (DISTINCT, SQUARE, Sizes(2, 3, 1, 1), Sizes(1, 2, 3, 4))
"""Sizes of every proof: two where no two sizes coincide, so that a transpose cannot hide, and one where it can."""
READOUT_SIZES = (Sizes(3, 2, 3, 2), Sizes(2, 3, 2, 3))
"""Sizes for networks whose activations are the outputs, K = I."""

BITS = 128
NETWORKS = (
    Network("identity"), Network("identity", "tanh"), Network("tanh"), Network("tanh", "tanh"), Network("logistic"),
)  # fmt: skip
"""Networks of the search for a counterexample, the simplest first: a linear network's numbers are exact."""
SMALL = sorted(
    (Sizes(*n) for n in itertools.product((1, 2, 3), (1, 2), (1, 2), (1, 2))), key=lambda s: sum(dataclasses.astuple(s))
)


@lru_cache(maxsize=64)
def quantities(sizes: Sizes, family: str = "undefined") -> FormalQuantities:
    """Return the quantities of the proofs at these sizes, made once per process."""
    return FormalQuantities(sizes, family)


def sizes_of(formula: Formula) -> tuple[Sizes, ...]:
    """Return the sizes at which a formula is judged."""
    return READOUT_SIZES if formula.family == "activations as outputs" else SIZES


@dataclass(frozen=True)
class Difference:
    """Difference of two sides, in shape or in an entry."""

    shape: bool
    text: str


def compare(formula: Formula, side: Side, q: FormalQuantities) -> Difference | None:
    """Return the first difference between the true value and a right side, as polynomials, or None."""
    try:
        right = side(q)
    except (IndexError, ValueError) as error:
        return Difference(True, f"the right side cannot be formed: {error}")
    left = formula.left(q)
    for name, value in right.items():
        if np.shape(value) != np.shape(left[name]):
            return Difference(True, f"{name} has shape {np.shape(left[name])}, the right side {np.shape(value)}")
        for index in np.ndindex(*np.shape(value)):
            gap = q.field.native(left[name][index]) - q.field.native(value[index])
            if gap != 0:
                return Difference(False, f"{entry_name(name, index)}: the polynomials differ in {len(gap)} terms")
    return None


def judge(claim: str, formula: Formula, side: Side) -> Verdict:
    """Return the verdict on an equation.

    PROVED: the two sides are the same polynomials at every size. REFUTED: there is a certified counterexample.
    INCONCLUSIVE: the sides differ and no counterexample was found.

    Args:
        claim: The title of the row.
        formula: The equation, with the true value of its left side.
        side: The right side to judge.
    """
    found = [(sizes, compare(formula, side, quantities(sizes, formula.family))) for sizes in sizes_of(formula)]
    different = [(sizes, seen) for sizes, seen in found if seen is not None]
    if not different:
        text = f"both sides are the same polynomials, hence equal for all values and for {FAMILIES[formula.family]}"
        scope = "; ".join(f"({sizes})" for sizes, _ in found)
        evidence = Evidence("formal", Status.HOLDS, Strength.PROVED, text, scope, "larger sizes")
        return Verdict(claim, Status.HOLDS, Strength.PROVED, text, (evidence,))
    first = {seen.shape: (sizes, seen) for sizes, seen in reversed(different)}
    against = tuple(
        Evidence("shapes" if shape else "formal", Status.REFUTED, Strength.NONE, seen.text, str(sizes))
        for shape, (sizes, seen) in sorted(first.items())
    )
    violation = search(formula, side)
    if violation is None:
        text = f"{against[0].statement} at {against[0].scope}, but no certified counterexample was found"
        return Verdict(claim, Status.INCONCLUSIVE, Strength.NONE, text, against)
    example = counterexample(claim, formula, side, violation)
    true, got = shown(violation.expected, 8), shown(violation.got, 8)
    text = f"{violation.entry} should be {true}, and this form gives {got} ({violation.network})"
    certified = Evidence("enclosure", Status.REFUTED, Strength.CERTIFIED, f"{text}: {example.certified}")
    diagnosis = _orientation(formula, side)
    return Verdict(claim, Status.REFUTED, Strength.CERTIFIED, text, (*against, certified), example, diagnosis)


def _orientation(formula: Formula, side: Side) -> str | None:
    """Return what transposing the right side does where it is one matrix, else None."""

    def transposed(q: Any) -> Sides:
        return {name: value.T for name, value in side(q).items()}

    right = side(quantities(SQUARE, formula.family))
    if len(right) != 1 or any(np.ndim(value) != 2 for value in right.values()):
        return None
    seen = [compare(formula, transposed, quantities(sizes, formula.family)) for sizes in sizes_of(formula)]
    if not any(seen):
        return "it is the transpose of the gradient: transposed, the two sides are the same polynomials"
    violation = search(formula, transposed)
    if violation is None:
        return None
    return (
        f"it is wrong in either orientation: transposed, it gives {violation.entry} as {shown(violation.got, 8)} where "
        f"{shown(violation.expected, 8)} is true ({violation.network}; the counterexample is for the one printed)"
    )


@dataclass(frozen=True)
class Violation:
    """Problem and entry where the balls of the true value and of the right side are disjoint."""

    problem: Problem
    name: str
    index: tuple[int, ...]
    expected: Any
    got: Any

    @property
    def entry(self) -> str:
        return entry_name(self.name, self.index)

    @property
    def network(self) -> str:
        return f"activation {self.problem.network}; {self.problem.sizes}"


def search(formula: Formula, side: Side) -> Violation | None:
    """Return a certified violation on a problem of small integers, reduced to zeros and ones where possible."""
    for sizes, network in itertools.product(SMALL, NETWORKS):
        for problem in _small_problems(network, sizes):
            found = violation(formula, side, problem)
            if found is not None:
                return _reduced(formula, side, found)
    return None


def violation(formula: Formula, side: Side, problem: Problem) -> Violation | None:
    """Return the first entry of a problem where the two sides are apart, or None; other shapes are no violation."""
    field = BallField(BITS)
    with field.working():
        q = numeric(problem, field)
        try:
            right = side(q)
        except (IndexError, ValueError):
            return None
        left = formula.left(q)
        for name, value in right.items():
            if np.shape(value) != np.shape(left[name]):
                return None
            for index in np.ndindex(*np.shape(value)):
                true, got = field.native(left[name][index]), field.native(value[index])
                if not true.overlaps(got):
                    return Violation(problem, name, index, true, got)
    return None


def _small_problems(network: Network, sizes: Sizes) -> Iterator[Problem]:
    """Yield problems with a(0) = 0, as the lecture has it, and small integers elsewhere."""
    rng = np.random.default_rng([7, *dataclasses.astuple(sizes)])
    for _ in range(2):
        shapes = {**network.parameter_shapes(sizes), "x": (sizes.T, sizes.D), "y": (sizes.T, sizes.K)}
        drawn = {name: rng.choice([-1.0, 1.0, 2.0], shape) for name, shape in shapes.items()}
        x, y = drawn.pop("x"), drawn.pop("y")
        yield Problem(drawn, x, y, network=network)


def _reduced(formula: Formula, side: Side, found: Violation) -> Violation:
    """Return the violation with every number set to 0, or to 1, where the two sides stay apart."""
    for name in (*found.problem.parameters, "inputs", "targets"):
        for index in np.ndindex(*found.problem.arrays()[name].shape):
            for value in (0.0, 1.0):
                smaller = violation(formula, side, _with(found.problem, name, index, value))
                if smaller is not None:
                    found = smaller
                    break
    return found


def _with(problem: Problem, name: str, index: tuple[int, ...], value: float) -> Problem:
    array = problem.arrays()[name].copy()
    array[index] = value
    if name in problem.parameters:
        return problem.replace(parameters={**problem.parameters, name: array})
    return problem.replace(**{name: array})


def shown(ball: Any, digits: int = 20) -> str:
    """Return a ball's midpoint in decimals, without trailing zeros."""
    text = str(ball.str(digits, radius=False))
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def counterexample(claim: str, formula: Formula, side: Side, found: Violation) -> Counterexample:
    """Return the violation as a record for the report, with its NumPy program."""
    exact = found.expected.is_exact() and found.got.is_exact()
    problem = found.problem
    return Counterexample(
        problem={
            "network": found.network.partition(";")[0],
            "sizes": dataclasses.asdict(problem.sizes),
            "settings": {},
            "claim": claim,
            "arrays": {name: _as_text(array.tolist()) for name, array in problem.arrays().items()},
        },
        entry=found.entry,
        expected=shown(found.expected),
        got=shown(found.got),
        gap=shown(abs(found.got - found.expected), 6),
        allowance="0",
        certified="both values are exact" if exact else f"their balls at {BITS} bits are disjoint",
        snippet=program(claim, problem, formula.left, side, found.name, found.index),
    )


def _as_text(value: Any) -> Any:
    return [_as_text(v) for v in value] if isinstance(value, list) else repr(value)
