"""Shipped cells, with each option once, and wrong rules for any of them."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import numpy as np

import gradcheck
from gradcheck.algorithms.cells import Total, added, nothing, steps
from gradcheck.reference.networks import gated, lstm
from gradcheck.reference.networks.activations import ACTIVATIONS
from gradcheck.reference.tape import Traced
from gradcheck.reference.tree import leaves

Elman, Jordan, Leaky, GRU, LSTM = gradcheck.Elman, gradcheck.Jordan, gradcheck.Leaky, gradcheck.GRU, gradcheck.LSTM

CELLS: tuple[Any, ...] = (
    Elman(),
    Elman("logistic", biases=2, readout_bias=True),
    Elman("softplus", biases=0),
    gradcheck.IRNN(),
    Jordan(),
    Jordan("logistic", "tanh", biases=0, readout_bias=True),
    Leaky(),
    Leaky("relu", leak=0.25, state="potential"),
    gradcheck.ContinuousTime(),
    gradcheck.ContinuousTime(dt=0.25, state="rate"),
    GRU(),
    GRU(reset="after"),
    GRU(reset="after", biases=2),
    gradcheck.MGU(),
    LSTM(),
    LSTM(forget="none", biases=0),
    LSTM(forget="coupled", peepholes=True),
    LSTM(peepholes=True, projection=2, biases=2),
    LSTM("softplus", "softmax", "categorical_cross_entropy", readout_bias=True),
    gradcheck.LRU(),
    gradcheck.LRU(eigenvalues="cartesian", readout_bias=True),
    gradcheck.RTU(),
    gradcheck.Stacked(LSTM(), LSTM()),
    gradcheck.Stacked(GRU(), Elman("logistic"), residual=True, readout_bias=True),
    gradcheck.Stacked(gradcheck.LRU(eigenvalues="cartesian"), Elman("relu")),
    gradcheck.Stacked(LSTM(projection=1), Leaky("relu", leak=0.5)),
)
GATED = tuple(cell for cell in CELLS if isinstance(cell, (GRU, gradcheck.MGU, LSTM)))


def named(cell: Any) -> str:
    return f"{cell.name}: {cell}"


def path_dropped(problem: Any) -> Any:
    """BPTT that sends nothing back through the last array of the state: the LSTM's c, or the top layer."""
    total, cotangent = Total(problem.parameters), nothing(problem.initial_state)
    for each in reversed(steps(problem)):
        cotangent = each.back(added(each.enter(total), cotangent), total)
        last = leaves(cotangent)[-1]
        last[...] = np.zeros_like(last)
    return total.gradient()


def gates_taken_for_constants(problem: Any) -> Any:
    """BPTT without the derivative of the gates."""

    def constant(s: Any) -> Any:
        value = ACTIVATIONS["logistic"](s)
        return Traced(value.payload) if isinstance(value, Traced) else value

    with patch.object(gated, "GATE", constant), patch.object(lstm, "GATE", constant):
        total, cotangent = Total(problem.parameters), nothing(problem.initial_state)
        for each in reversed(steps(problem)):
            cotangent = each.back(added(each.enter(total), cotangent), total)
        return total.gradient()
