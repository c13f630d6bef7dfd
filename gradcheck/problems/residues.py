"""Problems of independent uniform residues, at which exact evidence compares polynomials."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..reference.networks import start
from ..reference.networks.base import Capabilities, RecurrentNetwork, Sizes, TargetDomain, ask
from ..reference.networks.domains import INPUTS, domain_of, inside
from ..reference.networks.sizes import fitting
from ..reference.problem import Problem, map_shape
from ..reference.scalars.residues.modular import ModularField
from ..reference.typing import Array


def residue_problem(
    network: RecurrentNetwork, sizes: Sizes, field: Any, rng: np.random.Generator, *, weighted: bool = False
) -> Problem:
    """Draw a problem whose entries are independent uniform residues.

    Args:
        network: The problem's network.
        sizes: Its sizes, or the nearest that the network can have.
        field: The field to draw from, of arrays of residues or of single ones.
        rng: The generator that is drawn from.
        weighted: Draw loss weights too. Otherwise they are ones.

    Returns:
        The problem. Where the loss compares distributions, the targets of each step sum to 1.
    """

    def random(shape: tuple[int, ...]) -> Any:
        if not isinstance(field, ModularField):
            return field.random(shape, rng)
        values = rng.integers(0, field.prime, int(np.prod(shape)))
        return field.array((field.convert(int(v)) for v in values), shape)

    sizes = fitting(network, sizes)
    targets = random((sizes.T, sizes.K))
    if ask(network, Capabilities.target_domain) is TargetDomain.SHARES:
        targets = _summing_to_one(targets, ask(network, Capabilities.sequences))

    def drawn(name: str, shape: tuple[int, ...]) -> Any:
        domain = domain_of(network, name)
        if domain.discrete:
            return field.lift(inside(network, name, 3 * rng.normal(size=shape)))
        mask = domain.mask(shape)
        return random(shape) if mask.all() else random(shape) * field.lift(mask.astype(float))

    return Problem(
        {name: drawn(name, s) for name, s in network.parameter_shapes(sizes).items()},
        drawn(INPUTS, (sizes.T, sizes.D)),
        targets,
        map_shape(random, network.state_shape(sizes)) if start.is_given(network) else None,
        random((sizes.T,)) if weighted else field.lift(np.ones(sizes.T)),
        network,
    )


def _summing_to_one(targets: Array, blocks: int) -> Array:
    """Replace the last output's targets so that each step's targets sum to 1, those of each sequence of a batch."""
    parts = []
    for block in range(blocks):
        width = targets.shape[1] // blocks
        others = targets[:, block * width : (block + 1) * width - 1]
        parts += [others, 1 - others.sum(axis=1, keepdims=True)]
    return np.concatenate(parts, axis=1)
