"""Batches: right rules as people write them are accepted by exact evidence, and wrong ones are refuted and named."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
from fractions import Fraction
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from batches import (
    LAST,
    LSTM,
    OF_LSTM,
    POOLED,
    TIME_MAJOR,
    TOKENS,
    WINDOWS,
    Batch,
    Network,
    by_lengths,
    lstm,
    masked,
    time_major,
    to_inputs,
    to_inputs_time_first,
    to_other_inputs,
    tokens,
    windows,
)  # fmt: skip

import gradcheck
from gradcheck import Outcome
from gradcheck.algorithms import bptt
from gradcheck.evidence.base import Case
from gradcheck.evidence.cost.online import Causality
from gradcheck.evidence.exact import enclosure, formal, modular
from gradcheck.evidence.floats import blackbox
from gradcheck.explain import counterexample
from gradcheck.explain.diagnosis import batches, diagnose, gallery
from gradcheck.explain.diagnosis.comparison import compare
from gradcheck.explain.program import snippet
from gradcheck.faults import fault_named
from gradcheck.faults.fault import build
from gradcheck.problems.lively import lively_problem
from gradcheck.records import Cause, Status, Strength
from gradcheck.reference import lags
from gradcheck.reference.claims import Chunked, Exact
from gradcheck.reference.networks import registry
from gradcheck.reference.networks.base import Sizes
from gradcheck.reference.problem import loss
from gradcheck.rules.adapt import as_rule

FORMAL = formal.Formal(largest_T=3, shapes=[(1, 1, 1), (2, 2, 1)])
MODULAR = modular.Modular(sizes=(Sizes(6, 3, 2, 2),))
BALLS = enclosure.Enclosure(sizes=(Sizes(6, 3, 2, 2),))
FLOATS = blackbox.BlackBox(np.float64, sizes=(Sizes(6, 3, 2, 2),), branching=())

EXACT = Exact()
RIGHT: tuple[tuple[Any, Any], ...] = (
    (time_major, TIME_MAJOR),
    (masked, POOLED),
    (by_lengths, LAST),
    (lstm, OF_LSTM),
    (bptt, dataclasses.replace(POOLED, network=gradcheck.GRU())),
)


def evidence(kind: Any, target: Any, network: Any, claim: Any = EXACT) -> Any:
    return kind.gather(Case(as_rule(target, networks=[network]), claim, network)).evidence


@pytest.mark.parametrize(("target", "network"), RIGHT, ids=lambda each: getattr(each, "__name__", ""))
def test_a_right_rule_is_accepted(target: Any, network: Any) -> None:
    kinds = ((FORMAL, Strength.PROVED), (MODULAR, Strength.EXACT), (BALLS, Strength.CERTIFIED))
    for kind, strength in kinds[target is lstm :]:  # whose gates are written with exp
        shown = evidence(kind, target, network)
        assert shown.strength is strength, shown.statement
    assert evidence(FLOATS, target, network).status is Status.HOLDS


BATCH_FIRST = Batch(Network(), N=2, lengths="any", batch_first=True)
WANTED = Exact(of=("parameters", "inputs", "initial_state"))


def wanted(kind: Any, target: Any, network: Any = BATCH_FIRST) -> Any:
    return kind.gather(Case(as_rule(target, claims=[WANTED], networks=[network]), WANTED, network)).evidence


def test_gradients_of_a_batchs_inputs_and_initial_states_are_judged_as_they_are_given() -> None:
    for kind, strength in ((FORMAL, Strength.PROVED), (MODULAR, Strength.EXACT), (BALLS, Strength.CERTIFIED)):
        shown = wanted(kind, to_inputs)
        assert shown.strength is strength, shown.statement
    for kind in (FORMAL, BALLS):  # residues leave this one open: the padding that it replaces is nowhere in the network
        assert wanted(kind, to_other_inputs).status is Status.REFUTED


def test_gradients_of_a_batchs_inputs_in_another_shape_are_refused_in_its_own_terms() -> None:
    shown = wanted(BALLS, to_inputs_time_first)
    assert shown.status is Status.ERROR and shown.cause is Cause.MALFORMED
    assert "has (6, 2, 2) for inputs; wanted (2, 6, 2), the shape of problem.inputs" in shown.statement


def test_gradients_of_one_padded_sequence_have_no_axis_of_the_batch() -> None:
    def alone(problem: Any) -> Any:
        given = Batch(Network(), N=1).presented(problem.side_by_side)
        made = to_inputs(dataclasses.replace(given, **{k: np.swapaxes(getattr(given, k), 0, 1) for k in AXES}))
        return {**made, "inputs": made["inputs"][0], "initial_state": made["initial_state"][0]}

    shown = wanted(BALLS, alone, Batch(Network(), N=None))
    assert shown.strength is Strength.CERTIFIED, shown.statement


AXES = ("inputs", "targets", "loss_weights", "mask")


def test_states_carried_across_windows() -> None:
    assert evidence(MODULAR, windows, WINDOWS, Chunked(2)).strength is Strength.EXACT
    for words, options in (
        ("detached too often", {"cut": 1}),
        ("never detached", {"cut": 99}),
        ("not carried", {"carried": False}),
    ):
        wrong = functools.partial(windows, **options)
        assert evidence(BALLS, wrong, WINDOWS, Chunked(2)).status is Status.REFUTED, words


def test_twin_another_reduction_is_refuted() -> None:
    for changes in ({"time": "sum"}, {"reduction": "sum"}, {"lengths": "any", "padding": "zeros"}, {"outputs": "mean"}):
        shown = evidence(BALLS, time_major, dataclasses.replace(TIME_MAJOR, **changes))
        assert shown.status is Status.REFUTED, changes


@pytest.mark.parametrize(
    ("id", "words"),
    [
        ("batch-summed-for-mean", "the sum over sequences, reduction='sum'"),
        ("mean-over-outputs-missing", "the sum over outputs, outputs='sum'"),
        ("mean-over-padded-length", "It divides by T, the padded length"),
        ("mean-over-all-padded-steps", "It divides by N T, padding included"),
        ("padding-not-masked", "padding is not masked"),
        ("nan-times-0", "NaN in the padding reaches the gradient"),
        ("step-t-for-last-valid-step", "it takes the loss at step T"),
        ("mask-a-step-late", "The mask comes a step late"),
        ("mask-of-another-sequence", "those of the sequences in the opposite order"),
        ("first-sequence-only", "It counts the first sequence alone"),
        ("bias-of-the-first-sequence", "In b, it counts the first sequence alone"),
        ("sequences-mixed-by-reshape", "Inputs are reshaped from (T, N, ...) to (N, T, ...)"),
        ("one-start-for-all", "from the initial state of the first"),
    ],
)
def test_a_mistake_is_named(id: str, words: str) -> None:
    """In words that are true of any cell, without the gallery."""
    rule = as_rule(fault_named(id).fresh())
    network: Any = rule.declaration.networks[0]
    seen = lively_problem(network, Sizes(4, 2, 2 * network.count, network.count), 0)
    with patch.object(gallery, "matches", lambda found: []):
        assert words in str(diagnose(Case(rule, Exact(), network), {}, seen))


def test_twin_no_batch_is_named_for_another_mistake() -> None:
    rule = as_rule(fault_named("batch-errors-averaged").fresh())
    network: Any = rule.declaration.networks[0]
    found = compare(Case(rule, Exact(), network), {}, lively_problem(network, Sizes(4, 2, 6, 3), 0))
    assert found is not None and batches.another(found) is None


def test_the_loss_is_that_of_the_sequences() -> None:
    """The loss of a batch, and its gradient, are the weighted sums of its sequences' own."""
    network = Batch(LSTM(), N=3, reduction="mean", time="mean", outputs="mean", scale=2, lengths="any")
    problem = lively_problem(network, Sizes(5, 3, 6, 6), 0)
    each = [network.sequence(problem, n) for n in range(3)]
    assert abs(loss(problem) - sum(map(loss, each))) < 1e-12
    parts, whole = [lags.gradient(one) for one in each], lags.gradient(problem)
    assert all(np.abs(sum(part[name] for part in parts) - array).max() < 1e-12 for name, array in whole.items())
    weights, lengths = network.arrays(problem)["loss_weights"], network.lengths_at(5)
    assert max(lengths) == 5 and min(lengths) < 5
    for n, length in enumerate(lengths):
        assert np.allclose(weights[:, n], np.where(np.arange(5) < length, 2 / (2 * 3 * length), 0), rtol=1e-14)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [[Fraction(1, 2)] * 2] * 3),
        ({"reduction": "sum", "scale": 3}, [[3, 3]] * 3),
        ({"reduction": "pooled", "lengths": (3, 1)}, [[Fraction(1, 4)] * 2, [Fraction(1, 4), 0], [Fraction(1, 4), 0]]),
        ({"time": "last", "lengths": (3, 2)}, [[0, 0], [0, Fraction(1, 2)], [Fraction(1, 2), 0]]),
        ({"time": "mean", "lengths": (3, 2)}, [[Fraction(1, 6), Fraction(1, 4)]] * 2 + [[Fraction(1, 6), 0]]),
        ({"time": "mean", "outputs": "mean"}, [[Fraction(1, 30)] * 2] * 3),
    ],
)
def test_coefficients(options: Any, expected: Any) -> None:
    rows, den = Batch(Network(), N=2, **options).coefficients(3, 5)
    assert [[Fraction(n, den) for n in row] for row in rows] == expected


def test_lengths() -> None:
    assert Batch(Network(), N=3, lengths=(5, 3, 2)).lengths_at(5) == (5, 3, 2)
    assert Batch(Network(), N=3, lengths=(5, 3, 2)).lengths_at(7) == (7, 5, 4)
    assert Batch(Network(), N=3, lengths=(5, 3, 2)).lengths_at(2) == (2, 1, 1)
    for T in range(1, 30):
        lengths = Batch(Network(), N=4, lengths="any").lengths_at(T)
        assert max(lengths) == T and min(lengths) >= 1 and (T == 1 or min(lengths) < T)
        assert list(Batch(Network(), N=4, lengths="descending").lengths_at(T)) == sorted(lengths, reverse=True)


def test_a_rule_gets_the_problem_as_people_hold_it() -> None:
    network = Batch(LSTM(), N=2, lengths=(4, 2))
    problem = lively_problem(network, Sizes(4, 3, 6, 4), 0)
    given = network.presented(problem)
    assert given.inputs.shape == (4, 2, 3) and given.targets.shape == (4, 2, 2) and given.network == LSTM()
    assert [part.shape for part in given.initial_state] == [(2, 3), (2, 3)] and given.sizes == Sizes(4, 3, 3, 2)
    assert given.lengths.tolist() == [4, 2] and given.mask[:, 1].tolist() == [True, True, False, False]
    padding = given.inputs[2:, 1]
    assert np.isnan(padding).any() and not np.isnan(padding).all(), "NaN, and numbers that are none of its business"
    assert np.isfinite(given.inputs[given.mask]).all() and (given.loss_weights[2:, 1] == 0).all()
    first = dataclasses.replace(network, batch_first=True).presented(problem)
    assert first.inputs.shape == (2, 4, 3) and first.mask.shape == first.loss_weights.shape == (2, 4)
    alone = Batch(LSTM(), N=None, time="last").presented(lively_problem(Batch(LSTM(), N=None), Sizes(4, 3, 3, 2), 0))
    assert alone.inputs.shape == (4, 3) and alone.loss_weights.tolist() == [0, 0, 0, 1]
    assert [part.shape for part in alone.initial_state] == [(3,), (3,)]


def test_what_a_rule_writes_into_its_inputs_is_seen() -> None:
    def zeroed(problem: Any) -> Any:
        problem.inputs[~problem.mask] = 0
        return masked(problem)

    for target, passed in ((masked, True), (zeroed, False)):
        problem = lively_problem(POOLED, Sizes(5, 2, 4, 2), 0)
        given = problem.copy()
        as_rule(target)(given)
        assert np.array_equal(problem.inputs, given.inputs) == passed


LEARNED = gradcheck.network(
    lambda p, a, x: np.tanh(p["W"] @ x + p["R"] @ a), lambda p, a: p["V"] @ a,
    {"W": ("I", "D"), "R": ("I", "I"), "V": ("K", "I"), "h0": ("I",)}, initial_state=lambda p: p["h0"], name="learned",
)  # fmt: skip
"""A network of one's own, whose start is learned."""


@pytest.mark.parametrize(
    ("network", "name", "index"),
    [
        (POOLED, "R", (0, 1)),
        (dataclasses.replace(OF_LSTM, network=LSTM(), lengths=(4, 2)), "W_f", (1, 0)),
        (Batch(LEARNED, N=2, time="last", lengths="any"), "h0", (1,)),
        (Batch(Network(), N=None, time="mean"), "W", (0, 1)),
    ],
    ids=str,
)
def test_a_program_has_the_batch_as_people_hold_it(network: Any, name: str, index: Any) -> None:
    """It finds the entry from the forward pass of each sequence."""
    size = Sizes(4, 2, 2 * network.count, network.count)
    problem = lively_problem(network, size, 0, weighted=True)
    true = float(lags.gradient(problem)[name][index])
    case = Case(as_rule(bptt, networks=[network]), Exact(), network)
    entry = f"{name}[{','.join(map(str, index))}]"
    program = snippet(case, problem, {}, entry, repr(true + 1), repr(true))
    space: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(program, "snippet", "exec"), space)
    assert abs(space["true"] - true) < 1e-12 and space["inputs"].shape == (4, network.count, 2)
    assert "def true_entry" in program and "batch = gradcheck.Batch(" in program


def test_a_case_is_replayed() -> None:
    wrong = fault_named("batch-summed-for-mean").rule()
    network: Any = as_rule(wrong).declaration.networks[0]
    case = Case(as_rule(wrong), Exact(), network)
    problem = lively_problem(network, Sizes(2, 1, 3, 3), 0)
    found = counterexample.violation(case, counterexample.Trial(problem, {}), floats=True)
    assert found is not None
    example = counterexample.counterexample(case, found)
    assert gradcheck.replay(example, wrong).outcome is Outcome.STILL_WRONG
    right = build("batched_bptt", networks=(network,))
    assert gradcheck.replay(example, right).outcome is Outcome.FIXED


class InOneGo:
    """An online rule on a batch that sums over the sequences what each step contributes to V."""

    def start(self, network: Any, parameters: Any, initial_state: Any) -> Any:
        return parameters, initial_state

    def step(self, state: Any, x: Any, y: Any, weight: Any) -> Any:
        p, a = state
        a = np.tanh(x @ p["W"] + a @ p["R"])
        e = weight[:, None] * (a @ p["V"] - y)
        return (p, a), {**{name: np.zeros_like(array) for name, array in p.items()}, "V": a.T @ e}


def of_readout(problem: Any) -> Any:
    gradient = {name: np.zeros_like(array) for name, array in problem.parameters.items()}
    W, R, V = (problem.parameters[name] for name in "WRV")
    a = problem.initial_state
    for x, y, weight in zip(problem.inputs, problem.targets, problem.loss_weights, strict=True):
        a = np.tanh(x @ W + a @ R)
        gradient["V"] = gradient["V"] + a.T @ (weight[:, None] * (a @ V - y))
    return gradient


def test_online_rules_get_rows() -> None:
    """A contribution may depend on T through the weights, which a mean over T divides by it."""
    claims = (gradcheck.Equals(of_readout), gradcheck.Online())
    rule = as_rule(gradcheck.rule(*claims, networks=[TIME_MAJOR], weighted=True)(InOneGo))
    for claim, kind in zip(claims, (MODULAR, Causality(sizes=(Sizes(4, 2, 6, 3),))), strict=True):
        shown = kind.gather(Case(rule, claim, TIME_MAJOR)).evidence
        assert shown.status is Status.HOLDS, shown.statement


def last_one_counts(array: Any, places: Any, values: Any) -> None:
    array[places] = array[places] + values


def test_tokens() -> None:
    """Inputs are whole numbers in every kind of evidence; a token that comes twice in a step must be added twice."""
    for kind, strength in ((MODULAR, Strength.EXACT), (BALLS, Strength.CERTIFIED), (FORMAL, Strength.SUPPORTED)):
        shown = evidence(kind, tokens, TOKENS)
        assert shown.status is Status.HOLDS and shown.strength is strength, shown.statement

        def overwritten(problem: Any) -> Any:
            return tokens(problem, last_one_counts)

        assert evidence(kind, overwritten, TOKENS).status is Status.REFUTED, kind
    problem = lively_problem(TOKENS, Sizes(5, 2, 6, 2), 0)
    given = TOKENS.presented(problem).inputs
    assert given.shape == (5, 2) and given.dtype.kind == "i"
    assert (np.eye(3)[given].reshape(5, 6) == problem.inputs).all()


def test_tied_blocks() -> None:
    """One-hot inputs, and targets that sum to 1, are so for each sequence."""
    words = gradcheck.network(
        lambda p, a, x: np.tanh(p["E"].T @ x + p["R"] @ a), lambda p, a: p["V"] @ a,
        {"E": ("D", "I"), "R": ("I", "I"), "V": ("K", "I")}, domains={"inputs": "one-hot"}, output="softmax",
        loss="categorical_cross_entropy", name="words",
    )  # fmt: skip
    problem = lively_problem(Batch(words, N=2), Sizes(6, 2, 6, 6), 0)
    assert (problem.inputs.reshape(6, 2, 3).sum(axis=2) == 1).all()
    assert np.allclose(problem.targets.reshape(6, 2, 3).sum(axis=2), 1)
    for kind, strength in ((MODULAR, Strength.EXACT), (BALLS, Strength.CERTIFIED)):
        assert evidence(kind, bptt, Batch(words, N=2)).strength is strength


@pytest.mark.parametrize(
    "network",
    [TIME_MAJOR, POOLED, LAST, OF_LSTM, Batch(gradcheck.Stacked(LSTM(), LSTM()), N=3, lengths=(5, 3, 1))],
    ids=str,
)
def test_a_file_names_a_batch(network: Any) -> None:
    data = registry.to_data(network)
    assert data is not None and registry.from_data(data) == network


POSITIVE = gradcheck.network(
    lambda p, a, x: np.tanh(p["W"] @ x + a), lambda p, a: a, {"W": ("I", "D")}, domains={"inputs": "positive"},
    sizes={"K": "I"}, name="positive",
)  # fmt: skip


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Batch(3), "3 is not a network"),
        (lambda: Batch(Batch(Network())), "a batch of batches is a batch"),
        (lambda: Batch(Network(), N=0), "Batch has no N=0; wanted a whole number from 1 on"),
        (lambda: Batch(Network(), N=True), "Batch has no N=True"),
        (lambda: Batch(Network(), reduction="avg"), "no reduction='avg'; choose one of 'mean', 'sum', 'pooled'"),
        (lambda: Batch(Network(), batch_first=1), "Batch has no batch_first=1; choose one of False, True"),
        (lambda: Batch(Network(), reduction="pooled", time="mean"), "is a mean over all steps"),
        (lambda: Batch(Network(), lengths=(3,)), "is not a tuple of 2 whole numbers"),
        (lambda: Batch(Network(), lengths="random"), "choose one of 'equal', 'any', 'descending'"),
        (lambda: Batch(POSITIVE, tokens=True), "inputs that are one-hot; the network positive wants numbers above 0"),
        (lambda: registry.from_data({"kind": "Batch", "network": 3}), "the network of a batch is a shipped network"),
        (lambda: registry.from_data({"kind": "Batch", "network": {"kind": "LSTM"}, "M": 3}), "a batch has no 'M'"),
    ],
)  # fmt: skip
def test_what_is_refused(make: Any, message: str) -> None:
    with pytest.raises(gradcheck.GradcheckError) as raised:
        make()
    assert message in str(raised.value)
