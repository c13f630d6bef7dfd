"""The operations that most of a rule is made of, on one array of residues or two of one field, by the shortest way.

Arrays in a rule are small, so that looking at the operands takes longer than the arithmetic: here there is nothing left
to look at. Everything else goes through `residue_numpy`, to the same results.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_RAW = np.ndarray.view


def _on_two(operation: str, joined: str) -> Callable[[Any, Any, Any], Any]:
    """Make an operation from a method of `Modulus` and the method of `Degree` for its result."""

    def run(field: Any, x: Any, y: Any) -> Any:
        raw = getattr(field.modulus, operation)(_RAW(x, np.ndarray), _RAW(y, np.ndarray))
        return field.carry(raw, getattr(x.cell.degree, joined)(y.cell.degree))

    return run


DIRECT: dict[np.ufunc, Callable[..., Any]] = {
    np.add: _on_two("add", "join"),
    np.subtract: _on_two("subtract", "join"),
    np.multiply: _on_two("multiply", "times"),
    np.matmul: _on_two("matmul", "times"),
    np.positive: lambda field, x: field.carry(_RAW(x, np.ndarray).copy(), x.cell.degree),
}


def between_residues(ufunc: np.ufunc) -> Any:
    """Return the operator of `ufunc` as a method: by `DIRECT` within one field, else ndarray's own."""
    otherwise = getattr(np.ndarray, _METHODS[ufunc])

    def method(self: Any, other: Any) -> Any:
        if type(other) is type(self) and other.field is self.field is not None:
            return DIRECT[ufunc](self.field, self, other)
        return otherwise(self, other)

    return method


_METHODS = {np.add: "__add__", np.subtract: "__sub__", np.multiply: "__mul__", np.matmul: "__matmul__"}


def in_place(ufunc: np.ufunc) -> Any:
    """Return the in-place operator. NumPy's scalars have none: `total = x[0]; total += y` leaves x alone."""

    def method(self: Any, other: Any) -> Any:
        return ufunc(self, other, out=self) if self.ndim or self.flags.writeable else ufunc(self, other)

    return method


def add_at(field: Any, target: Any, index: Any, values: Any) -> None:
    """Add values at places that may come again, as `np.add.at` does: the gradient of rows that are taken several times.

    Args:
        field: The field.
        target: The array to add to.
        index: The places.
        values: Residues or plain numbers, one for each place.
    """
    raw, degree = field.operand(values)
    total = np.zeros(np.shape(target))
    np.add.at(total, index, raw)
    field.write(target, Ellipsis, target + field.carry(field.modulus.reduce(total), degree))
