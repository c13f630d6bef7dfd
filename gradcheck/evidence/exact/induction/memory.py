"""A rule's memory between two steps: its state and its attributes, taken apart into numbers and a form.

The form is everything but the numbers of the number system: types, keys, shapes, plain numbers, and which parts are one
object. Two memories of equal forms and equal numbers are the same to the rule. What cannot be looked into, such as an
iterator, is refused, for it could count steps.
"""

from __future__ import annotations

import dataclasses
import enum
import itertools
import types
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ....reference.scalars.base import Field, FieldArray
from ....reference.scalars.scalar import Scalar
from .trust import MADE_BY_PYTHON, Unproved, trusted

ATOMS = frozenset((type(None), bool, int, float, complex, str, bytes, Fraction, type(...), slice))


@dataclass(frozen=True)
class Entry:
    """One number of a memory.

    Attributes:
        path: Its place, such as "state.M[0,3]".
        value: The native value.
    """

    path: str
    value: Any


@dataclass(frozen=True)
class Constant:
    """A part of the form that holds a value.

    Attributes:
        path: Its place, such as "state[1]".
        text: The value, as printed.
    """

    path: str
    text: str


@dataclass(frozen=True)
class Memory:
    """A memory, taken apart.

    Attributes:
        entries: Its numbers, in order.
        form: Everything else.
        constants: The parts of the form that hold values, for messages.
        overlapping: Numbers of the arrays that share storage with another array, counted in order.
        template: Rebuilds it; see `rebuilt`.
    kinds: tuple[Any, ...] = ()
    parts: tuple[Any, ...] = ()
    """

    entries: tuple[Entry, ...]
    form: Hashable
    constants: tuple[Constant, ...]
    overlapping: frozenset[int]
    template: Any
    kinds: tuple[Any, ...] = ()
    parts: tuple[Any, ...] = ()

    @property
    def values(self) -> list[Any]:
        """The native values in order."""
        return [entry.value for entry in self.entries]

    def with_values(self, values: Sequence[Any]) -> Memory:
        """Return a memory of the same form with other numbers."""
        entries = tuple(Entry(entry.path, value) for entry, value in zip(self.entries, values, strict=True))
        return dataclasses.replace(self, entries=entries)


class _Reader:
    """Takes one memory apart."""

    def __init__(self, field: Field, network: Any) -> None:
        self.field, self.network = field, network
        self.entries: list[Entry] = []
        self.constants: list[Constant] = []
        self.arrays: list[np.ndarray[Any, Any]] = []
        self.kinds: dict[Any, None] = {}
        self._met: dict[int, tuple[int, Any]] = {}
        self._open: set[int] = set()

    @property
    def parts(self) -> tuple[Any, ...]:
        """Containers, arrays and objects that were met."""
        return tuple(value for _, value in self._met.values())

    def read(self, value: Any, path: str) -> Any:
        """Return the template of a value: a nest of tuples that names how to make it again."""
        kind = type(value)
        refuse_disguise(kind, path)
        if kind in ATOMS or is_number_of_numpy(value):
            if kind is not str and value != value:  # NaN: its bytes could count
                raise Unproved(f"{path} is {value}, which is equal to nothing")
            return self._constant(value, path, (kind, repr(value)))
        if issubclass(kind, enum.Enum):
            self.kinds[kind] = None
            return self._constant(value, path, (kind, id(value)))
        if kind is self.field.scalar:
            self.entries.append(Entry(path, value.value))
            return ("number",)
        if isinstance(value, Scalar):
            raise Unproved(f"{path} holds a number of another call")
        if value is self.network:
            return ("network",)
        if _is_code(value):
            if not trusted(value):
                if not isinstance(value, (types.FunctionType, type)):
                    raise Unproved(f"{path} holds code that cannot be looked into")
                self.kinds[value] = None
            return ("same", _Same(value))
        if kind in (set, frozenset) and all(type(part) in ATOMS for part in value):
            if list(set(list(value))) != list(value):
                raise Unproved(f"{path} is a set whose order depends on how it was made")
            return self._constant(value, path, (kind, tuple(map(repr, value))))  # sets of other orders are told apart
        if id(value) in self._open:
            raise Unproved(f"{path} holds itself")
        if id(value) in self._met:
            return ("again", self._met[id(value)][0])
        self._met[id(value)] = len(self._met), value
        self._open.add(id(value))
        made = self._array(value, path) if isinstance(value, np.ndarray) else self._container(value, path)
        self._open.remove(id(value))
        return made

    def _constant(self, value: Any, path: str, key: tuple[Any, ...]) -> Any:
        self.constants.append(Constant(path, f"{value!r:.60}"))
        return ("constant", key, _Held(value))

    def _array(self, array: np.ndarray[Any, Any], path: str) -> Any:
        kind = type(array)
        more = set(getattr(array, "__dict__", ())) - {"field"}
        if kind not in (np.ndarray, FieldArray) or more or array.dtype.metadata is not None:
            raise Unproved(f"{path} is an array of the class {kind.__name__}, which may hold more than numbers")
        self.arrays.append(array)
        if array.dtype != object:
            self.constants.append(Constant(path, f"{array!r:.60}"))
            return ("floats", (array.dtype.str, array.shape, array.tobytes()), _Held(array))
        elements = []
        for index, element in zip(np.ndindex(*array.shape), array.reshape(-1).tolist(), strict=True):
            at = f"{path}[{','.join(map(str, index))}]" if index else path
            elements.append(self.read(element, at))
        return ("array", kind, array.shape, tuple(elements))

    def _container(self, value: Any, path: str) -> Any:
        kind = type(value)
        if is_named(value):
            self.kinds[kind] = None
            named = zip(kind._fields, tuple.__iter__(value), strict=True)
            return ("named", kind, tuple(self.read(part, f"{path}.{name}") for name, part in named))
        if kind in (tuple, list, deque):
            parts = tuple(self.read(part, f"{path}[{n}]") for n, part in enumerate(value))
            return ("sequence", kind, getattr(value, "maxlen", None), parts)
        if kind is dict or kind is OrderedDict and not vars(value):
            return ("mapping", kind, self._named(value, path, "[{}]"))
        self.kinds[kind] = None
        return ("object", kind, self._named(attributes(value, path), path, ".{}"))

    def _named(self, parts: dict[Any, Any], path: str, shown: str) -> tuple[tuple[Any, Any], ...]:
        made = []
        for name, part in parts.items():
            if type(name) not in (str, int, bool, tuple) or not _plain(name):
                raise Unproved(f"{path} has a key of the type {type(name).__name__}")
            made.append(((type(name), name), self.read(part, path + shown.format(name))))
        return tuple(made)


def _plain(name: Any) -> bool:
    return all(map(_plain, name)) if type(name) is tuple else type(name) in (str, int, bool)


@dataclass(frozen=True, eq=False)
class _Same:
    """An object by its identity, as part of a form."""

    held: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.held is self.held

    def __hash__(self) -> int:
        return id(self.held)


class _Held:
    """A value that travels beside a form and is no part of it: two are always equal."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held)

    def __hash__(self) -> int:
        return 0


def _is_code(value: Any) -> bool:
    return isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType, np.ufunc, types.ModuleType))


def is_number_of_numpy(value: Any) -> bool:
    """Return True for a scalar of NumPy's own types, which is nothing but its value."""
    return isinstance(value, np.generic) and type(value) is value.dtype.type and type(value) is not np.void


def is_named(value: Any) -> bool:
    """Return True for a named tuple that is nothing but its fields."""
    kind = type(value)
    fields = getattr(kind, "_fields", None)
    if not issubclass(kind, tuple) or not isinstance(fields, tuple):
        return False
    return len(fields) == tuple.__len__(value) and _plain_dict(kind) and not _own(value)


def attributes(value: Any, path: str) -> dict[str, Any]:
    """Return the attributes of an object of a class that Python code made.

    Raises:
        Unproved: It may hold more than its attributes.
    """
    kind = type(value)
    slots = [base for base in kind.__mro__ if base is not object and base.__dict__.get("__slots__")]
    of_python = all(base.__flags__ & MADE_BY_PYTHON for base in kind.__mro__[:-1])
    as_large = (kind.__basicsize__, kind.__itemsize__) == (_Empty.__basicsize__, 0)  # larger ones hold more, in C
    own = _own(value) if of_python and as_large and not slots and _plain_dict(kind) else None
    if own is None:
        raise Unproved(f"{path} is a {kind.__name__}, which cannot be looked into")
    return dict(own)


class _Empty:
    """A class of objects that hold nothing but their attributes."""


def _own(value: Any) -> dict[str, Any] | None:
    """Return the dict of an object's attributes, whatever its class says that it is."""
    try:
        found = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return None
    return found if type(found) is dict else None


_IN_C = (types.GetSetDescriptorType, types.WrapperDescriptorType)


def _plain_dict(kind: type) -> bool:
    """Return True if the objects of a class have no `__dict__` and no look-up of attributes of their own."""
    return not defines(kind, "__dict__", "__getattribute__", "__getattr__")


def defines(kind: type, *names: str) -> bool:
    """Return True if Python code of a class, or of one that it is derived from, defines one of these names."""
    return any(
        name in vars(base) and not isinstance(vars(base)[name], _IN_C) for base in kind.__mro__ for name in names
    )


def refuse_disguise(kind: type, path: str) -> None:
    """Raise `Unproved` for a class whose objects say that they are of another."""
    if defines(kind, "__class__"):
        raise Unproved(f"{path} is a {kind.__name__}, which cannot be looked into")


def taken_apart(value: Any, field: Field, network: Any, name: str = "state") -> Memory:
    """Take a memory apart.

    Args:
        value: A pair of the rule's attributes, a dict, and its state.
        field: The number system.
        network: The network, which counts as a constant.
        name: The name of the second of the pair, for messages.

    Raises:
        Unproved: A part cannot be looked into.
    """
    reader = _Reader(field, network)
    own, state = value
    template = (reader.read(own, "self"), reader.read(state, name))
    pairs = itertools.combinations(enumerate(reader.arrays), 2)
    shared = [(i, j) for (i, a), (j, b) in pairs if a.size and b.size and np.may_share_memory(a, b)]
    overlapping = frozenset(itertools.chain.from_iterable(shared))
    form = (template,)
    return Memory(
        tuple(reader.entries), form, tuple(reader.constants), overlapping, template, tuple(reader.kinds), reader.parts
    )


@dataclass
class Rebuilt:
    """A memory made again, on new objects.

    Attributes:
        own: The rule's attributes.
        state: Its state.
        arrays: Its arrays in order, and what each held.
    """

    own: dict[str, Any]
    state: Any
    arrays: list[tuple[np.ndarray[Any, Any], Any]] = dataclasses.field(default_factory=list)

    @property
    def changed(self) -> frozenset[int]:
        """Numbers of the arrays that were written to since."""
        return frozenset(number for number, (array, held) in enumerate(self.arrays) if _elements(array) != held)


def _elements(array: np.ndarray[Any, Any]) -> Any:
    """Return what an array holds: its objects by their identity, or its bytes."""
    if array.dtype != object:
        return array.tobytes()
    return [_Same(element) for element in array.reshape(-1).tolist()]


def rebuilt(memory: Memory, values: list[Any], field: Field, network: Any) -> Rebuilt:
    """Make a memory again, with other numbers.

    Args:
        memory: A memory of this form.
        values: Its numbers, native values of `field`.
        field: Their number system.
        network: The network to put in its place.
    """
    numbers, met, made = iter(values), list[Any](), Rebuilt({}, None)

    def build(template: Any) -> Any:
        what = template[0]
        if what == "number":
            return field.scalar(next(numbers))
        if what == "network":
            return network
        if what == "same":
            return template[1].held
        if what == "constant":
            held = template[2].value
            return set(list(held)) if type(held) is set else held
        if what == "again":
            return met[template[1]]
        place = len(met)
        met.append(None)  # parts are numbered from the outside in
        met[place] = value = _BUILDERS[what](template, build)
        if isinstance(value, np.ndarray):
            if type(value) is FieldArray:
                value.field = field
            made.arrays.append((value, _elements(value)))
        return value

    made.own, made.state = build(memory.template[0]), build(memory.template[1])
    return made


def _make_array(template: Any, build: Any) -> Any:
    _, kind, shape, elements = template
    array = np.empty(len(elements), dtype=object)
    for n, element in enumerate(elements):
        array[n] = build(element)
    return array.reshape(shape).view(kind)


def _make_object(template: Any, build: Any) -> Any:
    _, kind, parts = template
    made = object.__new__(kind)
    vars(made).update({name: build(part) for (_, name), part in parts})
    return made


_BUILDERS: dict[str, Any] = {
    "array": _make_array,
    "floats": lambda t, build: t[2].value.copy(),
    "named": lambda t, build: tuple.__new__(t[1], map(build, t[2])),
    "sequence": lambda t, build: deque(map(build, t[3]), t[2]) if t[1] is deque else t[1](map(build, t[3])),
    "mapping": lambda t, build: t[1]((name, build(part)) for (_, name), part in t[2]),
    "object": _make_object,
}


def first_difference(memories: list[Memory]) -> Iterator[str]:
    """Yield, for the parts of a form that differ between memories, their places and their values."""
    for parts in zip(*(memory.constants for memory in memories), strict=False):
        if len({part.text for part in parts}) > 1 and len({part.path for part in parts}) == 1:
            yield f"{parts[0].path} is {', '.join(part.text for part in parts)}"
