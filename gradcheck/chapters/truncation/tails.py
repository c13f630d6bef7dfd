"""Lags that truncation drops, on any scalar, and the size of their sum.

    G(k) = sum over t of g(t, k)                   the gradient's part of lag k
    error(tau) = gradient - truncated(tau) = G(tau) + G(tau + 1) + ... + G(T - 1)
The error is formed from the dropped lags and never as a difference, so it is an exact zero where nothing is
dropped, also in balls. Norms are Frobenius norms over the parameters named, and are kept squared: squares of
rationals are rational.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...reference import lags
from ...reference.claims import LagClaim
from ...reference.problem import Problem
from ...reference.scalars.ball import BallField
from ...reference.scalars.base import Field
from ...reference.scalars.rational import RationalField
from ...reference.typing import Gradient

RATIONAL, BALL = RationalField(), BallField(192)
"""The chapter's number systems; balls need `BALL.working()` around them."""
THETA = ("W", "R")
"""The recurrent parameters of the lecture's network; V acts at lag 0 only, which no truncation drops."""


def sums_by_lag(problem: Problem) -> list[Gradient]:
    """Return G(0), ..., G(T-1)."""
    totals: list[Gradient] = [{} for _ in range(problem.T)]
    for (_, k), part in lags.by_lag(problem).items():
        totals[k] = {name: totals[k][name] + part[name] for name in part} if totals[k] else dict(part)
    return totals


def errors(sums: list[Gradient]) -> list[Gradient]:
    """Return error(1), ..., error(T) from G(0), ..., G(T-1); the last is zero."""
    tail = {name: part * 0 for name, part in sums[0].items()}
    found = [tail]
    for part in reversed(sums[1:]):
        tail = {name: tail[name] + part[name] for name in tail}
        found.append(tail)
    return found[::-1]


def dropped(problem: Problem, claim: LagClaim) -> Gradient:
    """Return the sum of the lags that `claim` does not keep."""
    return lags.gradient(problem, lambda t, k, T: not claim.keeps(t, k, T))


def entries(field: Field, gradient: Gradient, names: Iterable[str] | None = None) -> list[Any]:
    """Return the native values of the parameters named, all of them if none are, in one list."""
    return [v for name in (gradient if names is None else names) for v in field.natives(gradient[name])]


def squared_norm(field: Field, gradient: Gradient, names: Iterable[str] | None = None) -> Any:
    """Return the squared Frobenius norm, a native value of the field."""
    return sum((v * v for v in entries(field, gradient, names)), field.convert(0))


def squared_errors(problem: Problem, field: Field, names: Iterable[str] | None = None) -> list[Any]:
    """Return ||error(tau)||^2 for tau = 1..T; the caller enters `field.working()`."""
    return [squared_norm(field, error, names) for error in errors(sums_by_lag(problem))]
