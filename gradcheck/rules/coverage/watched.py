"""Floats whose comparisons within arrays can be seen: an array of floats that tells of each.

Code that asks whether it is given floats takes another path for them than for numbers of ours, on which comparisons are
calls.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...reference.numpy_functions import COMPARES
from ...reference.problem import Problem
from ...reference.typing import Array


class WatchedArray(np.ndarray[Any, np.dtype[Any]]):
    """Floats; each comparison of them returns through `noted`."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = (), **kwargs: Any) -> Any:
        if out:
            kwargs["out"] = tuple(map(_plain, out))
        result = getattr(ufunc, method)(*map(_plain, inputs), **kwargs)
        if ufunc in COMPARES and method == "__call__":
            return noted(result)
        if out:
            return out[0] if len(out) == 1 else out
        return tuple(map(_watched, result)) if isinstance(result, tuple) else _watched(result)


def noted(outcome: Any) -> Any:
    """Return the outcome of a comparison; a recorder sees it pass."""
    return outcome


def watched(problem: Problem) -> Problem:
    """Return a problem of floats whose comparisons are seen."""
    return problem.map(lambda array: array.copy().view(WatchedArray))


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, WatchedArray) else value


def _watched(value: Any) -> Any:
    floats = type(value) is np.ndarray and value.dtype.kind == "f"
    made: Array = value.view(WatchedArray) if floats else value
    return made
