"""A network from its forward equations, as functions.

`gradcheck.network(step, readout, parameters={...})` is all that a user writes: no derivative, no class. Whatever the
harness needs beside them, it derives from the equations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import GradcheckError
from ..tree import is_shape, map_nest
from ..typing import Array, Parameters, State
from . import base, start
from .axes import LETTERS, Axis, Length, solved, tied
from .base import Capabilities, Sizes, TargetDomain
from .domains import INPUTS, inside
from .losses import Head
from .sizes import fitting

_TRIED, _OTHER = Sizes(2, 3, 2, 2), Sizes(2, 4, 2, 2)


@dataclass(frozen=True, eq=False, repr=False)
class WrittenNetwork(Capabilities):
    """A network that `network` made; see there."""

    name: str
    step: Callable[[Parameters, State, Array], State]
    readout: Callable[[Parameters, State], Array]
    axes: Mapping[str, tuple[Axis, ...]]
    state: Any
    head: Head | Callable[[Array, Array], Any]
    output_error: Callable[[Array, Array], Array] | None
    initial_state: Any
    ties: Mapping[str, Axis]
    stated: Mapping[str, Any]

    def parameter_shapes(self, sizes: Sizes) -> dict[str, tuple[int, ...]]:
        return {name: self._shape(f"the parameter {name}", axes, sizes) for name, axes in self.axes.items()}

    def state_shape(self, sizes: Sizes) -> Any:
        return map_nest(lambda axes: self._shape("the state", axes, sizes), self.state, is_leaf=_is_axes)

    def sizes_of(self, parameters: Parameters, T: int) -> Sizes:
        found = solved(
            (Length.read(axis, f"the parameter {name}"), length)
            for name, axes in self.axes.items()
            for axis, length in zip(axes, parameters[name].shape, strict=True)
        )
        found = tied(self.ties, found)
        if "K" not in found and {"I", "D"} <= set(found):  # the readout has no parameter that says
            sizes = Sizes(T, found["I"], found["D"], 1)
            like = np.zeros(1)
            state = map_nest(lambda shape: np.zeros_like(like, shape=shape), self.state_shape(sizes), is_leaf=is_shape)
            zeros = {name: np.zeros(array.shape) for name, array in parameters.items()}
            found["K"] = int(np.shape(self.readout(zeros, state))[0])
        if missing := [letter for letter in LETTERS if letter not in found]:
            raise GradcheckError(
                f"no parameter of the network {self.name} settles {missing[0]}; say what it is, such as "
                f"sizes={{{missing[0]!r}: 'I'}}"
            )
        return Sizes(T, found["I"], found["D"], found["K"])

    def loss_value(self, u: Array, y: Array) -> Any:
        return self.head.value(u, y) if isinstance(self.head, Head) else self.head(u, y)

    def output(self, u: Array) -> Array:
        return self.head.output(u) if isinstance(self.head, Head) else u

    def target_domain(self) -> TargetDomain:
        return self.head.target_domain if isinstance(self.head, Head) else TargetDomain.REAL

    def validate_targets(self, targets: Array) -> None:
        if isinstance(self.head, Head):
            self.head.validate_targets(targets)

    def least_outputs(self) -> int:
        if isinstance(self.head, Head):
            return 2 if self.head.output.name == "softmax" else 1
        return super().least_outputs()

    def domains(self) -> Mapping[str, Any]:
        return self.stated

    def _shape(self, what: str, axes: tuple[Axis, ...], sizes: Sizes) -> tuple[int, ...]:
        return tuple(Length.read(axis, what).at(sizes) for axis in axes)

    def __str__(self) -> str:
        shown = ", ".join(f"{name} ({', '.join(map(str, axes))})" for name, axes in self.axes.items())
        return shown if start.is_given(self) else f"{shown}, from {start.described(self)}"

    def __repr__(self) -> str:
        return f"<network {self.name}: {self}>"


def _is_axes(shape: Any) -> bool:
    """Return whether this is one array's axes, not a nest of them; () is a single number."""
    return isinstance(shape, tuple) and all(isinstance(axis, int | str) for axis in shape)


def network(
    step: Callable[[Any, Any, Any], Any],
    readout: Callable[[Any, Any], Any],
    parameters: Mapping[str, tuple[Axis, ...]],
    *,
    state: Any = ("I",),
    initial_state: Any = start.GIVEN,
    output: str = "identity",
    loss: str | Callable[[Any, Any], Any] = "squared_error",
    output_error: Callable[[Any, Any], Any] | None = None,
    sizes: Mapping[str, Axis] | None = None,
    domains: Mapping[str, Any] | None = None,
    name: str = "",
) -> WrittenNetwork:
    """Make a network from its forward equations; no derivative is asked for.

    Args:
        step: step(parameters, state, x) returns the state after the input x, shape (D,). Parameters are a dict of
            arrays by name.
        readout: readout(parameters, state) returns u, shape (K,).
        parameters: Parameter name to its axes in I units, D inputs and K outputs: {"W": ("I", "D"), "b": ("4*I",),
            "g": ()}.
        state: The axes of the state, or a tuple, list or dict of axes for a state of several arrays.
        initial_state: "given" by the problem, "zeros", an array (or a nest of them), or a function of the parameters.
        output: identity, tanh, logistic or softmax, where `loss` is a name.
        loss: squared_error (with its factor 1/2), binary_cross_entropy (logistic output), categorical_cross_entropy
            (softmax output), or loss(u, y), which returns one number.
        output_error: output_error(u, y) returns dL/du, shape (K,); derived from the loss if left out, else checked
            against it.
        sizes: Sizes that are tied, such as {"K": "I"} for a network without an output layer. A size that parameters
            settle need not be said.
        domains: Parameter name, or "inputs", to the numbers that it may hold: "positive", "nonnegative", "integers",
            "one-hot", or (low, high).
        name: A name for reports; that of `step` if left out.

    Returns:
        A network, for `@gradcheck.rule(..., networks=[...])` and `gradcheck.Problem(..., network=...)`.

    Raises:
        GradcheckError: The equations do not fit the shapes, or each other; the message names the function at fault.
    """
    for spoken, function in (("step", step), ("readout", readout)):
        if not callable(function):
            raise GradcheckError(f"{spoken} must be a function; got {function!r:.60}")
    if not isinstance(parameters, Mapping) or not parameters:
        raise GradcheckError(
            f"parameters must be a dict of axes by name, such as {{'W': ('I', 'D'), 'V': ('K', 'I')}}; "
            f"got {parameters!r:.60}"
        )
    for spoken, given in (("sizes", sizes), ("domains", domains)):
        if given is not None and not isinstance(given, Mapping):
            raise GradcheckError(f"{spoken} must be a dict; got {given!r:.60}")
    if strange := [letter for letter in (sizes or {}) if letter not in LETTERS]:
        raise GradcheckError(f"sizes says what {strange[0]!r:.40} is; it can say what I, D and K are")
    if taken := [each for each in parameters if each in (INPUTS, "targets", "initial_state", "loss_weights")]:
        raise GradcheckError(
            f"a parameter is called {taken[0]!r}, as an array of every problem is; give it another name"
        )
    if not isinstance(loss, str) and output != "identity":
        raise GradcheckError(f"output={output!r:.40} goes with a loss by name; a loss(u, y) of yours applies its own")
    head = loss if callable(loss) else Head.named(output, loss)
    made = WrittenNetwork(
        name=name or _name(step),
        step=step,
        readout=readout,
        axes={each: _axes(axes, f"the parameter {each}") for each, axes in parameters.items()},
        state=_state(state),
        head=head,
        output_error=output_error or (head.error if isinstance(head, Head) else None),
        initial_state=initial_state,
        ties=dict(sizes or {}),
        stated=dict(domains or {}),
    )
    for each in made.stated:
        if each != INPUTS and each not in made.axes:
            raise GradcheckError(f"domains names {each!r:.40}; it can name {', '.join(made.axes)} and {INPUTS}")
    _try(made)
    return made


def _axes(axes: Any, what: str) -> tuple[Axis, ...]:
    """Return axes as a tuple; a single letter stands for one axis."""
    found = (axes,) if isinstance(axes, str) else axes
    if not isinstance(found, tuple | list):
        raise GradcheckError(f"{what} has the axes {axes!r:.60}; wanted a tuple such as ('I', 'D'), or () for a number")
    for axis in found:
        Length.read(axis, what)
    return tuple(found)


def _state(state: Any) -> Any:
    """Return the axes of a state, nested as they were given."""
    if isinstance(state, dict):
        return {name: _state(part) for name, part in state.items()}
    if (
        isinstance(state, list)
        or isinstance(state, tuple)
        and any(isinstance(part, tuple | list | dict) for part in state)
    ):
        return type(state)(map(_state, state))
    return _axes(state, "the state")


def _name(step: Callable[..., Any]) -> str:
    named = getattr(step, "__name__", "<lambda>")
    return "network" if named == "<lambda>" else named.strip("_").replace("_", " ")


def _try(network: WrittenNetwork) -> None:
    """Take two steps on small numbers, so that a mistake is met where the network is written."""
    try:
        sizes = fitting(network, _TRIED, alive=True)
        other = fitting(network, _OTHER, alive=True)
    except MemoryError:
        raise GradcheckError(f"the network {network.name} is too large: its sizes are {dict(network.ties)}") from None
    rng = np.random.default_rng(0)

    def small(shape: tuple[int, ...]) -> Array:
        return np.asarray(rng.uniform(0.1, 0.4, shape))

    parameters = {name: inside(network, name, small(shape)) for name, shape in network.parameter_shapes(sizes).items()}
    shape = network.state_shape(sizes)
    if start.is_given(network):
        state = map_nest(small, shape, is_leaf=is_shape)
    else:
        state = start.settled(network, parameters, shape, np.zeros(1))
    if not start.is_given(network) and not start.is_learned(network):
        start.settled(network, {}, network.state_shape(other), np.zeros(1))
    with np.errstate(all="ignore"):
        for _ in range(sizes.T):
            state = base.step(network, parameters, state, inside(network, INPUTS, small((sizes.D,))))
            u = base.readout(network, parameters, state, sizes.K)
        base.loss_value(network, u, np.full(sizes.K, 1 / sizes.K))
