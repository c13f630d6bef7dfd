"""The lecture's fully recurrent network (Elman 1990).

s(t) = W^T x(t) + R^T a(t-1),  a(t) = f(s(t)),  u(t) = V^T a(t),  yhat(t) = g(u(t)).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..typing import Array, Parameters, State
from .base import Sizes
from .headed import HeadedNetwork


class Network(HeadedNetwork):
    """The lecture's fully recurrent network.

    Parameters: W (D, I), R (I, I), V (I, K). State: a, shape (I,).

    Args:
        activation: identity, tanh, logistic, relu or softplus.
        output: identity, tanh, logistic or softmax.
        loss: squared_error (with its factor 1/2), binary_cross_entropy (logistic output) or
            categorical_cross_entropy (softmax output).

    Raises:
        GradcheckError: A name is unknown, or a cross-entropy has an output that is no probability.
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

    def unit_axes(self) -> Mapping[str, tuple[int, ...]]:
        # A subclass may step otherwise, and says for itself what it keeps.
        return {"W": (1,), "R": (0, 1), "V": (0,)} if type(self) is Network else {}


def is_fully_recurrent(network: Any) -> bool:
    """Return True for the lecture's network, and False for a subclass, which may step otherwise."""
    return type(network) is Network
