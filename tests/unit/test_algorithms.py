"""The catalogue against lags from unshared weights, and the rules against each other without a tolerance."""

from __future__ import annotations

import importlib
import inspect
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_cases import (
    all_complaints,
    claim_of,
    complaints,
    declaration,
    first_problem,
    lags,
    natives,
    problem_on,
    settings_of,
)

from gradcheck.algorithms import (
    CATALOGUE,
    RTRL,
    Focused,
    Schmidhuber,
    bptt,
    bptt_to_inputs,
    chunked_bptt,
    run_online,
    run_rule,
    truncated_bptt,
    windowed_bptt,
)
from gradcheck.algorithms.online import is_stochastic
from gradcheck.reference.claims import Exact, LagClaim, rule
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import ContextNetwork, Network, Sizes
from gradcheck.reference.problem import Problem
from gradcheck.reference.scalars.ball import BallField
from gradcheck.reference.scalars.base import Field
from gradcheck.reference.scalars.dual import DualField
from gradcheck.reference.scalars.formal import FormalField
from gradcheck.reference.scalars.precise import PreciseField
from gradcheck.reference.scalars.rational import RationalField
from gradcheck.reference.scalars.residues.array import ResidueField
from gradcheck.reference.scalars.residues.modular import ModularField
from gradcheck.reference.scalars.rounded import RoundedField

LAGGED = tuple(
    r
    for r in CATALOGUE
    if any(isinstance(claim, LagClaim) for claim in declaration(r).claims)
    and type(declaration(r).networks[0]) in (Network, ContextNetwork)
    and not is_stochastic(r)
)
"""Rules that claim the gradient, or some lags of it, of the lecture's networks; others have tests of their own."""
NAMES = [r.__name__ for r in LAGGED]
APPROXIMATE = (truncated_bptt, windowed_bptt, chunked_bptt)
EXACT = (bptt, RTRL, Schmidhuber)


@pytest.mark.parametrize("target", LAGGED, ids=NAMES)
def test_the_claim_holds_at_every_setting(target: Any) -> None:
    assert all_complaints(target, first_problem(target)) == []


@pytest.mark.parametrize("target", LAGGED, ids=NAMES)
def test_the_claim_holds_in_float32(target: Any) -> None:
    assert all_complaints(target, first_problem(target).astype(np.float32)) == []


@pytest.mark.parametrize("sizes", [Sizes(1, 3, 2, 2), Sizes(4, 1, 2, 2), Sizes(4, 3, 1, 2), Sizes(4, 3, 2, 1)], ids=str)
@pytest.mark.parametrize("target", LAGGED, ids=NAMES)
def test_the_claim_holds_at_sizes_of_one(target: Any, sizes: Sizes) -> None:
    assert all_complaints(target, first_problem(target, sizes)) == []


@pytest.mark.parametrize("target", LAGGED, ids=NAMES)
def test_the_claim_holds_on_every_network_declared(target: Any) -> None:
    assert len(declaration(target).networks) == 30, "every activation with every head"
    for network in declaration(target).networks:
        assert all_complaints(target, problem_on(network, Sizes(3, 2, 1, 2))) == [], str(network)


@pytest.mark.parametrize("target", APPROXIMATE, ids=lambda r: r.__name__)
def test_an_approximate_rule_differs_from_the_gradient_where_it_drops_a_lag(target: Any) -> None:
    problem = first_problem(target)
    T = problem.T
    dropping = 0
    for chosen in settings_of(target, T):
        claim = claim_of(target, chosen)
        drops = not all(claim.keeps(t, k, T) for t, k in lags(problem))
        wrong = complaints(run_rule(target, problem, **chosen), problem, Exact())
        assert bool(wrong) == drops, f"{claim} drops lags: {drops}; against the gradient: {wrong}"
        dropping += drops
    assert dropping >= 4, "settings that drop nothing show nothing"


BUGS = [
    (bptt, "unfolding", "self.a[:-1].T @ delta", "self.a[1:].T @ delta", "a(t) for a(t-1)"),
    (bptt, "unfolding", "self.a[:-1].T @ delta", "(self.a[:-1].T @ delta).T", "R transposed, as the lecture prints it"),
    (bptt, "unfolding", "e = problem.loss_weights[:, None] * e", "e = 1 * e", "loss weights forgotten"),
    (bptt, "unfolding", "a[0] = problem.initial_state", "a[0] = 0 * problem.initial_state", "initial state forgotten"),
    (bptt, "bptt", "R @ delta[t + 1]", "R.T @ delta[t + 1]", "R transposed going back"),
    (bptt, "bptt", "slope[t] *", "slope[t + 1] *", "f' one step late"),
    (bptt, "bptt", "range(len(d) - 1)", "range(1, len(d) - 1)", "the first step left out"),
    (truncated_bptt, "truncated_bptt", "range(1, min(tau,", "range(1, min(tau + 1,", "one lag too many"),
    (truncated_bptt, "truncated_bptt", "range(1, min(tau,", "range(1, min(tau - 1,", "one lag too few"),
    (windowed_bptt, "windowed_bptt", "if t >= done:", "if True:", "losses counted again in each pass"),
    (windowed_bptt, "windowed_bptt", "max(end - horizon, 0)", "max(end - horizon - 1, 0)", "one step too far"),
    (windowed_bptt, "windowed_bptt", ", problem.T):\n        carried", ",):\n        carried", "no pass at the end"),
    (chunked_bptt, "chunked_bptt", "(0, problem.T, length)", "(0, problem.T - length + 1, length)", "the tail lost"),
    (RTRL, "rtrl", "(R.T * slope)", "(R * slope)", "J transposed"),
    (RTRL, "rtrl", "[unit, :, unit] + u", "[unit, :, unit] + 2 * u", "the immediate term doubled"),
    (RTRL, "rtrl", "d = slope * (V @ e)", "d = V @ e", "f' forgotten"),
    (Schmidhuber, "schmidhuber", " + (Delta[0] @ R.T) @ state.Q", "", "influence forgotten at block ends"),
    (Schmidhuber, "schmidhuber", "(R @ delta[0])", "delta[0]", "boundary off by one step"),
    (Schmidhuber, "schmidhuber", "if state.block else", "if state.block[2:] else", "a last, short block lost"),
    (Focused, "focused", "alpha = w * alpha + c", "alpha = alpha + c", "trace without its decay"),
    (Focused, "focused", "beta = w * beta +", "beta =", "trace without its past"),
]


@pytest.mark.parametrize(
    ("target", "module", "old", "new", "bug"), BUGS, ids=[f"{b[0].__name__}: {b[4]}" for b in BUGS]
)
def test_a_planted_bug_is_rejected(
    target: Any, module: str, old: str, new: str, bug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = importlib.import_module(f"gradcheck.algorithms.{module}")
    source = inspect.getsource(original)
    assert source.count(old) == 1, f"{old!r} should stand once in {module}.py, to be replaced by {new!r}"
    faulty: dict[str, Any] = {"__name__": original.__name__, "__package__": original.__package__}
    exec(compile(source.replace(old, new), f"{module} ({bug})", "exec"), faulty)
    home = sys.modules[target.__module__]
    if original is not home:
        monkeypatch.setattr(home, "unfold", faulty["unfold"])
        faulty = vars(home)
    twin = faulty[target.__name__]
    assert all_complaints(twin, first_problem(target)) != [], f"{bug} went unnoticed"


SIZES = st.builds(Sizes, st.integers(1, 6), st.integers(1, 3), st.integers(1, 2), st.integers(1, 2))


@settings(max_examples=12)
@given(sizes=SIZES, seed=st.integers(0, 999))
def test_the_exact_rules_agree_modulo_a_prime(sizes: Sizes, seed: int) -> None:
    field = ModularField(seed=seed)
    problem = problem_on(Network().undefined(), sizes, seed).over(field)
    wanted = natives(field, bptt(problem))
    assert natives(field, run_rule(RTRL, problem)) == wanted, "RTRL is not BPTT"
    for block in (None, *range(1, sizes.T + 4)):
        came = natives(field, run_online(Schmidhuber(block), problem))
        assert came == wanted, f"blocks of {block} are not BPTT"


@settings(max_examples=12)
@given(sizes=SIZES, seed=st.integers(0, 999))
def test_the_truncations_agree_where_they_should_modulo_a_prime(sizes: Sizes, seed: int) -> None:
    field, T = ModularField(seed=seed), sizes.T
    problem = problem_on(Network().undefined(), sizes, seed).over(field)
    exact = natives(field, bptt(problem))
    for n in range(1, T + 3):
        truncated = natives(field, truncated_bptt(problem, tau=n))
        chunked = natives(field, chunked_bptt(problem, length=n))
        assert natives(field, windowed_bptt(problem, horizon=n, stride=1)) == truncated, f"h={n}, h'=1"
        if T % n == 0 or n > T:  # a last, shorter chunk starts afresh; BPTT(h; h) goes back h steps there too
            assert natives(field, windowed_bptt(problem, horizon=n, stride=n)) == chunked, f"h=h'={n}"
        if n == 1:
            assert truncated == chunked, "nothing may go back at length 1"
        if n >= T:
            assert truncated == chunked == exact, f"length {n} of {T} is not the gradient"
            for stride in range(1, n + 1):
                assert natives(field, windowed_bptt(problem, horizon=n, stride=stride)) == exact, f"h={n}, h'={stride}"


def test_with_a_shorter_tail_windowed_and_chunked_differ() -> None:
    field = ModularField()
    problem = first_problem(bptt).over(field)
    windowed = natives(field, windowed_bptt(problem, horizon=3, stride=3))
    assert windowed != natives(field, chunked_bptt(problem, length=3)), "T = 5: BPTT(3; 3) sends loss 5 back to step 3"


@pytest.mark.parametrize(
    ("field", "network", "context"),
    [
        (RationalField(), Network("relu"), ContextNetwork("relu")),
        (BallField(128), Network("tanh", "softmax"), ContextNetwork("tanh", "softmax")),
        (ModularField(), Network("logistic", "tanh"), ContextNetwork("logistic", "tanh")),
        (PreciseField(40), Network("softplus"), ContextNetwork("softplus")),
    ],
    ids=lambda value: getattr(value, "name", "") if isinstance(value, Field) else "",
)
@pytest.mark.parametrize("target", LAGGED, ids=NAMES)
def test_every_rule_runs_on_every_number_system(target: Any, field: Field, network: Any, context: Any) -> None:
    problem = problem_on(context if target is Focused else network)
    chosen = settings_of(target, problem.T)[1 % len(settings_of(target, problem.T))]
    with field.working():
        came = natives(field, run_rule(target, problem.over(field), **chosen))
        if field.name == "modular":
            return  # residues have no size to compare
        values = {name: [float(str(v)) if field.name == "precise" else _middle(v) for v in came[name]] for name in came}
    gradient = {name: np.reshape(values[name], array.shape) for name, array in problem.arrays().items() if name in came}
    assert complaints(gradient, problem, claim_of(target, chosen)) == []


def _middle(value: Any) -> float:
    return float(value.mid()) if hasattr(value, "mid") else int(value.p) / int(value.q)


@pytest.mark.parametrize("target", LAGGED, ids=NAMES)
@pytest.mark.parametrize(
    "field", [DualField(RationalField()), RoundedField.for_dtype(np.float64)], ids=lambda f: f.name
)
def test_every_rule_runs_on_scalars_that_carry_more_than_a_value(target: Any, field: Field) -> None:
    problem = problem_on(ContextNetwork("relu") if target is Focused else Network("relu"), Sizes(3, 2, 2, 1))
    chosen = settings_of(target, problem.T)[0]
    came = natives(field, run_rule(target, problem.over(field), **chosen))
    values = {
        name: [v.v if isinstance(field, RoundedField) else _middle(v.primal.value) for v in came[name]] for name in came
    }
    gradient = {name: np.reshape(values[name], array.shape) for name, array in problem.arrays().items() if name in came}
    assert complaints(gradient, problem, claim_of(target, chosen)) == []


def _to_parameters(problem: Problem) -> Any:
    return {name: array for name, array in bptt_to_inputs(problem).items() if name in problem.parameters}


def test_the_exact_rules_are_the_same_polynomials() -> None:
    field, sizes = FormalField(), Sizes(3, 2, 1, 1)
    network: Any = Network().undefined()
    problem = Problem(
        {name: field.symbols(name, shape) for name, shape in network.parameter_shapes(sizes).items()},
        field.symbols("x", (3, 1)),
        field.symbols("y", (3, 1)),
        field.symbols("a", (2,)),
        field.symbols("w", (3,)),
        network,
    )
    wanted = natives(field, bptt(problem))
    assert natives(field, truncated_bptt(problem, tau=2)) != wanted
    for target, chosen in [
        (RTRL, {}),
        (_to_parameters, {}),
        *((Schmidhuber, {"block": b}) for b in range(1, 5)),
        (truncated_bptt, {"tau": 3}),
    ]:
        assert natives(field, run_rule(target, problem, **chosen)) == wanted, f"{target.__name__} {chosen} is not BPTT"


@pytest.mark.parametrize("target", LAGGED, ids=NAMES)
def test_residues_in_floats_agree_with_residues_as_objects(target: Any) -> None:
    fast, slow = ResidueField(), ModularField(ResidueField().prime)
    problem = problem_on(ContextNetwork("identity") if target is Focused else Network("identity"))
    for chosen in settings_of(target, problem.T):
        came = run_rule(target, problem.over(fast), **chosen)
        wanted = natives(slow, run_rule(target, problem.over(slow), **chosen))
        for name in wanted:
            assert fast.residues(came[name]).reshape(-1).tolist() == [int(v) for v in wanted[name]], (
                f"{name} at {chosen}"
            )


def test_the_exact_rules_agree_modulo_a_prime_at_a_realistic_size() -> None:
    field = ResidueField()
    problem = problem_on(Network().undefined(), Sizes(40, 24, 4, 3)).over(field)
    wanted = bptt(problem)
    for target in (RTRL(), Schmidhuber(), Schmidhuber(7)):
        for name, came in run_online(target, problem).items():
            assert field.equal(came, wanted[name]).all(), f"{name} of {target} is not BPTT's"
    cut = truncated_bptt(problem, tau=39)
    assert not field.equal(cut["R"], wanted["R"]).any(), "one lag of 40 left out must show in every entry"


@pytest.mark.parametrize("target", LAGGED, ids=NAMES)
def test_the_problem_is_left_as_it_was(target: Any) -> None:
    problem = first_problem(target).copy()
    before = problem.copy().arrays()
    for array in problem.arrays().values():
        array.flags.writeable = False
    for chosen in settings_of(target, problem.T):
        first, second = (run_rule(target, problem, **chosen) for _ in range(2))
        for name in first:
            assert np.array_equal(first[name], second[name]), f"{name} differs between two calls at {chosen}"
            assert first[name].flags.writeable, f"{name} at {chosen} cannot be written to by its receiver"
    for name, array in problem.arrays().items():
        assert np.array_equal(array, before[name]), f"{name} was changed"


def walk(problem: Problem, target: Any) -> list[tuple[Any, Any]]:
    """The state after each step, with its contribution."""
    state, path = target.start(problem.network, problem.parameters, problem.initial_state), []
    for x, y, weight in zip(problem.inputs, problem.targets, problem.loss_weights, strict=True):
        state, contribution = target.step(state, x, y, weight)
        path.append((state, contribution))
    return path


def storage(state: Any) -> int:
    if isinstance(state, np.ndarray):
        return state.size
    if isinstance(state, dict):
        return sum(map(storage, state.values()))
    return sum(map(storage, state)) if isinstance(state, tuple) else 0


@pytest.mark.parametrize("target", [RTRL(), Focused(), Schmidhuber(), Schmidhuber(2)], ids=lambda r: type(r).__name__)
def test_an_online_rule_keeps_earlier_states_and_bounded_storage(target: Any) -> None:
    problem = first_problem(type(target), Sizes(12, 3, 2, 2))
    path = walk(problem, target)
    again, _ = target.step(path[3][0], problem.inputs[4], problem.targets[4], problem.loss_weights[4])
    for kept, anew in zip(again, path[4][0], strict=True):
        if isinstance(kept, np.ndarray):
            assert np.array_equal(kept, anew), "a later step changed an earlier state"
    sizes = [storage(state) for state, _ in path]
    period = getattr(target, "block", 1) or 3
    assert sizes[: -2 * period] == sizes[2 * period :], f"storage changes with t: {sizes}"


@pytest.mark.parametrize(("target", "block"), [(RTRL(), 1), (Schmidhuber(3), 3), (Schmidhuber(1), 1)])
def test_contributions_so_far_are_the_gradient_of_the_prefix(target: Any, block: int) -> None:
    problem = first_problem(bptt, Sizes(8, 3, 2, 2))
    total = {name: np.zeros_like(p) for name, p in problem.parameters.items()}
    for t, (_, contribution) in enumerate(walk(problem, target), start=1):
        assert (contribution is None) == (t % block != 0), f"step {t} with blocks of {block}"
        if contribution is None:
            continue
        total = {name: total[name] + contribution[name] for name in total}
        for name, wanted in bptt(problem.prefix(t)).items():
            np.testing.assert_allclose(total[name], wanted, rtol=1e-12, atol=1e-14, err_msg=f"{name} after step {t}")


@pytest.mark.parametrize("bad", [0, -1, 1.5, True, "3", None])
def test_lengths_are_validated(bad: Any) -> None:
    problem = first_problem(bptt)
    for name, call in [
        ("tau", lambda: truncated_bptt(problem, tau=bad)),
        ("length", lambda: chunked_bptt(problem, length=bad)),
        ("horizon", lambda: windowed_bptt(problem, horizon=bad, stride=1)),
        ("stride", lambda: windowed_bptt(problem, horizon=2, stride=bad)),
        *([("block", lambda: Schmidhuber(bad))] if bad is not None else []),
    ]:
        with pytest.raises(GradcheckError, match=f"{name} must be a whole number of steps, at least 1; got {bad!r}"):
            call()
    with pytest.raises(GradcheckError, match="losses between passes are lost; got 3 and 2"):
        windowed_bptt(problem, horizon=2, stride=3)


def test_numpy_integers_are_lengths() -> None:
    problem = first_problem(bptt)
    assert np.array_equal(truncated_bptt(problem, tau=np.int64(2))["R"], truncated_bptt(problem, tau=2)["R"])


@rule(Exact())
class OnlyV:
    """Three arguments, because it is not declared weighted, and nothing for odd steps."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> int:
        return 0

    def step(self, state: int, x: Any, y: Any) -> tuple[int, Any]:
        return state + 1, None if state % 2 == 0 else {"V": np.ones(1)}


def test_run_online_sums_what_there_is_and_passes_the_weight_to_weighted_rules_only() -> None:
    problem = first_problem(bptt)
    assert run_online(OnlyV(), problem) == {"V": np.array([2.0])}
    assert run_rule(OnlyV, problem) == run_rule(OnlyV(), problem) == {"V": np.array([2.0])}
    with pytest.raises(TypeError, match="positional argument"):
        run_online(OnlyV(), problem, weighted=True)
    with pytest.raises(GradcheckError, match="OnlyV contributed nothing in 1 steps"):
        run_online(OnlyV(), problem.prefix(1))
    with pytest.raises(GradcheckError, match="Schmidhuber is already made; give block"):
        run_rule(Schmidhuber(), problem, block=2)
