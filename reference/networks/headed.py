"""Networks that are made of an activation, an output and a loss, by name."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

from ..errors import GradcheckError
from ..typing import Array
from .activations import ACTIVATIONS, UNDEFINED_ACTIVATION, Activation, activation_named
from .base import Capabilities, Rest, TargetDomain
from .losses import UNDEFINED_LOSS, UNDEFINED_OUTPUT, Head, Loss, Output
from .start import GIVEN, ZEROS


@dataclass(frozen=True)
class HeadedNetwork(Capabilities):
    """Base of networks with one activation f, one output g and one loss L.

    A subclass adds `name`, shapes, `step` and `readout`, and `unit_axes` if its units may be permuted.

    Args:
        activation: identity, tanh, logistic, relu or softplus, or an `Activation`.
        output: identity, tanh, logistic or softmax, or an `Output`.
        loss: squared_error (with its factor 1/2), binary_cross_entropy (logistic output) or
            categorical_cross_entropy (softmax output), or a `Loss`.
        initial_state: "given" by the problem, or "zeros".

    Raises:
        GradcheckError: A name is unknown, or a cross-entropy has an output that is no probability.
    """

    fixed: ClassVar[tuple[str, ...]] = ()
    """Options of a base class that a subclass does not let its user choose."""

    activation: Activation = ACTIVATIONS["tanh"]
    head: Head = Head.named("identity", "squared_error")
    initial_state: str = GIVEN

    def __init__(
        self,
        activation: str | Activation = "tanh",
        output: str | Output = "identity",
        loss: str | Loss = "squared_error",
        *,
        initial_state: str = GIVEN,
    ) -> None:
        object.__setattr__(self, "activation", activation_named(activation))
        object.__setattr__(self, "head", Head.named(output, loss))
        if not isinstance(initial_state, str) or initial_state not in (GIVEN, ZEROS):
            raise GradcheckError(
                f"initial_state={initial_state!r:.60} is neither {GIVEN!r} nor {ZEROS!r}; a network of another start "
                "is a subclass with initial_state(parameters), or gradcheck.network(...)"
            )
        if self._settles_its_start():
            if initial_state != GIVEN:
                raise GradcheckError(f"{type(self).__name__} has an initial_state of its own; leave the argument out")
        else:
            object.__setattr__(self, "initial_state", initial_state)

    def _settles_its_start(self) -> bool:
        """Return True if a subclass says `initial_state` itself, which no attribute of an instance may hide."""
        return next(kind for kind in type(self).__mro__ if "initial_state" in vars(kind)) is not HeadedNetwork

    @property
    def loss(self) -> Loss:
        return self.head.loss

    @property
    def output(self) -> Output:
        """The output function g as a callable: `net.output(u)` is yhat."""
        return self.head.output

    def loss_value(self, u: Array, y: Array) -> Any:
        """Return L(y, g(u)), one number; u and y have shape (K,)."""
        return self.head.value(u, y)

    def output_error(self, u: Array, y: Array) -> Array:
        """Return dL_t/du, shape (K,), from u = V^T a and the target y, both (K,)."""
        return self.head.error(u, y)

    def undefined(self, *, head: bool = True) -> Any:
        made = copy.copy(self)  # with what a subclass has beside them
        object.__setattr__(made, "activation", UNDEFINED_ACTIVATION)
        if head:
            object.__setattr__(made, "head", Head.named(UNDEFINED_OUTPUT, UNDEFINED_LOSS))
        return made

    def target_domain(self) -> TargetDomain:
        return self.head.target_domain

    def validate_targets(self, targets: Array) -> None:
        self.head.validate_targets(targets)

    def has_kinks(self) -> bool:
        return self.activation.has_kink

    def resting_point(self) -> Rest | None:
        return self.activation.resting_point

    def least_outputs(self) -> int:
        return 2 if self.head.output.name == "softmax" else 1

    def odd_activation(self) -> bool:
        return self.activation.odd

    def scales_with_readout(self) -> bool:
        return self.head.output.name == "identity"

    def acts_by_component(self) -> bool:
        return self.head.output.name != "softmax"

    def options(self) -> dict[str, Any]:
        """Return what a subclass lets its user choose beside activation, output and loss, by name."""
        functions = ("activation", "head", *self.fixed)
        fields = (field.name for field in dataclasses.fields(self) if field.name not in functions)
        return {name: getattr(self, name) for name in fields}

    def chosen(self) -> dict[str, Any]:
        """Return the options that differ from their defaults, by name."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        return {name: value for name, value in self.options().items() if value != defaults[name]}

    def head_text(self) -> str:
        """Return output and loss in words."""
        return f"{self.head.output.name} output, {self.head.loss.name.replace('_', ' ')}"

    def __str__(self) -> str:
        chosen = (_option_text(name, value) for name, value in self.chosen().items())
        return ", ".join([self.activation.name, *chosen, self.head_text()])


def _option_text(option: str, value: Any) -> str:
    """Return an option in words: peepholes, no forget gate, reset after."""
    if option == "initial_state":
        return f"from {value}" if isinstance(value, str) else "from a start of its own"
    words = option.replace("_", " ")
    return {True: words, False: f"no {words}"}[value] if isinstance(value, bool) else f"{words} {value}"
