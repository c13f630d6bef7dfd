"""Claims about costs, judged: the shipped rules' hold, wrong ones are refuted by their polynomial."""

from __future__ import annotations

import functools
import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest

import gradcheck
from gradcheck.algorithms import CATALOGUE, RTRL, Focused, Schmidhuber, bptt
from gradcheck.chapters.costs import chapter
from gradcheck.evidence.base import Case
from gradcheck.evidence.cost import counted, online
from gradcheck.evidence.cost import measured as growth
from gradcheck.evidence.cost.counts import costs, costs_of
from gradcheck.evidence.cost.measured import Exponent
from gradcheck.records import Evidence, Status, Strength, Verdict
from gradcheck.reference.claims import Cost, Online, parse_claim
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import Network
from gradcheck.rules.adapt import as_rule
from gradcheck.rules.failures import RuleFailed


def verdict(target: Any, claim: Any) -> Verdict:
    return gradcheck.audit(target, [claim], networks=[Network()], effort="quick", isolated=False).verdicts[1]


rule_of = functools.cache(as_rule)
"""Returns a rule by its target, one object each, so that the tests count each size once."""


def counting(target: Any, claim: Any) -> Evidence:
    rule = rule_of(target)
    if target in CATALOGUE:
        costs(rule, Network()).remember(costs_of(target).counts)
    return counted.Counting().gather(Case(rule, claim, Network())).evidence


def causality(target: Any) -> Evidence:
    return online.Causality().gather(Case(rule_of(target), Online(), Network())).evidence


@pytest.mark.parametrize("target", CATALOGUE, ids=lambda target: target.__name__)
def test_a_shipped_rule_declares_both_costs(target: Any) -> None:
    """test_catalogue.py audits what it declares."""
    claims = rule_of(target).declaration.claims
    assert any(isinstance(c, Cost) and c.time and c.storage for c in claims)


@pytest.mark.parametrize(
    ("target", "claim", "why"),
    [
        (RTRL, Cost(time="T*I**3*(1 + D)"), "the term 2 T I^4 outgrows O(T*I**3*(1 + D))"),
        (RTRL, Cost(time="T*I**3*(I + D)"), "the term 6 T I K outgrows"),
        (RTRL, Cost(storage="I**2 + I*K"), "the term 2 I^3 outgrows"),
        (bptt, Cost(time="T*I*(I + K)"), "the term 4 T I D outgrows"),
        (bptt, Cost(storage="T*(I + K)"), "its growth with I, of degree 2, outgrows"),
        (bptt, Cost(storage="I*(I + D + K)"), "the term 5 T I outgrows"),
        (Schmidhuber, Cost(time="T*I**2*(I + D) + T*I*K"), "the term 2 T I^4/block outgrows"),
    ],
)
def test_a_bound_too_low_is_refuted_by_the_polynomial(target: Any, claim: Any, why: str) -> None:
    found = counting(target, claim)
    assert found.status is Status.REFUTED and why in found.statement, found.statement


def test_storage_that_grows_with_the_length_is_not_online() -> None:
    found = verdict(bptt, Online())
    assert (found.status, found.strength) == (Status.REFUTED, Strength.EXACT), found
    storage = next(e.details["storage"] for e in found.evidence if "storage" in e.details)
    assert storage["polynomial"] == "5 T I + 2 T K" and storage["held_out"] > 0


class Hoarding(RTRL):
    """Keeps every input, and needs none of them."""

    def start(self, *arguments: Any) -> Any:
        return super().start(*arguments), ()

    def step(self, state: Any, x: Any, y: Any, weight: Any) -> Any:
        inner, contribution = super().step(state[0], x, y, weight)
        return (inner, (*state[1], 1 * x)), contribution


class Peeking(RTRL):
    """Looks at the sequence that its caller steps through."""

    def step(self, state: Any, x: Any, y: Any, weight: Any) -> Any:
        frame = sys._getframe()
        while frame is not None and "problem" not in frame.f_locals:
            frame = frame.f_back  # type: ignore[assignment]
        last = frame.f_locals["problem"].inputs[-1]
        state, contribution = super().step(state, x, y, weight)
        return state, {name: array + 0 * last[0] + (name == "W") * last[0] for name, array in contribution.items()}


def test_an_online_rule_neither_hoards_nor_peeks() -> None:
    """test_catalogue.py audits the shipped ones."""
    kept = counting(Hoarding, Online())
    assert kept.status is Status.REFUTED and "T D" in kept.details["storage"]["leading"], kept
    seen = causality(Peeking)
    assert seen.status is Status.REFUTED and "depends on steps after" in seen.statement, seen.statement


class Logging(RTRL):
    """Keeps the number of each step."""

    def start(self, *arguments: Any) -> Any:
        return super().start(*arguments), ()

    def step(self, state: Any, x: Any, y: Any, weight: Any) -> Any:
        inner, contribution = super().step(state[0], x, y, weight)
        return (inner, (*state[1], len(state[1]))), contribution


def test_a_rule_that_keeps_a_little_of_each_step_is_not_online() -> None:
    evidence = counting(Logging, Online())
    assert evidence.status is Status.INCONCLUSIVE and "bytes with each step" in evidence.statement, evidence


class Foreseeing(RTRL):
    """Contributes at the end, which it knows from its caller."""

    def start(self, *arguments: Any) -> Any:
        return super().start(*arguments), 0, None

    def step(self, state: Any, x: Any, y: Any, weight: Any) -> Any:
        frame = sys._getframe()
        while frame is not None and "problem" not in frame.f_locals:
            frame = frame.f_back  # type: ignore[assignment]
        inner, contribution = super().step(state[0], x, y, weight)
        total = contribution if state[2] is None else {n: state[2][n] + a for n, a in contribution.items()}
        done = state[1] + 1 == frame.f_locals["problem"].T
        return (inner, state[1] + 1, total), total if done else None


def test_a_rule_that_knows_the_length_to_come_is_not_online() -> None:
    evidence = causality(Foreseeing)
    assert evidence.status is Status.REFUTED and "how many steps follow" in evidence.statement, evidence.statement


class Remembering(RTRL):
    """Looks at the array that an input may be a part of."""

    def step(self, state: Any, x: Any, y: Any, weight: Any) -> Any:
        assert x.base is None and y.base is None, "the sequence is in sight"
        return super().step(state, x, y, weight)


def test_an_online_rule_is_handed_copies() -> None:
    evidence = causality(Remembering)
    assert evidence.status is Status.HOLDS, evidence.statement


def copying(problem: Any) -> Any:
    for _ in range(problem.T):
        problem.inputs.copy()
    return bptt(problem)


def comparing(problem: Any) -> Any:
    for a in problem.inputs:
        for b in problem.inputs:
            a[0] < b[0]  # noqa: B015
    return bptt(problem)


def quick_when_counted(problem: Any) -> Any:
    if problem.inputs.dtype.kind == "f":
        for _ in range(problem.T**2):
            problem.inputs.sum()
    return bptt(problem)


def allocating(problem: Any) -> Any:
    np.empty((problem.T, problem.T, problem.T))
    return bptt(problem)


def slow_when_long(problem: Any) -> Any:
    if problem.T > 300:
        for _ in range(problem.T):
            problem.inputs.sum()
    return bptt(problem)


def looping(problem: Any) -> Any:
    for t in range(problem.T):
        for _ in range(t):
            pass
    return bptt(problem)


def keeping_text(problem: Any) -> Any:
    kept = [repr(np.outer(a, a).tolist()) for a in np.resize(problem.initial_state, (problem.T, problem.sizes.I))]
    return bptt(problem) if kept else {}


LINEAR = Cost(time="T*I*(I + D + K)", storage="T*(I + K) + I*(I + D + K)")


@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        (copying, Status.REFUTED, "copied or compared"),
        (comparing, Status.REFUTED, "copied or compared"),
        (quick_when_counted, Status.NOT_RUN, "another path"),
        (allocating, Status.INCONCLUSIVE, "memory grows with exponent"),
        (looping, Status.INCONCLUSIVE, "the number of lines that run grows with exponent"),
        (keeping_text, Status.INCONCLUSIVE, "in T = I (claimed 2)"),
        (bptt, Status.HOLDS, "which is O"),
    ],
)
def test_costs_that_are_no_operations_are_seen(target: Any, status: Status, text: str) -> None:
    evidence = counting(target, LINEAR)
    assert evidence.status is status and text in evidence.statement, evidence


def test_costs_of_code_that_never_ran_are_supported_at_most() -> None:
    found = verdict(slow_when_long, LINEAR)
    assert (found.status, found.strength) == (Status.HOLDS, Strength.SUPPORTED), found
    assert [each.text for each in found.unseen] == ["never ran"]


class Windowing(RTRL):
    """Keeps the last 30 inputs: at short lengths its storage grows with T, and then no more."""

    def start(self, *arguments: Any) -> Any:
        return super().start(*arguments), ()

    def step(self, state: Any, x: Any, y: Any, weight: Any) -> Any:
        inner, contribution = super().step(state[0], x, y, weight)
        return (inner, (*state[1], 1 * x)[-30:]), contribution


def test_what_stops_growing_beyond_the_sizes_counted_is_not_refuted() -> None:
    for claim in (Online(), Cost(storage="I**2*(I + D) + I*K")):
        found = counting(Windowing, claim)
        assert found.status is Status.INCONCLUSIVE and "its growth with T changes" in found.statement, found.statement


def test_contributions_of_a_function_are_not_to_be_seen() -> None:
    evidence = causality(bptt)
    assert evidence.status is Status.NOT_RUN and "class with start and step" in evidence.statement


def more(problem: Any, times: int) -> Any:
    """The gradient, dL/dV multiplied by 1 so many times."""
    result = bptt(problem)
    for _ in range(times):
        result["V"] = result["V"] * 1
    return result


def by_halving(problem: Any) -> Any:
    """As many multiplications of dL/dV as T has binary digits, less one."""
    return more(problem, problem.T.bit_length() - 1)


def by_levels(problem: Any) -> Any:
    """T log T multiplications of dL/dV beside the gradient: every level of a tree touches each step."""
    return more(problem, problem.T * problem.T.bit_length())


def unless_a_power(problem: Any) -> Any:
    """T^2 operations more, unless T is a power of 2."""
    T, x = problem.T, problem.inputs[0]
    for _ in range(T * T * (T & (T - 1) > 0) // 40):
        x = x * 1
    return bptt(problem)


def by_a_scan(problem: Any) -> Any:
    """Every product of the first t matrices, by a tree, beside the gradient."""

    def scan(matrices: Any) -> Any:
        if len(matrices) == 1:
            return matrices
        pairs = scan([a @ b for a, b in zip(matrices[::2], matrices[1::2], strict=False)])
        odd = [a @ b for a, b in zip(pairs, matrices[2::2], strict=False)]
        return [matrices[0], *(each for both in zip(pairs, odd, strict=False) for each in both), *pairs[len(odd) :]]

    scan([problem.parameters["R"]] * problem.T)
    return bptt(problem)


@pytest.mark.parametrize(
    ("target", "bound", "status"),
    [
        (by_halving, "T*I*(I + K + D)", Status.HOLDS),
        (by_halving, "I*(I + K + D)", Status.INCONCLUSIVE),
        (by_a_scan, "T*I*(I**2 + K + D)", Status.HOLDS),
        (by_a_scan, "T*I*(I + K + D)", Status.INCONCLUSIVE),
        (by_levels, "T**2*I*(I + K + D)", Status.HOLDS),
        (by_levels, "T*I*(I + K + D)", Status.INCONCLUSIVE),
        (unless_a_power, "T*I*(I + K + D)", Status.INCONCLUSIVE),
    ],
)
def test_a_cost_that_no_polynomial_gives_is_bounded(target: Any, bound: str, status: Status) -> None:
    found = counting(target, Cost(time=bound))
    assert found.status is status, found.statement
    assert found.strength is (Strength.SUPPORTED if status is Status.HOLDS else Strength.NONE)


def test_locality_is_read_from_the_polynomials() -> None:
    local = {t.__name__: (costs_of(t).local_in_time, costs_of(t).local_in_space) for t in (bptt, RTRL, Focused)}
    assert local == {"bptt": (False, True), "RTRL": (True, False), "Focused": (True, True)}


class Equal(Network):
    """A network that is equal to any other."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = Network.__hash__


def test_costs_are_kept_for_what_a_network_computes() -> None:
    rule, first, other = as_rule(bptt), Equal("tanh"), Equal("relu")
    assert costs(rule, first) is costs(rule, first)
    assert costs(rule, other).network is other


def opaque(problem: Any) -> Any:
    """Leaves NumPy, as code in a framework does."""
    plain = problem.map(lambda array: np.array(array.tolist(), dtype=float))
    return bptt(plain)


@pytest.mark.parametrize(
    ("high", "last", "status"),
    [(1.2, 1.1, Status.HOLDS), (1.6, 1.1, Status.INCONCLUSIVE), (1.2, 1.6, Status.INCONCLUSIVE)],
    ids=["within", "perhaps beyond", "beyond at the end"],
)
def test_what_cannot_be_counted_is_measured(
    monkeypatch: pytest.MonkeyPatch, high: float, last: float, status: Status
) -> None:
    exponents = {"time": [Exponent("T", 1.0, 0.9, high, last), Exponent("I", 1.9, 1.8, 2.1, 1.9)], "storage": []}
    monkeypatch.setattr(growth, "exponents", lambda case, progress: exponents)
    found = verdict(opaque, Cost(time="T*I*(I + K + D)"))
    assert found.status is status and f"1.00 [0.90, {high:.2f}] in T" in found.statement, found
    assert found.strength is (Strength.SUPPORTED if status is Status.HOLDS else Strength.NONE)
    assert [e.kind for e in found.evidence] == ["counting", "growth"]


def test_an_exponent_is_the_slope_of_the_fastest_runs() -> None:
    rng, at = np.random.default_rng(0), np.array([16, 32, 64, 128])
    fastest = 1e-4 + 1e-7 * at**2.0
    noisy = fastest * (1 + rng.exponential(0.3, size=(7, 4)))
    noisy[3] = fastest
    seen = growth._exponent("I", at, noisy, rng)
    assert abs(seen.value - growth._exponent("I", at, fastest[None], rng).value) < 1e-9
    assert seen.low <= seen.value <= seen.high < 2.5


def test_memory_is_no_longer_traced_after_a_rule_failed() -> None:
    def fails(problem: Any) -> Any:
        raise ValueError("too large")

    with pytest.raises(RuleFailed):
        growth.exponents(Case(as_rule(fails), Cost(time="T"), Network()))
    assert not tracemalloc.is_tracing()


def test_measured_growth_runs_the_rule_at_every_size() -> None:
    found = growth.exponents(Case(as_rule(opaque), Cost(time="T"), Network()))
    assert {e.size for e in found["time"]} == {"T", "I"}
    assert all(np.isfinite([e.value, e.low, e.high]).all() for kind in found.values() for e in kind)


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (Cost(), "give time=, storage= or both"),
        (Cost(time="T*J"), "should be an expression in T, I, D, K"),
        (Cost(time="T*tau"), "should be an expression in T, I, D, K"),
        (Cost(storage="T -"), "a cost is an expression"),
    ],
)
def test_a_cost_that_says_nothing_is_refused_at_once(claim: Cost, message: str) -> None:
    with pytest.raises(GradcheckError, match="cost|Cost|time") as raised:
        gradcheck.audit(bptt, [claim], isolated=False)
    assert message in str(raised.value)


def test_a_cost_is_asked_for_on_the_command_line() -> None:
    assert parse_claim("cost(time=T*I^2, storage=T*(I + K))") == Cost("T*I^2", "T*(I + K)")
    assert str(parse_claim("cost(storage=T*I)")) == "cost(storage=T*I)"
    for wrong in ("cost", "cost()", "cost(T*I)", "cost(speed=T)"):
        with pytest.raises(GradcheckError, match="cannot read the claim"):
            parse_claim(wrong)


def test_the_chapter_has_every_rule_and_both_figures() -> None:
    told: list[str] = []
    made = chapter([bptt, Focused], told.append)
    ((_, header, rows),) = made.tables
    assert [row[0] for row in rows] == ["bptt", "Focused"] and len(header) == len(rows[0])
    assert "6 T I^2" in rows[0][1] and rows[1][3:] == ("yes", "yes")
    units = made.figures[0].series["bptt"][1]
    assert made.figures[0].log_x and units[-1] / units[-2] > 3.5 and len(told) == 2
