"""The rule whose faults concern several sequences: R_emp over the two halves of a problem.

A rule is given one problem. Its first ceil(T/2) steps are one sequence, the rest (none where T = 1) another, both from
the problem's initial state; what is wanted is the gradient of R_emp, the mean over them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..algorithms.bptt import bptt
from ..reference import lags
from ..reference.claims import Equals, rule
from ..reference.problem import Problem, empirical_risk
from ..reference.typing import Gradient


def halves(problem: Problem) -> list[Problem]:
    """Return the two sequences, or the one where T = 1."""
    middle = (problem.T + 1) // 2
    second = problem.replace(
        inputs=problem.inputs[middle:], targets=problem.targets[middle:], loss_weights=problem.loss_weights[middle:]
    ) if problem.T > 1 else None  # fmt: skip
    return [problem.prefix(middle), *([second] if second else [])]


def risk(problem: Problem) -> Any:
    """R_emp over the halves."""
    return empirical_risk(halves(problem))


def mean_of_halves(problem: Problem) -> Gradient:
    """Return the gradient of `risk`, from the reference."""
    total, *others = gradients = [lags.gradient(half) for half in halves(problem)]
    for gradient in others:
        total = {name: total[name] + gradient[name] for name in total}
    return {name: array / len(gradients) for name, array in total.items()}


def over_halves(risk_gradient: Callable[..., Gradient]) -> Any:
    """Return a rule: that risk gradient of the halves, each sequence's own by the shipped `bptt`."""

    @rule(Equals(mean_of_halves), weighted=True)
    def risk_over_halves(problem: Problem) -> Gradient:
        return risk_gradient(bptt, halves(problem))

    return risk_over_halves
