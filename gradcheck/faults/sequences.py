"""The rule for faults on several sequences: the gradient of R_emp over the two halves of a problem.

The first ceil(T/2) steps of a problem are one sequence, and the rest, if T > 1, another. Both start from the problem's
initial state. R_emp is the mean of their losses.
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
    """Return the two halves of a problem, or the problem if T = 1."""
    middle = (problem.T + 1) // 2
    second = problem.replace(
        inputs=problem.inputs[middle:], targets=problem.targets[middle:], loss_weights=problem.loss_weights[middle:]
    ) if problem.T > 1 else None  # fmt: skip
    return [problem.prefix(middle), *([second] if second else [])]


def risk(problem: Problem) -> Any:
    """Return R_emp over the halves of a problem."""
    return empirical_risk(halves(problem))


def mean_of_halves(problem: Problem) -> Gradient:
    """Return the gradient of `risk`, from the reference."""
    total, *others = gradients = [lags.gradient(half) for half in halves(problem)]
    for gradient in others:
        total = {name: total[name] + gradient[name] for name in total}
    return {name: array / len(gradients) for name, array in total.items()}


def over_halves(risk_gradient: Callable[..., Gradient]) -> Any:
    """Return a rule that passes the halves of its problem to a risk gradient, with `bptt` for each sequence."""

    @rule(Equals(mean_of_halves), weighted=True)
    def risk_over_halves(problem: Problem) -> Gradient:
        return risk_gradient(bptt, halves(problem))

    return risk_over_halves
