"""Long short-term memory and its variants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import GradcheckError
from ..typing import Array, Parameters, State
from .activations import Activation
from .cell import GATE, CellNetwork, Shapes, affine, affine_weights
from .losses import Loss, Output
from .start import GIVEN


@dataclass(frozen=True)
class LSTM(CellNetwork):
    """Long short-term memory, with the names of Greff et al.

    z(t) = f(W_z^T x(t) + R_z^T h(t-1) + b_z)                                the block input
    i(t) = logistic(W_i^T x(t) + R_i^T h(t-1) + b_i [+ p_i * c(t-1)])        the input gate
    f(t) = logistic(W_f^T x(t) + R_f^T h(t-1) + b_f [+ p_f * c(t-1)])        the forget gate
    c(t) = f(t) * c(t-1) + i(t) * z(t)
    o(t) = logistic(W_o^T x(t) + R_o^T h(t-1) + b_o [+ p_o * c(t)])          the output gate
    h(t) = o(t) * f(c(t)), with a projection P^T (o(t) * f(c(t)))

    Parameters: W_z, W_i, W_f, W_o (D, I), R_z, ... (I, I), b_z, ... (I,), V (I, K). Peepholes: p_i, p_f, p_o (I,).
    A projection to n: P (I, n), R_z, ... (n, I) and V (n, K). Two biases: Wb_z, ... and Rb_z, ... for b_z, .... Without
    a forget gate, or coupled to the input gate, W_f, R_f, b_f and p_f are missing. b_y (K,) with a readout bias. State:
    (h, c), shapes (I,), or (n,) with a projection, and (I,).

    Source: Hochreiter and Schmidhuber 1997, "Long short-term memory", which has no forget gate; Gers, Schmidhuber and
    Cummins 2000, "Learning to forget", for the forget gate; Gers, Schraudolph and Schmidhuber 2002, "Learning precise
    timing with LSTM recurrent networks", for peepholes; Sak, Senior and Beaufays 2014, "Long short-term memory
    recurrent neural network architectures for large scale acoustic modeling", for the projection; Greff, Srivastava,
    Koutnik, Steunebrink and Schmidhuber 2017, "LSTM: a search space odyssey", for the coupled gates.

    Args:
        activation: As for `Network`; f of the block input and of c.
        output: As for `Network`.
        loss: As for `Network`.
        forget: "gate"; "coupled", then f(t) = 1 - i(t); or "none", then f(t) = 1.
        peepholes: Whether the gates see c.
        projection: The number n of entries of h, or 0 for no projection.
        biases: The number of biases of each gate, 0, 1 or 2.
        readout_bias: Whether the readout has a bias.
        initial_state: As for `Network`.

    Raises:
        GradcheckError: As for `Network`, or an option has another value.
    """

    forget: str = "gate"
    peepholes: bool = False
    projection: int = 0
    biases: int = 1
    name = "LSTM"

    def __init__(
        self,
        activation: str | Activation = "tanh",
        output: str | Output = "identity",
        loss: str | Loss = "squared_error",
        *,
        forget: str = "gate",
        peepholes: bool = False,
        projection: int = 0,
        biases: int = 1,
        readout_bias: bool = False,
        initial_state: str = GIVEN,
    ) -> None:
        super().__init__(activation, output, loss, readout_bias=readout_bias, initial_state=initial_state)
        self._choose(("gate", "coupled", "none"), forget=forget)
        self._choose(peepholes=peepholes)
        self._choose((0, 1, 2), biases=biases)
        if type(projection) is not int or projection < 0:
            raise GradcheckError(f"LSTM has no projection={projection!r:.60}; wanted a whole number, 0 for none")
        object.__setattr__(self, "projection", projection)

    @property
    def gates(self) -> tuple[str, ...]:
        """The endings of the gates' names, the block input first."""
        return ("_z", "_i", "_f", "_o") if self.forget == "gate" else ("_z", "_i", "_o")

    def width(self, I: int) -> int:
        return self.projection or I

    def weights(self, I: int, D: int) -> Shapes:
        shapes = affine_weights(self.gates, I, D, self.width(I), self.biases)
        if self.peepholes:
            shapes |= {f"p{gate}": (I,) for gate in self.gates[1:]}
        if self.projection:
            shapes["P"] = (I, self.projection)
        return shapes

    def memory(self, I: int) -> Any:
        return (self.width(I),), (I,)

    def hidden(self, state: State) -> Array:
        return state[0]  # type: ignore[no-any-return]

    def step(self, parameters: Parameters, state: State, x: Array) -> State:
        h, c = state
        z = self.activation(affine(parameters, "_z", x, h))
        i = self._gate(parameters, "_i", x, h, c)
        if self.forget == "gate":
            kept = self._gate(parameters, "_f", x, h, c) * c
        else:
            kept = (1 - i) * c if self.forget == "coupled" else c
        c = kept + i * z
        h = self._gate(parameters, "_o", x, h, c) * self.activation(c)
        return (parameters["P"].T @ h if self.projection else h), c

    def _gate(self, parameters: Parameters, gate: str, x: Array, h: Array, c: Array) -> Array:
        s = affine(parameters, gate, x, h)
        return GATE(s + parameters[f"p{gate}"] * c if self.peepholes else s)
