"""Shipped cells: their equations against plain NumPy, their options, and their names in files and programs."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import plain_rules
import pytest
from cells import CELLS, named

import gradcheck
from gradcheck.cli.options import networks as from_text
from gradcheck.evidence.base import Case
from gradcheck.evidence.preconditions.oracles import agreement
from gradcheck.explain.origins import expression, shipped
from gradcheck.explain.program import snippet
from gradcheck.problems.extremes import READOUT, STEP, parts
from gradcheck.problems.lively import lively_problem
from gradcheck.reference import lags
from gradcheck.reference.networks import registry
from gradcheck.reference.networks.base import RecurrentNetwork, Sizes
from gradcheck.reference.networks.state import state_of
from gradcheck.reference.problem import forward
from gradcheck.rules.adapt import as_rule
from gradcheck.store.problems import opened

LSTM, GRU, Leaky = gradcheck.LSTM, gradcheck.GRU, gradcheck.Leaky


def logistic(s: Any) -> Any:
    return 1 / (1 + np.exp(-s))


def lstm(p: Any, state: Any, x: Any) -> Any:
    h, c = state
    at = lambda g: p[f"W_{g}"].T @ x + p[f"R_{g}"].T @ h + p[f"b_{g}"]  # noqa: E731
    c = logistic(at("f")) * c + logistic(at("i")) * np.tanh(at("z"))
    return logistic(at("o")) * np.tanh(c), c


def coupled_peephole_lstm(p: Any, state: Any, x: Any) -> Any:
    h, c = state
    at = lambda g: p[f"W_{g}"].T @ x + p[f"R_{g}"].T @ h + p[f"b_{g}"]  # noqa: E731
    i = logistic(at("i") + p["p_i"] * c)
    c = (1 - i) * c + i * np.tanh(at("z"))
    return logistic(at("o") + p["p_o"] * c) * np.tanh(c), c


def gru(p: Any, h: Any, x: Any) -> Any:
    r, z = (logistic(p[f"W_{g}"].T @ x + p[f"R_{g}"].T @ h + p[f"b_{g}"]) for g in "rz")
    return z * h + (1 - z) * np.tanh(p["W_n"].T @ x + p["R_n"].T @ (r * h) + p["b_n"])


def gru_after(p: Any, h: Any, x: Any) -> Any:
    r, z = (logistic(p[f"W_{g}"].T @ x + p[f"R_{g}"].T @ h + p[f"b_{g}"]) for g in "rz")
    return z * h + (1 - z) * np.tanh(p["W_n"].T @ x + p["b_n"] + r * (p["R_n"].T @ h + p["Rb_n"]))


def mgu(p: Any, h: Any, x: Any) -> Any:
    f = logistic(p["W_f"].T @ x + p["R_f"].T @ h + p["b_f"])
    return (1 - f) * h + f * np.tanh(p["W_n"].T @ x + p["R_n"].T @ (f * h) + p["b_n"])


def rate(p: Any, h: Any, x: Any) -> Any:
    return (1 - p["alpha"]) * h + p["alpha"] * np.tanh(p["W"].T @ x + p["R"].T @ h + p["b"])


def euler(p: Any, s: Any, x: Any) -> Any:
    return s + 0.125 * (-s + p["W"].T @ x + p["R"].T @ np.tanh(s) + p["b"]) / p["tau"]


def jordan(p: Any, u: Any, x: Any) -> Any:
    return p["V"].T @ np.tanh(p["W"].T @ x + p["R"].T @ u + p["b"])


def lru(p: Any, state: Any, x: Any) -> Any:
    eigenvalues = np.exp(-np.exp(p["nu"]) + 1j * np.exp(p["theta"]))
    h = eigenvalues * (state[0] + 1j * state[1]) + np.exp(p["log_gamma"]) * ((p["B_re"] + 1j * p["B_im"]).T @ x)
    return h.real, h.imag


def rtu(p: Any, state: Any, x: Any) -> Any:
    r, phi = np.exp(-np.exp(p["nu"])), np.exp(p["theta"])
    s = r * np.exp(1j * phi) * (state[0] + 1j * state[1]) + np.sqrt(1 - r**2) * ((p["B_re"] + 1j * p["B_im"]).T @ x)
    return np.tanh(s.real), np.tanh(s.imag)


def residual(p: Any, state: Any, x: Any) -> Any:
    below = np.tanh(p["layer0.W"].T @ x + p["layer0.R"].T @ state[0] + p["layer0.b"])
    return below, np.tanh(p["layer1.W"].T @ below + p["layer1.R"].T @ state[1] + p["layer1.b"])


EQUATIONS: tuple[tuple[Any, Any], ...] = (
    (LSTM(), lstm), (LSTM(forget="coupled", peepholes=True), coupled_peephole_lstm), (GRU(), gru),
    (GRU(reset="after"), gru_after), (gradcheck.MGU(), mgu), (Leaky(), rate), (gradcheck.ContinuousTime(), euler),
    (gradcheck.Jordan(), jordan), (gradcheck.LRU(), lru), (gradcheck.RTU(), rtu),
    (gradcheck.Stacked(gradcheck.Elman(), gradcheck.Elman(), residual=True), residual),
)  # fmt: skip


def gap(network: Any, step: Any) -> float:
    """The largest difference of a state after three steps from that of other equations."""
    problem = lively_problem(network, Sizes(3, 3, 2, 2), 0)
    state = problem.initial_state
    for x in problem.inputs:
        state = step(problem.parameters, state, x)
    after = forward(problem)[0][-1]
    flat = lambda nest: np.concatenate([np.ravel(part) for part in (nest if isinstance(nest, tuple) else (nest,))])  # noqa: E731
    return float(np.abs(flat(after) - flat(state)).max())


@pytest.mark.parametrize(("network", "step"), EQUATIONS, ids=lambda each: getattr(each, "__name__", ""))
def test_the_equations_of_a_cell(network: Any, step: Any) -> None:
    assert gap(network, step) < 1e-15


@pytest.mark.parametrize(
    ("network", "step"),
    [(GRU(), gru_after), (GRU(reset="after"), gru), (LSTM(), lambda p, s, x: lstm(p, s, x)[::-1]), (Leaky(), gru)],
)
def test_twin_other_equations_differ(network: Any, step: Any) -> None:
    with contextlib.suppress(KeyError):  # a cell without a parameter that the equations have differs too
        assert gap(network, step) > 1e-6


def test_the_readout_of_residual_layers_is_their_sum() -> None:
    network = gradcheck.Stacked(gradcheck.Elman(), gradcheck.Elman(), residual=True)
    problem = lively_problem(network, Sizes(2, 3, 2, 2), 0)
    (h0, h1), u = forward(problem)[0][-1], forward(problem)[1][-1]
    assert np.allclose(u, problem.parameters["V"].T @ (h0 + h1), rtol=1e-15)


@pytest.mark.parametrize("cell", CELLS, ids=named)
def test_a_cell_is_a_network_on_which_the_oracles_agree(cell: Any) -> None:
    assert isinstance(cell, RecurrentNetwork)
    problem = lively_problem(cell, Sizes(4, 3, 2, 2), 0)
    assert problem.sizes == Sizes(4, 3, 2, 2)
    assert agreement(cell, Sizes(2, 1, 1, 2), with_sympy=False).holds


@pytest.mark.parametrize("cell", CELLS, ids=named)
def test_a_cell_comes_back_from_a_file_and_from_its_source(cell: Any) -> None:
    data = json.loads(json.dumps(registry.to_data(cell)))
    back = registry.from_data(data)
    assert back == cell and type(back) is type(cell) and state_of(back) == state_of(cell)
    assert shipped(cell) and eval(expression(cell), {"gradcheck": gradcheck}) == cell


@pytest.mark.parametrize("cell", CELLS, ids=named)
def test_a_file_of_problems_holds_a_cell(cell: Any, tmp_path: Path) -> None:
    problem = lively_problem(cell, Sizes(2, 2, 1, 2), 0)
    (back,) = opened(gradcheck.save_problems(problem, tmp_path / "problems.json")).problems([])
    assert back.network == cell
    assert all(np.array_equal(back.arrays()[name], array) for name, array in problem.arrays().items())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"peepholes": 1}, "peepholes"),
        ({"forget": "off"}, "LSTM has no forget='off'"),
        ({"peephole": True}, "peephole"),
        ({"projection": 10**6}, "has the parameters"),
    ],
)
def test_twin_a_file_with_another_option_is_refused(changed: Any, said: str, tmp_path: Path) -> None:
    path = gradcheck.save_problems(lively_problem(LSTM(), Sizes(2, 2, 1, 2), 0), tmp_path / "problems.json")
    data = json.loads(path.read_text())
    data["problems"][0]["network"].update(changed)
    path.write_text(json.dumps(data))
    with pytest.raises(gradcheck.GradcheckError, match=said):
        opened(path).problems([])


def test_cells_of_other_options_differ() -> None:
    for at, one in enumerate(CELLS):
        for other in CELLS[at + 1 :]:
            assert one != other and state_of(one) != state_of(other) and named(one) != named(other)
            assert parts([one, other], other) == (STEP, READOUT)
    assert parts([LSTM(), LSTM("relu")], LSTM("relu")) == (STEP,), "the readout is that of the first"


@pytest.mark.parametrize("cell", CELLS, ids=named)
def test_a_program_has_the_equations_of_the_cell(cell: Any) -> None:
    problem = lively_problem(cell, Sizes(3, 2, 1, 2), 0)
    gradient = lags.gradient(problem)
    case = Case(as_rule(plain_rules.good), gradcheck.Exact(), cell)
    for name in gradient:
        index = (0,) * gradient[name].ndim
        true = float(gradient[name][index])
        entry = f"{name}[{','.join(map(str, index))}]"
        program = snippet(case, problem, {}, entry, "0.25", repr(true))
        assert "import gradcheck" not in [line.strip() for line in program.split("\n")], "NumPy alone"
        assert not [line for line in program.split("\n") if len(line) > 80 and not line.startswith("#")]
        space: dict[str, Any] = {}
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(program, "program", "exec"), space)
        assert space["true"] == pytest.approx(true, rel=1e-11, abs=1e-15)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: LSTM(forget="off"), "LSTM has no forget='off'; choose one of 'gate', 'coupled', 'none'"),
        (lambda: LSTM(peepholes=1), "LSTM has no peepholes=1; choose one of False, True"),
        (lambda: LSTM(projection=-1), "LSTM has no projection=-1; wanted a whole number"),
        (lambda: LSTM(projection=True), "LSTM has no projection=True"),
        (lambda: GRU(biases=3), "GRU has no biases=3; choose one of 0, 1, 2"),
        (lambda: GRU("tanhh"), "there is no activation 'tanhh'"),
        (lambda: Leaky(leak=0), "Leaky has no leak=0; wanted a number in"),
        (lambda: Leaky(state="both"), "Leaky has no state='both'; choose one of 'rate', 'potential'"),
        (lambda: gradcheck.ContinuousTime(dt=-1), "ContinuousTime has no dt=-1; wanted a number above 0"),
        (lambda: gradcheck.Stacked(), "Stacked has no layers; give it cells"),
        (lambda: gradcheck.Stacked(gradcheck.Network()), "is no layer; use cells such as LSTM"),
        (lambda: gradcheck.Stacked(gradcheck.Jordan()), "is no layer"),
        (lambda: gradcheck.Stacked(LSTM(readout_bias=True)), "give readout_bias to Stacked"),
        (lambda: gradcheck.Stacked(LSTM(), LSTM(projection=2), residual=True), "these differ"),
        (lambda: registry.from_data({"kind": "LSTM", "biasses": 1}), "a network has no 'biasses'; wanted activation"),
        (lambda: registry.from_data({"kind": "Stacked", "layers": 3}), "are a list of networks; got 3"),
        (lambda: registry.from_data({"kind": "Stacked", "layers": [{"kind": "Network"}]}), "is no layer"),
    ],
)
def test_what_is_no_cell(made: Any, said: str) -> None:
    with pytest.raises(gradcheck.GradcheckError) as error:
        made()
    assert said in str(error.value), str(error.value)


def test_cells_on_the_command_line() -> None:
    texts = [
        "lstm",
        "gru,reset=after,biases=2:tanh",
        "leaky,leak=0.25:relu,softmax",
        "lstm,peepholes=true:",
        "elman:tanh",
    ]
    assert from_text(texts) == [
        LSTM(), GRU(reset="after", biases=2), Leaky("relu", "softmax", leak=0.25), LSTM(peepholes=True),
        gradcheck.Elman(),
    ]  # fmt: skip


def test_a_mixed_stack_has_no_undefined_activation() -> None:
    same, mixed = gradcheck.Stacked(LSTM(), GRU()), gradcheck.Stacked(LSTM(), GRU("relu"))
    assert same.undefined() is not None and mixed.undefined() is None and mixed.has_kinks()


def test_where_training_of_an_irnn_starts() -> None:
    problem = lively_problem(gradcheck.IRNN(), Sizes(2, 3, 2, 1), 0)
    started = gradcheck.IRNN().initialised(problem.parameters)
    assert (started["R"] == np.eye(3)).all() and not started["b"].any()
    assert (started["W"] == problem.parameters["W"]).all()
