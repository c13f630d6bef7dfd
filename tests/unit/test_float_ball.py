"""Balls of float64 contain the true values: every operation against exact rationals or Arb, and whole gradients."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest

from gradcheck.problems.lively import lively_problem
from gradcheck.reference import lags
from gradcheck.reference.claims import Truncated
from gradcheck.reference.enclosure import enclose, midpoints
from gradcheck.reference.errors import GradcheckError, UnsupportedOperation
from gradcheck.reference.network import ContextNetwork, Network, Sizes
from gradcheck.reference.scalars import float_ball
from gradcheck.reference.scalars.float_ball import FloatBallArray, FloatBallField, ball
from gradcheck.reference.tape import vjp

FIELD = FloatBallField()
SCALES = (1e-300, 1e-160, 1e-8, 0.3, 1.0, 7.0, 1e8, 1e150)


def balls(shape: tuple[int, ...], seed: int, relative: float) -> FloatBallArray:
    rng = np.random.default_rng(seed)
    m = rng.normal(size=shape) * rng.choice(SCALES, shape)
    m[rng.random(shape) < 0.1] = 0
    return ball(m, np.abs(m) * relative * rng.random(shape))


def fractions(array: Any) -> Any:
    return np.array([Fraction(float(v)) for v in array.reshape(-1)], dtype=object).reshape(array.shape)


def inside(x: FloatBallArray, seed: int) -> Any:
    """An exact number in each ball: an end, or anywhere."""
    where = np.random.default_rng(seed).choice([-1.0, 0.0, 0.5, 1.0], x.shape)
    return fractions(x.midpoint) + fractions(where) * fractions(x.radius)


def contains(result: FloatBallArray, exact: Any) -> bool:
    return bool((abs(fractions(result.midpoint) - exact) <= fractions(result.radius)).all())


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "1 - x y": lambda x, y: 1 - x * y,
    "x**2 + y": lambda x, y: x**2 + y,
    "-x + +y": lambda x, y: -x + +y,
    "scaled": lambda x, y: 0.1 * x + y * 3,
    "by a plain array": lambda x, y: x * np.full(x.shape, 0.1 if x.dtype != object else Fraction(0.1)) + y,
    "sum": lambda x, y: (x * y).sum(axis=0) + np.sum(x + y, axis=1),
    "moved": lambda x, y: np.concatenate([x.T, y.reshape(6, 6)[::-1]])[2:, 1] + x[3, 4],
    "zeros": lambda x, y: np.zeros_like(x) + y,
}
PRODUCTS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "matrix vector": ((6, 40), (40,)),
    "vector matrix": ((40,), (40, 6)),
    "matrices": ((5, 40), (40, 7)),
    "vectors": ((40,), (40,)),
}


def operation_holds(name: str, relative: float) -> bool:
    held = True
    for seed in range(20):
        x, y = balls((6, 6), seed, relative), balls((6, 6), 100 + seed, relative)
        held &= contains(BINARY[name](x, y), BINARY[name](inside(x, seed), inside(y, 200 + seed)))
    return held


def product_holds(name: str, relative: float) -> bool:
    held = True
    for seed in range(20):
        x, y = (balls(shape, k * 100 + seed, relative) for k, shape in enumerate(PRODUCTS[name]))
        a, b = inside(x, seed), inside(y, 200 + seed)
        held &= contains(x @ y, np.asarray(a @ b)) and contains(y.T @ x.T, np.asarray(b.T @ a.T))
    return held


def tanh_holds() -> bool:
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=2000) * scale for scale in (1e-300, 1e-8, 0.1, 0.3, 1, 5, 30)])
    points = np.concatenate([points, [0.0, 0.17328679513998632, 20.0, 710.0, 1e300]])
    x = ball(points, np.abs(points) * rng.choice([0.0, 1e-15, 1e-3], points.shape))
    y = np.tanh(x)
    before, flint.ctx.prec = flint.ctx.prec, 200
    try:
        ends = [
            flint.arb(m) + sign * flint.arb(r)
            for sign in (-1, 0, 1)
            for m, r in zip(x.midpoint.tolist(), x.radius.tolist(), strict=True)
        ]
        found = list(zip(y.midpoint.tolist(), y.radius.tolist(), strict=True)) * 3
        return all(abs(end.tanh() - flint.arb(m)) <= flint.arb(r) for end, (m, r) in zip(ends, found, strict=True))
    finally:
        flint.ctx.prec = before


@pytest.mark.parametrize("relative", [0.0, 1e-14, 1e-3])
@pytest.mark.parametrize("name", BINARY)
def test_an_operation_on_balls_contains_it_on_numbers_in_them(name: str, relative: float) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        assert operation_holds(name, relative)


@pytest.mark.parametrize("relative", [0.0, 1e-14, 1e-3])
@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_of_balls_contains_it_of_numbers_in_them(name: str, relative: float) -> None:
    assert product_holds(name, relative)


def vanishing_holds() -> bool:
    x = FIELD.lift(np.full(3, 1e-200))
    return contains(x @ x, np.asarray(inside(x, 0) @ inside(x, 0)))


def test_a_product_that_underflows_is_contained() -> None:
    assert vanishing_holds()


def tiny_times_large_holds() -> bool:
    x, y = FIELD.lift(np.full(3, 1.1 * 2.0**1000)), FIELD.lift(np.array([5.0, 7.0, 11.0]) * 2.0**-1074)
    products = contains(x * y, np.asarray(inside(x, 0) * inside(y, 0)))
    return products and all(contains(a @ b, np.asarray(inside(a, 0) @ inside(b, 0))) for a, b in [(x, y), (y, x)])


def test_a_subnormal_number_times_a_large_one_is_contained() -> None:
    assert tiny_times_large_holds()


def test_where_subnormal_numbers_are_flushed_arb_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = PROBLEMS["recurrent"]
    assert isinstance(enclose(problem, relative_bits=20, first_bits=53).field, FloatBallField)
    monkeypatch.setattr(float_ball, "_LEAST", 0.0)  # what a thread that flushes makes of it
    assert not isinstance(enclose(problem, relative_bits=20, first_bits=53).field, FloatBallField)


def test_tanh_of_balls_contains_that_of_their_ends() -> None:
    assert tanh_holds()


PROBLEMS = {
    "recurrent": lively_problem(Network(), Sizes(9, 5, 3, 2), 0, weighted=True),
    "context units": lively_problem(ContextNetwork(), Sizes(9, 5, 3, 2), 0),
    "linear": lively_problem(Network("identity"), Sizes(9, 5, 3, 2), 0),
}


@pytest.mark.parametrize("claim", [None, Truncated(3)], ids=str)
@pytest.mark.parametrize("name", PROBLEMS)
def test_a_gradient_in_float64_contains_the_narrow_one(name: str, claim: Any) -> None:
    narrow = enclose(PROBLEMS[name], claim, relative_bits=200)
    found = enclose(PROBLEMS[name], claim, relative_bits=20, first_bits=53)
    assert found.bits == 53 and "in float64" in found.statement
    for n, array in found.gradient.items():
        for wide, true in zip(found.field.natives(array), narrow.field.natives(narrow.gradient[n]), strict=True):
            assert true in wide and wide.rel_accuracy_bits() > 20


def test_what_float64_cannot_certify_goes_on_in_arb() -> None:
    assert enclose(PROBLEMS["recurrent"], relative_bits=48, first_bits=53).bits == 128
    relu = lively_problem(Network("relu"), Sizes(5, 3, 2, 2), 0)
    assert enclose(relu, relative_bits=20, first_bits=53).bits == 128
    overflowing = PROBLEMS["linear"].replace(inputs=PROBLEMS["linear"].inputs * 2.0**1020)
    assert enclose(overflowing, relative_bits=20, first_bits=53).bits == 128


def test_users_networks_are_left_to_arb() -> None:
    class Unwrapping(Network):
        def output_error(self, u: Any, y: Any) -> Any:
            return u - y

    problem = lively_problem(Unwrapping(), Sizes(5, 3, 2, 2), 0)
    assert enclose(problem, relative_bits=20, first_bits=53).bits == 128


def test_entries_stay_balls() -> None:
    x = FIELD.lift([1.0, 2.0])
    for entry in (x[0], next(iter(x)), (x + x)[1], x.reshape(1, 2)[0, 1], np.transpose(x)[0]):
        assert type(entry) is FloatBallArray and entry.shape == ()
    with pytest.raises(ValueError, match="read-only"):
        (x + x)[:1].view(np.ndarray)[0] = 0


REFUSED: dict[str, Callable[[Any], Any]] = {
    "np.divide": lambda x: 1 / x,
    "np.exp": np.exp,
    "np.less": lambda x: x < 0,
    "np.maximum": lambda x: np.maximum(x, 0),
    "np.dot": lambda x: np.dot(x, x),
    "ndarray.dot": lambda x: x.dot(x),
    "np.outer": lambda x: np.outer(x, x),
    "np.abs": np.abs,
    "the power 3": lambda x: x**3,
    "an array of complex128": lambda x: FIELD.lift(np.ones(2) * 1j),
    "integers beyond": lambda x: FIELD.lift(np.array([2**60 + 1])),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_balls_cannot_do_is_refused_by_name(name: str) -> None:
    with pytest.raises(UnsupportedOperation, match="np.absolute" if name == "np.abs" else name):
        REFUSED[name](FIELD.lift([1.0, 2.0]))


def test_complex_numbers_are_no_balls() -> None:
    x = FIELD.lift([1.0, 2.0])
    for strange in (np.ones(2) * 1j, 1j, "a", np.ones(2, dtype=np.float32)):
        with pytest.raises(GradcheckError):
            x + strange


# Twins: bounds that are too small must be rejected by the same checks.
def test_rounding_that_is_not_charged_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(float_ball, "_U2", 0.0)
    assert not operation_holds("+", 0.0) and not operation_holds("*", 0.0) and not operation_holds("sum", 0.0)
    assert not any(product_holds(name, 0.0) for name in PRODUCTS)


def test_underflow_that_is_not_charged_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(float_ball, "_TINY", 0.0)
    assert not operation_holds("*", 0.0) and not vanishing_holds()


def test_rounding_that_underflows_and_is_not_charged_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(float_ball, "_LEAST", 0.0)
    assert not tiny_times_large_holds()


def test_a_radius_that_is_not_carried_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = float_ball._parts
    monkeypatch.setattr(float_ball, "_parts", lambda x: (right(x)[0], 0.0 * right(x)[0]))
    assert not operation_holds("+", 1e-3) and not operation_holds("*", 1e-3)


@pytest.mark.parametrize(
    ("changed", "value"),
    [
        ("_TANH_ERROR", 0.0),
        ("_STEP_LOW", 0.0),
        ("_POWERS", float_ball._POWERS * (1 + 2.0**-48)),
        ("_TAYLOR", float_ball._TAYLOR[:-2]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_error_of_tanh_that_is_not_charged_is_caught(
    changed: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(float_ball, changed, value)
    assert not tanh_holds()


def test_nothing_that_is_handed_out_is_what_a_ball_keeps() -> None:
    x = FIELD.lift(np.array([1.0, 2.0, 3.0]))
    products = str(FIELD.natives(x @ x))
    for array in (x.midpoint, x.radius, (-x).radius, (+x).midpoint):
        array[:] = 99
    with pytest.raises(ValueError, match="read-only"):
        x.parts[0][0] = 99
    with pytest.raises(ValueError, match="read-only"):
        x[0] = 99
    assert str(FIELD.natives(x @ x)) == products
    found = enclose(PROBLEMS["recurrent"], relative_bits=20, first_bits=53)
    before = {name: str(FIELD.natives(array)) for name, array in found.gradient.items()}
    for array in midpoints(found.gradient).values():
        array[...] = 99
    assert {name: str(FIELD.natives(array)) for name, array in found.gradient.items()} == before


def test_nothing_is_kept_of_what_may_still_be_written_to() -> None:
    written = np.zeros_like(FIELD.lift(np.ones((3, 3))))
    seen, ones = np.broadcast_to(written, (3, 3)), FIELD.lift(np.ones(3))
    assert not (seen @ ones).midpoint.any() and not np.tanh(seen).midpoint.any()
    written[0] = 5.0
    assert (seen @ ones).midpoint[0] == 15 and np.tanh(seen).midpoint[0, 0] > 0.9
    x = FIELD.lift(np.array([1.0, 2.0, 3.0]))
    np.tanh(x), x @ x
    x.shape = (3, 1)
    assert (
        (x + FIELD.lift(np.ones((3, 1)))).shape == np.tanh(x).shape == (x @ FIELD.lift(np.ones((1, 1)))).shape == (3, 1)
    )


def test_single_entries_stay_arrays_of_no_dimension() -> None:
    x = FIELD.lift(np.array([1.0, 2.0, 3.0]))
    for entry in (x[0], x @ x, x.sum()):
        for result in (entry + x[1], 2 * entry, -entry, entry**2, np.tanh(entry), 1 - entry):
            assert isinstance(result, FloatBallArray) and result.shape == result.midpoint.shape == ()
    value, pull = vjp(lambda x: x[0] * x[1], x)
    assert value.shape == () and pull(np.array(1.0))[0].midpoint.tolist() == [2, 1, 0]
    with pytest.raises(ValueError, match="matmul"):
        x[0] @ x


def test_a_power_that_is_no_plain_number_is_refused_by_name() -> None:
    x = FIELD.lift(np.array([1.0, 2.0, 3.0]))
    for exponent in (np.array([1.0, 2.0, 2.0]), np.full(3, 2.0), x, x[1], 3):
        with pytest.raises(UnsupportedOperation, match="power"):
            x**exponent
    with pytest.raises(UnsupportedOperation, match="np.power with a traced exponent"):
        vjp(lambda n: x**n, np.array(2.0))
    with pytest.raises(TypeError):
        pow(x, 2, 5)


def test_a_gradient_beside_the_true_one_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = lags.gradient
    narrow = enclose(PROBLEMS["recurrent"])
    monkeypatch.setattr(lags, "gradient", lambda *args: {n: a * (1 + 2.0**-30) for n, a in right(*args).items()})
    found = enclose(PROBLEMS["recurrent"], relative_bits=20, first_bits=53)
    for name, array in narrow.gradient.items():
        pairs = zip(found.field.natives(found.gradient[name]), narrow.field.natives(array), strict=True)
        assert not all(true in wide for wide, true in pairs), name
