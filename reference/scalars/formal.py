"""Polynomials over Q: one number stands for every value at once.

Each parameter, input and target is a generator. Each distinct pre-activation polynomial s gets one
generator for f(s) and one for f'(s), so equality of two results is decidable and means: equal for
every value and every differentiable activation f. Functions get a generator of their own and keep the laws of their
derivative (1 - t^2, l (1 - l)) and of their sign. tanh(v), logistic(2v) and exp(2v) share one generator, whichever
is met first. Square roots, inverses and cosines get generators with laws (`laws`), which are applied when two
polynomials are compared. Comparisons raise: an undetermined value has no order.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any

import flint
import numpy as np
from flint.utils.flint_exceptions import DomainError

from ..errors import GradcheckError, Undecided, UnsupportedOperation
from ..typing import Array
from .base import Field, FieldArray
from .laws import Bound, Law, Laws, check_product
from .scalar import Scalar


class GeneratorsExhausted(GradcheckError):
    """A rule evaluated more distinct functions than the ring has generators left."""


class FormalField(Field):
    """The ring Q[g1, ..., gn], whose generators are named when first used.

    Args:
        capacity: The number of generators without laws.
        laws: The number of generators with laws: square roots, inverses and cosines.
    """

    name = "formal"

    def __init__(self, capacity: int = 160, laws: int = 40) -> None:
        super().__init__()
        self.scalar = type("FormalScalar", (FormalScalar,), {"__slots__": (), "field": self})
        self.capacity = capacity
        self.context = flint.fmpq_mpoly_ctx.get([f"g{i}" for i in range(laws + capacity)], "lex")
        every = self.context.gens()
        self._bindable = list(enumerate(every[:laws]))
        self._unused = iter(enumerate(every[laws:], start=laws))
        self._named: dict[str, Any] = {}
        self._applied: dict[Any, list[tuple[tuple[Any, ...], Any]]] = {}
        self._inverses: dict[int, list[tuple[Any, Any]]] = {}
        self._sigmoids: list[tuple[Any, tuple[Any, Any]]] = []
        self._labels: dict[int, str | Callable[[], str]] = {}
        self._values: dict[int, list[tuple[complex, float]]] = {}
        self._laws = Laws()
        self._noted: list[Any] | None = None
        self._noise: set[int] = set()
        self.functions = 0

    @property
    def used(self) -> int:
        """Number of generators in use."""
        return len(self._labels)

    @property
    def partial(self) -> bool:
        """True where roots or inverses are in use, which have no value everywhere."""
        return bool(self._laws.bound)

    @property
    def places(self) -> dict[int, str]:
        """Place in the exponents of a monomial to the printed form of the generator there, in the order of `labels`."""
        return {place: self._label(place) for place in self._labels}

    @property
    def labels(self) -> list[str]:
        """Printed form of each generator in use."""
        return [self._label(i) for i in self._labels]

    @property
    def applications(self) -> dict[int, tuple[str, tuple[Any, ...]]]:
        """Place to the function and the arguments of each generator that stands for a function's value."""
        return {
            _place(made): (key[0], arguments)
            for key, alike in self._applied.items()
            for arguments, made in alike
            if _is_generator(made)
        }

    @property
    def symbol_places(self) -> dict[int, str]:
        """Place to the name of each generator of a named quantity."""
        return {_place(made): name for name, made in self._named.items()}

    def _label(self, i: int) -> str:
        label = self._labels[i]
        if not isinstance(label, str):
            label = self._labels[i] = label()
        return label

    def _generator(self, label: str | Callable[[], str]) -> Any:
        try:
            place, made = next(self._unused)
        except StopIteration:
            raise GeneratorsExhausted(f"the ring's {self.capacity} generators are used up") from None
        self._labels[place] = label  # most are never printed, and that of a long polynomial takes long to make
        return made

    def _bound(self, law: Law, argument: Any, label: Callable[[], str]) -> Any:
        """Return a new generator that keeps a law. Raises `GeneratorsExhausted`."""
        if not self._bindable:
            raise GeneratorsExhausted("the ring's generators for roots and inverses are used up")
        place, made = self._bindable.pop()
        self._labels[place] = label
        self._laws.add(Bound(place, made, law, argument))
        return made

    def symbol(self, name: str) -> Any:
        """Return the generator of a named quantity, such as R[0,1]. Raises `GeneratorsExhausted`."""
        if name not in self._named:
            self._named[name] = self._generator(name)
        return self._named[name]

    def noise(self, name: str) -> tuple[int, Any]:
        """Return the place and the generator of a random number, which no function and no divisor may depend on.

        The expectation of a polynomial in it follows from its moments; that of a quotient does not.

        Raises:
            GeneratorsExhausted: The ring has no generator left.
        """
        made = self.symbol(name)
        place = next(place for place, label in self._labels.items() if label == name)
        self._noise.add(place)
        return place, made

    def _refuse_noise(self, operation: str, *values: Any) -> None:
        for value in values if self._noise else ():
            degrees = value.degrees()
            if any(degrees[place] for place in self._noise):
                raise UnsupportedOperation(f"{operation} what depends on noise", self.name, "moments do not settle it")

    def _known(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """Return what was made for a function of equal arguments, or None."""
        alike = self._applied.get((name, *map(len, arguments)), ())  # polynomials are compared fast, but not hashed
        found = next((made for known, made in alike if known == arguments), None)
        if found is not None or not self.partial:
            return found
        values = [self._laws.value(argument) for argument in arguments]
        for key, alike in self._applied.items():
            if key[0] == name and len(key) == len(arguments) + 1:
                for known, made in alike:
                    near = all(map(self._laws.near, self._values_of(known), values))
                    if near and all(self.equal(p, q) for p, q in zip(known, arguments, strict=True)):
                        return made
        return None

    def _values_of(self, arguments: tuple[Any, ...]) -> list[tuple[complex, float]]:
        """Return the values of arguments that are kept, worked out once."""
        if id(arguments) not in self._values:
            self._values[id(arguments)] = [self._laws.value(argument) for argument in arguments]
        return self._values[id(arguments)]

    def _keep(self, name: str, arguments: tuple[Any, ...], made: Any) -> Any:
        self._applied.setdefault((name, *map(len, arguments)), []).append((arguments, made))
        return made

    def application(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """Return the generator that stands for a function of these polynomials. Raises `GeneratorsExhausted`."""
        known = self._known(name, arguments)
        if known is not None:
            return known
        self._refuse_noise(f"{name} of", *arguments)
        self.functions += 1
        made = self._generator(lambda: f"{name}({', '.join(map(self.show, arguments))})")
        return self._keep(name, arguments, made)

    def symbols(self, name: str, shape: tuple[int, ...]) -> FieldArray:
        """Return an array of generators name[i,j], shape as given."""
        return self.array((self.symbol(entry_name(name, index)) for index in np.ndindex(*shape)), shape)

    def from_ratio(self, numerator: int, denominator: int) -> Any:
        return self.context.constant(flint.fmpq(numerator, denominator))

    def equal(self, a: Any, b: Any) -> bool:
        """Return whether two polynomials are equal by the laws of their generators, wherever both are defined."""
        return bool(a == b) if not self.partial else self._laws.vanishes(a - b)

    def simplified(self, value: Any) -> Any:
        """Return an equal polynomial in which squares of roots are replaced by what they are the roots of."""
        return self._laws.simplified(value)

    def function(self, name: str, value: Any) -> Any:
        if name in ("f", "f'"):
            return self.application(name, (value,))
        self._refuse_noise(f"{name} of", value)
        if name in _LAWFUL:
            value = self._laws.simplified(value)
            if value == 0 and name in _AT_ZERO:
                return self.convert(_AT_ZERO[name])
            if name in _MIRRORED and value != 0 and value.leading_coefficient() < 0:
                return _MIRRORED[name](self, value, self.function(name, -value))
            known = self._known(name, (value,))
            return known if known is not None else self._made(name, value)
        if name == "heaviside":
            if value.is_constant():
                return self.convert(int(self.compare(">", value, self.convert(0))))
            return self.application(name, (value,))
        if name == "relu":
            return value * self.function("heaviside", value)
        raise UnsupportedOperation(name, self.name, "its derivative has no algebraic law that polynomials could keep")

    def _made(self, name: str, value: Any) -> Any:
        """Return a function of a polynomial at which it was not met before."""
        own = {"tanh": self._tanh, "logistic": self._logistic, "exp": self._exp, "log": self._log, "sqrt": self._sqrt,
               "cos": self._cos}.get(name)  # fmt: skip
        return own(value) if own else self.application(name, (value,))

    def _sigmoid(self, value: Any) -> tuple[Any, Any] | None:
        """Return polynomials n, d with exp(value) = n/d, if a function of exp(value) is known."""
        return next((pair for known, pair in self._sigmoids if self.equal(known, value)), None)

    def _tanh(self, value: Any) -> Any:
        pair = self._sigmoid(2 * value)
        if pair is not None:
            return self.divide(pair[0] - pair[1], pair[0] + pair[1])
        made = self.application("tanh", (value,))
        self._sigmoids.append((2 * value, (1 + made, 1 - made)))
        return made

    def _logistic(self, value: Any) -> Any:
        pair = self._sigmoid(value)
        if pair is not None:
            return self.divide(pair[0], pair[0] + pair[1])
        made = self.application("logistic", (value,))
        self._sigmoids.append((value, (made, 1 - made)))
        return made

    def _exp(self, value: Any) -> Any:
        pair = self._sigmoid(value)
        if pair is not None:
            return self.divide(*pair)
        twice = self._sigmoid(2 * value)
        if twice is not None:
            return self.function("sqrt", self.divide(*twice))
        made = self.application("exp", (value,))
        self._sigmoids.append((value, (made, self.convert(1))))
        return made

    def _log(self, value: Any) -> Any:
        """Return log; of exp(v), 1 + exp(v), logistic(v) and their inverses by v and softplus(v)."""
        if value == 0:
            raise UnsupportedOperation("the logarithm of 0", self.name)
        if self.equal(value, self.convert(1)):
            return self.convert(0)
        for v, (n, d) in self._sigmoids:
            for power, numerator, denominator in ((v, n, d), (-v, d, n)):
                if self.equal(value * denominator, numerator):
                    return power
                if self.equal(value * denominator, denominator + numerator):
                    return self.function("softplus", power)
                if self.equal(value * (denominator + numerator), denominator):
                    return -self.function("softplus", power)
        return self.application("log", (value,))

    def _sqrt(self, value: Any) -> Any:
        """Return the root r with r^2 = value. Square factors of the coefficients are taken out."""
        content, rational = _content(value)
        if value.is_constant() and value.leading_coefficient() < 0:
            raise UnsupportedOperation(f"the square root of {value}", self.name)
        value = value * (1 / content)
        if value == 1:
            return self.convert(1) * rational
        made = self._known("sqrt", (value,))
        if made is None:
            argument = value
            self.functions += 1
            made = self._bound(Law.ROOT, argument, lambda: f"sqrt({self.show(argument)})")
            self._keep("sqrt", (argument,), made)
        return made * rational

    def _cos(self, value: Any) -> Any:
        """Return the generator c with c^2 = 1 - sin^2."""
        sine = self.application("sin", (value,))
        return self._keep("cos", (value,), self._bound(Law.ROOT, 1 - sine**2, lambda: f"cos({self.show(value)})"))

    def inverse(self, value: Any) -> Any:
        """Return a polynomial i with i * value = 1. Raises `UnsupportedOperation` for 0."""
        value = self._laws.simplified(value)
        alike = self._inverses.setdefault(len(value), [])  # to factor takes far longer than to compare
        known = next((made for known, made in alike if known == value), None)
        if known is None:
            known = self._inverted(value)
            alike.append((value, known))
        return known

    def _inverted(self, value: Any) -> Any:
        if self.equal(value, self.convert(0)):
            raise UnsupportedOperation("division by zero", self.name)
        if value.is_constant():
            return self.convert(1) * (1 / value.leading_coefficient())
        constant, factors = value.factor() if len(value) <= _FACTORED else (1, [(value, 1)])
        result = self.convert(1) * (1 / flint.fmpq(constant))
        for factor, power in factors:
            result = result * self._inverse_of(factor) ** int(power)
        return result

    def _inverse_of(self, value: Any) -> Any:
        """Return the inverse of a polynomial that is no product."""
        for each in self._laws.bound:
            if value == each.generator:
                if each.law is Law.INVERSE:
                    return each.argument
                return value * self.inverse(each.argument)
        known = self._known("inverse", (value,))
        if known is not None:
            return known
        made = self._bound(Law.INVERSE, value, lambda: f"1/({self.show(value)})")
        return self._keep("inverse", (value,), made)

    def power(self, a: Any, n: int) -> Any:
        result = self.convert(1)
        for _ in range(n):
            check_product(result, a)
            result = result * a
        return result

    def matmul(self, a: Array, b: Array) -> Array:
        left, right = (natives(self, array) for array in (a, b))
        check_product(*(max(array.reshape(-1).tolist(), key=len) for array in (left, right)))
        product = np.matmul(left, right)
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
        self._refuse_noise("a division by", b)
        try:
            return a / b
        except DomainError:
            return a * self.inverse(b)

    @contextlib.contextmanager
    def noting(self) -> Iterator[list[Any]]:
        """Take polynomials that differ for unequal in this context, and yield a list of the differences asked about."""
        self._noted = noted = list[Any]()
        try:
            yield noted
        finally:
            self._noted = None

    def compare(self, symbol: str, a: Any, b: Any) -> bool:
        difference = a - b if not self.equal(a, b) else self.convert(0)
        if not difference.is_constant() and self._noted is not None and symbol in ("==", "!="):
            self._noted.append(difference)
            return symbol == "!="
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


class FormalScalar(Scalar):
    """One polynomial. A product that would not fit into memory raises `TooLarge`."""

    __slots__ = ()

    def __mul__(self, other: Any) -> Any:
        if type(other) is type(self):
            check_product(self.value, other.value)
            return type(self)(self.value * other.value)
        return super().__mul__(other)


def _is_generator(value: Any) -> bool:
    return len(value) == 1 and sum(map(int, value.monoms()[0])) == 1


def _place(generator: Any) -> int:
    """Return the number of a generator in its ring."""
    return list(map(int, generator.monoms()[0])).index(1)


def _content(value: Any) -> tuple[Any, Any]:
    """Return the largest square of a rational that divides a polynomial's coefficients, and its root."""
    numerators, denominators = zip(*((int(c.p), int(c.q)) for c in value.coeffs()), strict=True)
    divisor, multiple = math.gcd(*numerators), math.lcm(*denominators)
    root = flint.fmpq(_square_root(divisor), _square_root(multiple * _odd_part(multiple)))
    return root * root, root


def _odd_part(n: int) -> int:
    """Return the least number by which n is to be multiplied to become a square."""
    result = 1
    for prime, power in flint.fmpz(n).factor():
        result *= int(prime) ** (int(power) % 2)
    return result


def _square_root(n: int) -> int:
    """Return the largest number whose square divides n."""
    result = 1
    for prime, power in flint.fmpz(n).factor():
        result *= int(prime) ** (int(power) // 2)
    return result


_AT_ZERO = {
    "tanh": 0, "sin": 0, "cos": 1, "logistic": Fraction(1, 2), "exp": 1, "arctan": 0, "sqrt": 0,
}  # fmt: skip
_MIRRORED: dict[str, Callable[[FormalField, Any, Any], Any]] = {
    "tanh": lambda field, value, mirrored: -mirrored,
    "sin": lambda field, value, mirrored: -mirrored,
    "arctan": lambda field, value, mirrored: -mirrored,
    "cos": lambda field, value, mirrored: mirrored,
    "logistic": lambda field, value, mirrored: 1 - mirrored,
    "exp": lambda field, value, mirrored: field.inverse(mirrored),
    "softplus": lambda field, value, mirrored: mirrored + value,
}
"""Functions at s by their values at -s, from field, s and that value."""
_LAWFUL = {*_AT_ZERO, *_MIRRORED, "log"}
"""The functions that keep laws in this ring."""
_FACTORED = 60
"""Number of terms up to which a divisor is factored."""


def natives(field: Field, array: Any) -> Array:
    """Return the native polynomials of an array, in an object array of its shape."""
    out = np.empty(np.shape(array), dtype=object)
    out.reshape(-1)[:] = field.natives(array)
    return out


def entry_name(name: str, index: Iterable[int]) -> str:
    """Return R[0,1] for ("R", (0, 1)), or the bare name for an empty index."""
    indices = ",".join(str(i) for i in index)
    return f"{name}[{indices}]" if indices else name
