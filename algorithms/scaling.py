"""Noise and scalings that estimates of the influence matrix draw on.

A factor of a rank-one estimate may be multiplied by r > 0 and the other divided by it: the product stays, the variance
does not. Balanced, r makes the norms of the two alike:
    r = sqrt(|other| / (|one| + epsilon)) + epsilon

Source: Tallec & Ollivier 2017, "Unbiased online recurrent optimization", algorithm 1, for the formula and for epsilon =
1e-7. Published code has (|other| + epsilon) / (|one| + epsilon) under the root, or no epsilon and random traces at the
start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from gradcheck.reference.errors import GradcheckError
from gradcheck.reference.typing import Array

EPSILON = 1e-7
DISTRIBUTIONS = ("signs", "normal")
"""Distributions of the noise, of mean 0 and variance 1."""


def require_distribution(name: Any) -> str:
    """Return the name. Raises `GradcheckError` unless it is one of `DISTRIBUTIONS`."""
    if name not in DISTRIBUTIONS:
        raise GradcheckError(f"distribution must be {' or '.join(map(repr, DISTRIBUTIONS))}; got {name!r:.60}")
    return str(name)


def drawn(noise: Any, distribution: str, shape: Any) -> Array:
    """Return independent draws of mean 0 and variance 1."""
    draw = noise.signs if distribution == "signs" else noise.normal
    return draw(shape)  # type: ignore[no-any-return]


def norm(array: Array) -> Any:
    """Return the Euclidean norm of all entries."""
    return np.sqrt(np.sum(array * array))


Scaling: TypeAlias = Callable[[Array, Array], Any]
"""Returns the r > 0 by which the second factor of a product is multiplied and the first divided."""


def constant(other: Array, one: Array) -> Any:
    """Return 1."""
    return 1


def balance(other: Array, one: Array) -> Any:
    """Return the r that makes the norms of the two alike."""
    return np.sqrt(norm(other) / (norm(one) + EPSILON)) + EPSILON


def scaling(balanced: bool) -> Scaling:
    """Return the scaling that is balanced, or constant."""
    return balance if balanced else constant


def by_rows(rows: list[Array], balanced: bool) -> Any:
    """Return the r of each product of a unit vector and a row: (N,), or 1 if they are constant."""
    return np.stack([np.sqrt(norm(row)) + EPSILON for row in rows]) if balanced else 1


def filled(like: Array, shape: tuple[int, ...], value: Any) -> Array:
    """Return an array of the number system of `like` with `value` in every entry."""
    return np.zeros_like(like, shape=shape) + value  # type: ignore[no-any-return]
