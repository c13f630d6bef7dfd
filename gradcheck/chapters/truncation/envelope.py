"""Geometric envelope of the error under contraction, in balls.

Claim. Lecture's network, any f, g and L, Theta = [W; R], u(t) = [x(t); a(t-1)]. Let rho >= ||J(t)||_2 for t = 2..T,
J(t) = R^T diag f'(s(t-1)), and U >= ||u(t)|| for all t. Then ||g(t, k)||_F <= ||d(t)|| U rho^k, and, if rho < 1,
    ||error(tau)||_F <= sum over t > tau of ||d(t)|| U (rho^tau - rho^t) / (1 - rho),    t counted from 1.
Proof. g(t, k) = u(t-k) (d(t)^T J(t) ... J(t-k+1)) is an outer product, so its Frobenius norm is the product of the two
vectors' norms. The row vector is at most ||d(t)|| times the product of k spectral norms, the column at most U. The
error is the sum of g(t, k) over tau <= k <= t-1 (none unless t > tau); the triangle inequality and the geometric sum
rho^tau + ... + rho^(t-1) give the bound. V acts at lag 0 only, and no truncation with tau >= 1 drops that.

Balls make it a proof for the numbers at hand: rho is an upper end of min(sqrt(||J||_1 ||J||_inf), ||J||_F), each of
which bounds the spectral norm, U an upper end too, both rounded up by 2^-30, and a bound holds only if the whole ball
of the left side lies below the whole ball of the right. Rounding up also keeps ties, such as k = 0, decidable.

The envelope cannot be improved: where u(t) is the same at all t, all J are the same multiple of the identity and the
only loss is the last, every inequality in the proof is an equality. `attained` shows that in exact rationals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np

from ...records import Statement, Strength
from ...reference import lags
from ...reference.network import Network
from ...reference.problem import Problem, forward
from ...reference.typing import Array
from ..verdicts import judged
from .tails import BALL, RATIONAL, THETA, errors, squared_norm, sums_by_lag

SLACK = 2.0**-30


@dataclass(frozen=True)
class Contraction:
    """Parts of the envelope: rho, U and ||d(t)||, t = 1..T, as balls."""

    rho: Any
    U: Any
    d: tuple[Any, ...]


def _above(value: Any) -> Any:
    """Return an exact number above the whole ball."""
    return value.upper() * (1 + SLACK) + SLACK


def _norm(field: Any, array: Array) -> Any:
    # The upper end of the sum first: a ball around a true 0 reaches below it and has no square root.
    return sum((v * v for v in field.natives(array)), flint.arb(0)).abs_upper().sqrt()


def spectral_bound(matrix: Array) -> Any:
    """Return a ball no smaller than the spectral norm of a matrix of balls."""
    n = matrix.shape[0]
    sizes = [abs(v).abs_upper() for v in BALL.natives(matrix)]
    rows = max(sum(sizes[i * n : (i + 1) * n], flint.arb(0)).abs_upper() for i in range(n))
    columns = max(sum(sizes[i::n], flint.arb(0)).abs_upper() for i in range(n))
    frobenius = sum((v * v for v in sizes), flint.arb(0)).sqrt()
    return min((rows * columns).sqrt().abs_upper(), frobenius.abs_upper())


def contraction(problem: Problem) -> Contraction:
    """Return rho, U and ||d(t)|| of a problem of the lecture's network on balls; the caller enters `BALL.working()`."""
    network: Any = problem.network
    W, R, V = (problem.parameters[name] for name in "WRV")
    states, _ = forward(problem)
    slopes = [network.activation.derivative(W.T @ x + R.T @ a) for x, a in zip(problem.inputs, states, strict=False)]
    jacobians = [R.T * slope[None, :] for slope in slopes[:-1]]
    rho = max((spectral_bound(J) for J in jacobians), default=flint.arb(0))
    inputs = [np.concatenate((x, a)) for x, a in zip(problem.inputs, states, strict=False)]
    d = [slope * (V @ e) for slope, e in zip(slopes, lags.error_signals(problem), strict=True)]
    U = max(_norm(BALL, u) for u in inputs)
    return Contraction(_above(rho), _above(U), tuple(_norm(BALL, row) for row in d))


def envelope(found: Contraction, tau: int, power: Callable[[int], int] = lambda tau: tau) -> Any:
    """Return the bound on ||error(tau)||, a ball; `power` is for the planted bug."""
    rho, total = found.rho, flint.arb(0)
    for t in range(tau + 1, len(found.d) + 1):
        total += found.d[t - 1] * found.U * (rho ** power(tau) - rho**t) / (1 - rho)
    return total


@dataclass(frozen=True)
class Checked:
    """Outcome of `check`: rho, norms and bounds of the error at tau = 1..T as balls, and what was not certified."""

    rho: float
    errors: tuple[Any, ...]
    bounds: tuple[Any, ...]
    failures: tuple[str, ...]

    @property
    def contracts(self) -> bool:
        return self.rho < 1

    @property
    def holds(self) -> bool:
        return self.contracts and not self.failures


def check(problem: Problem, *, power: Callable[[int], int] = lambda tau: tau) -> Checked:
    """Certify the envelope at every tau and the bound on every lag of a float problem.

    Where rho >= 1 there is no envelope; the bounds are then infinite and only the lags are checked.
    """
    with BALL.working():
        lifted = problem.over(BALL)
        found = contraction(lifted)
        below = bool(found.rho < 1)
        failures = []
        for (t, k), part in lags.by_lag(lifted).items():
            bound = found.d[t - 1] * found.U * found.rho ** power(k)
            if not squared_norm(BALL, part, THETA) <= bound**2:
                failures.append(f"lag {k} of the loss at {t}")
        squares = [squared_norm(BALL, error, THETA) for error in errors(sums_by_lag(lifted))]
        bounds = [envelope(found, tau, power) if below else flint.arb("inf") for tau in range(1, problem.T + 1)]
        for tau, (square, bound) in enumerate(zip(squares, bounds, strict=True), start=1):
            if not square <= bound**2:
                failures.append(f"error at tau = {tau}")
        norms = [s.abs_upper().sqrt() for s in squares]
        return Checked(float(found.rho), tuple(norms), tuple(bounds), tuple(failures))


def example(scale: float, *, T: int = 12, I: int = 4, seed: int = 3, cyclic: bool = True) -> Problem:
    """Return a random tanh net on dyadic numbers, its R of spectral norm at most about `scale`.

    `cyclic`: R is a signed cyclic permutation times `scale` and inputs are small, so that the bound is close; else R is
    dense, of Frobenius norm `scale`, and inputs are of order 1.
    """
    rng = np.random.default_rng([seed, T, I])
    dense, size = rng.normal(size=(I, I)), 0.25 if cyclic else 1.0
    turned = np.roll(np.eye(I), 1, axis=1) * rng.choice([-1.0, 1.0], I)
    R = turned * scale if cyclic else dense * (scale / np.linalg.norm(dense))
    parameters = {"W": rng.normal(size=(1, I)) * size, "R": R, "V": rng.normal(size=(I, 1))}
    inputs, targets = rng.normal(size=(T, 1)), rng.normal(size=(T, 1))
    return Problem({name: _dyadic(p) for name, p in parameters.items()}, _dyadic(inputs), _dyadic(targets))


def _dyadic(values: Array) -> Array:
    return np.round(values * 1024) / 1024


def attained(power: Callable[[int], int] = lambda tau: tau, T: int = 6) -> bool:
    """Return True where error and envelope are equal, in exact rationals, on a scalar linear network at rest.

    w = x = 1, r = 1/2, a = 2 throughout, so u = (1, 2), rho = 1/2 and U^2 = 5; v = 1, the loss at T alone.
    """
    last = np.array([0.0] * (T - 1) + [1.0])
    one = np.ones((1, 1))
    problem = Problem(
        {"W": one, "R": one / 2, "V": one}, np.ones((T, 1)), np.ones((T, 1)), np.array([2.0]), last, Network("identity")
    ).over(RATIONAL)
    half = flint.fmpq(1, 2)
    squares = [squared_norm(RATIONAL, error, THETA) for error in errors(sums_by_lag(problem))]
    bounds = [(half ** power(tau) - half**T) / (1 - half) for tau in range(1, T + 1)]
    return all(square == 5 * bound * bound for square, bound in zip(squares, bounds, strict=True))


SCALES = (0.5, 0.8, 0.95)


def statements() -> list[Statement]:
    """Return the row of the chapter."""
    found = [check(example(scale, seed=n, cyclic=n < 2)) for scale in SCALES for n in range(4)]
    tight, wrong = attained(), attained(lambda tau: tau + 1)
    verdict = judged(
        "under contraction the error is at most the geometric envelope, at every tau",
        all(c.holds for c in found) and tight and not wrong,
        "With $\\rho < 1$ above the spectral norm of every $J(t)$ and $U$ above every norm of $u(t)$: the ball of each "
        "lag and of each error lies below the ball of its bound. It cannot be improved: a scalar linear network at "
        "rest attains it at every horizon, in exact rationals.",
        kind="enclosure",
        strength=Strength.CERTIFIED,
        scope=f"{len(found)} tanh networks, I = 4, T = 12, half of them with a scaled signed permutation for R; for "
        "all others by the argument in `gradcheck/chapters/truncation/envelope.py`",
        blind="how loose the envelope is elsewhere: it takes every Jacobian at its worst",
        rho=f"{min(c.rho for c in found):.3f} to {max(c.rho for c in found):.3f}",
    )
    return [
        Statement(
            "truncation-envelope", "Where it decays", "A geometric envelope under contraction",
            r"\| \mathrm{error}(\tau) \|_F \le \sum_{t > \tau} \| d(t) \| \, U \,"
            r" \frac{\rho^{\tau} - \rho^{t}}{1 - \rho}", verdict,
            comment="The envelope is a bound on the error and no promise that the error itself falls from one horizon "
            "to the next.",
        )
    ]  # fmt: skip
