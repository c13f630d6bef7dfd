"""Batches in torch and JAX: layers on several sequences, packed ones, and functions that mask by lengths."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

import gradcheck
from gradcheck.evidence.base import Case
from gradcheck.evidence.floats import blackbox
from gradcheck.explain.diagnosis import diagnose
from gradcheck.problems.lively import lively_problem
from gradcheck.records import Status
from gradcheck.reference.networks.base import Sizes
from gradcheck.rules.adapt import as_rule

if importlib.util.find_spec("torch") is None:
    pytest.skip("torch is missing; pip install 'rnn-gradcheck[torch]'", allow_module_level=True)

import torch  # noqa: E402

pytestmark = pytest.mark.torch
BATCH = gradcheck.Batch(gradcheck.Network(), N=3, lengths="any", time="mean")
TOKENS = gradcheck.Batch(gradcheck.Network(), N=2, reduction="sum", tokens=True)
RNN, LSTM, GRU = torch.nn.RNN, torch.nn.LSTM, torch.nn.GRU


def status(rule: Any) -> Status:
    made = as_rule(rule)
    case = Case(made, gradcheck.Exact(), made.declaration.networks[0])
    return blackbox.BlackBox(np.float64, sizes=(Sizes(6, 3, 2, 2),), branching=()).gather(case).evidence.status


class Lagging(RNN):
    """A layer that forgets between the sequences of its batch: each sees the inputs of the one before."""

    def forward(self, given: Any, start: Any) -> Any:
        return super().forward(given.roll(1, dims=1), start)


@pytest.mark.parametrize(
    ("layer", "options"),
    [
        (RNN, {"N": 2}),
        (LSTM, {"N": 3, "packed": True}),
        (GRU(1, 1, 2, batch_first=True), {"N": 2, "packed": True}),
        (LSTM(1, 1, batch_first=True), {"N": 2}),
    ],
)
def test_layers_on_batches(layer: Any, options: Any) -> None:
    assert status(gradcheck.torch.rule(layer, **options)) is Status.HOLDS


def test_twin_a_layer_that_mixes_sequences_is_refuted() -> None:
    assert status(gradcheck.torch.rule(Lagging, N=2)) is Status.REFUTED


def masked(p: Any, inputs: Any, targets: Any, state: Any, *, lengths: Any) -> Any:
    live = (torch.arange(len(inputs))[:, None] < lengths)[..., None]
    inputs, targets, total = torch.where(live, inputs, 0), torch.where(live, targets, 0), 0
    for x, y, on in zip(inputs, targets, live, strict=True):
        state = torch.tanh(x @ p["W"] + state @ p["R"])
        total = total + (on * (state @ p["V"] - y) ** 2).sum(-1) / 2
    return (total / lengths).mean()


def unmasked(p: Any, inputs: Any, targets: Any, state: Any, *, mask: Any) -> Any:
    lengths = torch.full((mask.shape[1],), len(inputs))
    return masked(p, inputs, targets, state, lengths=lengths)


def embedded(p: Any, inputs: Any, targets: Any, state: Any) -> Any:
    total = 0
    for ids, y in zip(inputs, targets, strict=True):
        state = torch.tanh(torch.nn.functional.embedding(ids, p["W"]) + state @ p["R"])
        total = total + ((state @ p["V"] - y) ** 2).sum() / 2
    return total


def test_functions_get_lengths_and_masks() -> None:
    assert status(gradcheck.torch.rule(masked, networks=[BATCH])) is Status.HOLDS
    assert status(gradcheck.torch.rule(embedded, networks=[TOKENS])) is Status.HOLDS


def test_twin_padding_that_is_not_masked_is_refuted() -> None:
    """Its diagnosis is made on other padding than NaN, which is like nothing."""
    rule = gradcheck.torch.rule(unmasked, networks=[BATCH])
    assert status(rule) is Status.REFUTED
    case = Case(as_rule(rule), gradcheck.Exact(), BATCH)
    assert "padding is not masked" in str(diagnose(case, {}, lively_problem(BATCH, Sizes(4, 2, 6, 3), 0)))


def test_what_is_refused() -> None:
    for make, message in (
        (lambda: gradcheck.torch.rule(LSTM, packed=True), "packed sequences are those of a batch"),
        (lambda: gradcheck.torch.rule(masked, N=3), "N and packed are for layers"),
    ):
        with pytest.raises(gradcheck.GradcheckError, match=message):
            make()
    report = gradcheck.audit(gradcheck.torch.rule(masked), effort="quick")
    assert "for batches; declare one" in str(report)


@pytest.mark.jax
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is missing")
def test_jax_functions_get_lengths() -> None:
    import jax.numpy as jnp

    def by_lengths(p: Any, inputs: Any, targets: Any, state: Any, *, lengths: Any) -> Any:
        live = (jnp.arange(len(inputs))[:, None] < lengths)[..., None]
        inputs, targets, total = jnp.where(live, inputs, 0), jnp.where(live, targets, 0), 0
        for x, y, on in zip(inputs, targets, live, strict=True):
            state = jnp.tanh(x @ p["W"] + state @ p["R"])
            total = total + (on * (state @ p["V"] - y) ** 2).sum(-1) / 2
        return (total / lengths).mean()

    assert status(gradcheck.jax.rule(by_lengths, networks=[BATCH])) is Status.HOLDS

    def summed(*arrays: Any, lengths: Any) -> Any:
        return by_lengths(*arrays, lengths=lengths) * 3

    assert status(gradcheck.jax.rule(summed, networks=[BATCH])) is Status.REFUTED
