"""Online: contributions that do not depend on what comes later, and storage that does not grow with the sequence."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from ...algorithms.online import run_online
from ...problems.lively import lively_problem
from ...records import Evidence, Status, Strength
from ...reference.claims import Settings
from ...reference.errors import UnsupportedOperation
from ...reference.networks.base import Sizes
from ...reference.problem import Problem
from ...reference.typing import Gradient
from ...rules.call import RuleFailed, run
from ..base import Case, Finding, not_run, place, spread
from ..preconditions.purity import within_rounding
from . import counted as counting
from . import measured as growth
from .counts.costs import costs

CAUSALITY = "causality"
SIZES = (Sizes(9, 4, 2, 2), Sizes(5, 2, 3, 1))


def causality(case: Case, *, progress: Callable[[str], None] = lambda _: None) -> Finding:
    """Whether the contributions up to a step are the same, but for threaded sums, for two ways to go on."""
    if not case.rule.online:
        return not_run(
            CAUSALITY,
            "the rule is a function of the whole sequence, so that its contributions are not to be seen; write it as a "
            "class with start and step to have it judged",
        )
    compared = 0
    for size in SIZES:
        for settings in spread(case.rule.settings(size.T), 3):
            progress(f"causality at {place(size, settings)}")
            problem = lively_problem(case.network, size, case.seed, weighted=case.weighted)
            whole = _contributions(case, problem, settings)
            for steps in range(1, size.T):
                other = _contributions(case, _going_on_otherwise(problem, steps, case.seed), settings)
                for t in range(steps):
                    compared += 1
                    if not _same(whole[t], other[t], problem):
                        text = f"the contribution of step {t + 1} changes with what comes after step {steps}"
                        text += f" ({place(size, settings)})"
                        return Finding(Evidence(CAUSALITY, Status.REFUTED, Strength.CERTIFIED, text))
    text = "the contributions up to a step are the same for two sequences that differ after it"
    scope = f"{compared} contributions, {'; '.join(map(str, SIZES))}"
    return Finding(Evidence(CAUSALITY, Status.HOLDS, Strength.CERTIFIED, text, scope, "sequences that were not tried"))


def storage(case: Case, *, progress: Callable[[str], None] = lambda _: None) -> Finding:
    """Whether the numbers that the rule keeps at once are as many for any T."""
    progress("counting numbers kept")
    try:
        kept = costs(case.rule, case.network, case.seed).storage
    except UnsupportedOperation as error:
        return not_run(counting.KIND, f"the rule does not run on counted numbers: {error}")
    except RuleFailed as error:
        return Finding(Evidence(counting.KIND, Status.ERROR, Strength.NONE, str(error)))
    if kept.fitted is None:
        return Finding(Evidence(counting.KIND, Status.INCONCLUSIVE, Strength.NONE, f"storage is {kept.told}"))
    if not kept.steady:
        text = f"storage is {kept.told}, but {counting.UNSTEADY}"
        return Finding(Evidence(counting.KIND, Status.INCONCLUSIVE, Strength.NONE, text))
    grows = kept.fitted.polynomial.degree("T") > 0 or bool(kept.rays.get(frozenset("T")))
    text = f"storage is {kept.told}, which {'grows with T' if grows else 'does not grow with T'}"
    status = Status.REFUTED if grows else Status.HOLDS
    return Finding(Evidence(counting.KIND, status, Strength.EXACT, text, "", counting.BLIND, {"storage": kept.details}))


def measured_storage(case: Case, *, progress: Callable[[str], None] = lambda _: None) -> Finding:
    """As `storage` for a rule that cannot be counted: SUPPORTED or INCONCLUSIVE."""
    exponent = next(e for e in growth.exponents(case, progress)["storage"] if e.size == "T")
    text = f"memory grows with exponent {exponent}"
    if exponent.high >= 0.5:
        return Finding(Evidence(counting.GROWTH, Status.INCONCLUSIVE, Strength.NONE, text))
    blind = "memory that neither Python nor NumPy allocates"
    return Finding(Evidence(counting.GROWTH, Status.HOLDS, Strength.SUPPORTED, text, "", blind))


def _going_on_otherwise(problem: Problem, steps: int, seed: int) -> Problem:
    """The same up to that step, and as many steps of another sequence after it."""
    other = lively_problem(problem.network, problem.sizes, seed + 17)
    inputs, targets = problem.inputs.copy(), problem.targets.copy()
    inputs[steps:], targets[steps:] = other.inputs[steps:], other.targets[steps:]
    return problem.replace(inputs=inputs, targets=targets)


class _Recorded:
    """An online rule whose contributions are copied as they come."""

    def __init__(self, rule: Any) -> None:
        self.rule, self.start = rule, rule.start
        self.contributions: list[Gradient | None] = []

    def step(self, *arguments: Any) -> Any:
        state, came = self.rule.step(*arguments)
        self.contributions.append(came and {name: np.array(array) for name, array in came.items()})
        return state, came

    def finish(self, state: Any) -> Any:
        return self.rule.finish(state) if hasattr(self.rule, "finish") else None


def _contributions(case: Case, problem: Problem, settings: Settings) -> list[Gradient | None]:
    """What each step contributed; None where it did not."""
    target, weighted = case.rule.target, case.weighted
    recorded: list[_Recorded] = []

    def function(given: Problem) -> Any:
        recorded.append(_Recorded(target(**settings) if isinstance(target, type) else target))
        return run_online(recorded[-1], given, weighted=weighted)

    run(dataclasses.replace(case.rule, function=function), problem.copy())
    return recorded[-1].contributions


def _same(a: Gradient | None, b: Gradient | None, problem: Problem) -> bool:
    if a is None or b is None:
        return a is b
    return a.keys() == b.keys() and all(
        np.array_equal(a[name], b[name], equal_nan=True) or within_rounding(a[name], b[name], problem) for name in a
    )
