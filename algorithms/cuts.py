"""Random cuts between steps, and the factors that make up for them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from gradcheck.reference.errors import GradcheckError

Probability: TypeAlias = float | Fraction


def factors_of(noise: Any, probabilities: Sequence[Probability]) -> list[Any]:
    """Return [no cut after t] / (1 - c(t)) for each t = 1, ..., T-1, a number of the run; its mean is 1."""
    return [(1 - noise.bernoulli(c)) / (1 - c) for c in probabilities]


def require_probabilities(c: Any, T: int) -> list[Probability]:
    """Return c(1), ..., c(T-1) from a probability or a list of them.

    Raises:
        GradcheckError: One is not in [0, 1), or there are not T-1 of them.
    """
    listed = list(c) if isinstance(c, (list, tuple, np.ndarray)) else [c] * (T - 1)
    if len(listed) != T - 1:
        raise GradcheckError(
            f"c must be one probability, or one for each of the {T - 1} steps but the last; got {len(listed)}"
        )
    for each in listed:
        if not isinstance(each, (int, float, Fraction)) or not 0 <= each < 1:
            raise GradcheckError(f"c must be a probability in [0, 1), since 1 - c is divided by; got {each!r:.60}")
    return listed
