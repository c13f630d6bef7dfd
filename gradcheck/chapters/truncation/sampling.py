"""Growth of the expected squared error over random tanh networks as tau shrinks: a statistical statement.

tanh mixes signs, so `expectation` does not reach it. Draws D_1, D_2, ... of
    D = ||error(tau)||^2 - ||error(tau + 1)||^2
from independent networks are tested against H0: E D <= 0, for each tau = 1..T-1, by betting (Waudby-Smith and Ramdas
2024, "Estimating means of bounded random variables by betting"). With D >= -B always, a gambler starts with capital 1
and multiplies it by 1 + lambda_i D_i, lambda_i in [0, 1/(2B)] chosen from earlier draws only. Under H0 the capital is
never negative and its expectation never rises, so by Ville's inequality the chance that it ever reaches 1/alpha is
at most alpha. No normal approximation, nothing about variances or tails. H0 is rejected where the capital reaches
(T - 1)/alpha; by the union bound over tau the chance that any rejection is false is at most alpha.

B. All entries are bounded by construction: |x| = |y| = 1, |V| = 1/2, |R| <= 1/2, a(0) = 0. Then |a| <= 1,
|e| <= 1 + I/2, |d_i| <= |e|/2, the largest |entry| of d^T J ... J (k factors) is at most (I/2)^k |e|/2 since |f'| <= 1,
and |u_j| <= 1, so an entry of g(t, k) is at most (I/2)^k (1 + I/2)/2. ||error(tau + 1)||^2 is at most the number of
entries times the square of the sum of these over t and k > tau, and D >= -||error(tau + 1)||^2.

The draws are evaluated in float64. Every value is a sum of products of factors that the same bounds hold for, with
fewer than 2^12 roundings on any path, so rounding moves D by less than 2^-38 C, C the same bound for ||error(1)||^2:
that much is taken from every D, so that rounding can hide growth and never invent it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...reference.errors import GradcheckError
from ...reference.problem import Problem
from ...reference.typing import Array

STEPS, UNITS = 5, 2
DRAWS, SEED, ALPHA = 150_000, 20261123, 1e-6
BLOCKS = 50


@dataclass(frozen=True)
class Networks:
    """Batch of `count` random networks: the leading axis of every array runs over them. D = K = 1, V is (count, I)."""

    W: Array
    R: Array
    V: Array
    x: Array
    y: Array

    def problem(self, n: int) -> Problem:
        """Return network n as a problem."""
        parameters = {"W": self.W[n][None, :], "R": self.R[n], "V": self.V[n][:, None]}
        return Problem(parameters, self.x[n][:, None], self.y[n][:, None])


def draw(count: int, *, seed: int = SEED, T: int = STEPS, I: int = UNITS) -> Networks:
    """Draw networks with independent entries: W in [-1, 1], R in [-1/2, 1/2], x and y random signs, V signs halved."""
    rng = np.random.default_rng(seed)
    W, R = rng.uniform(-1, 1, (count, I)), rng.uniform(-0.5, 0.5, (count, I, I))
    V, x, y = (rng.choice([-1.0, 1.0], (count, length)) for length in (I, T, T))
    return Networks(W, R, V / 2, x, y)


def squared_errors(nets: Networks) -> Array:
    """Return ||error(tau)||^2 over W and R, tau = 1..T, shape (count, T), in float64."""
    count, T = nets.x.shape
    I = nets.W.shape[1]
    a, d = np.zeros((T + 1, count, I)), np.zeros((T, count, I))
    for t in range(T):
        a[t + 1] = np.tanh(nets.x[:, t, None] * nets.W + np.einsum("nij,ni->nj", nets.R, a[t]))
        e = np.einsum("ni,ni->n", nets.V, a[t + 1]) - nets.y[:, t]
        d[t] = (1 - a[t + 1] ** 2) * nets.V * e[:, None]
    slope = 1 - a[1:] ** 2
    u = np.concatenate((nets.x.T[:, :, None], a[:-1]), axis=2)
    error, found, lagged = np.zeros((count, 1 + I, I)), np.zeros((count, T)), d
    parts = []
    for k in range(1, T):
        # Row t of `lagged` is what the loss at t + k puts on s(t).
        lagged = slope[: T - k] * np.einsum("nij,tnj->tni", nets.R, lagged[1:])
        parts.append(np.einsum("tnm,tni->nmi", u[: T - k], lagged))
    for tau in range(T - 1, 0, -1):
        error = error + parts[tau - 1]
        found[:, tau - 1] = (error**2).sum(axis=(1, 2))
    return found


def bounds(T: int = STEPS, I: int = UNITS) -> Array:
    """Return upper bounds of ||error(tau)||^2, tau = 1..T."""
    entry = [(I / 2) ** k * (1 + I / 2) / 2 for k in range(T)]
    sums = [sum((T - k) * entry[k] for k in range(tau, T)) for tau in range(1, T + 1)]
    return np.array([(1 + I) * I * s * s for s in sums])


def capital(draws: Array, bound: float, *, blocks: int = BLOCKS) -> float:
    """Return log10 of the largest capital reached by betting that E D > 0, each bet made from earlier blocks.

    Raises:
        GradcheckError: A draw is below -bound, which would void the guarantee.
    """
    if draws.min() < -bound:
        raise GradcheckError(f"a draw is {draws.min():.3g}, below the lower bound {-bound:.3g} that the bet relies on")
    log, best, past = 0.0, 0.0, draws[:0]
    for number, block in enumerate(np.array_split(draws, blocks)):
        bet = 0.0
        if number:
            mean, square = past.mean(), (past**2).mean()
            bet = min(max(mean / square, 0.0), 0.5 / bound) if square > 0 else 0.0
        path = log + np.cumsum(np.log1p(bet * block))
        log, best = float(path[-1]), max(best, float(path.max()))
        past = draws[: len(past) + len(block)]
    return best / float(np.log(10))


@dataclass(frozen=True)
class Growth:
    """Outcome of the test.

    means: of ||error(tau)||^2, tau = 1..T. capitals: log10 of the capital of each test. needed: that of a rejection.

    monotone: the share of networks whose own error never grows with tau.
    """

    means: tuple[float, ...]
    capitals: tuple[float, ...]
    needed: float
    monotone: float

    @property
    def shown(self) -> bool:
        """Return True where E||error||^2 is shown to grow at every tau."""
        return all(c >= self.needed for c in self.capitals)


def judge(errors: Array, *, alpha: float = ALPHA) -> Growth:
    """Test growth at every tau from squared errors (draws, T) of the networks that `draw` gives."""
    T = errors.shape[1]
    limits = bounds(T)
    slack = 2.0**-38 * limits[0]
    # At tau = T - 1 there is nothing to subtract and D is a square: any positive bound will do.
    lowest = np.maximum(limits[1:], 2.0**-10) + slack
    capitals = [capital(errors[:, i] - errors[:, i + 1] - slack, lowest[i]) for i in range(T - 1)]
    monotone = float((np.diff(errors, axis=1) <= 0).all(axis=1).mean())
    return Growth(tuple(errors.mean(axis=0).tolist()), tuple(capitals), float(np.log10((T - 1) / alpha)), monotone)


@lru_cache(maxsize=1)
def growth() -> Growth:
    """Return the test on the draws of the chapter's own seed."""
    return judge(squared_errors(draw(DRAWS)))
