"""Lags that rounding hides: problems on which they show where there are any, and no pass where there are none."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from gradcheck.algorithms.bptt import bptt
from gradcheck.engine.wire import finding_from, finding_to_data
from gradcheck.evidence.base import Case, Finding, hidden_lags
from gradcheck.evidence.floats.blackbox import BlackBox
from gradcheck.evidence.floats.lagwise import Lagwise
from gradcheck.evidence.given import GivenFloats
from gradcheck.judge.conclude import Gathered, conclude
from gradcheck.problems import carrying, lively
from gradcheck.records import Evidence, Status, Strength
from gradcheck.reference.claims import Claim, Exact, Truncated
from gradcheck.reference.network import ALL_CONTEXT_NETWORKS, ALL_NETWORKS, Network, Sizes
from gradcheck.reference.problem import Problem
from gradcheck.reference.typing import Array, Gradient
from gradcheck.rules.adapt import as_rule

SIZES = (Sizes(41, 6, 2, 2), Sizes(5, 3, 2, 2))


@dataclasses.dataclass(frozen=True)
class Contracting:
    """A network whose state shrinks to a tenth in each step: a(t) = 0.1 tanh(W^T x + scale R^T a)."""

    scale: float = 1.0
    bounded: bool = False
    name = "contracting"

    def parameter_shapes(self, s: Sizes) -> dict[str, tuple[int, ...]]:
        return {"W": (s.D, s.I), "R": (s.I, s.I), "V": (s.I, s.K)}

    def state_shape(self, s: Sizes) -> tuple[int, ...]:
        return (s.I,)

    def sizes_of(self, p: dict[str, Array], T: int) -> Sizes:
        return Sizes(T, p["W"].shape[1], p["W"].shape[0], p["V"].shape[1])

    def step(self, p: dict[str, Array], a: Array, x: Array) -> Array:
        carried = p["R"].T @ a
        return 0.1 * np.tanh(p["W"].T @ x + (0.02 * np.tanh(carried) if self.bounded else carried))

    def readout(self, p: dict[str, Array], a: Array) -> Array:
        return p["V"].T @ a

    def output(self, u: Array) -> Array:
        return u

    def loss_value(self, u: Array, y: Array) -> Any:
        return ((u - y) ** 2).sum() / 2

    def output_error(self, u: Array, y: Array) -> Array:
        return u - y


OPEN, CLOSED = Contracting(), Contracting(bounded=True)
"""Larger weights keep the state's influence alive in the first; nothing does in the second."""


def truncated(horizon: int) -> Any:
    """Backpropagation that counts lags below a horizon."""

    def rule(p: Problem) -> Gradient:
        W, R, V = (np.array(p.parameters[name], dtype=float) for name in "WRV")
        states, carried = [np.array(p.initial_state, dtype=float)], []
        for x in p.inputs:
            carried.append(R.T @ states[-1])
            inner = 0.02 * np.tanh(carried[-1]) if p.network.bounded else carried[-1]  # type: ignore[attr-defined]
            states.append(0.1 * np.tanh(W.T @ x + inner))
        dW, dR, dV = (np.zeros(array.shape) for array in (W, R, V))
        for t in range(p.T):
            error = V.T @ states[t + 1] - p.targets[t]
            dV += np.outer(states[t + 1], error)
            d = V @ error
            for k in range(t, max(-1, t - horizon), -1):
                s = d * 0.1 * (1 - (states[k + 1] * 10) ** 2)
                slope = 0.02 * (1 - np.tanh(carried[k]) ** 2) if p.network.bounded else 1.0  # type: ignore[attr-defined]
                dW += np.outer(p.inputs[k], s)
                dR += np.outer(states[k], s * slope)
                d = R @ (s * slope)
        return {"W": dW, "R": dR, "V": dV}

    return rule


def found(horizon: int, network: Contracting, kind: Any = BlackBox, claim: Claim | None = None) -> Finding:
    how = {"sizes": SIZES, "branching": False} if kind is BlackBox else {"size": Sizes(31, 4, 31, 2)}
    finding = kind(**how).gather(Case(as_rule(truncated(horizon)), claim or Exact(), network))  # type: ignore[arg-type]
    assert isinstance(finding, Finding)
    return finding


def word(*findings: Finding, claim: Claim | None = None) -> tuple[Status, str]:
    verdict = conclude(claim or Exact(), [Gathered(CLOSED, findings)])  # type: ignore[arg-type]
    return verdict.status, verdict.statement


@pytest.mark.parametrize("horizon", [12, 20, 30])
def test_a_missing_lag_shows_where_larger_weights_keep_it_alive(horizon: int) -> None:
    assert found(horizon, OPEN).evidence.status is Status.REFUTED


@pytest.mark.parametrize("kind", [BlackBox, Lagwise])
def test_a_right_rule_holds_there(kind: Any) -> None:
    finding = found(1000, OPEN, kind)
    assert finding.evidence.status is Status.HOLDS and not hidden_lags([finding]), finding
    assert finding.planted[0] == finding.planted[1] and finding.reach >= 30
    assert word(finding)[0] is Status.HOLDS


@pytest.mark.parametrize("kind", [BlackBox, Lagwise])
@pytest.mark.parametrize("horizon", [20, 1000])
def test_what_nothing_shows_is_inconclusive_and_names_the_lags(kind: Any, horizon: int) -> None:
    finding = found(horizon, CLOSED, kind)
    lags = hidden_lags([finding])
    assert finding.evidence.status is Status.HOLDS and finding.planted[1] < finding.planted[0], finding
    assert 3 < lags[0] < 12 and lags == list(range(lags[0], lags[-1] + 1))
    status, text = word(finding)
    assert status is Status.INCONCLUSIVE
    assert f"rounding hides lags {lags[0]} to {lags[-1]} of the last loss on every problem" in text
    assert "add a problem that shows them: audit(..., problems=[...]) or --problems" in text


@pytest.mark.parametrize("kind", [BlackBox(sizes=(Sizes(48, 6, 2, 1),), branching=False), Lagwise()])
def test_lags_that_a_coarse_format_hides_leave_a_right_rule_alone(kind: Any) -> None:
    finding = kind.gather(Case(as_rule(lambda p: bptt(p.astype(np.float32))), Exact(), Network()))
    assert finding.evidence.status is Status.HOLDS and not hidden_lags([finding]), finding
    assert word(finding)[0] is Status.HOLDS


def test_a_claim_that_keeps_only_visible_lags_holds() -> None:
    finding = found(3, CLOSED, claim=Truncated(3))
    assert not hidden_lags([finding]) and word(finding, claim=Truncated(3))[0] is Status.HOLDS


@pytest.mark.parametrize("strength", [Strength.CERTIFIED, Strength.EXACT, Strength.PROVED])
def test_stronger_evidence_shows_the_lags(strength: Strength) -> None:
    hidden = Finding(Evidence("float64", Status.HOLDS, Strength.SUPPORTED, "s"), hidden=(7, 8), reach=6)
    assert word(hidden)[0] is Status.INCONCLUSIVE
    assert word(hidden, Finding(Evidence("formal", Status.HOLDS, strength, "equal")))[0] is Status.HOLDS


def test_a_lag_that_one_problem_hides_and_another_shows_is_seen() -> None:
    one, other = (Finding(Evidence("k", Status.HOLDS, Strength.SUPPORTED, "s"), hidden=h, reach=r)
                  for h, r in (((7, 8), 6), ((), 7)))  # fmt: skip
    assert hidden_lags([one]) == [7, 8] and hidden_lags([one, other]) == [8]


def test_an_added_problem_shows_what_it_shows() -> None:
    sizes = Sizes(12, 3, 2, 2)
    shown = GivenFloats((lively.lively_problem(OPEN, sizes, 0),))  # type: ignore[arg-type]
    finding = shown.gather(Case(as_rule(truncated(1000)), Exact(), OPEN))  # type: ignore[arg-type]
    assert (finding.reach, finding.hidden, finding.planted) == (11, (), (0, 0))


def test_lags_travel() -> None:
    finding = Finding(Evidence("k", Status.HOLDS, Strength.SUPPORTED, "s"), None, (3, 2), (7, 8), 6)
    data = json.loads(json.dumps(finding_to_data(finding)))
    assert finding_from(data, OPEN) == finding  # type: ignore[arg-type]


@pytest.mark.parametrize("network", [*ALL_NETWORKS, *ALL_CONTEXT_NETWORKS], ids=repr)
def test_no_shipped_network_forgets(network: Any) -> None:
    assert lively._factor(network) == 1.0


def test_growth_is_measured() -> None:
    problem = lively._draw(OPEN, Sizes(8, 4, 2, 2), 0)  # type: ignore[arg-type]
    assert carrying.growth(problem) < 0.2
    by = carrying.best_factor(problem, ["R"])
    kept = problem.replace(parameters={**problem.parameters, "R": problem.parameters["R"] * by})
    assert 6 < by < 20 and carrying.growth(kept) > 0.7
    assert carrying.best_factor(problem, []) == 1.0
