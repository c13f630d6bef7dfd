"""NumPy's functions by what they do with the entries of an array: one table for every kind of array.

Field arrays, residues, float balls and traced arrays answer NumPy each in their own way, and sort its functions by this
table.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def _named(names: str) -> frozenset[Any]:
    """Return the functions of these names that this NumPy has."""
    return frozenset(getattr(np, name) for name in names.split() if hasattr(np, name))


FILLS: dict[Any, int] = {np.zeros_like: 0, np.empty_like: 0, np.ones_like: 1}
"""Functions that make an array like another, and the number that fills it."""

REARRANGES = _named(
    """reshape ravel squeeze expand_dims atleast_1d atleast_2d atleast_3d swapaxes moveaxis rollaxis permute_dims
    matrix_transpose flip fliplr flipud rot90 roll take take_along_axis diagonal repeat tile broadcast_to delete"""
) | {np.lib.stride_tricks.sliding_window_view}
"""Functions whose result holds entries of their first argument, and nothing else."""

SPLITS = _named("split array_split hsplit vsplit dsplit unstack")
"""The same with several results."""

JOINS = _named("concatenate stack hstack vstack dstack column_stack block")
"""Functions whose result holds the entries of the arrays in their first argument."""

PADS = _named("append insert where select compress diag diagflat tril triu broadcast_arrays")
"""Functions that move entries of some arguments, and may put zeros between them."""

WRITES = _named("fill_diagonal put place putmask copyto put_along_axis")
"""Functions that write into their first argument."""

INQUIRES = _named("shape ndim size may_share_memory shares_memory iscomplexobj isrealobj result_type can_cast")
"""Functions that look at no entry."""

COMPARES: dict[Any, str] = {
    np.less: "<", np.less_equal: "<=", np.greater: ">", np.greater_equal: ">=", np.equal: "==", np.not_equal: "!=",
}  # fmt: skip
"""Comparisons of entries, and their symbols."""

CLASSIFIES = _named("isfinite isnan isinf logical_and logical_or logical_not")
"""Functions of single entries that return booleans."""

DECIDES = _named(
    """array_equal array_equiv allclose isclose argmax argmin argsort any all nonzero argwhere count_nonzero
    searchsorted argpartition"""
)
"""Functions that look at entries and return booleans or places."""

SELECTS = _named("max min amax amin sort clip round unique partition median ptp")
"""Functions that look at entries, and return some of them or numbers near them."""
