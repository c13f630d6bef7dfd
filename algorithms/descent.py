"""Gradient descent on the empirical risk, with the gradient by any rule.

    R_emp(w) = (1/N) sum_n L(sequence n; w)
    w_new = w_old - eta grad R_emp(w_old)
Both are the lecture's; with N = 1 it is the step for one sample. Sequences may differ in length.
Cost: N runs of the rule per step.

`descend_at_each_step` changes the parameters while a sequence runs, as online learning does:
    w <- w - eta c_t   after step t, with c_t the contribution of step t
Its steps are the gradient of no function; see the chapter on learning.
Source: Williams & Zipser 1989, section 3.2, who call the algorithm real-time for this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gradcheck.reference.claims import Declaration
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.noise import Noise
from gradcheck.reference.problem import Problem, empirical_risk, loss
from gradcheck.reference.typing import Array, Gradient, Parameters

from .online import OnlineRule, Rule, run_rule


class Descent(NamedTuple):
    """The parameters w before the first step and after each, and R_emp at each of them."""

    parameters: tuple[Parameters, ...]
    risks: tuple[Any, ...]


def risk_gradient(rule: Rule, problems: Sequence[Problem], *, noise: Noise | None = None, **settings: int) -> Gradient:
    """Return the mean over sequences of the gradients of `rule`; `settings` are its own keyword arguments.

    A stochastic rule draws anew from `noise` for each sequence. Raises `GradcheckError` for no sequences, for sequences
    that do not share network and parameters, and for noise that is missing or not wanted.
    """
    _require_shared(problems)
    gradients = [run_rule(rule, problem, noise=noise, **settings) for problem in problems]
    total = gradients[0]
    for gradient in gradients[1:]:
        total = {name: total[name] + gradient[name] for name in total}
    return {name: array / len(problems) for name, array in total.items()}


def descend(
    rule: Rule,
    problems: Sequence[Problem],
    *,
    learning_rate: float,
    steps: int,
    noise: Noise | None = None,
    **settings: int,
) -> Descent:
    """Take `steps` steps of gradient descent from the problems' parameters, which stay as they are.

    Raises `GradcheckError` as `risk_gradient` does, for a learning rate that is not positive and finite, for
    a negative number of steps, and where the parameters overflow.
    """
    if isinstance(learning_rate, bool) or not (0 < learning_rate < np.inf):
        raise GradcheckError(f"learning_rate must be positive and finite; got {learning_rate!r}")
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 0:
        raise GradcheckError(f"steps must be a whole number, at least 0; got {steps!r}")
    _require_shared(problems)
    eta = float(learning_rate)
    trajectory, risks = [problems[0].parameters], [empirical_risk(problems)]
    for step in range(1, steps + 1):
        gradient = risk_gradient(rule, problems, noise=noise, **settings)
        parameters = {name: w - eta * gradient[name] for name, w in trajectory[-1].items()}
        if not all(_is_finite(w) for w in parameters.values()):
            raise GradcheckError(f"the parameters overflowed at step {step}; try a learning_rate below {learning_rate}")
        problems = [problem.replace(parameters=parameters) for problem in problems]
        trajectory.append(parameters)
        risks.append(empirical_risk(problems))
    return Descent(tuple(trajectory), tuple(risks))


def descend_at_each_step(rule: OnlineRule | type[OnlineRule], problem: Problem, *, learning_rate: Any) -> Descent:
    """Step down each contribution of an online rule as soon as it is made, over one sequence.

    The rule reads the parameters through the dict that `start` got, and they change there. What it carries from
    earlier steps, such as RTRL's influence matrix, stays that of the earlier parameters.

    Args:
        rule: An online rule that contributes at every step, or the class of one.
        problem: The sequence; its own parameters stay as they are.
        learning_rate: eta, a number or a scalar of the problem's field.

    Returns:
        The parameters before the first step and after each, and the loss of the whole sequence at each of them.

    Raises:
        GradcheckError: The rule gathers steps before it contributes.
    """
    made = rule() if isinstance(rule, type) else rule
    if hasattr(made, "finish"):
        raise GradcheckError(f"{type(made).__name__} contributes after its last step; wanted a contribution every step")
    weighted = getattr(made, "__gradcheck__", Declaration()).weighted
    parameters = {name: w.copy() for name, w in problem.parameters.items()}
    state = made.start(problem.network, parameters, problem.initial_state)
    trajectory = [dict(parameters)]
    for x, y, weight in zip(problem.inputs, problem.targets, problem.loss_weights, strict=True):
        state, contribution = made.step(state, x, y, weight) if weighted else made.step(state, x, y)
        if contribution is None:
            raise GradcheckError(f"{type(made).__name__} contributed nothing; wanted a contribution every step")
        parameters.update({name: w - learning_rate * contribution[name] for name, w in parameters.items()})
        trajectory.append(dict(parameters))
    return Descent(tuple(trajectory), tuple(loss(problem.replace(parameters=w)) for w in trajectory))


def _require_shared(problems: Sequence[Problem]) -> None:
    if not problems:
        raise GradcheckError("R_emp is a mean over sequences; got none")
    first = problems[0]
    for i, problem in enumerate(problems[1:], start=2):
        if problem.network != first.network:
            raise GradcheckError(
                f"R_emp belongs to one network; sequence 1 has {first.network}, sequence {i} has {problem.network}"
            )
        for name, w in first.parameters.items():
            if not _same(w, problem.parameters[name]):
                raise GradcheckError(f"R_emp is at one point; sequence {i} has other values of {name} than sequence 1")


def _same(a: Array, b: Array) -> bool:
    if a is b:
        return True
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    field = getattr(a, "field", None)
    if field is None:
        return bool((a == b).all())
    if a.dtype == object:  # == on such scalars may have no answer; their field knows
        return all(field.equal(p, q) for p, q in zip(field.natives(a), field.natives(b), strict=True))
    return bool(field.equal(a, b).all())


def _is_finite(w: Array) -> bool:
    return w.dtype == object or bool(np.isfinite(w).all())
