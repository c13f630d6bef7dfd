"""Every kind of evidence holds for right rules and rejects wrong ones; a refutation carries a program that shows it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from wrong_rules import NAMES, WRONG_ON_FLOATS, as_black_box, made, wrong

import gradcheck
from gradcheck.evidence.base import Case, Kind, Witness
from gradcheck.evidence.exact import enclosure, formal, ladder, modular
from gradcheck.evidence.floats import blackbox
from gradcheck.evidence.preconditions import liveness, purity
from gradcheck.explain import counterexample
from gradcheck.problems.lively import lively_problem
from gradcheck.records import Cause, Report, Status
from gradcheck.reference.claims import Exact, Truncated
from gradcheck.reference.network import ContextNetwork, Network, Sizes
from gradcheck.rules.adapt import Rule, as_rule
from gradcheck.rules.load import load_module

IMPURE = ("stale-buffer", "returns-its-buffer", "changes-its-inputs")
"""Refuted as rules at all, before any claim."""


@pytest.fixture(autouse=True)
def undiagnosed(claims_alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with the wrong rules here is for tests/evidence/test_diagnosis.py to say."""
    monkeypatch.setattr("gradcheck.engine.tasks.diagnose", lambda *_, **__: None)


def rule_of(function: Any, **kwargs: Any) -> Rule:
    return as_rule(function, claims=[Exact()], **kwargs)


def case_of(function: Any, network: Any = None, **kwargs: Any) -> Case:
    return Case(rule_of(function, **kwargs), Exact(), network or Network())


def refuted(report: Report) -> list[Any]:
    return [v for v in report.verdicts if v.status is Status.REFUTED]


def shown_by(snippet: str) -> float:
    """Run a snippet on its own; the distance that it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(snippet, "snippet", "exec"), {})
    assert "gradcheck" not in "".join(line for line in snippet.split("\n") if not line.startswith("#"))
    return float(printed.getvalue().split("off by")[1])


def assert_refuted_with_a_counterexample(report: Report) -> None:
    assert not report.passed
    verdicts = refuted(report)
    assert verdicts, [f"{v.claim} {v.word}: {v.statement}" for v in report.verdicts]
    for verdict in verdicts:
        if verdict.claim == "pure":
            continue
        example = verdict.counterexample
        assert example is not None and verdict.strength is gradcheck.Strength.CERTIFIED
        off = shown_by(example.snippet)
        gap = float(example.gap) if "inf" not in example.gap and "nan" not in example.gap else float("inf")
        assert not off <= 0.5 * gap, f"the program shows {off}, the verdict says {example.gap}\n{example.snippet}"


# Wrong rules


LARGE = ("wrong-when-i-exceeds-4", "returns-its-buffer")


@pytest.mark.parametrize("name", [n for n in NAMES if n != "wrong if T > 30"])  # that one below, by its floats
def test_a_wrong_rule_is_refuted(name: str, request: pytest.FixtureRequest) -> None:
    small = NAMES.index(name) % 3 == 0
    if not small:  # a third of them tell
        request.getfixturevalue("not_shrunk")
    report = gradcheck.audit(wrong(name), claims=[Exact()], effort="quick", isolated=False)
    assert_refuted_with_a_counterexample(report)
    example = report.verdicts[-1].counterexample
    if small and example is not None and name not in LARGE:
        sizes = example.problem["sizes"]
        assert sizes["T"] <= 4 and sizes["I"] <= 3, f"the counterexample is not small: {sizes}"


@pytest.mark.parametrize("name", [*(n for n in NAMES if n not in IMPURE), *WRONG_ON_FLOATS])
def test_a_wrong_rule_is_refuted_by_its_floats_alone(name: str) -> None:
    function = as_black_box(wrong(name))
    finding = blackbox.BlackBox().gather(case_of(function))
    assert finding.evidence.status is Status.REFUTED, finding.evidence.statement
    assert finding.witness is not None and finding.witness.floats


@pytest.mark.parametrize("name", ["truncated-at-1", "scale-1-plus-1e-9"])
def test_a_wrong_black_box_is_refuted_with_a_counterexample(name: str, not_shrunk: None) -> None:
    report = gradcheck.audit(as_black_box(wrong(name)), claims=[Exact()], effort="quick", isolated=False)
    kinds = {e.kind for e in report.verdicts[-1].evidence if e.status is not Status.NOT_RUN}
    assert kinds and kinds <= {"lagwise", "float64"}, kinds
    assert_refuted_with_a_counterexample(report)


@pytest.mark.parametrize("name", ["masks from one-hot inputs", "wrong where a unit saturates"])
def test_a_rule_that_is_wrong_at_some_values_only_is_refuted(name: str, not_shrunk: None) -> None:
    """It runs on balls, but formal scalars and residues have no such values: floats find it."""
    assert_refuted_with_a_counterexample(gradcheck.audit(wrong(name), claims=[Exact()], effort="quick"))


@pytest.mark.parametrize("name", IMPURE)
def test_an_impure_rule_is_refuted_as_a_rule(name: str) -> None:
    report = gradcheck.audit(wrong(name), claims=[Exact()], effort="quick")
    assert report.verdicts[0].claim == "pure" and report.verdicts[0].status is Status.REFUTED
    assert not report.passed and report.exit_status == 1


def test_a_snippet_runs_in_an_interpreter_of_its_own(not_shrunk: None, tmp_path: Path) -> None:
    report = gradcheck.audit(wrong("dr-transposed"), claims=[Exact()], effort="quick")
    example = report.verdicts[-1].counterexample
    assert example is not None
    file = tmp_path / "case.py"
    file.write_text(example.snippet)
    run = subprocess.run([sys.executable, "-I", str(file)], capture_output=True, text=True, cwd=tmp_path, check=True)
    found = re.fullmatch(r"(\S+): true (\S+)  dr-transposed (\S+)  off by (\S+)\n", run.stdout)
    assert found, run.stdout
    assert found[1] == example.entry and float(found[4]) > 0.1


SIMPLE = (
    "sign-of-dv", "scale-2", "scale-1-plus-1e-9", "slope-from-s", "slope-missing", "mean-over-t", "last step missing",
    "dr-transposed",
)  # fmt: skip


@pytest.mark.parametrize("name", [*SIMPLE, "V at the last step missing"])
def test_a_counterexample_is_no_larger_than_what_the_proof_saw(name: str) -> None:
    if name in NAMES:
        case = case_of(wrong(name))
    else:
        case = case_of(made(name, ("dV + np.outer(a[t], e[t])", "dV + np.outer(a[t], e[t]) * (t < T)")))
    witness = formal.Formal(largest_T=3, shapes=((1, 1, 1), (2, 1, 1))).gather(case).witness
    assert witness is not None
    found = counterexample.find(case, witness)
    assert found is not None
    seen, shown = (dataclasses.astuple(s) for s in (witness.sizes, found.problem.sizes))
    assert all(a <= b for a, b in zip(shown, seen, strict=True)), f"seen at {witness.sizes}, shown at {found.problem}"


OWN = """
from dataclasses import dataclass
import gradcheck
import numpy as np
from gradcheck.reference import lags
from gradcheck.reference.network import Network, Sizes

def wrong(problem, *, by=2):
    gradient = lags.gradient(problem)
    first = next(iter(gradient))
    return {**gradient, first: by * gradient[first]}

class Ones:
    def __init__(self, value=1):
        self.value = value
    def start(self, network, parameters, initial_state):
        return parameters
    def step(self, state, x, y):
        return state, {name: array * 0 + self.value for name, array in state.items()}

@dataclass(frozen=True)
class Two:
    speed: float = 1.0
    name = "two arrays,\\nof state"
    def parameter_shapes(self, s):
        return {"A": (s.D, s.I), "b-c": (s.I,), "T": (s.I, s.K)}
    def state_shape(self, s):
        return ((s.I,), (s.I,))
    def sizes_of(self, p, T):
        return Sizes(T, p["b-c"].shape[0], p["A"].shape[0], p["T"].shape[-1])
    def step(self, p, a, x):
        h = np.tanh(p["A"].T @ x + self.speed * p["b-c"] * a[0])
        return h, a[1] + h
    def readout(self, p, a):
        return p["T"].T @ a[1]
    def output(self, u):
        return u
    def loss_value(self, u, y):
        return ((u - y) ** 2).sum() / 2
    def output_error(self, u, y):
        return u - y

class Twice(Network):
    name = "twice"
    def step(self, p, a, x):
        return 2 * super().step(p, a, x)

class Hidden(Two):
    name = "hidden"
    def __init__(self, secret):
        object.__setattr__(self, "speed", secret)
    def __repr__(self):
        return "Hidden\\n()"
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Any:
    file = tmp_path_factory.mktemp("own") / "own_network.py"
    file.write_text(OWN)
    return load_module(str(file))


def from_the_rule(snippet: str) -> float:
    """What the commented lines compute: the entry as the rule itself returns it."""
    lines = snippet.split("\n")
    start = next(i for i, line in enumerate(lines) if line.startswith("# The same from the rule itself"))
    text = "\n".join(line.removeprefix("# ") if i > start else line for i, line in enumerate(lines))
    space: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(text, "snippet", "exec"), space)
    return float(space["got"])


@pytest.mark.parametrize(
    ("network", "computes"),
    [
        ("Network('logistic')", "def f(s)"),
        ("Two(2.0)", "class Two:"),
        ("Twice()", "from own_network import Twice"),
        ("Twice('softplus')", ""),
        ("Hidden(2.0)", "# Both numbers are from the audit"),
    ],
)
def test_a_program_computes_both_numbers(own: Any, network: str, computes: str, tmp_path: Path) -> None:
    case = case_of(functools.partial(own.wrong, by=3), eval(network, vars(own)))
    witness = Witness(case.network, Sizes(2, 1, 1, 1), {}, "", floats=True)
    found = counterexample.find(case, witness)
    assert found is not None
    example = counterexample.counterexample(case, found)
    assert computes in example.snippet, example.snippet
    file = tmp_path / "case.py"
    file.write_text(example.snippet)
    run = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert float(run.stdout.split("off by")[1]) == pytest.approx(float(example.gap)), example.snippet
    if not network.startswith("Hidden"):
        assert from_the_rule(example.snippet) == pytest.approx(float(example.got)), example.snippet


def test_a_program_runs_an_online_rule(own: Any) -> None:
    case = case_of(own.Ones)
    found = counterexample.find(case, Witness(case.network, Sizes(2, 1, 1, 1), {}, ""))
    assert found is not None
    snippet = counterexample.counterexample(case, found).snippet
    assert "run_online(Ones(), problem, weighted=False)" in snippet, snippet
    assert from_the_rule(snippet) == float(found.got), snippet


# Right rules


def right(problem: Any) -> Any:
    return made("right")(problem)


@pytest.mark.parametrize("network", [Network(), Network("relu", "softmax", "categorical_cross_entropy")], ids=str)
def test_every_kind_of_evidence_holds_for_a_right_rule(network: Any) -> None:
    case = case_of(right, network)
    found = [
        purity.Purity().gather(case),
        formal.Formal(largest_T=3, shapes=((1, 1, 1), (2, 2, 1))).gather(case),
        modular.Modular(sizes=modular.SMALL_SIZES).gather(case),
        enclosure.Enclosure(sizes=enclosure.SMALL_SIZES).gather(case),
        ladder.Ladder(digits=(50, 100)).gather(case),
        blackbox.BlackBox().gather(case),
    ]
    for finding in found:
        assert finding.evidence.status is Status.HOLDS, finding.evidence
        given, rejected = finding.planted
        assert rejected == given, f"{finding.evidence.kind}: {rejected} of {given} planted faults"
    assert all(f.planted[0] for f in found[1:])


@pytest.mark.parametrize(
    "kind",
    [
        formal.Formal(3, ((1, 1, 1), (2, 2, 1))),
        modular.Modular(modular.SMALL_SIZES),
        enclosure.Enclosure(enclosure.SMALL_SIZES),
        ladder.Ladder(digits=(50,)),
        blackbox.BlackBox(),
    ],
    ids=lambda kind: kind.kind,
)
@pytest.mark.parametrize(
    "name", ["recursion-stops-early", "scale-1-plus-1e-9", "sign-of-dv", "initial-state-missing-in-dr"]
)
def test_every_kind_of_evidence_rejects(kind: Kind, name: str) -> None:
    finding = kind.gather(case_of(wrong(name)))
    assert finding.evidence.status is Status.REFUTED, finding.evidence
    assert finding.witness is not None


@pytest.mark.parametrize("kept", range(1, 7))
def test_a_truncation_at_any_lag_is_told_from_the_next(kept: int) -> None:
    def truncated(problem: Any) -> Any:
        from gradcheck.reference import lags

        return lags.gradient(problem, Truncated(kept).keeps)

    case = Case(as_rule(truncated, claims=[Truncated(kept + 1)]), Truncated(kept + 1), Network())
    for kind in (modular.Modular(modular.SMALL_SIZES), enclosure.Enclosure((Sizes(9, 5, 2, 2),))):
        assert kind.gather(case).evidence.status is Status.REFUTED
        own = Case(case.rule, Truncated(kept), Network())
        assert kind.gather(own).evidence.status is Status.HOLDS


@pytest.mark.parametrize(
    "ignoring",
    [
        ("net.output_error(V.T @ a[t], y[t - 1])", "net.output_error(V.T @ a[t], y[t - 1])"),
        (
            "net.output_error(V.T @ a[t], y[t - 1])",
            "problem.loss_weights[t - 1] ** 2 * net.output_error(V.T @ a[t], y[t - 1])",
        ),
    ],
    ids=["ignored", "squared"],
)
def test_loss_weights_are_judged_where_they_are_declared(ignoring: tuple[str, str], brief: None) -> None:
    rule = made("weights", ignoring)
    report = gradcheck.audit(rule, claims=[Exact()], weighted=True, effort="quick", isolated=False)
    assert_refuted_with_a_counterexample(report)


def test_a_rule_wrong_on_one_of_its_networks_only(brief: None, not_shrunk: None) -> None:
    networks = [Network("tanh"), Network("logistic"), Network("relu")]
    hard_coded = made("tanh only", ("slope = net.activation.derivative(s[t])", "slope = 1 - a[t] ** 2"))
    report = gradcheck.audit(hard_coded, claims=[Exact()], networks=networks, effort="quick", isolated=False)
    assert_refuted_with_a_counterexample(report)
    assert "logistic" in report.verdicts[-1].counterexample.problem["network"]  # type: ignore[union-attr]
    assert gradcheck.audit(hard_coded, claims=[Exact()], effort="quick", isolated=False).passed


def test_relu_at_its_kink_may_have_the_slope_of_either_side() -> None:
    slope = "slope = net.activation.derivative(s[t])"
    upper = made("1 at the kink", (slope, "slope = np.where(s[t] >= 0, np.ones_like(s[t]), np.zeros_like(s[t]))"))
    lower = made("0 at the kink", (slope, "slope = np.where(s[t] > 0, np.ones_like(s[t]), np.zeros_like(s[t]))"))
    for rule, at_kinks in ((upper, True), (lower, False)):
        found = blackbox.BlackBox().gather(case_of(rule, Network("relu"))).evidence
        assert found.status is Status.HOLDS and ("at a kink" in found.statement) is at_kinks, found.statement


@pytest.mark.parametrize(
    "mask", ["np.ones_like(s[t])", "net.activation.derivative(-s[t])", "net.activation.derivative(abs(s[t]))"]
)
def test_relu_masks_are_judged_where_units_are_off(mask: str) -> None:
    wrong = made("mask", ("slope = net.activation.derivative(s[t])", f"slope = {mask}"))
    finding = blackbox.BlackBox().gather(case_of(as_black_box(wrong), Network("relu")))
    assert finding.evidence.status is Status.REFUTED, finding.evidence.statement


# Purity


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return {**g, 'R': g['R'] * np.nan}", "holds nan"),
        ("return {**g, 'R': problem.parameters['R']}", "is a view of its input R; return a copy"),
        ("return {**g, 'R': problem.parameters['R'].T}", "is a view of its input R; return a copy"),
        ("problem.targets[-1] += 1\n    return g", "changed its input targets"),
        ("problem.loss_weights[:] = 0\n    return g", "changed its input loss_weights"),
        ("return {k: v.astype(int) for k, v in g.items()}", "has dtype int64; wanted float64"),
        ("return {k: v + 1e-7 * np.random.default_rng().normal() for k, v in g.items()}", "draws random numbers"),
    ],
)
def test_impurities(body: str, said: str) -> None:
    space: dict[str, Any] = {"np": np, "right": right}
    exec(f"def rule(problem):\n    g = right(problem)\n    {body}\n", space)
    finding = purity.Purity().gather(case_of(space["rule"]))
    assert finding.evidence.status is Status.REFUTED and said in finding.evidence.statement, finding.evidence.statement


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (None, "returned None; wanted a dict of arrays with W (2, 4), R (4, 4), V (4, 3)"),
        ({"W": 0}, "lacks R, V"),
        ({"W": 0, "R": 0, "V": 0, "b": 0}, "has the unknown b"),
        ({"W": np.zeros((4, 2)), "R": np.zeros((4, 4)), "V": np.zeros((4, 3))}, "it looks transposed"),
        ({"W": [[0.0]], "R": 0, "V": 0}, "returned a list for W"),
    ],
)
def test_results_that_are_no_gradients(result: Any, said: str) -> None:
    evidence = purity.Purity().gather(case_of(lambda problem: result)).evidence
    assert (evidence.status, evidence.cause) == (Status.REFUTED, Cause.MALFORMED)
    assert said in evidence.statement


def test_a_rule_that_raises_is_told_where() -> None:
    def raising(problem: Any) -> Any:
        raise ZeroDivisionError("of no use")

    evidence = purity.Purity().gather(case_of(raising)).evidence
    assert (evidence.status, evidence.cause) == (Status.ERROR, Cause.FAILED)
    assert "ZeroDivisionError: of no use" in evidence.statement and "T=5, I=4" in evidence.statement
    assert "test_evidence.py" in evidence.details["where"]


def test_a_rule_whose_answers_change_from_call_to_call_does_not_break_the_search() -> None:
    """Wrong at every third call only; purity compares two. Whatever the verdict, the audit ends and nothing passes."""
    calls = [0]

    def fickle(problem: Any) -> Any:
        calls[0] += 1
        gradient = right(problem)
        return {**gradient, "R": gradient["R"] * (2 if calls[0] % 3 == 0 else 1)}

    report = gradcheck.audit(fickle, claims=[Exact()], effort="quick")
    assert not report.passed


# Modular evidence


@pytest.mark.parametrize(
    ("name", "replacement"),
    [
        (
            "f of the wrong argument",
            ("net.activation(s[t])", "net.activation(s[t] + 0 * s[t] if t != 3 else 2 * s[t])"),
        ),
        ("f' at a(t) for the last step", ("derivative(s[t])", "derivative(s[t] if t < T else a[t])")),
        (
            "one term at one time",
            ("np.outer(a[t - 1], delta)", "np.outer(a[t - 1], delta) + (t == 5) * 1e-3 * dR * dR"),
        ),
        ("one product too many", ("delta = slope *", "delta = slope * (1 + (t == 7) * (slope - 1)) *")),
        (
            "one entry at one time",
            ("np.outer(x[t - 1], delta)", "np.outer(x[t - 1], delta) * (1 if t != 4 else (1 - 2.0**-40))"),
        ),
    ],
)
@pytest.mark.parametrize("activation", ["tanh", "softplus", "relu"])
def test_residues_tell_rules_that_differ_in_one_term(name: str, replacement: tuple[str, str], activation: str) -> None:
    if activation == "relu" and name == "one product too many":
        return  # slope * slope is slope for a bit: the rule is right there
    finding = modular.Modular(sizes=modular.SMALL_SIZES).gather(case_of(made(name, replacement), Network(activation)))
    foreign = "wrong argument" in name or "a(t)" in name
    if foreign and finding.evidence.status is Status.NOT_RUN:
        found = enclosure.Enclosure(sizes=enclosure.SMALL_SIZES[:1]).gather(
            case_of(made(name, replacement), Network(activation))
        )
        assert found.evidence.status is Status.REFUTED or activation == "relu", found.evidence.statement
    else:
        assert finding.evidence.status is Status.REFUTED, finding.evidence.statement


def _point(case, size):
    """Return the first point of the modular comparison at a size."""
    return modular._compare_point(modular._Place(case, Exact(), size, {}, size), 0)


@pytest.mark.parametrize("output", ["identity", "logistic", "softmax"])
def test_failure_probabilities_are_bounded(output: str) -> None:
    case = case_of(right, Network("tanh", output))
    finding = modular.Modular(sizes=(Sizes(24, 6, 2, 2),)).gather(case)
    assert finding.evidence.status is Status.HOLDS, finding.evidence.statement
    assert finding.evidence.details["failure_bits"] >= 60
    point = _point(case, Sizes(24, 6, 2, 2))
    assert not point.foreign, "outputs are evaluated where the network evaluates them"
    m = 24 * (6 + 2)
    assert point.failure_bits < 31 - np.log2(m), "one residue met by chance is not below m / p"


def test_a_bound_is_worse_where_the_rule_evaluates_at_arguments_of_its_own() -> None:
    also = made("elsewhere", ("return {", "dW = dW + 0 * np.tanh(dW)\n    return {"))
    size = Sizes(8, 4, 2, 2)
    plain, more = (_point(case_of(f), size) for f in (right, also))
    assert more.foreign and not plain.foreign
    assert more.difference is None and more.failure_bits < plain.failure_bits


def test_degrees_in_the_bound_count_the_forward_pass() -> None:
    """A rule that asks for one early activation only meets the network's own later ones, of high degree."""
    size = Sizes(12, 4, 2, 2)
    first_only = made("early", ("    dW, dR", "    s = [None, *[s[1]] * T]\n    dW, dR"))
    full, early = (_point(case_of(f), size) for f in (right, first_only))
    assert early.difference is not None
    assert early.failure_bits <= full.failure_bits + 1


def test_laws_that_residues_lack_are_no_evidence_against_a_rule() -> None:
    slope = "slope = net.activation.derivative(s[t])"
    cosh = made("sech squared", (slope, "slope = 1 / np.cosh(s[t]) ** 2"))
    finding = modular.Modular(sizes=modular.SMALL_SIZES).gather(case_of(cosh))
    assert finding.evidence.status is Status.NOT_RUN and "laws" in finding.evidence.statement


def test_patterns_of_relu_that_are_never_drawn_are_disclosed() -> None:
    """Wrong only where all of seven units are active in each of twelve steps: no point in 2^60 draws has it."""
    rare = made(
        "rare", ("return {", "dW = dW * (1 + np.prod([net.activation.derivative(v) for v in s[1:]]))\n    return {")
    )
    finding = modular.Modular(sizes=modular.SMALL_SIZES).gather(case_of(rare, Network("relu")))
    assert finding.evidence.status is Status.HOLDS
    assert "not drawn" in finding.evidence.blind
    assert blackbox.BlackBox().gather(case_of(rare, Network("relu"))).evidence.status is Status.REFUTED


# Liveness and discrimination


def dead_problem(network: Any, sizes: Sizes, seed: int, **kwargs: Any) -> Any:
    problem = lively_problem(network, sizes, seed, **kwargs)
    return problem.replace(parameters={**problem.parameters, "R": 0 * problem.parameters["R"]})


def test_a_dead_problem_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    liveness.visibility.cache_clear()
    try:
        assert liveness.visibility(Network(), Sizes(9, 5, 2, 2), 0, False).alive
        liveness.visibility.cache_clear()
        monkeypatch.setattr(liveness, "lively_problem", dead_problem)
        found = liveness.visibility(Network(), Sizes(9, 5, 2, 2), 0, False)
        assert not found.alive and "contributes less than balls can see" in found.statement
        silent = lambda *args, **kwargs: (p := lively_problem(*args, **kwargs)).replace(inputs=0 * p.inputs)  # noqa: E731
        liveness.visibility.cache_clear()
        monkeypatch.setattr(liveness, "lively_problem", silent)
        found = liveness.visibility(Network(), Sizes(9, 5, 2, 2), 0, False)
        assert not found.alive and found.dead and "do not contribute" in found.statement
    finally:
        liveness.visibility.cache_clear()


def test_dead_problems_fail_discrimination(brief: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (enclosure, blackbox, ladder):
        monkeypatch.setattr(module, "lively_problem", dead_problem)
    for kind in (enclosure.Enclosure((Sizes(9, 5, 2, 2),)), blackbox.BlackBox(), ladder.Ladder(digits=(50,))):
        given, rejected = kind.gather(case_of(right)).planted
        assert given and rejected < given, f"{kind.kind}: {rejected} of {given}"
    report = gradcheck.audit(as_black_box(right), claims=[Exact()], effort="quick", isolated=False)
    stage = next(s for s in report.stages if s.name == "discrimination")
    assert stage.status is Status.INCONCLUSIVE, stage


def test_the_lectures_other_network(brief: None, not_shrunk: None) -> None:
    def focused(problem: Any) -> Any:
        p, net = problem.parameters, problem.network
        W, w, V = p["W"], p["w"], p["V"]
        c, alpha, beta = problem.initial_state, np.zeros_like(w), np.zeros_like(W)
        dW, dw, dV = np.zeros_like(W), np.zeros_like(w), np.zeros_like(V)
        for x, y in zip(problem.inputs, problem.targets, strict=True):
            s = W.T @ x
            alpha = w * alpha + c
            beta = w * beta + np.outer(x, net.activation.derivative(s))
            c = w * c + net.activation(s)
            e = net.output_error(V.T @ c, y)
            dW, dw, dV = dW + beta * (V @ e), dw + alpha * (V @ e), dV + np.outer(c, e)
        return {"W": dW, "w": dw, "V": dV}

    def stale(problem: Any) -> Any:
        first = problem.replace(initial_state=0 * problem.initial_state)
        return {**focused(problem), "w": focused(first)["w"]}

    how: dict[str, Any] = {"networks": [ContextNetwork()], "effort": "quick", "isolated": False}
    assert gradcheck.audit(focused, claims=[Exact()], **how).passed
    assert_refuted_with_a_counterexample(gradcheck.audit(stale, claims=[Exact()], **how))
