"""Noise and scalings that estimates of the influence matrix draw on.

A factor of a rank-one estimate may be multiplied by r > 0 and the other divided by it: the product stays, the variance
does not. Balanced, r makes the norms of the two alike:
    r = sqrt(|other| / (|one| + epsilon)) + epsilon

Source: Tallec & Ollivier 2017, "Unbiased online recurrent optimization", algorithm 1, for the formula and for epsilon =
1e-7. Published code has (|other| + epsilon) / (|one| + epsilon) under the root, or no epsilon and random traces at the
start.
"""

from __future__ import annotations

from typing import Any

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


def balance(other: Array, one: Array) -> Any:
    """Return the r > 0 by which `one` is multiplied and `other` divided to make their norms alike."""
    return np.sqrt(norm(other) / (norm(one) + EPSILON)) + EPSILON


def filled(like: Array, shape: tuple[int, ...], value: Any) -> Array:
    """Return an array of the number system of `like` with `value` in every entry."""
    return np.zeros_like(like, shape=shape) + value  # type: ignore[no-any-return]
