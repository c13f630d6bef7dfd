"""The recurrent layer of torch with a linear readout: its equations as a network, and the modules to run."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..reference.errors import GradcheckError
from ..reference.networks.activations import Activation, activation_named
from ..reference.networks.base import Sizes
from ..reference.typing import Array, Parameters, State
from .frameworks import required

_READOUT = "readout."
_SUPPORTED = "use nn.RNN (tanh or relu) with one layer in one direction, or a subclass"


@dataclass(frozen=True)
class TorchRNN:
    """Network of `torch.nn.RNN` with a `torch.nn.Linear` readout and half the squared error.

    a(t) = f(W x(t) + b + R a(t-1) + c), u(t) = V a(t) + d. W, R, b and c are weight_ih_l0 (I, D), weight_hh_l0 (I, I),
    bias_ih_l0 (I,) and bias_hh_l0 (I,). V and d are readout.weight (K, I) and readout.bias (K,). The equations are
    those in the documentation of torch.nn.RNN and torch.nn.Linear.

    Attributes:
        nonlinearity: "tanh" or "relu".
        bias: True if the recurrent layer has the biases b and c.
        readout_bias: True if the readout has the bias d.
    """

    nonlinearity: str = "tanh"
    bias: bool = True
    readout_bias: bool = True
    name = "torch.nn.RNN"

    def __post_init__(self) -> None:
        if self.nonlinearity not in ("tanh", "relu"):
            raise GradcheckError(f"torch.nn.RNN has no nonlinearity {self.nonlinearity!r}; choose tanh or relu")

    @property
    def activation(self) -> Activation:
        return activation_named(self.nonlinearity)

    def has_kinks(self) -> bool:
        return self.activation.has_kink

    def parameter_shapes(self, sizes: Sizes) -> dict[str, tuple[int, ...]]:
        D, I, K = sizes.D, sizes.I, sizes.K
        biases = {"bias_ih_l0": (I,), "bias_hh_l0": (I,)} if self.bias else {}
        offset = {"readout.bias": (K,)} if self.readout_bias else {}
        return {"weight_ih_l0": (I, D), "weight_hh_l0": (I, I), **biases, "readout.weight": (K, I), **offset}

    def state_shape(self, sizes: Sizes) -> tuple[int, ...]:
        return (sizes.I,)

    def sizes_of(self, parameters: Parameters, T: int) -> Sizes:
        I, D = parameters["weight_ih_l0"].shape
        return Sizes(T, I, D, parameters["readout.weight"].shape[0])

    def step(self, parameters: Parameters, state: State, x: Array) -> State:
        s = parameters["weight_ih_l0"] @ x + parameters["weight_hh_l0"] @ state
        if self.bias:
            s = s + parameters["bias_ih_l0"] + parameters["bias_hh_l0"]
        return np.tanh(s) if self.nonlinearity == "tanh" else np.maximum(s, 0)

    def readout(self, parameters: Parameters, state: State) -> Array:
        u = parameters["readout.weight"] @ state
        return u + parameters["readout.bias"] if self.readout_bias else u  # type: ignore[no-any-return]

    def output(self, u: Array) -> Array:
        return u

    def loss_value(self, u: Array, y: Array) -> Any:
        return ((u - y) ** 2).sum() / 2

    def output_error(self, u: Array, y: Array) -> Array:
        return u - y

    def __str__(self) -> str:
        biases = [*["biases"] * self.bias, *["a readout bias"] * self.readout_bias]
        return f"{self.nonlinearity}, {' and '.join(biases) or 'no biases'}, squared error"


class Layers:
    """An `nn.RNN` and an `nn.Linear` that take the sizes of each problem.

    The user's modules are copied once. The copies are kept from call to call, as in training, so an audit sees state
    that a layer keeps from the last sequence.

    Attributes:
        rnn: The recurrent layer.
        readout: The readout.
        network: Their equations.

    Raises:
        GradcheckError: The layers are of another class, or have settings or parameters that are not supported.
    """

    def __init__(self, rnn: Any, readout: Any) -> None:
        nn = required("torch").nn
        self.rnn = _instance(rnn, nn.RNN, _SUPPORTED)
        readout = nn.Linear(1, 1, bias=self.rnn.bias) if readout is None else readout
        self.readout = _instance(readout, nn.Linear, "use nn.Linear, or a subclass, as the readout")
        for setting, only in {"num_layers": 1, "bidirectional": False, "dropout": 0}.items():
            if (found := getattr(self.rnn, setting)) != only:
                raise GradcheckError(f"{type(self.rnn).__name__} has {setting}={found}; {_SUPPORTED}")
        self.network = TorchRNN(self.rnn.nonlinearity, bool(self.rnn.bias), self.readout.bias is not None)
        has = {*dict(self.rnn.named_parameters()), *(_READOUT + n for n, _ in self.readout.named_parameters())}
        wanted = self.network.parameter_shapes(Sizes(1, 1, 1, 1))
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
        self.rnn.hidden_size, self.rnn.input_size = tensors["weight_ih_l0"].shape
        self.readout.out_features, self.readout.in_features = tensors["readout.weight"].shape
        return leaves

    def loss(self, leaves: Any, inputs: Any, targets: Any, initial_state: Any, weights: Any = None) -> Any:
        """Run the modules forward, and return half the squared error.

        Args:
            leaves: The parameters, which `begin` has set.
            inputs: Tensor (T, D).
            targets: Tensor (T, K).
            initial_state: Tensor (I,).
            weights: Loss weights (T,), ones if None.
        """
        batch = 0 if self.rnn.batch_first else 1
        states, _ = self.rnn(inputs.unsqueeze(batch), initial_state[None, None])
        losses = (self.readout(states).squeeze(batch) - targets) ** 2 / 2
        return losses.sum() if weights is None else (weights @ losses).sum()


def _instance(given: Any, kind: Any, supported: str) -> Any:
    """Copy a module, or make one from its class."""
    own = given if isinstance(given, type) else type(given)
    if not issubclass(own, kind):
        raise GradcheckError(f"{own.__name__} cannot be made a rule; {supported}")
    if not isinstance(given, type):
        return copy.deepcopy(given)
    try:
        return own(1, 1)
    except TypeError as error:
        raise GradcheckError(f"{own.__name__}(1, 1) raised TypeError: {error}; pass an instance") from error
