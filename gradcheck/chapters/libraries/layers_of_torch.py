"""torch's recurrent layers and cells under an `nn.Linear` readout, as torch runs them."""

from __future__ import annotations

from ...rules import torch as adapter
from ...rules.frameworks import required

_nn = required("torch").nn

RNN = adapter.rule(_nn.RNN)
RNN_relu = adapter.rule(_nn.RNN(1, 1, nonlinearity="relu"), name="RNN_relu")
LSTM = adapter.rule(_nn.LSTM)
LSTM_projected = adapter.rule(_nn.LSTM(1, 2, proj_size=1), name="LSTM_projected")
GRU = adapter.rule(_nn.GRU)
GRU_stacked = adapter.rule(_nn.GRU(1, 1, num_layers=2), name="GRU_stacked")
RNNCell = adapter.rule(_nn.RNNCell)
LSTMCell = adapter.rule(_nn.LSTMCell)
GRUCell = adapter.rule(_nn.GRUCell)

RULES = (
    "RNN", "RNN_relu", "LSTM", "LSTM_projected", "GRU", "GRU_stacked", "RNNCell", "LSTMCell", "GRUCell",
)  # fmt: skip
