"""Networks whose units are silent on small numbers: problems are made on which they are not."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from gradcheck.evidence.floats.blackbox import compare_on
from gradcheck.evidence.preconditions.liveness import visibility
from gradcheck.problems.lively import lively_problem
from gradcheck.problems.waking import CHANGES
from gradcheck.reference import lags
from gradcheck.reference.claims import Exact, rule
from gradcheck.reference.network import ALL_NETWORKS, Sizes
from gradcheck.rules.adapt import as_rule


@dataclasses.dataclass(frozen=True)
class Threshold:
    """A network whose units give what exceeds a level, up or down, and nothing below it."""

    name = "threshold"
    level: float = 1.0
    sign: int = 1

    def parameter_shapes(self, s: Sizes) -> dict[str, tuple[int, ...]]:
        return {"W": (s.D, s.I), "R": (s.I, s.I), "V": (s.I, s.K)}

    def state_shape(self, s: Sizes) -> tuple[int, ...]:
        return (s.I,)

    def sizes_of(self, p: Any, T: int) -> Sizes:
        return Sizes(T, p["R"].shape[0], p["W"].shape[0], p["V"].shape[1])

    def step(self, p: Any, a: Any, x: Any) -> Any:
        s = p["W"].T @ x + p["R"].T @ a
        over = self.sign * s - self.level
        return np.where(over > 0, self.sign * over, 0 * s)

    def readout(self, p: Any, a: Any) -> Any:
        return p["V"].T @ a

    def output(self, u: Any) -> Any:
        return u

    def loss_value(self, u: Any, y: Any) -> Any:
        return ((u - y) ** 2).sum() / 2

    def output_error(self, u: Any, y: Any) -> Any:
        return u - y


def bptt(problem: Any, horizon: int) -> Any:
    network, (W, R, V), a = problem.network, (problem.parameters[k] for k in "WRV"), [problem.initial_state]
    for x in problem.inputs:
        a.append(network.step(problem.parameters, a[-1], x))
    found = {"W": 0 * W, "R": 0 * R, "V": 0 * V}
    for t in range(problem.T):
        e = V.T @ a[t + 1] - problem.targets[t]
        found["V"] += np.outer(a[t + 1], e)
        d = V @ e
        for k in range(min(t + 1, horizon)):
            d = d * (a[t + 1 - k] != 0)
            found["W"] += np.outer(problem.inputs[t - k], d)
            found["R"] += np.outer(a[t - k], d)
            d = R @ d
    return found


@rule(Exact())
def whole(problem: Any) -> Any:
    return bptt(problem, problem.T)


@rule(Exact())
def cut(problem: Any) -> Any:
    return bptt(problem, 4)


@pytest.mark.parametrize("network", [Threshold(), Threshold(0.5), Threshold(3.0)], ids=str)
def test_units_below_a_threshold_are_woken(network: Any) -> None:
    size = Sizes(9, 5, 2, 2)
    found = visibility(network, size, 0, False)
    assert found.alive, found.statement
    problem = lively_problem(network, size, 0)
    outside = {rule.__name__: compare_on(as_rule(rule), Exact(), problem, {})[0].outside for rule in (whole, cut)}
    assert outside["whole"] is None and outside["cut"] is not None, outside


def test_a_network_that_nothing_wakes_stays_as_it_is() -> None:
    network = Threshold(1e6)
    assert not visibility(network, Sizes(5, 3, 2, 2), 0, False).alive
    entries = lags.gradient(lively_problem(network, Sizes(5, 3, 2, 2), 0))
    assert not any(array.any() for array in entries.values())


def test_problems_of_networks_that_are_awake_do_not_change() -> None:
    for network in ALL_NETWORKS:
        inputs = lively_problem(network, Sizes(6, 3, 2, 2), 1).inputs
        assert np.abs(inputs).max() < 1.5, network
    assert CHANGES[0](problem := lively_problem(ALL_NETWORKS[0], Sizes(3, 2, 2, 2), 0)) is problem
