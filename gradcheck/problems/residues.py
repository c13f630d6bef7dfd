"""Problems of independent uniform residues, at which exact evidence compares polynomials."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..reference.networks.base import Capabilities, RecurrentNetwork, Sizes, TargetDomain, ask
from ..reference.problem import Problem, map_shape
from ..reference.typing import Array


def residue_problem(
    network: RecurrentNetwork, sizes: Sizes, field: Any, rng: np.random.Generator, *, weighted: bool = False
) -> Problem:
    """Draw a problem whose entries are independent uniform residues.

    Args:
        network: The problem's network.
        sizes: Its sizes.
        field: The residue field to draw from.
        rng: The generator that is drawn from.
        weighted: Draw loss weights too. Otherwise they are ones.

    Returns:
        The problem. Where the loss compares distributions, the targets of each step sum to 1.
    """

    def random(shape: tuple[int, ...]) -> Any:
        return field.random(shape, rng)

    targets = random((sizes.T, sizes.K))
    if ask(network, Capabilities.target_domain) is TargetDomain.SHARES:
        targets = _summing_to_one(targets)
    return Problem(
        {name: random(s) for name, s in network.parameter_shapes(sizes).items()},
        random((sizes.T, sizes.D)),
        targets,
        map_shape(random, network.state_shape(sizes)),
        random((sizes.T,)) if weighted else field.lift(np.ones(sizes.T)),
        network,
    )


def _summing_to_one(targets: Array) -> Array:
    """Replace the last output's targets so that each step's targets sum to 1."""
    last = 1 - targets[:, :-1].sum(axis=1, keepdims=True)
    return np.concatenate([targets[:, :-1], last], axis=1)
