"""Nothing that is kept for one network is used for another that compares equal."""

from __future__ import annotations

import dataclasses
import itertools
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from gradcheck.evidence.base import Case, Kind
from gradcheck.evidence.exact import enclosure, formal
from gradcheck.evidence.floats import blackbox
from gradcheck.evidence.preconditions import liveness, oracles
from gradcheck.problems.lively import lively_problem
from gradcheck.records import Status
from gradcheck.reference import lags, symbolic
from gradcheck.reference.claims import Exact
from gradcheck.reference.network import ALL_NETWORKS, Network, Sizes
from gradcheck.reference.networks.state import cached, state_of
from gradcheck.rules.adapt import as_rule

SIZES = Sizes(2, 2, 1, 1)


@dataclasses.dataclass(frozen=True)
class Scaled:
    """A network whose scale does not count for ==."""

    scale: float = dataclasses.field(default=1.0, compare=False)
    name = "scaled"

    def parameter_shapes(self, sizes: Sizes) -> dict[str, tuple[int, ...]]:
        return {"W": (sizes.D, sizes.I), "R": (sizes.I, sizes.I), "V": (sizes.I, sizes.K)}

    def state_shape(self, sizes: Sizes) -> tuple[int, ...]:
        return (sizes.I,)

    def sizes_of(self, parameters: Any, T: int) -> Sizes:
        return Sizes(T, parameters["R"].shape[0], parameters["W"].shape[0], parameters["V"].shape[-1])

    def step(self, parameters: Any, state: Any, x: Any) -> Any:
        return np.tanh(self.scale * (parameters["W"].T @ x) + parameters["R"].T @ state)

    def readout(self, parameters: Any, state: Any) -> Any:
        return parameters["V"].T @ state

    def output(self, u: Any) -> Any:
        return u

    def loss_value(self, u: Any, y: Any) -> Any:
        return ((u - y) ** 2).sum() / 2

    def output_error(self, u: Any, y: Any) -> Any:
        return u - y


def exact(problem: Any) -> Any:
    return lags.gradient(problem)


def of_the_first(problem: Any) -> Any:
    """Right for a scale of 1 alone."""
    return lags.gradient(problem.replace(network=Scaled(1.0)))


def test_networks_that_compare_equal_are_told_apart_by_everything_that_is_kept() -> None:
    one, two = Scaled(1.0), Scaled(2.0)
    assert one == two and hash(one) == hash(two) and state_of(one) != state_of(two)
    assert state_of(one) == state_of(Scaled(1.0))
    W = [symbolic.gradient(network, SIZES)["W"][0, 0] for network in (one, two)]
    assert W[0] != W[1]
    assert formal.reference(one, SIZES, False) is not formal.reference(two, SIZES, False)
    visible = [liveness.visibility(network, Sizes(5, 3, 2, 2), 0, False) for network in (one, two)]
    assert visible[0] != visible[1]
    assert oracles.agreement(one, oracles.SMALL_SIZE) is not oracles.agreement(two, oracles.SMALL_SIZE)


KINDS = (
    formal.Formal(2, ((1, 1, 1),)),
    blackbox.BlackBox(sizes=(Sizes(3, 2, 2, 2),), branching=False),
    enclosure.Enclosure((Sizes(3, 2, 2, 2),)),
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_rule_is_judged_by_its_own_network(kind: Kind) -> None:
    """The twin: what is right for one of two networks that compare equal is refuted on the other."""
    for scale in (1.0, 2.0, 1.0):
        found = kind.gather(Case(as_rule(of_the_first), Exact(), Scaled(scale))).evidence
        assert (found.status is Status.HOLDS) == (scale == 1.0), found
        assert kind.gather(Case(as_rule(exact), Exact(), Scaled(scale))).evidence.status is Status.HOLDS


def test_a_network_changed_in_place_is_another() -> None:
    class Mutable(Network):
        pass

    network, before = Mutable(), state_of(Mutable())
    object.__setattr__(network, "factor", np.ones(3))
    first = state_of(network)
    network.factor[0] = 2  # type: ignore[attr-defined]
    assert len({before, first, state_of(network)}) == 3


def test_replaced_methods_closures_and_globals_count() -> None:
    def made(factor: float) -> type:
        class Closed(Network):
            def step(self, parameters: Any, state: Any, x: Any) -> Any:
                return factor * super().step(parameters, state, x)

        return Closed

    assert state_of(made(1.0)()) != state_of(made(2.0)())
    kind = made(1.0)
    before = state_of(kind())
    kind.step = lambda self, parameters, state, x: state  # type: ignore[attr-defined]
    assert state_of(kind()) != before


def test_shipped_networks_have_one_state_each() -> None:
    assert len({state_of(network) for network in ALL_NETWORKS}) == len(ALL_NETWORKS)
    assert state_of(Network("relu")) == state_of(Network("relu"))


def test_results_are_forgotten_beyond_the_limit() -> None:
    calls: list[Any] = []

    @cached(2)
    def named(network: Any, number: int) -> int:
        calls.append(number)
        return number

    for number in (1, 2, 1, 3, 2):
        assert named(Network(), number) == number
    assert calls == [1, 2, 3, 2]
    assert lively_problem(Network(), SIZES, 0).sizes == SIZES


def test_closures_of_all_methods_count() -> None:
    """Lists made on the way are freed, and their addresses are given to the next."""

    def made(*numbers: float) -> Any:
        def method(number: float) -> Any:
            return lambda self: number

        return type("Many", (), {f"method{n}": method(number) for n, number in enumerate(numbers)})

    network = made(*map(float, range(8)))()
    before = state_of(network)
    assert {state_of(network) for _ in range(50)} == {before}
    for place in range(8):
        (cell,) = getattr(type(network), f"method{place}").__closure__
        cell.cell_contents = -1.0
        assert state_of(network) != before, f"method{place} is not looked at"
        cell.cell_contents = float(place)


class Pair(NamedTuple):
    first: float
    second: float


class Tagged(float):
    tag = ""


VALUES: list[Callable[[float], Any]] = [
    np.float64, np.float32, lambda x: np.int64(4 * x), Decimal, Fraction, lambda x: Pair(x, 1.0), Tagged,
    lambda x: OrderedDict(x=x), lambda x: defaultdict(int, x=x), lambda x: deque([x]), lambda x: {x},
    lambda x: frozenset([x]), lambda x: bytearray(str(x), "ascii"), lambda x: (x, [x, {"x": x}]),
    lambda x: np.array([x]), lambda x: [np.float64(x)], lambda x: SimpleNamespace(x=x), complex, str,
]  # fmt: skip


@pytest.mark.parametrize("kind", range(len(VALUES)))
def test_numbers_and_containers_of_every_kind_count_by_value(kind: int) -> None:
    made = VALUES[kind]

    def network(value: Any) -> Scaled:
        of_own = Scaled(1.0)
        object.__setattr__(of_own, "scale", value)
        return of_own

    one, two, again = network(made(0.25)), network(made(0.75)), network(made(0.25))
    assert state_of(one) != state_of(two)
    assert state_of(one) == state_of(again) and hash(state_of(one)) == hash(state_of(again))


@pytest.mark.parametrize(
    ("value", "change"),
    [
        (OrderedDict(x=1.0), lambda value: value.update(x=2.0)),
        (deque([1.0]), lambda value: value.append(2.0)),
        ({1.0}, lambda value: value.add(2.0)),
        (bytearray(b"1"), lambda value: value.extend(b"2")),
    ],
    ids=["OrderedDict", "deque", "set", "bytearray"],
)
def test_changes_in_place_are_seen(value: Any, change: Callable[[Any], object]) -> None:
    network = Scaled(1.0)
    object.__setattr__(network, "factor", value)
    before = state_of(network)
    change(value)
    assert state_of(network) != before


def test_a_set_that_leads_back_to_itself_ends() -> None:
    network, member = Scaled(1.0), SimpleNamespaceThatHashes()
    member.around = {member}
    object.__setattr__(network, "scale", member.around)
    assert state_of(network) == state_of(network)


class SimpleNamespaceThatHashes(SimpleNamespace):
    __hash__ = object.__hash__


def test_what_cannot_be_read_counts_by_its_identity() -> None:
    network, other = Scaled(1.0), Scaled(1.0)
    object.__setattr__(network, "factor", itertools.count(1))
    object.__setattr__(other, "factor", itertools.count(2))
    assert state_of(network) != state_of(other) and state_of(network) == state_of(network)
