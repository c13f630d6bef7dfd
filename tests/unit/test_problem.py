"""Problems say what came, what was wanted and what to try, when they are made."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from gradcheck.problems.lively import branching_problems, lively_problem
from gradcheck.reference import lags
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import ALL_CONTEXT_NETWORKS, ALL_NETWORKS, Network, Sizes
from gradcheck.reference.networks.sizes import fitting
from gradcheck.reference.problem import Problem, forward
from gradcheck.reference.scalars.rational import RationalField

T, I, D, K = 3, 2, 4, 1
GOOD: dict[str, Any] = {
    "parameters": {"W": np.ones((D, I)), "R": np.eye(I), "V": np.ones((I, K))},
    "inputs": np.ones((T, D)),
    "targets": np.ones((T, K)),
}


def parameters(**changes: Any) -> dict[str, Any]:
    return {"parameters": {k: v for k, v in {**GOOD["parameters"], **changes}.items() if v is not None}}


class Half:
    """A network without half of its methods."""

    name = "half"

    def parameter_shapes(self, sizes: Any) -> Any:
        return {}

    def step(self, parameters: Any, state: Any, x: Any) -> Any:
        return state


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"inputs": np.ones((0, D)), "targets": np.ones((0, K))}, "T = 0: a sequence needs at least one step"),
        ({"inputs": np.ones(T)}, "inputs must be time-major with two axes, (T, D); got shape (3,)"),
        ({"targets": np.ones(T)}, "targets must be time-major with two axes, (T, K); got shape (3,)"),
        ({"inputs": np.ones((T, D, 1))}, "got shape (3, 4, 1)"),
        ({"targets": np.ones((T + 1, K))}, "inputs have 3 steps and targets 4; they must agree"),
        ({"inputs": np.ones((T, D + 1))}, "inputs must be (T, 4), targets (T, 1)"),
        ({"targets": np.ones((T, K + 1))}, "do not fit parameters that imply T=3, I=2, D=4, K=1"),
        (
            parameters(W=np.ones((D, I + 1))),
            "parameter W has shape (4, 3), but with T=3, I=2, D=4, K=1 it needs (4, 2)",
        ),
        (parameters(W=np.ones((D, I)).T), "parameter W has shape (2, 4)"),
        (parameters(R=np.ones((I, I + 1))), "parameter R has shape (2, 3)"),
        (parameters(V=np.ones((I + 1, K))), "parameter V has shape (3, 1)"),
        (parameters(V=np.ones(I)), "parameter V has shape (2,)"),
        (parameters(V=None), "has the parameters W, R, V; got W (4, 2), R (2, 2)"),
        (parameters(b=np.ones(I)), "has the parameters W, R, V; got W, R, V, b"),
        ({"parameters": {}}, "got none"),
        (parameters(R=np.array(1.0)), "has the parameters W, R, V"),
        (parameters(R=np.full((I, I), np.nan)), "parameter R holds NaN or infinity"),
        ({"inputs": np.full((T, D), np.inf)}, "inputs holds NaN or infinity; a problem's numbers must be finite"),
        ({"targets": np.full((T, K), np.nan)}, "targets holds NaN or infinity"),
        ({"initial_state": np.full(I, np.nan)}, "initial_state holds NaN or infinity"),
        ({"initial_state": np.ones(I + 1)}, "initial_state has shape (3,); with T=3, I=2, D=4, K=1 it needs (2,)"),
        ({"initial_state": np.ones((1, I))}, "initial_state has shape (1, 2)"),
        ({"initial_state": (np.ones(I), np.ones(I))}, "initial_state has shape ((2,), (2,))"),
        ({"loss_weights": np.ones(T + 1)}, "loss_weights must have shape (3,); got (4,)"),
        ({"loss_weights": np.ones((T, 1))}, "loss_weights must have shape (3,); got (3, 1)"),
        ({"inputs": np.ones((T, D), dtype=complex)}, "inputs has dtype complex128; wanted real numbers"),
        ({"inputs": [["a"] * D] * T}, "wanted real numbers"),
        ({"inputs": [[1.0, 2.0], [1.0]]}, "inputs cannot be made an array"),
        (parameters(W=[[1.0, 2.0], [1.0]]), "parameter W cannot be made an array"),
        ({"parameters": None}, "parameters must be a dict of arrays by name; got None, a NoneType; write {'W': ..., "),
        ({"parameters": [np.ones((D, I))]}, "parameters must be a dict of arrays by name"),
        ({"network": "tanh"}, "'tanh' is not a network; use gradcheck.Network("),
        ({"network": None}, "None is not a network; use gradcheck.Network("),
        ({"network": Network}, "is not a network (write it with parentheses); use gradcheck.Network("),
        (
            {"network": Half()},
            "it lacks state_shape(sizes), sizes_of(parameters, T), readout(parameters, state), loss_value",
        ),
        ({"inputs": np.array([[None] * D] * T)}, "inputs holds None, a NoneType; wanted real numbers"),
        ({"inputs": None}, "inputs holds None, a NoneType; wanted real numbers"),
        ({"targets": np.array([[1.0], [2.0], ["3"]], dtype=object)}, "targets holds '3', a str; wanted real numbers"),
        (parameters(V=np.ones(3)), "parameter V has shape (3,); wanted 2 axes, (I, K)"),
        (parameters(W=np.ones((D, I, 1))), "parameter W has shape (4, 2, 1); wanted 2 axes, (D, I)"),
        (
            {"parameters": {"W": np.ones((0, I)), "R": np.eye(I), "V": np.ones((I, K))}, "inputs": np.ones((T, 0))},
            "every size must be at least 1",
        ),
    ],
)
def test_bad_problems_are_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(GradcheckError) as raised:
        Problem(**{**GOOD, **changes})
    assert said in str(raised.value), str(raised.value)


def raising(*_: Any) -> Any:
    raise ZeroDivisionError("no such luck")


@pytest.mark.parametrize("run", [forward, lags.gradient])
@pytest.mark.parametrize(
    ("method", "does", "said"),
    [
        ("step", raising, "step(parameters, state, x) of the network broken raised ZeroDivisionError: no such luck"),
        ("step", lambda self, p, a, x: None, "returned no array but None; wanted shape (2,)"),
        ("step", lambda self, p, a, x: (a, a), "returned shape ((2,), (2,)); wanted shape (2,)"),
        (
            "step",
            lambda self, p, a, x: p["W"] @ a,
            "step(parameters, state, x) of the network broken returned shape (4,)",
        ),
        ("readout", raising, "readout(parameters, state) of the network broken raised ZeroDivisionError"),
        ("readout", lambda self, p, a: a, "of the network broken returned shape (2,); wanted shape (1,)"),
    ],
)
def test_a_network_that_fails_is_named(run: Any, method: str, does: Any, said: str) -> None:
    broken = type("Broken", (Network,), {"name": "broken", method: does})()
    with pytest.raises(GradcheckError) as raised:
        run(Problem(**GOOD, network=broken))
    assert said in str(raised.value), str(raised.value)


def test_objects_that_are_numbers_are_taken() -> None:
    inputs = np.full((T, D), Fraction(1, 3), dtype=object)
    inputs[0, 0], inputs[0, 1] = 1, np.float64(0.5)
    assert Problem(**{**GOOD, "inputs": inputs}).inputs.dtype == object


def test_what_may_be_left_out() -> None:
    problem = Problem(**GOOD)
    assert (problem.initial_state == 0).all() and problem.initial_state.shape == (I,)
    assert (problem.loss_weights == 1).all() and problem.loss_weights.shape == (T,)
    assert problem.T == T and problem.sizes == Sizes(T, I, D, K)


def test_integers_and_lists_become_floats() -> None:
    problem = Problem(parameters(R=[[0, 1], [1, 0]])["parameters"], [[1] * D] * T, [[0]] * T)
    assert problem.inputs.dtype == problem.parameters["R"].dtype == np.float64


def test_float32_stays_float32() -> None:
    problem = Problem(**GOOD).astype(np.float32)
    assert {a.dtype for a in problem.arrays().values()} == {np.dtype(np.float32)}


def test_a_problem_is_carried_over_exactly() -> None:
    problem = Problem(**{**GOOD, "inputs": np.full((T, D), 0.1)})
    field = RationalField()
    entry = field.natives(problem.over(field).inputs)[0]
    assert Fraction(int(entry.p), int(entry.q)) == Fraction(0.1) != Fraction(1, 10)


def test_copies_share_nothing() -> None:
    problem = Problem(**GOOD)
    for name, array in problem.copy().arrays().items():
        assert not np.shares_memory(array, problem.arrays()[name]), name


def test_prefix() -> None:
    problem = Problem(**GOOD).prefix(2)
    assert problem.T == 2 and problem.targets.shape == (2, K) and problem.loss_weights.shape == (2,)


@pytest.mark.parametrize("network", [*ALL_NETWORKS, *ALL_CONTEXT_NETWORKS], ids=lambda n: f"{n.name}: {n}")
def test_lively_problems_are_alive(network: Any) -> None:
    """Every entry and the longest lag contributes, for relu too, whose units may all be off."""
    for sizes in (Sizes(41, 6, 2, 2), Sizes(9, 5, 2, 2), Sizes(5, 8, 1, 3), Sizes(1, 1, 1, 1), Sizes(4, 9, 3, 1)):
        problem = lively_problem(network, fitting(network, sizes, alive=True), 0)
        dead = [name for name, array in lags.gradient(problem).items() if (array == 0).any()]
        assert not dead, f"{dead} has entries that do not contribute at {sizes}"
        longest = lags.gradient(problem, lambda t, k, T: t == T and k == T - 1)
        assert any(np.abs(array).max() > 0 for array in longest.values()), f"lag {sizes.T - 1} is dead at {sizes}"


def test_branching_problems_reach_their_values() -> None:
    found = branching_problems(Network("relu"), 0)
    full = found["numbers of all 53 bits"]
    assert all((array.astype(np.float32) != array).mean() > 0.9 for array in (full.inputs, *full.parameters.values()))
    assert all(
        (array * 2.0**60 == np.rint(array * 2.0**60)).all()
        for p in found.values()
        for array in p.arrays().values()
        if p is not full
    )
    inputs = [p.inputs for p in found.values()]
    assert any((x != 0).sum() and ((x != 0).sum(axis=1) <= 1).all() for x in inputs), "one-hot"
    assert any((x == 0).all() for x in inputs) and any((~x.any(axis=1)).any() and x.any() for x in inputs)
    magnitudes = [max(np.abs(a).max() for a in lags.gradient(p).values()) for p in found.values()]
    assert max(magnitudes) > 1e3, magnitudes
    small = lags.gradient(branching_problems(Network(), 0)["a small gradient"])
    assert max(np.abs(a).max() for a in small.values()) < 1e-5


def test_problems_are_the_same_on_every_call() -> None:
    first, again, other = (lively_problem(Network(), Sizes(5, 3, 2, 2), seed) for seed in (0, 0, 1))
    assert all(np.array_equal(a, again.arrays()[n]) for n, a in first.arrays().items())
    assert not np.array_equal(first.inputs, other.inputs)
