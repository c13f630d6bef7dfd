"""One number of a number system, with Python's operators and the methods that NumPy calls by name.

Nothing here ever guesses: a cast to float and a comparison that the value does not settle both raise.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, ClassVar, Protocol

import numpy as np

from ..errors import FloatsWanted, MixedNumbers, UnsupportedOperation
from ..functions import COMPOSED

NUMBERS = (int, float, Fraction, np.integer, np.floating, np.bool_)
"""The plain numbers that every scalar can be combined with."""


def as_halves(exponent: Any) -> int | None:
    """Return twice an exponent that is a multiple of 1/2; None for another number."""
    halves = 2 * float(exponent)
    return int(halves) if halves.is_integer() else None


class NumberSystem(Protocol):
    """Arithmetic on native values that a scalar needs; `base.Field` has it."""

    name: ClassVar[str]

    def convert(self, number: Any) -> Any:
        """Return the native value equal to a plain number."""

    def native(self, number: Any) -> Any:
        """Return the native value of a scalar of this field, or of a plain number."""

    def array(self, values: Iterable[Any], shape: tuple[int, ...]) -> Any:
        """Return an array of that shape from native values in C order."""

    def function(self, name: str, value: Any) -> Any:
        """Return the function `name` of a native value."""

    def compare(self, symbol: str, a: Any, b: Any) -> bool:
        """Compare two native values."""

    def divide(self, a: Any, b: Any) -> Any:
        """Return a / b for native values."""

    def power(self, a: Any, n: int) -> Any:
        """Return a to the power n, which is not negative."""

    def absolute(self, a: Any) -> Any:
        """Return |a|."""


class Scalar:
    """One number of a `Field`. `value` is the library's own object."""

    __slots__ = ("value",)
    field: ClassVar[NumberSystem]

    def __init__(self, value: Any) -> None:
        self.value = value

    def _binary(self, other: Any, operation: Callable[[Any, Any], Any], swapped: bool = False) -> Any:
        own = type(self)
        if type(other) is own:
            value = other.value
        elif isinstance(other, NUMBERS):
            value = own.field.convert(other)
        elif isinstance(other, (complex, str)):
            raise UnsupportedOperation(f"arithmetic with the {type(other).__name__} {other!r}", own.field.name)
        elif isinstance(other, Scalar):
            raise MixedNumbers(own.field, other.field)
        else:
            return NotImplemented
        try:
            return own(operation(value, self.value) if swapped else operation(self.value, value))
        except ZeroDivisionError:
            raise UnsupportedOperation("division by zero", own.field.name) from None

    def __add__(self, other: Any) -> Any:
        if type(other) is type(self):
            return type(self)(self.value + other.value)
        return self._binary(other, operator.add)

    def __radd__(self, other: Any) -> Any:
        return self._binary(other, operator.add, True)

    def __sub__(self, other: Any) -> Any:
        if type(other) is type(self):
            return type(self)(self.value - other.value)
        return self._binary(other, operator.sub)

    def __rsub__(self, other: Any) -> Any:
        return self._binary(other, operator.sub, True)

    def __mul__(self, other: Any) -> Any:
        if type(other) is type(self):
            return type(self)(self.value * other.value)
        return self._binary(other, operator.mul)

    def __rmul__(self, other: Any) -> Any:
        return self._binary(other, operator.mul, True)

    def __truediv__(self, other: Any) -> Any:
        return self._binary(other, self.field.divide)

    def __rtruediv__(self, other: Any) -> Any:
        return self._binary(other, self.field.divide, True)

    def __pow__(self, exponent: Any) -> Any:
        if isinstance(exponent, NUMBERS):
            halves = as_halves(exponent)
            if halves is not None:
                base = self.apply_function("sqrt") if halves % 2 else self
                n = abs(halves) if halves % 2 else abs(halves) // 2
                power = base if n == 1 else type(self)(self.field.power(base.value, n))
                return power if halves >= 0 else 1 / power
            if np.isfinite(float(exponent)):
                return (exponent * self.apply_function("log")).apply_function("exp")
        raise UnsupportedOperation(
            f"the power {exponent!r}", self.field.name, "plain numbers are; np.exp(n * np.log(x)) may do"
        )

    def __rpow__(self, base: Any) -> Any:
        raise UnsupportedOperation(f"{base!r} raised to a scalar", self.field.name, "use np.exp")

    def __neg__(self) -> Any:
        return type(self)(-self.value)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return type(self)(self.field.absolute(self.value))

    def _compare(self, other: Any, symbol: str) -> Any:
        if isinstance(other, np.ndarray):
            return NotImplemented
        if type(other) is not type(self) and not isinstance(other, NUMBERS):
            return NotImplemented
        return self.field.compare(symbol, self.value, self.field.native(other))

    def __lt__(self, other: Any) -> Any:
        return self._compare(other, "<")

    def __le__(self, other: Any) -> Any:
        return self._compare(other, "<=")

    def __gt__(self, other: Any) -> Any:
        return self._compare(other, ">")

    def __ge__(self, other: Any) -> Any:
        return self._compare(other, ">=")

    def __eq__(self, other: Any) -> Any:
        return self._compare(other, "==")

    def __ne__(self, other: Any) -> Any:
        return self._compare(other, "!=")

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return bool(self != 0)

    def _refuse_cast(self, target: str) -> Any:
        raise FloatsWanted(
            f"the cast to {target}",
            self.field.name,
            "write into arrays made by np.zeros_like(problem.inputs, shape=...) rather than np.zeros(...), "
            "or let the rule be judged as a black box",
        )

    def __float__(self) -> float:
        return self._refuse_cast("float")  # type: ignore[no-any-return]

    def __int__(self) -> int:
        return self._refuse_cast("int")  # type: ignore[no-any-return]

    def __complex__(self) -> complex:
        return self._refuse_cast("complex")  # type: ignore[no-any-return]

    def __index__(self) -> int:
        return self._refuse_cast("int")  # type: ignore[no-any-return]

    def __format__(self, specification: str) -> str:
        if specification:
            raise UnsupportedOperation(f"the format {specification!r}", self.field.name, "print it without one")
        return str(self)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        # A bare scalar is an array of shape (): what arrays do, refuse and lift holds for it too.
        own = type(self)
        boxed = (self.field.array([x.value], ()) if type(x) is own else x for x in inputs)
        result = getattr(ufunc, method)(*boxed, **kwargs)
        return result[()] if isinstance(result, np.ndarray) and not result.ndim else result

    def apply_function(self, name: str) -> Any:
        """Return the function of that name (see `reference.functions`) of this number."""
        return type(self)(self.field.function(name, self.value))

    # NumPy calls these by name when it meets an array of objects.
    def tanh(self) -> Any:
        return self.apply_function("tanh")

    def exp(self) -> Any:
        return self.apply_function("exp")

    def log(self) -> Any:
        return self.apply_function("log")

    def sqrt(self) -> Any:
        return self.apply_function("sqrt")

    def sin(self) -> Any:
        return self.apply_function("sin")

    def cos(self) -> Any:
        return self.apply_function("cos")

    def arctan(self) -> Any:
        return self.apply_function("arctan")

    def log1p(self) -> Any:
        return COMPOSED[np.log1p](self)

    def expm1(self) -> Any:
        return COMPOSED[np.expm1](self)

    def sinh(self) -> Any:
        return COMPOSED[np.sinh](self)

    def cosh(self) -> Any:
        return COMPOSED[np.cosh](self)

    def tan(self) -> Any:
        return COMPOSED[np.tan](self)

    def logaddexp(self, other: Any) -> Any:
        return COMPOSED[np.logaddexp](self, other)

    def hypot(self, other: Any) -> Any:
        return COMPOSED[np.hypot](self, other)

    def conjugate(self) -> Any:
        return self

    @property
    def real(self) -> Any:
        return self

    @property
    def imag(self) -> Any:
        return self * 0

    def __repr__(self) -> str:
        return f"{self.field.name}({self.value})"


def system_of(array: Any) -> Any:
    """Return the number system of an array; None for plain numbers, and where it cannot be told."""
    if isinstance(array, np.ndarray) and type(array) is np.ndarray and array.dtype == object:
        return next((each.field for each in array.reshape(-1) if isinstance(each, Scalar)), None)
    return getattr(array, "field", None)
