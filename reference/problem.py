"""A problem: a network, its parameters, one sequence, and what is asked of it.

Validated when made. `Problem.over(field)` is the same problem on other scalars, exactly: a float is
a dyadic rational and is carried over as one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .errors import GradcheckError, Inadmissible
from .network import DEFAULT_NETWORK, RecurrentNetwork, Sizes
from .networks import base as networks
from .networks import domains, start
from .networks.sizes import fitting
from .scalars.base import FieldArray
from .scalars.float_ball import FloatBallArray
from .scalars.scalar import NUMBERS, Scalar
from .tree import flatten, is_shape, leaves, map_nest, path_name
from .typing import Array, State

_NUMBERS = (Scalar, *NUMBERS)
_GIVEN = ("inputs", "targets", "initial_state", "loss_weights")


def _as_array(value: Any, what: str) -> Array:
    try:
        array = value if isinstance(value, np.ndarray) else np.asarray(value)
    except ValueError as error:
        raise GradcheckError(
            f"{what} cannot be made an array ({error}); wanted rows of equal length. Sequences that differ in length "
            "are a problem each"
        ) from None
    if array.dtype.kind in "iub":
        array = array.astype(np.float64)
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise GradcheckError(f"{what} holds NaN or infinity; a problem's numbers must be finite")
    elif array.dtype.kind != "O" and not isinstance(array, FloatBallArray):
        raise GradcheckError(f"{what} has dtype {array.dtype}; wanted real numbers")
    elif not isinstance(array, (FieldArray, FloatBallArray)):
        few = array.size <= 4096
        strange = next((each for each in (array.flat if few else array.flat[:1]) if not isinstance(each, _NUMBERS)), 0)
        if not isinstance(strange, _NUMBERS):
            raise GradcheckError(
                f"{what} holds {strange!r:.60}, a {type(strange).__name__}; wanted real numbers: floats, ints, "
                "Fractions or scalars of one field (try np.asarray(..., dtype=float))"
            )
    return array


def map_state(function: Callable[..., Any], state: State, *others: State) -> State:
    """Apply `function` to each array of a state.

    Args:
        function: Takes an array of `state`, and those at its place in `others`.
        state: An array, or a nest of tuples, lists and dicts of arrays.
        others: States of the same structure.

    Returns:
        The results, nested as the state is.
    """
    return map_nest(function, state, *others)


def named_state(made: Callable[[str, tuple[int, ...]], Array], shape: Any) -> State:
    """Make a state from its shape, array by array.

    Args:
        made: Takes the name of an array (initial_state, initial_state[0], initial_state[h]) and its shape.
        shape: A shape, or a nest of shapes, as `network.state_shape` returns it.

    Returns:
        The arrays, nested as the shapes are.
    """
    names = state_names(shape)
    return map_shape(lambda part: made(next(names), part), shape)


def state_names(shape: Any) -> Iterator[str]:
    """Yield the names of a state's arrays in order: initial_state, or initial_state[0], initial_state[h][1], ..."""
    return (path_name("initial_state", path) for path, _ in flatten(shape, is_shape))


def map_shape(function: Callable[[tuple[int, ...]], Any], shape: Any) -> Any:
    """Apply `function` to a state's shape, or to each of a nest of shapes; return the results, nested alike."""
    return map_nest(lambda part: function(tuple(part)), shape, is_leaf=is_shape)


@dataclass(frozen=True)
class Problem:
    """Input of a rule: a network, its parameters and one sequence.

    parameters: name to array. inputs: (T, D). targets: (T, K). initial_state: the network's state
    before step 1, zeros if left out, or the network's own (see `networks.start`). loss_weights: (T,),
    ones if left out; L = sum_t w_t L_t, so zeros take steps out of the loss. Raises `GradcheckError`
    for shapes that disagree, unknown or missing parameters, NaN or infinity, and T = 0.
    """

    parameters: dict[str, Array]
    inputs: Array
    targets: Array
    initial_state: State = None
    loss_weights: Array = None  # type: ignore[assignment]
    network: RecurrentNetwork = field(default=DEFAULT_NETWORK)

    def __post_init__(self) -> None:
        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        if refusal := networks.not_a_network(self.network):
            raise GradcheckError(refusal)
        if not isinstance(self.parameters, Mapping):
            wanted = ", ".join(f"{name!r}: ..." for name in self._names())
            raise GradcheckError(
                f"parameters must be a dict of arrays by name; got {self.parameters!r:.60}, a "
                f"{type(self.parameters).__name__}; write {{{wanted}}}"
            )
        put("parameters", {k: _as_array(v, f"parameter {k}") for k, v in dict(self.parameters).items()})
        put("inputs", _as_array(self.inputs, "inputs"))
        put("targets", _as_array(self.targets, "targets"))
        for name in ("inputs", "targets"):
            array = getattr(self, name)
            if array.ndim != 2:
                raise GradcheckError(
                    f"{name} must be time-major with two axes, (T, {'D' if name == 'inputs' else 'K'}); "
                    f"got shape {array.shape}"
                )
        if self.inputs.shape[0] == 0:
            raise GradcheckError("T = 0: a sequence needs at least one step")
        if self.inputs.shape[0] != self.targets.shape[0]:
            raise GradcheckError(
                f"inputs have {self.inputs.shape[0]} steps and targets {self.targets.shape[0]}; they must agree"
            )
        self._check_parameters()
        self._check_domains()
        like = self.inputs
        shape = self.network.state_shape(self.sizes)
        if not start.is_given(self.network):
            settled = start.settled(self.network, self.parameters, shape, like)
            if self.initial_state is not None:
                self._check_start(settled, shape)
            put("initial_state", settled)
        elif self.initial_state is None:
            put("initial_state", map_shape(lambda s: _zeros(like, s), shape))
        else:
            put("initial_state", self._given_state(shape))
        if self.loss_weights is None:
            put("loss_weights", _zeros(like, (self.inputs.shape[0],)) + 1)
        else:
            put("loss_weights", _as_array(self.loss_weights, "loss_weights"))
        if self.loss_weights.shape != (self.T,):
            raise GradcheckError(f"loss_weights must have shape ({self.T},); got {self.loss_weights.shape}")
        networks.ask(self.network, networks.Capabilities.validate_targets, self.targets)

    def _names(self) -> list[str]:
        """Return the names of the network's parameters."""
        return list(self.network.parameter_shapes(fitting(self.network, Sizes(1, 1, 1, 1))))

    def _check_parameters(self) -> None:
        try:
            shapes = self.network.parameter_shapes(self.sizes)
        except (KeyError, IndexError):
            wanted = ", ".join(self._names())
            raise GradcheckError(
                f"the {self.network.name} network has the parameters {wanted}; "
                f"got {', '.join(f'{k} {v.shape}' for k, v in self.parameters.items()) or 'none'}"
            ) from None
        if taken := [name for name in shapes if name.partition("[")[0] in _GIVEN]:
            raise GradcheckError(
                f"the {self.network.name} network has a parameter {taken[0]!r}, which is the name of an array of every "
                "problem; give it another name"
            )
        if set(shapes) != set(self.parameters):
            raise GradcheckError(
                f"the {self.network.name} network has the parameters {', '.join(shapes)}; "
                f"got {', '.join(map(str, self.parameters))}"
            )
        for name, shape in shapes.items():
            if self.parameters[name].ndim != len(shape):
                axes = f"{len(shape)} ax{'is' if len(shape) == 1 else 'es'}, {self._axes(name, shape)}"
                raise GradcheckError(f"parameter {name} has shape {self.parameters[name].shape}; wanted {axes}")
        for name, shape in shapes.items():
            if self.parameters[name].shape != shape:
                raise GradcheckError(
                    f"parameter {name} has shape {self.parameters[name].shape}, but with {self.sizes} it needs {shape}"
                )
        if min(self.sizes.I, self.sizes.D, self.sizes.K) < 1:
            raise GradcheckError(f"every size must be at least 1; the parameters imply {self.sizes}")
        if self.inputs.shape[1] != self.sizes.D or self.targets.shape[1] != self.sizes.K:
            raise GradcheckError(
                f"inputs {self.inputs.shape} and targets {self.targets.shape} do not fit parameters that imply "
                f"{self.sizes}: inputs must be (T, {self.sizes.D}), targets (T, {self.sizes.K})"
            )

    def _check_domains(self) -> None:
        stated = domains.all_of(self.network)
        for name in stated:
            if name != domains.INPUTS and name not in self.parameters:
                raise GradcheckError(
                    f"domains() of the network {self.network.name} names {name!r}; it can name "
                    f"{', '.join(self.parameters)} and {domains.INPUTS}"
                )
            domains.check(self.network, name, self.inputs if name == domains.INPUTS else self.parameters[name])

    def _axes(self, name: str, shape: tuple[int, ...]) -> str:
        """Return the axes of a parameter by the letters of `Sizes`: (I, K)."""
        letters = {1009: "I", 1013: "D", 1019: "K"}
        try:
            marked = self.network.parameter_shapes(Sizes(1, *letters))[name]
        except Exception:  # a network that ties its sizes may not have these
            marked = shape
        spoken = [letters.get(mark, str(n)) for mark, n in zip(marked, shape, strict=True)]
        return f"({', '.join(spoken)}{',' if len(spoken) == 1 else ''})"

    def _given_state(self, shape: Any) -> State:
        """Return the initial state as arrays, nested as `shape` is."""
        try:
            state = map_nest(
                lambda _, part: _as_array(part, "initial_state"), shape, self.initial_state, is_leaf=is_shape
            )
            if networks.shapes(state) == networks.plain_shapes(shape):
                return state
        except (ValueError, KeyError, TypeError):  # nested otherwise
            pass
        came = networks.shapes(map_nest(lambda part: _as_array(part, "initial_state"), self.initial_state))
        wanted = networks.plain_shapes(shape)
        raise GradcheckError(f"initial_state has shape {came}; with {self.sizes} it needs {wanted}")

    def _check_start(self, settled: State, shape: Any) -> None:
        """Refuse a given initial state that is not the network's own."""
        given = self._given_state(shape)
        same = map_nest(lambda a, b: bool(np.all(np.asarray(a == b))), settled, given)
        if not all(leaves(same)):
            raise Inadmissible(
                f"the {self.network.name} network starts from {start.described(self.network)}; got another "
                "initial_state; leave it out"
            )

    @property
    def T(self) -> int:
        return int(self.inputs.shape[0])

    @property
    def sizes(self) -> Sizes:
        return networks.sizes_of(self.network, self.parameters, self.T)

    def network_at(self, t: int) -> RecurrentNetwork:
        """Return the network whose loss is that of step t."""
        return networks.ask(self.network, networks.Capabilities.at_step, t, self.T)  # type: ignore[no-any-return]

    def map(self, function: Callable[[Array], Array], network: RecurrentNetwork | None = None) -> Problem:
        """Return this problem with `function` applied to each of its arrays, which must keep their shapes."""
        return Problem(
            {name: function(array) for name, array in self.parameters.items()},
            function(self.inputs),
            function(self.targets),
            map_state(function, self.initial_state) if start.is_given(network or self.network) else None,
            function(self.loss_weights),
            network or self.network,
        )

    def over(self, number_field: Any) -> Problem:
        """Return the same problem, exactly, on the scalars of `number_field` (see `reference.scalars`)."""
        return self.map(number_field.lift)

    def astype(self, dtype: Any) -> Problem:
        """Return the same problem with its arrays copied to a floating-point dtype."""
        return self.map(lambda array: array.astype(dtype))

    def copy(self) -> Problem:
        """Return the same problem on arrays of its own."""
        made = object.__new__(type(self))  # without the checks, which this problem passed
        vars(made).update(
            parameters={name: array.copy() for name, array in self.parameters.items()},
            inputs=self.inputs.copy(),
            targets=self.targets.copy(),
            initial_state=map_state(lambda array: array.copy(), self.initial_state),
            loss_weights=self.loss_weights.copy(),
            network=self.network,
        )
        return made

    def arrays(self) -> dict[str, Array]:
        """Return every array by name, parameters first; a nested state as initial_state[0], initial_state[h], ..."""
        states = {path_name("initial_state", path): array for path, array in flatten(self.initial_state)}
        return {
            **self.parameters,
            "inputs": self.inputs,
            "targets": self.targets,
            **states,
            "loss_weights": self.loss_weights,
        }

    def free_arrays(self) -> dict[str, Array]:
        """Return every array by name but those of an initial state that the network settles."""
        if start.is_given(self.network):
            return self.arrays()
        return {name: array for name, array in self.arrays().items() if not name.startswith("initial_state")}

    def replace(self, **changes: Any) -> Problem:
        """Return the problem with some of its fields changed.

        Args:
            changes: Field name to value. A network that settles its initial state settles it again.

        Raises:
            Inadmissible: `initial_state` is among them, and is not the network's own.
            GradcheckError: As for `Problem`.
        """
        if not start.is_given(self.network):
            changes = {"initial_state": None, **changes}
        return dataclasses.replace(self, **changes)

    def varied(self, **changes: Any) -> Problem:
        """Return the problem with some of its fields changed, as far as its network lets them vary.

        Numbers outside a domain become near ones inside, and an initial state that the network settles stays settled.

        Args:
            changes: As for `replace`.

        Raises:
            GradcheckError: As for `Problem`.
        """
        if not start.is_given(changes.get("network", self.network)):
            changes["initial_state"] = None
        if "parameters" in changes:
            changes["parameters"] = {
                name: domains.inside(self.network, name, array) for name, array in changes["parameters"].items()
            }
        if "inputs" in changes:
            changes["inputs"] = domains.inside(self.network, domains.INPUTS, changes["inputs"])
        return dataclasses.replace(self, **changes)

    def prefix(self, T: int) -> Problem:
        """Return the first T steps of the sequence."""
        return self.replace(inputs=self.inputs[:T], targets=self.targets[:T], loss_weights=self.loss_weights[:T])


def _zeros(like: Array, shape: tuple[int, ...]) -> Array:
    return np.zeros_like(like, shape=shape)


def forward(problem: Problem) -> tuple[list[State], list[Array]]:
    """Return the states and readouts of the problem's own equations.

    Args:
        problem: The problem, on any scalars.

    Returns:
        States a(0), ..., a(T), and readouts u(1), ..., u(T), each of shape (K,).

    Raises:
        GradcheckError: The network's `step` or `readout` fails, or returns another shape than it should.
    """
    states, readouts = [problem.initial_state], []
    for x in problem.inputs:
        states.append(networks.step(problem.network, problem.parameters, states[-1], x))
        readouts.append(networks.readout(problem.network, problem.parameters, states[-1], problem.targets.shape[1]))
    return states, readouts


def loss(problem: Problem) -> Any:
    """Return L = sum_t w_t L(y(t), yhat(t)), one number of the problem's scalar.

    Args:
        problem: The problem, on any scalars.

    Raises:
        GradcheckError: The network's own functions fail.
    """
    _, readouts = forward(problem)
    steps = zip(problem.loss_weights, readouts, problem.targets, strict=True)
    terms = [w * networks.loss_value(problem.network_at(t), u, y) for t, (w, u, y) in enumerate(steps, 1)]
    return sum(terms[1:], terms[0])


def empirical_risk(problems: Sequence[Problem]) -> Any:
    """Return R_emp, the mean of L over N sequences.

    Args:
        problems: The sequences, whose lengths may differ.

    Raises:
        GradcheckError: There are none.
    """
    if not problems:
        raise GradcheckError("R_emp is a mean over sequences; got none")
    total = loss(problems[0])
    for problem in problems[1:]:
        total = total + loss(problem)
    return total / len(problems)
