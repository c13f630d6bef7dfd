"""Counted scalars: every operation once, every number that lives, and the floats that the rule would give anyway."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

from gradcheck.algorithms import CATALOGUE
from gradcheck.problems.lively import lively_problem
from gradcheck.reference.networks.base import Sizes
from gradcheck.reference.scalars.counted import CountedField, Tally
from gradcheck.rules.adapt import as_rule
from gradcheck.rules.sources import seeded


def counted(work: Any, *arrays: Any) -> tuple[Any, Tally]:
    field = CountedField()
    lifted = [field.lift(np.array(array, dtype=float)) for array in arrays]
    with field.counting() as seen:
        result = work(*lifted)
    return result, seen


@pytest.mark.parametrize(
    ("work", "wanted"),
    [
        (lambda a, b: a + b, (3, 0, 0, 0)),
        (lambda a, b: a - 2 * b, (3, 3, 0, 0)),
        (lambda a, b: -a * b, (0, 3, 0, 0)),
        (lambda a, b: 1 / a, (0, 0, 3, 0)),
        (lambda a, b: a**3, (0, 6, 0, 0)),
        (lambda a, b: np.tanh(a), (0, 0, 0, 3)),
        (lambda a, b: np.maximum(a, 0), (0, 0, 0, 3)),
        (lambda a, b: a @ b, (2, 3, 0, 0)),
        (lambda a, b: np.outer(a, b), (0, 9, 0, 0)),
        (lambda a, b: np.sum(a), (2, 0, 0, 0)),
        (lambda a, b: a.copy(), (0, 0, 0, 0)),
        (lambda a, b: a > b, (0, 0, 0, 0)),
    ],
)
def test_each_operation_counts_once(work: Any, wanted: tuple[int, ...]) -> None:
    _, seen = counted(work, [1, 2, 3], [4, 5, 6])
    assert (seen.additions, seen.multiplications, seen.divisions, seen.functions) == wanted
    assert seen.operations == sum(wanted)


def test_a_matrix_product_takes_n_products_and_one_sum_less_for_each_entry() -> None:
    result, seen = counted(lambda a, b: a @ b, np.ones((2, 3)), np.ones((3, 4)))
    assert (seen.multiplications, seen.additions) == (2 * 3 * 4, 2 * 2 * 4)
    assert np.array_equal(np.array(CountedField.natives(result.field, result)), np.full(8, 3.0))


@pytest.mark.parametrize("shapes", [((2, 3), (3, 4)), ((3,), (3,)), ((1, 1), (1, 1)), ((4, 1), (1, 5)), ((6,), (6, 2))])
def test_a_product_is_counted_as_numpy_makes_it_entry_by_entry(
    shapes: tuple[tuple[int, ...], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = [np.arange(1.0, np.prod(shape) + 1).reshape(shape) for shape in shapes]
    result, seen = counted(lambda a, b: a @ b, *arrays)
    monkeypatch.setattr(CountedField, "matmul", lambda *_: None)
    by_numpy, as_seen = counted(lambda a, b: a @ b, *arrays)
    assert seen == as_seen
    assert [x.value for x in np.ravel(result)] == [x.value for x in np.ravel(by_numpy)]


def test_a_product_with_plain_numbers_among_its_entries_is_left_to_numpy() -> None:
    def mixed(a: Any) -> Any:
        plain = np.array([[0.5, 2.0]], dtype=object)
        return CountedField.wrap(a.field, plain) @ a

    _, seen = counted(mixed, np.ones((2, 3)))
    assert (seen.multiplications, seen.additions) == (6, 3)


def test_the_peak_is_of_what_lives_at_once() -> None:
    def in_turn(a: Any) -> Any:
        total = a * 1
        for _ in range(5):
            total = total + a * 2
        return total

    def together(a: Any) -> Any:
        parts = [a * 2 for _ in range(5)]
        return sum(parts[1:], parts[0])

    _, few = counted(in_turn, np.ones(100))
    _, many = counted(together, np.ones(100))
    assert 200 <= few.peak <= 310 and 500 <= many.peak <= 810
    assert few.live == many.live == 100


def test_what_is_gone_is_not_counted() -> None:
    field = CountedField()
    array = field.lift(np.ones(50))
    assert field.tally.live == 50
    del array
    gc.collect()
    assert field.tally.live == 0


@pytest.mark.parametrize("target", CATALOGUE, ids=lambda target: target.__name__)
def test_a_rule_gives_the_floats_that_it_gives_uncounted(target: Any) -> None:
    rule = as_rule(target).drawing(seeded(0))
    problem = lively_problem(rule.declaration.networks[0], Sizes(5, 3, 2, 2), 0)
    settings = rule.settings(5)[-1]
    plain = rule(problem.copy(), settings)
    result, seen = counted(lambda: rule(problem.over(CountedField()), settings))
    assert seen.operations == 0, "another field's operations"
    for name, array in plain.items():
        values = [scalar.value for scalar in result[name].reshape(-1).tolist()]
        assert np.allclose(values, array.reshape(-1), rtol=1e-12, atol=0)
