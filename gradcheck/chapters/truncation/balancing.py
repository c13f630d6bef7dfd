"""Influence balancing: a short horizon sees the wrong sign, and descent climbs.

    a(t) = A a(t-1) + b theta x(t),   A = I/2 + (superdiagonal of ones)/2,   23 units,   yhat(t) = a_1(t)
b is +1 on the first 10 units and -1 on the last 13: one parameter acts on the near units with one sign and
on the far ones with the other. Its influence on unit 1 as far as a horizon of tau steps sees it,
    m(tau) = e_1^T (b + A b + ... + A^(tau-1) b),
is what truncated backpropagation takes for da_1/dtheta at x = 1; the loss there is (yhat - y)^2 / 2.

Why the sign turns, and only once. (A^k)_{1,1+j} is the chance that k fair coins show j heads, so the term of
lag k is P(N_k <= 9) - P(10 <= N_k <= 22) = P(N_k <= 22) (2 q_k - 1), with q_k = P(N_k <= 9 | N_k <= 22). Another
coin shifts the heads up, and shifts them up among N_k <= 22 too (the ratio of the chances of j at k+1 and at k,
(k+1) / (2 (k+1-j)), rises with j), so q_k falls strictly from k = 9 on. Hence the terms are positive, then
negative: m rises, then falls for ever, to its limit e_1^T (I - A)^-1 b = 2 (10 - 13) = -6. Once negative it stays
negative.

Why descent climbs. From a(0) = 0 with the loss at T, a_1(T) = m(T) theta, so each step theta - eta (a_1(T) - y)
m(tau) multiplies the residual a_1(T) - y by 1 - eta m(tau) m(T): above 1 where m(tau) and m(T) differ in sign, for
every eta > 0, and below 1 in absolute value where they agree and eta < 2 / (m(tau) m(T)).

Source: Tallec and Ollivier 2017, "Unbiasing truncated backpropagation through time", where it is called so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from ...algorithms.descent import descend
from ...algorithms.truncated_bptt import truncated_bptt
from ...reference import lags
from ...reference.claims import Truncated
from ...reference.errors import GradcheckError
from ...reference.network import Network, Sizes
from ...reference.networks.losses import Head
from ...reference.problem import Problem
from ...reference.typing import Array, Gradient, Parameters, State
from .tails import RATIONAL

UNITS, POSITIVE = 23, 10
STEPS = 48
"""The length of the sequence on which descent is shown."""


def recurrence() -> Array:
    """Return A, (23, 23), as floats, all of them exact."""
    return (np.eye(UNITS) + np.eye(UNITS, k=1)) / 2


def signs() -> Array:
    """Return b, (23,): +1 where the parameter enters with plus, -1 elsewhere."""
    return np.where(np.arange(UNITS) < POSITIVE, 1.0, -1.0)


@lru_cache(maxsize=1)
def _influences(longest: int = 512) -> tuple[Fraction, ...]:
    row, total, found = [Fraction(1), *[Fraction(0)] * (UNITS - 1)], Fraction(0), []
    for _ in range(longest):
        total += sum(row[:POSITIVE]) - sum(row[POSITIVE:])
        found.append(total)
        row = [(now + before) / 2 for now, before in zip(row, [Fraction(0), *row], strict=False)]
    return tuple(found)


def influence(horizon: int) -> Fraction:
    """Return m(horizon), the exact influence of the parameter on unit 1 through its last `horizon` uses.

    Raises:
        GradcheckError: `horizon` is not between 1 and 512.
    """
    if isinstance(horizon, bool) or not isinstance(horizon, int) or not 1 <= horizon <= 512:
        raise GradcheckError(f"the horizon must be a whole number from 1 to 512; got {horizon!r}")
    return _influences()[horizon - 1]


def turning_horizon() -> int:
    """Return the first horizon at which the influence is negative."""
    return next(horizon for horizon in range(1, 513) if influence(horizon) < 0)


def unimodal(values: list[Fraction]) -> bool:
    """Return True where values rise, may rest, and then only fall."""
    steps = [b - a for a, b in zip(values, values[1:], strict=False)]
    return all(later <= 0 for i, step in enumerate(steps) if step < 0 for later in steps[i:])


def limit() -> Fraction:
    """Return e_1^T (I - A)^-1 b, by back substitution in (I - S) z = 2 b, S the superdiagonal."""
    z = Fraction(0)
    for sign in reversed(signs().tolist()):
        z += 2 * int(sign)
    return z


@dataclass(frozen=True)
class TiedNetwork:
    """Influence balancing as a network of its own: one parameter, shared by all units with the signs b.

    Parameter: theta (1,). State: a, (23,). It inherits nothing; `reference` runs its equations as they are.
    """

    head: Head = Head.named("identity", "squared_error")
    name = "influence balancing"

    def parameter_shapes(self, sizes: Sizes) -> dict[str, tuple[int, ...]]:
        return {"theta": (1,)}

    def state_shape(self, sizes: Sizes) -> tuple[int, ...]:
        return (UNITS,)

    def sizes_of(self, parameters: Parameters, T: int) -> Sizes:
        return Sizes(T, UNITS, 1, 1)

    def step(self, parameters: Parameters, state: State, x: Array) -> State:
        # A state, without the 23 x 23 product: exact scalars would pay for its zeros.
        beside = np.concatenate((state[1:], state[:1] * 0))
        return (state + beside) / 2 + signs() * (parameters["theta"] * x)

    def readout(self, parameters: Parameters, state: State) -> Array:
        return state[:1]  # type: ignore[no-any-return]

    def output(self, u: Array) -> Array:
        return self.head.output(u)

    def loss_value(self, u: Array, y: Array) -> Any:
        return self.head.value(u, y)

    def output_error(self, u: Array, y: Array) -> Array:
        return self.head.error(u, y)


def problem(T: int = STEPS, theta: float = 1.0, target: float = 0.0) -> Problem:
    """Return the tied network over T steps of input 1, the loss at T alone, in exact rationals."""
    last = np.zeros(T)
    last[-1] = 1
    made = Problem(
        {"theta": np.array([theta])}, np.ones((T, 1)), np.full((T, 1), target), loss_weights=last, network=TiedNetwork()
    )
    return made.over(RATIONAL)


def untied(T: int = STEPS, theta: float = 1.0, target: float = 0.0) -> Problem:
    """Return the same problem on the lecture's network: W = theta b^T, R = A^T, V = e_1, identity activation."""
    last = np.zeros(T)
    last[-1] = 1
    parameters = {"W": theta * signs()[None, :], "R": recurrence().T, "V": np.eye(UNITS)[:, :1]}
    made = Problem(parameters, np.ones((T, 1)), np.full((T, 1), target), loss_weights=last, network=Network("identity"))
    return made.over(RATIONAL)


def truncated_gradient(problem: Problem, *, tau: int) -> Gradient:
    """Return the lags below tau of the last loss, the only one with a weight: the target of truncated BPTT."""
    claim = Truncated(tau)
    return lags.gradient(problem, lambda t, k, T: t == T and claim.keeps(t, k, T))


def slope(tau: int, T: int = STEPS) -> Any:
    """Return dL/dtheta truncated at tau, by `reference.lags` on the tied network, a native rational."""
    return RATIONAL.natives(truncated_gradient(problem(T), tau=tau)["theta"])[0]


def untied_slope(tau: int, T: int = STEPS) -> Any:
    """Return dL/dtheta truncated at tau, by the shipped rule on the lecture's network, with W = theta b^T."""
    found = truncated_bptt(untied(T), tau=tau)["W"]
    return sum(v * int(sign) for v, sign in zip(RATIONAL.natives(found), signs().tolist(), strict=True))


def risks(tau: int, *, T: int = STEPS, learning_rate: float = 2.0**-7, steps: int = 8) -> list[Any]:
    """Return the loss before and after each step of descent with the gradient truncated at tau, in rationals."""
    walked = descend(truncated_gradient, [problem(T)], learning_rate=learning_rate, steps=steps, tau=tau)
    return [RATIONAL.native(risk) for risk in walked.risks]


def climbs(values: list[Any]) -> bool:
    """Return True where each value is larger than the one before."""
    return all(b > a for a, b in zip(values, values[1:], strict=False))


def falls(values: list[Any]) -> bool:
    """Return True where each value is smaller than the one before."""
    return all(b < a for a, b in zip(values, values[1:], strict=False))


HORIZONS = (1, 20, 40, 41, STEPS)
"""The horizons of descent in the chapter: three before the sign turns, two after, the last of them exact."""


def factor(tau: int, *, T: int = STEPS, learning_rate: Fraction = Fraction(1, 128)) -> Fraction:
    """Return the factor of the loss in a step of descent: (1 - eta m(tau) m(T))^2."""
    return (1 - learning_rate * influence(tau) * influence(T)) ** 2


def walks(horizons: Sequence[int] = HORIZONS, steps: int = 2) -> dict[int, list[Fraction]]:
    """Return the losses of descent at each horizon."""
    return {tau: [fraction(risk) for risk in risks(tau, steps=steps)] for tau in horizons}


def fraction(native: Any) -> Fraction:
    """Return a native rational as a Fraction."""
    return Fraction(int(native.p), int(native.q))


def as_predicted(walked: list[Fraction], tau: int) -> bool:
    """Return True where every step multiplied the loss by `factor(tau)`, exactly."""
    return all(after == factor(tau) * before for before, after in zip(walked, walked[1:], strict=False))
