"""Right rules of many kinds for the default network, each as short as it can be: none may ever be refuted.

Most solve the same recursion, delta(t) = slope(t) (V e(t) + R delta(t+1)), in another way: a function of the slopes, of
the back-projected errors V e (both (T, I)) and of R.
"""

from __future__ import annotations

import concurrent.futures
import ctypes
import decimal
import fractions
import functools
import itertools
import math
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

GENERIC: list[Any] = []
"""Rules that run on every number system."""
ON_FLOATS: list[Any] = []
"""Rules that run on floats alone."""


def forward(p: Any) -> tuple[Any, ...]:
    """Return states (T + 1, I), slopes (T, I), errors (T, K) and V e (T, I)."""
    W, R, V = (p.parameters[name] for name in "WRV")
    a, s = [p.initial_state], []
    for x in p.inputs:
        s.append(W.T @ x + R.T @ a[-1])
        a.append(p.network.activation(s[-1]))
    slopes = np.stack([p.network.activation.derivative(each) for each in s])
    errors = np.stack([p.network.output_error(V.T @ each, y) for each, y in zip(a[1:], p.targets, strict=True)])
    return np.stack(a), slopes, errors, errors @ V.T


def floats(p: Any) -> Any:
    return p.map(lambda array: np.array(array.tolist(), dtype=float).reshape(array.shape))


def solving(rules: list[Any], *, name: str = "") -> Callable[[Any], Any]:
    """Register the rule that solves for delta with the decorated function."""

    def register(solve: Any) -> Any:
        def rule(problem: Any) -> dict[str, Any]:
            p = floats(problem) if rules is ON_FLOATS else problem
            a, slopes, errors, back = forward(p)
            deltas = solve(slopes, back, p.parameters["R"])
            return {"W": p.inputs.T @ deltas, "R": a[:-1].T @ deltas, "V": a[1:].T @ errors}

        rule.__name__ = rule.__qualname__ = name or solve.__name__
        rules.append(rule)
        return solve

    return register


def whole(rules: list[Any]) -> Callable[[Any], Any]:
    """Register a whole rule."""

    def register(function: Any) -> Any:
        @functools.wraps(function)
        def rule(problem: Any) -> Any:
            return function(floats(problem) if rules is ON_FLOATS else problem)

        rules.append(rule)
        return function

    return register


# Every number system


@solving(GENERIC)
def loop(slopes: Any, back: Any, R: Any) -> Any:
    delta, found = 0 * back[0], []
    for slope, b in zip(slopes[::-1], back[::-1], strict=True):
        delta = slope * (b + R @ delta)
        found.append(delta)
    return np.stack(found[::-1])


@solving(GENERIC)
def accumulated(slopes: Any, back: Any, R: Any) -> Any:
    pairs = list(zip(slopes[::-1], back[::-1], strict=True))
    steps = itertools.accumulate(pairs, lambda delta, pair: pair[0] * (pair[1] + R @ delta), initial=0 * back[0])
    return np.stack(list(steps)[1:][::-1])


@solving(GENERIC)
def by_a_generator(slopes: Any, back: Any, R: Any) -> Any:
    def backward() -> Any:
        delta = 0 * back[0]
        while True:
            slope, b = yield delta
            delta = slope * (b + R @ delta)

    steps = backward()
    next(steps)
    return np.stack([steps.send(pair) for pair in zip(slopes[::-1], back[::-1], strict=True)][::-1])


@solving(GENERIC)
def recursive(slopes: Any, back: Any, R: Any) -> Any:
    def from_(t: int) -> list[Any]:
        if t == len(back):
            return [0 * back[0]]
        later = from_(t + 1)
        return [slopes[t] * (back[t] + R @ later[0]), *later]

    return np.stack(from_(0)[:-1])


@solving(GENERIC)
def memoised(slopes: Any, back: Any, R: Any) -> Any:
    @functools.cache
    def delta(t: int) -> Any:
        return slopes[t] * (back[t] + (R @ delta(t + 1) if t + 1 < len(back) else 0))

    return np.stack([delta(t) for t in range(len(back))])


@solving(GENERIC)
def in_place(slopes: Any, back: Any, R: Any) -> Any:
    deltas = np.zeros_like(back)
    for t in range(len(back) - 1, -1, -1):
        deltas[t] = back[t]
        if t + 1 < len(back):
            deltas[t] += R @ deltas[t + 1]
        deltas[t] *= slopes[t]
    return deltas


class Layer:
    """Backward pass with a buffer that is reset for each sequence."""

    def __init__(self) -> None:
        self.buffer: Any = None

    def run(self, slopes: Any, back: Any, R: Any) -> Any:
        self.buffer = np.zeros_like(back[0])
        return np.stack([self.step(*pair, R) for pair in zip(slopes[::-1], back[::-1], strict=True)][::-1])

    def step(self, slope: Any, b: Any, R: Any) -> Any:
        self.buffer = slope * (b + R @ self.buffer)
        return self.buffer


solving(GENERIC, name="a class with a buffer")(Layer().run)


def jacobians(slopes: Any, R: Any) -> list[Any]:
    """Return delta(t) = first + J(t) delta(t+1) as J(t)."""
    return [slope[:, None] * R for slope in slopes]


@solving(GENERIC)
def parallel_scan(slopes: Any, back: Any, R: Any) -> Any:
    """Hillis and Steele's scan of affine maps (matrix, vector), by doubling."""
    maps = list(zip(jacobians(slopes, R), slopes * back, strict=True))
    width = 1
    while width < len(maps):
        maps = [
            (A @ maps[t + width][0], b + A @ maps[t + width][1]) if t + width < len(maps) else (A, b)
            for t, (A, b) in enumerate(maps)
        ]
        width *= 2
    return np.stack([b for _, b in maps])


@solving(GENERIC)
def product_tree(slopes: Any, back: Any, R: Any) -> Any:
    """Divide and conquer: the later half first, then the earlier one with what comes out of it."""
    J, first = jacobians(slopes, R), slopes * back

    def solve(low: int, high: int, after: Any) -> list[Any]:
        if high - low == 1:
            return [first[low] + J[low] @ after]
        middle = (low + high) // 2
        later = solve(middle, high, after)
        return [*solve(low, middle, later[0]), *later]

    return np.stack(solve(0, len(back), 0 * back[0]))


@solving(GENERIC)
def lag_by_lag(slopes: Any, back: Any, R: Any) -> Any:
    """All losses at once, one lag further at each turn."""
    travelling = slopes * back
    total = travelling
    for k in range(1, len(back)):
        travelling = slopes[:-k] * (travelling[1:] @ R.T)
        total = total + np.concatenate([travelling, np.zeros_like(back[:k])])
    return total


@solving(GENERIC)
def loss_by_loss(slopes: Any, back: Any, R: Any) -> Any:
    total = [0 * row for row in back]
    for t in range(len(back)):
        delta = slopes[t] * back[t]
        for u in range(t, -1, -1):
            total[u] = total[u] + delta
            delta = slopes[u - 1] * (R @ delta)
    return np.stack(total)


@solving(GENERIC)
def fixed_point(slopes: Any, back: Any, R: Any) -> Any:
    """Jacobi's iteration over all time, exact after T turns."""
    deltas = np.zeros_like(back)
    for _ in back:
        deltas = slopes * (back + np.concatenate([deltas[1:] @ R.T, np.zeros_like(back[:1])]))
    return deltas


@solving(GENERIC)
def squared_series(slopes: Any, back: Any, R: Any) -> Any:
    """(1 - N)^-1 as (1 + N)(1 + N^2)(1 + N^4) ..., N the nilpotent matrix of the whole sequence."""
    T, I = back.shape
    N = np.zeros_like(back, shape=(T * I, T * I))
    for t, J in enumerate(jacobians(slopes, R)[:-1]):
        N[t * I : (t + 1) * I, (t + 1) * I : (t + 2) * I] = J
    found = (slopes * back).reshape(-1)
    for _ in range(T.bit_length()):
        found, N = found + N @ found, N @ N
    return found.reshape(T, I)


@solving(GENERIC)
def by_coordinates(slopes: Any, back: Any, R: Any) -> Any:
    """R as a list of its entries that are not 0, as sparse matrices are."""
    entries = [(i, j, R[i, j]) for i, j in np.ndindex(*R.shape)]
    found, delta = [], 0 * back[0]
    for slope, b in zip(slopes[::-1], back[::-1], strict=True):
        product = 0 * delta
        for i, j, value in entries:
            product[i] = product[i] + value * delta[j]
        delta = slope * (b + product)
        found.append(delta)
    return np.stack(found[::-1])


@solving(GENERIC)
def by_columns(slopes: Any, back: Any, R: Any) -> Any:
    return loop(slopes, back, np.stack([R[:, j] for j in range(R.shape[1])], axis=1))


@solving(GENERIC)
def by_einsum(slopes: Any, back: Any, R: Any) -> Any:
    found, delta = [], 0 * back[0]
    for t in reversed(range(len(back))):
        delta = np.einsum("i,i->i", slopes[t], back[t] + np.einsum("ij,j->i", R, delta))
        found.insert(0, delta)
    return np.stack(found)


@solving(GENERIC)
def by_tensordot(slopes: Any, back: Any, R: Any) -> Any:
    found, delta = [], 0 * back[0]
    for t in reversed(range(len(back))):
        delta = slopes[t] * (back[t] + np.tensordot(delta, R, axes=([0], [1])))
        found.insert(0, delta)
    return np.stack(found)


@solving(GENERIC)
def as_a_row(slopes: Any, back: Any, R: Any) -> Any:
    found, delta = [], 0 * back[:1]
    for t in reversed(range(len(back))):
        delta = (back[t : t + 1] + delta @ R.T) * slopes[t : t + 1]
        found.insert(0, delta)
    return np.concatenate(found)


def strassen(A: Any, B: Any) -> Any:
    """Strassen's product of matrices with even sizes, in one level."""
    m, n, k = A.shape[0] // 2, A.shape[1] // 2, B.shape[1] // 2
    a, b, c, d = A[:m, :n], A[:m, n:], A[m:, :n], A[m:, n:]
    e, f, g, h = B[:n, :k], B[:n, k:], B[n:, :k], B[n:, k:]
    p = [a @ (f - h), (a + b) @ h, (c + d) @ e, d @ (g - e), (a + d) @ (e + h), (b - d) @ (g + h), (a - c) @ (e + f)]
    left = np.concatenate([p[4] + p[3] - p[1] + p[5], p[2] + p[3]])
    return np.concatenate([left, np.concatenate([p[0] + p[1], p[0] + p[4] - p[2] - p[6]])], axis=1)


def even(A: Any) -> Any:
    """Pad a matrix to even sizes."""
    rows, columns = (n + n % 2 for n in A.shape)
    padded = np.zeros_like(A, shape=(rows, columns))
    padded[: A.shape[0], : A.shape[1]] = A
    return padded


@whole(GENERIC)
def strassen_products(p: Any) -> Any:
    a, slopes, errors, back = forward(p)
    deltas = loop(slopes, back, p.parameters["R"])
    pairs = {"W": (p.inputs, deltas), "R": (a[:-1], deltas), "V": (a[1:], errors)}
    return {n: strassen(even(x.T), even(y))[: x.shape[1], : y.shape[1]] for n, (x, y) in pairs.items()}


def checkpointed(p: Any, every: Callable[[int], int]) -> Any:
    """Keep the states at every so many steps, and work the others out again."""
    W, R, V = (p.parameters[name] for name in "WRV")
    width, step = every(p.T), lambda a, x: p.network.activation(W.T @ x + R.T @ a)
    kept = [p.initial_state]
    for t in range(0, p.T, width):
        kept.append(functools.reduce(step, p.inputs[t : t + width], kept[-1]))
    g, delta = {n: 0 * array for n, array in p.parameters.items()}, 0 * kept[0]
    for block in reversed(range(len(kept) - 1)):
        xs = p.inputs[block * width : (block + 1) * width]
        a = list(itertools.accumulate(xs, step, initial=kept[block]))
        for t in reversed(range(len(xs))):
            e = p.network.output_error(V.T @ a[t + 1], p.targets[block * width + t])
            delta = p.network.activation.derivative(W.T @ xs[t] + R.T @ a[t]) * (V @ e + R @ delta)
            grown = {"W": np.outer(xs[t], delta), "R": np.outer(a[t], delta), "V": np.outer(a[t + 1], e)}
            g = {n: g[n] + grown[n] for n in g}
    return g


@whole(GENERIC)
def checkpoints_at_roots(p: Any) -> Any:
    return checkpointed(p, lambda T: math.isqrt(T - 1) + 1)


@whole(GENERIC)
def no_memory(p: Any) -> Any:
    return checkpointed(p, lambda T: 1)


@whole(GENERIC)
def one_block(p: Any) -> Any:
    return checkpointed(p, lambda T: T)


@whole(GENERIC)
def kronecker(p: Any) -> Any:
    """RTRL with one matrix of influences for W and R together."""
    W, R, V = (p.parameters[name] for name in "WRV")
    (D, I), a = W.shape, p.initial_state
    M, g, gV = np.zeros_like(W, shape=(I, (D + I) * I)), np.zeros_like(W, shape=((D + I) * I,)), 0 * V
    eye = np.eye(I)
    for x, y in zip(p.inputs, p.targets, strict=True):
        z, s = np.concatenate([x, a]), W.T @ x + R.T @ a
        now = (z[None, :, None] * eye[:, None, :]).reshape(I, -1)
        M = p.network.activation.derivative(s)[:, None] * (R.T @ M + now)
        a = p.network.activation(s)
        e = p.network.output_error(V.T @ a, y)
        g, gV = g + (V @ e) @ M, gV + np.outer(a, e)
    return {"W": g.reshape(D + I, I)[:D], "R": g.reshape(D + I, I)[D:], "V": gV}


@whole(GENERIC)
def tangents(p: Any) -> Any:
    """Forward mode, a direction for each entry of each parameter."""
    net, (W, R, V) = p.network, (p.parameters[name] for name in "WRV")
    g = {n: np.zeros_like(array) for n, array in p.parameters.items()}
    for name, array in p.parameters.items():
        for index in np.ndindex(*array.shape):
            d = {n: np.zeros_like(other) for n, other in p.parameters.items()}
            d[name][index] = 1
            a, da, total = p.initial_state, 0 * p.initial_state, 0 * W[0, 0]
            for x, y in zip(p.inputs, p.targets, strict=True):
                s, ds = W.T @ x + R.T @ a, d["W"].T @ x + d["R"].T @ a + R.T @ da
                a, da = net.activation(s), net.activation.derivative(s) * ds
                total = total + net.output_error(V.T @ a, y) @ (d["V"].T @ a + V.T @ da)
            g[name][index] = total
    return g


# Floats


@solving(ON_FLOATS)
def adjoint_solve(slopes: Any, back: Any, R: Any) -> Any:
    """Implicit differentiation: one linear system for the whole sequence."""
    return np.linalg.solve(system(slopes, R), (slopes * back).reshape(-1)).reshape(back.shape)


@solving(ON_FLOATS)
def adjoint_inverse(slopes: Any, back: Any, R: Any) -> Any:
    return (np.linalg.inv(system(slopes, R)) @ (slopes * back).reshape(-1)).reshape(back.shape)


@solving(ON_FLOATS)
def adjoint_by_qr(slopes: Any, back: Any, R: Any) -> Any:
    Q, U = np.linalg.qr(system(slopes, R))
    return np.linalg.solve(U, Q.T @ (slopes * back).reshape(-1)).reshape(back.shape)


@solving(ON_FLOATS)
def adjoint_by_svd(slopes: Any, back: Any, R: Any) -> Any:
    U, s, Vt = np.linalg.svd(system(slopes, R))
    return (Vt.T @ (U.T @ (slopes * back).reshape(-1) / s)).reshape(back.shape)


def system(slopes: Any, R: Any) -> Any:
    T, I = slopes.shape
    matrix = np.eye(T * I)
    for t, J in enumerate(jacobians(slopes, R)[:-1]):
        matrix[t * I : (t + 1) * I, (t + 1) * I : (t + 2) * I] = -J
    return matrix


def orthogonal(n: int) -> Any:
    return np.linalg.qr(np.random.default_rng(5).normal(size=(n, n)))[0]


@solving(ON_FLOATS)
def in_a_rotated_basis(slopes: Any, back: Any, R: Any) -> Any:
    Q = orthogonal(len(R))
    found, delta = [], np.zeros(len(R))
    for slope, b in zip(slopes[::-1], back[::-1], strict=True):
        delta = Q @ (slope * b) + (Q @ (slope[:, None] * R) @ Q.T) @ delta
        found.append(Q.T @ delta)
    return np.stack(found[::-1])


@solving(ON_FLOATS)
def rotated_over_time(slopes: Any, back: Any, R: Any) -> Any:
    Q = orthogonal(len(back))
    return Q.T @ (Q @ loop(slopes, back, R))


@solving(ON_FLOATS)
def with_r_by_its_svd(slopes: Any, back: Any, R: Any) -> Any:
    U, s, Vt = np.linalg.svd(R)
    return loop(slopes, back, (U * s) @ Vt)


@solving(ON_FLOATS)
def with_r_by_householder(slopes: Any, back: Any, R: Any) -> Any:
    Q, U = np.linalg.qr(R)
    found, delta = [], np.zeros(len(R))
    for slope, b in zip(slopes[::-1], back[::-1], strict=True):
        delta = slope * (b + Q @ (U @ delta))
        found.append(delta)
    return np.stack(found[::-1])


@solving(ON_FLOATS)
def by_fourier_transforms(slopes: Any, back: Any, R: Any) -> Any:
    """There and back again along time."""
    return np.fft.irfft(np.fft.rfft(loop(slopes, back, R), axis=0), n=len(back), axis=0)


@whole(ON_FLOATS)
def by_parseval(p: Any) -> Any:
    """Sums over time as sums over frequencies."""
    a, slopes, errors, back = forward(p)
    deltas = loop(slopes, back, p.parameters["R"])
    of = lambda x, y: (np.fft.fft(x, axis=0).conj().T @ np.fft.fft(y, axis=0)).real / p.T  # noqa: E731
    return {"W": of(p.inputs, deltas), "R": of(a[:-1], deltas), "V": of(a[1:], errors)}


@whole(ON_FLOATS)
def by_convolution(p: Any) -> Any:
    """Sums over time as the middle of a correlation, by FFT of twice the length."""
    a, slopes, errors, back = forward(p)
    deltas, n = loop(slopes, back, p.parameters["R"]), 2 * p.T

    def of(x: Any, y: Any) -> Any:
        product = np.fft.rfft(x, n, axis=0).conj()[:, :, None] * np.fft.rfft(y, n, axis=0)[:, None, :]
        return np.fft.irfft(product, n, axis=0)[0]

    return {"W": of(p.inputs, deltas), "R": of(a[:-1], deltas), "V": of(a[1:], errors)}


@solving(ON_FLOATS)
def long_doubles(slopes: Any, back: Any, R: Any) -> Any:
    return loop(*(array.astype(np.longdouble) for array in (slopes, back, R))).astype(float)


@solving(ON_FLOATS)
def sums_by_fsum(slopes: Any, back: Any, R: Any) -> Any:
    found, delta = [], np.zeros(len(R))
    for slope, b in zip(slopes[::-1], back[::-1], strict=True):
        delta = slope * np.array([math.fsum([b[i], *(R[i] * delta)]) for i in range(len(R))])
        found.append(delta)
    return np.stack(found[::-1])


def dot2(x: Any, y: Any) -> float:
    """Ogita, Rump and Oishi's compensated product."""
    total = lost = 0.0
    for a, b in zip(x.tolist(), y.tolist(), strict=True):
        product = a * b
        error = float(fractions.Fraction(a) * fractions.Fraction(b) - fractions.Fraction(product))
        larger = total + product
        back = larger - total
        lost += error + ((total - (larger - back)) + (product - back))
        total = larger
    return total + lost


@solving(ON_FLOATS)
def compensated_products(slopes: Any, back: Any, R: Any) -> Any:
    found, delta = [], np.zeros(len(R))
    for slope, b in zip(slopes[::-1], back[::-1], strict=True):
        delta = slope * (b + np.array([dot2(row, delta) for row in R]))
        found.append(delta)
    return np.stack(found[::-1])


@solving(ON_FLOATS)
def fractions_inside(slopes: Any, back: Any, R: Any) -> Any:
    exact = lambda array: np.array(  # noqa: E731
        [fractions.Fraction(v) for v in array.reshape(-1).tolist()], dtype=object
    ).reshape(array.shape)
    return loop(*map(exact, (slopes[-6:], back[-6:], R))).astype(float) if len(back) <= 6 else loop(slopes, back, R)


@solving(ON_FLOATS)
def decimals_inside(slopes: Any, back: Any, R: Any) -> Any:
    with decimal.localcontext() as context:
        context.prec = 40
        exact = lambda array: np.array(  # noqa: E731
            [decimal.Decimal(v) for v in array.reshape(-1).tolist()], dtype=object
        ).reshape(array.shape)
        return loop(*map(exact, (slopes, back, R))).astype(float)


@solving(ON_FLOATS)
def mpmath_inside(slopes: Any, back: Any, R: Any) -> Any:
    import mpmath

    exact = lambda array: np.array(  # noqa: E731
        [mpmath.mpf(v) for v in array.reshape(-1).tolist()], dtype=object
    ).reshape(array.shape)
    return loop(*map(exact, (slopes, back, R))).astype(float)


@solving(ON_FLOATS)
def python_lists(slopes: Any, back: Any, R: Any) -> Any:
    rows, found, delta = R.tolist(), [], [0.0] * len(R)
    for slope, b in zip(slopes[::-1].tolist(), back[::-1].tolist(), strict=True):
        delta = [s * (c + sum(r * d for r, d in zip(row, delta, strict=True))) for s, c, row in zip(slope, b, rows)]  # noqa: B905
        found.append(delta)
    return np.array(found[::-1])


@solving(ON_FLOATS)
def through_bytes(slopes: Any, back: Any, R: Any) -> Any:
    deltas = loop(slopes, back, R)
    packed = struct.pack(f"<{deltas.size}d", *deltas.reshape(-1))
    return np.array(struct.unpack(f"<{deltas.size}d", packed)).reshape(deltas.shape)


@solving(ON_FLOATS)
def in_threads(slopes: Any, back: Any, R: Any) -> Any:
    """A thread for each loss."""

    def of(t: int) -> Any:
        alone = np.zeros_like(back)
        alone[t] = back[t]
        return loop(slopes, alone, R)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return sum(pool.map(of, range(len(back))))


@solving(ON_FLOATS)
def scattered(slopes: Any, back: Any, R: Any) -> Any:
    deltas = np.zeros_like(back)
    np.add.at(deltas, np.arange(len(back))[::-1], loop(slopes, back, R)[::-1])
    return deltas


@solving(ON_FLOATS)
def fortran_order(slopes: Any, back: Any, R: Any) -> Any:
    return np.asfortranarray(loop(np.asfortranarray(slopes), np.asfortranarray(back), np.asfortranarray(R)))


@solving(ON_FLOATS)
def vectorised_by_numpy(slopes: Any, back: Any, R: Any) -> Any:
    times = np.vectorize(lambda a, b: a * b)
    found, delta = [], np.zeros(len(R))
    for slope, b in zip(slopes[::-1], back[::-1], strict=True):
        delta = times(slope, b + np.apply_along_axis(lambda row, d=delta: row @ d, 1, R))
        found.append(delta)
    return np.stack(found[::-1])


@whole(ON_FLOATS)
def cumulative_sums(p: Any) -> Any:
    """The last row of sums that run from the end of the sequence."""
    a, slopes, errors, back = forward(p)
    deltas = loop(slopes, back, p.parameters["R"])
    of = lambda x, y: np.cumsum((x[:, :, None] * y[:, None, :])[::-1], axis=0)[-1]  # noqa: E731
    return {"W": of(p.inputs, deltas), "R": of(a[:-1], deltas), "V": of(a[1:], errors)}


@whole(ON_FLOATS)
def polynomials(p: Any) -> Any:
    """Forward mode by truncated polynomials of NumPy's own, for tanh, identity output and squared error."""
    from numpy.polynomial import polynomial as P

    def product(x: Any, y: Any) -> Any:
        found = P.polymul(x, y)[:2]  # NumPy leaves zeros at the end out
        return np.pad(found, (0, 2 - len(found)))

    def tanh(x: Any) -> Any:
        value = np.tanh(x[0])
        return np.array([value, (1 - value * value) * x[1]])

    g = {n: np.zeros(array.shape) for n, array in p.parameters.items()}
    for name, array in p.parameters.items():
        for index in np.ndindex(*array.shape):
            q = {n: np.stack([other, np.zeros(other.shape)], axis=-1) for n, other in p.parameters.items()}
            q[name][index][1] = 1.0
            (D, I), K = p.parameters["W"].shape, p.targets.shape[1]
            a = [np.array([v, 0.0]) for v in p.initial_state]
            for x, y in zip(p.inputs, p.targets, strict=True):
                s = [
                    sum((x[d] * q["W"][d, i] for d in range(D)), sum(product(q["R"][j, i], a[j]) for j in range(I)))
                    for i in range(I)
                ]
                a = [tanh(each) for each in s]
                for k in range(K):
                    u = sum(product(q["V"][i, k], a[i]) for i in range(I))
                    g[name][index] += (u[0] - y[k]) * u[1]
    return g


@whole(ON_FLOATS)
def hyper_duals(p: Any) -> Any:
    """The complex step of many directions at once, for tanh, identity output and squared error."""
    W, R, V = (p.parameters[name] for name in "WRV")
    flat = np.concatenate([W.reshape(-1), R.reshape(-1), V.reshape(-1)])
    moved = flat + 1e-120j * np.eye(len(flat))
    w, r, v = np.split(moved, np.cumsum([W.size, R.size]), axis=1)
    w, r, v = w.reshape(-1, *W.shape), r.reshape(-1, *R.shape), v.reshape(-1, *V.shape)
    a, total = np.broadcast_to(p.initial_state, (len(flat), len(R))), 0.0
    for x, y in zip(p.inputs, p.targets, strict=True):
        a = np.tanh(np.einsum("pdi,d->pi", w, x) + np.einsum("pji,pj->pi", r, a))
        total = total + ((np.einsum("pik,pi->pk", v, a) - y) ** 2).sum(axis=1) / 2
    g = total.imag / 1e-120
    return {
        "W": g[: W.size].reshape(W.shape),
        "R": g[W.size : W.size + R.size].reshape(R.shape),
        "V": g[W.size + R.size :].reshape(V.shape),
    }


@whole(ON_FLOATS)
def a_tape_of_scalars(p: Any) -> Any:
    """Reverse mode on single numbers, as in teaching libraries; tanh, identity output and squared error."""
    nodes: list[tuple[float, tuple[tuple[int, float], ...]]] = []

    def node(value: float, *parents: tuple[int, float]) -> int:
        nodes.append((value, parents))
        return len(nodes) - 1

    def dot(xs: list[int], ys: list[int]) -> int:
        parts = [(x, nodes[y][0]) for x, y in zip(xs, ys, strict=True)] + [
            (y, nodes[x][0]) for x, y in zip(xs, ys, strict=True)
        ]
        return node(sum(nodes[x][0] * nodes[y][0] for x, y in zip(xs, ys, strict=True)), *parts)

    P = {n: np.vectorize(node)(array) for n, array in p.parameters.items()}
    a, ends = [node(v) for v in p.initial_state], []
    for x, y in zip(p.inputs, p.targets, strict=True):
        given = [node(v) for v in x]
        s = [dot([*P["W"][:, i], *P["R"][:, i]], [*given, *a]) for i in range(len(a))]
        a = [node(h := math.tanh(nodes[each][0]), (each, 1 - h * h)) for each in s]
        ends += [(u := dot(list(P["V"][:, k]), a), nodes[u][0] - y[k]) for k in range(len(y))]
    g = np.zeros(len(nodes))
    for u, error in ends:
        g[u] += error
    for n in reversed(range(len(nodes))):
        for parent, slope in nodes[n][1]:
            g[parent] += slope * g[n]
    return {n: g[places] for n, places in P.items()}


C_SOURCE = """
void deltas(int T, int I, const double *slopes, const double *back, const double *R, double *out) {
    for (int t = T - 1; t >= 0; t--)
        for (int i = 0; i < I; i++) {
            double sum = back[t * I + i];
            if (t + 1 < T) for (int j = 0; j < I; j++) sum += R[i * I + j] * out[(t + 1) * I + j];
            out[t * I + i] = slopes[t * I + i] * sum;
        }
}
"""


@functools.cache
def compiled() -> Any:
    """Return the backward pass in C, with the compiler's leave to reorder and fuse; None without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    folder = Path(tempfile.mkdtemp())
    (folder / "deltas.c").write_text(C_SOURCE)
    # Linked apart: with -ffast-math the linker adds code that flushes subnormal numbers in the whole process.
    for command in (
        ["-O3", "-ffast-math", "-march=native", "-fPIC", "-c", "deltas.c"],
        ["-shared", "deltas.o", "-o", "deltas.so"],
    ):
        subprocess.run([compiler, *command], cwd=folder, check=True, timeout=60)
    library = ctypes.CDLL(str(folder / "deltas.so"))
    shutil.rmtree(folder)
    return library.deltas


@solving(ON_FLOATS)
def fused_c(slopes: Any, back: Any, R: Any) -> Any:
    run = compiled()
    if run is None:
        return loop(slopes, back, R)
    arrays = [np.ascontiguousarray(array) for array in (slopes, back, R)] + [np.zeros(back.shape)]
    run(*map(ctypes.c_int, back.shape), *(array.ctypes.data_as(ctypes.c_void_p) for array in arrays))
    return arrays[-1]


def single(rule: Any) -> Any:
    """Return the rule that computes and answers in float32."""

    def in_float32(problem: Any) -> Any:
        small = problem.map(lambda array: np.array(array.tolist(), dtype=np.float32).reshape(array.shape))
        return {n: array.astype(np.float32) for n, array in rule(small).items()}

    in_float32.__name__ = f"{rule.__name__} in float32"
    return in_float32


IN_FLOAT32 = [single(rule) for rule in GENERIC if rule.__name__ in ("loop", "parallel_scan", "lag_by_lag", "in_place")]


# Other networks


def with_parts(name: str, activation: Any, slope: Any, error: Any) -> Any:
    """Return BPTT that has its own way to write the network's functions."""

    def rule(problem: Any) -> dict[str, Any]:
        p = floats(problem)
        W, R, V = (p.parameters[name] for name in "WRV")
        a, s = [p.initial_state], []
        for x in p.inputs:
            s.append(W.T @ x + R.T @ a[-1])
            a.append(activation(s[-1]))
        errors = np.stack([error(V.T @ each, y) for each, y in zip(a[1:], p.targets, strict=True)])
        deltas = loop(np.stack([slope(each) for each in s]), errors @ V.T, R)
        return {"W": p.inputs.T @ deltas, "R": np.stack(a[:-1]).T @ deltas, "V": np.stack(a[1:]).T @ errors}

    rule.__name__ = name
    return rule


def logistic(s: Any) -> Any:
    """The logistic function by branches, neither of which overflows."""
    return np.array([1 / (1 + math.exp(-v)) if v >= 0 else math.exp(v) / (1 + math.exp(v)) for v in s])


def softmax(u: Any) -> Any:
    return np.exp(u - (u.max() + np.log(np.exp(u - u.max()).sum())))


def less(u: Any, y: Any) -> Any:
    return u - y


def relu(s: Any) -> Any:
    return np.maximum(s, 0)


OF_OTHERS = [
    (("logistic",), with_parts("logistic by branches", logistic, lambda s: logistic(s) * logistic(-s), less)),
    (("tanh", "softmax", "categorical_cross_entropy"), with_parts(
        "softmax by logsumexp", np.tanh, lambda s: 1 - np.tanh(s) ** 2, lambda u, y: softmax(u) * y.sum() - y)),
    (("tanh", "logistic", "binary_cross_entropy"), with_parts(
        "cross entropy of logits", np.tanh, lambda s: np.cosh(s) ** -2, lambda u, y: logistic(u) - y)),
    (("softplus",), with_parts("softplus by logaddexp", lambda s: np.logaddexp(s, 0), logistic, less)),
    (("identity",), with_parts("no activation", lambda s: s, np.ones_like, less)),
    (("relu",), with_parts("relu from where it is 0 on", relu, lambda s: np.where(s >= 0, 1.0, 0.0), less)),
    (("relu",), with_parts("relu with half a slope at 0", relu, lambda s: np.heaviside(s, 0.5), less)),
    (("relu",), with_parts("relu by its sign", lambda s: s * (s > 0), lambda s: (np.sign(s) + 1) // 2, less)),
    (("relu",), with_parts("relu by clipping", lambda s: np.clip(s, 0, None), lambda s: (relu(s) > 0) * 1.0, less)),
]  # fmt: skip
"""Right rules for other networks, each with the names of activation, output and loss."""
