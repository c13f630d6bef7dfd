"""Activations f of the lecture's a(t) = f(s(t))."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import GradcheckError
from ..functions import DERIVATIVES, apply
from ..typing import Array
from .base import Rest


@dataclass(frozen=True)
class Activation:
    """An elementwise activation: `activation(s)` is f(s), `activation.derivative(s)` is f'(s).

    Both keep the shape of `s` and run on arrays of any scalar. relu's derivative at 0 is 0.
    """

    name: str

    def __call__(self, s: Array) -> Array:
        return apply(self.name, s)  # type: ignore[no-any-return]

    def derivative(self, s: Array) -> Array:
        return DERIVATIVES[self.name](s)  # type: ignore[no-any-return]

    @property
    def bound(self) -> float:
        """The largest |f'| anywhere: 1, or 1/4 for the logistic function."""
        return 0.25 if self.name == "logistic" else 1.0

    @property
    def has_kink(self) -> bool:
        """True where f has no derivative at 0."""
        return self.name == "relu"

    @property
    def odd(self) -> bool:
        """True where f(-s) = -f(s)."""
        return self.name in ("tanh", "identity")

    @property
    def resting_point(self) -> Rest | None:
        """Pre-activation at which units keep their slope, or None if that is s = 0 with f(0) = 0 and f'(0) = 1."""
        return {"logistic": Rest(0.0, 0.5, 0.25), "softplus": Rest(0.0, math.log(2), 0.5)}.get(self.name)


ACTIVATIONS = {name: Activation(name) for name in ("tanh", "identity", "logistic", "relu", "softplus")}
UNDEFINED_ACTIVATION = Activation("f")
"""f left undefined: what holds for it holds for every differentiable activation."""


def activation_named(activation: str | Activation) -> Activation:
    """Return the activation of that name.

    Args:
        activation: A name, or an `Activation`, which is returned as it is.

    Raises:
        GradcheckError: There is none of that name.
    """
    if isinstance(activation, Activation):
        return activation
    if activation not in ACTIVATIONS:
        raise GradcheckError(f"there is no activation {activation!r}; choose one of {', '.join(sorted(ACTIVATIONS))}")
    return ACTIVATIONS[activation]
