"""Nests of arrays: an array, or tuples, lists and dictionaries of nests, as states are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

Path = tuple[Any, ...]
"""The keys and positions that lead from a nest to one of its leaves; empty for a nest that is a leaf itself."""


def is_shape(value: Any) -> bool:
    """Tell a shape, a tuple or list of ints, from a nest of shapes. A tuple () is the shape of a number."""
    return value == () or (
        isinstance(value, (tuple, list)) and bool(value) and all(isinstance(part, (int, np.integer)) for part in value)
    )


def children(nest: Any) -> list[tuple[Any, Any]] | None:
    """Return the key and part of each child of a nest in order, or None for a leaf."""
    if isinstance(nest, np.ndarray):  # most are, and the last question is slow
        return None
    if isinstance(nest, (tuple, list)):
        return list(enumerate(nest))
    if isinstance(nest, Mapping):
        return list(nest.items())
    return None


def rebuilt(nest: Any, parts: list[Any]) -> Any:
    """Return a nest of the kind of `nest` that holds `parts` in place of its children."""
    if isinstance(nest, Mapping):
        return dict(zip(nest, parts, strict=True))
    if hasattr(nest, "_fields"):  # a named tuple takes its parts one by one
        return type(nest)(*parts)
    return type(nest)(parts)


def map_nest(
    function: Callable[..., Any], nest: Any, *others: Any, is_leaf: Callable[[Any], bool] | None = None
) -> Any:
    """Apply `function` to each leaf of a nest.

    Args:
        function: Takes a leaf of `nest`, and the parts at its place in `others`.
        nest: An array, or a nest of arrays.
        others: Nests of the same structure; they may go on below the leaves of `nest`.
        is_leaf: Tells further leaves, such as shapes, which are tuples too.

    Returns:
        The results, nested as `nest` is.

    Raises:
        ValueError, KeyError: The structures differ.
    """
    if (is_leaf is not None and is_leaf(nest)) or (found := children(nest)) is None:
        return function(nest, *others)
    for other in others:
        if not isinstance(other, (Mapping, tuple, list)) or len(other) != len(found):
            raise ValueError(f"wanted {len(found)} parts; got {other!r:.60}")
    return rebuilt(nest, [map_nest(function, part, *(o[key] for o in others), is_leaf=is_leaf) for key, part in found])


def flatten(nest: Any, is_leaf: Callable[[Any], bool] = lambda value: False) -> Iterator[tuple[Path, Any]]:
    """Yield the path and the value of each leaf, in order."""
    found = None if is_leaf(nest) else children(nest)
    if found is None:
        yield (), nest
        return
    for key, part in found:
        for path, leaf in flatten(part, is_leaf):
            yield (key, *path), leaf


def leaves(nest: Any) -> list[Any]:
    """Return the arrays of a nest in order."""
    return [leaf for _, leaf in flatten(nest)]


def path_name(name: str, path: Path) -> str:
    """Return the name of a leaf: state, state[0], state[h], state[h][1]."""
    return name + "".join(f"[{key}]" for key in path)
