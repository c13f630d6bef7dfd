"""Noise of the calls of an audit: drawn at random, the same for equal problems.

A rule that claims to be unbiased may draw from global random generators in place of `noise`. The generators of
`random`, of NumPy and of torch are seeded before each call, from the noise of that call, and restored after it. So two
calls on the same noise have the same result, and calls on other noise are independent. A rule that keeps a generator of
its own, in its module say, is out of reach: it changes from call to call, and is not pure.
"""

from __future__ import annotations

import functools
import hashlib
import random
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from ..reference.errors import UnsupportedOperation
from ..reference.noise import Noise, SampledNoise
from ..reference.problem import Problem
from ..reference.scalars.scalar import system_of
from ..reference.typing import Array

Source: TypeAlias = Callable[[Array], Noise]
"""Maker of the noise of one call, from an array of the call's problem: what it draws is in that number system."""


def by_content(like: Array) -> SampledNoise:
    """Return random noise that depends on an array alone: the same for equal problems, other noise for others."""
    numbers = np.ndarray.view(like, np.ndarray)
    if numbers.dtype == object:
        data = repr(numbers.tolist()).encode()
    else:
        data = numbers.astype(numbers.dtype.newbyteorder("<")).tobytes()
    return SampledNoise(int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big"), like, recording=False)


def seeded(seed: int | Sequence[int]) -> Source:
    """Return a source of the same random noise for every call."""
    return lambda like: SampledNoise(seed, like, recording=False)


def reseeded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of a problem and noise that seeds the global generators before each call.

    Args:
        function: A function of a problem and settings.

    Returns:
        A function of a problem, noise and settings. On other numbers than floats it raises `UnsupportedOperation` for a
        rule that draws: its draws are floats, of which an expectation over all values is not known.
    """

    @functools.wraps(function)
    def seeded(problem: Problem, noise: Noise, /, **settings: Any) -> Any:
        plain = type(problem.inputs) is np.ndarray and problem.inputs.dtype.kind == "f"
        before = _states()
        try:
            _seed(int(float(noise.uniform()) * 2**32) % 2**32 if plain else 0)
            begun = _marks() if not plain else ()
            result = function(problem, **settings)
            if not plain and _marks() != begun:
                name = getattr(system_of(problem.inputs), "name", "ball")
                raise UnsupportedOperation("a draw from a generator of its own", name, "draw from noise")
            return result
        finally:
            _restore(before)

    return seeded


def _torch() -> Any:
    """Return torch if the process has loaded it, else None."""
    module = sys.modules.get("torch")
    return module if hasattr(module, "manual_seed") and hasattr(module, "get_rng_state") else None


def _states() -> tuple[Any, ...]:
    torch = _torch()
    return random.getstate(), np.random.get_state(), None if torch is None else torch.get_rng_state()


def _restore(states: tuple[Any, ...]) -> None:
    random.setstate(states[0])
    np.random.set_state(states[1])
    if states[2] is not None:
        _torch().set_rng_state(states[2])


def _marks() -> tuple[Any, ...]:
    """Return the states of the generators, in a form that is compared."""
    python, numpy, torch = _states()
    _, key, *rest = numpy
    return python, key.tobytes(), *rest, None if torch is None else bytes(torch.numpy())


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch = _torch()
    if torch is not None:
        torch.manual_seed(seed)
