"""Pre-activations and readouts of a network, found by running its own equations."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..reference.networks import base as networks
from ..reference.problem import Problem
from ..reference.scalars.rounded import RoundedField
from ..reference.tree import leaves
from ..reference.typing import Array


class _Probe(RoundedField):
    """Floats that note the arguments of every function that is applied to them."""

    def __init__(self) -> None:
        super().__init__(0.0)
        self.seen: list[float] = []

    def function(self, name: str, value: Any) -> Any:
        self.seen.append(float(value.v))
        return super().function(name, value)

    def take(self) -> Array:
        """Return what was noted since the last call."""
        taken, self.seen = np.array(self.seen), []
        return taken


def reached(problem: Problem) -> tuple[list[Array], list[Array]]:
    """Return the pre-activations of each step, and its readout.

    Pre-activations are the arguments of functions; of a network that applies none, the states after the step.

    Args:
        problem: A float problem.

    Raises:
        GradcheckError: The network does not run on other numbers than floats.
    """
    probe, network = _Probe(), problem.network
    lifted, steps, readouts = problem.over(probe), [], []
    state = lifted.initial_state
    with np.errstate(all="ignore"):
        for x in lifted.inputs:
            probe.take()
            state = networks.step(network, lifted.parameters, state, x)
            u = networks.readout(network, lifted.parameters, state, problem.targets.shape[1])
            arguments = probe.take()
            after = np.array([float(probe.native(x).v) for part in leaves(state) for x in np.asarray(part).reshape(-1)])
            steps.append(arguments if arguments.size else after)
            readouts.append(np.array([float(x.v) for x in probe.natives(u)]))
    return steps, readouts
