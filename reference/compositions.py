"""NumPy functions in terms of a few others, for every kind of array that has those.

Nothing here knows of a number system: `FieldArray`, residues and the reverse pass all answer NumPy by this table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .errors import UnsupportedOperation
from .private import NO_VALUE


def _var(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0, keepdims: Any = False) -> Any:
    if dtype is not None or out is not None:
        raise UnsupportedOperation("np.var with dtype or out", "these", "leave them out")
    keepdims = False if keepdims is NO_VALUE else keepdims
    total = np.sum(a, axis=axis, keepdims=True)
    count = np.size(a) // np.size(total)
    off = a - total / count
    return np.sum(off * off, axis=axis, keepdims=keepdims) / (count - ddof)


def _std(a: Any, *args: Any, **kwargs: Any) -> Any:
    return np.sqrt(_var(a, *args, **kwargs))


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    dimensions = np.ndim(x) if axis is None else np.size(axis)
    if ord is None or (ord == 2 and dimensions == 1) or ord == "fro":
        return np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims))
    if ord == 1 and dimensions == 1:
        return np.sum(np.abs(x), axis=axis, keepdims=keepdims)
    raise UnsupportedOperation(f"np.linalg.norm of order {ord!r}", "these", "the Euclidean norm is defined")


COMPOSITIONS: dict[Any, Callable[..., Any]] = {np.var: _var, np.std: _std, np.linalg.norm: _norm}
"""NumPy function to the same, written by others."""


def solve_arguments(a: Any, b: Any) -> tuple[int, bool]:
    """Return the size n of a linear system, and whether its right side is a vector.

    Args:
        a: A matrix, shape (n, n).
        b: Right sides, shape (n,) or (n, k).

    Raises:
        UnsupportedOperation: The shapes are others.
    """
    n = np.shape(a)[0] if np.ndim(a) == 2 else -1
    if np.shape(a) != (n, n) or np.ndim(b) not in (1, 2) or np.shape(b)[0] != n:
        shapes = f"{np.shape(a)} and {np.shape(b)}"
        raise UnsupportedOperation(f"np.linalg.solve of shapes {shapes}", "these", "(n, n) and (n,) or (n, k) are")
    return n, np.ndim(b) == 1
