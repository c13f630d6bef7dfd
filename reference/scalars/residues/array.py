"""Residues modulo a prime in float64 arrays: whole NumPy rules in a finite field, at BLAS speed.

A `ResidueArray` is an ndarray subclass whose float64 entries are integers standing for residues (see
`residue_arithmetic`). NumPy's operations are answered here or refused by name; there is no fall-through to
arithmetic on the raw floats. Plain numbers and float arrays in a rule convert as the dyadic rationals they
are. Each array carries a bound on its degree (see `degrees`), shared with its views.

NumPy offers no hook for np.asarray(x), np.array(x), np.float64(x), `plain[:] = x`, plain.dot(x), np.sum([x, y]),
np.nditer, np.ndenumerate and the buffer protocol: they copy the raw integers and drop the field. (`plain[i] = x[j]`,
np.array([x[i], x[j]]), float(x[i]), np.copyto and out= do raise.) A result that went that way is a plain float array
or, once it overflows 2^53, wrong; so a mismatch found here must be repeated with `ModularField`'s object scalars.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, ClassVar, NamedTuple, NoReturn

import numpy as np

from ...errors import FloatsWanted, GradcheckError, MixedNumbers, Undecided, UnsupportedOperation
from ...typing import Array
from ..scalar import Scalar
from .arithmetic import EXACT, Modulus
from .degrees import CONSTANT, GENERATOR, Cell, Degree
from .direct import DIRECT, between_residues, in_place
from .functions import RandomFunctions

PRIME = 2**31 - 1
NUMBERS = (bool, int, float, Fraction, np.integer, np.floating, np.bool_)
NO_ORDER = "residues have no order and stand for all values at once"
LIKE_HINT = (
    "write into arrays made by np.zeros_like(problem.inputs, shape=...) rather than np.zeros(...), "
    "or let the rule be judged as a black box"
)


class Operand(NamedTuple):
    """The raw floats of an array or number, and its degree."""

    raw: Any
    degree: Degree


class ResidueField:
    """The integers modulo `prime`, an odd prime below 2^31; `seed` chooses the random functions.

    With `roots`, square roots are taken by their law (see `functions`), for which the prime must be 3 modulo 4.

    Primes below 2^23 need one BLAS product where larger ones need two (up to 512 terms). Raises
    `GradcheckError` for any other number. `recording` switches on `queries` and `query_degree`.
    """

    name = "modular"

    def __init__(self, prime: int = PRIME, seed: int = 0, *, roots: bool = False) -> None:
        self.modulus = Modulus(prime)
        self.prime, self.seed = prime, seed
        self.functions = RandomFunctions(self.modulus, seed, roots=roots)

    def __repr__(self) -> str:
        roots = ", roots=True" if self.functions.roots else ""
        return f"ResidueField(prime={self.prime}, seed={self.seed}{roots})"

    @contextmanager
    def working(self) -> Iterator[None]:
        """Yield at once: there is nothing to set up."""
        yield

    def convert(self, number: Any) -> int:
        """Return the residue in [0, p) of an int, float or Fraction; a float is the dyadic rational that it is.

        Raises `UnsupportedOperation` for NaN, infinity and a denominator divisible by the prime.
        """
        return int(self.modulus.convert(number)) % self.prime

    def lift(self, array: Any) -> ResidueArray:
        """Carry numbers over exactly, as constants (degree 0); arrays of this field pass through.

        Raises `GradcheckError` for other kinds of scalars, `UnsupportedOperation` for NaN and infinity.
        """
        if isinstance(array, ResidueArray):
            self.operand(array)
            return array
        raw, degree = self.operand(array)
        return self.carry(np.array(raw), degree)

    def wrap(self, array: Array, degree: Degree = CONSTANT) -> ResidueArray:
        """Return a new array of the residues of a float array of integers below 2^53 - 2^33 in magnitude.

        Raises `GradcheckError` for other floats, which `lift` converts.
        """
        raw = np.array(array, dtype=np.float64)
        if not (np.abs(raw) <= EXACT).all() or not (raw == np.rint(raw)).all():
            raise GradcheckError("wrap takes integers below 2^53 - 2^33 in magnitude; lift takes any numbers")
        return self.carry(self.modulus.reduce(raw), degree)

    def random(self, shape: int | tuple[int, ...], rng: np.random.Generator) -> ResidueArray:
        """Return uniform residues of degree 1: each entry a variable of its own."""
        return self.carry(np.asarray(self.modulus.balanced(rng.integers(0, self.prime, shape))), GENERATOR)

    def residues(self, array: Any) -> Array:
        """Return the canonical residues in [0, p), int64, of an array of this field or of plain numbers."""
        return self.modulus.canonical(self.operand(array).raw)

    def equal(self, a: Any, b: Any) -> Array:
        """Return booleans that tell which entries of two arrays are the same residues, broadcast."""
        return np.asarray(self.residues(a) == self.residues(b))

    @property
    def recording(self) -> bool:
        return self.functions.recording

    @recording.setter
    def recording(self, on: bool) -> None:
        self.functions.recording = on

    @property
    def queries(self) -> dict[str, Array]:
        """Random function to the distinct points, sorted, at which it was evaluated while recording.

        sigma's points count v and -v once, as min(v, p - v). Those of g, e and L are 64-bit digests of all
        their arguments. `calls` holds the same in order, one (name, points) per evaluated array.
        """
        names = dict.fromkeys(name for name, _ in self.functions.calls)
        return {n: np.unique(np.concatenate([p for m, p in self.functions.calls if m == n])) for n in names}

    @property
    def calls(self) -> list[tuple[str, Array]]:
        return self.functions.calls

    @property
    def query_degree(self) -> int:
        """A bound on the polynomial that vanishes where two recorded arguments agree, or agree up to sign."""
        return self.functions.numerator + self.functions.denominator

    def reset(self) -> None:
        """Forget the recorded evaluations."""
        self.functions.reset()

    def operand(self, value: Any) -> Operand:
        """Return a value as an operand. Raises `GradcheckError` for other kinds of scalars and other fields."""
        if isinstance(value, ResidueArray):
            if value.field is not self and repr(value._field()) != repr(self):
                raise MixedNumbers(self, value.field)
            return Operand(np.ndarray.view(value, np.ndarray), value.cell.degree)
        if isinstance(value, np.ndarray):
            return Operand(self._converted(value.view(np.ndarray)), CONSTANT)
        if isinstance(value, NUMBERS):
            return Operand(self.modulus.convert(value), CONSTANT)
        if isinstance(value, (list, tuple)):
            return self.operand(np.stack([self.lift(v) for v in value]) if has_residues(value) else np.asarray(value))
        if isinstance(value, Scalar):
            raise MixedNumbers(self, value.field)
        raise GradcheckError(f"expected modular residues or plain numbers; got {type(value).__name__} {value!r}")

    def _converted(self, array: Array) -> Array:
        try:
            return self.modulus.convert_array(array)
        except MixedNumbers as error:  # of a modulus, which does not know this field
            raise MixedNumbers(self, *error.fields) from None

    def carry(self, raw: Any, degree: Degree | Cell) -> ResidueArray:
        """View raw residues as an array of this field; what NumPy would return as a scalar is read-only."""
        out: ResidueArray = (raw if type(raw) is np.ndarray else np.asarray(raw)).view(ResidueArray)
        out.field = self
        out.cell = degree if isinstance(degree, Cell) else Cell(degree)
        if not out.ndim:
            out.flags.writeable = False
        return out

    def write(self, target: Any, key: Any, value: Any) -> None:
        """Set target[key] = value for a target of this field, and raise the bound that its views share."""
        if not isinstance(target, ResidueArray):
            raise FloatsWanted(f"writing residues into {kind_of(target)}", self.name, LIKE_HINT)
        raw, degree = self.operand(value)
        if target.field is not self:
            self.operand(target)  # of an equal field, or this raises
        np.ndarray.view(target, np.ndarray)[key] = raw
        if not (isinstance(value, ResidueArray) and value.cell is target.cell):
            target.cell.degree = target.cell.degree.join(degree)


class ResidueArray(np.ndarray[Any, np.dtype[np.float64]]):
    """Residues of one `field`. Elements taken out are 0-d arrays, read-only like NumPy's scalars."""

    field: ResidueField | None = None  # until `carry` gives it one, and a bound of its own
    cell: Cell = Cell()
    answer_ufunc: ClassVar[Callable[..., Any]]  # set by `dispatch`, which the package imports
    answer_function: ClassVar[Callable[..., Any]]

    def __array_finalize__(self, source: Any) -> None:
        if isinstance(source, ResidueArray):
            self.field, self.cell = source.field, source.cell

    def _field(self) -> ResidueField:
        if self.field is None:
            raise GradcheckError("this array lost its number system")
        return self.field

    @property
    def degree(self) -> int:
        """A bound on the total degree: of numerators plus common denominator (see `degrees`)."""
        return self.cell.degree.total

    @property
    def fraction_degree(self) -> Degree:
        """The same bound, numerators and denominator apart."""
        return self.cell.degree

    def apply_function(self, name: str) -> ResidueArray:
        """Return the function `name` of every element, same shape. Raises `UnsupportedOperation` for one it lacks."""
        field = self._field()
        return field.carry(*field.functions.apply(name, *field.operand(self)))

    def apply_jointly(self, name: str, *others: Any) -> ResidueArray:
        """Return an undefined vector function, or softmax, of this vector (and others): shape as this, or () for L."""
        field = self._field()
        if name == "softmax":
            return field.carry(*field.functions.softmax(*field.operand(self)))
        arguments = [field.operand(x) for x in (self, *others)]
        value, degree = field.functions.jointly(name, 1 if name == "L" else self.size, arguments)
        return field.carry(value.reshape(() if name == "L" else self.shape), degree)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if ufunc in DIRECT and method == "__call__" and not kwargs:
            x, y = inputs[0], inputs[-1]
            if type(x) is type(y) is ResidueArray and x.field is y.field is not None:
                return DIRECT[ufunc](x.field, *inputs)
        if any(hasattr(x, "__array_ufunc__") and not isinstance(x, (np.ndarray, np.generic)) for x in inputs):
            return NotImplemented  # a traced array, say, knows what to do with residues
        holders = (x for x in (*inputs, *(kwargs.get("out") or ())) if isinstance(x, ResidueArray))
        return self.answer_ufunc(next(holders)._field(), ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if not all(issubclass(t, np.ndarray) for t in types):
            return NotImplemented
        return self.answer_function(self._field(), func, args, kwargs)

    def __getitem__(self, key: Any) -> Any:
        if type(key) is int and self.ndim > 1:
            return super().__getitem__(key)  # a row, which is a view
        field = self._field()
        if has_residues(key):
            raise UnsupportedOperation("indexing with residues", field.name, NO_ORDER)
        raw = np.ndarray.view(self, np.ndarray)[key]
        return field.carry(raw, Cell(self.cell.degree) if raw.flags.owndata else self.cell)

    def __setitem__(self, key: Any, value: Any) -> None:
        if type(key) is int and type(value) is ResidueArray and value.field is self.field is not None:  # most are
            np.ndarray.view(self, np.ndarray)[key] = np.ndarray.view(value, np.ndarray)
            if value.cell is not self.cell:
                self.cell.degree = self.cell.degree.join(value.cell.degree)
            return
        if has_residues(key):
            raise UnsupportedOperation("indexing with residues", self._field().name, NO_ORDER)
        self._field().write(self, key, value)

    def __iter__(self) -> Iterator[Any]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    __add__, __sub__, __mul__, __matmul__ = map(between_residues, (np.add, np.subtract, np.multiply, np.matmul))
    __iadd__, __isub__, __imul__ = map(in_place, (np.add, np.subtract, np.multiply))
    __itruediv__, __ipow__, __imatmul__ = map(in_place, (np.divide, np.power, np.matmul))

    def sum(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False, **rest: Any) -> Any:  # type: ignore[override]
        return np.add.reduce(self, axis=axis, dtype=dtype, out=out, keepdims=keepdims, **rest)

    def mean(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:  # type: ignore[override]
        total = self.sum(axis, dtype, None, keepdims)
        return np.divide(total, self.size // max(1, total.size), out=out)

    def var(self, *args: Any, **kwargs: Any) -> Any:
        return np.var(self, *args, **kwargs)

    def std(self, *args: Any, **kwargs: Any) -> Any:
        return np.std(self, *args, **kwargs)

    def cumsum(self, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        flat = self.reshape(-1) if axis is None else self
        return np.add.accumulate(flat, axis=axis or 0, dtype=dtype, out=out)

    def trace(self, *args: Any, **kwargs: Any) -> Any:
        return self.diagonal(*args, **kwargs).sum(axis=-1)

    def dot(self, other: Any, out: Any = None) -> Any:
        return np.dot(self, other, out=out)

    def take(self, *args: Any, **kwargs: Any) -> Any:
        return np.take(self, *args, **kwargs)

    def copy(self, order: Any = "C") -> Any:
        return self._field().carry(self.view(np.ndarray).copy(order), self.cell.degree)

    def fill(self, value: Any) -> None:
        self[...] = value

    def conj(self) -> Any:
        return self

    conjugate = conj

    @property  # type: ignore[misc]
    def real(self) -> Any:
        return self

    @property  # type: ignore[misc]
    def imag(self) -> Any:
        return np.zeros_like(self)

    @property
    def flat(self) -> Any:
        raise UnsupportedOperation("ndarray.flat", "modular", "ravel() keeps the residues")

    def view(self, *args: Any, **kwargs: Any) -> Any:
        """Return a view as a plain ndarray of raw integers, or as itself; refuse other dtypes."""
        if kwargs or args not in ((), (np.ndarray,), (ResidueArray,)):
            self._refuse_cast(f"{args}{kwargs}")
        return super().view(*args)

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        """Return a copy for float64; refuse every other dtype."""
        if np.dtype(dtype) != np.float64:
            self._refuse_cast(str(np.dtype(dtype)))
        return self.copy()

    def _refuse_cast(self, target: str) -> NoReturn:
        raise FloatsWanted(f"the cast to {target}", "modular", LIKE_HINT)

    def __float__(self) -> float:
        self._refuse_cast("float")

    def __int__(self) -> int:
        self._refuse_cast("int")

    def __index__(self) -> int:
        self._refuse_cast("int")

    def __complex__(self) -> complex:
        self._refuse_cast("complex")

    def __bool__(self) -> bool:
        raise Undecided("the truth value of a residue", "modular", NO_ORDER)

    def __format__(self, specification: str) -> str:
        return str(self) if not specification else self._refuse_cast("formatted text")

    def __reduce__(self) -> Any:
        return _rebuild, (self._field(), np.array(self.view(np.ndarray)), self.cell.degree)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__reduce__()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def __repr__(self) -> str:
        return f"modular({self._field().residues(self).tolist()})"

    __str__ = __repr__


def _rebuild(field: ResidueField, raw: Array, degree: Degree) -> ResidueArray:
    return field.carry(raw, degree)


def has_residues(value: Any) -> bool:
    """Return whether a value is an array of residues, or a list or tuple that holds one."""
    if isinstance(value, (list, tuple)):
        return any(has_residues(v) for v in value)
    return isinstance(value, ResidueArray)


def kind_of(value: Any) -> str:
    """Return the name of a value's type, and of an array its dtype, for a message."""
    return f"an array of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__


_ORDERING = {
    "max", "min", "argmax", "argmin", "sort", "argsort", "partition", "argpartition", "searchsorted", "clip", "round",
    "any", "all", "nonzero",
}  # fmt: skip
_MOVING = {"reshape", "transpose", "ravel", "flatten", "squeeze", "swapaxes", "diagonal", "repeat", "setflags"}


def _refusing(name: str) -> Any:
    def method(self: ResidueArray, *args: Any, **kwargs: Any) -> NoReturn:
        kind = Undecided if name in _ORDERING else UnsupportedOperation
        raise kind(f"the array method {name}", "modular", NO_ORDER if name in _ORDERING else LIKE_HINT)

    method.__name__ = name
    return method


# Every method of ndarray that is neither written above nor known to move entries only is refused.
for _name in dir(np.ndarray):
    if not _name.startswith("_") and callable(getattr(np.ndarray, _name)) and _name not in ResidueArray.__dict__:
        if _name not in _MOVING:
            setattr(ResidueArray, _name, _refusing(_name))
