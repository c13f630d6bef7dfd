"""Saved counterexamples, run again: STILL WRONG, FIXED or ERROR, and a message for each thing that is no case."""

from __future__ import annotations

import functools
import importlib
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import plain_rules
import pytest
from test_cli import run
from wrong_rules import as_black_box, made, wrong

import gradcheck
from gradcheck import Exact, Network, Outcome, Problem, replay
from gradcheck.algorithms import Focused, bptt, run_rule, truncated_bptt
from gradcheck.engine.events import Fold
from gradcheck.evidence.base import Case
from gradcheck.explain import counterexample
from gradcheck.problems.lively import lively_problem
from gradcheck.records import Counterexample, Report, Status, Strength, Verdict
from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.network import ContextNetwork, Sizes
from gradcheck.reference.networks.sizes import fitting
from gradcheck.report import from_json
from gradcheck.rules.adapt import as_rule
from gradcheck.store import case as cases

RULES = Path(__file__).parents[1] / "plain_rules.py"
RIGHT = made("right")


def example_of(function: Any, claim: Any = None, network: Any = None, problem: Problem | None = None) -> Counterexample:
    """The counterexample to a rule's claim on one small problem, not searched for."""
    claim = claim or Exact()
    case = Case(as_rule(function, claims=[claim]), claim, network or Network())
    problem = problem or lively_problem(case.network, fitting(case.network, Sizes(2, 1, 1, 1), alive=True), 0)
    chosen = case.rule.settings(problem.T)[0]
    found = counterexample.violation(case, counterexample.Trial(problem, chosen), floats=True)
    assert found is not None
    return counterexample.counterexample(case, found)


@pytest.fixture(scope="module")
def halved() -> Counterexample:
    parameters = {"W": [[0.0]], "R": [[0.0]], "V": [[1.0]]}
    return example_of(plain_rules.wrong, problem=Problem(parameters, [[0.0]], [[1.0]], [1.0]))


# What comes of a case


def test_a_rule_is_still_wrong_until_it_is_mended(halved: Counterexample) -> None:
    again, mended = replay(halved, plain_rules.wrong), replay(halved, plain_rules.good)
    assert (again.outcome, again.exit_status, again.wrong) == (Outcome.STILL_WRONG, 1, ("R[0,0]",)), again
    assert (mended.outcome, mended.exit_status, mended.wrong) == (Outcome.FIXED, 0, ()), mended
    assert "STILL WRONG: wrong, claimed exact, on the case with T=1, I=1, D=1, K=1" in str(again)
    assert "R[0,0]        -0.5, should be -1" in str(again) and "rounding allows" in str(again)
    assert str(mended).startswith("FIXED: good") and "all 3 are within what rounding allows" in str(mended)


@pytest.mark.parametrize("moved", ["W", "V"])
def test_the_entry_alone_mended_is_not_fixed(halved: Counterexample, moved: str) -> None:
    """The planted bug is that another parameter is wrong now."""

    def elsewhere(problem: Problem) -> Any:
        gradient = plain_rules.good(problem)
        return {**gradient, moved: gradient[moved] + 1}

    seen = replay(halved, elsewhere)
    assert seen.outcome is Outcome.STILL_WRONG and seen.wrong == (f"{moved}[0,0]",), seen
    assert seen.shown is not None and seen.shown.name == f"{moved}[0,0]", "the entry to show is one that is wrong"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_not_fixed(halved: Counterexample, value: float) -> None:
    rule = lambda problem: {n: np.full_like(a, value) for n, a in problem.parameters.items()}  # noqa: E731
    assert replay(halved, rule).outcome is Outcome.STILL_WRONG


@pytest.mark.parametrize("name", ["scale-1-plus-1e-9", "truncated-at-1", "mean-over-t", "rounded-to-float32"])
def test_wrong_rules_and_the_right_one(name: str) -> None:
    rule = as_black_box(wrong(name))
    example = example_of(rule)
    assert replay(example, rule).outcome is Outcome.STILL_WRONG
    for right in (RIGHT, as_black_box(RIGHT), bptt, in_float32):
        assert replay(example, right).outcome is Outcome.FIXED, f"{right.__name__}: {replay(example, right)}"


def in_float32(problem: Problem) -> Any:
    return RIGHT(problem.astype(np.float32))


FAILS = {
    "raises": (lambda problem: 1 / 0, "ZeroDivisionError: division by zero"),
    "another parameter": (lambda problem: problem.parameters["U"], "KeyError: 'U'"),
    "no dict": (plain_rules.nothing, "returned None; wanted a dict of arrays with W (1, 1), R (1, 1), V (1, 1)"),
    "a key missing": (plain_rules.key_missing, "lacks R; wanted"),
    "a key more": (plain_rules.key_extra, "has the unknown b; wanted"),
}


@pytest.mark.parametrize("name", FAILS)
def test_a_rule_that_fails_is_an_error_that_names_the_parameters(name: str, halved: Counterexample) -> None:
    rule, fragment = FAILS[name]
    seen = replay(halved, rule)
    assert (seen.outcome, seen.exit_status) == (Outcome.ERROR, 1), seen
    text = " ".join(str(seen).split())
    assert text.startswith("ERROR:") and fragment in text, text
    assert "The parameters of the case are W (1, 1), R (1, 1), V (1, 1)" in text, text


def test_an_entry_without_a_finite_allowance_is_not_called_fixed(halved: Counterexample) -> None:
    data = json.loads(halved.to_json())
    data["arrays"] |= {"targets": [["1e300"]], "inputs": [["1e300"]], "V": [["1e300"]]}
    seen = replay(data, plain_rules.good)
    assert (seen.outcome, seen.exit_status) == (Outcome.INCONCLUSIVE, 3), seen
    assert seen.undecided and "no finite rounding allowance" in " ".join(str(seen).split())


def test_messages_fit_80_columns_whatever_they_hold() -> None:
    example = example_of(wrong("new-state-in-dr"), network=Network("logistic", "softmax"))

    def raises(problem: Problem) -> Any:
        raise ValueError("a message that is far longer than a line " * 4)

    for rule in (wrong("new-state-in-dr"), RIGHT, raises):
        text = str(replay(example, rule))
        assert max(map(len, text.split("\n"))) <= 80, text


# What is saved


def doubled(problem: Problem) -> Any:
    """Twice the gradient, of either shipped network."""
    rule: Any = Focused if isinstance(problem.network, ContextNetwork) else bptt
    return {name: 2 * array for name, array in run_rule(rule, problem).items()}


CASES: list[tuple[Any, Any, Any]] = [
    (plain_rules.wrong, None, None),
    (plain_rules.wrong, None, Network("logistic", "logistic", "binary_cross_entropy")),
    (doubled, None, ContextNetwork("softplus")),
    (truncated_bptt, gradcheck.Exact(), None),
    (functools.partial(truncated_bptt, tau=2), gradcheck.Chunked(1), None),
    (bptt, gradcheck.Windowed(1, 1), None),
    (functools.partial(truncated_bptt, tau=1), gradcheck.Equals(bptt), None),
]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_a_case_is_what_its_schema_says_and_reads_back_exactly(number: int, tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    rule, claim, network = CASES[number]
    example = example_of(rule, claim, network)
    jsonschema.Draft202012Validator.check_schema(cases.schema())
    data = json.loads(example.to_json())
    errors = list(jsonschema.Draft202012Validator(cases.schema()).iter_errors(data))
    assert not errors, errors[0].message
    file = example.write(tmp_path / "case.json")
    for source in (file, str(file), data, example):
        seen = replay(source, rule)
        assert seen.outcome is Outcome.STILL_WRONG and seen.shown is not None, seen
        assert (seen.shown.name, seen.shown.got) == (example.entry, example.got), f"another number came: {seen}"


def test_numbers_are_read_back_to_the_last_bit(halved: Counterexample) -> None:
    values = [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0]
    data = json.loads(halved.to_json())
    for value in values:
        for text in (repr(value), value.hex()):
            data["arrays"]["initial_state"] = [text]
            came: list[float] = []
            keeps = lambda problem: came.append(problem.initial_state[0]) or plain_rules.good(problem)  # noqa: E731, B023
            replay(data, keeps, isolated=False)
            assert np.float64(came[0]).tobytes() == np.float64(value).tobytes(), f"{text} came as {came[0]!r}"


PLANTED = {
    "a number for text": lambda d: d["arrays"].update(W=[[1.0]]),
    "a fraction": lambda d: d["arrays"].update(W=[["1/3"]]),
    "an unknown claim": lambda d: d["claim"].update(kind="aligned"),
    "no entry": lambda d: d.pop("entry"),
    "another version": lambda d: d.update(schema_version="2.0"),
    "size 0": lambda d: d["sizes"].update(T=0),
    "a network without a loss": lambda d: d["network"].pop("loss"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_the_schema_and_the_reader_reject_the_same(name: str, halved: Counterexample) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    data = json.loads(halved.to_json())
    PLANTED[name](data)
    assert not jsonschema.Draft202012Validator(cases.schema()).is_valid(data), f"the schema lets pass: {name}"
    with pytest.raises(GradcheckError):
        replay(data, plain_rules.good)


def test_a_counterexample_about_no_rule_is_no_case() -> None:
    with pytest.raises(GradcheckError, match="about no rule"):
        Counterexample({}, "R[0,0]", "1", "2", "1", "0", "", "").to_json()


# The true value


@pytest.mark.parametrize("network", [Network("identity"), Network("relu"), ContextNetwork("identity")])
def test_where_all_is_rational_the_true_entry_is_a_fraction(network: Network) -> None:
    problem = Problem(
        {n: np.full(s, 0.75) for n, s in network.parameter_shapes(Sizes(2, 1, 1, 1)).items()},
        np.array([[1.0], [0.5]]), np.array([[1.0], [-3.0]]), np.array([1.0]), None, network,
    )  # fmt: skip
    case = Case(as_rule(doubled, claims=[Exact()]), Exact(), network)
    seen = counterexample.violation(case, counterexample.Trial(problem, {}), floats=True)
    assert seen is not None
    example = counterexample.counterexample(case, seen)
    assert float(Fraction(example.exact)) == float(example.expected), example
    assert "/" in example.exact and example.true == f"{example.exact} = {example.expected}"
    name, at = example.entry.rstrip("]").split("[")
    assert 2 * Fraction(example.exact) == Fraction(float(example.got)), f"{name} at {at}: {example}"


def test_an_irrational_entry_has_twenty_digits_and_no_fraction() -> None:
    example = example_of(wrong("slope-missing"))
    assert example.exact == "" and example.true == example.expected and len(example.expected.strip("-0.")) >= 19


def test_a_fraction_outside_the_ball_is_not_shown() -> None:
    import flint

    problem = Problem({"W": [[1.0]], "R": [[1.0]], "V": [[1.0]]}, [[1.0]], [[3.0]], [1.0], None, Network("identity"))
    ball = lambda mid: flint.arb(mid, 1e-9)  # noqa: E731
    assert counterexample.as_fraction(Exact(), problem, "V[0,0]", ball(-2)) == "-2"
    assert counterexample.as_fraction(Exact(), problem, "V[0,0]", ball(-3)) == "", "the planted ball excludes it"


# A user's own network


SOURCE = """
import dataclasses
import numpy as np
from gradcheck import Network

@dataclasses.dataclass(frozen=True, init=False)
class Scaled(Network):
    by: float = 2.0

    def __init__(self, by=2.0):
        super().__init__("tanh")
        object.__setattr__(self, "by", by)

    def __repr__(self):
        return f"Scaled({self.by!r})"

    def step(self, parameters, state, x):
        return self.activation(parameters["W"].T @ x + parameters["R"].T @ state) * self.by

def zeros(problem):
    return {name: np.zeros_like(array) for name, array in problem.parameters.items()}
"""


@pytest.fixture
def scaled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "scaled_network.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("scaled_network")
    sys.modules.pop("scaled_network", None)


def declared(*networks: Any, rule: Any = None) -> Any:
    return gradcheck.rule(networks=networks)(lambda problem: (rule or doubled)(problem))


def test_a_network_that_the_rule_declares_is_recognised(scaled: Any) -> None:
    example = example_of(scaled.zeros, network=scaled.Scaled(4.0))
    network = json.loads(example.to_json())["network"]
    assert network == {"kind": "own", "class": "scaled_network:Scaled", "repr": "Scaled(4.0)"}
    rule = declared(scaled.Scaled(3.0), scaled.Scaled(4.0), rule=scaled.zeros)
    assert replay(example, rule).outcome is Outcome.STILL_WRONG
    assert replay(example, scaled.zeros, networks=[scaled.Scaled(4.0)]).outcome is Outcome.STILL_WRONG


OWN = {
    "not declared": ({}, lambda scaled: [scaled.Scaled(3.0)], "does not declare"),
    "another class": ({"class": "scaled_network:zeros"}, lambda scaled: [scaled.Scaled(4.0)], "does not declare"),
    "another module": ({"class": "elsewhere:Scaled"}, lambda scaled: [scaled.Scaled(4.0)], "does not declare"),
    "two alike": ({}, lambda scaled: [scaled.Scaled(4.0), scaled.Scaled(4.0)], "declares 2"),
    "incomplete": ({"repr": None}, lambda scaled: [scaled.Scaled(4.0)], "at network.repr"),
}


@pytest.mark.parametrize("name", OWN)
def test_a_network_that_is_not_recognised_is_refused(name: str, scaled: Any) -> None:
    data = json.loads(example_of(scaled.zeros, network=scaled.Scaled(4.0)).to_json())
    change, networks, fragment = OWN[name]
    data["network"] |= change
    with pytest.raises(GradcheckError, match=fragment):
        replay(data, declared(*networks(scaled), rule=scaled.zeros))


def test_a_script_and_a_file_that_was_loaded_are_the_same_place(scaled: Any) -> None:
    data = json.loads(example_of(scaled.zeros, network=scaled.Scaled(4.0)).to_json())
    for module in ("__main__", "__mp_main__", "_gradcheck_scaled_network"):
        data["network"]["class"] = f"{module}:Scaled"
        assert replay(data, declared(scaled.Scaled(4.0), rule=scaled.zeros)).outcome is Outcome.STILL_WRONG


def test_the_target_of_equals_is_declared_or_shipped() -> None:
    def mine(problem: Problem) -> Any:
        return bptt(problem)

    example = example_of(truncated_bptt, gradcheck.Equals(mine))
    own = gradcheck.rule(gradcheck.Equals(mine), settings=gradcheck.every("tau"))(
        lambda problem, *, tau: truncated_bptt(problem, tau=tau)
    )
    assert replay(example, own).outcome is Outcome.STILL_WRONG
    assert replay(example, truncated_bptt, claims=[gradcheck.Equals(mine)]).outcome is Outcome.STILL_WRONG
    with pytest.raises(GradcheckError, match="no shipped rule and is not declared"):
        replay(example, truncated_bptt)
    twice = [gradcheck.Equals(mine), gradcheck.Equals(mine)]
    with pytest.raises(GradcheckError, match="declares 2 targets"):
        replay(example, truncated_bptt, claims=twice)


# A file runs nothing

HOSTILE: dict[str, Any] = {
    "a command as a class": {
        "network": {"kind": "own", "class": "subprocess:Popen", "made": "Popen(['touch', {mark!r}])", "repr": "?"}
    },
    "a command of os": {
        "network": {"kind": "own", "class": "os:system", "made": "system('touch ' + {mark!r})", "repr": "?"}
    },
    "a module with side effects": {
        "network": {"kind": "own", "class": "trap_network:Net", "made": "Net()", "repr": "Net()"}
    },
    "a target by its path": {"claim": {"kind": "equals", "target": "trap_network:target"}},
    "a target that is no rule": {"claim": {"kind": "equals", "target": "os:system"}},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_that_a_case_names_is_imported_or_called(
    name: str, halved: Counterexample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "ran"
    (tmp_path / "trap_network.py").write_text(
        f"open({str(mark)!r}, 'w').close()\nclass Net: pass\ndef target(problem): return {{}}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    data = json.loads(halved.to_json())
    data |= json.loads(json.dumps(HOSTILE[name]).replace("{mark!r}", repr(str(mark))))
    case = tmp_path / "case.json"
    case.write_text(json.dumps(data))
    with pytest.raises(GradcheckError, match="declare"):
        replay(case, plain_rules.good)
    assert not mark.exists() and "trap_network" not in sys.modules, "the case ran code"


# What is no case


BAD: dict[str, tuple[Any, str]] = {
    "not a case": (lambda d: d.pop("kind"), "missing required field `kind`"),
    "a poem": (lambda d: d.update(kind="poem"), "the kind of a case is one of case; got 'poem'"),
    "another version": (
        lambda d: d.update(schema_version="3.1"),
        "follows schema version 3.1, and this gradcheck reads 1",
    ),
    "keys missing": (lambda d: (d.pop("claim"), d.pop("got")), "missing required field `claim`"),
    "a key more": (lambda d: d.update(more=1), "unknown field `more`"),
    "wrong type": (lambda d: d.update(arrays=[]), "at arrays: Expected `object`, got `array`"),
    "settings of text": (lambda d: d.update(settings={"tau": "3"}), "at settings[...]: Expected `int`, got `str`"),
    "a setting without end": (lambda d: d.update(settings={"tau": 10**5000}), "at settings[...]"),
    "unknown claim": (lambda d: d["claim"].update(kind="right"), "at claim.kind: Invalid value 'right'"),
    "a claim's kind is a dict": (lambda d: d["claim"].update(kind={}), "at claim.kind: Expected `str`"),
    "a network's kind is a list": (lambda d: d["network"].update(kind=[]), "at network.kind: Expected `str`"),
    "claim without tau": (lambda d: d.update(claim={"kind": "truncated"}), "at claim: Object missing required field"),
    "claim at 0": (lambda d: d.update(claim={"kind": "truncated", "tau": 0}), "at claim.tau: Expected `int` >= 1"),
    "claim of text": (lambda d: d.update(claim={"kind": "truncated", "tau": "x"}), "at claim.tau: Expected `int`"),
    "no windows": (lambda d: d.update(claim={"kind": "windowed", "horizon": 1, "stride": 2}), "needs h' <= h"),
    "equal to nothing": (lambda d: d.update(claim={"kind": "equals", "target": "no:where"}), "'no:where', which is no"),
    "unknown activation": (lambda d: d["network"].update(activation="tanhh"), "there is no activation 'tanhh'"),
    "arrays missing": (lambda d: d["arrays"].pop("targets"), "its arrays lack targets"),
    "state missing": (lambda d: d["arrays"].pop("initial_state"), "its arrays lack initial_state"),
    "shapes disagree": (lambda d: d["arrays"].update(R=[["1", "2"]]), "do not fit together: parameter R has shape"),
    "ragged": (lambda d: d["arrays"].update(R=[["1", "2"], ["1"]]), "R holds rows of different lengths"),
    "no number": (lambda d: d["arrays"].update(R=[["one"]]), "R holds 'one'; wanted lists of numbers as text"),
    "infinite": (lambda d: d["arrays"].update(R=[["inf"]]), "R holds 'inf'; wanted lists of numbers"),
    "too large": (lambda d: d["arrays"].update(R=[["1e999"]]), "holds NaN or infinity"),
    "too large in hexadecimal": (lambda d: d["arrays"].update(R=[["0x1p99999"]]), "0x1p99999, which no float holds"),
    "too many axes": (lambda d: d["arrays"].update(R=[[[[[[[[[["1"]]]]]]]]]]), "wanted lists of numbers as text"),
    "sizes disagree": (lambda d: d["sizes"].update(T=2), "its sizes are T=2"),
    "too many steps": (lambda d: d["sizes"].update(T=400_000), "at sizes.T: Expected `int` <= 10000"),
    "too much work": (lambda d: d["sizes"].update(T=10_000, I=1_000), "it is too large"),
    "an escape in a name": (lambda d: d["arrays"].update({"\x1b[2J": "1"}), "is no name"),
    "no such entry": (lambda d: d.update(entry="R[3,3]"), "about the entry R[3,3], and its parameters have W[0,0]"),
    "settings not taken": (lambda d: d.update(settings={"tau": 3}), "with tau=3, and good does not take that"),
}


@pytest.mark.parametrize("name", BAD)
def test_each_thing_that_is_no_case_has_its_message(name: str, halved: Counterexample) -> None:
    data = json.loads(halved.to_json())
    change, fragment = BAD[name]
    change(data)
    with pytest.raises(GradcheckError) as caught:
        replay(data, plain_rules.good)
    assert fragment in str(caught.value), caught.value


# The command


def test_the_command_says_what_came_and_leaves_with_its_status(halved: Counterexample, tmp_path: Path) -> None:
    case = halved.write(tmp_path / "case.json")
    for rule, status, word in (("wrong", 1, "STILL WRONG"), ("good", 0, "FIXED"), ("key_missing", 1, "ERROR")):
        result = run("replay", case, f"{RULES}:{rule}")
        assert (result.exit_code, result.stdout.startswith(f"{word}: {rule}")) == (status, True), result.output
    text = tmp_path / "text.json"
    text.write_text("{")
    (tmp_path / "list.json").write_text("[]")
    for arguments, fragment in (
        ((tmp_path / "gone.json", f"{RULES}:good"), "cannot read"),
        ((text, f"{RULES}:good"), "is not JSON"),
        ((tmp_path / "list.json", f"{RULES}:good"), "Expected `object`, got `array`"),
        ((tmp_path, f"{RULES}:good"), "cannot read"),
        ((case, "no_such_module:rule"), "there is no module 'no_such_module'"),
        ((case, str(RULES)), "rules; name one"),
        ((case, f"{RULES}:two_arguments"), "a rule takes one argument"),
    ):
        result = run("replay", *arguments)
        assert result.exit_code == 2 and fragment in result.stderr, f"{arguments}: {result.output}"


def test_an_audit_saves_its_counterexample_and_so_does_its_report(tmp_path: Path) -> None:
    case, written = tmp_path / "case.json", tmp_path / "report.json"
    result = run("audit", f"{RULES}:wrong", "--effort", "quick", "--quiet", "--case", case, "--json", written)
    assert result.exit_code == 1 and f"wrote {case}" in result.stdout.replace("\n", ""), result.output
    assert run("replay", case, f"{RULES}:wrong").exit_code == 1
    report = from_json(written.read_text())
    assert isinstance(report, Report)
    (example,) = (v.counterexample for v in report.verdicts if v.counterexample)
    assert json.loads(example.to_json()) == json.loads(case.read_text())
    assert replay(example, plain_rules.good).outcome is Outcome.FIXED
    result = run("replay", written, f"{RULES}:wrong")
    assert result.exit_code == 2 and "whole report; write a case with gradcheck audit --case" in result.stderr


def test_of_several_counterexamples_each_has_its_file(
    halved: Counterexample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = (halved, None, example_of(doubled), example_of(truncated_bptt))
    verdicts = tuple(Verdict("exact", Status.REFUTED, Strength.CERTIFIED, "", (), example) for example in examples)
    monkeypatch.setattr(Fold, "report", property(lambda self: Report("rule", "", (), verdicts)))
    assert run("audit", f"{RULES}:wrong", "--quiet", "--case", tmp_path / "case.json").exit_code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["case-2.json", "case-3.json", "case.json"]
    assert replay(tmp_path / "case-2.json", doubled).outcome is Outcome.STILL_WRONG
    assert json.loads((tmp_path / "case-3.json").read_text())["settings"] == {"tau": 1}


def test_nothing_is_saved_where_nothing_is_refuted(tmp_path: Path) -> None:
    result = run("audit", f"{RULES}:undeclared", "--effort", "quick", "--quiet", "--case", tmp_path / "case.json")
    assert result.exit_code == 0 and "there is no counterexample, so" in result.stderr, result.output
    assert not (tmp_path / "case.json").exists()
    bad = run("audit", f"{RULES}:wrong", "--case", tmp_path / "case.txt")
    assert bad.exit_code == 2 and "--case writes a .json file" in bad.stderr


ENDS = {
    "in a call": ("import os\ndef rule(problem): os._exit(0)", 1, "ended its process with status 0"),
    "when imported": ("import os\nos._exit(0)", 2, "loaded code called os._exit(0)"),
    "when imported by another name": ("from os import _exit\n_exit(0)", 2, "loaded code called os._exit(0)"),
    "when Python ends": (
        "import atexit, os\natexit.register(os._exit, 0)\n"
        "def rule(problem): return {name: 0 * array for name, array in problem.parameters.items()}",
        1,
        "STILL WRONG",
    ),
    "by SystemExit when Python ends": (
        "import atexit, sys\natexit.register(sys.exit, 0)\n"
        "def rule(problem): return {name: 0 * array for name, array in problem.parameters.items()}",
        1,
        "STILL WRONG",
    ),
}


@pytest.mark.processes
@pytest.mark.parametrize("name", ENDS)
def test_a_rule_that_ends_its_process_is_not_fixed(name: str, halved: Counterexample, tmp_path: Path) -> None:
    source, status, fragment = ENDS[name]
    case, rule = halved.write(tmp_path / "case.json"), tmp_path / "ends.py"
    rule.write_text(source, "utf-8")
    command = [sys.executable, "-m", "gradcheck", "replay", str(case), f"{rule}:rule"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == status and fragment in done.stdout + done.stderr, done


def test_data_that_is_nested_without_end_is_refused(halved: Counterexample) -> None:
    deep: Any = "1"
    for _ in range(100_000):
        deep = [deep]
    for at in ("arrays", "claim", "settings"):
        with pytest.raises(GradcheckError, match="nested too deeply|malformed|wanted lists"):
            replay({**json.loads(halved.to_json()), at: {"R": deep}}, plain_rules.good)
    within: dict[str, Any] = {}
    within["a"] = within
    with pytest.raises(GradcheckError, match="missing required field"):
        replay(within, plain_rules.good)
    del deep
