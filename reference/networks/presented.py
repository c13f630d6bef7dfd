"""A problem as its rule gets it, where that is not as the reference has it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UnsupportedOperation
from ..tree import map_nest
from ..typing import Array, State
from .base import Sizes


@dataclass(frozen=True)
class Presented:
    """Input of a rule on a batch; with the batch first, (N, T, ...) in place of (T, N, ...).

    Attributes:
        network: The network of one sequence.
        parameters: Name to array.
        inputs: (T, N, D), or whole numbers (T, N) for tokens.
        targets: (T, N, K).
        initial_state: The states before step 1, the first axis of each array of length N.
        loss_weights: (T, N); L is the sum over t and n of loss_weights[t, n] L(u_n(t), y_n(t)).
        mask: (T, N), True for the steps of a sequence.
        lengths: (N,), the number of steps of each sequence, the longest T.
        sizes: T, I, D and K of one sequence.
        side_by_side: The `Problem` that the reference has, with the sequences side by side.
    """

    network: Any
    parameters: dict[str, Array]
    inputs: Array
    targets: Array
    initial_state: State
    loss_weights: Array
    mask: Array
    lengths: Array
    sizes: Sizes
    side_by_side: Any

    @property
    def T(self) -> int:
        return self.sizes.T

    def map(self, function: Callable[[Array], Array]) -> Presented:
        """Return this with `function` applied to each of its arrays of numbers; lengths and mask stay."""
        arrays: dict[str, Any] = {name: function(getattr(self, name)) for name in ("inputs", "targets", "loss_weights")}
        parameters = {name: function(array) for name, array in self.parameters.items()}
        state = map_nest(function, self.initial_state)
        return dataclasses.replace(self, parameters=parameters, initial_state=state, **arrays)

    def copies(self) -> dict[str, Array]:
        """Return copies of the float arrays that are no views of the problem's, by name."""
        found = {}
        for name in ("inputs", "targets"):
            own, given = getattr(self.side_by_side, name), getattr(self, name)
            if type(given) is np.ndarray and given.dtype.kind == "f" and not np.shares_memory(own, given):
                found[name] = given.copy()
        return found

    def side_by_side_of(self, gradient: dict[Any, Any]) -> dict[Any, Any]:
        """Return a rule's gradient with those of inputs and initial state as the reference has these arrays.

        Args:
            gradient: Key to array; "inputs" has the shape of `inputs`, "initial_state" is nested as `initial_state`.
        """
        batch, found = self.side_by_side.network, dict(gradient)
        if "inputs" in found:
            given = np.swapaxes(found["inputs"], 0, 1) if batch.batch_first and batch.N is not None else found["inputs"]
            found["inputs"] = np.reshape(given, self.side_by_side.inputs.shape)
        if "initial_state" in found and batch.N is None:
            found["initial_state"] = map_nest(
                lambda array: np.reshape(array, (1, *array.shape)), found["initial_state"]
            )
        return found

    def hand_back(self, before: dict[str, Array]) -> None:
        """Change the problem's array where the rule changed its copy of it, so that the change is seen.

        Args:
            before: What `copies` returned before the rule ran.
        """
        for name, array in before.items():
            if not np.array_equal(getattr(self, name), array, equal_nan=True):
                np.add(getattr(self.side_by_side, name), 1, out=getattr(self.side_by_side, name))


def places(array: Array) -> Array:
    """Return the places of the 1 in one-hot rows, as whole numbers.

    Args:
        array: (..., D), on any scalars.

    Raises:
        UnsupportedOperation: A row is not one-hot, as where its entries stand for all numbers.
    """
    field = getattr(array, "field", None) or getattr(next(iter(array.flat)), "field", None)
    if field is None:
        ones = np.asarray(array) == 1
    elif hasattr(field, "residues"):
        ones = field.residues(array) == 1
    else:
        one = field.convert(1)
        ones = np.array([bool(value == one) for value in field.natives(array)]).reshape(array.shape)
    if not (ones.sum(axis=-1) == 1).all():
        raise UnsupportedOperation("a token", getattr(field, "name", "float"), "inputs are not one-hot")
    return np.asarray(ones.argmax(axis=-1))
