"""Polynomials in sizes: arithmetic, interpolation, the text of a bound, and what outgrows what."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.evidence.cost.counts.fitting import Fitted, fit, regions
from gradcheck.evidence.cost.counts.growth import outgrowing, within
from gradcheck.evidence.cost.counts.polynomial import Polynomial, interpolate, parse
from gradcheck.reference.errors import GradcheckError

coefficients = st.lists(st.integers(-5, 5), min_size=12, max_size=12)


def polynomial(numbers: list[int]) -> Polynomial:
    """Degrees up to 1 in T, 2 in I, 1 in K."""
    total = Polynomial({})
    for number, (t, i, k) in zip(numbers, itertools.product(range(2), range(3), range(2)), strict=True):
        total += Polynomial.of(number) * parse(f"T**{t}*I**{i}*K**{k}")
    return total


@given(coefficients)
def test_interpolation_finds_the_polynomial(numbers: list[int]) -> None:
    wanted, nodes = polynomial(numbers), [[2, 3], [2, 3, 4], [1, 2]]
    values = np.empty((2, 3, 2), dtype=object)
    for index in np.ndindex(2, 3, 2):
        values[index] = wanted(dict(zip("TIK", (nodes[a][i] for a, i in enumerate(index)), strict=True)))
    assert interpolate("TIK", nodes, values).terms == wanted.terms


@given(coefficients, coefficients, st.integers(1, 9), st.integers(1, 9))
def test_arithmetic_is_that_of_the_values(a: list[int], b: list[int], T: int, other: int) -> None:
    p, q, at = polynomial(a), polynomial(b), {"T": T, "I": other, "K": 3}
    assert (p + q)(at) == p(at) + q(at) and (p - q)(at) == p(at) - q(at)
    assert (p * q)(at) == p(at) * q(at) and (p**2)(at) == p(at) ** 2
    assert p.substitute({"T": q})(at) == p({**at, "T": int(q(at))})
    assert (p / parse("T*I"))(at) == p(at) / (T * other)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("T*I*(I + K + D)", "T I^2 + T I D + T I K"),
        ("2*T*I^3/block", "2 T I^3/block"),
        ("T/(2*horizon)*stride + 1", "1/2 T stride/horizon + 1"),
        ("I*I*3", "3 I^2"),
    ],
)
def test_a_bound_is_read_and_shown(text: str, shown: str) -> None:
    assert str(parse(text)) == shown


@pytest.mark.parametrize(
    "text", ["", "T*", "f(T)", "T - I", "-T", "T**K", "T**99", "1.5*T", "T/(I + K)", "__import__('os')"]
)
def test_what_is_no_bound_is_refused(text: str) -> None:
    with pytest.raises(GradcheckError):
        parse(text)


@pytest.mark.parametrize(
    ("count", "bound", "term"),
    [
        ("T*I*D + 3*T*I", "T*I*(I + D)", None),
        ("T*I*D", "T*(I**2 + D**2)", None),
        ("T*I*D", "T*(I**2 + K**2)", "T I D"),
        ("T*I**4 + T*K", "T*I**3", "T I^4"),
        ("T*I*K", "T*I**3", "T I K"),
        ("I", "T*I", None),
    ],
)
def test_what_outgrows_a_bound(count: str, bound: str, term: str | None) -> None:
    found = outgrowing(parse(count), parse(bound))
    assert (found and str(Polynomial({found: Fraction(1)}))) == term


def test_within_agrees_with_growth_along_rays() -> None:
    """Against the definition, on directions of a grid: where m is within the bounds, m <= max b in each of them."""
    rng = np.random.default_rng(0)
    agreed = [0, 0]
    for _ in range(60):
        vectors = rng.integers(0, 4, size=(4, 3))
        monomials = [tuple((name, int(n)) for name, n in zip("DIT", v, strict=True) if n) for v in vectors]
        directions = itertools.product(range(14), repeat=3)
        outgrown = any(np.dot(vectors[0], u) > max(np.dot(v, u) for v in vectors[1:]) for u in directions)
        assert within(monomials[0], monomials[1:]) is not outgrown
        agreed[outgrown] += 1
    assert min(agreed) > 10


def _fit(text: str) -> Fitted | None:
    return fit(lambda at: {"n": int(parse(text)(at))}, list(regions(())), "n")


def test_a_fit_is_the_polynomial_that_was_counted() -> None:
    fitted = _fit("2*T*I**3 + T*D*K + 5*I")
    assert fitted is not None and str(fitted.polynomial) == "2 T I^3 + T D K + 5 I" and fitted.held_out >= 5


@pytest.mark.parametrize(
    "count",
    [
        lambda at: 2 ** at["I"],
        lambda at: at["T"] * at["I"] + (at["T"] > 13) * at["T"],
        lambda at: at["I"] * at["D"] + (at["I"] * at["D"] * at["K"] > 60),
        lambda at: at["T"] ** 7,
    ],
    ids=["exponential", "a cost that sets in", "a cost of all at once", "degree 7"],
)
def test_what_is_no_polynomial_is_not_fitted(count: object) -> None:
    assert fit(lambda at: {"n": count(at)}, list(regions(()))[:1], "n") is None  # type: ignore[operator]


def test_blocks_are_fitted_where_they_divide_the_sequence() -> None:
    def measure(at: dict[str, int]) -> dict[str, int]:
        blocks, rest = divmod(at["T"], at["block"])
        return {"n": blocks * at["I"] ** 3 + at["T"] * at["I"] + 17 * (rest > 0)}

    fitted = fit(measure, list(regions(["block"])), "n")  # type: ignore[arg-type]
    assert fitted is not None and str(fitted.polynomial) == "T I^3/block + T I"
    assert fitted.region.text == "T a multiple of block"
