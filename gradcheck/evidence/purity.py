"""Purity: the claim that every rule makes by being called a rule.

Right keys, shapes and dtype, finite values, inputs untouched, nothing shared with the inputs, nothing kept
between calls. What a rule prints is kept from the terminal and noted; it is no fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..problems import lively_problem
from ..reference.claims import Settings
from ..reference.network import Sizes
from ..reference.problem import Problem
from ..results import Run, run
from ..verdicts import Evidence, Status, Strength
from . import Case, Finding, Witness, place, spread

SIZES = (Sizes(5, 4, 2, 3), Sizes(3, 6, 3, 2), Sizes(1, 1, 1, 1), Sizes(2, 1, 2, 1), Sizes(6, 3, 1, 2))


class Impure(Exception):
    """What the rule did that a rule must not; the message is for its author."""


def judge(case: Case, *, sizes: Sequence[Sizes] = SIZES) -> Finding:
    """Run the rule on float64 problems of these sizes; raises `RuleFailed` or `WrongResult` where it does."""
    printed, formats, runs = "", set[str](), 0
    for size in sizes:
        for settings in spread(case.rule.settings(size.T), 4):
            problem = lively_problem(case.network, size, case.seed, weighted=case.weighted)
            try:
                seen = _check(case, problem, settings)
            except Impure as error:
                at = f" (at {place(size, settings)})"
                return Finding(
                    Evidence("purity", Status.REFUTED, Strength.NONE, f"{error}{at}"),
                    Witness(case.network, size, settings, str(error), problem),
                )
            printed = printed or seen.printed
            formats |= {array.dtype.name for array in seen.gradient.values()} - {"float64"}
            runs += 1
    first = printed.strip().splitlines()[:1]
    format_note = (
        f"; it returns {', '.join(sorted(formats))} for float64 and is judged at that precision" if formats else ""
    )
    note = f"; it printed, first {first[0][:60]!r} (kept from the terminal)" if first else ""
    return Finding(
        Evidence(
            "purity",
            Status.HOLDS,
            Strength.SUPPORTED,
            f"right keys, shapes and dtype, finite, inputs untouched, same result when called again{format_note}{note}",
            scope=f"{runs} problems at {len(sizes)} sizes",
            blind="what it does on inputs that were not tried",
            details={"printed": printed.strip()[:2000]} if first else {},
        )
    )


def _check(case: Case, problem: Problem, settings: Settings) -> Run:
    given = problem.copy()
    first = run(case.rule, given, settings)
    if list(given.parameters) != list(problem.parameters):
        raise Impure("it changed the keys of problem.parameters; work on a copy of the dict")
    for name, array in problem.arrays().items():
        if not np.array_equal(given.arrays()[name], array):
            raise Impure(f"it changed its input {name}; work on a copy")
    for key, array in first.gradient.items():
        if array.dtype.kind != "f":
            raise Impure(f"its {key} has dtype {array.dtype}; wanted {problem.parameters[key].dtype}")
        if not np.isfinite(array).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            raise Impure(f"its {key} holds {array[where]} at {list(where)}, where the gradient is finite")
        for name, source in given.arrays().items():
            if np.shares_memory(array, source):
                raise Impure(f"its {key} is a view of its input {name}; return a copy")
    kept = {key: array.copy() for key, array in first.gradient.items()}
    other = lively_problem(case.network, problem.sizes, case.seed + 1, weighted=case.weighted)
    between = run(case.rule, other, settings)
    _reject_shared(first, between)
    again = run(case.rule, problem.copy(), settings)
    for key, array in again.gradient.items():
        if not np.array_equal(array, kept[key]) and not _within_rounding(array, kept[key], problem):
            raise Impure(
                f"its {key} differs between two calls on the same problem, by up to "
                f"{np.abs(array - kept[key]).max():.3g}: it keeps state, or draws random numbers"
            )
    return first


def _reject_shared(first: Run, second: Run) -> None:
    for key, array in first.gradient.items():
        for other_key, other in second.gradient.items():
            if np.shares_memory(array, other):
                raise Impure(f"its {key} shares memory with the {other_key} of the next call; return fresh arrays")


def _within_rounding(a: Any, b: Any, problem: Problem) -> bool:
    """Threaded sums may differ in their last bits: gamma_n of all the products there are, relative to the largest."""
    s = problem.sizes
    n = s.T * (s.I + s.D + s.K) * 4
    return bool(np.abs(a - b).max() <= n * np.finfo(a.dtype).eps * np.abs(b).max())
