"""Forward gradient: the derivative along one random direction, times that direction.

With v a direction of all parameters, drawn once before step 1, v_Theta its part for Theta, and M(t), J(t), B(t) and
d(t) as in `carried`:
    s'(t) = J(t) s'(t-1) + B(t) v_Theta,  s'(0) = 0, so that s'(t) = M(t) v_Theta
    contribution of step t: (d(t) . s'(t) + <the readout's share of dL_t, v>) v
The contributions sum to (g . v) v, of mean E[v v^T] g, with one pass forward and nothing kept.

Source: Baydin, Pearlmutter, Syme, Wood & Torr 2022, "Gradients without backpropagation"; Silver, Goyal, Danihelka,
Hessel & van Hasselt 2022, "Learning by directional gradient descent", for recurrent networks. Cost: O(I (I+K+D)) per
step on the fully recurrent network, and N steps back on other cells. Storage: O(P), whatever T is.
True of it: unbiased if and only if E[v v^T] is the identity. With n parameters its variance is (n + 1) |g|^2 for normal
draws and (n - 1) |g|^2 for signs, whatever T is.
Free choices, and what they do:
    distribution  signs or normal: unbiased either way. Uniform on [-1, 1], of variance 1/3, gives a third of the
                  gradient; a random unit vector gives it divided by the number of parameters
"""

from __future__ import annotations

from typing import Any, NamedTuple

from gradcheck.reference.claims import Cost, Online, Unbiased, rule
from gradcheck.reference.network import ALL_NETWORKS
from gradcheck.reference.typing import Array, Gradient, Parameters, State

from .carried import advanced, begun, first_tangent, flat_direction
from .scaling import drawn, require_distribution


class Tangent(NamedTuple):
    """State of the rule: the network before the next step, the direction v, and s' (N,)."""

    before: Any
    v: Parameters
    ds: Array


@rule(
    Unbiased(),
    Online(),
    Cost(time="T*I*(I + D + K)", storage="I*(I + D + K)"),
    networks=ALL_NETWORKS,
    weighted=True,
)
class ForwardGradient:
    """Forward gradient (Baydin et al. 2022): the derivative along a random direction, times the direction.

    Online and stochastic: `start`, which draws the direction, then `step` for each (x, y, weight, noise).

    Args:
        distribution: "signs" or "normal".

    Raises:
        GradcheckError: There is no such distribution.
    """

    def __init__(self, distribution: str = "signs") -> None:
        self.distribution = require_distribution(distribution)

    def start(self, network: Any, parameters: Parameters, initial_state: State, noise: Any) -> Tangent:
        before = begun(network, parameters, initial_state)
        v = {name: drawn(noise, self.distribution, parameters[name].shape) for name in sorted(parameters)}
        return Tangent(before, v, first_tangent(before, v))

    def step(self, state: Tangent, x: Array, y: Array, weight: Any, noise: Any) -> tuple[Tangent, Gradient]:
        before, now = advanced(state.before, x, y, weight)
        v = state.v
        ds = now.carry(state.ds) + now.applied(flat_direction(before, v))
        along = now.along(v, ds)
        return Tangent(before, v, ds), {name: along * array for name, array in v.items()}
