"""Polynomials in named sizes with rational coefficients. Exponents of settings may be negative, as in T/block."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from ....reference.errors import GradcheckError
from ....reference.typing import Array

Monomial: TypeAlias = tuple[tuple[str, int], ...]
"""Pairs of a variable and its nonzero exponent, in alphabetical order; () is the constant."""


@dataclass(frozen=True)
class Polynomial:
    """A sum of monomials.

    Attributes:
        terms: Nonzero coefficients by monomial.
    """

    terms: Mapping[Monomial, Fraction]

    @classmethod
    def of(cls, number: Fraction | int) -> Polynomial:
        return cls({(): Fraction(number)} if number else {})

    @classmethod
    def variable(cls, name: str) -> Polynomial:
        return cls({((name, 1),): Fraction(1)})

    def __add__(self, other: Polynomial) -> Polynomial:
        sums = dict(self.terms)
        for monomial, coefficient in other.terms.items():
            sums[monomial] = sums.get(monomial, Fraction(0)) + coefficient
        return Polynomial({m: c for m, c in sums.items() if c})

    def __sub__(self, other: Polynomial) -> Polynomial:
        return self + other * Polynomial.of(-1)

    def __mul__(self, other: Polynomial) -> Polynomial:
        total = Polynomial({})
        for left, a in self.terms.items():
            total += Polynomial({_times(left, right): a * b for right, b in other.terms.items()})
        return total

    def __pow__(self, exponent: int) -> Polynomial:
        power = Polynomial.of(1)
        for _ in range(exponent):
            power *= self
        return power

    def __truediv__(self, other: Polynomial) -> Polynomial:
        """Divide by a polynomial of one term. Raises `GradcheckError` for any other."""
        if len(other.terms) != 1:
            raise GradcheckError(f"cannot divide by {other}; divide by a product of sizes, such as block or T*I")
        ((monomial, coefficient),) = other.terms.items()
        return self * Polynomial({tuple((name, -n) for name, n in monomial): 1 / coefficient})

    def __call__(self, values: Mapping[str, int]) -> Fraction:
        total = Fraction(0)
        for monomial, coefficient in self.terms.items():
            for name, exponent in monomial:
                coefficient *= Fraction(values[name]) ** exponent
            total += coefficient
        return total

    def substitute(self, values: Mapping[str, Polynomial]) -> Polynomial:
        """Replace variables by polynomials.

        Args:
            values: Polynomials by variable. One for a variable with a negative exponent must be a monomial.
        """
        total = Polynomial({})
        for monomial, coefficient in self.terms.items():
            product = Polynomial.of(coefficient)
            for name, exponent in monomial:
                factor = values.get(name, Polynomial.variable(name)) ** abs(exponent)
                product = product * factor if exponent > 0 else product / factor
            total += product
        return total

    def constant(self, names: Iterable[str]) -> Polynomial:
        """Bound the polynomial for fixed values of some variables: drop these, and the signs of their terms."""
        held, total = set(names), Polynomial({})
        for monomial, coefficient in self.terms.items():
            left = tuple((name, n) for name, n in monomial if name not in held)
            total += Polynomial({left: abs(coefficient) if left != monomial else coefficient})
        return total

    @property
    def variables(self) -> set[str]:
        return {name for monomial in self.terms for name, _ in monomial}

    def degree(self, name: str) -> int:
        """Return the largest exponent of a variable; 0 if it does not occur."""
        return max((dict(monomial).get(name, 0) for monomial in self.terms), default=0)

    def leading(self) -> Polynomial:
        """Return the terms that no other term outgrows: no other has exponents at least as large in every variable."""
        return Polynomial(
            {m: c for m, c in self.terms.items() if not any(m != other and _divides(m, other) for other in self.terms)}
        )

    def __str__(self) -> str:
        """Return the terms as text, highest first, such as "4 T I^2 + 2 T I K - I"."""
        parts = [_term(m, c) for m, c in sorted(self.terms.items(), key=lambda term: rank(term[0]))]
        text = " ".join(f"- {p[1:]}" if p.startswith("-") else f"+ {p}" for p in parts)
        return text.removeprefix("+ ").replace("- ", "-", 1) if text.startswith("-") else text.removeprefix("+ ") or "0"


def _times(left: Monomial, right: Monomial) -> Monomial:
    exponents = dict(left)
    for name, exponent in right:
        exponents[name] = exponents.get(name, 0) + exponent
    return tuple(sorted((name, n) for name, n in exponents.items() if n))


def _divides(small: Monomial, large: Monomial) -> bool:
    a, b = dict(small), dict(large)
    return all(a.get(name, 0) <= b.get(name, 0) for name in a.keys() | b.keys())


_ORDER = "TIDK"


def _place(name: str) -> tuple[int, str]:
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)


def rank(monomial: Monomial) -> Any:
    """Return a sort key that puts the highest monomial first."""
    exponents = dict(monomial)
    return -sum(exponents.values()), [-exponents.get(name, 0) for name in _ORDER], str(monomial)


def _term(monomial: Monomial, coefficient: Fraction) -> str:
    named = sorted(monomial, key=lambda part: _place(part[0]))
    above = [name if n == 1 else f"{name}^{n}" for name, n in named if n > 0]
    below = [name if n == -1 else f"{name}^{-n}" for name, n in named if n < 0]
    if abs(coefficient) != 1 or not above:
        above.insert(0, str(abs(coefficient)))
    return ("-" if coefficient < 0 else "") + " ".join(above) + "".join(f"/{name}" for name in below)


def interpolate(names: Sequence[str], nodes: Sequence[Sequence[int]], values: Array) -> Polynomial:
    """Return the polynomial of least degrees through values on a grid.

    Args:
        names: The variables, one for each axis of the grid.
        nodes: The values of each variable.
        values: Whole numbers, values[i, j, ...] at nodes[0][i], nodes[1][j], ...
    """
    coefficients = np.asarray(values, dtype=object)
    for axis, points in enumerate(nodes):
        inverse = _inverse_vandermonde(points)
        coefficients = np.moveaxis(np.tensordot(inverse, coefficients, axes=(1, axis)), 0, axis)
    return Polynomial(
        {
            tuple(sorted((name, n) for name, n in zip(names, index, strict=True) if n)): Fraction(c)
            for index, c in np.ndenumerate(coefficients)
            if c
        }
    )


def _inverse_vandermonde(points: Sequence[int]) -> Array:
    """Return the matrix from values at the points to coefficients. Column j is Lagrange's j-th basis polynomial."""
    n = len(points)
    columns = []
    for own in points:
        basis = [Fraction(1)]
        for other in points:
            if other != own:
                shifted = [Fraction(0), *basis]
                basis = [s - other * b for s, b in zip(shifted, [*basis, Fraction(0)], strict=True)]
                basis = [b / (own - other) for b in basis]
        columns.append(basis)
    return np.array([[columns[j][i] for j in range(n)] for i in range(n)], dtype=object)


def parse(text: str) -> Polynomial:
    """Parse a polynomial such as "T*I*(I + K + D)" or "T*I**3/block"; ^ is read as **.

    Raises:
        GradcheckError: The text has more than sums, products and whole powers of names, and division by products.
    """
    try:
        return _parsed(ast.parse(text.strip().replace("^", "**"), mode="eval").body)
    except (SyntaxError, _Other):
        raise GradcheckError(
            f"a cost is an expression in T, I, D, K and the rule's settings, such as 'T*I*(I + K + D)'; got {text!r}"
        ) from None


class _Other(Exception):
    pass


def _parsed(node: ast.expr) -> Polynomial:
    if isinstance(node, ast.Constant) and type(node.value) is int and node.value >= 0:
        return Polynomial.of(node.value)
    if isinstance(node, ast.Name):
        return Polynomial.variable(node.id)
    if isinstance(node, ast.BinOp):
        left = _parsed(node.left)
        if isinstance(node.op, ast.Pow):
            if isinstance(node.right, ast.Constant) and type(node.right.value) is int and 0 <= node.right.value <= 12:
                return left**node.right.value
            raise _Other
        right = _parsed(node.right)
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Div):
            return left / right
    raise _Other
