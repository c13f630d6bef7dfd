"""Networks from their equations: sizes, starts, domains, and what is said of mistakes in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from own_networks import (
    ADDED,
    DECAY,
    EMBEDDED,
    ENTROPY,
    FIXED,
    LEARNED,
    MATRICES,
    PAIRS,
    UNREAD,
    ZEROS,
    Rotating,
    plain,
    read,
    squared,
)

import gradcheck
from gradcheck import GradcheckError, Sizes, algorithms
from gradcheck.evidence.preconditions import oracles
from gradcheck.problems.lively import branching_problems, lively_problem
from gradcheck.problems.structured import structured
from gradcheck.reference import lags, symbolic
from gradcheck.reference.errors import Inadmissible
from gradcheck.reference.networks import start
from gradcheck.reference.networks.axes import Length, solved
from gradcheck.reference.networks.domains import Domain
from gradcheck.reference.networks.sizes import fitting
from gradcheck.reference.precise import difference_quotient, digits_of_agreement, recursion
from gradcheck.reference.problem import forward
from gradcheck.reference.scalars.precise import PreciseField


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_the_reverse_pass_is_the_difference_quotient(pair: Any) -> None:
    problem = lively_problem(pair.network, Sizes(3, 2, 2, 2), 1)
    with PreciseField(40).working():
        assert digits_of_agreement(recursion(problem, 40), difference_quotient(problem, 40)) > 35


def test_a_learned_start_counts_as_use_at_step_1() -> None:
    problem = lively_problem(LEARNED, Sizes(4, 2, 2, 2), 1)
    terms, whole = lags.by_lag(problem), lags.gradient(problem)
    assert {k for (t, k) in terms if terms[t, k]["b"].any()} == {0, 1, 2, 3}
    assert all(not terms[t, k]["b"].any() for (t, k) in terms if k < t - 1)
    assert np.allclose(sum(terms[key]["b"] for key in terms), whole["b"], rtol=1e-12)
    kept = lags.gradient(problem, lambda t, k, T: k < 2)
    assert np.allclose(kept["b"], terms[1, 0]["b"] + terms[2, 1]["b"], rtol=1e-12)


def test_sympy_differentiates_through_a_learned_start() -> None:
    sizes = Sizes(2, 1, 1, 1)
    problem = lively_problem(LEARNED, sizes, 0)
    found = symbolic.numpy_function(LEARNED, sizes)(problem)
    assert np.allclose(found["b"], lags.gradient(problem)["b"], rtol=1e-12)


def test_a_start_that_the_network_settles_follows_its_parameters() -> None:
    problem = lively_problem(LEARNED, Sizes(2, 2, 1, 1), 0)
    other = problem.replace(parameters={**problem.parameters, "b": np.array([1.0, -1.0])})
    assert np.array_equal(other.initial_state, np.tanh([1.0, -1.0]))
    with pytest.raises(Inadmissible, match="starts from an initial state made of the parameters"):
        problem.replace(initial_state=np.ones(2))
    assert np.array_equal(problem.varied(initial_state=np.ones(2)).initial_state, problem.initial_state)


def test_the_lecture_network_starts_from_zeros_where_it_says_so() -> None:
    network = gradcheck.Network(initial_state="zeros")
    assert network != gradcheck.Network() and "from zeros" in str(network)
    assert not lively_problem(network, Sizes(3, 2, 2, 2), 0).initial_state.any()
    with pytest.raises(GradcheckError, match="neither 'given' nor 'zeros'"):
        gradcheck.Network(initial_state="ones")


@pytest.mark.parametrize(
    ("network", "asked", "found"),
    [
        (UNREAD, Sizes(3, 4, 2, 1), Sizes(3, 4, 2, 4)),
        (ADDED, Sizes(3, 4, 2, 1), Sizes(3, 4, 4, 1)),
        (FIXED, Sizes(3, 5, 2, 1), Sizes(3, 2, 2, 1)),
        (Rotating(), Sizes(3, 3, 2, 1), Sizes(3, 4, 2, 1)),
        (Rotating(), Sizes(3, 1, 2, 1), Sizes(3, 2, 2, 1)),
        (gradcheck.Network(), Sizes(3, 3, 2, 1), Sizes(3, 3, 2, 1)),
    ],
)
def test_the_nearest_sizes_that_a_network_can_have(network: Any, asked: Sizes, found: Sizes) -> None:
    assert fitting(network, asked) == found
    assert lively_problem(network, asked, 0).sizes == found


def test_softmax_needs_two_outputs_where_they_are_tied_to_units() -> None:
    network = gradcheck.network(
        plain, lambda p, a: a, {"W": ("I", "D"), "R": ("I", "I")}, output="softmax", loss="categorical_cross_entropy"
    )
    assert fitting(network, Sizes(2, 1, 1, 1), alive=True) == Sizes(2, 2, 1, 2)


def test_a_loss_that_one_output_leaves_as_it_is_gets_two() -> None:
    assert fitting(ENTROPY, Sizes(2, 2, 2, 1), alive=True).K == 2
    assert fitting(DECAY, Sizes(2, 2, 2, 1), alive=True).K == 1


def test_shapes_and_sizes_that_contradict_each_other_are_told_apart() -> None:
    class Contrary(Rotating):
        def sizes_of(self, parameters: Any, T: int) -> Any:
            return Sizes(T, parameters["W"].shape[0] + 2, parameters["W"].shape[1], parameters["V"].shape[0])

    with pytest.raises(GradcheckError, match="sizes_of.* contradicts parameter_shapes"):
        fitting(Contrary(), Sizes(2, 2, 1, 1))


@pytest.mark.parametrize("network", [DECAY, EMBEDDED])
def test_every_problem_that_is_made_lies_inside(network: Any) -> None:
    base = lively_problem(network, Sizes(6, 3, 4, 2), 0)
    made = [base, *branching_problems(network, 0).values(), *(problem for _, problem in structured(base, (0.5, -2.0)))]
    for problem in made:  # none of them could have been made outside; each is still a problem of its own
        assert np.isfinite(forward(problem)[1][-1]).all()
    assert len({tuple(a.tobytes() for a in problem.arrays().values()) for problem in made}) > len(made) // 3


def test_a_number_outside_is_refused_with_its_array() -> None:
    base = lively_problem(DECAY, Sizes(2, 2, 1, 1), 0)
    with pytest.raises(
        Inadmissible, match=r"tau holds numbers from -1 to 2; the network time constants wants .* above 0"
    ):
        base.replace(parameters={**base.parameters, "tau": np.array([-1.0, 2.0])})
    words = lively_problem(EMBEDDED, Sizes(2, 2, 3, 1), 0)
    with pytest.raises(Inadmissible, match="inputs holds numbers .* rows with a single 1"):
        words.replace(inputs=np.full((2, 3), 0.5))


@pytest.mark.parametrize("said", ["positive", "nonnegative", "integers", "one-hot", (0, 1), (-1, 1), (2, np.inf)])
def test_the_nearest_array_inside_is_inside_and_keeps_what_was(said: Any) -> None:
    domain = Domain.read(said, "x")
    rng = np.random.default_rng(0)
    for values in (
        rng.normal(size=(4, 3)),
        np.zeros((4, 3)),
        np.ones((4, 3)),
        1e6 * rng.normal(size=(4, 3)),
        -np.eye(3),
    ):
        found = domain.nearest(values)
        assert domain.contains(found), (said, values, found)
        assert np.array_equal(domain.nearest(found), found)
    assert not Domain.read((0, 1), "x").contains(np.array([1.0]))


@pytest.mark.parametrize("said", ["positiv", (1, 0), (0, 1, 2), 3])
def test_what_is_no_domain_is_refused(said: Any) -> None:
    with pytest.raises(GradcheckError, match="wanted 'real', 'positive'"):
        gradcheck.network(plain, read, MATRICES, domains={"W": said})


def test_axes_are_sums_of_sizes() -> None:
    length = Length.read("4*I + D+1", "x")
    assert length.at(Sizes(1, 2, 3, 5)) == 12
    assert solved([(Length.read("I", "x"), 2), (length, 12)]) == {"I": 2, "D": 3}
    with pytest.raises(GradcheckError, match=r"the parameter W has the axis 'Q'"):
        gradcheck.network(plain, read, {**MATRICES, "W": ("I", "Q")})


_STEP, _READOUT = r"step\(parameters, state, x\)", r"readout\(parameters, state\)"
MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "step fails": ({"step": lambda p, a, x: p["U"] @ x}, f"{_STEP} of the network .* KeyError"),
    "step of another shape": ({"step": lambda p, a, x: a[:1]}, f"{_STEP} of the network .* wanted shape"),
    "readout of another shape": ({"readout": lambda p, a: a}, f"{_READOUT} of the network .* wanted shape"),
    "no number": ({"loss": lambda u, y: u - y}, r"loss_value\(u, y\) of the network plain returned shape \(2,\)"),
    "no function": ({"step": "tanh"}, "step must be a function; got 'tanh'"),
    "no parameters": ({"parameters": {}}, "parameters must be a dict of axes by name"),
    "an open size": ({"parameters": {"R": ("I", "I"), "V": ("K", "I")}}, "no parameter .* settles D"),
    "another start": ({"initial_state": "ones"}, "initial_state of the network plain is 'ones'"),
    "a start of another shape": ({"initial_state": np.ones(7)}, r"initial_state .* has shape \(7,\)"),
    "a start that fails": ({"initial_state": lambda p: p["b"]}, r"initial_state\(parameters\) .* KeyError"),
    "axes of nothing": ({"parameters": {**MATRICES, "W": None}}, "the parameter W has the axes None"),
    "a state of nothing": ({"state": 3}, "the state has the axes 3"),
    "a taken name": ({"parameters": {**MATRICES, "inputs": "I"}}, "a parameter is called 'inputs'"),
    "domains of one word": ({"domains": "positive"}, "domains must be a dict; got 'positive'"),
    "sizes of a list": ({"sizes": ["I"]}, r"sizes must be a dict; got \['I'\]"),
    "a start of one size": ({"initial_state": np.ones(3)}, "tie I to it, such as sizes"),
    "no loss": ({"loss": lambda u, y: None}, r"loss_value\(u, y\) of the network plain returned None"),
    "a domain of nothing": ({"domains": {"Q": "positive"}}, "domains names 'Q'; it can name W, R, V and inputs"),
    "a tie of nothing": ({"sizes": {"T": "I"}}, "sizes says what 'T' is"),
    "an unknown loss": ({"loss": "hinge"}, "there is no loss 'hinge'"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_where_the_network_is_written(name: str) -> None:
    changes, message = MISTAKES[name]
    given = {"step": plain, "readout": read, "parameters": MATRICES, **changes}
    with pytest.raises(GradcheckError, match=message):
        gradcheck.network(**given)


def test_a_network_has_a_name_and_says_its_shapes() -> None:
    assert str(ZEROS) == "W (I, D), R (I, I), V (K, I), from zeros"
    assert gradcheck.network(plain, read, MATRICES).name == "plain"
    assert repr(ZEROS).startswith("<network from zeros")


class Shadowed(gradcheck.Network):
    """A subclass that says where it starts; no attribute of an instance may hide that."""

    name = "shadowed"
    initial_state = "zeros"


class LearnedSubclass(gradcheck.Network):
    name = "learned subclass"

    def parameter_shapes(self, sizes: Sizes) -> dict[str, tuple[int, ...]]:
        return {**super().parameter_shapes(sizes), "b": (sizes.I,)}

    def initial_state(self, parameters: Any) -> Any:
        return parameters["b"]


def test_a_subclass_says_where_it_starts() -> None:
    assert not lively_problem(Shadowed(), Sizes(3, 2, 2, 2), 0).initial_state.any()
    problem = lively_problem(LearnedSubclass(), Sizes(3, 2, 2, 2), 0)
    assert np.array_equal(problem.initial_state, problem.parameters["b"]) and problem.initial_state.any()
    with pytest.raises(GradcheckError, match="has an initial_state of its own"):
        Shadowed(initial_state="zeros")


def test_domains_may_be_an_attribute() -> None:
    class Attribute(Rotating):
        domains = {"c": "positive"}

    class Misspelt(Rotating):
        domains = {"q": "positive"}

    class Word(Rotating):
        domains = "positive"

    assert (lively_problem(Attribute(), Sizes(3, 4, 2, 2), 0).parameters["c"] > 0).all()
    with pytest.raises(GradcheckError, match="names 'q'"):
        lively_problem(Misspelt(), Sizes(3, 4, 2, 2), 0)
    with pytest.raises(GradcheckError, match="wanted a dict"):
        lively_problem(Word(), Sizes(3, 4, 2, 2), 0)


def test_sizes_that_are_tied_far_away_are_found() -> None:
    class Alike(Rotating):
        def parameter_shapes(self, sizes: Sizes) -> dict[str, tuple[int, ...]]:
            if not sizes.I == sizes.D == sizes.K or sizes.I % 12:
                raise ValueError("I = D = K, a multiple of 12")
            return super().parameter_shapes(sizes)

    class Never(Rotating):
        def parameter_shapes(self, sizes: Sizes) -> dict[str, tuple[int, ...]]:
            raise KeyError("sizes")

    assert fitting(Alike(), Sizes(2, 3, 2, 2)) == Sizes(2, 12, 12, 12)
    assert fitting(Alike(), Sizes(2, 183, 2, 2)) == Sizes(2, 192, 192, 192)
    with pytest.raises(GradcheckError, match="of the network rotating pairs raised KeyError"):
        fitting(Never(), Sizes(2, 3, 2, 2))


def test_an_output_error_that_is_wrong_for_large_errors_is_named() -> None:
    network = gradcheck.network(
        plain, read, MATRICES, loss=squared, output_error=lambda u, y: np.clip(u - y, -50.0, 50.0), name="clipped"
    )
    found = oracles.agreement(network)
    assert not found.holds and "output_error(u, y) of the network clipped" in found.blame
    right = gradcheck.network(plain, read, MATRICES, loss=squared, output_error=lambda u, y: u - y)
    assert oracles.agreement(right).holds


OF_USERS = [
    pair.network for pair in PAIRS if pair.name in ("zeros", "fixed", "learned", "no output error", "one number")
]


@pytest.mark.parametrize("network", OF_USERS, ids=lambda network: network.name)
def test_the_catalogue_differentiates_a_network_of_a_user(network: Any) -> None:
    """A learned start and a loss without an output error are the catalogue's own business too."""
    problem = lively_problem(network, Sizes(5, 2, 2, 2), 3)
    cases: list[tuple[Any, Any]] = [
        (algorithms.bptt(problem), None),
        (algorithms.run_online(algorithms.RTRL(), problem), None),
        (algorithms.truncated_bptt(problem, tau=2), lambda t, k, T: k < 2),
        (algorithms.chunked_bptt(problem, length=2), lambda t, k, T: k <= (t - 1) % 2),
    ]
    for found, keeps in cases:
        wanted = lags.gradient(problem, keeps)
        for name, array in wanted.items():
            assert np.allclose(found[name], array, rtol=1e-11, atol=1e-13), (name, found[name], array)


def test_the_catalogue_without_a_learned_start_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = lively_problem(LEARNED, Sizes(5, 2, 2, 2), 3)
    wanted = lags.gradient(problem)["b"]
    monkeypatch.setattr(start, "is_learned", lambda network: False)
    assert not np.allclose(algorithms.bptt(problem)["b"], wanted)
    assert not np.allclose(algorithms.run_online(algorithms.RTRL(), problem)["b"], wanted)
