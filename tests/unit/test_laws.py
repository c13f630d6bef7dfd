"""Roots, inverses and functions in the ring of polynomials: what is equal, what is not, and what is too large."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gradcheck.reference.errors import UnsupportedOperation
from gradcheck.reference.functions import apply
from gradcheck.reference.scalars import laws
from gradcheck.reference.scalars.formal import FormalField

EQUAL: dict[str, Callable[[Any, Any], tuple[Any, Any]]] = {
    "r^2 = x": lambda x, y: (np.sqrt(x) ** 2, x),
    "1/r = r/x": lambda x, y: (1 / np.sqrt(1 + x * x), np.sqrt(1 + x * x) / (1 + x * x)),
    "x/x = 1": lambda x, y: ((x + y) * (1 / (x + y)), 1),
    "1/(xy) = 1/x 1/y": lambda x, y: (1 / (x * y + x), (1 / x) * (1 / (y + 1))),
    "1/x - 1/y = (y - x)/(xy)": lambda x, y: (1 / x - 1 / y, (y - x) / (x * y)),
    "1/(1/x + 1) = x/(1 + x)": lambda x, y: (1 / (1 / x + 1), x / (1 + x)),
    "squares come out of roots": lambda x, y: (np.sqrt(x * 8 / 9), 2 * np.sqrt(2 * x) / 3),
    "x^-1.5 = 1/(x r)": lambda x, y: (x**-1.5, 1 / (x * np.sqrt(x))),
    "a function of equal arguments": lambda x, y: (np.tanh(np.sqrt(x) ** 2 / x), np.tanh(0 * x + 1)),
    "sin^2 + cos^2 = 1": lambda x, y: (np.sin(x - y) ** 2 + np.cos(y - x) ** 2, 1),
    "exp(-x) = 1/exp(x)": lambda x, y: (np.exp(-x), 1 / np.exp(x)),
    "logistic by exp": lambda x, y: (apply("logistic", x), 1 / (1 + np.exp(-x))),
    "exp by logistic": lambda x, y: (apply("logistic", x) * np.exp(-x), 1 - apply("logistic", x)),
    "tanh by exp": lambda x, y: (np.tanh(x), (np.exp(2 * x) - 1) / (np.exp(2 * x) + 1)),
    "tanh by exp(s)": lambda x, y: (1 - np.tanh(x) ** 2, 4 / (np.exp(x) + np.exp(-x)) ** 2),
    "softplus by log1p": lambda x, y: (apply("softplus", x), np.log1p(np.exp(x))),
    "logaddexp is symmetric": lambda x, y: (np.logaddexp(x, y), np.logaddexp(y, x)),
    "log of exp": lambda x, y: (np.log(np.exp(x - y)), x - y),
    "arctan is odd": lambda x, y: (np.arctan(x - y), -np.arctan(y - x)),
}
DIFFERENT: dict[str, Callable[[Any, Any], tuple[Any, Any]]] = {
    "r is not x": lambda x, y: (np.sqrt(x), x),
    "the sign of a root": lambda x, y: (np.sqrt(x), -np.sqrt(x)),
    "|x| is not x": lambda x, y: (np.sqrt(x * x), x),
    "1/(1 + r) is not 1 - r": lambda x, y: (1 / (1 + np.sqrt(x)), 1 - np.sqrt(x)),
    "1/x + 1/y is not 1/(x + y)": lambda x, y: (1 / x + 1 / y, 1 / (x + y)),
    "sin is not cos": lambda x, y: (np.sin(x), np.cos(x)),
    "exp(x) is not exp(2x)": lambda x, y: (np.exp(x), np.exp(2 * x)),
    "a tiny difference": lambda x, y: (1 / (1 + x), 1 / (1 + x) + 2.0**-200 * x),
}


def pair(function: Callable[[Any, Any], tuple[Any, Any]]) -> tuple[FormalField, Any, Any]:
    field = FormalField(80, 60)
    a, b = function(field.scalar(field.symbol("x")), field.scalar(field.symbol("y")))
    return field, field.native(a), field.native(b)


@pytest.mark.parametrize("name", EQUAL)
def test_what_is_equal_by_the_laws(name: str) -> None:
    field, a, b = pair(EQUAL[name])
    assert field.equal(a, b), f"{field.show(a)} and {field.show(b)}"


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_differs_is_not_equal(name: str) -> None:
    field, a, b = pair(DIFFERENT[name])
    assert not field.equal(a, b), f"{field.show(a)} and {field.show(b)}"


@pytest.mark.parametrize("name", DIFFERENT)
def test_elimination_alone_tells_them_apart(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The value at a point only spares time: a proof rests on elimination."""
    monkeypatch.setattr(laws.Laws, "_differs_at_a_point", lambda self, polynomial: False)
    test_what_differs_is_not_equal(name)


def test_a_wrong_law_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: with r^2 = x + 1 the first law no longer holds."""
    own = laws.Laws.add
    monkeypatch.setattr(
        laws.Laws, "add", lambda self, b: own(self, laws.Bound(b.place, b.generator, b.law, b.argument + 1))
    )
    for name in ("r^2 = x", "x/x = 1"):
        field, a, b = pair(EQUAL[name])
        assert not field.equal(a, b), name


def test_matrices_are_solved() -> None:
    field = FormalField(40, 40)
    A, b = field.symbols("A", (2, 2)), field.symbols("b", (2,))
    for left, right in ((A @ np.linalg.solve(A, b), b), (np.linalg.inv(A) @ A, np.eye(2))):
        for p, q in zip(np.ravel(left), np.ravel(right), strict=True):
            assert field.equal(field.native(p), field.native(q))
    with pytest.raises(UnsupportedOperation, match="singular"):
        np.linalg.solve(A - A, b)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda x: 1 / (np.sqrt(x) ** 2 - x), "division by zero"),
        (lambda x: np.log(x - x), "the logarithm of 0"),
        (lambda x: np.sqrt(x - x - 2), "the square root of -2"),
        (lambda x: apply("erf", x), "erf"),
    ],
)
def test_what_has_no_value_is_refused(function: Any, text: str) -> None:
    field = FormalField(40, 40)
    with pytest.raises(UnsupportedOperation, match=text):
        function(field.symbols("x", (1,)))


def test_what_would_not_fit_into_memory_is_refused() -> None:
    field = FormalField(60)
    long = field.symbols("x", (50,)).sum()
    with pytest.raises(laws.TooLarge, match="terms"):
        (long**4) * (long**4)
