"""The recurrent layers of torch with a linear readout: their equations as a network, and the modules to run."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..reference.errors import GradcheckError
from ..reference.functions import apply
from ..reference.networks.activations import Activation, activation_named
from ..reference.networks.base import Sizes
from ..reference.networks.batch import Batch
from ..reference.typing import Array, Parameters, State
from .frameworks import required

_READOUT = "readout."
_SUPPORTED = "use nn.RNN, nn.LSTM or nn.GRU in one direction, one of their cells, or a subclass"
_KINDS = ("RNN", "LSTM", "GRU")


@dataclass(frozen=True)
class TorchRNN:
    """Network of a recurrent layer or cell of torch with a `torch.nn.Linear` readout and half the squared error.

    Layer l has weight_ih_l (G I, D or P), weight_hh_l (G I, P), bias_ih_l and bias_hh_l (G I,), with G = 1 for RNN, 4
    for LSTM (gates i, f, g, o) and 3 for GRU (r, z, n); a cell's names have no number. P = I, but an LSTM with
    projections has weight_hr_l (P, I) too, and P is I / 2, rounded up. The readout of the last layer's h has
    readout.weight (K, P) and readout.bias (K,). The state of one layer is h (P,), or (h, c) with c (I,) for LSTM; that
    of several is a tuple of theirs. The equations are those in the documentation of torch.nn.RNN, LSTM, GRU, their
    cells, and Linear.

    Attributes:
        nonlinearity: "tanh" or "relu", of an RNN.
        bias: True if the recurrent layers have biases.
        readout_bias: True if the readout has a bias.
        kind: "RNN", "LSTM" or "GRU".
        layers: The number of layers.
        cell: True for nn.RNNCell, LSTMCell or GRUCell.
        projected: True if h is a projection of fewer entries, of an LSTM.
    """

    nonlinearity: str = "tanh"
    bias: bool = True
    readout_bias: bool = True
    kind: str = "RNN"
    layers: int = 1
    cell: bool = False
    projected: bool = False

    def __post_init__(self) -> None:
        if self.nonlinearity not in ("tanh", "relu"):
            raise GradcheckError(f"torch.nn.RNN has no nonlinearity {self.nonlinearity!r}; choose tanh or relu")
        if self.kind not in ("RNN", "LSTM", "GRU"):
            raise GradcheckError(f"torch.nn has no recurrent layer {self.kind!r:.40}; choose RNN, LSTM or GRU")

    @property
    def name(self) -> str:
        return f"torch.nn.{self.kind}{'Cell' if self.cell else ''}"

    @property
    def activation(self) -> Activation:
        return activation_named(self.nonlinearity)

    def has_kinks(self) -> bool:
        return self.activation.has_kink

    def parameter_shapes(self, sizes: Sizes) -> dict[str, tuple[int, ...]]:
        I, K = self._units(sizes), sizes.K
        P = self._passed_on(I)
        rows, shapes = self._gates() * I, dict[str, tuple[int, ...]]()
        for layer in range(self.layers):
            shapes |= {self._key("weight_ih", layer): (rows, P if layer else sizes.D)}
            shapes |= {self._key("weight_hh", layer): (rows, P)}
            if self.bias:
                shapes |= {self._key("bias_ih", layer): (rows,), self._key("bias_hh", layer): (rows,)}
            if self.projected:
                shapes |= {self._key("weight_hr", layer): (P, I)}
        offset = {"readout.bias": (K,)} if self.readout_bias else {}
        return {**shapes, "readout.weight": (K, P), **offset}

    def state_shape(self, sizes: Sizes) -> Any:
        I = self._units(sizes)
        h = (self._passed_on(I),)
        one = (h, (I,)) if self.kind == "LSTM" else h
        return one if self.layers == 1 else (one,) * self.layers

    def sizes_of(self, parameters: Parameters, T: int) -> Sizes:
        first = parameters[self._key("weight_ih", 0)]
        return Sizes(T, first.shape[0] // self._gates(), first.shape[1], parameters["readout.weight"].shape[0])

    def _gates(self) -> int:
        # A program that shows a counterexample has this class and NumPy, and nothing else of this file.
        return {"RNN": 1, "LSTM": 4, "GRU": 3}[self.kind]

    def _key(self, what: str, layer: int) -> str:
        """Return the name of a layer's parameter."""
        return what if self.cell else f"{what}_l{layer}"

    def _units(self, sizes: Sizes) -> int:
        """Return the number of units; a projection has fewer entries, so there are at least two."""
        return max(sizes.I, 2) if self.projected else sizes.I

    def _passed_on(self, I: int) -> int:
        """Return the number of entries of h."""
        return (I + 1) // 2 if self.projected else I

    def step(self, parameters: Parameters, state: State, x: Array) -> State:
        before = [state] if self.layers == 1 else list(state)
        after = []
        for layer, old in enumerate(before):
            new, x = self._layer(parameters, layer, old, x)
            after.append(new)
        return after[0] if self.layers == 1 else tuple(after)

    def _layer(self, p: Parameters, layer: int, state: State, x: Array) -> tuple[State, Array]:
        """Return the state of a layer after an input, and what it passes on."""
        h = state[0] if self.kind == "LSTM" else state
        read, kept = p[self._key("weight_ih", layer)] @ x, p[self._key("weight_hh", layer)] @ h
        if self.bias:
            read, kept = read + p[self._key("bias_ih", layer)], kept + p[self._key("bias_hh", layer)]
        I = len(read) // self._gates()
        if self.kind == "RNN":
            s = read + kept
            h = np.tanh(s) if self.nonlinearity == "tanh" else np.maximum(s, 0)
            return h, h
        if self.kind == "GRU":
            r, z = self._logistic(read[:I] + kept[:I]), self._logistic(read[I : 2 * I] + kept[I : 2 * I])
            n = np.tanh(read[2 * I :] + r * kept[2 * I :])
            h = (1 - z) * n + z * h
            return h, h
        s = read + kept
        i, f, o = (self._logistic(part) for part in (s[:I], s[I : 2 * I], s[3 * I :]))
        c = f * state[1] + i * np.tanh(s[2 * I : 3 * I])
        h = o * np.tanh(c)
        if self.projected:
            h = p[self._key("weight_hr", layer)] @ h
        return (h, c), h

    def _logistic(self, s: Array) -> Array:
        # The program steps on complex numbers.
        return 1 / (1 + np.exp(-s)) if s.dtype.kind == "c" else apply("logistic", s)

    def readout(self, parameters: Parameters, state: State) -> Array:
        last = state if self.layers == 1 else state[-1]
        u = parameters["readout.weight"] @ (last[0] if self.kind == "LSTM" else last)
        return u + parameters["readout.bias"] if self.readout_bias else u  # type: ignore[no-any-return]

    def output(self, u: Array) -> Array:
        return u

    def loss_value(self, u: Array, y: Array) -> Any:
        return ((u - y) ** 2).sum() / 2

    def output_error(self, u: Array, y: Array) -> Array:
        return u - y

    def __str__(self) -> str:
        biases = [*["biases"] * self.bias, *["a readout bias"] * self.readout_bias]
        parts = [self.nonlinearity] * (self.kind == "RNN") + [f"{self.layers} layers"] * (self.layers > 1)
        parts += ["projections"] * self.projected
        return f"{', '.join([*parts, ' and '.join(biases) or 'no biases'])}, squared error"


class Layers:
    """A recurrent layer, or a cell, and an `nn.Linear`, which take the sizes of each problem.

    The user's modules are copied once. The copies are kept from call to call, as in training, so an audit sees state
    that a layer keeps from the last sequence.

    Args:
        rnn: The recurrent layer or cell, or its class.
        readout: The readout, or its class; `nn.Linear` if None.
        device: Where the modules are put.
        N: The number of sequences that they run at once; None for one without an axis of the batch.
        packed: Whether sequences are packed.

    Attributes:
        rnn: The recurrent layer.
        readout: The readout.
        layer: Their equations.
        network: The same, or a batch of it.
        packed: True if they run on packed sequences.

    Raises:
        GradcheckError: The layers are of another class, or have settings or parameters that are not supported.
    """

    def __init__(self, rnn: Any, readout: Any, device: Any = None, N: int | None = None, packed: bool = False) -> None:
        nn = required("torch").nn
        kinds = {getattr(nn, f"{kind}{cell}"): (kind, bool(cell)) for kind in _KINDS for cell in ("", "Cell")}
        self.rnn = _instance(rnn, tuple(kinds), _SUPPORTED).to(device)
        readout = nn.Linear(1, 1, bias=self.rnn.bias) if readout is None else readout
        self.readout = _instance(readout, (nn.Linear,), "use nn.Linear, or a subclass, as the readout").to(device)
        kind, cell = next(found for own, found in kinds.items() if isinstance(self.rnn, own))
        _refuse_settings(self.rnn)
        layer = self.layer = TorchRNN(
            getattr(self.rnn, "nonlinearity", "tanh"), bool(self.rnn.bias), self.readout.bias is not None, kind,
            getattr(self.rnn, "num_layers", 1), cell, getattr(self.rnn, "proj_size", 0) > 0,
        )  # fmt: skip
        if packed and N is None:
            raise GradcheckError("packed sequences are those of a batch; give their number, such as N=3")
        if packed and cell:
            raise GradcheckError(f"{type(self.rnn).__name__} takes no packed sequences; leave packed out")
        self.packed = packed
        self.network: Any = layer
        if N is not None:
            self.network = Batch(layer, N=N, reduction="sum", lengths="any" if packed else "equal")
        has = {*dict(self.rnn.named_parameters()), *(_READOUT + n for n, _ in self.readout.named_parameters())}
        wanted = layer.parameter_shapes(Sizes(1, 1, 1, 1))
        if has != set(wanted):
            raise GradcheckError(
                f"the layers have the parameters {', '.join(sorted(has))}; wanted {', '.join(wanted)}. For others, "
                "write a function of tensors and a network"
            )

    def begin(self, tensors: dict[str, Any]) -> dict[str, Any]:
        """Set the parameters and sizes of the modules. Return the modules' leaves by parameter."""
        parameter = required("torch").nn.Parameter
        leaves = {key: parameter(tensor) for key, tensor in tensors.items()}
        for key, leaf in leaves.items():
            module = self.readout if key.startswith(_READOUT) else self.rnn
            setattr(module, key.removeprefix(_READOUT), leaf)
        sizes = self.layer.sizes_of(tensors, 1)
        self.rnn.hidden_size, self.rnn.input_size = sizes.I, sizes.D
        self.readout.out_features, self.readout.in_features = tensors["readout.weight"].shape
        if self.layer.projected:
            self.rnn.proj_size = self.readout.in_features
        return leaves

    def loss(self, leaves: Any, inputs: Any, targets: Any, initial_state: Any, weights: Any = None) -> Any:
        """Run the modules forward, and return half the squared error.

        Args:
            leaves: The parameters, which `begin` has set.
            inputs: Tensor (T, D).
            targets: Tensor (T, K).
            initial_state: The state before step 1, nested as the network's, of tensors (I,), or (P,).
            weights: Loss weights (T,), ones if None.
        """
        if self.layer.cell:
            states = self._by_cell(inputs, initial_state)
        else:
            batch = 0 if self.rnn.batch_first else 1
            states, _ = self.rnn(inputs.unsqueeze(batch), self._start(initial_state, lambda part: part[None]))
            states = states.squeeze(batch)
        losses = (self.readout(states) - targets) ** 2 / 2
        return losses.sum() if weights is None else (weights @ losses).sum()

    def loss_of_batch(
        self, leaves: Any, inputs: Any, targets: Any, initial_state: Any, weights: Any, mask: Any, lengths: Any
    ) -> Any:
        """Run the modules on a batch, and return half the squared error.

        Args:
            leaves: The parameters, which `begin` has set.
            inputs: Tensor (T, N, D).
            targets: Tensor (T, N, K).
            initial_state: The state before step 1, nested as the network's, of tensors (N, I), or (N, P).
            weights: Loss weights (T, N).
            mask: Tensor (T, N), True for the steps of a sequence.
            lengths: Tensor (N,), of whole numbers.
        """
        if self.layer.cell:
            states = self._by_cell(inputs, initial_state)
        else:
            states = self._on_batch(inputs, self._start(initial_state, lambda part: part), lengths)
        errors = required("torch").where(mask[..., None], self.readout(states) - targets, 0)
        return (weights[..., None] * errors**2 / 2).sum()

    def _by_cell(self, inputs: Any, state: Any) -> Any:
        """Return h of every step, (T, I) or (T, N, I)."""
        found = []
        for x in inputs:
            state = self.rnn(x, state)
            found.append(state[0] if self.layer.kind == "LSTM" else state)
        return required("torch").stack(found)

    def _on_batch(self, inputs: Any, start: Any, lengths: Any) -> Any:
        """Return the last layer's h of every step, (T, N, P), by way of packed sequences where these are asked for."""
        rnn, first = required("torch").nn.utils.rnn, self.rnn.batch_first
        given: Any = inputs.transpose(0, 1) if first else inputs
        if self.packed:
            given = rnn.pack_padded_sequence(given, lengths.cpu(), batch_first=first, enforce_sorted=False)
        states, _ = self.rnn(given, start)
        if self.packed:
            states, _ = rnn.pad_packed_sequence(states, batch_first=first)
        return states.transpose(0, 1) if first else states

    def _start(self, initial_state: Any, of_batch: Callable[[Any], Any]) -> Any:
        """Return the state before step 1 as the layer takes it: (layers, N, I), twice for an LSTM."""
        layers = [initial_state] if self.layer.layers == 1 else initial_state
        stack = required("torch").stack
        if self.layer.kind == "LSTM":
            return tuple(stack([of_batch(layer[part]) for layer in layers]) for part in (0, 1))
        return stack([of_batch(layer) for layer in layers])


def _refuse_settings(rnn: Any) -> None:
    """Refuse a layer of two directions, or one that drops entries at random."""
    name = type(rnn).__name__
    if getattr(rnn, "bidirectional", False):
        raise GradcheckError(f"{name} has bidirectional=True; {_SUPPORTED}")
    dropout = getattr(rnn, "dropout", 0)
    if dropout and rnn.training and rnn.num_layers > 1:
        raise GradcheckError(
            f"{name} has dropout={dropout}, which draws at random in training; call .eval() on it first"
        )


def _instance(given: Any, kinds: tuple[Any, ...], supported: str) -> Any:
    """Copy a module, or make one from its class."""
    own = given if isinstance(given, type) else type(given)
    if not issubclass(own, kinds):
        raise GradcheckError(f"{own.__name__} cannot be made a rule; {supported}")
    if not isinstance(given, type):
        return copy.deepcopy(given)
    try:
        return own(1, 1)
    except TypeError as error:
        raise GradcheckError(f"{own.__name__}(1, 1) raised TypeError: {error}; pass an instance") from error
