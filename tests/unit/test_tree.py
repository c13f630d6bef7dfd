"""Nests of arrays, and the optional capabilities of networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from nested import CELLS, DictCell, Pair, ScalarCell

from gradcheck.reference import symbolic
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import ALL_CONTEXT_NETWORKS, ALL_NETWORKS, Capabilities, Network, Sizes
from gradcheck.reference.networks import registry
from gradcheck.reference.networks.base import TargetDomain, ask, sizes_of
from gradcheck.reference.problem import Problem, named_state
from gradcheck.reference.tree import flatten, is_shape, leaves, map_nest, path_name

NEST = {"a": [np.ones(2), (np.zeros(3),)], "b": Pair(np.ones(1), np.ones(()))}


def test_flatten_names_every_leaf_in_order() -> None:
    assert [path_name("s", path) for path, _ in flatten(NEST)] == ["s[a][0]", "s[a][1][0]", "s[b][0]", "s[b][1]"]


def test_map_keeps_the_structure() -> None:
    doubled = map_nest(lambda x, y: x + y, NEST, NEST)
    assert isinstance(doubled["b"], Pair) and isinstance(doubled["a"], list) and isinstance(doubled["a"][1], tuple)
    assert [leaf.sum() for leaf in leaves(doubled)] == [4, 0, 2, 2]


@pytest.mark.parametrize("other", [[np.ones(2)], {"a": [1, 2]}, np.ones(2)])
def test_structures_that_differ_are_refused(other: Any) -> None:
    with pytest.raises((ValueError, KeyError)):
        map_nest(lambda x, y: x, NEST, other)


@pytest.mark.parametrize(
    ("value", "expected"), [((), True), ((3,), True), ([3, np.int64(2)], True), (((3,),), False), ({"h": (3,)}, False)]
)
def test_a_shape_is_told_from_a_nest_of_shapes(value: Any, expected: bool) -> None:
    assert is_shape(value) is expected


@pytest.mark.parametrize("network", CELLS, ids=lambda network: type(network).__name__)
def test_a_problem_of_a_nested_state_maps_copies_and_names_its_arrays(network: Any) -> None:
    sizes = Sizes(2, 3, 2, 1)
    parameters = {n: np.ones(s) for n, s in network.parameter_shapes(sizes).items()}
    problem = Problem(parameters, np.ones((2, 2)), np.ones((2, 1)), network=network)
    names: list[str] = []
    named_state(lambda name, shape: names.append(name), network.state_shape(sizes))
    assert problem.sizes == sizes
    assert [n for n in problem.arrays() if n.startswith("initial_state")] == names
    again = problem.copy()
    assert list(again.arrays()) == list(problem.arrays())
    assert all(np.array_equal(again.arrays()[n], a) for n, a in problem.arrays().items())


def test_a_dict_state_in_another_order_is_put_in_order() -> None:
    parameters = {n: np.ones(s) for n, s in DictCell().parameter_shapes(Sizes(1, 2, 1, 1)).items()}
    state = {"c": np.zeros(2), "h": np.ones(2)}
    problem = Problem(parameters, np.ones((1, 1)), np.ones((1, 1)), state, network=DictCell())
    assert list(problem.initial_state) == ["h", "c"]
    assert problem.initial_state["h"].all()


@pytest.mark.parametrize("state", [{"h": np.ones(2)}, [np.ones(2), np.ones(2)], np.ones(2), {"h": 1, "c": np.ones(2)}])
def test_a_state_of_another_structure_is_refused(state: Any) -> None:
    parameters = {n: np.ones(s) for n, s in DictCell().parameter_shapes(Sizes(1, 2, 1, 1)).items()}
    with pytest.raises(GradcheckError):
        Problem(parameters, np.ones((1, 1)), np.ones((1, 1)), state, network=DictCell())


@pytest.mark.parametrize("found", [None, 3, (1, 2), (1, 2, 3, "4"), (1.5, 2, 3, 4), "1234"])
def test_sizes_that_are_none_are_refused(found: Any) -> None:
    class Wrong(DictCell):
        def sizes_of(self, p: Any, T: int) -> Any:
            return found

    with pytest.raises(GradcheckError):
        sizes_of(Wrong(), {}, 1)


def test_a_network_that_inherits_nothing_has_the_defaults() -> None:
    assert ask(DictCell(), Capabilities.undefined) is None
    assert ask(DictCell(), Capabilities.target_domain) is TargetDomain.REAL
    assert ask(Network("relu"), Capabilities.has_kinks)


def test_a_network_that_inherits_nothing_may_have_a_capability() -> None:
    class Kinked(DictCell):
        def has_kinks(self) -> bool:
            return True

    assert ask(Kinked(), Capabilities.has_kinks)


def test_a_subclass_has_no_symmetries_unless_it_says_so() -> None:
    class Shifted(Network):
        """Steps otherwise."""

    assert ask(Network(), Capabilities.unit_axes) and not ask(Shifted(), Capabilities.unit_axes)


@pytest.mark.parametrize("network", [*ALL_NETWORKS[::5], *ALL_CONTEXT_NETWORKS[::7]], ids=str)
def test_shipped_networks_survive_data(network: Any) -> None:
    data = registry.to_data(network)
    assert data is not None and registry.from_data(data) == network


@pytest.mark.parametrize("network", [DictCell(), Network().undefined(), type("Own", (Network,), {})()])
def test_other_networks_are_no_data(network: Any) -> None:
    assert registry.to_data(network) is None


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"kind": "subprocess:Popen"},
        {"kind": ["Network"]},
        {"kind": "Network", "activation": "os.system"},
        {"kind": "Network", "activation": ["tanh"]},
        {"kind": "Network", "made": "Popen([])"},
    ],
)
def test_data_that_is_no_network_is_refused(data: Any) -> None:
    with pytest.raises(GradcheckError):
        registry.from_data(data)


def test_a_parameter_without_axes_is_a_matrix_of_one_entry() -> None:
    found = symbolic.matrices(ScalarCell(), Sizes(1, 1, 1, 1))
    assert found["leak"].shape == (1, 1)
