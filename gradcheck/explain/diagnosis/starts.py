"""A result that is right for sequences from zeros: most likely the network is not the one that was meant."""

from __future__ import annotations

from ...evidence.target import expected
from ...reference.networks import start
from ...reference.networks.headed import HeadedNetwork
from ...reference.problem import Problem, map_state
from ...reference.typing import Gradient
from .comparison import Comparison


def from_zeros(comparison: Comparison) -> str | None:
    """Say that the result is what the claim promises from a zero initial state, and how to say so; else None.

    Args:
        comparison: The points of the diagnosis.
    """
    network = comparison.points[0].problem.network
    if not start.is_given(network):
        return None

    def candidate(problem: Problem) -> Gradient:
        return expected(
            comparison.claim, problem.replace(initial_state=map_state(lambda a: 0 * a, problem.initial_state))
        )

    names = set(comparison.points[0].result)
    if comparison.matched(candidate) != names:
        return None
    make = f"gradcheck.{type(network).__name__}(...)" if isinstance(network, HeadedNetwork) else "the network"
    return (
        f"It is right from a zero initial state ({comparison.place(names)}). If sequences start from zeros, let {make} "
        "say initial_state='zeros'"
    )
