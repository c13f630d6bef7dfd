"""Polynomials over Q: one number stands for every value at once.

Each parameter, input and target is a generator. Each distinct pre-activation polynomial s gets one
generator for f(s) and one for f'(s), so equality of two results is decidable and means: equal for
every value and every differentiable activation f. tanh and the logistic function get a generator of
their own and keep the law of their derivative (1 - t^2, l (1 - l)) and of their sign. Comparisons
raise: an undetermined value has no order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

import flint
import numpy as np
from flint.utils.flint_exceptions import DomainError

from ..errors import GradcheckError, Undecided, UnsupportedOperation
from ..typing import Array
from .base import Field, FieldArray


class GeneratorsExhausted(GradcheckError):
    """A rule evaluated more distinct functions than the ring has generators left."""


class FormalField(Field):
    """The ring Q[g1, ..., gn], whose generators are named when first used; `capacity` is n."""

    name = "formal"

    def __init__(self, capacity: int = 160) -> None:
        super().__init__()
        self.capacity = capacity
        self.context = flint.fmpq_mpoly_ctx.get([f"g{i}" for i in range(capacity)], "lex")
        self._unused = iter(self.context.gens())
        self._named: dict[str, Any] = {}
        self._applied: dict[Any, list[tuple[tuple[Any, ...], Any]]] = {}
        self._labels: list[str | Callable[[], str]] = []

    @property
    def used(self) -> int:
        """Number of generators in use."""
        return len(self._labels)

    @property
    def labels(self) -> list[str]:
        """Printed form of each generator in use."""
        return [self._label(i) for i in range(self.used)]

    def _label(self, i: int) -> str:
        label = self._labels[i]
        if not isinstance(label, str):
            label = self._labels[i] = label()
        return label

    def _generator(self, label: str | Callable[[], str]) -> Any:
        try:
            made = next(self._unused)
        except StopIteration:
            raise GeneratorsExhausted(f"the ring's {self.capacity} generators are used up") from None
        self._labels.append(label)  # most are never printed, and that of a long polynomial takes long to make
        return made

    def symbol(self, name: str) -> Any:
        """Return the generator of a named quantity, such as R[0,1]. Raises `GeneratorsExhausted`."""
        if name not in self._named:
            self._named[name] = self._generator(name)
        return self._named[name]

    def application(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """Return the generator that stands for a function of these polynomials. Raises `GeneratorsExhausted`."""
        # Polynomials have no hash, but are compared fast.
        alike = self._applied.setdefault((name, *map(len, arguments)), [])
        for known, generator in alike:
            if known == arguments:
                return generator
        made = self._generator(lambda: f"{name}({', '.join(map(self.show, arguments))})")
        alike.append((arguments, made))
        return made

    def symbols(self, name: str, shape: tuple[int, ...]) -> FieldArray:
        """Return an array of generators name[i,j], shape as given."""
        return self.array((self.symbol(entry_name(name, index)) for index in np.ndindex(*shape)), shape)

    def from_ratio(self, numerator: int, denominator: int) -> Any:
        return self.context.constant(flint.fmpq(numerator, denominator))

    def function(self, name: str, value: Any) -> Any:
        if name in ("f", "f'"):
            return self.application(name, (value,))
        if name in ("tanh", "logistic", "sin", "cos"):
            if value == 0:
                return self.convert({"tanh": 0, "sin": 0, "cos": 1}.get(name, Fraction(1, 2)))
            if value.leading_coefficient() < 0:
                mirrored = self.function(name, -value)
                return {"logistic": 1 - mirrored, "cos": mirrored}.get(name, -mirrored)
            return self.application(name, (value,))
        if name == "softplus":
            return self.application(name, (value,))
        if name == "heaviside":
            if value.is_constant():
                return self.convert(int(self.compare(">", value, self.convert(0))))
            return self.application(name, (value,))
        if name == "relu":
            return value * self.function("heaviside", value)
        raise UnsupportedOperation(name, self.name, "its values are no polynomials; modular scalars may have it")

    def matmul(self, a: Array, b: Array) -> Array:
        product = np.matmul(*(natives(self, array) for array in (a, b)))
        return self.array(product.reshape(-1).tolist(), product.shape)

    def jointly(self, name: str, index: int, arguments: tuple[Any, ...]) -> Any:
        return self.application(f"{name}{index + 1}", arguments)

    def softmax(self, values: list[Any]) -> list[Any]:
        shares = [self.jointly("softmax", k, tuple(values)) for k in range(len(values) - 1)]
        rest = self.convert(1)
        for share in shares:
            rest = rest - share
        return [*shares, rest]

    def divide(self, a: Any, b: Any) -> Any:
        if b == 0:
            raise UnsupportedOperation("division by zero", self.name)
        if b.is_constant():
            return a * (1 / b.leading_coefficient())
        try:
            return a / b
        except DomainError:
            raise UnsupportedOperation(
                "division by an expression", self.name, "quotients are judged on modular scalars instead"
            ) from None

    def compare(self, symbol: str, a: Any, b: Any) -> bool:
        difference = a - b
        if not difference.is_constant():
            raise Undecided(
                f"the comparison {symbol}", self.name, f"{self.show(a)} {symbol} {self.show(b)} depends on the values"
            )
        c = difference.leading_coefficient() if difference != 0 else 0
        return bool({"<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0, "==": c == 0, "!=": c != 0}[symbol])

    def show(self, value: Any, limit: int = 12) -> str:
        """Print the polynomial with the names of its generators, cut after `limit` terms."""
        terms = []
        count = 0
        for monomial, coefficient in value.terms():
            count += 1
            if count > limit:
                break
            factors = [self._label(i) + (f"^{e}" if e > 1 else "") for i, e in enumerate(monomial) if e]
            if not factors:
                terms.append(str(coefficient))
            elif coefficient == 1:
                terms.append("*".join(factors))
            elif coefficient == -1:
                terms.append("-" + "*".join(factors))
            else:
                terms.append("*".join([str(coefficient), *factors]))
        if not terms:
            return "0"
        more = len(value) - limit
        return " + ".join(terms).replace("+ -", "- ") + (f" + ... ({more} more terms)" if more > 0 else "")


def natives(field: Field, array: Any) -> Array:
    """Return the native polynomials of an array, in an object array of its shape."""
    out = np.empty(np.shape(array), dtype=object)
    out.reshape(-1)[:] = field.natives(array)
    return out


def entry_name(name: str, index: Iterable[int]) -> str:
    """Return R[0,1] for ("R", (0, 1)), or the bare name for an empty index."""
    indices = ",".join(str(i) for i in index)
    return f"{name}[{indices}]" if indices else name
