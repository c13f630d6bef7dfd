"""NumPy arrays that carry a number system.

A `Field` is a number system: how to convert a number into it exactly, its functions, its
comparisons. Its `scalar` class wraps one native value (an `arb`, an `fmpq`, a polynomial, ...) and
gives it Python's operators. A `FieldArray` is an ordinary NumPy array of such scalars, dtype
object; being a subclass lets matrix products go to the library's own (`Field.matmul`) and lets
operations that the number system does not have fail by name. Losing the subclass loses speed only.

Nothing here ever guesses: a cast to float and a comparison that the value does not settle both raise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from .. import numpy_functions as FN
from ..compositions import COMPOSITIONS, solve_arguments
from ..errors import FloatsWanted, GradcheckError, MixedNumbers, Undecided, UnsupportedOperation
from ..functions import COMPOSED, name_of
from ..typing import Array
from .scalar import NUMBERS, Scalar


class Field:
    """A number system. Subclasses give `name`, `convert`, and what else they can."""

    name: ClassVar[str] = "abstract"

    def __init__(self) -> None:
        self.scalar: type[Scalar] = type(f"{self.name.capitalize()}Scalar", (Scalar,), {"__slots__": (), "field": self})

    # What a number system is made of, on native values.
    def convert(self, number: Any) -> Any:
        """Return the native value equal to an int, float or Fraction; a float is a dyadic rational.

        Raises `UnsupportedOperation` for NaN and infinity.
        """
        if isinstance(number, (float, np.floating)):
            if not math.isfinite(number):
                raise UnsupportedOperation(f"the constant {number}", self.name)
            return self.from_ratio(*float(number).as_integer_ratio())
        if isinstance(number, Fraction):
            return self.from_ratio(number.numerator, number.denominator)
        return self.from_ratio(int(number), 1)

    def from_ratio(self, numerator: int, denominator: int) -> Any:
        """Return the native value numerator / denominator, in lowest terms."""
        raise NotImplementedError

    def function(self, name: str, value: Any) -> Any:
        """Return the function `name` of a native value. Raises `UnsupportedOperation` for one it lacks."""
        raise UnsupportedOperation(name, self.name)

    def compare(self, symbol: str, a: Any, b: Any) -> bool:
        """Return a < b and so on for native values; raises `Undecided` rather than guess."""
        raise UnsupportedOperation(f"the comparison {symbol}", self.name)

    def divide(self, a: Any, b: Any) -> Any:
        return a / b

    def power(self, a: Any, n: int) -> Any:
        return a**n

    def absolute(self, a: Any) -> Any:
        return a if self.compare(">=", a, self.convert(0)) else -a

    def equal(self, a: Any, b: Any) -> bool:
        """Return whether two native values are provably equal; for the harness, not for rules."""
        return bool(a == b)

    def is_finite(self, a: Any) -> bool:
        return True

    def copied(self, size: int) -> None:
        """Take note that NumPy copied so many scalars into a new array."""

    @contextmanager
    def working(self) -> Iterator[None]:
        """Enter the context, such as a precision, in which this field's arithmetic must run."""
        yield

    def matmul(self, a: Array, b: Array) -> Array | None:
        """Return the product of two matrices by the library's own routine, or None where there is none."""
        return None

    def size(self, a: Any) -> float:
        """Return a float near |a|, by which pivots are chosen; 1 for a value that is not known to be 0."""
        return 0.0 if self.equal(a, self.convert(0)) else 1.0

    def solve(self, a: Array, b: Array) -> Array:
        """Solve a linear system by Gauss-Jordan elimination with partial pivoting.

        Source: Golub and Van Loan 2013, "Matrix Computations", 4th ed., section 3.4.

        Args:
            a: Matrix of scalars, shape (n, n).
            b: Right sides, shape (n, k).

        Returns:
            The solution, shape (n, k).

        Raises:
            UnsupportedOperation: Every pivot of a column is 0.
        """
        n = len(a)
        rows = np.concatenate([a, b], axis=1).view(np.ndarray)
        for i in range(n):
            sizes = [self.size(self.native(x)) for x in rows[i:, i].tolist()]
            place = i + int(np.argmax(sizes))
            if not sizes[place - i]:
                raise UnsupportedOperation("the solution of a singular system", self.name)
            rows[[i, place]] = rows[[place, i]]
            rows[i, i + 1 :] = rows[i, i + 1 :] / rows[i, i]
            for j in range(n):
                if j != i:
                    rows[j, i + 1 :] = rows[j, i + 1 :] - rows[j, i] * rows[i, i + 1 :]
        return rows[:, n:]

    def jointly(self, name: str, index: int, arguments: tuple[Any, ...]) -> Any:
        """Return component `index` of an undefined function of several native values."""
        raise UnsupportedOperation(f"the undefined function {name}", self.name)

    def softmax(self, values: list[Any]) -> list[Any]:
        powers = [self.function("exp", v) for v in values]
        total = powers[0]
        for power in powers[1:]:
            total = total + power
        return [self.divide(power, total) for power in powers]

    # What the harness uses.
    def native(self, number: Any) -> Any:
        """Return the native value of one of this field's scalars, or of a plain number."""
        if type(number) is self.scalar:
            return number.value
        if isinstance(number, Scalar):
            raise MixedNumbers(self, number.field)
        if isinstance(number, NUMBERS):
            return self.convert(number)
        raise GradcheckError(f"expected {self.name} scalars; got {type(number).__name__} {number!r:.60}")

    def array(self, values: Iterable[Any], shape: tuple[int, ...]) -> FieldArray:
        """Return a `FieldArray` of that shape from native values in C order."""
        made = map(self.scalar, values)
        return self.wrap(np.fromiter(made, dtype=object, count=math.prod(shape)).reshape(shape))

    def wrap(self, objects: Array) -> FieldArray:
        """View an object array of this field's scalars as a `FieldArray`."""
        out = objects.view(FieldArray)
        out.field = self
        return out

    def lift(self, array: Any) -> FieldArray:
        """Carry an array of numbers over, exactly; scalars of this field pass through."""
        array = np.asarray(array) if not isinstance(array, np.ndarray) else array.view(np.ndarray)
        return self.array((self.native(x) for x in array.reshape(-1).tolist()), array.shape)

    def natives(self, array: Any) -> list[Any]:
        """Return the native values of an array in C order."""
        own = self.scalar
        return [x.value if type(x) is own else self.native(x) for x in np.asarray(array).reshape(-1).tolist()]


_OPERATORS = frozenset((np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive, np.power))
"""NumPy functions that are the operators of the scalars, and nothing special."""


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, FieldArray) else value


def _lifted(result: Any, field: Field) -> Any:
    """Make scalars of plain numbers among scalars: two floats left side by side would add up rounded."""
    if isinstance(result, (tuple, list)):
        return type(result)(_lifted(part, field) for part in result)
    if isinstance(result, np.ndarray) and result.dtype == object:
        own = field.scalar  # asked first: it is all there is nearly always, and the other question is slow
        if any(type(x) is not own and isinstance(x, NUMBERS) for x in result.reshape(-1).tolist()):
            return field.lift(result)
    return result


class FieldArray(np.ndarray[Any, np.dtype[Any]]):
    """An object array whose elements are scalars of one `field`."""

    field: Field | None = None

    def __array_finalize__(self, source: Any) -> None:
        if self.field is None:
            self.field = getattr(source, "field", None)
        if self.field is not None and self.flags.owndata:
            self.field.copied(self.size)

    def _rewrap(self, result: Any, field: Field) -> Any:
        if isinstance(result, tuple):
            return tuple(self._rewrap(r, field) for r in result)
        if isinstance(result, list):
            return [self._rewrap(r, field) for r in result]
        if isinstance(result, np.ndarray) and result.dtype == object:
            return field.wrap(result)
        return result

    def apply_function(self, name: str) -> FieldArray:
        """Return the function `name` of every element, same shape."""
        field = self._field()
        return field.array((field.function(name, v) for v in field.natives(self)), self.shape)

    def apply_jointly(self, name: str, *others: Any) -> FieldArray:
        """Return an undefined vector function, or softmax, of this vector (and others): shape as this, or () for L."""
        field = self._field()
        mine = field.natives(self)
        if name == "softmax":
            return field.array(field.softmax(mine), self.shape)
        arguments = tuple(mine + [v for other in others for v in field.natives(other)])
        if name == "L":
            return field.array([field.jointly(name, 0, arguments)], ())
        return field.array((field.jointly(name, k, arguments) for k in range(len(mine))), self.shape)

    def _field(self) -> Field:
        if self.field is None:
            raise GradcheckError("this array lost its number system")
        return self.field

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if any(not isinstance(x, np.ndarray) and hasattr(type(x), "__array_ufunc__") for x in inputs):
            return NotImplemented  # another kind of array, such as the reverse pass's, answers for both
        written = tuple(kwargs.get("out") or ())
        field = next(x.field for x in inputs + written if isinstance(x, FieldArray) and x.field)
        # np.add.at goes on calling Python after a cast has raised, so what it writes to is looked at here.
        for target in written + inputs[:1] if method == "at" else written:
            _check_target(target, field, f"np.{ufunc.__name__}" + (".at" if method == "at" else ""))
        if method == "__call__" and not kwargs and ufunc not in _OPERATORS:
            special = self._special(field, ufunc, inputs)
            if special is not None:
                return special
        if "out" in kwargs:
            kwargs["out"] = tuple(_plain(x) for x in kwargs["out"])
        try:
            result = getattr(ufunc, method)(*(_plain(x) for x in inputs), **kwargs)
        except UnsupportedOperation:
            raise
        except (TypeError, AttributeError) as error:
            raise UnsupportedOperation(f"np.{ufunc.__name__}", field.name, str(error)) from error
        return self._rewrap(_lifted(result, field), field)

    def _special(self, field: Field, ufunc: np.ufunc, inputs: tuple[Any, ...]) -> Any:
        name = name_of(ufunc)
        if name is not None:
            return self.apply_function(name)
        if ufunc is np.matmul:
            return _matmul(field, *inputs)
        if ufunc in COMPOSED:
            return COMPOSED[ufunc](*(x if isinstance(x, FieldArray) else field.lift(x) for x in inputs))
        if ufunc in FN.COMPARES:
            a, b = np.broadcast_arrays(*(np.asarray(_plain(x)) for x in inputs))
            symbol = FN.COMPARES[ufunc]
            values = [
                field.compare(symbol, field.native(p), field.native(q))
                for p, q in zip(a.reshape(-1).tolist(), b.reshape(-1).tolist(), strict=True)
            ]
            return np.array(values, dtype=bool).reshape(a.shape)[()]
        if ufunc in (np.maximum, np.minimum) and any(_is_zero(x) for x in inputs):
            x = next(x for x in inputs if not _is_zero(x))
            return x.apply_function("relu") if ufunc is np.maximum else -((-x).apply_function("relu"))
        if ufunc in (np.isfinite, np.isnan, np.isinf):
            finite = np.array([field.is_finite(v) for v in field.natives(self)], dtype=bool).reshape(self.shape)
            return finite if ufunc is np.isfinite else ~finite
        return None

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        field = self._field()
        if any(not issubclass(t, np.ndarray) for t in types):
            return NotImplemented  # a traced array answers for both
        if func in COMPOSITIONS:
            return COMPOSITIONS[func](*args, **kwargs)
        if func in (np.linalg.solve, np.linalg.inv):
            return _solve(field, *args, **kwargs)
        if getattr(func, "__module__", "").startswith("numpy.linalg") and func not in (np.linalg.matrix_power,):
            if func.__name__ not in ("multi_dot", "matmul", "outer", "trace", "diagonal", "matrix_transpose", "vecdot"):
                raise UnsupportedOperation(f"np.linalg.{func.__name__}", field.name)
        if func is np.copyto:
            _check_target(args[0], field, "np.copyto")
        if func in FN.FILLS:
            shape = kwargs.get("shape")
            shape = self.shape if shape is None else shape
            if kwargs.get("dtype") not in (None, object):
                return np.full(shape, FN.FILLS[func], dtype=kwargs["dtype"])
            size = np.empty(shape, dtype=bool)
            return field.array([field.convert(FN.FILLS[func])] * size.size, size.shape)
        if func in (np.dot, np.inner) and all(np.ndim(x) in (1, 2) for x in args[:2]):
            return _dot(field, func, *args, **kwargs)
        try:
            result = super().__array_function__(func, types, args, kwargs)
        except UnsupportedOperation:
            raise
        except TypeError as error:
            raise UnsupportedOperation(f"np.{func.__name__}", field.name, str(error)) from error
        if func in FN.WRITES and isinstance(args[0], FieldArray):
            args[0][...] = _lifted(_plain(args[0]), field)
        if isinstance(result, np.ndarray) and type(result) is np.ndarray and result.flags.owndata:
            field.copied(result.size)
        return self._rewrap(_lifted(result, field), field)

    def __setitem__(self, key: Any, value: Any) -> None:
        if self.field is not None and type(value) is not self.field.scalar and not isinstance(value, FieldArray):
            value = self.field.lift(value)
        if isinstance(value, np.ndarray) and not value.ndim:
            value = value[()]  # NumPy would make the array itself the entry
        super().__setitem__(key, value)
        if self.field is not None:
            self.field.copied(np.size(value))

    def tobytes(self, order: Any = "C") -> bytes:
        """Raise `Undecided`: equal bytes stand for equal values, and these are not known."""
        raise Undecided("the array method tobytes", self._field().name, "its bytes stand for its values")

    def dot(self, other: Any, out: Any = None) -> Any:
        return np.dot(self, other) if out is None else np.dot(self, other, out=out)

    def var(self, *args: Any, **kwargs: Any) -> Any:
        return np.var(self, *args, **kwargs)

    def std(self, *args: Any, **kwargs: Any) -> Any:
        return np.std(self, *args, **kwargs)

    def __matmul__(self, other: Any) -> Any:
        return np.matmul(self, other)


def _solve(field: Field, a: Any, b: Any = None) -> FieldArray:
    b = np.eye(len(a)) if b is None else b
    n, vector = solve_arguments(a, b)
    left, right = field.lift(a), field.lift(b).reshape(n, -1)
    solution = field.wrap(np.asarray(field.solve(left, right)))
    return field.wrap(solution.reshape(n)) if vector else solution


def _dot(field: Field, func: Any, a: Any, b: Any, out: Any = None) -> Any:
    product = np.matmul(a, b if func is np.dot or np.ndim(b) == 1 else b.T)
    if out is None:
        return product
    _check_target(out, field, f"np.{func.__name__}")
    out[...] = product
    return out


def _check_target(target: Any, field: Field, name: str) -> None:
    if isinstance(target, np.ndarray) and target.dtype != object:
        raise FloatsWanted(
            f"writing {name} into an array of {target.dtype}",
            field.name,
            "np.zeros(...) makes a float array; np.zeros_like(problem.inputs, shape=...) makes one for any scalar",
        )


def _is_zero(x: Any) -> bool:
    return not isinstance(x, FieldArray) and isinstance(x, NUMBERS) and x == 0


def _matmul(field: Field, a: Any, b: Any) -> Any:
    a, b = np.asarray(_plain(a)), np.asarray(_plain(b))
    if not (1 <= a.ndim <= 2 and 1 <= b.ndim <= 2) or a.shape[-1] != b.shape[0]:
        return None
    shape = a.shape[:-1] + b.shape[1:]
    if not (a.size and b.size):
        return field.array([field.convert(0)] * int(np.prod(shape)), shape)[()]
    left, right = a.reshape(-1, a.shape[-1]), b.reshape(b.shape[0], -1)
    product = field.matmul(left, right)
    if product is None:
        product = np.matmul(left, right)
    return field.wrap(product.reshape(shape))[()]
