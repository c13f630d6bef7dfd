"""Gradients of inputs and initial state by every route, and the words by which they are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cells import CELLS, named
from nested import CELLS as NESTED

from gradcheck.problems.lively import lively_problem
from gradcheck.reference import arrays, lags, precise, symbolic, wanted
from gradcheck.reference.claims import Chunked, Exact, Truncated, Windowed, parse_claim
from gradcheck.reference.enclosure import enclose
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import Network, Sizes
from gradcheck.reference.networks.sizes import fitting
from gradcheck.reference.ring import FormalReference
from gradcheck.reference.scalars.rational import RationalField
from gradcheck.store import data

KINDS = wanted.KINDS


def differ(a: Any, b: Any) -> float:
    """The largest difference of two gradients of the same arrays, relative to the largest entry."""
    assert list(a) == list(b)
    return max(float(np.abs(np.asarray(a[name] - b[name], dtype=float)).max()) for name in a)


@pytest.mark.parametrize("network", [*CELLS, *NESTED], ids=named)
def test_the_reverse_pass_has_what_differences_have(network: Any) -> None:
    """For every cell, whatever its state: differences know no chain rule and no lag."""
    problem = lively_problem(network, fitting(network, Sizes(3, 2, 2, 2), alive=True), 0)
    found = lags.gradient(problem, None, KINDS)
    assert found["inputs"].shape == problem.inputs.shape
    for name, array in arrays.wanted(problem, ("inputs", "initial_state")).items():
        for index in np.ndindex(*array.shape):
            moved = array.astype(complex).real.copy()
            moved[index] += 1e-6
            high = _loss(arrays.replaced(problem, name, moved))
            moved[index] -= 2e-6
            slope = (high - _loss(arrays.replaced(problem, name, moved))) / 2e-6
            assert abs(slope - found[name][index]) < 1e-6 * (1 + abs(slope)), f"{name}{index}: {slope}"


def _loss(problem: Any) -> float:
    from gradcheck.reference.problem import loss

    return float(loss(problem))


@pytest.mark.parametrize(
    "claim", [Exact(of=KINDS), Truncated(2, of=KINDS), Chunked(2, of=KINDS), Windowed(3, 2, of=KINDS)]
)
def test_lags_sum_to_what_a_claim_keeps(claim: Any) -> None:
    field = RationalField()
    problem = lively_problem(Network("identity"), Sizes(5, 2, 2, 1), 0).over(field)
    terms = lags.by_lag(problem, KINDS)
    total: dict[str, Any] = {}
    for (t, k), term in terms.items():
        if claim.keeps(t, k, problem.T):
            total = {name: total[name] + term[name] for name in term} if total else term
    found = lags.claimed(problem, claim)
    assert all((total[name] == found[name]).all() for name in found), claim
    merged = lags.gradient(problem, lambda t, k, T: claim.keeps(t, k, T), KINDS)
    assert all((merged[name] == found[name]).all() for name in found), claim


def test_a_lag_is_the_use_of_one_input_and_the_initial_state_is_used_at_step_1() -> None:
    problem = lively_problem(Network(), Sizes(4, 2, 2, 1), 0)
    for (t, k), term in lags.by_lag(problem, KINDS).items():
        rows = np.flatnonzero(term["inputs"].any(axis=1)).tolist()
        assert rows == [t - k - 1], f"g({t}, {k}) has rows {rows}"
        assert term["initial_state"].any() == (k == t - 1), f"g({t}, {k})"


def test_sympy_has_the_same_by_lag_and_as_a_whole() -> None:
    network, sizes = NESTED[-1], Sizes(2, 1, 1, 1)
    problem = lively_problem(network, sizes, 0)
    exact = symbolic.numpy_function(network, sizes, of=KINDS)(problem)
    assert differ(exact, lags.gradient(problem, None, KINDS)) < 1e-12
    reference = FormalReference(network, sizes, of=KINDS)
    whole = reference.gradient(2, Exact(of=KINDS))
    parts = [reference.lag(2, t, k) for t, k in ((1, 0), (2, 0), (2, 1))]
    for name, array in whole.items():
        flat = [part[name].reshape(-1).tolist() for part in parts]
        assert [a + b + c for a, b, c in zip(*flat, strict=True)] == array.reshape(-1).tolist()


def test_the_other_oracles_have_the_same() -> None:
    problem = lively_problem(Network(), Sizes(3, 2, 1, 1), 0)
    found = lags.gradient(problem, None, KINDS)
    quotient = precise.difference_quotient(problem, 20, KINDS)
    balls = enclose(problem, Exact(of=KINDS))
    for name, array in found.items():
        for index in np.ndindex(*array.shape):
            value = float(balls.field.native(balls.gradient[name][index]).mid())
            assert abs(value - array[index]) < 1e-12 and abs(float(quotient[name][index].value) - value) < 1e-12


# Words


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("inputs", "of must be a tuple of names; got 'inputs'; write one such as of="),
        (("weights",), "of can name parameters, inputs, initial_state; got 'weights'"),
        ((), "at least one; got"),
        (("inputs", "inputs"), "each kind of array once"),
        (None, "of must be a tuple of names; got None"),
    ],
)
def test_what_is_no_list_of_arrays(given: Any, said: str) -> None:
    with pytest.raises(GradcheckError, match=said):
        Exact(of=given)


def test_the_order_does_not_count() -> None:
    assert Exact(of=["initial_state", "parameters"]) == Exact(of=("parameters", "initial_state"))


@pytest.mark.parametrize(
    "claim",
    [
        Exact(of=("parameters", "inputs")),
        Exact(of=("initial_state",), rounding="entrywise"),
        Truncated(3, of=KINDS),
        Windowed(6, 2, of=("inputs",)),
        Exact(),
    ],
    ids=str,
)
def test_a_claim_is_read_as_it_is_printed_and_kept(claim: Any) -> None:
    assert parse_claim(str(claim)) == claim
    kept = data.claim_as_data(claim)
    assert ("of" in kept) == (claim.of != ("parameters",))
    made = data.LAG_CLAIMS[[each.__struct_config__.tag for each in data.LAG_CLAIMS].index(claim.kind)]
    read = made(**{name: tuple(value) if name == "of" else value for name, value in kept.items() if name != "kind"})
    assert data.claim_from(read) == claim


def test_a_claim_that_names_no_array_is_refused() -> None:
    with pytest.raises(GradcheckError, match="of can name parameters, inputs, initial_state; got 'weights'"):
        parse_claim("exact(of=parameters+weights)")
    with pytest.raises(GradcheckError, match="cannot read the claim"):
        parse_claim("online(of=inputs)")


def test_a_parameter_cannot_have_the_name_of_an_array() -> None:
    import gradcheck

    network = gradcheck.network(
        lambda p, a, x: p["inputs[0]"] * a + x,
        lambda p, a: a,
        parameters={"inputs[0]": "I"},
        sizes={"D": "I", "K": "I"},
    )
    with pytest.raises(GradcheckError, match=r"has a parameter 'inputs\[0\]', which is the name of an array"):
        lively_problem(network, Sizes(2, 2, 2, 2), 0)


@pytest.mark.parametrize("network", [*CELLS, *NESTED], ids=named)
def test_arrays_replaced_at_once_are_those_replaced_one_by_one(network: Any) -> None:
    sizes = fitting(network, Sizes(3, 2, 2, 2), alive=True)
    problem, other = (lively_problem(network, sizes, seed) for seed in range(2))
    new = {name: array for name, array in other.free_arrays().items() if name != "targets"}
    step_by_step = problem
    for name, array in new.items():
        step_by_step = arrays.replaced(step_by_step, name, array)
    together = arrays.all_replaced(problem, new)
    for name, array in step_by_step.arrays().items():
        assert np.array_equal(together.arrays()[name], array), name
    assert np.array_equal(together.targets, problem.targets)
    assert not np.array_equal(together.inputs, problem.inputs)
