"""Leaky and continuous-time networks: units that keep a part of their state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import GradcheckError
from ..typing import Array, Parameters, State
from .activations import Activation
from .cell import CellNetwork, Shapes, affine, affine_weights
from .losses import Loss, Output
from .start import GIVEN

_PATTERNS = {"dense": "", "none": "zeros", "diagonal": "diagonal", "ring": "ring"}


@dataclass(frozen=True)
class Leaky(CellNetwork):
    """Leaky integrator units.

    state="rate":      h(t) = (1 - alpha) h(t-1) + alpha f(W^T x(t) + R^T h(t-1) + b)
    state="potential": s(t) = (1 - alpha) s(t-1) + alpha (W^T x(t) + R^T f(s(t-1)) + b), h(t) = f(s(t))

    Parameters: W (D, I), R (I, I), b (I,), V (I, K); alpha (I,) unless `leak` fixes it; b_y (K,) with a readout bias.
    State: h or s, shape (I,).

    Source: Jaeger, Lukosevicius, Popovici and Siewert 2007, "Optimization and applications of echo state networks with
    leaky-integrator neurons", for rates; Song, Yang and Wang 2016, "Training excitatory-inhibitory recurrent neural
    networks for cognitive tasks", for potentials.

    Args:
        activation: As for `Network`.
        output: As for `Network`.
        loss: As for `Network`.
        leak: alpha in (0, 1], the same for all units; None if it is a parameter.
        state: "rate" or "potential".
        biases: The number of biases, 0, 1 or 2.
        recurrence: Which entries of R may differ from 0: all if "dense", "none", those on the "diagonal", or in a
            "ring" those from each unit to itself and to the next. The others are parameters too, and 0.
        readout_bias: Whether the readout has a bias.
        initial_state: As for `Network`.

    Raises:
        GradcheckError: As for `Network`, or an option has another value.
    """

    leak: float | None = None
    state: str = "rate"
    biases: int = 1
    recurrence: str = "dense"
    name = "leaky"

    def __init__(
        self,
        activation: str | Activation = "tanh",
        output: str | Output = "identity",
        loss: str | Loss = "squared_error",
        *,
        leak: float | None = None,
        state: str = "rate",
        biases: int = 1,
        recurrence: str = "dense",
        readout_bias: bool = False,
        initial_state: str = GIVEN,
    ) -> None:
        super().__init__(activation, output, loss, readout_bias=readout_bias, initial_state=initial_state)
        self._choose((0, 1, 2), biases=biases)
        self._choose(tuple(_PATTERNS), recurrence=recurrence)
        self._choose(("rate", "potential"), state=state)
        if leak is not None and not (isinstance(leak, (int, float)) and 0 < leak <= 1):
            raise GradcheckError(f"Leaky has no leak={leak!r:.60}; wanted a number in (0, 1], or None to learn it")
        object.__setattr__(self, "leak", leak if leak is None else float(leak))

    def domains(self) -> Mapping[str, Any]:
        return {} if self.recurrence == "dense" else {"R": _PATTERNS[self.recurrence]}

    def weights(self, I: int, D: int) -> Shapes:
        rate: Shapes = {"alpha": (I,)} if self.leak is None else {}
        return {**affine_weights([""], I, D, I, self.biases), **rate}

    def rate(self, parameters: Parameters) -> Any:
        """Return the share of a step that is new, shape (I,) or a number."""
        return parameters["alpha"] if self.leak is None else self.leak

    def step(self, parameters: Parameters, state: State, x: Array) -> State:
        new = affine(parameters, "", x, self.hidden(state))
        if self.state == "rate":
            new = self.activation(new)
        rate = self.rate(parameters)
        return (1 - rate) * state + rate * new

    def hidden(self, state: State) -> Array:
        return state if self.state == "rate" else self.activation(state)


@dataclass(frozen=True)
class ContinuousTime(Leaky):
    """Continuous-time units with a time constant each, by Euler's method with steps of `dt`.

    tau ds/dt = -s + W^T x + R^T f(s) + b for potentials, tau dh/dt = -h + f(W^T x + R^T h + b) for rates: `Leaky` with
    alpha = dt / tau.

    Parameters: W (D, I), R (I, I), b (I,), tau (I,), V (I, K); b_y (K,) with a readout bias. State: s or h, shape (I,).

    Source: Funahashi and Nakamura 1993, "Approximation of dynamical systems by continuous time recurrent neural
    networks".

    Args:
        activation: As for `Network`.
        output: As for `Network`.
        loss: As for `Network`.
        dt: The length of a step, in the unit of tau.
        state: "rate" or "potential".
        biases: The number of biases, 0, 1 or 2.
        readout_bias: Whether the readout has a bias.
        initial_state: As for `Network`.

    Raises:
        GradcheckError: As for `Leaky`.
    """

    dt: float = 0.125
    state: str = "potential"
    name = "continuous time"
    fixed = ("leak", "recurrence")

    def __init__(
        self,
        activation: str | Activation = "tanh",
        output: str | Output = "identity",
        loss: str | Loss = "squared_error",
        *,
        dt: float = 0.125,
        state: str = "potential",
        biases: int = 1,
        readout_bias: bool = False,
        initial_state: str = GIVEN,
    ) -> None:
        super().__init__(
            activation, output, loss, state=state, biases=biases, readout_bias=readout_bias, initial_state=initial_state
        )
        if not (isinstance(dt, (int, float)) and 0 < dt < float("inf")):
            raise GradcheckError(f"ContinuousTime has no dt={dt!r:.60}; wanted a number above 0")
        object.__setattr__(self, "dt", float(dt))

    def weights(self, I: int, D: int) -> Shapes:
        return {**affine_weights([""], I, D, I, self.biases), "tau": (I,)}

    def rate(self, parameters: Parameters) -> Any:
        return self.dt / parameters["tau"]
