"""The gradient by lag: against the loss alone, to 30 digits, on networks that `reference` has never seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck.reference import functions, lags
from gradcheck.reference.claims import Chunked, Exact, LagClaim, Truncated, Windowed
from gradcheck.reference.cotangents import CotangentSum
from gradcheck.reference.errors import UnsupportedOperation
from gradcheck.reference.functions import apply
from gradcheck.reference.network import ALL_CONTEXT_NETWORKS, ALL_NETWORKS, ContextNetwork, Network, Sizes
from gradcheck.reference.networks.losses import Head
from gradcheck.reference.problem import Problem, loss, map_state
from gradcheck.reference.scalars.ball import BallField
from gradcheck.reference.scalars.precise import PreciseField
from gradcheck.reference.scalars.rational import RationalField
from gradcheck.reference.scalars.residues.array import ResidueField
from gradcheck.reference.tree import map_nest

PRECISE, STEP, ALLOWED = PreciseField(60), 1e-20, 1e-30
RATIONAL = RationalField()


@dataclass(frozen=True)
class _MadeUp:
    """What the made-up networks share; they match the protocol and inherit nothing of the library's."""

    head: Head = Head.named("identity", "squared_error")

    def sizes_of(self, parameters: Any, T: int) -> Sizes:
        I = parameters["V"].shape[0]  # noqa: E741
        return Sizes(T, I, parameters["W"].shape[1] - I, parameters["V"].shape[1])

    def output(self, u: Any) -> Any:
        return self.head.output(u)

    def loss_value(self, u: Any, y: Any) -> Any:
        return self.head.value(u, y)

    def output_error(self, u: Any, y: Any) -> Any:
        return self.head.error(u, y)


class LSTM(_MadeUp):
    """State (h, c); W (4I, I + D) acts on the two joined, gates cut from one vector; the readout has a bias."""

    name = "LSTM"

    def parameter_shapes(self, sizes: Sizes) -> Any:
        T, I, D, K = dataclasses.astuple(sizes)  # noqa: E741
        return {"W": (4 * I, I + D), "b": (4 * I,), "V": (I, K), "d": (K,)}

    def state_shape(self, sizes: Sizes) -> Any:
        return ((sizes.I,), (sizes.I,))

    def step(self, parameters: Any, state: Any, x: Any) -> Any:
        h, c = state
        z = parameters["W"] @ np.concatenate((h, x)) + parameters["b"]
        i, f, o, g = np.split(z, 4)
        c = apply("logistic", f + 1) * c + apply("logistic", i) * np.tanh(g)
        return apply("logistic", o) * np.tanh(c), c

    def readout(self, parameters: Any, state: Any) -> Any:
        return state[0] @ parameters["V"] + parameters["d"]


class Leaky(_MadeUp):
    """A leaky gated unit with einsum, np.where, indexing and a scalar parameter; it reuses W in its readout."""

    name = "leaky"

    def parameter_shapes(self, sizes: Sizes) -> Any:
        T, I, D, K = dataclasses.astuple(sizes)  # noqa: E741
        return {"W": (I, I + D), "leak": (), "gain": (2, I), "V": (I, K)}

    def state_shape(self, sizes: Sizes) -> Any:
        return (sizes.I,)

    def step(self, parameters: Any, state: Any, x: Any) -> Any:
        W, leak, gain = parameters["W"], parameters["leak"], parameters["gain"]
        s = np.einsum("ij,j->i", W, np.hstack([state, x]))
        new = gain[0] * s / (1 + abs(s)) + np.where(np.arange(s.size) % 2 == 0, gain[1, ::-1], np.maximum(s, 0))
        return (1 - leak) * state + leak * new

    def readout(self, parameters: Any, state: Any) -> Any:
        W = parameters["W"][:, : len(state)]
        return np.tensordot(state + (W * W).mean(axis=0), parameters["V"], axes=1)


class Rational(_MadeUp):
    """A network of arithmetic only: exact over the rationals and, unlike a linear one, alive in every lag."""

    name = "rational"

    def parameter_shapes(self, sizes: Sizes) -> Any:
        T, I, D, K = dataclasses.astuple(sizes)  # noqa: E741
        return {"W": (I, I + D), "V": (I, K)}

    def state_shape(self, sizes: Sizes) -> Any:
        return (sizes.I,)

    def step(self, parameters: Any, state: Any, x: Any) -> Any:
        s = parameters["W"] @ np.concatenate([state, x])
        return s - s**3 / 3

    def readout(self, parameters: Any, state: Any) -> Any:
        return parameters["V"].T @ state


def problem_for(network: Any, T: int = 5, I: int = 3, D: int = 2, K: int = 2, seed: int = 0) -> Problem:  # noqa: E741
    """Entries are multiples of 1/8, away from 0 so that no relu lies at its kink; losses are weighted."""
    rng, sizes = np.random.default_rng(seed), Sizes(T, I, D, K)

    def draw(shape: tuple[int, ...]) -> np.ndarray:
        return np.asarray((rng.integers(1, 8, size=shape) * rng.choice([-1, 1], size=shape)) / 8)

    shapes = network.state_shape(sizes)
    state = tuple(map(draw, shapes)) if isinstance(shapes[0], tuple) else draw(shapes)
    targets = abs(draw((T, K)))
    if network.head.loss.name == "categorical_cross_entropy":
        targets = np.eye(K)[rng.integers(K, size=T)]
    parameters = {name: draw(shape) for name, shape in network.parameter_shapes(sizes).items()}
    return Problem(parameters, draw((T, D)), targets, state, rng.integers(0, 5, size=T) / 2 + 0.5, network)


def slope_of_loss(problem: Problem, directions: dict[str, Any]) -> Any:
    def shifted(sign: int) -> Any:
        moved = {n: p + sign * STEP * directions[n] for n, p in problem.parameters.items()}
        return loss(problem.replace(parameters=moved))

    return (shifted(1) - shifted(-1)) / (2 * STEP)


def disagreement(problem: Problem) -> float:
    """The worst relative gap, over the parameters, between the gradient and a difference quotient of the loss."""
    with PRECISE.working():
        precise = problem.over(PRECISE)
        found, worst = lags.gradient(precise), 0.0
        rng = np.random.default_rng(9)
        for name, parameter in precise.parameters.items():
            weights = PRECISE.lift(np.asarray(rng.integers(1, 9, size=parameter.shape) / 4))
            only = {n: (weights if n == name else np.zeros_like(p)) for n, p in precise.parameters.items()}
            slope = PRECISE.native(slope_of_loss(precise, only))
            assert slope != 0, f"{name} does not act on the loss"
            worst = max(worst, float(abs(PRECISE.native(np.sum(found[name] * weights)) - slope) / abs(slope)))
        return worst


def entries(gradient: Any) -> list[Any]:
    return [x for name in sorted(gradient) for x in RATIONAL.natives(gradient[name])]


def added(parts: list[dict[str, Any]], like: Problem) -> dict[str, Any]:
    total = {name: np.zeros_like(p) for name, p in like.parameters.items()}
    for part in parts:
        total = {name: total[name] + part[name] for name in total}
    return total


NETWORKS = [
    *ALL_NETWORKS, *ALL_CONTEXT_NETWORKS[:5],
    LSTM(), Leaky(), Rational(), LSTM(Head.named("softmax", "squared_error")),
]  # fmt: skip
EXACT_PROBLEMS = [
    problem_for(Network("identity"), T=4, I=2).over(RATIONAL),
    problem_for(Network("relu"), T=4, I=2).over(RATIONAL),
    problem_for(ContextNetwork("identity"), T=4, I=2).over(RATIONAL),
    problem_for(Rational(), T=4, I=2).over(RATIONAL),
    problem_for(Leaky(), T=4, I=2).over(RATIONAL),
]
CLAIMS: list[LagClaim] = [
    Exact(), *(Truncated(n) for n in range(1, 6)), *(Chunked(n) for n in range(1, 6)),
    Windowed(2, 1), Windowed(3, 2), Windowed(4, 3), Windowed(4, 4),
]  # fmt: skip


@pytest.mark.parametrize("network", NETWORKS, ids=[f"{n.name}, {i}" for i, n in enumerate(NETWORKS)])
def test_gradient_equals_the_difference_quotient_of_the_loss_to_30_digits(network: Any) -> None:
    gap = disagreement(problem_for(network))
    assert gap < ALLOWED, f"{network.name}: relative gap {gap:.2e}, allowed {ALLOWED:.0e}"


@pytest.mark.parametrize("network", [Network(), LSTM(), Leaky()], ids=lambda n: n.name)
def test_floats_agree_with_the_precise_gradient(network: Any) -> None:
    problem = problem_for(network)
    with PRECISE.working():
        precise = lags.gradient(problem.over(PRECISE))
    found = lags.gradient(problem)
    for name, wanted in precise.items():
        assert found[name].shape == wanted.shape and found[name].dtype == np.float64
        numbers = np.array([float(x) for x in PRECISE.natives(wanted)]).reshape(wanted.shape)
        # A few hundred roundings on numbers of order 1.
        np.testing.assert_allclose(found[name], numbers, rtol=1e-12, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("problem", EXACT_PROBLEMS, ids=lambda p: p.network.name)
def test_the_lags_sum_to_the_gradient_exactly(problem: Problem) -> None:
    parts = lags.by_lag(problem)
    assert list(parts) == [(t, k) for t in range(1, problem.T + 1) for k in range(t)]
    assert entries(added(list(parts.values()), problem)) == entries(lags.gradient(problem))


@pytest.mark.parametrize("problem", EXACT_PROBLEMS, ids=lambda p: p.network.name)
def test_those_of_the_last_loss_are_those_of_all_losses(problem: Problem) -> None:
    every, last = lags.by_lag(problem), lags.of_last_loss(problem)
    assert set(last) == {(t, k) for t, k in every if t == problem.T}
    for key, part in last.items():
        for name, array in part.items():
            assert np.array_equal(array, every[key][name]), f"{name} at {key}"


@pytest.mark.parametrize("claim", CLAIMS, ids=str)
@pytest.mark.parametrize("problem", EXACT_PROBLEMS, ids=lambda p: p.network.name)
def test_a_claim_keeps_exactly_its_lags(problem: Problem, claim: LagClaim) -> None:
    parts = lags.by_lag(problem)
    by_hand = added([part for (t, k), part in parts.items() if claim.keeps(t, k, problem.T)], problem)
    assert entries(lags.gradient(problem, claim.keeps)) == entries(by_hand)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.sets(st.sampled_from([(t, k) for t in range(1, 5) for k in range(t)])))
def test_any_set_of_lags_can_be_kept(kept: set[tuple[int, int]]) -> None:
    problem = EXACT_PROBLEMS[0]
    parts = lags.by_lag(problem)
    found = lags.gradient(problem, lambda t, k, T: (t, k) in kept)
    assert entries(found) == entries(added([parts[key] for key in kept], problem))


def test_each_lag_is_the_slope_in_the_parameters_of_that_step() -> None:
    """g(t, k) without the tape: parameters that are moved at step t - k only, loss t only."""
    with PRECISE.working():
        problem = problem_for(LSTM(), T=3, I=2).over(PRECISE)
        rng = np.random.default_rng(4)
        shapes = {n: p.shape for n, p in problem.parameters.items()}
        moves = {n: PRECISE.lift(np.asarray(rng.integers(1, 9, size=shape) / 8)) for n, shape in shapes.items()}

        def loss_at(t: int, moved: int, sign: int) -> Any:
            state, network = problem.initial_state, problem.network
            for s in range(1, t + 1):
                on = sign * STEP if s == moved else 0
                parameters = {n: p + on * moves[n] for n, p in problem.parameters.items()}
                state = network.step(parameters, state, problem.inputs[s - 1])
            # The readout belongs to time t, and so to lag 0.
            return problem.loss_weights[t - 1] * network.loss_value(
                network.readout(parameters, state), problem.targets[t - 1]
            )

        for (t, k), part in lags.by_lag(problem).items():
            slope = PRECISE.native((loss_at(t, t - k, 1) - loss_at(t, t - k, -1)) / (2 * STEP))
            found = PRECISE.native(sum((np.sum(part[n] * moves[n]) for n in moves), 0))
            assert abs(found - slope) < ALLOWED * abs(slope), f"lag {k} of the loss at {t}"


def test_dropping_lag_0_drops_the_readout() -> None:
    problem = EXACT_PROBLEMS[0]
    assert not any(entries({"V": lags.gradient(problem, lambda t, k, T: k > 0)["V"]}))
    assert any(entries({"V": lags.gradient(problem, Truncated(1).keeps)["V"]}))


def test_truncation_error_is_not_monotone() -> None:
    """w = 1, r = -1, x = (1, 1, 1), loss on a(3) alone: dL/dw at tau = 1, 2, 3 is 1, 0, 1."""
    one = np.ones((1, 1))
    problem = Problem(
        {"W": one, "R": -one, "V": one}, np.ones((3, 1)), np.zeros((3, 1)), loss_weights=np.array([0.0, 0.0, 1.0]),
        network=Network("identity"),
    )  # fmt: skip
    assert [lags.gradient(problem, Truncated(tau).keeps)["W"].item() for tau in (1, 2, 3)] == [1, 0, 1]


@pytest.mark.parametrize(
    ("claim", "steps"),
    [(Exact(), 30), (Chunked(5), 30), (Truncated(4), 4 * 27), (Truncated(1), 30), (Windowed(6, 3), 6 * 9)],
    ids=str,
)
def test_the_number_of_pullbacks_is_what_the_claim_needs(
    claim: LagClaim, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Losses of one window travel together, and those near the start join the first whole window."""
    calls = []
    right = lags.Unrolled.back
    monkeypatch.setattr(lags.Unrolled, "back", lambda self, t, cotangent: calls.append(t) or right(self, t, cotangent))
    lags.gradient(problem_for(Network(), T=30), claim.keeps)
    assert len(calls) == steps


def test_matrix_cotangents_are_formed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    formed: list[Any] = []
    right = CotangentSum.array
    monkeypatch.setattr(CotangentSum, "array", lambda self: formed.append(self.like.shape) or right(self))
    lags.gradient(problem_for(Network(), T=20, I=4, D=3, K=2))
    assert [shape for shape in formed if len(shape) == 2] == [(3, 4), (4, 4), (4, 2)]


def test_states_readouts_and_errors_are_those_of_the_equations() -> None:
    problem = problem_for(LSTM())
    unrolled = lags.unroll(problem)
    state = problem.initial_state
    for t, (x, y, w) in enumerate(zip(problem.inputs, problem.targets, problem.loss_weights, strict=True)):
        state = problem.network.step(problem.parameters, state, x)
        u = problem.network.readout(problem.parameters, state)
        map_state(np.testing.assert_array_equal, unrolled.states[t], state)
        np.testing.assert_array_equal(unrolled.readouts[t], u)
        np.testing.assert_array_equal(lags.error_signals(problem)[t], w * (u - y))


def test_balls_contain_the_gradient() -> None:
    problem, ball = problem_for(Network(), T=10), BallField(256)
    with PRECISE.working():
        precise = lags.gradient(problem.over(PRECISE))
    with ball.working():
        enclosed = lags.gradient(problem.over(ball))
        for name, balls in enclosed.items():
            for b, n in zip(ball.natives(balls), PRECISE.natives(precise[name]), strict=True):
                assert b.rel_accuracy_bits() > 150 and abs(float(b.mid()) - float(n)) <= 1e-15 * max(1, abs(float(n)))


@pytest.mark.parametrize("network", [Network("identity"), Rational()], ids=lambda n: n.name)
def test_residues_agree_with_the_rationals(network: Any) -> None:
    problem, field = problem_for(network, T=4, I=2), ResidueField()
    exact, residues = lags.gradient(problem.over(RATIONAL)), lags.gradient(problem.over(field))
    for name, wanted in exact.items():
        reduced = [int(q.p) * pow(int(q.q), -1, field.prime) % field.prime for q in RATIONAL.natives(wanted)]
        assert field.residues(residues[name]).reshape(-1).tolist() == reduced, name


def test_an_operation_without_a_rule_is_named() -> None:
    class Sorting(Rational):
        def step(self, parameters: Any, state: Any, x: Any) -> Any:
            return np.sort(super().step(parameters, state, x))

    with pytest.raises(UnsupportedOperation, match="np.sort is not defined on traced scalars"):
        lags.gradient(problem_for(Sorting()))


# Twins: planted bugs that the checks above must reject.
def test_a_wrong_activation_derivative_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(functions.DERIVATIVES, "tanh", lambda s, _: 1 - apply("tanh", s) ** 2 * (1 - 1e-9))
    assert disagreement(problem_for(Network())) > 1e-12
    assert disagreement(problem_for(LSTM())) > 1e-12


def _stop_early(right: Callable[..., Any]) -> Callable[..., Any]:
    def back(self: lags.Unrolled, t: int, cotangent: Any) -> Any:
        parameters, state = right(self, t, cotangent)
        return parameters, state if t > 2 else map_nest(np.zeros_like, state)

    return back


def test_a_sweep_that_stops_one_step_early_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = problem_for(Network())
    whole = lags.gradient(problem)
    step_by_step = lags.gradient(problem, lambda t, k, T: True)
    monkeypatch.setattr(lags.Unrolled, "back", _stop_early(lags.Unrolled.back))
    early = lags.gradient(problem, lambda t, k, T: True)
    for name, array in whole.items():
        np.testing.assert_allclose(step_by_step[name], array, rtol=1e-12, err_msg=name)
    assert any(not np.allclose(early[name], array, rtol=1e-6) for name, array in whole.items())


def test_a_whole_pass_that_forgets_a_loss_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = lags.vjp

    def without_the_first_loss(function: Callable[..., Any], *inputs: Any) -> Any:
        us, pull = right(function, *inputs)
        return us, lambda errors: pull([errors[0] * 0, *errors[1:]])

    monkeypatch.setattr(lags, "vjp", without_the_first_loss)
    assert disagreement(problem_for(Network())) > ALLOWED


def test_a_claim_off_by_one_is_caught() -> None:
    for problem in EXACT_PROBLEMS:
        for tau in range(1, problem.T):
            right, wrong = (lags.gradient(problem, Truncated(n).keeps) for n in (tau, tau + 1))
            assert entries(right) != entries(wrong), f"{problem.network.name}: lag {tau} is dead"
