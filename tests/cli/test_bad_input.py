"""Each bad input gets a message of its own, and what else was asked is still judged."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy as np
import plain_rules
import pytest

import gradcheck
from gradcheck.algorithms import truncated_bptt, windowed_bptt
from gradcheck.records import Report, Status
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.problem import Problem
from gradcheck.rules.adapt import as_rule, bind_settings

EXACT = [gradcheck.Exact()]
pytestmark = pytest.mark.usefixtures("brief", "not_shrunk")


@pytest.fixture(autouse=True)
def undiagnosed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with the wrong rules here is for tests/evidence/test_diagnosis.py to say."""
    monkeypatch.setattr("gradcheck.engine.tasks.diagnose", lambda *_, **__: None)


def judged(rule: Any) -> Report:
    return gradcheck.audit(rule, EXACT, effort="quick")


def line_of(function: Any, text: str) -> int:
    """The line of its file at which the function's source first has the text."""
    lines, first = inspect.getsourcelines(function)
    return next(first + number for number, line in enumerate(lines) if line.strip().startswith(text))


def verdict_of(report: Report, claim: str) -> Any:
    return next(verdict for verdict in report.verdicts if verdict.claim == claim)


NO_RULE = [
    (plain_rules.two_arguments, "takes one argument, the problem; two_arguments is two_arguments(problem"),
    (plain_rules.no_argument, "takes one argument, the problem; no_argument is no_argument()"),
    (plain_rules.Methods.rule, "pass a bound one"),
    (plain_rules.WithoutStep, "it has no step"),
    (plain_rules.WithoutStep(), "it has no step"),
    (plain_rules.NeedsTau, "cannot be made without arguments (missing a required argument: 'tau')"),
    (plain_rules.StartsWithTwo, "wanted start(network, parameters, initial_state)"),
    (plain_rules.StepsWithWeight, "wanted step(state, x, y); a rule declared with weighted=True takes the loss weight"),
    (plain_rules.StepsSwapped, "is step(self, x, y, state); wanted step(state, x, y)"),
    (plain_rules.StepsWithoutTarget, "is step(self, state, x); wanted step(state, x, y)"),
    (3, "3 is not a rule; pass a function of a problem"),
    ("bptt", "'bptt' is not a rule"),
    (dict, "is not a rule"),
]


@pytest.mark.parametrize(("target", "fragment"), NO_RULE, ids=[fragment[:30] for _, fragment in NO_RULE])
def test_what_is_no_rule_is_turned_away(target: Any, fragment: str) -> None:
    with pytest.raises(GradcheckError) as caught:
        judged(target)
    assert fragment in str(caught.value), f"wanted {fragment!r} in: {caught.value}"


ARGUMENTS: list[tuple[dict[str, Any], str]] = [
    ({"claims": gradcheck.Exact()}, "claims must be a list"),
    ({"claims": [gradcheck.Exact]}, "parentheses: gradcheck.Exact()"),
    ({"claims": ["exact"]}, "write gradcheck.Exact()"),
    ({"claims": [plain_rules.two_arguments]}, "two_arguments is not a claim"),
    ({"claims": [gradcheck.Truncated("h")]}, "truncated(h) needs the setting 'h'"),
    ({"networks": gradcheck.Network()}, "networks must be a list"),
    ({"networks": ["tanh"]}, "'tanh' is not a network"),
    ({"networks": [gradcheck.Network]}, "is not a network (write it with parentheses)"),
    ({"networks": [plain_rules.WithoutStep()]}, "is not a network; use gradcheck.Network("),
    ({"networks": [functools.partial(gradcheck.Network)]}, "is not a network"),
    ({"networks": []}, "networks is empty"),
    ({"effort": "heroic"}, "there is no effort 'heroic'; choose one of full, quick"),
    ({"seed": -1}, "at least 0; got -1"),
]


@pytest.mark.parametrize(("arguments", "fragment"), ARGUMENTS, ids=[fragment[:30] for _, fragment in ARGUMENTS])
def test_arguments_that_mean_nothing_are_turned_away(arguments: dict[str, Any], fragment: str) -> None:
    with pytest.raises(GradcheckError) as caught:
        gradcheck.audit(plain_rules.good, **arguments)
    assert fragment in str(caught.value), f"wanted {fragment!r} in: {caught.value}"


SETTINGS = [
    (plain_rules.no_settings, "return at least one dict of keyword arguments for every T >= 1"),
    (plain_rules.OnlineWithoutSettings, "OnlineWithoutSettings returned [] for T=1; return at least one dict"),
    (plain_rules.OnlineSettingsThatRaise, "the settings function of OnlineSettingsThatRaise raised ZeroDivisionError"),
    (plain_rules.settings_that_raise, "the settings function of settings_that_raise raised ZeroDivisionError"),
    (plain_rules.settings_without_the_name, "truncated(h) needs the setting 'h'; got {'tau': 1}"),
    (functools.partial(windowed_bptt, horizon=3), "needs the setting 'stride'; got {'horizon': 3}"),
]


@pytest.mark.parametrize(("target", "fragment"), SETTINGS, ids=[fragment[:30] for _, fragment in SETTINGS])
def test_settings_that_judge_nothing_are_turned_away(target: Any, fragment: str) -> None:
    with pytest.raises(GradcheckError) as caught:
        gradcheck.audit(target, effort="quick")
    assert fragment in str(caught.value), f"wanted {fragment!r} in: {caught.value}"


@gradcheck.rule(gradcheck.Exact(), networks=[gradcheck.Network("tanh"), gradcheck.Network("relu")])
def knows_tanh_alone(problem: Problem) -> Any:
    if problem.network.activation.name != "tanh":
        raise NotImplementedError
    return plain_rules.good(problem)


# (rule, status of pure, fragment of its statement, status of exact)
REFUTED, ERROR, NOT_RUN, HOLDS = Status.REFUTED, Status.ERROR, Status.NOT_RUN, Status.HOLDS
RESULTS = [
    (
        plain_rules.nothing,
        REFUTED,
        'returned None; wanted a dict of arrays with W (2, 4), R (4, 4), V (4, 3): return {"W": ...',
        NOT_RUN,
    ),
    (plain_rules.a_list, REFUTED, "returned a list; wanted a dict", NOT_RUN),
    (plain_rules.asynchronous, REFUTED, "returned a coroutine", NOT_RUN),
    (plain_rules.key_missing, REFUTED, "result lacks R; wanted", NOT_RUN),
    (plain_rules.key_extra, REFUTED, "result has the unknown b; wanted", NOT_RUN),
    (plain_rules.transposed, REFUTED, "shape (4, 2) for W; wanted (2, 4); it looks transposed", NOT_RUN),
    (
        plain_rules.lists,
        REFUTED,
        "returned a list for W; wanted a NumPy array of shape (2, 4); convert it with np.asarray (at T=5",
        NOT_RUN,
    ),
    (plain_rules.complex_numbers, REFUTED, "dtype complex128 for W; wanted float64; take its real part", NOT_RUN),
    (plain_rules.strings, REFUTED, "for W; wanted float64", NOT_RUN),
    (plain_rules.nones, REFUTED, "dtype object with None in it for W; wanted float64", NOT_RUN),
    (plain_rules.whole_numbers, REFUTED, "its W has dtype int64; wanted float64", REFUTED),
    (plain_rules.not_a_number, REFUTED, "its V holds nan at [0, 0], where the gradient is finite", REFUTED),
    (plain_rules.infinite, REFUTED, "its V holds inf at [0, 0]", REFUTED),
    (plain_rules.raises, ERROR, "raises raised ValueError: no such luck (at T=5, I=4, D=2, K=3, ", NOT_RUN),
    (
        plain_rules.raises,
        ERROR,
        f"plain_rules.py, line {line_of(plain_rules.raises, 'raise')}: raise ValueError",
        NOT_RUN,
    ),
    (plain_rules.raises_at_length, ERROR, "ValueError: the first line | the second line | xxx", NOT_RUN),
    (knows_tanh_alone, ERROR, "on fully recurrent: relu, identity output, squared error, knows", NOT_RUN),
    (plain_rules.remembers_by_id, REFUTED, "these are the shapes of an earlier problem, T=5, I=4, D=2, K=3", NOT_RUN),
    (plain_rules.raises_in_numpy, ERROR, 'return {"W": np.ones((2, 3)) @ np.ones((2, 3))}', NOT_RUN),
    (plain_rules.raises_on_long, HOLDS, "right keys", ERROR),
    (plain_rules.exits, ERROR, "exits raised SystemExit: 3", NOT_RUN),
    (plain_rules.recurses, ERROR, "recurses raised RecursionError: maximum recursion depth", NOT_RUN),
    (plain_rules.mutates, REFUTED, "it changed its input W; work on a copy", HOLDS),
    (plain_rules.mutates_inputs, REFUTED, "it changed its input inputs; work on a copy", HOLDS),
    (plain_rules.empties, REFUTED, "it changed the keys of problem.parameters", HOLDS),
    (plain_rules.keeps_state, REFUTED, "differs between two calls on the same problem", NOT_RUN),
    (plain_rules.draws, REFUTED, "it keeps state, or draws random numbers", NOT_RUN),
    (plain_rules.views, REFUTED, "its W is a view of its input W; return a copy", REFUTED),
    (plain_rules.reuses_its_buffer, REFUTED, "shares memory with the W of the next call; return fresh arrays", NOT_RUN),
    (plain_rules.ContributesNothing, REFUTED, "ContributesNothing contributed nothing in any step", NOT_RUN),
    (plain_rules.ContributionFirst, REFUTED, "return (state, contribution)", NOT_RUN),
    (plain_rules.ContributesSomeKeys, REFUTED, "contributed the keys W; return None or a dict of arrays", NOT_RUN),
    (plain_rules.ContributesLists, REFUTED, "step of ContributesLists contributed a list for W", NOT_RUN),
    (plain_rules.ContributesShapes, REFUTED, "returned shape (4, 2) for W", NOT_RUN),
    (plain_rules.ForgetsTheState, REFUTED, "step of ForgetsTheState returned a dict; return (state,", NOT_RUN),
]


@pytest.mark.parametrize(("rule", "pure", "fragment", "exact"), RESULTS, ids=[case[0].__name__ for case in RESULTS])
def test_what_a_rule_must_not_do_is_said(rule: Any, pure: Status, fragment: str, exact: Status) -> None:
    report = judged(rule)
    first, second = verdict_of(report, "pure"), verdict_of(report, "exact")
    assert first.status is pure, f"pure is {first.word}: {first.statement}"
    assert fragment in first.statement, f"wanted {fragment!r} in: {first.statement}"
    assert second.status is exact, f"exact is {second.word}: {second.statement}"
    assert report.exit_status == 1, f"exit status {report.exit_status} for {first.statement}"
    if exact is NOT_RUN:
        assert fragment in second.statement, f"exact does not say why it was not judged: {second.statement}"


def test_a_rule_that_fails_at_some_sizes_keeps_what_was_shown_at_others() -> None:
    verdict = verdict_of(judged(plain_rules.raises_on_long), "exact")
    assert "too long for me" in verdict.statement
    assert any(e.kind == "formal" and e.status is HOLDS for e in verdict.evidence), str(verdict.evidence)


@pytest.mark.parametrize(
    "rule",
    [
        lambda problem: plain_rules.good(problem),
        plain_rules.undeclared,
        plain_rules.wrapped,
        plain_rules.Methods().rule,
        plain_rules.Callable(),
        plain_rules.closes_its_output,
    ],
    ids=["lambda", "function", "wrapped", "method", "instance", "closes its output"],
)
def test_whatever_can_be_called_with_a_problem_is_a_rule(rule: Any) -> None:
    report = gradcheck.audit(rule, [gradcheck.Pure()], effort="quick")
    assert report.passed, str(report)


def test_what_a_rule_prints_is_noted_and_kept_from_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    report = judged(plain_rules.talkative)
    assert report.passed, str(report)
    assert capfd.readouterr() == ("", ""), "what the rule printed reached the terminal"
    pure = verdict_of(report, "pure")
    assert "it printed, first 'on standard output' (kept from the terminal)" in pure.statement
    assert "on standard error" in pure.evidence[0].details["printed"]


def test_a_rule_in_single_precision_is_judged_at_that_precision() -> None:
    report = judged(plain_rules.single_precision)
    assert verdict_of(report, "exact").status is not REFUTED, str(report)
    assert "returns float32 for float64 and is judged at that precision" in verdict_of(report, "pure").statement


def test_the_same_errors_in_double_precision_are_refuted() -> None:
    def rounded(problem: Problem) -> Any:
        gradient = plain_rules.single_precision(problem)
        return {name: array.astype(problem.inputs.dtype) for name, array in gradient.items()}

    assert verdict_of(judged(rounded), "exact").status is REFUTED


NUMBERS = [
    ([gradcheck.Truncated(2)], "HOLDS", "truncated(2) was judged at tau=2, the setting for which truncated_bptt"),
    ([gradcheck.Chunked(2)], "REFUTED", "chunked(2) was judged at every setting that truncated_bptt declares"),
    ([gradcheck.Truncated("tau")], "HOLDS", ""),
]


@pytest.mark.parametrize(("claims", "status", "note"), NUMBERS, ids=lambda value: str(value)[:20])
def test_a_claim_given_by_numbers_says_at_which_settings_it_was_judged(claims: Any, status: str, note: str) -> None:
    how: dict[str, Any] = {"networks": [gradcheck.Network()], "effort": "quick"}
    report = gradcheck.audit(truncated_bptt, claims, **how)
    assert verdict_of(report, str(claims[0])).status.name == status, str(report)
    assert " ".join(report.notes)[: len(note)] == note and bool(note) == bool(report.notes), report.notes


def test_several_numbers_are_judged_at_every_setting() -> None:
    rule, note = bind_settings(as_rule(windowed_bptt, claims=[gradcheck.Windowed(4, 2), gradcheck.Exact()]))
    assert rule.target is windowed_bptt and "at every setting" in note
    rule, _ = bind_settings(as_rule(windowed_bptt, claims=[gradcheck.Windowed(4, 2)]))
    assert rule.target.keywords == {"horizon": 4, "stride": 2}
    bound = functools.partial(truncated_bptt, tau=3)
    assert bind_settings(as_rule(bound)) == (as_rule(bound), "")


def test_a_partial_keeps_the_claims_of_its_function() -> None:
    report = gradcheck.audit(plain_rules.bound_tau, networks=[gradcheck.Network()], effort="quick")
    assert report.rule == "truncated_bptt(tau=3)"
    assert [v.claim for v in report.verdicts] == ["pure", "stable", "truncated(3)"]
    assert report.passed, str(report)


def test_a_partial_with_the_wrong_number_is_refuted() -> None:
    two = functools.partial(truncated_bptt, tau=2)
    report = gradcheck.audit(two, [gradcheck.Truncated(3)], networks=[gradcheck.Network()], effort="quick")
    assert verdict_of(report, "truncated(3)").status is REFUTED


def test_an_interrupted_audit_keeps_the_claims_that_were_judged() -> None:
    from gradcheck.engine.run import Interrupted

    heard: list[str] = []

    def stop(text: str) -> None:
        heard.extend([text] * ("truncated" in text))
        if len(heard) > 2:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        gradcheck.audit(plain_rules.good, [gradcheck.Exact(), gradcheck.Truncated(2)], effort="quick", progress=stop)
    words = {verdict.claim: verdict.word for verdict in caught.value.report.verdicts}
    assert words == {"pure": "SUPPORTED", "stable": "SUPPORTED", "exact": "PROVED", "truncated(2)": "NOT RUN"}


W, R, V = np.ones((2, 3)), np.ones((3, 3)), np.ones((3, 1))
X, Y = np.ones((4, 2)), np.ones((4, 1))
PROBLEMS: list[tuple[Any, str]] = [
    (lambda: Problem({"W": W, "R": np.ones((3, 2)), "V": V}, X, Y), "parameter R has shape (3, 2)"),
    (lambda: Problem({"W": W, "R": R, "V": np.ones((2, 1))}, X, Y), "parameter V has shape (2, 1)"),
    (lambda: Problem({"W": W, "R": R}, X, Y), "has the parameters W, R, V; got"),
    (lambda: Problem({"W": W, "R": R, "V": V, "b": W}, X, Y), "has the parameters W, R, V; got W, R, V, b"),
    (lambda: Problem({"W": W, "R": R, "V": V}, X[:0], Y[:0]), "T = 0: a sequence needs at least one step"),
    (lambda: Problem({"W": W, "R": R, "V": V}, X, Y[:3]), "inputs have 4 steps and targets 3"),
    (lambda: Problem({"W": W, "R": R, "V": V}, X[:, :1], Y), "do not fit parameters"),
    (lambda: Problem({"W": W, "R": R, "V": V}, X[0], Y), "time-major with two axes"),
    (lambda: Problem({"W": W * np.nan, "R": R, "V": V}, X, Y), "parameter W holds NaN or infinity"),
    (lambda: Problem({"W": W + 0j, "R": R, "V": V}, X, Y), "parameter W has dtype complex128"),
    (lambda: Problem({"W": W, "R": R, "V": V}, X, Y, np.ones(2)), "initial_state has shape (2,)"),
]


@pytest.mark.parametrize(("make", "fragment"), PROBLEMS, ids=[fragment[:30] for _, fragment in PROBLEMS])
def test_a_problem_that_does_not_fit_is_turned_away(make: Any, fragment: str) -> None:
    with pytest.raises(GradcheckError) as caught:
        make()
    assert fragment in str(caught.value), f"wanted {fragment!r} in: {caught.value}"
