"""Parameters in torch's and flax's layouts: torch's own layers compute the same loss and the same gradient."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
torch = pytest.importorskip("torch")

import gradcheck  # noqa: E402
from gradcheck.problems.lively import lively_problem  # noqa: E402
from gradcheck.reference import lags  # noqa: E402
from gradcheck.reference.network import Sizes  # noqa: E402
from gradcheck.reference.problem import loss  # noqa: E402
from gradcheck.reference.tree import leaves  # noqa: E402

Elman, GRU, LSTM, Stacked = gradcheck.Elman, gradcheck.GRU, gradcheck.LSTM, gradcheck.Stacked
SIZES = Sizes(5, 4, 3, 2)
LAYERS: tuple[Any, ...] = (
    (Elman(biases=2, readout_bias=True), "RNN", {}),
    (Elman("relu", biases=0), "RNN", {"nonlinearity": "relu", "bias": False}),
    (LSTM(biases=2), "LSTM", {}),
    (LSTM(biases=0, readout_bias=True), "LSTM", {"bias": False}),
    (LSTM(biases=2, projection=2), "LSTM", {"proj_size": 2}),
    (GRU(reset="after", biases=2), "GRU", {}),
    (GRU(reset="after", biases=0), "GRU", {"bias": False}),
    (Stacked(LSTM(biases=2), LSTM(biases=2)), "LSTM", {"num_layers": 2}),
    (Stacked(LSTM(biases=2, projection=3), LSTM(biases=2, projection=3)), "LSTM", {"num_layers": 2, "proj_size": 3}),
    (Stacked(*[GRU(reset="after", biases=2)] * 3, readout_bias=True), "GRU", {"num_layers": 3}),
)


def of_torch(network: Any, kind: str, settings: Any, problem: Any) -> tuple[float, dict[str, Any]]:
    """The loss of torch's layer and readout, and its gradient by torch's names."""
    given = {name: torch.tensor(array) for name, array in gradcheck.to_torch(network, problem.parameters).items()}
    layer = getattr(torch.nn, kind)(SIZES.D, SIZES.I, dtype=torch.float64, **settings)
    layer.load_state_dict({name: value for name, value in given.items() if not name.startswith("readout.")})
    width = given["readout.weight"].shape[1]
    readout = torch.nn.Linear(width, SIZES.K, bias=network.readout_bias, dtype=torch.float64)
    readout.load_state_dict({n.removeprefix("readout."): v for n, v in given.items() if n.startswith("readout.")})
    cells = problem.initial_state if isinstance(network, Stacked) else (problem.initial_state,)
    states = [torch.tensor(np.stack(parts)) for parts in zip(*map(leaves, cells), strict=True)]
    h, _ = layer(torch.tensor(problem.inputs), tuple(states) if kind == "LSTM" else states[0])
    total = ((readout(h) - torch.tensor(problem.targets)) ** 2).sum() / 2
    total.backward()
    gradient = {name: value.grad for name, value in layer.named_parameters()}
    return float(total.detach()), gradient | {
        f"readout.{name}": value.grad for name, value in readout.named_parameters()
    }


@pytest.mark.parametrize(("network", "kind", "settings"), LAYERS, ids=lambda each: str(each))
def test_torch_computes_the_same(network: Any, kind: str, settings: Any) -> None:
    problem = lively_problem(network, SIZES, 0)
    value, gradient = of_torch(network, kind, settings, problem)
    assert value == pytest.approx(float(loss(problem)), rel=1e-13)
    found, true = gradcheck.from_torch(network, gradient), lags.gradient(problem)
    assert list(found) == list(true) == list(problem.parameters)
    for name in true:
        assert np.allclose(found[name], true[name], rtol=1e-11, atol=1e-14), name


@pytest.mark.parametrize(("network", "kind", "settings"), LAYERS, ids=lambda each: str(each))
def test_there_and_back(network: Any, kind: str, settings: Any) -> None:
    parameters = lively_problem(network, SIZES, 0).parameters
    back = gradcheck.from_torch(network, gradcheck.to_torch(network, parameters))
    assert all(np.array_equal(back[name], array) for name, array in parameters.items())


def test_twin_gates_in_another_order_compute_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    from gradcheck.reference.networks import layouts

    monkeypatch.setitem(layouts._TORCH_GATES, LSTM, ("_i", "_f", "_o", "_z"))
    problem = lively_problem(LSTM(biases=2), SIZES, 0)
    value, _ = of_torch(LSTM(biases=2), "LSTM", {}, problem)
    assert value != pytest.approx(float(loss(problem)), rel=1e-6)


FLAX: tuple[Any, ...] = (
    (Elman(readout_bias=True), {"i": "kernel bias", "h": "kernel", "readout": "kernel bias"}),
    (LSTM(), {**dict.fromkeys(("ii", "if", "ig", "io"), "kernel"),
              **dict.fromkeys(("hi", "hf", "hg", "ho"), "kernel bias"), "readout": "kernel"}),
    (GRU(reset="after"), {**dict.fromkeys(("ir", "iz", "in", "hn"), "kernel bias"),
                          **dict.fromkeys(("hr", "hz"), "kernel"), "readout": "kernel"}),
)  # fmt: skip


@pytest.mark.parametrize(("network", "modules"), FLAX, ids=lambda each: getattr(each, "name", ""))
def test_flax_has_these_names(network: Any, modules: Any) -> None:
    parameters = lively_problem(network, SIZES, 0).parameters
    there = gradcheck.to_flax(network, parameters)
    assert {module: set(own) for module, own in there.items()} == {m: set(n.split()) for m, n in modules.items()}
    back = gradcheck.from_flax(network, there)
    assert list(back) == list(parameters) and all(np.array_equal(back[n], a) for n, a in parameters.items())


def test_flax_s_equations_of_the_gru_and_the_lstm() -> None:
    """Written from the documentation of flax.linen, on flax's own names."""
    logistic = lambda s: 1 / (1 + np.exp(-s))  # noqa: E731
    problem = lively_problem(GRU(reset="after"), SIZES, 0)
    p, h, x = gradcheck.to_flax(GRU(reset="after"), problem.parameters), problem.initial_state, problem.inputs[0]
    dense = lambda name, v: v @ p[name]["kernel"] + p[name].get("bias", 0)  # noqa: E731
    r, z = (logistic(dense(f"i{g}", x) + dense(f"h{g}", h)) for g in "rz")
    n = np.tanh(dense("in", x) + r * dense("hn", h))
    after = problem.network.step(problem.parameters, h, x)
    assert np.allclose(after, (1 - z) * n + z * h, rtol=1e-14)

    problem = lively_problem(LSTM(), SIZES, 0)
    p, (h, c), x = gradcheck.to_flax(LSTM(), problem.parameters), problem.initial_state, problem.inputs[0]
    i, f, g, o = (dense(f"i{gate}", x) + dense(f"h{gate}", h) for gate in "ifgo")
    c = logistic(f) * c + logistic(i) * np.tanh(g)
    after = problem.network.step(problem.parameters, problem.initial_state, x)
    assert np.allclose(after[0], logistic(o) * np.tanh(c), rtol=1e-14) and np.allclose(after[1], c, rtol=1e-14)


@pytest.mark.parametrize(
    ("convert", "said"),
    [
        (lambda: gradcheck.from_torch(LSTM(), {}), "torch has no layer like LSTM tanh; it has Elman(biases=2)"),
        (lambda: gradcheck.from_torch(GRU(biases=2), {}), 'GRU(reset="after", biases=2)'),
        (lambda: gradcheck.from_torch(LSTM(biases=2, peepholes=True), {}), "torch has no layer like LSTM"),
        (lambda: gradcheck.from_torch(LSTM(biases=2), {"weight_ih_l0": 1}), "wanted the parameters weight_ih_l0"),
        (lambda: gradcheck.to_torch(LSTM(biases=2), {"W_z": 1}), "wanted the parameters W_z"),
        (lambda: gradcheck.from_torch(Stacked(LSTM(biases=2), GRU(reset="after", biases=2)), {}), "that are alike"),
        (lambda: gradcheck.to_flax(LSTM(biases=2), {}), "wanted the parameters"),
        (lambda: gradcheck.from_flax(LSTM(biases=2), {}), "flax has no cell like LSTM tanh, biases 2"),
        (
            lambda: gradcheck.from_torch(
                GRU(reset="after", biases=0),
                {"weight_ih_l0": np.ones((4, 1)), "weight_hh_l0": np.ones((4, 1)), "readout.weight": np.ones((1, 1))},
            ),
            "weight_ih_l0 has shape (4, 1); wanted 3 gates in its rows",
        ),
    ],
)
def test_what_cannot_be_converted(convert: Any, said: str) -> None:
    with pytest.raises(gradcheck.GradcheckError) as error:
        convert()
    assert said in str(error.value), str(error.value)
