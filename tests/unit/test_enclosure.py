"""Balls contain the true gradient, are narrow, and say so when they cannot be."""

import flint
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.problems.lively import lively_problem
from gradcheck.problems.strategies import problems
from gradcheck.reference import precise
from gradcheck.reference.claims import Truncated
from gradcheck.reference.enclosure import enclose, midpoints
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import DEFAULT_NETWORK, ContextNetwork, Network, Sizes
from gradcheck.reference.problem import Problem


def _misses(enclosure, exact):
    """Entries whose ball does not contain the value, given at far more digits than the ball has."""
    out = []
    with enclosure.field.working():
        for name, array in enclosure.gradient.items():
            balls = enclosure.field.natives(array)
            for i, (ball, value) in enumerate(zip(balls, exact[name].reshape(-1), strict=True)):
                sign, man, exp, _ = value.value._mpf_
                point = flint.arb(-int(man) if sign else int(man)) * flint.arb(2) ** int(exp)
                if not ball.overlaps(flint.arb(point, abs(point) * flint.arb(10) ** -200)):
                    out.append(f"{name}[{i}] = {ball}, truly {value}")
    return out


@given(problems(most=Sizes(4, 2, 2, 2)))
def test_balls_contain_the_difference_quotient(problem):
    enclosure = enclose(problem, relative_bits=60, last_bits=512)
    assert not _misses(enclosure, precise.recursion(problem, 250))


def test_twin_a_shifted_value_is_outside():
    problem = lively_problem(DEFAULT_NETWORK, Sizes(5, 3, 2, 2), 0)
    enclosure, exact = enclose(problem), precise.recursion(problem, 250)
    shifted = {name: array * (1 + 2.0**-60) for name, array in exact.items()}
    assert not _misses(enclosure, exact), "the true value is outside its ball"
    assert len(_misses(enclosure, shifted)) == sum(a.size for a in exact.values()), "a shift by 2^-60 is inside"


@pytest.mark.parametrize("network", [Network("logistic"), Network("relu"), ContextNetwork("softplus")], ids=str)
def test_precision_rises_until_every_ball_is_narrow(network):
    problem = lively_problem(network, Sizes(30, 6, 2, 2), 1)
    enclosure = enclose(problem, first_bits=53)
    assert enclosure.narrow and enclosure.bits > 53, enclosure.statement
    assert "below 2^-80" in enclosure.statement, enclosure.statement


def test_a_gradient_that_is_zero_by_cancellation_meets_the_bound_and_says_so():
    """y = yhat makes the gradient 0, but tanh(1) as a ball is never exact."""
    one = np.ones((1, 1))
    reached = Problem({"W": one, "R": one, "V": one}, one, one, network=Network())
    # Two units whose contributions cancel: V = (1, -1) on equal states.
    twins = Problem(
        {"W": np.ones((1, 2)), "R": np.zeros((2, 2)), "V": np.array([[1.0], [-1.0]])}, one, np.zeros((1, 1))
    )
    assert enclose(reached).narrow
    enclosure = enclose(twins, last_bits=512)
    assert not enclosure.narrow and enclosure.bits == 512, enclosure.statement
    assert "bound on the precision" in enclosure.statement, enclosure.statement


def test_a_relu_that_stays_at_its_kink_is_an_error_with_the_comparison():
    """tanh(1) - tanh(1) cannot be compared with 0 at any precision; an exact 0 can."""

    class Kinked(Network):
        def step(self, parameters, state, x):
            same = np.tanh(parameters["W"].T @ x)
            return self.activation(same - same * 1 + parameters["R"].T @ state)

    one = np.ones((1, 1))
    problem = Problem({"W": one, "R": one, "V": one}, one, one, network=Kinked("relu"))
    with pytest.raises(GradcheckError, match="undecided at 256 bits"):
        enclose(problem, last_bits=256)
    flat = Problem({"W": 0 * one, "R": one, "V": one}, one, one, network=Network("relu"))
    assert enclose(flat).narrow, "s = 0 exactly has the slope 0 by convention"


@given(st.integers(1, 6))
def test_truncated_balls_contain_the_truncated_value(tau):
    problem = lively_problem(DEFAULT_NETWORK, Sizes(5, 2, 1, 1), 2)
    enclosure = enclose(problem, Truncated(tau))
    assert not _misses(enclosure, precise.recursion(problem, 250, Truncated(tau)))


def test_midpoints_are_floats_of_the_same_shape():
    problem = lively_problem(DEFAULT_NETWORK, Sizes(3, 2, 2, 1), 0)
    shown = midpoints(enclose(problem).gradient)
    assert {n: a.shape for n, a in shown.items()} == {n: a.shape for n, a in problem.parameters.items()}
    assert all(a.dtype == np.float64 for a in shown.values())
