"""Recurrence that forgets after p steps, and the conditions under which truncation at p is exact.

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

from typing import Any

import numpy as np

from ...records import Statement, Strength
from ...reference import lags
from ...reference.claims import Truncated
from ...reference.network import Network, Sizes
from ...reference.problem import Problem
from ...reference.ring import FormalReference
from ...reference.typing import Array
from ..verdicts import judged, number
from .programs import counterexample, error_program
from .tails import BALL, RATIONAL, dropped, entries, squared_norm


def index_of(R: Array) -> int | None:
    """Return the smallest p with R^p = 0, R of floats that are integers; None if there is none."""
    power, units = np.eye(len(R)), len(R)
    for p in range(1, units + 1):
        power = power @ R
        if not power.any():
            return p
    return None


def longest_path(R: Array) -> int | None:
    """Return the number of units on the longest path along nonzero weights, or None if there is a cycle."""
    return index_of((R != 0).astype(float))


def _lags_seen(problem: Problem) -> set[int]:
    """Return the lags at which some g(t, k) is not the zero polynomial (or number)."""
    field: Any = problem.inputs.field  # type: ignore[attr-defined]
    return {k for (_, k), part in lags.by_lag(problem).items() if any(v != 0 for v in entries(field, part))}


def acyclic_lags(units: int, T: int = 5) -> set[int]:
    """Return the live lags with f, g and L undefined and R strictly upper triangular, generic above the diagonal."""
    ref = FormalReference(Network().undefined(), Sizes(T, units, 1, 1))
    problem = ref.problem(T)
    R = problem.parameters["R"] * np.triu(np.ones((units, units)), 1)
    return _lags_seen(problem.replace(parameters={**problem.parameters, "R": R}))


def linear_lags(units: int, p: int, T: int = 4) -> set[int]:
    """Return the live lags with f the identity, R = z S N adj(S), z, S generic, N with p - 1 ones off its diagonal."""
    ref = FormalReference(Network("identity"), Sizes(T, units, 1, 1))
    problem, S, z = ref.problem(T), ref.field.symbols("S", (units, units)), ref.field.symbols("z", ())
    N = np.diag(np.arange(units - 1) < p - 1, 1).astype(float)
    return _lags_seen(problem.replace(parameters={**problem.parameters, "R": z * (S @ N @ _adjugate(S))}))


def _adjugate(S: Array) -> Array:
    """Return adj(S) with S adj(S) = det(S) I, by cofactors; S is (1, 1), (2, 2) or (3, 3)."""
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
    """Return True where truncation at tau drops exactly nothing; the caller enters `field.working()`."""
    return all(v == 0 for v in entries(field, dropped(problem, Truncated(tau))))


def cancelling(activation: str = "relu") -> Problem:
    """Return a problem with R = [[1, -1], [1, -1]], R^2 = 0, and the loss at 3: relu's slopes at step 2 are 1 and 0."""
    parameters = {"W": [[1.0, 1.0]], "R": [[1.0, -1.0], [1.0, -1.0]], "V": [[1.0], [0.0]]}
    return Problem(
        {name: np.array(value) for name, value in parameters.items()}, np.array([[1.0], [1.0], [0.0]]), np.zeros((3,
        1)), None, np.array([0.0, 0.0, 1.0]), Network(activation),
    )  # fmt: skip


def statements() -> list[Statement]:
    """Return the row of the chapter."""
    problem = cancelling()
    lost = squared_norm(RATIONAL, dropped(problem.over(RATIONAL), Truncated(2)))
    with BALL.working():
        tanh = squared_norm(BALL, dropped(cancelling("tanh").over(BALL), Truncated(2)))
    p = index_of(problem.parameters["R"])
    false = p == 2 and bool(lost > 0) and bool(tanh > 0)
    naive = judged(
        "R^p = 0 makes truncation at p exact",
        not false,
        "no counterexample was found",
        kind="enclosure",
        strength=Strength.CERTIFIED,
        otherwise=f"R = [[1, -1], [1, -1]] has $R R = 0$, yet with relu truncation at 2 is off by a squared norm of "
        f"{number(lost)}, exactly: at step 2 only one of the two units has a slope, and the cancellation in $R D R$ "
        f"needs both. With tanh the ball of the squared error, about {number(tanh)[:8]}, excludes 0.",
        counterexample=counterexample(
            problem, "truncation at 2 is exact", entry="||error(2)||^2", expected="0", got=str(lost), gap=str(lost),
            certified="computed in exact rationals",
            snippet=error_program(problem, {f"tau = {tau}": f"k < {tau}" for tau in (1, 2, 3)}),
        ),
    )  # fmt: skip
    acyclic = {units: acyclic_lags(units) for units in (1, 2, 3, 4)}
    linear = {(units, p): linear_lags(units, p) for units in (1, 2, 3) for p in range(1, units + 1)}
    holds = judged(
        "truncation is exact from p on where R is acyclic with longest path p, and where f is the identity and R^p = 0",
        all(found == set(range(units)) for units, found in acyclic.items())
        and all(found == set(range(p)) for (_, p), found in linear.items()),
        "Exactly the lags below $p$ are not the zero polynomial. For acyclic R every differentiable activation, output "
        "and loss; for the identity every R with $R^p = 0$, whatever it is made of. At $p - 1$ generic networks lose "
        "lag $p - 1$.",
        kind="formal",
        strength=Strength.PROVED,
        scope="acyclic: strictly triangular R, I = p <= 4, T = 5, f, g and L undefined; identity: every nilpotent R "
        "with I <= 3, T = 4, as a generic conjugate of each Jordan form",
        blind="larger sizes, which the argument in `gradcheck/chapters/truncation/nilpotent.py` covers",
    )
    return [
        Statement(
            "truncation-nilpotent", "Where truncation is exact", "A recurrence that forgets",
            r"R^p = 0 \;\Rightarrow\; \mathrm{error}(\tau) = 0 \quad (\tau \ge p)", naive,
            r"R \text{ acyclic, longest path } p \text{ units, or } f(s) = s \text{ and } R^p = 0 \;\Rightarrow\;"
            r" \mathrm{error}(\tau) = 0 \quad (\tau \ge p)", holds,
            comment="Between two factors R stands the diagonal of slopes. It leaves paths as they are, but not "
            "cancellations.",
        )
    ]  # fmt: skip
