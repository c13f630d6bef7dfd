"""Cheap comparison with floats on many problems, to find those on which a certified one is worth its time.

Sizes are those next to the whole numbers in the rule's code and next to their products, and next to those that kernels
are made of. Code without a branch can be wrong there too, as `x[:64]` and `range(min(T, 100))` are, and so can compiled
code. These problems have numbers of all 53 bits, so that an array that passes through a coarser format at some sizes
only is noticed. Values are those of `problems.structured`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...problems.extremes import moderate
from ...problems.lively import lively_problem
from ...problems.structured import structured
from ...problems.trained import SETTLED, trained_problems
from ...reference.claims import Claim
from ...reference.errors import GradcheckError
from ...reference.networks.base import Sizes
from ...reference.networks.sizes import fitting
from ...reference.problem import Problem
from ...reference.typing import Gradient
from ..base import Case, Progress
from ..sizes import spread
from ..target import expected, returned
from .comparison import compare_on, known_on_floats
from .reach import DRAW, FULL_BITS, Reach

VALUED = Sizes(9, 4, 4, 3)
"""Size of the problems with structured values."""
DRAWN, DRAWS = Sizes(2, 2, 1, 1), 150
"""Size and number of problems with unrelated numbers."""
_CALL_SECONDS, _WIDE = 1.0, 16
"""Processor time of one size; those of more units than some that are predicted to take longer are left out."""
PROBED = Sizes(2, 8, 2, 2)
"""Size at which a call is timed, and at half as many units, before one at many."""
LONGEST, WIDEST, MOST_INPUTS = 260, 130, 260
"""The largest T, I, and D or K that are tried."""
LONGEST_NAMED, WIDEST_NAMED = 1040, 520
"""The largest T, and I, that are tried where the rule's code holds that very number."""
LARGEST_JOINT = 70
"""The largest number of the code that T, I, D and K exceed at once."""
JOINT = (Sizes(41, 41, 2, 2), Sizes(65, 65, 3, 3), Sizes(129, 65, 2, 2), Sizes(3, 183, 2, 2))
"""Sizes that are large together; at 183 units an entry of R has a place that 16 bits do not hold."""
BLOCKS = (32, 64, 128, 256)
"""Sizes of which kernels are made."""
_CLOSE, _EPSILONS = 2.0**-36, 2.0**8
"""Distance in units of a parameter's largest entry: a number, or that many epsilons of the result's format.

A certified comparison decides what lies beyond.
"""
_MOST, _MOST_FACTORS = 3, 8


@dataclass(frozen=True)
class Limits:
    """Times after which nothing further is tried.

    Attributes:
        sizes: Processor time for sizes (seconds).
        values: Processor time for values (seconds).
        wall: Wall time for either (seconds).
    """

    sizes: float
    values: float
    wall: float = 10.0


FIRST = Limits(3.0, 2.0)
"""Limits for a rule's first network."""
_OTHERS, _LEAST, _MOST_EACH = 3.0, 0.1, 1.0


def limits_of_others(number: int) -> Limits:
    """Return the limits for each of a rule's further networks, which share some seconds.

    Args:
        number: The number of further networks that are screened.
    """
    each = min(max(_OTHERS / (2 * number), _LEAST), _MOST_EACH)
    return Limits(each, each)


def by_size(
    case: Case, numbers: Mapping[type, Sequence[float]], blocks: bool, limits: Limits, progress: Progress
) -> list[Reach]:
    """Return problems, at most a few, on which the rule's result is not close to what is claimed, or the rule fails.

    Args:
        case: The rule and its claim.
        numbers: The whole numbers in the rule's code, and the others, by type.
        blocks: Try the sizes that kernels are made of too.
        limits: The time that it may take.
        progress: Called with a line of text at each try.
    """
    found: list[Reach] = []
    start, deadline = time.process_time(), time.monotonic() + limits.wall
    widest, pace = 0, 0.0  # of the widest size so far: its units, and its seconds for each step
    for each in _sizes(numbers, blocks):
        begun, reach = time.process_time(), Reach(fitting(case.network, each, alive=True), FULL_BITS)
        sizes = reach.sizes
        if len(found) == _MOST or begun - start > limits.sizes or time.monotonic() > deadline:
            break
        if widest > _WIDE and pace * sizes.T * max(sizes.I / widest, 1) ** 4 > _CALL_SECONDS:
            continue
        progress(str(sizes))
        if not _close(case, reach.problem(case), expected, fails=False):
            found.append(reach)
        if sizes.I >= widest:
            widest, pace = sizes.I, (time.process_time() - begun) / sizes.T
    return found


def by_value(case: Case, values: tuple[float, ...], limits: Limits, progress: Progress) -> list[Reach]:
    """Return a problem on which the result is provably not what is claimed, if there is one.

    Values are those of trained networks, then structured, and after that drawn often at one size: a rule that tells
    problems apart by too little takes one of them for another. A certified comparison follows at once, since at some
    values a right rule may lose digits; it alone sees a state that is taken for settled a little early. Extreme values
    are left to `stability`.

    Args:
        case: The rule and its claim.
        values: The numbers of the rule's code that problems are made with.
        limits: The time that it may take.
        progress: Called with a line of text at each try.
    """
    start, deadline = time.process_time(), time.monotonic() + limits.wall
    base = lively_problem(case.network, VALUED, case.seed, weighted=case.weighted)
    drawn = (Reach(fitting(case.network, DRAWN, alive=True), f"{DRAW}{number}") for number in range(DRAWS))
    trained = trained_problems(case.network, case.seed, weighted=case.weighted).items()
    tried = itertools.chain(
        ((Reach(problem.sizes, name), problem) for name, problem in trained),
        ((Reach(VALUED, name, values), problem) for name, problem in structured(base, values)),
        ((reach, reach.problem(case)) for reach in drawn),
    )
    slow = functools.cache(lambda sizes: sizes.I > _WIDE and _predicted(case, sizes) > _CALL_SECONDS)
    for reach, problem in tried:
        if time.process_time() - start > limits.values or time.monotonic() > deadline:
            break
        if slow(problem.sizes):
            continue
        progress(str(reach))
        doubted = reach.change in SETTLED or not _close(case, problem, known_on_floats, fails=True)
        if doubted and moderate(problem) and _outside(case, problem):
            return [reach]
    return []


def _predicted(case: Case, sizes: Sizes) -> float:
    """Predict the processor time of a call at many units from its growth between few of them, in seconds."""
    few, more = (_timed(case, dataclasses.replace(PROBED, I=units)) for units in (PROBED.I // 2, PROBED.I))
    growth = math.pow(max(more / few, 1.0), math.log2(sizes.I / PROBED.I))
    return more * growth * sizes.T / PROBED.T


def _timed(case: Case, sizes: Sizes) -> float:
    """Return the processor time of a call, in seconds; a rule that fails is not slow."""
    problem = lively_problem(case.network, fitting(case.network, sizes, alive=True), case.seed, weighted=case.weighted)
    settings, start = spread(case.rule.settings(problem.T), 1, 1)[0], time.process_time()
    with contextlib.suppress(GradcheckError):
        returned(case.rule, case.claim, problem, settings)
    return max(time.process_time() - start, 1e-6)


def _outside(case: Case, problem: Problem) -> bool:
    """Return True if the result is provably outside its allowance; False where the rule does not run."""
    settings = spread(case.rule.settings(problem.T), 1, 1)[0]
    try:
        seen, *_ = compare_on(case.rule, case.claim.bind(settings), problem, settings)
    except GradcheckError:
        return False
    return seen.outside is not None


def _sizes(numbers: Mapping[type, Sequence[float]], blocks: bool) -> Iterator[Sizes]:
    """Yield sizes next to the numbers, the cheapest first."""
    named = [*numbers[int], *(n for n in numbers[float] if n == int(n))]
    whole = dict.fromkeys(int(n) for n in named if 1 < n <= LONGEST_NAMED)
    near = [m for n in whole for m in (n - 1, n, n + 1, 2 * n, 2 * n + 1, 3 * n)]
    products = {m * n for m, n in itertools.combinations(list(whole)[:_MOST_FACTORS], 2)}
    near += [m for n in BLOCKS if blocks for m in (n, n + 1)]
    tried = {Sizes(n, 2, 2, 1) for n in near if 0 < n <= LONGEST}
    tried |= {Sizes(m, 2, 2, 1) for n in products if n < LONGEST for m in (n, n + 1)}
    tried |= {Sizes(m, 2, 2, 1) for n in whole if n > LONGEST for m in (n, n + 1)}
    tried |= {Sizes(3, n, 2, 2) for n in near if 0 < n <= WIDEST}
    tried |= {Sizes(3, m, 2, 2) for n in whole if WIDEST < n <= WIDEST_NAMED for m in (n, n + 1)}
    tried |= {Sizes(n + 1, n + 1, n + 1, n + 1) for n in whole if n <= LARGEST_JOINT}
    tried |= set(JOINT if blocks else ())
    tried |= {Sizes(3, 3, n, n) for n in near if 0 < n <= MOST_INPUTS}
    yield from sorted(tried, key=lambda s: (s.T * (100 + s.I * (s.I + s.D + s.K)), s))


def _close(case: Case, problem: Problem, promised: Callable[[Claim, Problem], Gradient], *, fails: bool) -> bool:
    """Return True if the result is close to the claimed one, both on floats, or if that cannot be said.

    Args:
        case: The rule and its claim.
        problem: The problem.
        promised: Returns the gradient that a claim promises for a problem.
        fails: The value to return if the rule raises an error.
    """
    settings = spread(case.rule.settings(problem.T), 1, 1)[0]
    try:
        with np.errstate(all="ignore"):
            wanted = promised(case.claim.bind(settings), problem)
    except GradcheckError:
        return True
    try:
        return _near(returned(case.rule, case.claim, problem.copy(), settings), wanted)
    except GradcheckError:
        return fails


def _near(result: Gradient, wanted: Gradient) -> bool:
    """Return True if every entry is near, in units of its parameter's largest and of the result's own format."""
    for name, array in result.items():
        size = float(np.abs(wanted[name]).max(initial=0.0))
        epsilon = float(np.finfo(array.dtype).eps) if array.dtype.kind == "f" else 0.0
        most = max(_CLOSE, _EPSILONS * epsilon) * size
        if np.isfinite(size) and not (np.abs(array - wanted[name]) <= most).all():
            return False
    return True
