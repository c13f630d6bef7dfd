"""Rules from torch: its own layers and any function of tensors, right ones and wrong ones, judged for real."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import inspect
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from made_up import GatedLeaky

import gradcheck
from gradcheck.evidence.base import Case, Finding
from gradcheck.evidence.floats import blackbox
from gradcheck.evidence.floats import plans as floats
from gradcheck.evidence.floats.allowance import allowance
from gradcheck.evidence.floats.power import reaches
from gradcheck.evidence.preconditions import purity
from gradcheck.problems.lively import branching_problems, lively_problem
from gradcheck.records import Report, Status, Strength
from gradcheck.reference.errors import GradcheckError, UnsupportedOperation
from gradcheck.reference.networks.base import Sizes
from gradcheck.reference.networks.sizes import fitting
from gradcheck.reference.problem import map_state
from gradcheck.reference.scalars.ball import BallField
from gradcheck.reference.scalars.rounded import RoundedField
from gradcheck.rules.adapt import WrongResult, as_rule
from gradcheck.rules.authors import authored_by
from gradcheck.rules.call import run
from gradcheck.rules.torch import TorchRNN

if importlib.util.find_spec("torch") is None:
    pytest.skip("torch is missing; pip install 'rnn-gradcheck[torch]'", allow_module_level=True)

import torch  # noqa: E402
import torch_rules as rules  # noqa: E402

pytestmark = pytest.mark.torch

NETWORKS = [TorchRNN(f, bias, offset) for f in ("tanh", "relu") for bias in (True, False) for offset in (True, False)]
LONG = Sizes(41, 6, 2, 2)
RNN, LSTM, GRU, Linear = torch.nn.RNN, torch.nn.LSTM, torch.nn.GRU, torch.nn.Linear


def judged(rule: Any, *sizes: Sizes, dtype: Any = np.float64) -> Finding:
    """The rule on floats of these sizes, on the network that it declares."""
    made = as_rule(rule)
    case = Case(made, gradcheck.Exact(), made.declaration.networks[0])
    return blackbox.BlackBox(sizes=sizes or blackbox.FURTHER_SIZES, dtype=dtype).gather(case)


def word(report: Report, claim: str = "exact") -> str:
    return next(verdict.word for verdict in report.verdicts if verdict.claim == claim)


# The network of the layers


@pytest.mark.parametrize("network", NETWORKS, ids=str)
def test_every_lag_of_the_long_problem_stays_visible(network: TorchRNN) -> None:
    problem = lively_problem(network, LONG, 0)
    allowed = allowance(gradcheck.Exact(), problem, RoundedField.for_dtype(np.float64))
    seen = {name: reach.visible for name, reach in reaches(problem, allowed).items() if not name.startswith("readout")}
    assert set(seen.values()) == {40}, f"{network}: an early truncation would go unseen, {seen}"


def test_units_saturate_and_cut_out_where_the_problem_says_so() -> None:
    problem = branching_problems(TorchRNN(), 0)["saturated and inactive units"]
    a = TorchRNN().step(problem.parameters, problem.initial_state, problem.inputs[0])
    assert np.abs(a).max() > 0.999, f"no unit is saturated: {a}"
    assert np.abs(a).min() < 0.9, f"all units are saturated: {a}"


def test_an_unknown_nonlinearity_is_named() -> None:
    with pytest.raises(GradcheckError, match="no nonlinearity 'sigmoid'.*choose tanh or relu"):
        TorchRNN("sigmoid")


# Layers

LAYERS = [
    (RNN(3, 2, nonlinearity=f, bias=bias, batch_first=bias == offset), Linear(5, 1, bias=offset))
    for f in ("tanh", "relu")
    for bias in (True, False)
    for offset in (True, False)
]


@pytest.mark.parametrize(("layers", "network"), list(zip(LAYERS, NETWORKS, strict=True)), ids=map(str, NETWORKS))
def test_torchs_own_layers_hold(layers: tuple[Any, Any], network: TorchRNN) -> None:
    rule = gradcheck.torch.rule(layers[0], readout=layers[1])
    assert as_rule(rule).declaration.networks == (network,)
    finding = judged(rule)
    assert finding.evidence.status is Status.HOLDS, finding.evidence.statement


GATED = [
    (LSTM, TorchRNN(kind="LSTM")),
    (LSTM(3, 2, bias=False, batch_first=True), TorchRNN(bias=False, readout_bias=False, kind="LSTM")),
    (LSTM(3, 2, num_layers=2), TorchRNN(kind="LSTM", layers=2)),
    (GRU, TorchRNN(kind="GRU")),
    (GRU(3, 2, bias=False), TorchRNN(bias=False, readout_bias=False, kind="GRU")),
    (GRU(3, 2, num_layers=3, batch_first=True), TorchRNN(kind="GRU", layers=3)),
    (RNN(3, 2, num_layers=2, nonlinearity="relu"), TorchRNN("relu", layers=2)),
    (LSTM(3, 2, proj_size=1), TorchRNN(kind="LSTM", projected=True)),
    (LSTM(3, 2, num_layers=2, proj_size=1, bias=False), TorchRNN("tanh", False, False, "LSTM", 2, projected=True)),
    (torch.nn.RNNCell, TorchRNN(cell=True)),
    (torch.nn.LSTMCell(3, 2, bias=False), TorchRNN("tanh", False, False, "LSTM", cell=True)),
    (torch.nn.GRUCell(3, 2), TorchRNN(kind="GRU", cell=True)),
]


@pytest.mark.parametrize(("layer", "network"), GATED, ids=[f"{each.name} {each}" for _, each in GATED])
def test_gated_and_stacked_layers_hold(layer: Any, network: TorchRNN) -> None:
    rule = gradcheck.torch.rule(layer)
    assert as_rule(rule).declaration.networks == (network,)
    for dtype in (np.float64, np.float32):
        finding = judged(rule, Sizes(4, 3, 2, 2), dtype=dtype)
        assert finding.evidence.status is Status.HOLDS, finding.evidence.statement


class Forgetting(LSTM):
    """Wrong: the cell's path through time is detached."""

    def forward(self, x: Any, state: Any = None) -> Any:
        h, c = state
        out = []
        for one in x:
            y, (h, c) = super().forward(one[None], (h, c.detach()))
            out.append(y)
        return torch.cat(out), (h, c)


class Negligent(GRU):
    """Wrong: what one layer hands to the next is scaled by a little."""

    def forward(self, x: Any, state: Any = None) -> Any:
        y, h = super().forward(x, state)
        return y * (1 + 1e-6), h


class Unprojected(LSTM):
    """Wrong: the projection of h passes no error on to the next step."""

    def forward(self, x: Any, state: Any = None) -> Any:
        h, c = state
        out = []
        for one in x:
            y, (h, c) = super().forward(one[None], (h.detach(), c))
            out.append(y)
        return torch.cat(out), (h, c)


class Amnesic(torch.nn.GRUCell):
    """Wrong: the state before is a constant."""

    def forward(self, x: Any, h: Any = None) -> Any:
        return super().forward(x, h.detach())


@pytest.mark.parametrize("layer", [Forgetting, Negligent, Unprojected(2, 3, proj_size=1), Amnesic])
def test_gated_layers_that_are_wrong_are_refuted(layer: Any) -> None:
    assert judged(gradcheck.torch.rule(layer), Sizes(4, 3, 2, 2)).evidence.status is Status.REFUTED


def test_an_unknown_layer_is_named() -> None:
    with pytest.raises(GradcheckError, match="no recurrent layer 'SRU'; choose RNN, LSTM or GRU"):
        TorchRNN(kind="SRU")


def test_the_audit_of_nn_rnn_says_what_it_is_and_what_it_could_not_see() -> None:
    report = gradcheck.audit(gradcheck.torch.rule(RNN), effort="quick")
    assert report.passed, str(report)
    assert (
        word(report) == "SUPPORTED"
        and report.rule == "RNN"
        and "torch.nn.RNN: tanh, biases and a readout bias" in report.networks[0]
    )
    evidence = next(v for v in report.verdicts if v.claim == "exact").evidence
    others = [e for e in evidence if e.kind not in floats.KINDS]
    assert others and all(e.status is Status.NOT_RUN and "judged as a black box" in e.statement for e in others), others
    details = next(e for e in evidence if e.kind == "float64").details
    recurrent = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    assert {details["longest_visible_lag"][name] for name in recurrent} == {40}, details
    assert set(details["smallest_relative_error"]) == {*recurrent, "readout.weight", "readout.bias"}, details


def test_a_class_and_its_readout_may_be_given_as_such() -> None:
    assert judged(gradcheck.torch.rule(RNN, readout=Linear)).evidence.status is Status.HOLDS


def test_layers_are_judged_on_weighted_losses_too() -> None:
    assert judged(gradcheck.torch.rule(RNN, weighted=True)).evidence.status is Status.HOLDS


def test_the_users_own_module_stays_as_it_is() -> None:
    mine, readout = RNN(3, 4), Linear(4, 2)
    before = {key: value.clone() for key, value in mine.state_dict().items()}
    judged(gradcheck.torch.rule(mine, readout=readout), Sizes(3, 2, 2, 2))
    assert all(torch.equal(value, before[key]) for key, value in mine.state_dict().items())
    assert (mine.hidden_size, readout.in_features, mine.weight_hh_l0.grad) == (4, 4, None)


@pytest.mark.parametrize("layer", [rules.Detaching, rules.Detaching(1, 1, batch_first=True)], ids=["class", "instance"])
def test_a_modified_layer_runs_its_own_forward_and_is_refuted(layer: Any) -> None:
    finding = judged(gradcheck.torch.rule(layer), LONG)
    assert finding.evidence.status is Status.REFUTED, finding.evidence.statement
    assert judged(gradcheck.torch.rule(layer), Sizes(20, 3, 2, 2)).evidence.status is Status.HOLDS, "not yet cut there"


def test_the_counterexample_of_a_layer_is_small_and_runs_without_gradcheck_and_torch() -> None:
    report = gradcheck.audit(gradcheck.torch.rule(rules.Doubling), effort="quick")
    example = next(v.counterexample for v in report.verdicts if v.claim == "exact")
    assert example and example.problem["sizes"] == {"T": 1, "I": 1, "D": 1, "K": 1}, str(report)
    imported = [line for line in example.snippet.splitlines() if line.startswith(("import", "from"))]
    assert not any("gradcheck" in line or "torch" in line for line in imported), imported
    space: dict[str, Any] = {}
    exec(example.snippet, space)
    assert abs(space["true"] - float(example.expected)) < 1e-12 < abs(space["got"] - space["true"]), example.snippet


@pytest.mark.parametrize("network", [network for _, network in GATED], ids=[f"{n.name} {n}" for _, n in GATED])
def test_the_source_of_a_layers_network_steps_alone_on_complex_numbers(network: TorchRNN) -> None:
    """Programs that show counterexamples have this source and NumPy, and nothing else of the file."""
    source = f"from __future__ import annotations\nfrom dataclasses import dataclass\n{inspect.getsource(TorchRNN)}"
    exec(source, space := {"np": np, "__name__": "builtins"})
    problem = lively_problem(network, fitting(network, Sizes(1, 1, 1, 1)), 0)
    alone = space["TorchRNN"](*dataclasses.astuple(network))
    p = {name: array.astype(complex) for name, array in problem.parameters.items()}
    states = [
        each.step(p, map_state(lambda a: a.astype(complex), problem.initial_state), problem.inputs[0])
        for each in (alone, network)
    ]
    assert np.array_equal(*(each.readout(p, state) for each, state in zip((alone, network), states, strict=True)))


def test_a_layer_that_remembers_the_last_sequence_is_impure() -> None:
    report = gradcheck.audit(gradcheck.torch.rule(rules.Remembering), effort="quick")
    assert word(report, "pure") == "REFUTED", str(report)
    assert "keeps state" in report.verdicts[0].statement


REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (Linear, {}, "Linear cannot be made a rule; use nn.RNN, nn.LSTM or nn.GRU in one direction"),
    (RNN(2, 3, num_layers=2, dropout=0.5), {}, "RNN has dropout=0.5, which draws at random in training; call .eval()"),
    (RNN(2, 3, bidirectional=True), {}, "RNN has bidirectional=True"),
    (RNN, {"readout": RNN}, "RNN cannot be made a rule; use nn.Linear, or a subclass, as the readout"),
    (RNN, {"networks": [TorchRNN()]}, "leave networks out"),
    (rules.Normalised, {}, "the layers have the parameters bias_hh_l0, bias_ih_l0, gain,"),
    (rules.NeedsHorizon, {}, "NeedsHorizon(1, 1) raised TypeError"),
    (rules.loss, {"readout": Linear}, "so it takes no readout; leave readout out"),
    (rules.loss, {"dtype": torch.bfloat16}, "dtype is torch.bfloat16; pass torch.float32 or torch.float64"),
    (rules.loss, {"networks": [3]}, "3 is not a network"),
    (rules.loss, {"device": "gpu"}, 'pass "cpu", "cuda", "cuda:1", ...'),
    (rules.loss, {"device": "cuda:99"}, "device is 'cuda:99', which torch does not find here; it finds cpu"),
    (gradcheck.Exact(), {}, "the first argument is the claim exact; pass the function first"),
    (3, {}, "3 cannot be made a rule; pass a function(parameters, inputs, targets, initial_state)"),
    (dict, {}, "cannot be made a rule; pass a function"),
]


@pytest.mark.parametrize(("given", "options", "fragment"), REFUSED, ids=[f"{i}" for i in range(len(REFUSED))])
def test_what_cannot_be_a_rule_is_refused_in_words(given: Any, options: dict[str, Any], fragment: str) -> None:
    with pytest.raises(GradcheckError) as caught:
        gradcheck.torch.rule(given, **options)
    assert fragment in str(caught.value), f"wanted {fragment!r} in: {caught.value}"


class Module(torch.nn.Module):
    def forward(self, problem: Any) -> Any:
        return {name: torch.zeros(array.shape).numpy() for name, array in problem.parameters.items()}


@pytest.mark.parametrize(
    ("given", "fragment"),
    [
        (RNN, "gradcheck.torch.rule(RNN)"),
        (RNN(2, 3), "gradcheck.torch.rule(layer)"),
        (LSTM, "gradcheck.torch.rule(function)"),
        (Module(), "gradcheck.torch.rule(function)"),
    ],
    ids=["RNN", "an RNN", "LSTM", "a module"],
)
def test_a_module_handed_over_as_a_rule_is_told_what_to_write(given: Any, fragment: str) -> None:
    with pytest.raises(GradcheckError) as caught:
        gradcheck.audit(given)
    assert fragment in str(caught.value), f"wanted {fragment!r} in: {caught.value}"


def test_a_module_that_is_declared_a_rule_is_one() -> None:
    assert as_rule(gradcheck.rule(gradcheck.Exact())(Module)()).name == "Module"


def test_dropout_that_is_off_is_no_obstacle() -> None:
    dropping = RNN(2, 3, num_layers=2, dropout=0.5).eval()
    assert judged(gradcheck.torch.rule(dropping), Sizes(4, 3, 2, 2)).evidence.status is Status.HOLDS


# Functions


@pytest.mark.parametrize("function", [rules.loss, rules.gradients, rules.accumulated], ids=lambda f: f.__name__)
def test_losses_gradients_and_accumulated_gradients_hold(function: Any) -> None:
    rule = gradcheck.torch.rule(function)
    assert (rule.__name__, as_rule(rule).summary) == (function.__name__, (function.__doc__ or "").split("\n")[0])
    finding = judged(rule)
    assert finding.evidence.status is Status.HOLDS, finding.evidence.statement


def test_a_detached_state_is_refuted() -> None:
    finding = judged(gradcheck.torch.rule(rules.detached_every_20), LONG)
    assert finding.evidence.status is Status.REFUTED, finding.evidence.statement
    chunked = as_rule(gradcheck.torch.rule(rules.detached_every_20, gradcheck.Chunked(20)))
    case = Case(chunked, gradcheck.Chunked(20), chunked.declaration.networks[0])
    assert blackbox.BlackBox(sizes=[LONG]).gather(case).evidence.status is Status.HOLDS, (
        "it is what it claims to be there"
    )


@pytest.mark.parametrize(
    ("function", "status"), [(rules.weighted_loss, Status.HOLDS), (rules.weights_forgotten, Status.REFUTED)]
)
def test_loss_weights_are_handed_over_where_declared(function: Any, status: Status) -> None:
    finding = judged(gradcheck.torch.rule(function, weighted=True))
    assert finding.evidence.status is status, finding.evidence.statement


def test_a_network_of_the_users_own_with_a_state_of_two_parts() -> None:
    def gated(p: Any, inputs: Any, targets: Any, state: Any) -> Any:
        (h, m), total = state, 0
        for x, y in zip(inputs, targets, strict=True):
            z = torch.sigmoid(x @ p["G"] + p["k"] * h)
            m = (1 - z) * m + z * torch.tanh(x @ p["U"] + h @ p["S"] + p["b"])
            h = 0.25 * h + torch.tanh(m)
            total = total + ((h @ p["Q"] + p["o"] - y) ** 2).sum() / 2
        return total

    finding = judged(gradcheck.torch.rule(gated, networks=[GatedLeaky()]))
    assert finding.evidence.status is Status.HOLDS, finding.evidence.statement


def test_a_parameter_that_the_loss_does_not_reach_has_gradient_zero() -> None:
    problem = lively_problem(gradcheck.Network(), Sizes(3, 2, 2, 2), 0)
    found = gradcheck.torch.rule(rules.without_readout)(problem)
    assert not found["V"].any() and found["W"].all() and found["R"].all(), found
    assert not any(array.any() for array in gradcheck.torch.rule(rules.detached)(problem).values())
    assert judged(gradcheck.torch.rule(rules.detached)).evidence.status is Status.REFUTED


def test_gradients_kept_from_call_to_call_are_impure() -> None:
    report = gradcheck.audit(gradcheck.torch.rule(rules.Kept()), effort="quick")
    assert word(report, "pure") == "REFUTED" and word(report) == "NOT RUN", str(report)
    assert "it keeps state" in report.verdicts[0].statement


RETURNS: list[tuple[Any, str]] = [
    (lambda p, *_: None, "returned None; return a loss of shape (), a dict of gradients, or None after backward()"),
    (lambda p, *_: "loss", "returned a str; return a loss"),
    (lambda p, *_: rules.loss(p, *_).item(), "returned a float; return a loss"),
    (lambda p, *_: rules.loss(p, *_)[None], "returned a Tensor of shape (1,); return a loss of shape ()"),
    (
        lambda p, *_: {**p, "R": p["R"].bfloat16()},
        "returned bfloat16 for R, which is too coarse to judge",
    ),
    (
        lambda p, *_: rules.loss(p, *_).half(),
        "returned float16 for W, which is too coarse to judge",
    ),
    (lambda p, *_: {"W": p["W"], "R": p["R"]}, "lacks V"),
    (lambda p, *_: {**p, "R": None}, "returned None for R"),
    (lambda p, *_: {**p, "V": p["V"].T}, "returned shape (3, 2) for V; wanted (2, 3)"),
    (lambda p, *_: rules.accumulated(p, *_) or rules.loss(p, *_), "called backward and returned a loss"),
]


@pytest.mark.parametrize(("function", "fragment"), RETURNS, ids=[f"{i}" for i in range(len(RETURNS))])
def test_other_results_are_refused_in_words(function: Any, fragment: str) -> None:
    problem = lively_problem(gradcheck.Network(), Sizes(2, 2, 3, 3), 0)
    with pytest.raises(WrongResult) as caught:
        run(as_rule(gradcheck.torch.rule(function, name="odd")), problem)
    assert f"odd's result {fragment}" in str(caught.value) or f"odd {fragment}" in str(caught.value), caught.value


def test_an_error_in_torch_names_the_users_line() -> None:
    def mixed(p: Any, inputs: Any, targets: Any, state: Any) -> Any:
        return (inputs @ p["W"].float()).sum()

    with pytest.raises(GradcheckError, match=r"mixed raised RuntimeError.*line \d+: return \(inputs @ p"):
        run(as_rule(gradcheck.torch.rule(mixed)), lively_problem(gradcheck.Network(), Sizes(2, 2, 2, 2), 0))


# Formats and scalars


def test_float32_is_judged_as_float32() -> None:
    rule = as_rule(gradcheck.torch.rule(rules.loss, dtype=torch.float32))
    assert judged(rule).evidence.status is Status.HOLDS, "a right rule in float32"
    pure = purity.Purity(sizes=purity.SIZES[:1]).gather(Case(rule, gradcheck.Pure(), rule.declaration.networks[0]))
    assert "returns float32 for float64 and is judged at that precision" in pure.evidence.statement


@pytest.mark.parametrize(("dtype", "came"), [(None, "float32"), (torch.float32, "float32"), (torch.float64, "float64")])
def test_a_float32_problem_is_computed_in_its_own_format_or_in_the_one_asked_for(dtype: Any, came: str) -> None:
    rule = gradcheck.torch.rule(rules.loss, dtype=dtype)
    problem = lively_problem(gradcheck.Network(), Sizes(3, 2, 2, 2), 0).astype(np.float32)
    assert {array.dtype.name for array in rule(problem).values()} == {came}
    evidence = judged(rule, dtype=np.float32).evidence
    if came == "float64":
        assert evidence.status is Status.NOT_RUN and "it casts up" in evidence.statement, evidence
    else:
        assert evidence.status is Status.HOLDS, evidence


def test_a_loss_in_float32_is_judged_as_float32() -> None:
    rule = gradcheck.torch.rule(rules.in_float32)
    found = rule(lively_problem(gradcheck.Network(), Sizes(3, 2, 2, 2), 0))
    assert {array.dtype.name for array in found.values()} == {"float32"}
    assert judged(rule).evidence.status is Status.HOLDS, "rounding to float32 is no fault where the loss is float32"
    finer = gradcheck.torch.rule(lambda p, *_: rules.loss(p, *_).double(), dtype=torch.float32, name="finer")
    assert judged(finer).evidence.status is Status.HOLDS, "a loss in float64 makes gradients in float32 no finer"


def test_other_scalars_are_refused_by_name() -> None:
    problem = lively_problem(gradcheck.Network(), Sizes(3, 2, 2, 2), 0).over(BallField(64))
    for given in (rules.loss, functools.partial(rules.gradients)):
        with pytest.raises(UnsupportedOperation, match="a tensor is not defined on ball scalars"):
            gradcheck.torch.rule(given, name="given")(problem)


def test_torchs_global_state_is_left_as_it_is_and_not_needed() -> None:
    problem = lively_problem(gradcheck.Network(), Sizes(3, 2, 2, 2), 0)
    rule = gradcheck.torch.rule(rules.loss)
    expected = rule(problem)
    with torch.no_grad():
        found = rule(problem)
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled() and torch.get_default_dtype() is torch.float32
    assert all(np.array_equal(found[key], expected[key]) for key in expected), "no_grad around an audit changed it"


# The module


def test_neither_framework_is_imported_unless_used() -> None:
    program = (
        "import sys, numpy, gradcheck, gradcheck.jax, gradcheck.torch\n"
        "from gradcheck.problems.lively import lively_problem\n"
        "from gradcheck.reference.networks.base import Sizes\n"
        "lively_problem(gradcheck.torch.TorchRNN(), Sizes(3, 2, 2, 2), 0)\n"
        "gradcheck.audit(lambda problem: None, [gradcheck.Exact()], effort='quick')\n"
        "print([name for name in ('torch', 'jax') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["[]"], done.stdout + done.stderr


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_a_missing_framework_gives_its_install_line(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, framework, None)
    with pytest.raises(GradcheckError, match=rf"pip install 'rnn-gradcheck\[{framework}\]'"):
        getattr(gradcheck, framework).rule(lambda p, x, y, a: None)


def test_a_star_import_does_not_hide_the_frameworks() -> None:
    assert not {"torch", "jax"} & set(gradcheck.__all__) and {"torch", "jax"} <= set(dir(gradcheck))


def test_a_rule_is_found_by_the_name_it_is_given_where_it_is_made() -> None:
    made = gradcheck.torch.rule(RNN, name="layer")
    assert (made.__module__, made.__qualname__) == (__name__, "layer")
    assert as_rule(made).declaration.claims == (gradcheck.Exact(),)
    assert as_rule(gradcheck.torch.rule(RNN, gradcheck.Truncated(3))).declaration.claims == (gradcheck.Truncated(3),)


def test_supported_is_the_most_that_floats_can_show() -> None:
    assert judged(gradcheck.torch.rule(rules.loss)).evidence.strength is Strength.SUPPORTED


def test_the_adapter_is_not_the_authors_code() -> None:
    made = gradcheck.torch.rule(rules.loss)
    authored = authored_by(made)
    assert authored(rules.__file__) and not authored(as_rule(made).target.__code__.co_filename)
