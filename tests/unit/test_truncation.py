"""Truncation, property by property: each check beside a planted bug that it must reject."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gradcheck.algorithms.chunked_bptt import chunked_bptt
from gradcheck.algorithms.truncated_bptt import truncated_bptt
from gradcheck.chapters.truncation import (
    balancing,
    chapter,
    chunks,
    envelope,
    exactness,
    expectation,
    monotony,
    nilpotent,
    sampling,
    signs,
)
from gradcheck.chapters.truncation.tails import (
    BALL,
    RATIONAL,
    THETA,
    dropped,
    entries,
    errors,
    squared_errors,
    squared_norm,
    sums_by_lag,
)
from gradcheck.chapters.verdicts import judged
from gradcheck.problems.strategies import arrays, problems
from gradcheck.records import Collection, Status, Strength
from gradcheck.reference import lags
from gradcheck.reference.claims import Chunked, Truncated, Windowed
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import Network, RecurrentNetwork, Sizes
from gradcheck.reference.problem import Problem

LINEAR = Network("identity")
EXACT_NETWORKS = [LINEAR, Network("relu")]
few = settings(max_examples=25)


def last_loss(T: int) -> Any:
    return np.array([0.0] * (T - 1) + [1.0])


def is_zero(gradient: Any) -> bool:
    return all(v == 0 for v in entries(RATIONAL, gradient))


# Nothing is dropped at tau >= T.
def test_a_horizon_as_long_as_the_sequence_is_exact_as_polynomials() -> None:
    proof = exactness.complete()
    assert proof.hold and proof.compared > 100, proof.failures


def late(tau: int) -> Truncated:
    return Truncated(max(1, tau - 1))


@pytest.mark.parametrize(
    "planted",
    [
        {"claim_at": late},
        {"claim_at": lambda tau: Truncated(tau + 1)},
        {"rule": lambda problem, tau: truncated_bptt(problem, tau=max(1, tau - 1))},
        {"rule": lambda problem, tau: truncated_bptt(problem, tau=tau + 1)},
    ],
    ids=["claim one short", "claim one long", "rule one short", "rule one long"],
)
def test_an_identity_off_by_one_is_rejected(planted: Any) -> None:
    assert not exactness.complete(**planted, shapes=[(1, 1, 1)], largest_T=3).hold


@given(st.integers(1, 40), st.integers(0, 40))
def test_every_lag_is_kept_from_T_on(T: int, more: int) -> None:
    assert exactness.keeps_every_lag(Truncated(T + more), T)
    assert T == 1 or not exactness.keeps_every_lag(late(T), T), "the planted horizon T - 1 keeps the lag T - 1"


@few
@given(st.sampled_from(EXACT_NETWORKS).flatmap(lambda network: problems(network, weighted=True)))
def test_the_error_is_what_truncation_misses(problem: Problem) -> None:
    """The errors that every check below measures: gradient minus truncated gradient, exactly."""
    lifted = problem.over(RATIONAL)
    gradient, found = lags.gradient(lifted), errors(sums_by_lag(lifted))
    for tau, error in enumerate(found, start=1):
        kept = truncated_bptt(lifted, tau=tau)
        assert is_zero({name: gradient[name] - kept[name] - error[name] for name in error})
        assert is_zero({name: dropped(lifted, Truncated(tau))[name] - error[name] for name in error})
    assert is_zero(found[-1])


# A recurrence that forgets.
@st.composite
def acyclic(draw: st.DrawFn, network: RecurrentNetwork, low: int) -> Problem:
    """A problem on positive integers whose R, from `low` up, is strictly triangular in some order of the units."""
    units = draw(st.integers(1, 3))
    T = units + draw(st.integers(1, 2))
    positive = st.integers(1, 3).map(float)
    order = draw(st.permutations(range(units)))
    R = np.triu(draw(arrays((units, units), st.integers(low, 3).map(float))), 1)[np.ix_(order, order)]
    parameters = {"W": draw(arrays((1, units), positive)), "R": R, "V": draw(arrays((units, 1), positive))}
    return Problem(parameters, draw(arrays((T, 1), positive)), -np.ones((T, 1)), network=network)


@few
@given(st.sampled_from(EXACT_NETWORKS).flatmap(lambda network: acyclic(network, 0)))
def test_acyclic_recurrence_is_exact_from_its_longest_path_and_not_before(problem: Problem) -> None:
    p = nilpotent.longest_path(problem.parameters["R"])
    assert p is not None
    lifted = problem.over(RATIONAL)
    assert nilpotent.exact_from(lifted, p, RATIONAL)
    # All entries on a path are positive, so the longest lag is alive: the planted claim "from p - 1" is rejected.
    assert p == 1 or not nilpotent.exact_from(lifted, p - 1, RATIONAL)


@few
@given(acyclic(Network("tanh"), -3))
def test_acyclic_recurrence_is_exact_in_balls(problem: Problem) -> None:
    """Exact zeros, not balls around zero: the path does not exist."""
    p = nilpotent.longest_path(problem.parameters["R"])
    with BALL.working():
        assert p is not None and nilpotent.exact_from(problem.over(BALL), p, BALL)


@pytest.mark.parametrize("units", [1, 2, 3, 4])
def test_exactly_the_lags_below_the_path_are_alive_as_polynomials(units: int) -> None:
    assert nilpotent.acyclic_lags(units) == set(range(units))


@pytest.mark.parametrize(("units", "p"), [(2, 1), (2, 2), (3, 1), (3, 2), (3, 3)])
def test_exactly_the_lags_below_the_index_are_alive_in_a_linear_network(units: int, p: int) -> None:
    assert nilpotent.linear_lags(units, p) == set(range(p))


def test_a_cycle_keeps_every_lag_alive() -> None:
    """The twin of the two above: with one weight back, no lag dies."""
    problem = signs.positive_example("identity").over(RATIONAL)
    assert nilpotent.longest_path(np.array([[0.0, 1.0], [1.0, 0.0]])) is None
    assert not any(nilpotent.exact_from(problem, tau, RATIONAL) for tau in range(1, problem.T))


def test_cancellation_is_no_forgetting() -> None:
    """R R = 0 by cancellation: exact with the identity, not with relu and not with tanh."""
    R = nilpotent.cancelling().parameters["R"]
    assert nilpotent.index_of(R) == 2 and nilpotent.longest_path(R) is None
    assert nilpotent.exact_from(nilpotent.cancelling("identity").over(RATIONAL), 2, RATIONAL)
    assert not nilpotent.exact_from(nilpotent.cancelling("relu").over(RATIONAL), 2, RATIONAL)
    with BALL.working():
        assert squared_norm(BALL, dropped(nilpotent.cancelling("tanh").over(BALL), Truncated(2))) > 0


# The envelope.
@st.composite
def contracting(draw: st.DrawFn) -> Problem:
    """tanh nets with row and column sums of |R| at most 3/4, and targets so far off that no error vanishes."""
    T, I, D = draw(st.integers(1, 6)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    small = st.integers(-8, 8).map(lambda n: n / 32)
    V = draw(arrays((I, 1), st.sampled_from([0.5, -0.5, 0.25])))
    parameters = {"W": draw(arrays((D, I))), "R": draw(arrays((I, I), small)), "V": V}
    inputs = draw(arrays((T, D), st.sampled_from([1.0, -1.0, 0.5, 2.0])))
    return Problem(parameters, inputs, draw(arrays((T, 1), st.sampled_from([3.0, -3.0, 5.0]))))


@few
@given(contracting())
def test_lags_and_errors_lie_below_the_envelope(problem: Problem) -> None:
    checked = envelope.check(problem)
    assert checked.holds, checked.failures


@few
@given(contracting())
def test_an_envelope_one_lag_too_low_is_rejected(problem: Problem) -> None:
    """rho^(k+1) in place of rho^k fails on every problem: lag 0 of the loss whose u is the longest."""
    assert envelope.check(problem, power=lambda k: k + 1).failures


def test_the_envelope_is_attained_and_not_with_another_power() -> None:
    assert envelope.attained()
    assert not envelope.attained(lambda tau: tau + 1) and not envelope.attained(lambda tau: tau - 1)


def test_a_spectral_radius_is_no_spectral_norm(monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual mistake: R with radius 0 and norm 3/4 drops a lag that the mistaken envelope rules out."""
    one = np.ones((2, 1))
    problem = Problem({"W": one.T, "R": np.array([[0, 0.75], [0, 0]]), "V": one}, np.ones((4, 1)), 3 * np.ones((4, 1)))
    assert envelope.check(problem).holds
    monkeypatch.setattr(envelope, "spectral_bound", lambda J: max(abs(v) for v in np.diagonal(J)).value)
    assert envelope.check(problem).failures


@few
@given(st.integers(1, 3).flatmap(lambda n: st.tuples(arrays((n, n)), arrays((n,)))))
def test_the_spectral_bound_bounds(pair: Any) -> None:
    matrix, vector = (RATIONAL.lift(part) for part in pair)
    with BALL.working():
        bound = envelope.spectral_bound(BALL.lift(pair[0]))
        longer = sum(v * v for v in RATIONAL.natives(matrix @ vector))
        length = sum(v * v for v in RATIONAL.natives(vector))
        # Doubled bits leave a tie within one part in 2^100; nothing else may pass.
        assert flint.arb(longer) <= bound**2 * flint.arb(length) * (1 + flint.arb(2) ** -100)
        assert not (pair[0].any() and bound <= 0)


def test_without_contraction_there_is_no_envelope() -> None:
    checked = envelope.check(envelope.example(3.0, T=6, cyclic=False))
    assert not checked.contracts and not checked.holds


# One sign.
@st.composite
def positive(draw: st.DrawFn, network: RecurrentNetwork) -> Problem:
    """Positive parameters, inputs and initial state; every target below every output."""
    sizes = Sizes(draw(st.integers(2, 5)), draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    some = st.sampled_from([1.0, 0.5, 0.25, 2.0])
    parameters = {name: draw(arrays(shape, some)) for name, shape in network.parameter_shapes(sizes).items()}
    inputs, state = draw(arrays((sizes.T, sizes.D), some)), draw(arrays((sizes.I,), some))
    return Problem(parameters, inputs, -draw(arrays((sizes.T, sizes.K), some)), state, network=network)


@few
@given(st.sampled_from(EXACT_NETWORKS).flatmap(positive))
def test_the_error_strictly_grows_where_lags_share_a_sign(problem: Problem) -> None:
    lifted = problem.over(RATIONAL)
    assert signs.share_a_sign(lifted, RATIONAL) and signs.strictly_grows(lifted, RATIONAL)


@few
@given(st.sampled_from([Network("tanh"), Network("logistic"), Network("softplus")]).flatmap(positive))
def test_the_error_strictly_grows_where_lags_share_a_sign_in_balls(problem: Problem) -> None:
    with BALL.working():
        lifted = problem.over(BALL)
        assert signs.share_a_sign(lifted, BALL) and signs.strictly_grows(lifted, BALL)


@few
@given(st.sampled_from(EXACT_NETWORKS).flatmap(lambda network: problems(network, weighted=True)))
def test_sharing_a_sign_is_enough_for_growth(problem: Problem) -> None:
    """On any problem: no error is larger at tau + 1 than at tau, unless two lags of an entry differ in sign."""
    lifted = problem.over(RATIONAL)
    if signs.share_a_sign(lifted, RATIONAL):
        assert monotony.never_grows(squared_errors(lifted, RATIONAL))


def test_growth_is_not_claimed_where_signs_differ() -> None:
    """The twin: the smallest exception to the naive claim has lags of both signs, and both checks say no."""
    net = monotony.smallest(3, (3,)).found
    assert net is not None
    lifted = net.problem().over(RATIONAL)
    assert not signs.share_a_sign(lifted, RATIONAL) and not signs.strictly_grows(lifted, RATIONAL)


@pytest.mark.parametrize("shape", signs.SHAPES, ids=str)
def test_lag_terms_have_positive_coefficients_only(shape: tuple[int, int, int]) -> None:
    count, others = signs.positive_lags(shape=shape)
    assert count > 0 and not others


def test_a_minus_sign_among_the_coefficients_is_seen() -> None:
    """yhat - y has one: unless the targets are counted as -y, the proof must fail; tanh's own law has others."""
    assert not signs.positive_lags(LINEAR, T=2, shape=(1, 1, 1), flip="targets")[1]
    assert signs.positive_lags(LINEAR, T=2, shape=(1, 1, 1))[1]
    assert signs.positive_lags(Network("tanh"), T=2, shape=(1, 1, 1), flip="targets")[1]


# In the mean.
EVERYTHING = ("targets", "R", "W", "V", "inputs", "initial_state")


@pytest.mark.parametrize("sizes", expectation.SIZES, ids=str)
@pytest.mark.parametrize("symmetric", [("targets",), ("targets", "R"), EVERYTHING], ids=len)
def test_no_cross_term_is_negative_in_the_mean(sizes: Sizes, symmetric: tuple[str, ...]) -> None:
    assert expectation.proved(sizes, symmetric)


@pytest.mark.parametrize("sizes", expectation.SIZES, ids=str)
def test_targets_that_are_not_symmetric_are_seen(sizes: Sizes) -> None:
    assert not expectation.proved(sizes, ("R",))


@settings(max_examples=10)
@given(problems(LINEAR, exact=Sizes(3, 1, 1, 1)))
def test_expected_errors_by_enumeration_equal_the_polynomials(problem: Problem) -> None:
    """Random signs of r and of the targets: 2^4 networks against the surviving monomials."""
    assert expectation.enumerated(problem, ("R", "targets")) == expectation.predicted(problem, ("R", "targets"))


def test_a_monomial_kept_or_lost_is_seen_by_enumeration() -> None:
    """The twin: with random inputs too, fewer monomials survive, and the mean is another."""
    problem = chunks.positive_problem(T=3).replace(targets=np.ones((3, 1)), loss_weights=np.ones(3))
    means = expectation.enumerated(problem, ("R", "targets"))
    assert means == expectation.predicted(problem, ("R", "targets"))
    assert means != expectation.predicted(problem, ("R", "targets", "inputs"))
    assert means != expectation.predicted(problem, ("R",))


@settings(max_examples=8)
@given(positive(LINEAR).filter(lambda p: p.T <= 3 and p.sizes.I == 1), st.booleans())
def test_expected_errors_grow(problem: Problem, all_inputs: bool) -> None:
    symmetric = ("R", "targets", *["inputs"] * all_inputs) if problem.sizes.K == 1 else ("R", "targets")
    assume(sum(problem.arrays()[name].size for name in symmetric) <= 8)
    assert expectation.climbing(expectation.enumerated(problem, symmetric))


def test_expected_errors_need_not_grow_where_targets_are_fixed() -> None:
    """The twin: w = 1, |r| = 2, x = (1, 2, 0), y(3) = 12. With a random sign of r alone tau = 2 is worse than 1."""
    one = np.ones((1, 1))
    problem = Problem(
        {"W": one, "R": 2 * one, "V": one}, np.array([[1.0], [2.0], [0.0]]), np.array([[0.0], [0.0], [12.0]]),
        loss_weights=last_loss(3), network=LINEAR,
    )  # fmt: skip
    assert not expectation.climbing(expectation.enumerated(problem, ("R",)))
    assert expectation.climbing(expectation.enumerated(problem, ("R", "targets")))


def test_expected_errors_of_tanh_networks_grow() -> None:
    found = sampling.growth()
    assert found.shown, found
    assert found.needed == pytest.approx(np.log10((sampling.STEPS - 1) / sampling.ALPHA))


def test_the_bet_does_not_show_what_is_false() -> None:
    """Planted: the horizons the wrong way round, and two horizons that are the same."""
    wrong = sampling.squared_errors(sampling.draw(20_000, seed=1))
    same = wrong.copy()
    same[:, 1] = same[:, 2]
    backwards = [wrong[:, i + 1] - wrong[:, i] for i in range(sampling.STEPS - 1)]
    assert max(sampling.capital(d, sampling.bounds()[0]) for d in backwards) == 0
    assert not sampling.judge(same, alpha=0.05).shown


def test_the_bet_keeps_its_error_rate() -> None:
    """400 streams without growth at a rate of 5 %: at most 20 rejections expected, 40 would be a chance of 1e-4."""
    rng = np.random.default_rng(5)
    streams = rng.choice([1.0, -1.0], (400, 1000)) * rng.exponential(0.2, (400, 1000)).clip(max=1)
    rejected = sum(sampling.capital(stream, 1.0, blocks=20) >= np.log10(20) for stream in streams)
    assert rejected <= 40
    shifted = sum(sampling.capital(stream.clip(max=1) + 0.05, 1.0, blocks=20) >= np.log10(20) for stream in streams)
    assert shifted > 200, "a bet that never wins would keep any rate"


def test_a_bound_that_a_draw_breaks_is_refused() -> None:
    with pytest.raises(GradcheckError, match="below the lower bound"):
        sampling.capital(np.array([0.5, -0.2]), 0.1)


def test_the_drawn_errors_are_those_of_the_reference() -> None:
    nets = sampling.draw(5, seed=2)
    found, limits = sampling.squared_errors(nets), sampling.bounds()
    allowed = 2.0**-38 * limits[0]
    with BALL.working():
        for n in range(5):
            wanted = squared_errors(nets.problem(n).over(BALL), BALL, THETA)
            gaps = [abs(flint.arb(float(f)) - w) for f, w in zip(found[n], wanted, strict=True)]
            assert all(gap <= allowed for gap in gaps), gaps
            assert all(w <= limit for w, limit in zip(wanted, limits, strict=True))
            # The planted bug, a horizon off by one, is far outside what rounding is allowed.
            assert abs(flint.arb(float(found[n][1])) - wanted[0]) > allowed


# Not monotone.
@st.composite
def scalars(draw: st.DrawFn) -> monotony.Scalar:
    T = draw(st.integers(1, 4))
    some = st.integers(-3, 3)
    losses = tuple(sorted(draw(st.sets(st.integers(1, T), min_size=1))))
    y = tuple(draw(some) if t in losses else 0 for t in range(1, T + 1))
    return monotony.Scalar(draw(some), draw(some), tuple(draw(some) for _ in range(T)), y, losses)


@few
@given(scalars())
def test_the_searched_lags_are_those_of_the_reference(net: monotony.Scalar) -> None:
    for (t, k), part in lags.by_lag(net.problem().over(RATIONAL)).items():
        assert [int(v.p) for v in entries(RATIONAL, part, THETA)] == list(net.lag(t, k))
    claims = [Truncated(tau) for tau in range(1, net.T + 1)]
    assert monotony.confirmed(net, monotony.windowed(net), claims)
    assert monotony.confirmed(net, monotony.chunked(net), [Chunked(C) for C in range(1, net.T + 1)])
    if net.T > 1 and len(set(monotony.windowed(net))) == net.T:
        assert not monotony.confirmed(net, monotony.windowed(net), [Truncated(tau + 1) for tau in range(1, net.T + 1)])


def test_the_smallest_exception_is_found_and_nothing_smaller_is_one() -> None:
    search = monotony.smallest(3, (3,))
    assert search.found == monotony.Scalar(0, -1, (1, 1, 0), (0, 0, 1), (3,))
    assert search.errors == (0, 1, 0)
    # Again, by another route: every network of a smaller sum, in no order, by the library's own rule.
    smaller = list(itertools.product((-1, 0, 1), repeat=6))
    smaller = [v for v in smaller if sum(map(abs, v)) < 4]
    assert len(smaller) == 233
    for w, r, *x, y in smaller[::4]:
        problem = monotony.Scalar(w, r, tuple(x), (0, 0, y), (3,)).problem().over(RATIONAL)
        assert monotony.never_grows(squared_errors(problem, RATIONAL))


def test_the_number_of_networks_tried_is_that_of_the_order() -> None:
    assert [len(list(monotony.vectors(2, n))) for n in range(4)] == [1, 4, 8, 12]
    assert len(set(monotony.vectors(4, 3))) == len(list(monotony.vectors(4, 3)))
    found = monotony.smallest(3, (3,), plain=True, names=(0,))
    assert found.found == monotony.Scalar(1, -1, (1, 1, 1), (0, 0, 0), (3,)) and found.errors == (0, 1, 0)


def test_the_lecture_sized_exception_shows_in_one_parameter_only() -> None:
    """w = 1, r = -1, x = 1: dL/dw at tau = 1, 2, 3 is 1, 0, 1; with dL/dr the squared errors are 1, 1, 0."""
    net = monotony.Scalar(1, -1, (1, 1, 1), (0, 0, 0), (3,))
    assert [monotony.truncated(net, tau)[0] for tau in (1, 2, 3)] == [1, 0, 1]
    assert monotony.windowed(net) == [1, 1, 0]


@pytest.mark.parametrize(("T", "losses"), [(1, (1,)), (2, (2,)), (2, (1, 2))])
def test_no_shorter_sequence_has_an_exception(T: int, losses: tuple[int, ...]) -> None:
    assert monotony.smallest(T, losses, most=5).found is None


def test_a_search_for_a_claim_that_is_true_finds_nothing() -> None:
    """The twin: the last error is never the larger one, and a search that found it would be broken."""
    assert monotony.smallest(3, (3,), claim=lambda errors: errors[-1] <= errors[0], most=5).found is None
    assert monotony.smallest(2, (2,), claim=lambda errors: errors[1] >= errors[0], most=5).found is not None


# Chunks.
def test_longer_chunks_can_be_worse_even_where_lags_share_a_sign() -> None:
    problem = chunks.positive_problem()
    assert signs.share_a_sign(problem.over(RATIONAL), RATIONAL) and signs.strictly_grows(
        problem.over(RATIONAL), RATIONAL
    )
    found = chunks.chunk_errors(problem, RATIONAL)
    assert found == [288, 80, 288, 0] and not monotony.never_grows(found)
    with BALL.working():
        tanh = chunks.chunk_errors(chunks.positive_problem("tanh"), BALL)
        assert tanh[2] > tanh[1]


@few
@given(st.integers(1, 30), st.integers(1, 6), st.integers(1, 6))
def test_merged_chunks_keep_what_their_parts_keep(T: int, C: int, n: int) -> None:
    assert chunks.kept(Chunked(C), T) <= chunks.kept(Chunked(n * C), T)


def test_chunks_are_nested_along_divisors_and_along_nothing_else() -> None:
    assert chunks.nested_along_divisors()
    assert not chunks.nested_along_divisors(divides=lambda a, b: a <= b)
    assert not chunks.nested_along_divisors(lambda C: Windowed(C, max(1, C - 1)))


def test_the_tail_is_taken() -> None:
    equal, total = chunks.tail_identities()
    assert equal == total == 2


def without_tail(problem: Problem, *, length: int) -> Any:
    whole = problem.T - problem.T % length
    return chunked_bptt(problem.prefix(whole), length=length)


def cut_from_the_end(problem: Problem, *, length: int) -> Any:
    return lags.gradient(problem, lambda t, k, T: k <= (t - 1 - T % length) % length and k < t)


@pytest.mark.parametrize("planted", [without_tail, lambda problem, length: truncated_bptt(problem, tau=length)])
def test_a_tail_lost_or_cut_elsewhere_is_rejected(planted: Any) -> None:
    assert chunks.tail_identities(planted)[0] == 0


def test_cuts_counted_from_the_end_are_rejected() -> None:
    problem = chunks.positive_problem(T=5).over(RATIONAL)
    right, wrong = chunked_bptt(problem, length=2), cut_from_the_end(problem, length=2)
    assert not is_zero({name: right[name] - wrong[name] for name in right})


def test_windows_of_h_every_h_steps_are_chunks_only_where_h_divides_the_length() -> None:
    assert chunks.windows_differ_formally() and chunks.windowed_is_chunked()
    assert not chunks.windowed_is_chunked(lambda h, T: True)
    assert not chunks.windowed_is_chunked(lambda h, T: T % h == 0)


# Influence balancing.
def test_the_influence_turns_its_sign_at_41() -> None:
    assert balancing.influence(1) == 1 and balancing.influence(10) == 10
    assert balancing.influence(19) == balancing.influence(20) == Fraction(1079775, 65536)
    assert max(map(balancing.influence, range(1, 513))) == balancing.influence(19)
    assert balancing.influence(40) > 0 > balancing.influence(41) and balancing.turning_horizon() == 41
    assert balancing.limit() == -6 and 0 < balancing.influence(512) + 6 < Fraction(1, 10**60)


def test_the_influence_rises_and_then_only_falls() -> None:
    values = [balancing.influence(horizon) for horizon in range(1, 129)]
    assert balancing.unimodal(values)
    values[100] = values[99] + Fraction(1, 10**60)
    assert not balancing.unimodal(values), "a rise after the fall, of 1e-60, is planted"


@pytest.mark.parametrize("tau", [1, 2, 10, 40, 41])
def test_two_networks_and_a_rule_give_the_influence(tau: int) -> None:
    """dL/dtheta is the residual times the influence: on the custom network, and by the rule on the lecture's."""
    T = 44
    wanted = balancing.influence(T) * balancing.influence(tau)
    for found in (balancing.slope(tau, T), balancing.untied_slope(tau, T)):
        assert Fraction(int(found.p), int(found.q)) == wanted
        assert Fraction(int(found.p), int(found.q)) != balancing.influence(T) * balancing.influence(tau + 1)


def test_the_tied_network_is_a_network_of_the_project() -> None:
    network = balancing.TiedNetwork()
    assert isinstance(network, RecurrentNetwork)
    problem = balancing.problem(5)
    whole = lags.gradient(problem)["theta"]
    windowed = lags.gradient(problem, Truncated(5).keeps)["theta"]
    assert RATIONAL.natives(whole) == RATIONAL.natives(windowed)
    assert RATIONAL.natives(balancing.truncated_gradient(problem, tau=5)["theta"]) == RATIONAL.natives(whole)


@pytest.mark.parametrize(("tau", "climbs"), [(1, True), (40, True), (41, False), (44, False)])
def test_descent_climbs_below_the_turning_horizon_and_descends_from_it_on(tau: int, climbs: bool) -> None:
    values = balancing.risks(tau, T=44, steps=2)
    assert balancing.climbs(values) == climbs and balancing.falls(values) != climbs
    walked = [Fraction(int(v.p), int(v.q)) for v in values]
    factor = balancing.factor(tau, T=44)
    assert (factor > 1) == climbs and walked[1:] == [walked[0] * factor, walked[0] * factor**2]
    assert walked[1] != walked[0] * balancing.factor(tau - 1 or 2, T=44)


@pytest.mark.parametrize("horizon", [0, 513, True, 1.5])
def test_a_horizon_that_is_none_is_refused(horizon: Any) -> None:
    with pytest.raises(GradcheckError, match="whole number from 1 to 512"):
        balancing.influence(horizon)


# The chapter.
@pytest.fixture(scope="module")
def made() -> Any:
    told: list[str] = []
    return chapter(told.append), told


def test_the_chapter_passes(made: Any) -> None:
    found, told = made
    assert Collection("", (), (found,)).passed
    assert len({s.id for s in found.statements}) == len(found.statements) >= 10
    assert told[0] == "exactness" and "climbing" in told
    by = {s.id: s for s in found.statements}
    assert by["truncation-complete"].verdict.strength is Strength.PROVED
    assert by["truncation-envelope"].verdict.strength is Strength.CERTIFIED
    assert by["truncation-expected-tanh"].verdict.strength is Strength.SUPPORTED
    refuted = {"monotone", "chunked-monotone", "windows", "nilpotent", "influence", "descent"}
    assert {s.id for s in found.statements if s.verdict.status is Status.REFUTED} == {
        f"truncation-{n}" for n in refuted
    }


def test_a_failed_check_fails_the_chapter(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a lag that lives on past the longest path."""
    assert judged("c", False, "s", kind="k", strength=Strength.PROVED).status is Status.REFUTED
    monkeypatch.setattr(nilpotent, "acyclic_lags", lambda units: set(range(units + 1)))
    (statement,) = nilpotent.statements()
    rest = tuple(s for s in made[0].statements if s.id != statement.id)
    assert not Collection("", (), (dataclasses.replace(made[0], statements=(*rest, statement)),)).passed


def test_the_counterexamples_run(made: Any) -> None:
    """Each program prints errors, and they are those that the record states."""
    printed = {}
    for statement in made[0].statements:
        example = statement.verdict.counterexample
        if example is not None:
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(example.snippet, statement.id, "exec"), {})
            # "tau = 2: error 1.5": errors are printed as norms and recorded as squares.
            lines = [line.rpartition(": ") for line in out.getvalue().splitlines()]
            shown = [(label, *told.split()) for label, _, told in lines]
            printed[statement.id] = {
                label: float(value) ** (2 if what == "error" else 1) for label, what, value in shown
            }
            assert pytest.approx(float(Fraction(example.got)), rel=1e-5) in printed[statement.id].values()
    assert printed["truncation-monotone"] == {"tau = 1": 0, "tau = 2": 1, "tau = 3": 0}
    assert set(printed) == {"truncation-monotone", "truncation-chunked-monotone", "truncation-windows",
                            "truncation-nilpotent", "truncation-influence", "truncation-descent"}  # fmt: skip


def test_the_figures_are_of_the_envelope_the_chunks_and_the_influence(made: Any) -> None:
    figures = {figure.id: figure for figure in made[0].figures}
    (_, error), (_, bound) = figures["truncation-contracting"].series.values()
    assert error[-1] == 0 and all(e <= b for e, b in zip(error, bound, strict=True))
    assert not figures["truncation-influence"].log_y
    influence = figures["truncation-influence"].series["influence within the horizon"][1]
    assert influence[39] > 0 > influence[40]
    chunked = figures["truncation-chunks"].series["all lags positive, loss at 12 alone"][1]
    assert chunked[10] > chunked[5]
