"""Stochastic rules: their expectation over every outcome of the noise, in finite fields and so without a tolerance."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from enumerated import expectation, outcomes
from own_networks import LEARNED

from gradcheck.algorithms import (
    KFRTRL,
    OK,
    RTRL,
    UORO,
    EvenSum,
    ForwardGradient,
    NoBackTrack,
    ReverseKFRTRL,
    artbp,
    bptt,
    run_rule,
)
from gradcheck.algorithms.kronecker_sum import _mixing
from gradcheck.problems.lively import lively_problem
from gradcheck.reference import lags
from gradcheck.reference.errors import GradcheckError, UnsupportedOperation
from gradcheck.reference.network import DEFAULT_NETWORK, GRU, ContextNetwork, Leaky, Network, Sizes
from gradcheck.reference.noise import SampledNoise
from gradcheck.reference.problem import Problem
from gradcheck.reference.scalars.residues.array import ResidueField
from gradcheck.reference.typing import Gradient

SMALL = Sizes(3, 2, 1, 1)
FORMS: list[tuple[Any, dict[str, Any]]] = [
    (UORO, {}),
    (UORO, {"balanced": True}),
    (UORO, {"on_s": True}),
    (UORO, {"exact_now": True}),
    (UORO, {"distribution": "normal"}),
    (NoBackTrack, {}),
    (NoBackTrack, {"balanced": True}),
    (KFRTRL, {}),
    (KFRTRL, {"balanced": True}),
    (KFRTRL, {"on_s": True}),
    (ReverseKFRTRL, {}),
    (ReverseKFRTRL, {"balanced": True}),
    (ReverseKFRTRL, {"on_s": True, "distribution": "normal"}),
    (EvenSum, {"rank": 1}),
    (EvenSum, {"rank": 2}),
    (artbp, {}),
    (artbp, {"c": (Fraction(1, 4), 0.5)}),
    (ForwardGradient, {}),
    (ForwardGradient, {"distribution": "normal"}),
]
"""Rules with free choices that leave them unbiased."""
NAMES = [f"{rule.__name__}{chosen or ''}" for rule, chosen in FORMS]


def problem(sizes: Sizes = SMALL, network: Any = DEFAULT_NETWORK, seed: int = 0) -> Problem:
    return lively_problem(network, sizes, seed, weighted=True).over(ResidueField())


def same(one: Gradient, two: Gradient) -> bool:
    return one.keys() == two.keys() and all(bool(np.all(one[n].field.equal(one[n], two[n]))) for n in one)


@pytest.mark.parametrize(("rule", "chosen"), FORMS, ids=NAMES)
def test_the_expectation_is_the_gradient_and_no_draw_is(rule: Any, chosen: dict[str, Any]) -> None:
    given = problem()
    wanted = lags.gradient(given)
    if rule is NoBackTrack:  # nine signs
        given = problem(Sizes(2, 2, 1, 1))
        wanted = lags.gradient(given)
    assert same(expectation(rule, given, **chosen), wanted)
    assert not any(same(result, wanted) for _, result in outcomes(rule, given, **chosen))


@pytest.mark.parametrize("sizes", [Sizes(4, 2, 1, 1), Sizes(3, 3, 1, 1)], ids=str)
@pytest.mark.parametrize("rule", [UORO, KFRTRL, ReverseKFRTRL, artbp], ids=lambda rule: rule.__name__)
def test_the_expectation_is_the_gradient_at_other_sizes(rule: Any, sizes: Sizes) -> None:
    given = problem(sizes)
    assert same(expectation(rule, given), lags.gradient(given))


@pytest.mark.parametrize(
    "network", [Network("relu", "softmax", "categorical_cross_entropy"), Network("logistic", "tanh")], ids=str
)
@pytest.mark.parametrize(
    ("rule", "chosen"), [form for form in FORMS if form[0] not in (NoBackTrack, ForwardGradient)][::2]
)
def test_the_expectation_is_the_gradient_on_other_networks(rule: Any, chosen: dict[str, Any], network: Any) -> None:
    given = problem(Sizes(2 if "c" not in chosen else 3, 2, 1, 2), network)
    assert same(expectation(rule, given, **chosen), lags.gradient(given))


CELLS = [(LEARNED, 2), (GRU(), 1), (Leaky(), 2), (ContextNetwork(), 2)]


@pytest.mark.parametrize(("network", "I"), CELLS, ids=lambda value: getattr(value, "name", str(value)))
@pytest.mark.parametrize(
    ("rule", "chosen"),
    [
        (UORO, {}),
        (UORO, {"balanced": True}),
        (UORO, {"exact_now": True}),
        (NoBackTrack, {"balanced": True}),
        (artbp, {}),
    ],
)
def test_the_expectation_is_the_gradient_on_any_cell(rule: Any, chosen: dict[str, Any], network: Any, I: int) -> None:
    given = problem(Sizes(2, I, 1, 1), network)
    assert same(expectation(rule, given, **chosen), lags.gradient(given))


def test_the_forward_gradient_is_the_derivative_along_its_direction_on_any_cell() -> None:
    for network, I in CELLS:
        given = lively_problem(network, Sizes(3, I, 1, 1), 0)
        noise = SampledNoise(3, given.inputs)
        came, wanted = run_rule(ForwardGradient, given, noise=noise), lags.gradient(given)
        v = dict(zip(sorted(given.parameters), (values for _, values in noise.drawn), strict=True))
        along = sum(np.sum(wanted[name] * v[name]) for name in v)
        assert all(np.allclose(came[name], along * v[name], rtol=1e-9) for name in v), network.name


TRACED = [UORO, NoBackTrack, KFRTRL, ReverseKFRTRL]


@pytest.mark.parametrize("rule", TRACED, ids=lambda rule: rule.__name__)
def test_traces_that_do_not_start_at_zero_leave_a_bias(rule: Any) -> None:
    given = problem(Sizes(2, 2, 1, 1))
    came, wanted = expectation(rule, given, trace=1), lags.gradient(given)
    assert not same(came, wanted)
    assert same({"V": came["V"]}, {"V": wanted["V"]}), "the readout is exact"


@pytest.mark.parametrize("rule", [UORO, KFRTRL, ReverseKFRTRL], ids=lambda rule: rule.__name__)
def test_in_pre_activations_the_traces_of_the_start_are_lost(rule: Any) -> None:
    given = problem(Sizes(2, 2, 1, 1))
    assert same(expectation(rule, given, trace=1, on_s=True), lags.gradient(given))


def test_artbp_without_cuts_is_bptt() -> None:
    given = problem()
    noise = SampledNoise(0, given.inputs)
    assert same(artbp(given, noise, c=0), bptt(given))
    assert same(artbp(given, noise, c=(0, 0)), bptt(given))


def test_a_kronecker_sum_is_exact_while_its_rank_reaches_the_step() -> None:
    for target, T, rank, exact in [
        (EvenSum, 3, 3, True),
        (OK, 3, 3, True),
        (OK, 3, 4, True),
        (EvenSum, 3, 2, False),
        (EvenSum, 4, 3, False),
    ]:
        given = problem(Sizes(T, 2, 1, 1))
        came = run_rule(target, given, noise=SampledNoise(1, given.inputs), rank=rank)
        assert same(came, run_rule(RTRL, given)) is exact
    floats = lively_problem(Network(), Sizes(5, 3, 2, 2), 0)
    came, wanted = run_rule(OK, floats, noise=SampledNoise(1), rank=5), run_rule(RTRL, floats)
    assert all(np.allclose(came[name], wanted[name], rtol=1e-12, atol=1e-14) for name in wanted)


def law(rule: Any, given: Problem, **chosen: Any) -> Counter[Any]:
    """Return the probability of each result."""
    found: Counter[Any] = Counter()
    for probability, result in outcomes(rule, given, **chosen):
        entries = (result[name].field.residues(result[name]).reshape(-1) for name in result)
        found[tuple(int(each) for array in entries for each in array)] += probability
    return found


def test_rules_that_are_one_have_one_distribution() -> None:
    given = problem(Sizes(3, 2, 1, 1))
    assert law(KFRTRL, given) == law(EvenSum, given, rank=1) == law(KFRTRL, given, on_s=True)
    assert law(ReverseKFRTRL, given) != law(KFRTRL, given)
    short = problem(Sizes(2, 2, 1, 1))
    assert law(UORO, short) == law(NoBackTrack, short)
    assert law(UORO, short) != law(UORO, short, on_s=True), "the two states have one mean, and not one distribution"


def spread(rule: Any, given: Problem, **chosen: Any) -> float:
    """Return the total variance over |g|^2."""
    wanted = lags.gradient(given)
    variance = sum(
        float(p) * sum(np.sum((result[name] - wanted[name]) ** 2) for name in wanted)
        for p, result in outcomes(rule, given, **chosen)
    )
    return float(variance / sum(np.sum(each**2) for each in wanted.values()))


def test_the_optimal_reduction_is_unbiased_and_has_less_variance() -> None:
    given = lively_problem(Network(), SMALL, 0)
    wanted = lags.gradient(given)
    for rank in (1, 2):
        came = expectation(OK, given, rank=rank)
        size = max(np.abs(wanted[name]).max() for name in wanted)
        off = max(np.abs(came[name] - wanted[name]).max() for name in wanted) / size
        assert off**2 < 1e-24 < 1e-4 < spread(OK, given, rank=rank), "a bias would show beside the noise"
    assert spread(OK, given, rank=2) < spread(OK, given, rank=1) < spread(EvenSum, given, rank=1)
    assert spread(OK, given, rank=1) < spread(KFRTRL, given, balanced=True)


@pytest.mark.parametrize(
    "w", [(3, 2, 1), (1, 1, 1, 1), (9, 1, 1), (2, 1, 0), (5, 0, 0), (0, 0), (4, 3, 2, 1, 0.5)], ids=str
)
def test_mixing_has_the_weights_as_mean_and_the_least_variance(w: tuple[float, ...]) -> None:
    """Benzing et al.: of all unbiased matrices of that rank, none has less than s^2/k - sum w_i^2 of those mixed."""
    weights, rank = np.array(w, float), len(w) - 1
    mean, variance = np.zeros((len(w), len(w))), 0.0
    signs = [np.array([1.0 if n >> i & 1 else -1.0 for i in range(len(w))]) for n in range(2 ** len(w))]
    for c in signs:
        product = (L := _mixing(weights, rank, c)) @ L.T
        mean += product / len(signs)
        variance += np.sum((product - np.diag(weights)) ** 2) / len(signs)
    assert np.allclose(mean, np.diag(weights), atol=1e-12)
    bounds = [weights[m:].sum() ** 2 / (rank - m) - np.sum(weights[m:] ** 2) for m in range(rank)]
    kept = [m for m in range(rank) if (rank - m) * weights[m] <= weights[m:].sum() + 1e-12]
    assert math.isclose(variance, bounds[kept[0]], abs_tol=1e-9)


def test_bad_choices_are_refused() -> None:
    given = problem()
    with pytest.raises(GradcheckError, match="distribution must be 'signs' or 'normal'; got 'uniform'"):
        UORO(distribution="uniform")
    with pytest.raises(GradcheckError, match="rank must be a whole number"):
        OK(rank=0)
    with pytest.raises(GradcheckError, match="probability in \\[0, 1\\)"):
        artbp(given, SampledNoise(0, given.inputs), c=1)
    with pytest.raises(GradcheckError, match="one for each of the 2 steps but the last; got 3"):
        artbp(given, SampledNoise(0, given.inputs), c=[0.5] * 3)
    with pytest.raises(UnsupportedOperation, match="np.linalg.qr is not defined on modular scalars"):
        run_rule(OK, given, noise=SampledNoise(0, given.inputs), rank=1)
    with pytest.raises(GradcheckError, match="KF-RTRL needs the fully recurrent network"):
        run_rule(KFRTRL, problem(network=GRU()), noise=SampledNoise(0, given.inputs))
