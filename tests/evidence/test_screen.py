"""Sizes next to the numbers of a rule's code, and next to blocks of kernels, are compared without a branch to see."""

from __future__ import annotations

import functools
import itertools
import zlib
from typing import Any

import numpy as np
import pytest
import right_rules
from wrong_rules import as_black_box, made

import gradcheck
from gradcheck.algorithms import bptt, truncated_bptt
from gradcheck.evidence.base import Case, Finding
from gradcheck.evidence.floats import branches, screen
from gradcheck.evidence.floats.branches import Branches
from gradcheck.evidence.floats.reach import DRAW, FULL_BITS, Reach
from gradcheck.judge.plans import screened
from gradcheck.problems.lively import lively_problem
from gradcheck.problems.structured import structured
from gradcheck.problems.trained import LONG, SETTLED, WIDE, trained_problems
from gradcheck.reference.claims import Truncated, every
from gradcheck.reference.networks.base import Sizes
from gradcheck.reference.problem import forward
from gradcheck.reference.tree import leaves
from gradcheck.rules.adapt import as_rule
from gradcheck.rules.authors import authored_by
from gradcheck.rules.coverage.numbers import numbers_in
from gradcheck.rules.coverage.recorder import Recorder

BACK = "R @ delta)"
RETURN = 'return {"W": dW, "R": dR, "V": dV}'
SLOPE = "slope = net.activation.derivative(s[t])"


def case_of(rule: Any) -> Case:
    given = as_rule(rule)
    return Case(given, given.declaration.claims[0], given.declaration.networks[0])


def found(rule: Any, *, blocks: bool = False) -> list[Reach]:
    case = case_of(rule)
    return branches.screened(case, Recorder(authored_by(rule)), blocks, lambda _: None)


def confirmed(rule: Any, reached: list[Reach]) -> Finding:
    return Branches(tuple(reached)).gather(case_of(rule))


HIDDEN = {
    "a factor beyond a length": (RETURN, 'return {"W": dW, "R": dR * (1 + (T > 41)), "V": dV}'),
    "a slice of the inputs": ("T = problem.inputs, problem.targets, problem.T", "T = problem.inputs, problem.targets, "
        "problem.T\n    x = np.concatenate([x[:64], 0 * x[64:]])"),
    "a capped loop": ("range(T, 0, -1)", "range(T, T - min(T, 128), -1)"),
    "a slice of the units": (RETURN, 'return {"W": dW, "R": np.hstack([dR[:, :32], 0 * dR[:, 32:]]), "V": dV}'),
    "an index of 8 bits": ("np.outer(x[t - 1], delta)", "np.outer(x[np.array(t - 1).astype(np.int8)], delta)"),
}  # fmt: skip


@pytest.mark.parametrize("black_box", [False, True])
@pytest.mark.parametrize("name", HIDDEN)
def test_a_fault_without_a_branch_is_found_by_the_number_in_the_code(name: str, black_box: bool) -> None:
    rule = made(name, HIDDEN[name])
    reached = found(as_black_box(rule) if black_box else rule, blocks="index" in name)  # which no number names
    assert reached and confirmed(rule, reached).evidence.status.name == "REFUTED", reached


def test_blocks_are_tried_where_no_number_names_them() -> None:
    most = [np.array(64.0)]

    def rule(problem: Any) -> Any:
        gradient = bptt(problem)
        return {**gradient, "V": gradient["V"] * (1 + (problem.T > most[0]))}

    assert found(rule, blocks=True) and not found(rule)


def moves_little(problem: Any) -> Any:
    """Keep an input while the next ones are near it, as event-driven code does."""
    rows = [problem.inputs[0]]
    for row in problem.inputs[1:]:
        rows.append(rows[-1] if np.abs(row - rows[-1]).max() < 1e-3 else row)
    return bptt(problem.replace(inputs=np.array(rows)))


def drops_small_inputs(problem: Any) -> Any:
    return bptt(problem.replace(inputs=np.where(np.abs(problem.inputs) < 1e-7, 0.0, problem.inputs)))


def _with_R(problem: Any, R: Any) -> Any:
    return bptt(problem.replace(parameters={**problem.parameters, "R": R}))


def takes_definite_for_symmetric(problem: Any) -> Any:
    R = problem.parameters["R"]
    try:
        np.linalg.cholesky(R + R.T)
    except np.linalg.LinAlgError:
        return bptt(problem)
    return _with_R(problem, (R + R.T) / 2)


def takes_close_for_symmetric(problem: Any) -> Any:
    R = problem.parameters["R"]
    return _with_R(problem, (R + R.T) / 2 if np.allclose(R, R.T) else R)


def cuts_off_small_weights(problem: Any) -> Any:
    R = problem.parameters["R"]
    return _with_R(problem, R * (np.abs(R) > 1e-6 * np.abs(R).max()))


def keeps_equal_inputs(problem: Any) -> Any:
    """Keep an input while the next ones are equal to it, which changes nothing."""
    rows = [problem.inputs[0]]
    for row in problem.inputs[1:]:
        rows.append(rows[-1] if np.array_equal(row, rows[-1]) else row)
    return bptt(problem.replace(inputs=np.array(rows)))


def sets_what_is_close_to_one(problem: Any) -> Any:
    return bptt(problem.replace(inputs=np.where(np.isclose(problem.inputs, 1), 1.0, problem.inputs)))


def drops_small_errors(problem: Any) -> Any:
    """Stop where nothing moves by more than 1e-13."""
    gradient = bptt(problem)
    return {name: np.where(np.abs(array) < 1e-13, 0.0, array) for name, array in gradient.items()}


VALUED = [
    sets_what_is_close_to_one,
    drops_small_errors,
    moves_little,
    drops_small_inputs,
    takes_definite_for_symmetric,
    takes_close_for_symmetric,
    cuts_off_small_weights,
]


@pytest.mark.parametrize("rule", VALUED)
def test_a_fault_at_some_values_is_found_where_every_branch_has_run(rule: Any) -> None:
    reached = found(as_black_box(rule))
    assert reached and confirmed(as_black_box(rule), reached).evidence.status.name == "REFUTED", reached


def test_problems_that_a_checksum_takes_for_one_another_are_drawn() -> None:
    kept: dict[Any, Any] = {}

    def rule(problem: Any) -> Any:
        told = b"".join(np.ascontiguousarray(array).tobytes() for array in problem.arrays().values())
        return kept.setdefault((zlib.crc32(told) % 1024, str(problem.sizes)), bptt(problem))

    assert found(as_black_box(rule))


def many_units(problem: Any) -> Any:
    gradient, T = bptt(problem), problem.T
    R = gradient["R"].copy()
    R[40:, 40:] *= T <= 40
    R[:, 256:] = 0
    return {**gradient, "R": R}


def test_sizes_are_large_together_and_as_large_as_a_number_of_the_code() -> None:
    reached = found(many_units)
    assert {(reach.sizes.T > 40, reach.sizes.I > 40) for reach in reached} == {(True, True), (False, True)}, reached
    assert max(reach.sizes.I for reach in reached) == 257


def test_products_of_the_numbers_in_the_code_are_sizes() -> None:
    hours, days = 24, 7

    def rule(problem: Any) -> Any:
        gradient, tail = bptt(problem), problem.T % (hours * days)
        return {**gradient, "R": gradient["R"] * (1 if tail else 2)}

    reached = found(rule)
    assert [reach.sizes.T for reach in reached] == [168], reached


COARSE = {
    "float32 for many units": (SLOPE, SLOPE + "\n        if I > 16: delta = delta.astype('f4').astype('f8')"),
    "TF32 products for many units": (BACK, "(R @ delta if I < 17 else R @ np.float64(np.ldexp(np.round(np.ldexp("
        "np.frexp(delta)[0], 11)), np.frexp(delta)[1] - 11))))"),
    "rounded to 8 digits in long sequences": (SLOPE, "slope = np.round(net.activation.derivative(s[t]), 8 if T > 64 "
        "else 17)"),
    "float16 at some steps": (SLOPE, SLOPE + "\n        delta = delta if t < 70 else delta.astype('f2').astype('f8')"),
}  # fmt: skip


@pytest.mark.parametrize("name", COARSE)
def test_a_coarser_format_at_some_sizes_is_found(name: str) -> None:
    rule = made(name, COARSE[name])
    reached = found(rule, blocks=True)
    assert reached and confirmed(rule, reached).evidence.status.name == "REFUTED", reached


def test_numbers_are_read_where_code_holds_them() -> None:
    held = [7]

    def inner(problem: Any, size: int = 11) -> Any:
        return bptt(problem) if problem.T > 13 else held[0] * size

    rule = functools.partial(inner, size=17)
    assert {7, 11, 13, 17} <= set(numbers_in(rule, authored_by(rule))[int])


@pytest.mark.parametrize(
    "rule", [bptt, truncated_bptt, right_rules.forward_mode, right_rules.SUMS[5], as_black_box(keeps_equal_inputs)]
)
def test_a_right_rule_is_close_everywhere(rule: Any) -> None:
    assert found(rule, blocks=True) == []


def test_a_rule_that_computes_in_float32_is_held_to_float32() -> None:
    rule = right_rules.by_numpy_at("float64", answers="float32")
    assert found(rule, blocks=True) == []


def test_every_problem_has_a_name_of_its_own_by_which_it_is_made_again() -> None:
    case, values = case_of(bptt), (1.0000001, 64.0, 64.0000001, 0.3, -2.0)
    sizes = Sizes(5, 3, 2, 2)
    named = list(structured(lively_problem(case.network, sizes, case.seed, weighted=case.weighted), values))
    assert len({name for name, _ in named}) == len(named)
    for name, problem in named[::7]:
        again = Reach.from_data(Reach(sizes, name, values).as_data()).problem(case)
        assert all((array == problem.arrays()[key]).all() for key, array in again.arrays().items()), name
    assert len({Reach(sizes, f"{DRAW}{n}").problem(case).inputs.tobytes() for n in range(9)}) == 9


def test_a_fault_at_one_setting_is_confirmed_at_that_setting() -> None:
    def rule(problem: Any, *, tau: int) -> Any:
        gradient = truncated_bptt(problem, tau=tau)
        close = np.isclose(problem.inputs, 1) & (problem.inputs != 1)
        return {**gradient, "W": gradient["W"] * (1 + (tau == problem.T + 1 and close.any()))}

    given = as_rule(gradcheck.rule(Truncated("tau"), settings=every("tau"))(rule))
    case = Case(given, given.declaration.claims[0], given.declaration.networks[0])
    reached = branches.screened(case, Recorder(authored_by(rule)), False, lambda _: None)
    assert reached and Branches(tuple(reached)).gather(case).evidence.status.name == "REFUTED", reached


def test_a_problem_found_is_the_same_again() -> None:
    case = case_of(bptt)
    reach = Reach(Sizes(5, 17, 2, 2), FULL_BITS)
    again = Reach.from_data(reach.as_data())
    assert (again.problem(case).inputs == reach.problem(case).inputs).all()
    assert np.float32(again.problem(case).inputs[0, 0]) != again.problem(case).inputs[0, 0]


# Trained networks, and networks after the first


def stops_when_settled(problem: Any) -> Any:
    """Take the sequence to have ended where the state does not change any more."""
    states = forward(problem)[0]
    steps = (t for t in range(1, problem.T + 1) if np.array_equal(states[t], states[t - 1]))
    return bptt(problem.prefix(next(steps, problem.T)))


def skips_settled_steps(problem: Any) -> Any:
    """Take an input for the one before where the state has moved by less than 1e-12."""
    states, inputs = forward(problem)[0], problem.inputs.copy()
    for t in range(2, problem.T):
        if np.abs(states[t] - states[t - 1]).max() < 1e-12:
            inputs[t] = inputs[t - 1]
    return bptt(problem.replace(inputs=inputs))


def masks_pruned_weights(problem: Any) -> Any:
    R, gradient = problem.parameters["R"], bptt(problem)
    return {**gradient, "R": gradient["R"] * ((R != 0) | (np.mean(R == 0) < 0.8))}


@pytest.mark.parametrize("rule", [stops_when_settled, skips_settled_steps, masks_pruned_weights])
def test_a_fault_on_trained_networks_is_found(rule: Any) -> None:
    reached = found(as_black_box(rule))
    assert reached and confirmed(as_black_box(rule), reached).evidence.status.name == "REFUTED", reached


@pytest.mark.parametrize("network", [gradcheck.Network(), gradcheck.LSTM(), gradcheck.Network("relu")])
def test_a_state_settles_to_its_last_bit_and_moves_again(network: Any) -> None:
    problems = trained_problems(network, 0)
    assert {problem.sizes for problem in problems.values()} <= {WIDE, *LONG}
    for name in SETTLED:
        states = [np.concatenate([np.ravel(part) for part in leaves(state)]) for state in forward(problems[name])[0]]
        same = [bool((a == b).all()) for a, b in itertools.pairwise(states)]
        assert any(same) and same[-1] is (name == SETTLED[0])
    assert np.mean(next(p for n, p in problems.items() if "mostly 0" in n).parameters["V"] == 0) > 0.8


def wrong_on_the_second_network(problem: Any) -> Any:
    return {
        name: array * (1 + (problem.network == LOGISTIC and problem.T == 65)) for name, array in bptt(problem).items()
    }


LOGISTIC = gradcheck.Network("logistic")


def test_each_network_is_screened(every_size_is_screened: None, not_shrunk: None) -> None:
    networks = [gradcheck.Network(), LOGISTIC]
    rule = wrong_on_the_second_network
    report = gradcheck.audit(rule, [gradcheck.Exact()], networks=networks, effort="quick", isolated=False)
    verdict = next(verdict for verdict in report.verdicts if verdict.claim == "exact")
    assert verdict.status.name == "REFUTED", verdict.statement


def test_further_networks_share_their_time() -> None:
    one, many = screen.limits_of_others(1), screen.limits_of_others(29)
    assert one.sizes + one.values <= 2 and 29 * (many.sizes + many.values) <= 6.1


def test_networks_made_of_parts_of_earlier_ones_are_not_screened_again() -> None:
    networks = gradcheck.ALL_NETWORKS
    places = screened(networks)
    assert places[0] == 0 and 1 < len(places) < len(networks) / 2
    chosen = [networks[place] for place in places]
    assert {each.activation for each in chosen} == {each.activation for each in networks}
    assert {each.head for each in chosen} == {each.head for each in networks}
    assert screened([networks[0], gradcheck.GRU()]) == [0, 1]


@pytest.mark.parametrize(("power", "widest"), [(0, WIDE.I), (4, 4)])
def test_a_rule_that_would_take_long_at_many_units_is_not_called_there(
    power: int, widest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[int] = []

    def watched(problem: Any) -> Any:
        called.append(problem.sizes.I)
        return bptt(problem)

    monkeypatch.setattr(screen, "_timed", lambda case, sizes: 1e-3 * sizes.I**power)
    case = case_of(gradcheck.rule(gradcheck.Exact())(watched))
    assert screen.by_value(case, (), screen.Limits(60.0, 60.0, 60.0), lambda _: None) == []
    assert max(called) == widest


def test_the_time_at_many_units_follows_the_growth_at_few(monkeypatch: pytest.MonkeyPatch) -> None:
    case = case_of(gradcheck.rule(gradcheck.Exact())(bptt))
    for power in (0, 1, 2, 4):
        monkeypatch.setattr(screen, "_timed", lambda case, sizes, power=power: 1e-6 * sizes.T * sizes.I**power)
        assert screen._predicted(case, WIDE) == pytest.approx(1e-6 * WIDE.T * WIDE.I**power)
