"""Output functions g and losses L of the lecture: yhat = g(u), u = V^T a, L_t = L(y, yhat).

`Head` joins the two, because what a rule needs is dL_t/du, and because for the usual pairs
(logistic with binary, softmax with categorical cross-entropy) that derivative is yhat - y without
the division that the two factors would need. `tests/unit/test_losses.py` has SymPy differentiate every
composition and compares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import GradcheckError
from ..functions import DERIVATIVES, apply
from ..typing import Array
from .base import TargetDomain


def _softmax(u: Array) -> Array:
    own = getattr(u, "apply_jointly", None)
    if own is not None:
        return own("softmax")  # type: ignore[no-any-return]
    if u.dtype == object:
        powers = apply("exp", u)
        return powers / powers.sum()  # type: ignore[no-any-return]
    powers = np.exp(u - u.max())
    return powers / powers.sum()  # type: ignore[no-any-return]


def _jointly(name: str, *arguments: Array) -> Array:
    own = getattr(arguments[0], "apply_jointly", None)
    if own is None:
        raise GradcheckError(f"the undefined function {name} has values on formal and modular scalars only")
    return own(name, *arguments[1:])  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Output:
    """An output function: `output(u)` is yhat, shape (K,) -> (K,), on arrays of any scalar."""

    name: str

    def __call__(self, u: Array) -> Array:
        if self.name == "softmax":
            return _softmax(u)
        if self.name == "g":
            return _jointly("g", u)
        return apply(self.name, u)  # type: ignore[no-any-return]

    def pull(self, u: Array, e: Array) -> Array:
        """Return J_g(u)^T e, the error on yhat carried to u, shape (K,)."""
        if self.name == "softmax":
            yhat = self(u)
            return yhat * (e - (yhat * e).sum())  # type: ignore[no-any-return]
        if self.name == "identity":
            return e  # every step of every rule comes by here, so its slope of 1 is not multiplied by
        if self.name == "g":
            raise GradcheckError("an undefined output has no separate derivative; use network.output_error")
        return e * DERIVATIVES[self.name](u)  # type: ignore[no-any-return]


_LOSSES: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]] = {
    "squared_error": (
        lambda y, yhat: ((yhat - y) ** 2).sum() / 2,
        lambda y, yhat: yhat - y,
    ),
    "binary_cross_entropy": (
        lambda y, yhat: -(y * apply("log", yhat) + (1 - y) * apply("log", 1 - yhat)).sum(),
        lambda y, yhat: (yhat - y) / (yhat * (1 - yhat)),
    ),
    "categorical_cross_entropy": (
        lambda y, yhat: -(y * apply("log", yhat)).sum(),
        lambda y, yhat: -y / yhat,
    ),
}


@dataclass(frozen=True)
class Loss:
    """A loss per step: `loss(y, yhat)` is one number, `loss.derivative(y, yhat)` is e = dL/dyhat, (K,)."""

    name: str

    def __call__(self, y: Array, yhat: Array) -> Any:
        return self._pair()[0](y, yhat)

    def derivative(self, y: Array, yhat: Array) -> Array:
        return self._pair()[1](y, yhat)  # type: ignore[no-any-return]

    def _pair(self) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
        if self.name not in _LOSSES:
            raise GradcheckError(f"the undefined loss {self.name} has no separate value; use network.loss_value")
        return _LOSSES[self.name]


OUTPUTS = {name: Output(name) for name in ("identity", "tanh", "logistic", "softmax")}
LOSSES = {name: Loss(name) for name in _LOSSES}
UNDEFINED_OUTPUT, UNDEFINED_LOSS = Output("g"), Loss("L")

_NEEDS = {"binary_cross_entropy": "logistic", "categorical_cross_entropy": "softmax"}
_DOMAINS = {"binary_cross_entropy": TargetDomain.UNIT, "categorical_cross_entropy": TargetDomain.SHARES}
HEADS = (
    ("identity", "squared_error"),
    ("tanh", "squared_error"),
    ("logistic", "squared_error"),
    ("softmax", "squared_error"),
    ("logistic", "binary_cross_entropy"),
    ("softmax", "categorical_cross_entropy"),
)
"""The outputs and losses that go together, by name."""


@dataclass(frozen=True)
class Head:
    """An output and a loss together.

    Raises `GradcheckError` for unknown names, and for a cross-entropy whose output is not a probability.
    """

    output: Output
    loss: Loss

    @classmethod
    def named(cls, output: str | Output, loss: str | Loss) -> Head:
        if isinstance(output, str) and output not in OUTPUTS:
            raise GradcheckError(f"there is no output {output!r}; choose one of {', '.join(OUTPUTS)}")
        if isinstance(loss, str) and loss not in LOSSES:
            raise GradcheckError(f"there is no loss {loss!r}; choose one of {', '.join(LOSSES)}")
        head = cls(
            output if isinstance(output, Output) else OUTPUTS[output],
            loss if isinstance(loss, Loss) else LOSSES[loss],
        )
        needed = _NEEDS.get(head.loss.name)
        if needed is not None and head.output.name != needed:
            raise GradcheckError(
                f"{head.loss.name} needs the output {needed!r}, whose values are probabilities; "
                f"got {head.output.name!r}"
            )
        if (head.output.name == "g") != (head.loss.name == "L"):
            raise GradcheckError("an undefined output goes with an undefined loss, and the other way round")
        return head

    def value(self, u: Array, y: Array) -> Any:
        """Return L(y, g(u)), one number; `u` and `y` have shape (K,)."""
        if self.loss.name == "L":
            return _jointly("L", u, y)
        return self.loss(y, self.output(u))

    def error(self, u: Array, y: Array) -> Array:
        """Return dL(y, g(u))/du, shape (K,)."""
        if self.loss.name == "L":
            return _jointly("e", u, y)
        yhat = self.output(u)
        if self.loss.name in _NEEDS:
            return yhat - y
        return self.output.pull(u, self.loss.derivative(y, yhat))

    @property
    def target_domain(self) -> TargetDomain:
        """The targets that the loss is defined on."""
        return _DOMAINS.get(self.loss.name, TargetDomain.REAL)

    def validate_targets(self, targets: Array) -> None:
        """Raise `GradcheckError` where float targets (T, K) are not what the loss is defined on."""
        if targets.dtype.kind != "f" or hasattr(targets, "apply_function"):
            return
        if self.loss.name in _NEEDS and ((targets < 0) | (targets > 1)).any():
            raise GradcheckError(f"{self.loss.name} wants targets in [0, 1]; got {targets.min()} to {targets.max()}")
        sums = targets.sum(axis=1)
        if self.loss.name == "categorical_cross_entropy" and (abs(sums - 1) > 1e-6).any():
            raise GradcheckError(
                "categorical_cross_entropy wants targets that sum to 1 at every step; "
                f"step {int(abs(sums - 1).argmax()) + 1} sums to {sums[abs(sums - 1).argmax()]}"
            )
