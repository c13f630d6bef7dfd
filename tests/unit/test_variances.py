"""Exact variances, on rules of which they are known."""

from __future__ import annotations

import math

import pytest

from benchmarks.variances import SIZES, Figure, problem, variance, within
from gradcheck.algorithms import EvenSum, ForwardGradient, artbp
from gradcheck.faults import fault_named


def test_the_variance_of_a_direction_of_signs_is_the_number_of_parameters_less_one() -> None:
    entries = SIZES.I * (SIZES.D + SIZES.I + SIZES.K)
    assert math.isclose(variance(ForwardGradient, problem(0), {}), entries - 1)


def test_an_exact_rule_has_none() -> None:
    assert variance(EvenSum, problem(0), {"rank": SIZES.T}) < 1e-25 < variance(EvenSum, problem(0), {"rank": 2})
    assert variance(artbp, problem(0), {"c": 0}) < 1e-25


def test_a_biased_rule_is_refused() -> None:
    with pytest.raises(AssertionError):
        variance(fault_named("scaling-of-one-factor-only").rule(), problem(0), {})


def test_an_earlier_figure_lies_within_the_spread_or_not() -> None:
    figure = Figure("", artbp, {}, 2.0)
    assert within(figure, [1, 1, 1, 1, 2]) is True and within(figure, [3, 3, 3, 3, 4]) is False
    assert within(Figure("", artbp, {}), [1, 2]) is None
