"""Second look at a result with an entry beyond its entry-wise rounding allowance: it may be right all the same.

* Norm-wise rounding. An algorithm that mixes the entries of an array rounds each as the largest, so an entry may be
  within the norm-wise allowance alone. A dropped term or a wrong factor may be as small. But rounding depends on the
  last bits of the problem's numbers, and these do not: where the error of an entry keeps its sign and its size, to a
  sixteenth, on `SAMPLES` problems that differ from this one in their last bits, it is no rounding. Errors drawn
  anew each time do so with a probability of 1/8 each at most, if their density is at most twice the uniform one.
* Kinks. Where the network's own function has no derivative, the slope on either side is right, and each between them.
  A rule that is right on the problems of `beside`, close to such a point, took another slope there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np

from ...reference.errors import GradcheckError
from ...reference.networks.base import Capabilities, TargetDomain, ask
from ...reference.problem import Problem, loss, map_state
from ...reference.scalars.ball import BallField
from ...reference.scalars.rounded import RoundedField
from ...reference.typing import Array

SAMPLES = 16
_FINENESS, _BITS = 1100, 1600
"""One-sided slopes are taken over 2^-1100, below the smallest float; the precision leaves 500 bits for their values."""


@dataclass(frozen=True)
class Residual:
    """Errors of a result, entry by entry.

    Attributes:
        errors: The result less the true value, by parameter.
        allowed: The entry-wise allowances.
    """

    errors: dict[str, Array]
    allowed: dict[str, Array]


def keeps_its_error(
    problem: Problem, first: Residual, again: Callable[[Problem], Residual], dtype: Any
) -> tuple[str, tuple[int, ...]] | None:
    """Return the first entry with an error that does not depend on last bits, as (parameter, index), or None.

    Args:
        problem: The problem of the result.
        first: The errors on it.
        again: Runs the rule on another problem.
        dtype: The coarsest format of problem and result; last bits are those of this format.
    """
    rng = np.random.default_rng(7)
    kept = {name: np.abs(array) > first.allowed[name] for name, array in first.errors.items()}
    for _ in range(SAMPLES):
        seen = again(with_other_last_bits(problem, dtype, rng))
        for name, array in first.errors.items():
            with np.errstate(all="ignore"):
                near = np.abs(seen.errors[name] - array) <= np.abs(array) / 16
                kept[name] &= near & (np.abs(seen.errors[name]) > seen.allowed[name])
        if not any(array.any() for array in kept.values()):
            return None
    name = next(name for name, array in kept.items() if array.any())
    return name, tuple(map(int, np.argwhere(kept[name])[0]))


def with_other_last_bits(problem: Problem, dtype: Any, rng: np.random.Generator) -> Problem:
    """Return the problem with each number changed by up to four units in the last place; zeros stay."""
    eps = float(np.finfo(dtype).eps)
    return _changed(problem, lambda array: (array * (1 + eps * rng.integers(-4, 5, array.shape))).astype(array.dtype))


def at_a_kink(problem: Problem) -> bool:
    """Return True if the loss has two slopes along some line through the problem's numbers.

    Only where the network compares equal numbers can it have a kink. Slopes are taken on balls, between two points on
    each side. A smooth loss has slopes that differ by about the distance of these points; a kink has others. The lines
    are drawn from a fixed seed.
    """
    floats = RoundedField.for_dtype(problem.inputs.dtype)
    with np.errstate(all="ignore"):
        loss(problem.over(floats))
    if not floats.tied:
        return False
    field = BallField(_BITS)
    with field.working():
        for line in range(2):
            try:
                losses = [_loss_along(problem, field, line, step) for step in (-2, -1, 1, 2)]
            except GradcheckError:  # the network does not run on balls, or they do not settle what it compares
                return False
            left, right = losses[1] - losses[0], losses[3] - losses[2]
            if abs(left - right) > (abs(left) + abs(right)) * flint.arb(2) ** -100:
                return True
    return False


def beside(problem: Problem) -> list[Problem]:
    """Return problems that differ from this one by about a thousandth, zeros too, each in another direction."""
    found = []
    for seed in range(SAMPLES // 4):
        rng = np.random.default_rng([13, seed])
        found.append(_changed(problem, lambda array, rng=rng: _moved(array, rng)))  # type: ignore[misc]
    return found


def _moved(array: Array, rng: np.random.Generator) -> Array:
    scale = float(np.abs(array).max(initial=0.0)) or 1.0
    return (array + scale * 2.0**-10 * rng.uniform(-1, 1, array.shape)).astype(array.dtype)


def _loss_along(problem: Problem, field: BallField, line: int, step: int) -> Any:
    """Return the ball of the loss at the problem, moved a number of steps along a line."""
    rng, length = np.random.default_rng([11, line]), flint.arb(2) ** -_FINENESS * step

    def moved(array: Array) -> Array:
        towards = rng.uniform(-1, 1, array.shape).reshape(-1).tolist()
        values = (v + length * d for v, d in zip(field.natives(array), towards, strict=True))
        return field.array(values, array.shape)

    return field.natives(loss(_changed(problem.over(field), moved)))[0]


def _changed(problem: Problem, change: Callable[[Array], Array]) -> Problem:
    """Return the problem with its numbers changed: targets where the loss takes any, and no loss weights."""
    free = ask(problem.network, Capabilities.target_domain) is TargetDomain.REAL
    return problem.varied(
        parameters={name: change(array) for name, array in problem.parameters.items()},
        inputs=change(problem.inputs),
        targets=change(problem.targets) if free else problem.targets,
        initial_state=map_state(change, problem.initial_state),
    )
