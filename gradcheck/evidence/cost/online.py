"""Causality: contributions of an online rule do not depend on later steps, nor on how many there are."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from ...algorithms.online import run_online, stepping
from ...problems.lively import lively_problem
from ...records import Evidence, Status, Strength
from ...reference.claims import Settings
from ...reference.networks.base import Sizes, has_one_loss
from ...reference.noise import Noise
from ...reference.problem import Problem
from ...reference.typing import Gradient
from ...rules.adapt import presenting
from ...rules.call import run
from ...rules.failures import RuleFailed
from ...rules.returned import by_name
from ...rules.sources import seeded
from ..base import Case, Finding, Kind, Plan, Progress, not_run, settled, whole
from ..preconditions.calls import within_rounding
from ..sizes import place, spread
from .base import failed

KIND = "causality"
SIZES = (Sizes(9, 4, 2, 2), Sizes(5, 2, 3, 1))


@dataclasses.dataclass(frozen=True)
class Causality(Kind):
    """Contributions on sequences that agree up to a step, and go on in other ways or end there.

    They must agree up to that step too, but for rounding of threaded sums.
    """

    kind: ClassVar[str] = KIND
    strength: ClassVar[Strength] = Strength.CERTIFIED

    sizes: Sequence[Sizes] = SIZES

    def plan(self, case: Case) -> Plan:
        if not case.rule.online:
            text = (
                "the rule is a function of the whole sequence, so its contributions cannot be seen; write it as a "
                "class with start and step"
            )
            return settled(KIND, not_run(KIND, text))
        return whole(KIND, lambda progress: _compare(case, self.sizes, progress))


def _compare(case: Case, sizes: Sequence[Sizes], progress: Progress) -> Finding:
    try:
        return _compared(case, sizes, progress)
    except RuleFailed as error:
        return failed(KIND, error)


def _compared(case: Case, sizes: Sequence[Sizes], progress: Progress) -> Finding:
    compared = 0
    for size in sizes:
        for settings in spread(case.rule.settings(size.T), 3):
            progress(place(size, settings))
            problem = lively_problem(case.network, size, case.seed, weighted=case.weighted)
            entire = _contributions(case, problem, settings)
            for steps in range(1, size.T):
                for ending, other in _endings(problem, steps, case.seed):
                    contributed = _contributions(case, other, settings)
                    for t in range(steps):
                        compared += 1
                        if not _same(entire[t], contributed[t], problem):
                            text = f"the contribution of step {t + 1} depends on {ending}"
                            text += f" ({place(size, settings)})"
                            return Finding(Evidence(KIND, Status.REFUTED, Strength.CERTIFIED, text))
    text = "the contributions up to a step are the same for sequences that differ after it, or end there"
    scope = f"{compared} contributions, {'; '.join(map(str, sizes))}"
    return Finding(Evidence(KIND, Status.HOLDS, Strength.CERTIFIED, text, scope, "sequences that were not tried"))


def _endings(problem: Problem, steps: int, seed: int) -> Iterator[tuple[str, Problem]]:
    """Yield problems that agree with this one up to step `steps`, with what differs."""
    other = lively_problem(problem.network, problem.sizes, seed + 17, weighted=True)
    changed = {}
    for name in ("inputs", "targets", "loss_weights"):
        changed[name] = getattr(problem, name).copy()
        changed[name][steps:] = getattr(other, name)[steps:]
    yield f"steps after {steps}", problem.replace(**changed)
    if has_one_loss(problem.network):
        yield "how many steps follow", problem.prefix(steps)


class _Recorded:
    """An online rule that keeps a copy of each contribution."""

    def __init__(self, rule: Any) -> None:
        self.rule, self.start = rule, rule.start
        self.contributions: list[Gradient | None] = []
        self.step = stepping(rule, self._step)

    def _step(self, *arguments: Any) -> Any:
        state, part = self.rule.step(*arguments)
        self.contributions.append(part and {name: np.array(array) for name, array in by_name(part).items()})
        return state, part

    def finish(self, state: Any) -> Any:
        return self.rule.finish(state) if hasattr(self.rule, "finish") else None


def _contributions(case: Case, problem: Problem, settings: Settings) -> list[Gradient | None]:
    """Return the contribution of each step, or None for a step without one."""
    target, weighted = case.rule.target, case.weighted
    recorded: list[_Recorded] = []

    def function(given: Problem, noise: Noise | None = None) -> Any:
        recorded.append(_Recorded(target(**settings) if isinstance(target, type) else target))
        return run_online(recorded[-1], given, weighted=weighted, noise=noise)

    rule = case.rule.drawing(seeded(case.seed))  # the same for problems that differ after a step
    run(dataclasses.replace(rule, function=presenting(function)), problem.copy())
    return recorded[-1].contributions


def _same(a: Gradient | None, b: Gradient | None, problem: Problem) -> bool:
    if a is None or b is None:
        return a is b
    return a.keys() == b.keys() and all(
        np.array_equal(a[name], b[name], equal_nan=True) or within_rounding(a[name], b[name], problem) for name in a
    )
