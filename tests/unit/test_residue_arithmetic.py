"""Arithmetic modulo a prime in floats is exact up to the very ends of its range, where it would round first."""

from __future__ import annotations

import numpy as np
import pytest

from gradcheck.reference.scalars.residues.arithmetic import Modulus

PRIMES = (3, 251, 8388593, 2**26 - 5, 134217689, 2**31 - 1)


def product_is_exact(modulus, n, pattern):
    """Whether an n-term product of residues at the ends of the range is that of Python's integers."""
    rng = np.random.default_rng(n)
    low, high = {"same": (0, 1), "near": (0, 4), "signs": (0, 1)}[pattern]
    a, b = (modulus.bound - rng.integers(low, high, shape) for shape in ((2, n), (n, 3)))
    if pattern == "signs":
        a, b = a * rng.choice([-1, 1], (2, n)), b * rng.choice([-1, 1], (n, 3))
    product = modulus.matmul(a.astype(float), b.astype(float))
    wanted = a.astype(object) @ b.astype(object) % modulus.prime
    return bool((modulus.canonical(product).astype(object) == wanted).all())


@pytest.mark.parametrize("prime", PRIMES)
@pytest.mark.parametrize("n", [1, 2, 7, 8, 64, 253, 254, 511, 512, 513, 1024, 3000])
@pytest.mark.parametrize("pattern", ["same", "near", "signs"])
def test_matrix_products_at_the_ends_of_the_range(prime, n, pattern):
    assert product_is_exact(Modulus(prime), n, pattern), f"a product of {n} terms modulo {prime} is not exact"


def test_unsplit_product_is_caught():
    class Unsplit(Modulus):
        def matmul(self, a, b):
            return self.reduce(np.matmul(a, b))

    for prime, n in ((2**31 - 1, 1024), (2**31 - 1, 64), (2**31 - 1, 3), (8388593, 3000)):
        assert not product_is_exact(Unsplit(prime), n, "near"), (
            f"the check accepts a product of {n} terms modulo {prime} without splitting, which rounds"
        )


def elementwise_product_is_exact(modulus):
    h = modulus.prime // 2 + 2
    x = np.array([h, -h, h - 1, 1 - h, h - 2, 3, h // 3, 0, 1, 65535, 32768, -32769], dtype=float)
    product = modulus.multiply(x[:, None], x)
    exact = np.multiply.outer(x.astype(int).astype(object), x.astype(int).astype(object))
    within = bool((abs(product) <= modulus.bound).all())
    return within and bool((modulus.canonical(product).astype(object) == exact % modulus.prime).all())


@pytest.mark.parametrize("prime", PRIMES)
def test_elementwise_products_at_the_ends_of_the_range(prime):
    assert elementwise_product_is_exact(Modulus(prime)), f"an elementwise product modulo {prime} is not exact"


def test_unsplit_elementwise_product_is_caught():
    class Unsplit(Modulus):
        def multiply(self, x, y):
            return self.reduce(np.multiply(x, y))

    assert not elementwise_product_is_exact(Unsplit(2**31 - 1)), "the check accepts unsplit products modulo 2^31 - 1"


@pytest.mark.parametrize("prime", PRIMES)
def test_reduction_at_the_ends_of_the_range(prime):
    limit = 2**53 - 2**33
    near = [k * prime // 2 + d for k in (1, 2, 3, limit // prime, 2 * limit // prime - 1) for d in (-1, 0, 1)]
    values = np.array([v for v in [limit, limit - 1, *near] if v <= limit])
    values = np.concatenate([values, -values])
    modulus = Modulus(prime)
    reduced = modulus.reduce(values.astype(float))
    assert (abs(reduced) <= modulus.bound).all(), f"reduction modulo {prime} leaves entries above {modulus.bound}"
    wrong = values[modulus.canonical(reduced) != values % prime]
    assert not wrong.size, f"reduction modulo {prime} is wrong at {wrong}"


def test_reduction_of_blocks_and_strided_arrays():
    modulus = Modulus(2**31 - 1)
    values = np.random.default_rng(0).integers(-(2**52), 2**52, (7, 3 * 2**14))
    for view in (values, values.T, values[::2, ::3], values[:, :0]):
        reduced = modulus.reduce(view.astype(float))
        assert (modulus.canonical(reduced) == view % modulus.prime).all(), f"reduction of shape {view.shape} is wrong"
        in_place = np.array(values, dtype=float).T[::2]
        modulus.reduce(in_place)
        assert (modulus.canonical(in_place) == values.T[::2] % modulus.prime).all(), "in-place reduction is wrong"
