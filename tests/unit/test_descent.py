"""Descent on the empirical risk, against the derivative of the risk itself."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from rule_cases import natives, problem_on

from gradcheck.algorithms import RTRL, Schmidhuber, bptt, descend, risk_gradient, truncated_bptt, windowed_bptt
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import Network, Sizes
from gradcheck.reference.problem import Problem, empirical_risk
from gradcheck.reference.scalars.precise import PreciseField
from gradcheck.reference.scalars.residues.array import ResidueField
from gradcheck.reference.scalars.residues.modular import ModularField


def sequences() -> list[Problem]:
    long = problem_on(Network(), Sizes(6, 3, 2, 2), 1)
    short = problem_on(Network(), Sizes(2, 3, 2, 2), 2)
    return [long, short.replace(parameters=long.parameters), long.prefix(3)]


@pytest.mark.parametrize(
    "target", [bptt, RTRL, Schmidhuber, Schmidhuber(2)], ids=["bptt", "RTRL", "Schmidhuber", "Schmidhuber(2)"]
)
def test_risk_gradient_is_the_derivative_of_the_empirical_risk(target: Any) -> None:
    problems, field = sequences(), PreciseField(50)
    gradient = risk_gradient(target, problems)
    with field.working():
        lifted, h = [p.over(field) for p in problems], Fraction(1, 10**20)
        for name, index in [("W", (1, 2)), ("R", (0, 1)), ("V", (2, 0))]:
            sides = []
            for sign in (1, -1):
                moved = lifted[0].parameters[name].copy()
                moved[index] = moved[index] + sign * h
                point = {**lifted[0].parameters, name: moved}
                sides.append(empirical_risk([p.replace(parameters=point) for p in lifted]))
            wanted = float(field.native((sides[0] - sides[1]) / (2 * h)))
            assert gradient[name][index] == pytest.approx(wanted, rel=1e-12, abs=1e-14)


def test_descent_takes_the_lectures_steps_and_lowers_the_risk() -> None:
    problems = sequences()
    before = {name: w.copy() for name, w in problems[0].parameters.items()}
    path = descend(bptt, problems, learning_rate=0.125, steps=5)
    assert len(path.parameters) == len(path.risks) == 6
    assert all(later < earlier for earlier, later in zip(path.risks, path.risks[1:], strict=False)), path.risks
    gradient = risk_gradient(RTRL, problems)
    for name, w in before.items():
        np.testing.assert_allclose(path.parameters[1][name], w - 0.125 * gradient[name], rtol=1e-13, atol=1e-15)
        assert np.array_equal(problems[0].parameters[name], w), f"{name} of the problem was changed"
    assert descend(bptt, problems, learning_rate=1, steps=0).risks == (empirical_risk(problems),)


def test_descent_runs_on_other_scalars_with_settings() -> None:
    slow, fast = ModularField(ResidueField().prime), ResidueField()
    linear = [p.replace(network=Network("identity")) for p in sequences()]
    for field in (slow, fast):
        problems = [p.over(field) for p in linear]
        end = descend(truncated_bptt, problems, learning_rate=0.5, steps=2, tau=2).parameters[-1]
        same = descend(windowed_bptt, problems, learning_rate=0.5, steps=2, horizon=2, stride=1).parameters[-1]
        for name in end:
            if field is slow:
                wanted = natives(slow, end)
                assert natives(slow, same) == wanted
            else:
                assert fast.residues(end[name]).reshape(-1).tolist() == [int(v) for v in wanted[name]]


def test_descent_keeps_float32() -> None:
    path = descend(bptt, [p.astype(np.float32) for p in sequences()], learning_rate=0.1, steps=2)
    assert {w.dtype for w in path.parameters[-1].values()} == {np.dtype(np.float32)}


def test_descent_is_validated() -> None:
    problems = sequences()
    moved = problems[1].replace(parameters={**problems[1].parameters, "R": problems[1].parameters["R"] + 1})
    field = ModularField()
    for message, wrong in [
        ("got none", []),
        ("sequence 2 has other values of R", [problems[0], moved]),
        ("sequence 2 has other values of R", [problems[0].over(field), moved.over(field)]),
        ("sequence 2 has other values of R", [problems[0].over(ResidueField()), moved.over(ResidueField())]),
        ("sequence 2 has other values of W", [problems[0], problems[1].astype(np.float32)]),
        ("sequence 2 has logistic", [problems[0], problems[1].replace(network=Network("logistic"))]),
    ]:
        with pytest.raises(GradcheckError, match=message):
            risk_gradient(bptt, wrong)
        with pytest.raises(GradcheckError, match=message):
            descend(bptt, wrong, learning_rate=0.1, steps=1)
    for eta in (0, -0.1, float("nan"), float("inf"), True):
        with pytest.raises(GradcheckError, match="learning_rate must be positive and finite"):
            descend(bptt, problems, learning_rate=eta, steps=1)
    for steps in (-1, 1.5, True):
        with pytest.raises(GradcheckError, match="steps must be a whole number"):
            descend(bptt, problems, learning_rate=0.1, steps=steps)  # type: ignore[arg-type]
    linear = [p.replace(network=Network("identity")) for p in problems]
    with pytest.raises(GradcheckError, match="overflowed at step 2; try a learning_rate below 1e\\+30"):
        with np.errstate(all="ignore"):
            descend(bptt, linear, learning_rate=1e30, steps=5)
