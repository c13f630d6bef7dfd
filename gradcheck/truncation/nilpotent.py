"""A recurrence that forgets after p steps, and when that makes truncation at p exact.

g(t, k) holds the product J(t) ... J(t-k+1) of k factors J(s) = R^T diag f'(s(s-1)), so it vanishes for k >= p if
every product of p of them does. When does that follow from R?

- R acyclic (no unit reaches itself along nonzero weights; strictly triangular after renumbering), p units on its
  longest path: entry (i, j) of a product of k factors sums over paths of k edges from j to i, each weighted by
  weights and slopes. There is no path of p edges. So the product is zero, whatever f' is: exact from tau = p for
  every activation. It is shown as an identity of polynomials, R strictly upper triangular, f undefined.
- f the identity: all J are R^T, and R^p = 0 is enough. Shown as an identity of polynomials for R = z S N adj(S), z
  and S generic and N a Jordan form: every nilpotent matrix of the size is one of these.
- Neither: R^p = 0 by cancellation, and a slope that differs between units undoes the cancellation. The naive claim
  is then false, and a counterexample is exact.

At tau = p - 1 the dropped lag p - 1 is not the zero polynomial, so generic networks lose something there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..evidence import formal
from ..reference import lags
from ..reference.claims import Truncated
from ..reference.network import Network, Sizes
from ..reference.problem import Problem
from ..reference.scalars.ball import BallField
from ..reference.scalars.rational import RationalField
from ..reference.typing import Array
from ..verdicts import Counterexample, Statement, Strength
from .records import judged, number
from .tails import dropped, entries, squared_norm

RATIONAL = RationalField()
LENGTH = 5


def index_of(R: Array) -> int | None:
    """The smallest p with R^p = 0, R of floats that are integers; None if there is none."""
    power, units = np.eye(len(R)), len(R)
    for p in range(1, units + 1):
        power = power @ R
        if not power.any():
            return p
    return None


def longest_path(R: Array) -> int | None:
    """How many units the longest path along nonzero weights has; None if there is a cycle."""
    return index_of((R != 0).astype(float))


def _lags_seen(problem: Problem) -> set[int]:
    """The lags at which some g(t, k) is not the zero polynomial (or number)."""
    field: Any = problem.inputs.field  # type: ignore[attr-defined]
    return {k for (_, k), part in lags.by_lag(problem).items() if any(v != 0 for v in entries(field, part))}


def acyclic_lags(units: int, T: int = LENGTH) -> set[int]:
    """The live lags with f, g and L undefined and R strictly upper triangular, generic above the diagonal."""
    ref = formal.reference(Network().undefined(), Sizes(T, units, 1, 1), False)
    problem = ref.problem(T)
    R = problem.parameters["R"] * np.triu(np.ones((units, units)), 1)
    return _lags_seen(problem.replace(parameters={**problem.parameters, "R": R}))


def linear_lags(units: int, p: int, T: int = LENGTH) -> set[int]:
    """The live lags with f the identity and R = z S N adj(S), z, S generic, N with p - 1 ones above its diagonal."""
    ref = formal.reference(Network("identity"), Sizes(T, units, 1, 1), False)
    problem, S, z = ref.problem(T), ref.field.symbols("S", (units, units)), ref.field.symbols("z", ())
    N = np.diag(np.arange(units - 1) < p - 1, 1).astype(float)
    return _lags_seen(problem.replace(parameters={**problem.parameters, "R": z * (S @ N @ _adjugate(S))}))


def _adjugate(S: Array) -> Array:
    """adj(S) with S adj(S) = det(S) I, by cofactors; S is (1, 1), (2, 2) or (3, 3)."""
    n = len(S)
    if n == 1:
        return S * 0 + 1
    out = np.zeros_like(S)
    for i in range(n):
        for j in range(n):
            minor = np.delete(np.delete(S, i, axis=0), j, axis=1)
            value = minor[0, 0] if n == 2 else minor[0, 0] * minor[1, 1] - minor[0, 1] * minor[1, 0]
            out[j, i] = value if (i + j) % 2 == 0 else -value
    return out


def exact_from(problem: Problem, tau: int, field: Any) -> bool:
    """Whether truncation at tau drops exactly nothing; the caller enters `field.working()`."""
    return all(v == 0 for v in entries(field, dropped(problem, Truncated(tau))))
