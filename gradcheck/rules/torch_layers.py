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
_SUPPORTED = "use nn.RNN, nn.LSTM or nn.GRU in one direction, without projections, or a subclass"


_KINDS = ("RNN", "LSTM", "GRU")


@dataclass(frozen=True)
class TorchRNN:
    """Network of a recurrent layer of torch with a `torch.nn.Linear` readout and half the squared error.

    Layer l has weight_ih_l (G I, D or I), weight_hh_l (G I, I), bias_ih_l and bias_hh_l (G I,), with G = 1 for RNN, 4
    for LSTM (gates i, f, g, o) and 3 for GRU (r, z, n). The readout of the last layer's h has readout.weight (K, I) and
    readout.bias (K,). The state of one layer is h, or (h, c) for LSTM, each (I,); that of several is a tuple of theirs.
    The equations are those in the documentation of torch.nn.RNN, LSTM, GRU and Linear.

    Attributes:
        nonlinearity: "tanh" or "relu", of an RNN.
        bias: True if the recurrent layers have biases.
        readout_bias: True if the readout has a bias.
        kind: "RNN", "LSTM" or "GRU".
        layers: The number of layers.
    """

    nonlinearity: str = "tanh"
    bias: bool = True
    readout_bias: bool = True
    kind: str = "RNN"
    layers: int = 1

    def __post_init__(self) -> None:
        if self.nonlinearity not in ("tanh", "relu"):
            raise GradcheckError(f"torch.nn.RNN has no nonlinearity {self.nonlinearity!r}; choose tanh or relu")
        if self.kind not in ("RNN", "LSTM", "GRU"):
            raise GradcheckError(f"torch.nn has no recurrent layer {self.kind!r:.40}; choose RNN, LSTM or GRU")

    @property
    def name(self) -> str:
        return f"torch.nn.{self.kind}"

    @property
    def activation(self) -> Activation:
        return activation_named(self.nonlinearity)

    def has_kinks(self) -> bool:
        return self.activation.has_kink

    def parameter_shapes(self, sizes: Sizes) -> dict[str, tuple[int, ...]]:
        I, K = sizes.I, sizes.K
        rows, shapes = {"RNN": 1, "LSTM": 4, "GRU": 3}[self.kind] * I, dict[str, tuple[int, ...]]()
        for layer in range(self.layers):
            shapes |= {f"weight_ih_l{layer}": (rows, I if layer else sizes.D), f"weight_hh_l{layer}": (rows, I)}
            if self.bias:
                shapes |= {f"bias_ih_l{layer}": (rows,), f"bias_hh_l{layer}": (rows,)}
        offset = {"readout.bias": (K,)} if self.readout_bias else {}
        return {**shapes, "readout.weight": (K, I), **offset}

    def state_shape(self, sizes: Sizes) -> Any:
        one = ((sizes.I,), (sizes.I,)) if self.kind == "LSTM" else (sizes.I,)
        return one if self.layers == 1 else (one,) * self.layers

    def sizes_of(self, parameters: Parameters, T: int) -> Sizes:
        D, I = parameters["weight_ih_l0"].shape[1], parameters["weight_hh_l0"].shape[1]
        return Sizes(T, I, D, parameters["readout.weight"].shape[0])

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
        read, kept = p[f"weight_ih_l{layer}"] @ x, p[f"weight_hh_l{layer}"] @ h
        if self.bias:
            read, kept = read + p[f"bias_ih_l{layer}"], kept + p[f"bias_hh_l{layer}"]
        I = len(h)
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
        return (h, c), h

    def _logistic(self, s: Array) -> Array:
        # A program that shows a counterexample has this class and NumPy, and steps on complex numbers.
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
        return f"{', '.join([*parts, ' and '.join(biases) or 'no biases'])}, squared error"


class Layers:
    """A recurrent layer and an `nn.Linear` that take the sizes of each problem.

    The user's modules are copied once. The copies are kept from call to call, as in training, so an audit sees state
    that a layer keeps from the last sequence.

    Attributes:
        rnn: The recurrent layer.
        readout: The readout.
        layer: Their equations.
        network: The same, or a batch of it.
        packed: True if they run on packed sequences.

    Raises:
        GradcheckError: The layers are of another class, or have settings or parameters that are not supported.
    """

    def __init__(self, rnn: Any, readout: Any, N: int | None = None, packed: bool = False) -> None:
        nn = required("torch").nn
        self.rnn = _instance(rnn, tuple(getattr(nn, kind) for kind in _KINDS), _SUPPORTED)
        readout = nn.Linear(1, 1, bias=self.rnn.bias) if readout is None else readout
        self.readout = _instance(readout, (nn.Linear,), "use nn.Linear, or a subclass, as the readout")
        kind = next(kind for kind in _KINDS if isinstance(self.rnn, getattr(nn, kind)))
        for setting, only in {"bidirectional": False, "dropout": 0, "proj_size": 0}.items():
            if (found := getattr(self.rnn, setting, only)) != only:
                raise GradcheckError(f"{type(self.rnn).__name__} has {setting}={found}; {_SUPPORTED}")
        layer = self.layer = TorchRNN(
            getattr(self.rnn, "nonlinearity", "tanh"), bool(self.rnn.bias), self.readout.bias is not None, kind,
            self.rnn.num_layers,
        )  # fmt: skip
        if packed and N is None:
            raise GradcheckError("packed sequences are those of a batch; give their number, such as N=3")
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
        self.rnn.hidden_size, self.rnn.input_size = tensors["weight_hh_l0"].shape[1], tensors["weight_ih_l0"].shape[1]
        self.readout.out_features, self.readout.in_features = tensors["readout.weight"].shape
        return leaves

    def loss(self, leaves: Any, inputs: Any, targets: Any, initial_state: Any, weights: Any = None) -> Any:
        """Run the modules forward, and return half the squared error.

        Args:
            leaves: The parameters, which `begin` has set.
            inputs: Tensor (T, D).
            targets: Tensor (T, K).
            initial_state: The state before step 1, nested as the network's, of tensors (I,).
            weights: Loss weights (T,), ones if None.
        """
        batch = 0 if self.rnn.batch_first else 1
        states, _ = self.rnn(inputs.unsqueeze(batch), self._start(initial_state, lambda part: part[None]))
        losses = (self.readout(states).squeeze(batch) - targets) ** 2 / 2
        return losses.sum() if weights is None else (weights @ losses).sum()

    def loss_of_batch(
        self, leaves: Any, inputs: Any, targets: Any, initial_state: Any, weights: Any, mask: Any, lengths: Any
    ) -> Any:
        """Run the modules on a batch, and return half the squared error.

        Args:
            leaves: The parameters, which `begin` has set.
            inputs: Tensor (T, N, D).
            targets: Tensor (T, N, K).
            initial_state: The state before step 1, nested as the network's, of tensors (N, I).
            weights: Loss weights (T, N).
            mask: Tensor (T, N), True for the steps of a sequence.
            lengths: Tensor (N,), of whole numbers.
        """
        torch, first = required("torch"), self.rnn.batch_first
        pack, pad = torch.nn.utils.rnn.pack_padded_sequence, torch.nn.utils.rnn.pad_packed_sequence
        given: Any = inputs.transpose(0, 1) if first else inputs
        if self.packed:
            given = pack(given, lengths, batch_first=first, enforce_sorted=False)
        states, _ = self.rnn(given, self._start(initial_state, lambda part: part))
        if self.packed:
            states, _ = pad(states, batch_first=first)
        errors = self.readout(states.transpose(0, 1) if first else states) - targets
        losses = torch.where(mask[..., None], errors, 0) ** 2 / 2
        return (weights[..., None] * losses).sum()

    def _start(self, initial_state: Any, of_batch: Callable[[Any], Any]) -> Any:
        """Return the state before step 1 as the layer takes it: (layers, N, I), twice for an LSTM."""
        layers = [initial_state] if self.layer.layers == 1 else initial_state
        stack = required("torch").stack
        if self.layer.kind == "LSTM":
            return tuple(stack([of_batch(layer[part]) for layer in layers]) for part in (0, 1))
        return stack([of_batch(layer) for layer in layers])


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
