"""Hypothesis strategies for problems, shrinking towards one step and one unit.

`problems` draws every entry, and shrinks to small integers. `lively_problems` draws sizes and a seed; in its problems
every entry and every lag is visible in the gradient.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import strategies as st

from ..reference.network import DEFAULT_NETWORK, RecurrentNetwork, Sizes
from ..reference.networks import start
from ..reference.networks.base import Capabilities, TargetDomain, ask
from ..reference.networks.domains import INPUTS, inside
from ..reference.networks.sizes import fitting
from ..reference.problem import Problem, map_shape
from ..reference.typing import Array
from .lively import lively_problem

SMALL = Sizes(4, 3, 2, 2)
LEAST = Sizes(1, 1, 1, 1)
LIVELY = Sizes(7, 4, 3, 3)
NUMBERS = st.sampled_from([0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 0.25, -1.5, 3.0])
"""Entries of small problems; the first is the simplest."""


def arrays(shape: tuple[int, ...], elements: st.SearchStrategy[float] = NUMBERS) -> st.SearchStrategy[Array]:
    """Return a strategy for float64 arrays of a shape."""
    size = int(np.prod(shape))
    entries = st.lists(elements, min_size=size, max_size=size)
    return entries.map(lambda values: np.array(values, dtype=float).reshape(shape))


def sizes(most: Sizes, least: Sizes = LEAST) -> st.SearchStrategy[Sizes]:
    """Return a strategy for sizes from `least` to `most`."""
    ranges = zip(dataclasses.astuple(least), dataclasses.astuple(most), strict=True)
    return st.builds(Sizes, *(st.integers(low, max(low, high)) for low, high in ranges))


def _targets(network: RecurrentNetwork, T: int, K: int) -> st.SearchStrategy[Array]:
    domain = ask(network, Capabilities.target_domain)
    if domain is TargetDomain.UNIT:
        return arrays((T, K), st.sampled_from([0.0, 1.0, 0.5, 0.25]))
    if domain is TargetDomain.SHARES:
        blocks = ask(network, Capabilities.sequences)
        labels = st.lists(st.integers(0, K // blocks - 1), min_size=T * blocks, max_size=T * blocks)
        return labels.map(lambda chosen: np.eye(K // blocks)[chosen].reshape(T, K))
    return arrays((T, K))


@st.composite
def problems(
    draw: st.DrawFn,
    network: RecurrentNetwork = DEFAULT_NETWORK,
    most: Sizes = SMALL,
    *,
    weighted: bool = False,
    exact: Sizes | None = None,
) -> Problem:
    """Draw problems entry by entry.

    Args:
        draw: Passed by Hypothesis.
        network: The problems' network.
        most: The largest sizes.
        weighted: Draw loss weights too. Otherwise they are ones.
        exact: The sizes of every problem, in place of `most`. The nearest are taken that the network can have.
    """
    if exact is None:
        exact = draw(sizes(most))
    exact = fitting(network, exact)
    state = None
    if start.is_given(network):
        state = map_shape(lambda shape: draw(arrays(shape)), network.state_shape(exact))
    return Problem(
        {name: inside(network, name, draw(arrays(s))) for name, s in network.parameter_shapes(exact).items()},
        inside(network, INPUTS, draw(arrays((exact.T, exact.D)))),
        draw(_targets(network, exact.T, exact.K)),
        state,
        draw(arrays((exact.T,), st.sampled_from([1.0, 0.0, 2.0, 0.5]))) if weighted else None,  # type: ignore[arg-type]
        network,
    )


def lively_problems(
    network: RecurrentNetwork = DEFAULT_NETWORK,
    most: Sizes = LIVELY,
    *,
    least: Sizes = LEAST,
    weighted: bool = False,
) -> st.SearchStrategy[Problem]:
    """Return a strategy for problems on which long lags stay visible, see `lively_problem`.

    Args:
        network: The problems' network.
        most: The largest sizes.
        least: The smallest sizes.
        weighted: Draw loss weights too. Otherwise they are ones.
    """
    return st.builds(
        lambda chosen, seed: lively_problem(network, chosen, seed, weighted=weighted),
        sizes(most, least),
        st.integers(0, 3),
    )
