"""Recurrent networks: the forward equations that one must have, and the capabilities that it may have.

A network is `step`, `readout`, an output and a loss, and the names and shapes of its parameters, in plain NumPy.
Everything else in `reference` runs these equations on other scalars. A class that has the methods of
`RecurrentNetwork` is a network; there is nothing to inherit. `Capabilities` lists what a network may add, each with
its default, and `ask` is the one way to ask for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Concatenate, NamedTuple, ParamSpec, Protocol, TypeVar, runtime_checkable

import numpy as np

from ..errors import GradcheckError, UnsupportedOperation
from ..tree import children, is_shape, map_nest, rebuilt
from ..typing import Array, Parameters, State

_P = ParamSpec("_P")
_R = TypeVar("_R")


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
    """Forward equations that `reference` can differentiate. Match it; there is nothing to inherit."""

    @property
    def name(self) -> str:
        """A short name for reports."""

    def __hash__(self) -> int:
        """Return a hash, for networks are keys of caches; a frozen dataclass has one."""

    def parameter_shapes(self, sizes: Sizes) -> dict[str, tuple[int, ...]]:
        """Return parameter name to shape, in the order of reports; () is the shape of a single number."""

    def state_shape(self, sizes: Sizes) -> Any:
        """Return the state's shape, or a tuple, list or dict of shapes, nested as the state is."""

    def sizes_of(self, parameters: Parameters, T: int) -> Sizes:
        """Return the sizes that these parameters imply; T is given."""

    def step(self, parameters: Parameters, state: State, x: Array) -> State:
        """Return the state after reading the input x, shape (D,)."""

    def readout(self, parameters: Parameters, state: State) -> Array:
        """Return u, shape (K,), from the state."""

    def loss_value(self, u: Array, y: Array) -> Any:
        """Return L_t = L(y, g(u)), one number."""


class TargetDomain(Enum):
    """Targets that a loss is defined on."""

    REAL = "any real numbers"
    UNIT = "numbers in [0, 1]"
    SHARES = "numbers in [0, 1] that sum to 1 at every step"


class Rest(NamedTuple):
    """A pre-activation at which a unit keeps its slope: s, f(s) and f'(s)."""

    s: float
    value: float
    slope: float


class Capabilities:
    """Optional methods of a network, with their defaults.

    Inherit it and override what the network knows; a network that only matches `RecurrentNetwork` may have any of
    these methods too, and has the defaults of the others. Ask by `ask(network, Capabilities.has_kinks)`.
    """

    # `output_error(u, y)`, which returns dL_t/du, is optional too: `lags.output_error` derives it from `loss_value`.

    def output(self, u: Array) -> Array:
        """Return yhat = g(u), shape (K,); u itself where the loss is all that a network says."""
        return u

    def undefined(self, *, head: bool = True) -> Any:
        """Return this network with f left undefined, and with `head` output and loss too; None where it cannot."""
        return None

    def target_domain(self) -> TargetDomain:
        """Return the targets that the loss is defined on."""
        return TargetDomain.REAL

    def domains(self) -> Mapping[str, Any]:
        """Return the domains of parameters by name, and of "inputs", as `domains.Domain.read` takes them."""
        return {}

    def validate_targets(self, targets: Array) -> None:
        """Raise `GradcheckError` for float targets (T, K) that the loss is not defined on."""

    def has_kinks(self) -> bool:
        """Return whether f has a kink at 0, so that units with positive pre-activations are the ones with slope."""
        return False

    def resting_point(self) -> Rest | None:
        """Return where units keep their slope, or None if f(0) = 0 and f'(0) = 1 will do."""
        return None

    def at_step(self, t: int, T: int) -> Any:
        """Return the network whose `loss_value` is the loss at step t of T; this one where all steps have one loss."""
        return self

    def sequences(self) -> int:
        """Return the number of blocks, alike, that inputs and targets consist of: the sequences of a batch."""
        return 1

    def functions(self) -> Any:
        """Return the network whose activation and output error are those that `undefined` leaves undefined."""
        return self

    def presented(self, problem: Any) -> Any:
        """Return a problem of this network as a rule gets it."""
        return problem

    def least_outputs(self) -> int:
        """Return the smallest K whose gradient is not zero throughout; 2 where one output leaves the loss as it is."""
        own: Any = self
        try:
            one, other = (float(own.loss_value(np.array([u]), np.ones(1))) for u in (0.25, -0.75))
        except Exception:  # a network that has no loss, or another one for a single output
            return 1
        return 2 if one == other else 1

    def unit_axes(self) -> Mapping[str, tuple[int, ...]]:
        """Return parameter name to the axes that run over the units, if units may be permuted; else nothing.

        The state must be one array with one entry per unit.
        """
        return {}

    def odd_activation(self) -> bool:
        """Return whether f(-s) = -f(s), so that units may change their signs."""
        return False

    def scales_with_readout(self) -> bool:
        """Return whether the loss is c^2 times itself when V and the targets are c times themselves."""
        return False

    def acts_by_component(self) -> bool:
        """Return whether two networks side by side, with both inputs and outputs, have the sum of their losses."""
        return False


def ask(
    network: RecurrentNetwork, capability: Callable[Concatenate[Any, _P], _R], /, *args: _P.args, **kwargs: _P.kwargs
) -> _R:
    """Call an optional method of a network, or its default where the network has none.

    Args:
        network: Any network.
        capability: A method of `Capabilities`, such as `Capabilities.has_kinks`.
        args: Arguments of the method.
        kwargs: Keyword arguments of the method.
    """
    own: Any = getattr(network, capability.__name__, None)
    if callable(own):
        return own(*args, **kwargs)  # type: ignore[no-any-return]
    if own is None or args or kwargs:
        return capability(network, *args, **kwargs)
    return own  # type: ignore[no-any-return]  # a constant, as an attribute


def has_one_loss(network: RecurrentNetwork) -> bool:
    """Return whether the loss of a step is the same wherever it stands; that of a mean over T steps is not."""
    return ask(network, Capabilities.at_step, 1, 2) is network


def sizes_of(network: RecurrentNetwork, parameters: Parameters, T: int) -> Sizes:
    """Return the sizes that parameters imply; a tuple (T, I, D, K) counts as `Sizes`.

    Args:
        network: Any network.
        parameters: Its parameters by name.
        T: The number of steps.

    Raises:
        GradcheckError: `network.sizes_of` returned anything else.
    """
    found: Any = network.sizes_of(parameters, T)
    if isinstance(found, Sizes):
        return found
    try:
        return Sizes(*(part.__index__() for part in found))
    except (TypeError, AttributeError):
        raise GradcheckError(
            f"sizes_of(parameters, T) of the network {network.name} returned {found!r:.60}; return "
            "Sizes(T, I, D, K), four whole numbers"
        ) from None


_METHODS = {
    "parameter_shapes": "parameter_shapes(sizes)",
    "state_shape": "state_shape(sizes)",
    "sizes_of": "sizes_of(parameters, T)",
    "step": "step(parameters, state, x)",
    "readout": "readout(parameters, state)",
    "loss_value": "loss_value(u, y)",
}
_SPOKEN = {**_METHODS, "output_error": "output_error(u, y)"}


def not_a_network(network: Any) -> str:
    """Return why `network` is none and what to write instead; empty for a network."""
    such_as = 'use gradcheck.Network("tanh", "identity", "squared_error"), ...'
    if isinstance(network, type):
        return f"{network!r} is not a network (write it with parentheses); {such_as}"
    missing = [spoken for name, spoken in {"name": "name", **_METHODS}.items() if not hasattr(network, name)]
    if not missing and type(network).__hash__ is not None:
        return ""
    if len(missing) == len(_METHODS) + 1:
        return f"{network!r} is not a network; {such_as}"
    if missing:
        return f"{network!r} is not a network: it lacks {', '.join(missing)}; give it those, or {such_as}"
    return f"{network!r} is not a network: it cannot be hashed; make it a frozen dataclass"


def step(network: RecurrentNetwork, parameters: Parameters, state: State, x: Array) -> State:
    """Return `network.step(parameters, state, x)`.

    Args:
        network: Any network.
        parameters: Its parameters by name.
        state: The state before the step, an array or a nest of arrays.
        x: The input, shape (D,).

    Raises:
        GradcheckError: It fails, or returns a state of another structure or shape.
    """
    after = _called(network, "step", network.step, parameters, state, x)
    if getattr(state, "shape", None) == () and children(after) is None and not hasattr(after, "shape"):
        after = _in_array(after, state)
    _check_shape(network, "step", shapes(after), shapes(state))
    return after


def readout(network: RecurrentNetwork, parameters: Parameters, state: State, K: int) -> Array:
    """Return `network.readout(parameters, state)`.

    Args:
        network: Any network.
        parameters: Its parameters by name.
        state: The state after the step.
        K: The number of outputs.

    Raises:
        GradcheckError: It fails, or returns anything but an array of shape (K,).
    """
    u = _called(network, "readout", network.readout, parameters, state)
    _check_shape(network, "readout", shapes(u), (K,))
    return u  # type: ignore[no-any-return]


def output_error(network: RecurrentNetwork, u: Array, y: Array) -> Array:
    """Return `network.output_error(u, y)` of a network that has it; see `lags.output_error` for any network.

    Args:
        network: Any network.
        u: The readout, shape (K,).
        y: The target, shape (K,).

    Raises:
        GradcheckError: It fails, or returns anything but an array of the shape of u.
    """
    own: Any = network
    error = _called(network, "output_error", own.output_error, u, y)
    _check_shape(network, "output_error", shapes(error), shapes(u))
    return error  # type: ignore[no-any-return]


def loss_value(network: RecurrentNetwork, u: Array, y: Array) -> Any:
    """Return `network.loss_value(u, y)`.

    Args:
        network: Any network.
        u: The readout, shape (K,).
        y: The target, shape (K,).

    Raises:
        GradcheckError: It fails, or returns anything but one number.
    """
    value = _called(network, "loss_value", network.loss_value, u, y)
    if value is None or getattr(value, "shape", ()) != ():
        what = "None" if value is None else f"shape {value.shape}"
        raise GradcheckError(
            f"loss_value(u, y) of the network {network.name} returned {what}; wanted one number, such as a sum over "
            "outputs"
        )
    return value


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
            f"{_SPOKEN[method]} of the network {network.name} raised {type(error).__name__}: {error}; mend its "
            f"{method}, or check that it fits its parameter_shapes and state_shape"
        ) from error


def shapes(value: Any) -> Any:
    """Return the shape of an array, or the shapes of a nest of arrays, nested alike."""
    if hasattr(value, "shape"):
        return value.shape
    found = children(value)
    if found is None:
        return f"no array but {value!r:.60}"
    return rebuilt(value, [shapes(part) for _, part in found])


def plain_shapes(shape: Any) -> Any:
    """Return a state's shape with each shape a tuple of ints, nested as it returned."""
    return map_nest(lambda part: tuple(n.__index__() for n in part), shape, is_leaf=is_shape)


def _in_array(number: Any, like: Array) -> Array:
    """Return a number in an array of shape (), as which NumPy hands single numbers of other scalars out."""
    made = np.zeros_like(like)
    made[()] = number
    return made


def _check_shape(network: RecurrentNetwork, method: str, returned: Any, wanted: Any) -> None:
    if returned != wanted:
        what = returned if isinstance(returned, str) else f"shape {returned}"
        raise GradcheckError(f"{_SPOKEN[method]} of the network {network.name} returned {what}; wanted shape {wanted}")
