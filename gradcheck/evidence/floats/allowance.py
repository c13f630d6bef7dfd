"""Rounding allowances: derived bounds, per entry, on the error that rounding causes in a correct rule.

The claim's own gradient is computed on `RoundedField` scalars. They charge every operation its rounding, and carry it
along every path in absolute value, through f and f' too: the sum over paths of |path| times gamma_m, with m the number
of roundings on the path. That bounds the recursion's error in any order of summation. Another algorithm for the same
sum over paths (forward mode, blocks, a product tree) multiplies the same factors in another association. It has at
most a product, a sum and a reload where the recursion has one product and sum, so `SLACK` = 4 times the bound covers it
to first order. A rule that first rounds the problem to its own format adds a rounding to each product of one of its
numbers, which is such a reload.

Underflow and overflow depend on the association too: forward mode may lose a product of many small slopes that the
recursion keeps because it starts from a large error. So each entry is also allowed the smallest normal number times the
largest product of factors that may follow, `_reach`. If that product exceeds the format, the allowance is infinite.

Algorithms that mix the entries of an array (rotations, QR, SVD, FFT) round each entry as the largest. Their allowance,
`normwise`, comes from the same computation on `NormwiseField` scalars. An error that is made in the influence of all P
entries of the parameters at once has a norm of at most sqrt(P) times that of the largest influence of a single entry,
so each of these entries is allowed sqrt(P) times the largest bound. Inputs and initial state act on the state too, and
count among the P entries where their gradients are wanted.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ...reference import lags
from ...reference.claims import Claim
from ...reference.problem import Problem
from ...reference.scalars.rounded import NormwiseField, RoundedField
from ...reference.tree import map_nest
from ...reference.typing import Array, Gradient
from ...reference.wanted import DEFAULT, PARAMETERS, Of, kind_of
from ...rules.adapt import wanted_by
from ..target import expected
from .kept import kept

SLACK = 4.0


def allowance(claim: Claim, problem: Problem, field: RoundedField) -> dict[str, Array]:
    """Return absolute rounding allowances for the gradient of a claim.

    Args:
        claim: The claim, bound to settings.
        problem: A float problem.
        field: Scalars of the format.

    Returns:
        Float64 arrays by parameter; infinity where a product may overflow.
    """
    return allowance_of(lambda lifted: expected(claim, lifted), problem, field, of=wanted_by(claim))


def allowance_of(
    compute: Callable[[Problem], Gradient],
    problem: Problem,
    field: RoundedField,
    *,
    lost: float | None = None,
    of: Of = DEFAULT,
) -> dict[str, Array]:
    """Return absolute rounding allowances for a function of a problem, see `allowance`.

    Args:
        compute: The function. It computes on the problem's scalars.
        problem: A float problem.
        field: Scalars of the format.
        lost: The result of `underflow`, if known.
        of: The kinds of arrays that it returns gradients of.
    """
    with np.errstate(all="ignore"):
        gradient = compute(problem.over(field))
        lost = underflow(problem, field, of) if lost is None else lost
        if field.flips:
            lost = float("inf")
        return {name: SLACK * field.errors(array) + lost for name, array in gradient.items()}


def normwise(claim: Claim, problem: Problem, field: NormwiseField) -> dict[str, Array]:
    """Return absolute rounding allowances for algorithms that mix the entries of an array.

    Args:
        claim: The claim, bound to settings.
        problem: A float problem.
        field: Scalars of the format.

    Returns:
        Float64 arrays by name: one number for all arrays that act on the state, and one for each other.
    """
    each = allowance(claim, problem, field)
    together = _of_steps(problem) | {name for name in each if kind_of(name) != PARAMETERS}
    together &= set(each)
    found: dict[str, Array] = {}
    for name in each:
        mixed = together if name in together else {name}
        size = sum(each[n].size for n in mixed)
        largest = max(float(each[n].max(initial=0.0)) for n in mixed)
        found[name] = np.full(each[name].shape, np.sqrt(size) * largest)
    return found


def _of_steps(problem: Problem) -> set[str]:
    """Return the parameters that a step uses."""
    unrolled = lags.unroll(problem.prefix(1))
    use, _ = unrolled.back(1, map_nest(np.ones_like, unrolled.states[0]))
    return {name for name, part in use.items() if part.terms}


def underflow(problem: Problem, field: RoundedField, of: Of = DEFAULT) -> float:
    """Bound the error of an entry by underflow, in any association of the factors; infinity if one may overflow.

    Args:
        problem: A float problem.
        field: Scalars of the format.
        of: The kinds of arrays that a gradient is wanted of.
    """
    if not field.eta:
        return 0.0
    with np.errstate(all="ignore"):
        reach = kept(problem, (_reach, of), functools.partial(_reach, problem, of))
    products = problem.T * sum(size for size in (problem.sizes.I, problem.sizes.D, problem.sizes.K))
    return float(field.eta * reach * products**2) if reach < field.largest else float("inf")


def _reach(problem: Problem, of: Of) -> float:
    """Bound the product of any factors of a path, by 1 or the 1-norm of each step's Jacobian, error and use."""
    unrolled = lags.unroll(problem, of)
    reach, errors, uses = 1.0, 1.0, 1.0
    for t in range(1, problem.T + 1):
        errors += _size(unrolled.enter(t)[1])
        steepest = 1.0
        for unit in _units(unrolled.states[t - 1]):
            use, jacobian = unrolled.back(t, unit)
            steepest = max(steepest, _size(jacobian))
            uses = max(uses, *(float(part.size()) for part in use.values()))
        reach *= steepest
    total = reach * errors * uses
    return float(total) if np.isfinite(total) else float("inf")


def _size(state: Any) -> float:
    """Sum the absolute values of all entries."""
    sizes: list[float] = []
    map_nest(lambda array: sizes.append(float(np.abs(array).sum())), state)
    return sum(sizes)


def _units(state: Any) -> list[Any]:
    """List the unit vectors of a state's shape."""
    parts: list[Array] = []
    map_nest(parts.append, state)
    made = []
    for chosen, index in ((k, index) for k, part in enumerate(parts) for index in np.ndindex(*part.shape)):
        zeros = [np.zeros(part.shape) for part in parts]
        zeros[chosen][index] = 1
        remaining = iter(zeros)
        made.append(map_nest(lambda _, r=remaining: next(r), state))
    return made
