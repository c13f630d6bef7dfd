"""Rules from torch and JAX that return gradients of inputs and initial state, right ones and wrong ones."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

import gradcheck
from gradcheck.evidence.base import Case
from gradcheck.evidence.floats.blackbox import BlackBox
from gradcheck.problems.lively import lively_problem
from gradcheck.records import Evidence, Status
from gradcheck.reference.claims import Exact, Truncated
from gradcheck.reference.network import DEFAULT_NETWORK, Sizes
from gradcheck.reference.wanted import KINDS
from gradcheck.rules.adapt import WrongResult, as_rule
from gradcheck.rules.call import run
from gradcheck.rules.torch import TorchRNN

ALL = Exact(of=KINDS)
SIZES = Sizes(4, 3, 2, 2)
torch: Any = pytest.importorskip("torch", reason="torch is missing; pip install 'rnn-gradcheck[torch]'")


def judged(rule: Any) -> Evidence:
    """The rule on floats of one size, on the claim and network that it declares."""
    made = as_rule(rule)
    case = Case(made, made.declaration.claims[0], made.declaration.networks[0])
    return BlackBox(sizes=(SIZES,), branching=False).gather(case).evidence


def loss(parameters: Any, inputs: Any, targets: Any, initial_state: Any) -> Any:
    a, total = initial_state, 0
    for x, y in zip(inputs, targets, strict=True):
        a = torch.tanh(x @ parameters["W"] + a @ parameters["R"])
        total = total + ((a @ parameters["V"] - y) ** 2).sum() / 2
    return total


def gradients(parameters: Any, inputs: Any, targets: Any, initial_state: Any) -> Any:
    value = loss(parameters, inputs, targets, initial_state)
    found = torch.autograd.grad(value, [*parameters.values(), inputs, initial_state])
    return dict(zip([*parameters, "inputs", "initial_state"], found, strict=True))


def backward(parameters: Any, inputs: Any, targets: Any, initial_state: Any) -> None:
    loss(parameters, inputs, targets, initial_state).backward()


@pytest.mark.torch
@pytest.mark.parametrize("function", [loss, gradients, backward], ids=lambda f: f.__name__)
def test_torch_has_them_by_a_loss_by_gradients_and_by_backward(function: Any) -> None:
    found = judged(gradcheck.torch.rule(function, ALL))
    assert found.status is Status.HOLDS and "inputs" in found.blind, found


@pytest.mark.torch
@pytest.mark.parametrize("detached", ["inputs", "initial state"])
def test_torch_where_one_is_detached(detached: str) -> None:
    def wrong(parameters: Any, inputs: Any, targets: Any, initial_state: Any) -> Any:
        if detached == "inputs":
            return loss(parameters, inputs.detach(), targets, initial_state)
        return loss(parameters, inputs, targets, initial_state.detach())

    found = judged(gradcheck.torch.rule(wrong, ALL))
    assert found.status is Status.REFUTED and detached.replace(" ", "_") in found.statement, found


class CutState(torch.nn.LSTM):  # type: ignore[misc]
    """An LSTM that takes c(0) for a constant."""

    def forward(self, inputs: Any, start: Any) -> Any:
        return super().forward(inputs, (start[0], start[1].detach()))


@pytest.mark.torch
@pytest.mark.parametrize("layers", [1, 2])
def test_layers_of_torch_with_nested_states(layers: int) -> None:
    right = gradcheck.torch.rule(torch.nn.LSTM(1, 1, num_layers=layers), ALL)
    assert judged(right).status is Status.HOLDS
    found = judged(gradcheck.torch.rule(CutState(1, 1, num_layers=layers), ALL))
    assert found.status is Status.REFUTED and "initial_state" in found.statement, found
    problem = lively_problem(TorchRNN(kind="LSTM", layers=layers), SIZES, 0)
    names = [name for name in run(as_rule(right), problem).gradient if name.startswith("initial_state")]
    assert names == (["initial_state[0]", "initial_state[1]"] if layers == 1 else [
        "initial_state[0][0]", "initial_state[0][1]", "initial_state[1][0]", "initial_state[1][1]",
    ])  # fmt: skip


@pytest.mark.torch
def test_torch_returns_what_is_declared_and_no_more() -> None:
    problem = lively_problem(DEFAULT_NETWORK, SIZES, 0)
    assert list(run(as_rule(gradcheck.torch.rule(loss)), problem.copy()).gradient) == ["W", "R", "V"]
    some = gradcheck.torch.rule(loss, Truncated(9, of=("inputs",)))
    assert list(run(as_rule(some), problem.copy()).gradient) == ["inputs"]
    with pytest.raises(WrongResult, match="lacks initial_state, inputs"):
        run(as_rule(gradcheck.torch.rule(loss), claims=[ALL]), problem.copy())


@pytest.mark.jax
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is missing; pip install 'rnn-gradcheck[jax]'")
@pytest.mark.usefixtures("quick_to_compile")
def test_jax_has_them_and_a_stopped_gradient_is_refuted() -> None:
    import jax

    network = gradcheck.network(
        lambda p, a, x: {"h": np.tanh(p["W"].T @ x + p["R"].T @ a["c"]), "c": a["c"] / 2 + a["h"]},
        lambda p, a: p["V"].T @ a["h"],
        parameters={"W": ("D", "I"), "R": ("I", "I"), "V": ("I", "K")},
        state={"h": ("I",), "c": ("I",)},
    )

    def function(parameters: Any, inputs: Any, targets: Any, initial_state: Any, stop: Any = lambda a: a) -> Any:
        def step(a: Any, given: Any) -> Any:
            x, y = given
            h = jax.numpy.tanh(x @ parameters["W"] + a["c"] @ parameters["R"])
            return {"h": h, "c": a["c"] / 2 + a["h"]}, ((h @ parameters["V"] - y) ** 2).sum() / 2

        start = {"h": stop(initial_state["h"]), "c": initial_state["c"]}
        return jax.lax.scan(step, start, (inputs, targets))[1].sum()

    def stopped(*arguments: Any) -> Any:
        return function(*arguments, stop=jax.lax.stop_gradient)

    def by_hand(*arguments: Any) -> Any:
        found = jax.grad(function, (0, 1, 3))(*arguments)
        return {**found[0], "inputs": found[1], "initial_state": found[2]}

    for each, status in ((function, Status.HOLDS), (by_hand, Status.HOLDS), (stopped, Status.REFUTED)):
        found = judged(gradcheck.jax.rule(each, ALL, networks=[network]))
        assert found.status is status, found
    assert "initial_state[h]" in found.statement, found
