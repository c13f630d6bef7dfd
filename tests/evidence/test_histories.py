"""A rule returns the same whatever was called before: workspaces, caches and counters are told from right memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gradcheck
from gradcheck.algorithms.bptt import bptt
from gradcheck.evidence.base import Case
from gradcheck.evidence.preconditions.purity import Purity
from gradcheck.problems.lively import lively_problem
from gradcheck.records import Cause, Status
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import DEFAULT_NETWORK, Sizes
from gradcheck.reference.problem import Problem
from gradcheck.reference.scalars.ball import BallField
from gradcheck.reference.scalars.formal import FormalField
from gradcheck.reference.scalars.precise import PreciseField
from gradcheck.reference.scalars.rational import RationalField
from gradcheck.reference.scalars.residues.array import ResidueField
from gradcheck.reference.scalars.residues.modular import ModularField
from gradcheck.reference.typing import Gradient
from gradcheck.rules.adapt import as_rule
from gradcheck.rules.call import run
from gradcheck.rules.failures import KeptNumbers

Rule = Callable[[Problem], Gradient]


def _copied(gradient: Gradient) -> Gradient:
    return {name: array.copy() for name, array in gradient.items()}


def workspace_used_up() -> Rule:
    """The forward pass of a sequence is kept, and changed by the backward pass."""
    kept: dict[bytes, Gradient] = {}

    def rule(problem: Problem) -> Gradient:
        key = b"".join(array.tobytes() for array in problem.arrays().values())
        if key in kept:
            return {name: array * 2 for name, array in kept[key].items()}
        kept.clear()
        kept[key] = bptt(problem)
        return _copied(kept[key])

    return rule


def cached_by(*names: str, size: int = 1) -> Callable[[], Rule]:
    """Return a rule that takes problems for equal where these arrays are."""

    def make() -> Rule:
        kept: dict[Any, Gradient] = {}

        def rule(problem: Problem) -> Gradient:
            arrays = problem.arrays()
            key = tuple((name, arrays[name].shape, arrays[name].tobytes()) for name in names)
            if key not in kept:
                while len(kept) >= size:
                    kept.pop(next(iter(kept)))
                kept[key] = bptt(problem)
            return _copied(kept[key])

        return rule

    return make


def cached_by_memory() -> Rule:
    """The memory of the inputs stands for what is in it."""
    kept: list[Any] = []

    def rule(problem: Problem) -> Gradient:
        if not kept or kept[0] is not problem.inputs:
            kept[:] = [problem.inputs, bptt(problem)]
        return _copied(kept[1])

    return rule


def wrong_at_every(n: int) -> Callable[[], Rule]:
    def make() -> Rule:
        calls = 0

        def rule(problem: Problem) -> Gradient:
            nonlocal calls
            calls += 1
            gradient = bptt(problem)
            return {**gradient, "R": gradient["R"] * 2} if calls % n == 0 else gradient

        return rule

    return make


def spoiled_by_float32() -> Rule:
    """A table is made at the format of the problem before."""
    formats: list[Any] = [np.float64]

    def rule(problem: Problem) -> Gradient:
        gradient = {name: array.astype(formats[-1]).astype(array.dtype) for name, array in bptt(problem).items()}
        formats.append(problem.inputs.dtype)
        return gradient

    return rule


def buffers_of_the_first_format() -> Rule:
    """Results are stored in arrays of the format of the first call with their shape."""
    buffers: dict[Any, Any] = {}

    def rule(problem: Problem) -> Gradient:
        found = {}
        for name, array in bptt(problem).items():
            buffer = buffers.setdefault((name, array.shape), np.empty_like(array))
            buffer[...] = array
            found[name] = buffer.astype(array.dtype)
        return found

    return rule


def slopes_of_the_network_before() -> Rule:
    """The activation of the call before is taken where that had another network."""
    networks: list[Any] = []

    def rule(problem: Problem) -> Gradient:
        networks.append(problem.network)
        other = networks[-2:-1] not in ([], [problem.network])
        return {name: array * 2 if other else array for name, array in bptt(problem).items()}

    return rule


def bound_to_a_thread() -> Rule:
    """The thread that called last is remembered, and another one gets half."""
    threads: list[int] = []

    def rule(problem: Problem) -> Gradient:
        threads.append(threading.get_ident())
        moved = len(set(threads[-2:])) > 1
        return {name: array / 2 if moved else array for name, array in bptt(problem).items()}

    return rule


ALL = ("W", "R", "V", "inputs", "targets", "initial_state", "loss_weights")
WRONG: dict[str, Callable[[], Rule]] = {
    "a workspace that is used up": workspace_used_up,
    **{
        f"a cache that forgets {name}": cached_by(*(other for other in ALL if other != name), size=64)
        for name in ("inputs", "targets", "initial_state")
    },
    "a cache that forgets the parameters": cached_by("inputs", "targets", "initial_state", size=64),
    "a cache by memory": cached_by_memory,
    "wrong at every 400th call": wrong_at_every(400),
    "spoiled by float32": spoiled_by_float32,
    "buffers of the first format": buffers_of_the_first_format,
    "slopes of the network before": slopes_of_the_network_before,
    "bound to a thread": bound_to_a_thread,
}
RIGHT: dict[str, Callable[[], Rule]] = {
    "a cache by all that counts": cached_by(*ALL, size=64),
    "a cache of one": cached_by(*ALL),
    "no memory": lambda: bptt,
}


@pytest.fixture(autouse=True)
def fewer_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many calls in a row as the tests need."""
    monkeypatch.setattr("gradcheck.evidence.preconditions.histories.MOST_CALLS", 450)


def judged(make: Callable[[], Rule]) -> Any:
    networks = [DEFAULT_NETWORK, gradcheck.Network("logistic")]
    case = Case(as_rule(make(), claims=[gradcheck.Exact()], networks=networks), gradcheck.Exact(), DEFAULT_NETWORK)
    return Purity(claims=[gradcheck.Exact()]).gather(case).evidence


@pytest.mark.parametrize("name", WRONG)
def test_a_rule_that_keeps_what_no_longer_fits_is_not_pure(name: str) -> None:
    evidence = judged(WRONG[name])
    assert (evidence.status, evidence.cause) == (Status.REFUTED, Cause.KEEPS_STATE), evidence.statement


@pytest.mark.parametrize("name", RIGHT)
def test_a_rule_that_keeps_what_fits_is_pure(name: str) -> None:
    assert judged(RIGHT[name]).status is Status.HOLDS


def test_a_rule_that_is_wrong_at_some_value_is_pure() -> None:
    def wrong(problem: Problem) -> Gradient:
        gradient = bptt(problem)
        return {**gradient, "R": gradient["R"] * (1 + (problem.inputs[-1, 0] > 0))}

    assert judged(lambda: wrong).status is Status.HOLDS


def test_a_rule_that_is_a_little_wrong_on_some_problems_is_pure() -> None:
    """Its errors are no parts of another problem."""

    def wrong(problem: Problem) -> Gradient:
        gradient, last = bptt(problem), float(problem.inputs[-1, 0])
        return {**gradient, "R": gradient["R"] * (1 + 1e-9 * (hash(last) % 2))}

    assert judged(lambda: wrong).status is Status.HOLDS


@pytest.mark.parametrize("name", ["W", "inputs", "targets", "initial_state"])
@pytest.mark.parametrize("lossy", [lambda a: a.astype(np.float32).astype(a.dtype), lambda a: np.round(a * 4096) / 4096])
def test_numbers_that_lose_bits_are_noticed(name: str, lossy: Callable[[Any], Any]) -> None:
    """Once, in a rule that computes at 64 bits otherwise."""

    def wrong(problem: Problem) -> Gradient:
        if name in problem.parameters:
            return bptt(problem.replace(parameters={**problem.parameters, name: lossy(problem.parameters[name])}))
        return bptt(problem.replace(**{name: lossy(getattr(problem, name))}))

    from gradcheck.evidence.floats.blackbox import SIZES, BlackBox

    case = Case(as_rule(wrong), gradcheck.Exact(), DEFAULT_NETWORK)
    assert BlackBox(sizes=SIZES[:1]).gather(case).evidence.status is Status.REFUTED


def test_an_array_is_judged_at_its_own_format() -> None:
    """A coarse array excuses no other."""

    def wrong(problem: Problem) -> Gradient:
        gradient = bptt(problem)
        return {**gradient, "V": gradient["V"].astype(np.float32), "R": gradient["R"] * (1 + 1e-9)}

    def right(problem: Problem) -> Gradient:
        gradient = bptt(problem)
        return {**gradient, "V": gradient["V"].astype(np.float32)}

    from gradcheck.evidence.floats.blackbox import SIZES, BlackBox

    for rule, status in ((wrong, Status.REFUTED), (right, Status.HOLDS)):
        case = Case(as_rule(rule), gradcheck.Exact(), DEFAULT_NETWORK)
        assert BlackBox(sizes=SIZES[:2], branching=False).gather(case).evidence.status is status


def test_a_target_that_does_not_run_on_balls_leaves_purity_alone() -> None:
    def target(problem: Problem) -> Gradient:
        return {name: np.asarray(array, dtype=float) for name, array in bptt(problem).items()}

    claim = gradcheck.Equals(target)
    case = Case(as_rule(bptt, claims=[claim]), claim, DEFAULT_NETWORK)
    assert Purity(claims=[claim]).gather(case).evidence.status is Status.HOLDS


def test_a_rule_that_waits_is_not_called_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradcheck.evidence.preconditions.histories.WALL_SECONDS", 0.0)
    calls = 0

    def counting() -> Rule:
        def rule(problem: Problem) -> Gradient:
            nonlocal calls
            calls += 1
            return bptt(problem)

        return rule

    assert judged(counting).status is Status.HOLDS
    assert calls < 150, "the calls in a row go on after their time"


# Numbers that a rule keeps from a call on another number system


def _adds_the_last_result(kept: dict[Any, Any]) -> Any:
    def rule(problem: Problem) -> Gradient:
        found = {}
        for name, array in bptt(problem).items():
            found[name] = array + 0 * kept.get((name, array.shape), 0)
            kept[name, array.shape] = array
        return found

    return rule


def _keeps_the_first_weights(kept: dict[Any, Any]) -> Any:
    def rule(problem: Problem) -> Gradient:
        first = kept.setdefault(problem.parameters["R"].shape, problem.parameters["R"])
        gradient = bptt(problem)
        return {**gradient, "R": gradient["R"] + (first - first)}

    return rule


def _works_in_kept_memory(kept: dict[Any, Any]) -> Any:
    def rule(problem: Problem) -> Gradient:
        gradient = bptt(problem)
        for name, array in gradient.items():
            kept.setdefault((name, array.shape), np.empty_like(array))[...] = array
        return {name: kept[name, array.shape].copy() for name, array in gradient.items()}

    return rule


def _keeps_a_result(kept: dict[Any, Any]) -> Any:
    return lambda problem: kept.setdefault(str(problem.sizes), bptt(problem))


@pytest.mark.parametrize(
    "make", [_adds_the_last_result, _keeps_the_first_weights, _works_in_kept_memory, _keeps_a_result]
)
@pytest.mark.parametrize(
    "before",
    [FormalField(), BallField(100), ModularField(), ResidueField(), PreciseField(30)],
    ids=lambda field: type(field).__name__,
)
def test_numbers_of_an_earlier_call_are_no_result(make: Any, before: Any) -> None:
    """In the order of an audit: on numbers of ours, then on floats, or on other numbers of ours."""
    problem, other = lively_problem(DEFAULT_NETWORK, Sizes(2, 2, 1, 1), 0), BallField(200)
    for after in (problem, problem.over(other)):
        rule = as_rule(make({}))
        with before.working():
            run(rule, problem.over(before))
        with other.working(), pytest.raises(KeptNumbers, match="keeps state: it uses numbers that it kept") as raised:
            run(rule, after)
        assert "Scalar" not in str(raised.value) and "residue" not in str(raised.value)


def _has_numbers_of_its_own(problem: Problem) -> Gradient:
    """Raises an error of rational numbers, which are this call's."""
    np.zeros(3)[:] = problem.over(RationalField()).inputs.reshape(-1)[:3]
    return bptt(problem)


def _compares_with_balls_of_its_own(problem: Problem) -> Gradient:
    gradient = bptt(problem)
    return {name: array + BallField(200).lift(np.zeros(array.shape)) for name, array in gradient.items()}


def test_numbers_of_a_rules_own_are_not_kept() -> None:
    problem, field = lively_problem(DEFAULT_NETWORK, Sizes(2, 2, 2, 1), 0), BallField(100)
    for rule, given in ((_has_numbers_of_its_own, problem), (_compares_with_balls_of_its_own, problem.over(field))):
        with field.working():
            run(as_rule(bptt), problem.over(field))
            with pytest.raises(GradcheckError) as raised:
                run(as_rule(rule), given)
        assert not isinstance(raised.value, KeptNumbers), raised.value


def test_numbers_that_are_kept_by_their_kind_are_right() -> None:
    kept: dict[Any, Any] = {}

    def rule(problem: Problem) -> Gradient:
        gradient = bptt(problem)
        for name, array in gradient.items():
            kind = getattr(array, "field", None)
            kept.setdefault((name, array.shape, id(kind)), (kind, np.empty_like(array)))[1][...] = array
        return {name: kept[name, a.shape, id(getattr(a, "field", None))][1].copy() for name, a in gradient.items()}

    problem, field = lively_problem(DEFAULT_NETWORK, Sizes(2, 2, 1, 1), 0), BallField(100)
    for _ in range(2):
        with field.working():
            run(as_rule(rule), problem.over(field))
        run(as_rule(rule), problem.copy())


def test_the_verdict_on_a_rule_that_keeps_numbers_is_open_and_says_so(brief: None) -> None:
    report = gradcheck.audit(_keeps_the_first_weights({}), [gradcheck.Exact()], effort="quick", isolated=False)
    exact = next(v for v in report.verdicts if v.claim == "exact")
    assert exact.status is Status.INCONCLUSIVE
    kept = [e for e in exact.evidence if e.cause is Cause.KEEPS_STATE]
    assert kept and all(e.status is Status.INCONCLUSIVE for e in kept) and exact.statement == kept[0].statement
