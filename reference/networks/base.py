"""What is differentiated: a recurrent network, given by its forward equations.

A network is `step`, `readout`, an output and a loss, and the names and shapes of its parameters,
all in plain NumPy. Everything else in `reference` runs these equations on other scalars, so a new
network is a new class with the methods of `RecurrentNetwork` and nothing more.

The lecture's network (`Network`):
    s(t) = W^T x(t) + R^T a(t-1),  a(t) = f(s(t)),  u(t) = V^T a(t),  yhat(t) = g(u(t)).
Mozer's network of context units (`ContextNetwork`; Mozer 1989, "A focused backpropagation algorithm
for temporal pattern recognition"):
    c(t) = w * c(t-1) + f(W^T x(t)),  u(t) = V^T c(t),  yhat(t) = g(u(t)).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ..errors import GradcheckError, UnsupportedOperation
from ..typing import Array, Parameters, State
from .activations import ACTIVATIONS, UNDEFINED_ACTIVATION, Activation, activation_named
from .losses import UNDEFINED_LOSS, UNDEFINED_OUTPUT, Head, Loss, Output


@dataclass(frozen=True, order=True)
class Sizes:
    """T steps, I units, D inputs, K outputs."""

    T: int
    I: int  # noqa: E741  (the lecture's name)
    D: int
    K: int

    def __str__(self) -> str:
        return f"T={self.T}, I={self.I}, D={self.D}, K={self.K}"


@runtime_checkable
class RecurrentNetwork(Protocol):
    """What `reference` needs of a network. Match it; there is nothing to inherit."""

    @property
    def name(self) -> str:
        """A short name for reports."""

    def __hash__(self) -> int:
        """Networks are keys of caches; a frozen dataclass has this."""

    def parameter_shapes(self, sizes: Sizes) -> dict[str, tuple[int, ...]]:
        """Parameter name to shape, in the order of reports."""

    def state_shape(self, sizes: Sizes) -> Any:
        """The state's shape, or a tuple of shapes where the state is a tuple of arrays."""

    def sizes_of(self, parameters: Parameters, T: int) -> Sizes:
        """The sizes that these parameters imply; T is given."""

    def step(self, parameters: Parameters, state: State, x: Array) -> State:
        """The state after reading the input x, shape (D,)."""

    def readout(self, parameters: Parameters, state: State) -> Array:
        """u, shape (K,), from the state."""

    def output(self, u: Array) -> Array:
        """yhat = g(u), shape (K,)."""

    def loss_value(self, u: Array, y: Array) -> Any:
        """L_t = L(y, g(u)), one number."""

    def output_error(self, u: Array, y: Array) -> Array:
        """dL_t/du, shape (K,)."""


@dataclass(frozen=True)
class _Headed:
    """Activation, output and loss of the two networks of the lecture's world."""

    activation: Activation = ACTIVATIONS["tanh"]
    head: Head = Head.named("identity", "squared_error")

    def __init__(
        self,
        activation: str | Activation = "tanh",
        output: str | Output = "identity",
        loss: str | Loss = "squared_error",
    ) -> None:
        object.__setattr__(self, "activation", activation_named(activation))
        object.__setattr__(self, "head", Head.named(output, loss))

    @property
    def loss(self) -> Loss:
        return self.head.loss

    @property
    def output(self) -> Output:
        """g as an object that can be called: `net.output(u)` is yhat."""
        return self.head.output

    def loss_value(self, u: Array, y: Array) -> Any:
        """L(y, g(u)), one number; u and y have shape (K,)."""
        return self.head.value(u, y)

    def output_error(self, u: Array, y: Array) -> Array:
        """dL_t/du, shape (K,), from u = V^T a and the target y, both (K,)."""
        return self.head.error(u, y)

    def undefined(self, *, head: bool = True) -> Any:
        """This network with f left undefined, and with `head` output and loss too."""
        if head:
            return type(self)(UNDEFINED_ACTIVATION, UNDEFINED_OUTPUT, UNDEFINED_LOSS)
        return type(self)(UNDEFINED_ACTIVATION, self.head.output, self.head.loss)

    def __str__(self) -> str:
        return f"{self.activation.name}, {self.head.output.name} output, {self.head.loss.name.replace('_', ' ')}"


class Network(_Headed):
    """The lecture's fully recurrent network.

    `activation`: identity, tanh, logistic, relu or softplus. `output`: identity, tanh, logistic or
    softmax. `loss`: squared_error (with its factor 1/2), binary_cross_entropy (logistic output) or
    categorical_cross_entropy (softmax output). Raises `GradcheckError` for anything else.
    Parameters: W (D, I), R (I, I), V (I, K). State: a, shape (I,).
    """

    name = "fully recurrent"

    def parameter_shapes(self, sizes: Sizes) -> dict[str, tuple[int, ...]]:
        return {"W": (sizes.D, sizes.I), "R": (sizes.I, sizes.I), "V": (sizes.I, sizes.K)}

    def state_shape(self, sizes: Sizes) -> tuple[int, ...]:
        return (sizes.I,)

    def sizes_of(self, parameters: Parameters, T: int) -> Sizes:
        return Sizes(T, parameters["R"].shape[0], parameters["W"].shape[0], parameters["V"].shape[-1])

    def step(self, parameters: Parameters, state: State, x: Array) -> State:
        return self.activation(parameters["W"].T @ x + parameters["R"].T @ state)

    def readout(self, parameters: Parameters, state: State) -> Array:
        return parameters["V"].T @ state  # type: ignore[no-any-return]


class ContextNetwork(_Headed):
    """Mozer's network: context units that feed back only to themselves.

    Parameters: W (D, I), w (I,) the self-recurrent weights, V (I, K). State: c, shape (I,).
    Activation, output and loss as for `Network`.
    """

    name = "context units"

    def parameter_shapes(self, sizes: Sizes) -> dict[str, tuple[int, ...]]:
        return {"W": (sizes.D, sizes.I), "w": (sizes.I,), "V": (sizes.I, sizes.K)}

    def state_shape(self, sizes: Sizes) -> tuple[int, ...]:
        return (sizes.I,)

    def sizes_of(self, parameters: Parameters, T: int) -> Sizes:
        return Sizes(T, parameters["w"].shape[0], parameters["W"].shape[0], parameters["V"].shape[-1])

    def step(self, parameters: Parameters, state: State, x: Array) -> State:
        return parameters["w"] * state + self.activation(parameters["W"].T @ x)

    def readout(self, parameters: Parameters, state: State) -> Array:
        return parameters["V"].T @ state  # type: ignore[no-any-return]


_METHODS = {
    "parameter_shapes": "parameter_shapes(sizes)",
    "state_shape": "state_shape(sizes)",
    "sizes_of": "sizes_of(parameters, T)",
    "step": "step(parameters, state, x)",
    "readout": "readout(parameters, state)",
    "output": "output(u)",
    "loss_value": "loss_value(u, y)",
    "output_error": "output_error(u, y)",
}


def not_a_network(network: Any) -> str:
    """Why that is not a network, and what to write instead; empty for a network."""
    such_as = 'use gradcheck.Network("tanh", "identity", "squared_error"), ...'
    if isinstance(network, type):
        return f"{network!r} is not a network (write it with parentheses); {such_as}"
    if isinstance(network, (_Headed, RecurrentNetwork)):
        return ""
    missing = [spoken for name, spoken in {"name": "name", **_METHODS}.items() if not hasattr(network, name)]
    if len(missing) == len(_METHODS) + 1:
        return f"{network!r} is not a network; {such_as}"
    if missing:
        return f"{network!r} is not a network: it lacks {', '.join(missing)}; give it those, or {such_as}"
    return f"{network!r} is not a network: it cannot be hashed; make it a frozen dataclass"


def step(network: RecurrentNetwork, parameters: Parameters, state: State, x: Array) -> State:
    """`network.step`; raises `GradcheckError` where it fails, or returns no state of the shape that came."""
    after = _called(network, "step", network.step, parameters, state, x)
    _check_shape(network, "step", _shape(after), _shape(state))
    return after


def readout(network: RecurrentNetwork, parameters: Parameters, state: State, K: int) -> Array:
    """`network.readout`; raises `GradcheckError` where it fails, or returns anything but shape (K,)."""
    u = _called(network, "readout", network.readout, parameters, state)
    _check_shape(network, "readout", _shape(u), (K,))
    return u  # type: ignore[no-any-return]


def output_error(network: RecurrentNetwork, u: Array, y: Array) -> Array:
    """`network.output_error`; raises `GradcheckError` where it fails, or returns anything but the shape of u."""
    error = _called(network, "output_error", network.output_error, u, y)
    _check_shape(network, "output_error", _shape(error), _shape(u))
    return error  # type: ignore[no-any-return]


def loss_value(network: RecurrentNetwork, u: Array, y: Array) -> Any:
    """`network.loss_value`; raises `GradcheckError` where it fails."""
    return _called(network, "loss_value", network.loss_value, u, y)


def _called(network: RecurrentNetwork, method: str, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except GradcheckError:
        raise
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None:  # NumPy wraps what a scalar raises
            if isinstance(cause, UnsupportedOperation):
                raise
            cause = cause.__cause__ or cause.__context__
        raise GradcheckError(
            f"{_METHODS[method]} of the network {network.name} raised {type(error).__name__}: {error}; mend its "
            f"{method}, or check that it fits its parameter_shapes and state_shape"
        ) from error


def _shape(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_shape(part) for part in value)
    # Asked at every step: a value is shown only where it has no shape.
    return value.shape if hasattr(value, "shape") else f"no array but {value!r:.60}"


def _check_shape(network: RecurrentNetwork, method: str, came: Any, wanted: Any) -> None:
    if came != wanted:
        what = came if isinstance(came, str) else f"shape {came}"
        raise GradcheckError(f"{_METHODS[method]} of the network {network.name} returned {what}; wanted shape {wanted}")


_HEADS = (
    ("identity", "squared_error"),
    ("tanh", "squared_error"),
    ("logistic", "squared_error"),
    ("softmax", "squared_error"),
    ("logistic", "binary_cross_entropy"),
    ("softmax", "categorical_cross_entropy"),
)

DEFAULT_NETWORK = Network()
ALL_NETWORKS = tuple(Network(a, g, loss) for g, loss in _HEADS for a in ACTIVATIONS)
"""Every activation with every output and loss that go together."""
ALL_CONTEXT_NETWORKS = tuple(ContextNetwork(a, g, loss) for g, loss in _HEADS for a in ACTIVATIONS)
