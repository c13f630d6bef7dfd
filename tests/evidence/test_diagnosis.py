"""What a diagnosis says of wrong rules, generic and as black boxes, and what it must not say."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from made_up import GatedLeaky
from wrong_rules import SOURCE, as_black_box, made, wrong

from gradcheck import faults
from gradcheck.algorithms.online import run_rule
from gradcheck.evidence.base import Case
from gradcheck.evidence.target import expected
from gradcheck.explain import diagnosis
from gradcheck.explain.diagnosis import decomposition, diagnose, differences, factors, precision, relations
from gradcheck.explain.diagnosis.comparison import Comparison, compare
from gradcheck.explain.diagnosis.points import matched
from gradcheck.faults import fault_named
from gradcheck.problems.lively import branching_problems, lively_problem
from gradcheck.reference.claims import Claim, Equals, Exact, Truncated
from gradcheck.reference.errors import UnsupportedOperation
from gradcheck.reference.network import Network, Sizes
from gradcheck.reference.problem import loss
from gradcheck.rules.adapt import as_rule

SEEN = Sizes(4, 2, 1, 1)
BOTH = pytest.mark.parametrize("kind", [lambda rule: rule, as_black_box], ids=["generic", "black box"])


def told(rule: Any, claim: Claim | None = None, network: Any = None, seen: Sizes = SEEN, settings: Any = None) -> str:
    network = network or Network()
    case = Case(as_rule(rule), claim or Exact(), network)
    return diagnose(case, settings or {}, lively_problem(network, seen, 0)) or ""


FACTS = {
    "dr-transposed": "R equals the transpose of the reference",
    "scale-2": "W equals the reference but for the factor 2; R equals the reference but for the factor 2",
    "mean-over-t": "R equals the reference but for the factor 1/T",
    "sign-of-dv": "V equals the reference but for its sign",
    "rows-permuted": "R equals the reference with its rows in reverse order",
    "truncated-at-1": "W counts the lags up to 0 exactly, and none beyond",
    "truncated-at-t-minus-1": "R counts the lags up to T-2 exactly, and none beyond",
    "recursion-stops-early": "every path but those that lead from step 2 back to step 1",
    "first step missing": "W counts the parameters' use at step 1 not at all",
    "last step missing": "V counts the loss at step T not at all",
    "loss-at-the-last-step-only": "W counts the loss at every step but step T not at all",
    "initial-state-missing-in-dr": "R counts the parameters' use at step 1 not at all",
    "wrong-when-t-exceeds-i": "It is wrong exactly where T > I",
    "wrong if T is even": "It is wrong exactly where T is even",
    "wrong if K = 1": "It is wrong exactly where K = 1",
    "wrong if D > I": "It is wrong exactly where D > I",
    "scale-1-plus-1e-9": "R equals the reference but for a constant factor, 1.000000001 on floats",
}


@pytest.fixture
def few_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of the gallery, for tests of what is said beside its faults; the others compare with all of it."""
    few = [f for n, f in enumerate(faults.SHOWN) if n % 8 == 0 or f.id in FACTS or "float" in f.id]
    monkeypatch.setattr(faults, "SHOWN", few)


@pytest.mark.usefixtures("few_faults")
@pytest.mark.parametrize("name", FACTS)
def test_what_a_wrong_result_is_instead(name: str) -> None:
    said = told(wrong(name))
    assert FACTS[name] in said, said


@pytest.mark.usefixtures("few_faults")
@pytest.mark.parametrize("name", ["dr-transposed", "mean-over-t", "truncated-at-1", "wrong if K = 1"])
def test_the_same_is_found_on_floats(name: str) -> None:
    said = told(as_black_box(wrong(name)))
    assert FACTS[name] in said, said


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("wrong where an input row is 0", "one-hot inputs and steps without input"),
        ("wrong where a unit saturates", "saturated and inactive units"),
        ("clipped result at 5", "a large gradient"),
        ("NaN turned to 0 and small dropped", "a small gradient"),
    ],
)
def test_on_which_numbers_a_rule_is_wrong(name: str, where: str) -> None:
    said = told(wrong(name))
    assert said.startswith("It is right on generic numbers, and wrong on: ") and where in said, said


RETURNED = 'return {"W": dW, "R": dR, "V": dV}'


def changed(*changes: tuple[str, str]) -> Any:
    """Plain BPTT with several replacements."""
    source = SOURCE
    for old, new in changes:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    space: dict[str, Any] = {"np": np}
    exec(source, space)
    return space["rule"]


@pytest.mark.usefixtures("few_faults")
@pytest.mark.parametrize("name", ["truncated-at-1", "loss-at-the-last-step-only", "recursion-stops-early"])
def test_what_is_nearly_a_fact_is_not_said(name: str) -> None:
    """One entry of W and of R is off besides: no sentence about the whole of them may remain."""
    rule = wrong(name)

    def more(problem: Any) -> Any:
        gradient = {key: 1 * array for key, array in rule(problem).items()}
        for key in "WR":
            gradient[key][0, 0] = gradient[key][0, 0] * 3
        return gradient

    said = told(more)
    assert not re.search(r"\b[WR] (counts|equals)", said), said


@BOTH
def test_a_right_rule_has_no_diagnosis(kind: Callable[[Any], Any]) -> None:
    assert told(kind(made("right"))) == ""


FIRST_ROW = f"dR = 1 * dR; dR[0] = dR[0] * dR[0] + 1\n    {RETURNED}"
BACK, SLOPE = "R @ delta)", "slope = net.activation.derivative(s[t])"


@BOTH
@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (
            (RETURNED, FIRST_ROW),
            "It is wrong in R in the first row; W and V are right. It is off at T = 1: R by 2.1 of its largest entry.",
        ),
        (
            (BACK, "0.9 * (R @ delta))"),
            "It is wrong in W in every entry, R in every entry; V is right. Right at T = 1, it is off at T = 2: "
            "W by 0.034, R by 0.065 of its largest entry. For the loss of one step alone (T = 4), it is right at t = "
            "1, wrong at t = 2 to 4. W for the loss at T = 6 alone: exact to lag 0, wrong at lags 1 to 5.",
        ),
    ],
    ids=["one row", "the recursion"],
)
def test_what_matches_nothing_is_described(kind: Callable[[Any], Any], change: tuple[str, str], wanted: str) -> None:
    said = told(kind(changed(change)))
    assert said == wanted, said


@BOTH
def test_two_mistakes_are_told_apart_by_parameter(kind: Callable[[Any], Any]) -> None:
    said = told(kind(changed((BACK, "R.T @ delta)"), (RETURNED, RETURNED.replace("dV}", "2 * dV}")))))
    assert said.startswith("V equals the reference but for the factor 2 (all 28 entries of 5 "), said
    assert "W and R are those of the fault 'r-transposed-in-recursion'" in said, said
    more = told(kind(changed((BACK, "R.T @ delta)"), (RETURNED, f"dR = dR * 1.001\n    {RETURNED}"))))
    assert more.startswith("W is that of the fault 'r-transposed-in-recursion'") and "R" not in more[:4], more


SHORT = "\n        ".join(
    [
        "V @ e[t] + R @ delta)",
        "short = np.zeros_like(a[0])",
        "for j in range(min(T, t + 7), t - 1, -1):",
        "    short = net.activation.derivative(s[j]) * (V @ e[j] + R @ short)",
    ]
)


@pytest.mark.usefixtures("few_faults")
@BOTH
def test_a_long_horizon_of_one_parameter(kind: Callable[[Any], Any]) -> None:
    dR = "dR + np.outer(a[t - 1], delta)"
    said = told(
        kind(changed((f"V @ e[t] + {BACK}", SHORT), (dR, dR.replace("delta", "short")))), seen=Sizes(9, 1, 1, 1)
    )
    assert said.startswith("R is the gradient restricted to lags below 8, at T = 9 and 18 too (all 38 entries"), said


@pytest.mark.usefixtures("few_faults")
@BOTH
def test_a_graph_that_is_cut_again_and_again_is_told_from_one_that_is_cut_once(kind: Callable[[Any], Any]) -> None:
    cut = "W is the gradient cut at every multiple of 7 steps"
    again = told(kind(changed((BACK, "R @ delta * (1 if t % 7 else 0))"))), seen=Sizes(8, 1, 1, 1))
    once = told(kind(changed((BACK, "R @ delta * (1 if t != 7 else 0))"))), seen=Sizes(8, 1, 1, 1))
    assert cut in again and cut not in once and "cut at" not in once, once


def test_what_differs_at_lengths_of_the_counterexample_alone_is_described_there() -> None:
    said = told(as_black_box(wrong("wrong if T > 30")), seen=Sizes(31, 2, 1, 1))
    assert "Right at T = 1 to 6, it is off at T = 31: W by 0.35, R by 0.2 of its largest entry" in said, said
    assert "W for the loss at T = 31 alone: exact to lag 29, absent beyond." in said, said
    assert "It is wrong exactly where T > 30, at T = 1, 15, 30, 31, 32, 61, 62, 63." in said, said


@pytest.mark.usefixtures("few_faults")
@BOTH
def test_rows_in_another_order(kind: Callable[[Any], Any]) -> None:
    swapped = f"dR = 1 * dR; dR[[0, -1]] = dR[[-1, 0]]\n    {RETURNED}"
    said = told(kind(changed((RETURNED, swapped))))
    assert said.startswith("R has the rows of the reference in another order"), said
    off = told(kind(changed((RETURNED, swapped.replace("\n", "; dR[0, 0] = dR[0, 0] * 1.001\n")))))
    assert "order" not in off, off


SETTINGS = {
    "one-lag-too-many": {"tau": 2},
    "last-chunk-dropped": {"length": 2},
    "overlap-counted-twice": {"horizon": 2, "stride": 1},
    "overlap-overwritten": {"horizon": 2, "stride": 1},
    "boundary-error-late": {"block": 2},
    "block-stops-one-step-short": {"block": 2},
}


@pytest.mark.parametrize("id", SETTINGS)
def test_a_fault_is_run_with_the_settings_of_the_rule(id: str) -> None:
    """As generic rules and as black boxes in turn."""
    fault, settings = fault_named(id), SETTINGS[id]
    rule = as_rule(fault.black_box() if list(SETTINGS).index(id) % 2 else fault.fresh())
    said = told(rule, rule.declaration.claims[0], rule.declaration.networks[0], Sizes(3, 2, 1, 1), settings)
    at = ", ".join(f"{name}={value}" for name, value in settings.items())
    assert f"that of the fault {id!r} at {at}: " in said, said


def test_a_fault_with_settings_is_found_for_a_rule_without() -> None:
    """A rule of its own that leaves lags out has no `tau` for the gallery's to be run with."""
    fault = fault_named("boundary-error-late")
    rule = fault.fresh()
    said = told(lambda problem: run_rule(rule, problem, block=2))
    assert "that of the fault 'boundary-error-late' at block=2" in said, said


@pytest.mark.parametrize(("id", "black"), [("rounded-to-float32", False), ("nan-turned-to-0", True), ("clipped", True)])
def test_a_fault_of_floats_is_compared_on_floats(id: str, black: bool) -> None:
    fault = fault_named(id)
    rule = as_rule(fault.black_box() if black else fault.fresh())
    network = rule.declaration.networks[0]
    special = {"nan-turned-to-0": "weights with zeros", "clipped": "a large gradient"}
    seen = branching_problems(network, 0)[special[id]] if id in special else lively_problem(network, SEEN, 0)
    said = diagnose(Case(rule, rule.declaration.claims[0], network), {}, seen) or ""
    assert said.startswith(f"The result is that of the fault {id!r}: "), said


@pytest.mark.parametrize("change", ["np.clip(dR, -5, 4.999)", "np.clip(dR, -5, 5) * (abs(dR) < 9)"])
def test_one_that_is_like_a_fault_of_floats_is_not_named_after_it(change: str) -> None:
    seen = branching_problems(Network(), 0)["a large gradient"]
    rule = as_black_box(changed((RETURNED, RETURNED.replace('"R": dR', f'"R": {change}'))))
    said = diagnose(Case(as_rule(rule), Exact(), Network()), {}, seen) or ""
    assert "'clipped'" not in said and ("clipped" in said) is ("4.999" in change), said


def in_float32(rule: Callable[[Any], Any], factor: float = 1.0) -> Callable[[Any], Any]:
    """The rule computed in float32, its result returned in float64."""

    def inside(problem: Any) -> Any:
        return {n: a.astype(np.float64) * factor for n, a in rule(problem.astype(np.float32)).items()}

    return as_black_box(inside)


def compared(rule: Callable[[Any], Any]) -> Comparison:
    found = compare(Case(as_rule(as_black_box(rule)), Exact(), Network()), {}, lively_problem(Network(), SEEN, 0))
    assert found is not None
    return found


def stored(kind: str) -> Callable[[Any], Any]:
    """The right gradient as numbers of that format, in float64."""
    right = made("right")

    def kept(array: Any) -> Any:
        if kind != "bfloat16":
            return array.astype(kind).astype(np.float64)
        bits = array.astype(np.float32).view(np.uint32) + np.uint32(0x8000)
        return (bits & np.uint32(0xFFFF0000)).view(np.float32).astype(np.float64)

    return lambda problem: {name: kept(array) for name, array in right(problem).items()}


@pytest.mark.usefixtures("few_faults")
@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16"])
def test_a_coarse_format_is_named(kind: str) -> None:
    found = compared(stored(kind))
    assert precision.answers_in(found) == kind
    said = told(as_black_box(stored(kind)))
    assert set(re.findall(r"b?float\d+", said)) <= {kind, "float64"}, said


IN_FLOAT32 = {
    "a result": (RETURNED, f"dR = dR.astype(np.float32).astype(np.float64)\n    {RETURNED}"),
    "the recursion": (BACK, "(R @ delta).astype(np.float32))"),
}


@pytest.mark.parametrize("name", IN_FLOAT32)
def test_a_number_that_passes_through_float32_is_seen(name: str) -> None:
    found = compared(changed(IN_FLOAT32[name]))
    assert precision.answers_in(found) is None
    assert precision.rounds_to_float32(found) and "through float32" in (precision.sentence(found) or "")


NOT_FLOAT32 = {
    "a factor in one entry": (RETURNED, f"dR = 1 * dR; dR[0, 0] = dR[0, 0] * (1 + 1e-7)\n    {RETURNED}"),
    "a factor in the recursion": (BACK, "(1 + 1e-7) * (R @ delta))"),
    "a factor of the slope": (SLOPE, SLOPE.replace("net.", "(1 + 1e-7) * net.")),
    "a number added to the slope": (SLOPE, f"{SLOPE} + 1e-8"),
    "a number added to the result": (RETURNED, f"dR = dR + 1e-8\n    {RETURNED}"),
    "zeros": (RETURNED, f"dR = 0 * dR\n    {RETURNED}"),
}


@pytest.mark.usefixtures("few_faults")
@pytest.mark.parametrize("name", NOT_FLOAT32)
def test_errors_of_the_size_of_float32_have_other_causes(name: str) -> None:
    said = told(as_black_box(changed(NOT_FLOAT32[name])))
    assert said and "float" not in said, said


@pytest.mark.usefixtures("few_faults")
def test_what_is_off_by_more_than_float32_rounds_is_no_rounding() -> None:
    assert "float32" not in told(in_float32(made("right"), 1 + 1e-4))
    assert "rounding in float32" not in told(in_float32(changed((BACK, "0.999 * (R @ delta))"))))
    scaled = told(as_black_box(wrong("scale-1-plus-1e-9")))
    assert "R equals the reference but for the factor 1.000000001" in scaled and "rounding in float32" not in scaled


def test_a_mistake_in_float32_is_found_within_its_rounding() -> None:
    transposed = wrong("r-transposed-in-recursion")
    for rule in (in_float32(transposed), lambda problem: transposed(problem.astype(np.float32))):
        said = told(rule)
        assert "that of the fault 'r-transposed-in-recursion'" in said, said
    assert told(in_float32(transposed)).startswith("All numbers that it returns are float32 numbers")


def test_a_claim_about_lags_is_the_measure() -> None:
    """Full BPTT is no truncation: what it counts too much is said against the claim, not against the gradient."""
    case = Case(as_rule(made("full")), Truncated(2), Network())
    found = compare(case, {}, lively_problem(Network(), SEEN, 0))
    assert found is not None
    relation = relations.relation(found)
    assert relation is not None and relation.fulfils == Exact()
    assert told(made("full"), Truncated(2)) == f"{relation.text}."
    shorter = told(wrong("truncated-at-1"), Truncated(2))
    assert "W counts the lags up to 0 exactly, and none beyond" in shorter, shorter


def test_a_network_made_up_outside() -> None:
    network = GatedLeaky()
    rule = as_rule(lambda problem: {n: 2 * a for n, a in expected(Exact(), problem).items()}, networks=[network])
    said = diagnose(Case(rule, Exact(), network), {}, lively_problem(network, SEEN, 0)) or ""
    assert said.count("equals the reference but for the factor 2") == len(network.parameter_shapes(SEEN)), said


def test_points_tell_a_candidate_from_one_that_is_off_in_one_path() -> None:
    rule = wrong("truncated-at-1")
    for kind in (rule, as_black_box(rule)):
        case = Case(as_rule(kind), Exact(), Network())
        found = compare(case, {}, lively_problem(Network(), SEEN, 0))
        assert found is not None and set(found.wrong) == {"W", "R"}
        assert found.matched(lambda problem: expected(Truncated(1), problem)) == {"W", "R", "V"}
        assert found.matched(lambda problem: expected(Truncated(2), problem)) == {"V"}
        assert matched(found.points, _unsupported) == set()
        with pytest.raises(ZeroDivisionError):  # a mistake of ours comes out
            matched(found.points, lambda problem: 1 / 0)  # type: ignore[arg-type, return-value]


def _unsupported(problem: Any) -> Any:
    raise UnsupportedOperation("this", "other")


@BOTH
@pytest.mark.parametrize("tau", [1, 2])
def test_a_truncation_under_another_rules_claim_is_called_that(kind: Callable[[Any], Any], tau: int) -> None:
    def from_zeros(problem: Any) -> Any:
        return expected(Exact(), problem.replace(initial_state=0 * problem.initial_state))

    rule = kind(lambda problem: expected(Truncated(tau), problem))
    found = compare(Case(as_rule(rule), Equals(from_zeros), Network()), {}, lively_problem(Network(), SEEN, 0))
    assert found is not None
    relation = relations.relation(found)
    assert relation is not None and relation.fulfils == Truncated(tau)


def _by_differences(step: float, kind: str = "central") -> Any:
    def rule(problem: Any) -> Any:
        gradient = {name: np.zeros(array.shape) for name, array in problem.parameters.items()}
        for name, array in problem.parameters.items():
            for index in np.ndindex(*array.shape):
                ends = step * (kind != "backward"), -step * (kind != "forward")
                moved = [np.array(array, dtype=float) for _ in ends]
                for each, move in zip(moved, ends, strict=True):
                    each[index] += move
                high, low = (loss(problem.replace(parameters={**problem.parameters, name: m})) for m in moved)
                gradient[name][index] = (high - low) / (ends[0] - ends[1])
        return gradient

    return rule


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        *(("central", step) for step in (1e-1, 1e-3, 2e-5)),
        *(("", step) for step in (1e-5, 6e-6, 1e-6, 1e-7, 1e-8)),
        *(("forward", step) for step in (1e-1, 1e-4, 3e-5, 1e-6, 1e-7)),
        ("backward", 1e-5),
    ],
)
def test_difference_quotients_are_called_that(kind: str, step: float) -> None:
    case = Case(as_rule(_by_differences(step, kind or "central")), Exact(), Network())
    found = compare(case, {}, lively_problem(Network(), SEEN, 0))
    assert found is not None
    quotients = differences.differences(found)
    assert quotients is not None and quotients.kind == kind
    assert quotients.step == step if kind else 0.09 < quotients.step / step < 11
    assert diagnose(case, {}, lively_problem(Network(), SEEN, 0)) == f"{quotients.text}."


@pytest.mark.parametrize("name", ["scale-2", "truncated-at-1", "float32", *NOT_FLOAT32])
def test_other_errors_are_no_differences(name: str) -> None:
    rule = changed(NOT_FLOAT32[name]) if name in NOT_FLOAT32 else made("right") if name == "float32" else wrong(name)
    rule = in_float32(rule) if name == "float32" else as_black_box(rule)
    found = compare(Case(as_rule(rule), Exact(), Network()), {}, lively_problem(Network(), SEEN, 0))
    assert found is None or differences.differences(found) is None


def test_coefficients_are_solved_for_and_checked() -> None:
    case = Case(as_rule(wrong("last step missing")), Exact(), Network())
    found = compare(case, {}, lively_problem(Network(), SEEN, 0))
    assert found is not None
    sums = decomposition.decompose(found, "R")
    assert sums is not None and all(
        value == (0 if t == T else 1) for T, c in sums.items() for (t, _), value in c.items()
    )
    assert factors.transformation(found, "R") is None
    assert diagnosis.decomposition.sentence(sums, Exact(), "R") == "R counts the loss at step T not at all"
