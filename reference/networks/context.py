"""Mozer's network of context units.

c(t) = w * c(t-1) + f(W^T x(t)),  u(t) = V^T c(t),  yhat(t) = g(u(t)).

Source: Mozer 1989, "A focused backpropagation algorithm for temporal pattern recognition".
"""

from __future__ import annotations

from collections.abc import Mapping

from ..typing import Array, Parameters, State
from .base import Sizes
from .headed import HeadedNetwork


class ContextNetwork(HeadedNetwork):
    """Mozer's network: context units that feed back only to themselves.

    Parameters: W (D, I), w (I,) the self-recurrent weights, V (I, K). State: c, shape (I,).

    Args:
        activation: As for `Network`.
        output: As for `Network`.
        loss: As for `Network`.

    Raises:
        GradcheckError: As for `Network`.
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

    def unit_axes(self) -> Mapping[str, tuple[int, ...]]:
        # A subclass may step otherwise, and says for itself what it keeps.
        return {"W": (1,), "w": (0,), "V": (0,)} if type(self) is ContextNetwork else {}
