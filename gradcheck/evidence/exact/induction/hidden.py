"""Reach of a rule's code beyond its memory: no proof covers a step that changes anything there, or code that could.

The code of start, step and finish is followed through the functions and classes that it names, their closures,
defaults and attributes. What is found there is compared before and after each step. Code that reaches what cannot be
looked into, such as an iterator, a clock or the interpreter's own frames, is refused. NumPy, the standard library's
pure modules and the networks are trusted: the rule is judged, not they.
"""

from __future__ import annotations

import dataclasses
import dis
import functools
import re
import types
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np

from ....reference.scalars.scalar import Scalar
from .memory import ATOMS, Memory, attributes, is_named, is_number_of_numpy, refuse_disguise
from .trust import MADE_BY_PYTHON, Unproved, of_pure_module, pure, shipped, trusted

_OF_KINDS = frozenset((
    "dtype", "issubclass", "type", "__class__", "hasattr", "issubdtype", "can_cast", "result_type",
    "promote_types", "min_scalar_type", "common_type", "isscalar", "iscomplexobj", "isrealobj", "itemsize", "nbytes",
    "tobytes", "finfo",
))  # fmt: skip
"""Names by which code can tell numbers of one kind, such as floats, from those of another."""
_REFUSED_NAMES = frozenset((
    "globals", "locals", "vars", "eval", "exec", "compile", "open", "input", "id", "hash", "__import__", "setattr",
    "delattr", "__setattr__", "breakpoint", "count", "cycle", "random", "memmap", "seterr", "seterrcall",
    "errstate", "__dict__", "f_back", "gi_frame", "__closure__", "__code__", "__globals__", "__defaults__", "ctypes",
    "tofile", "fromfile", "save", "load", "lru_cache", "cache", "cached_property", "set_printoptions", "printoptions",
    "geterrcall", "__self__", "__func__", "__wrapped__", "__subclasses__", "__builtins__",
    "modules", "tb_frame", "__traceback__", "cr_frame", "ag_frame", "__annotations__", "__dataclass_fields__",
    "get_type_hints", "attrgetter", "methodcaller", "is_", "is_not", "memoryview", "as_strided", "__sizeof__",
    "savetxt", "loadtxt", "genfromtxt", "fromregex", "savez", "savez_compressed", "dump", "DataSource", "open_memmap",
    "setbufsize", "getbufsize", "datetime64", "base", "strides", "flags", "__array_interface__", "__array_struct__",
    "metadata", "shares_memory", "may_share_memory", "isfortran",
))  # fmt: skip
"""Names that code which computes one step has no need of, and by which it could keep or read something elsewhere."""


_REFUSED_BUILTINS = frozenset((
    "getattr", "setattr", "delattr", "globals", "locals", "vars", "eval", "exec", "compile", "open", "id", "hash",
    "__import__", "input", "breakpoint",
))  # fmt: skip
"""Built-in functions that count wherever they are reached, under whatever name."""


def reachable(*functions: Any) -> Hashable:
    """Return a key of what the code of functions can reach. Two keys are equal if nothing there has changed.

    Args:
        functions: The methods of the rule, and its class.

    Raises:
        Unproved: The code reaches what cannot be looked into.
    """
    walk = Walk()
    return tuple(walk.key(function) for function in functions)


def reaches_part_of(memory: Memory, *functions: Any) -> bool:
    """Return True if the code of functions reaches an object, or the storage of an array, that a memory holds too."""
    walk = Walk()
    for function in functions:
        walk.key(function)
    met = [value for _, value in walk.met.values()]
    arrays = [value for value in met if isinstance(value, np.ndarray)]
    return any(
        any(np.may_share_memory(part, array) for array in arrays)
        if isinstance(part, np.ndarray)
        else id(part) in walk.met
        for part in memory.parts
        if not isinstance(part, tuple)
    )


class Walk:
    """One walk. An object met again counts by the place at which it was met first."""

    def __init__(self) -> None:
        self.met: dict[int, tuple[int, Any]] = {}

    def key(self, value: Any) -> Hashable:
        kind = type(value)
        refuse_disguise(kind, "what its code reaches")
        if kind in ATOMS or kind is re.Pattern or isinstance(value, np.dtype) or is_number_of_numpy(value):
            return kind, repr(value)
        if isinstance(value, Scalar) and trusted(kind):
            return kind, id(value.value)
        if isinstance(value, types.BuiltinFunctionType) and value.__name__ in _REFUSED_BUILTINS:
            raise Unproved(f"its code reaches {value.__name__} by another name, by which it could keep something")
        if trusted(value):
            name = getattr(value, "__name__", None)
            if name in _REFUSED_NAMES and kind is not type or value in (isinstance, issubclass, hasattr):
                raise Unproved(f"its code reaches {name}, by which it could keep or read something else")
            return "trusted", id(value), self.attached(value)
        if id(value) in self.met:
            return "again", self.met[id(value)][0]
        self.met[id(value)] = len(self.met), value
        return kind, id(value), self._within(value)

    def attached(self, value: Any) -> Hashable:
        """Return a key of what is attached to a trusted function or class."""
        own = getattr(value, "__dict__", None)
        if isinstance(value, types.ModuleType) or own is None:
            return ()
        return tuple((name, self.key(part) if _could_count(part) else id(part)) for name, part in own.items())

    def _within(self, value: Any) -> Hashable:
        kind = type(value)
        if kind in (tuple, list, set, frozenset) or is_named(value):
            return tuple(map(self.key, value))
        if kind is dict or kind is types.MappingProxyType:
            return tuple((self.key(name), self.key(part)) for name, part in value.items())
        if kind is deque or kind is OrderedDict:
            return tuple(map(self.key, value.items() if kind is OrderedDict else value))
        if kind is np.ndarray and value.dtype.metadata is None:
            held = tuple(map(self.key, value.reshape(-1).tolist())) if value.dtype == object else value.tobytes()
            return value.shape, value.strides, value.flags.writeable, held
        if isinstance(value, types.FunctionType):
            return self.within_function(value)
        if isinstance(value, types.BuiltinFunctionType):
            return self.key(value.__self__)
        if isinstance(value, types.MethodType):
            return self.key(value.__func__), self.key(value.__self__)
        if kind in (staticmethod, classmethod):
            return self.key(value.__func__)
        if kind is dataclasses.Field:
            return tuple(map(self.key, (value.default, value.default_factory, value.type, value.metadata)))
        if kind is property:
            return tuple(map(self.key, (value.fget, value.fset, value.fdel)))
        if kind is functools.partial:
            return tuple(map(self.key, (value.func, value.args, value.keywords, vars(value))))
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, types.ModuleType):
            raise Unproved(f"its code reaches the module {value.__name__}, which could keep something")
        try:
            return self.key(type(value)), self._within(attributes(value, "its code"))
        except Unproved:
            raise Unproved(
                f"its code reaches an object of the class {kind.__name__}, which cannot be looked into"
            ) from None

    def _class(self, value: type) -> Hashable:
        own = {name: part for name, part in vars(value).items() if name not in _OF_EVERY_CLASS or _holds(name, part)}
        given = []
        if "__dataclass_params__" in vars(value):
            own = {name: part for name, part in own.items() if not _generated(name, part)}
            fields = vars(value)["__dataclass_fields__"].values()
            given = [default for part in fields for default in (part.default, part.default_factory)]
        bases, made = tuple(map(self.key, value.__bases__)), (self.key(type(value)), self._within(given))
        return bases, made, tuple((name, self.key(part)) for name, part in own.items() if not _is_descriptor_in_c(part))

    def within_function(self, function: types.FunctionType) -> Hashable:
        """Return a key of a function's code and of what that reaches."""
        cells = tuple(self._cell(cell) for cell in function.__closure__ or ())
        given = tuple(map(self.key, (function.__defaults__, function.__kwdefaults__)))
        own = {name: part for name, part in vars(function).items() if name != "__wrapped__"}
        if of_pure_module(function):  # made in a call there: what it holds may be the rule's, its code is not
            return function.__code__, cells, given, self._within(own)
        if not shipped(function):
            _check_operations(function.__code__)
            _check_kinds(function.__code__, function.__globals__)
        named = function.__name__, function.__qualname__, function.__doc__, function.__module__
        around = function.__globals__
        attached = tuple(self._of_chain(chain, around) for chain in _chains(function.__code__))
        used = tuple((name, self._global(function, name, around)) for name in _names(function.__code__))
        return function.__code__, cells, given, named, self._within(own), used, attached

    def _of_chain(self, chain: tuple[str, ...], around: dict[str, Any]) -> Hashable:
        """Return a key of what is attached to the function or class that a chain leads to from a module.

        Raises:
            Unproved: It leads to a module or to another object, in which code could keep something.
        """
        value: Any = around.get(chain[0])
        for name in chain[1:]:
            if not isinstance(value, types.ModuleType):
                break  # an attribute of a function or class, which counts with it
            value = getattr(value, name, None)
        if isinstance(value, types.ModuleType):
            raise Unproved(f"its code takes the module {value.__name__} as a value, in which it could keep something")
        if not isinstance(around.get(chain[0]), types.ModuleType):
            return ()
        if type(value) in ATOMS or isinstance(value, (np.generic, np.dtype)):
            return ()
        if not callable(value):
            raise Unproved(f"its code reaches {'.'.join(chain)}, in which it could keep something")
        return self.key(value)

    def _cell(self, cell: Any) -> Hashable:
        try:
            return self.key(cell.cell_contents)
        except ValueError:
            return None

    def _global(self, function: types.FunctionType, name: str, around: dict[str, Any]) -> Hashable:
        if name in _REFUSED_NAMES:
            raise Unproved(f"its code uses the name {name}, by which it could keep or read something else")
        if name in _OF_KINDS and not shipped(function):
            raise Unproved(f"its code uses the name {name}, by which it could do something else on floats")
        value = around.get(name)
        if value is type and not shipped(function):
            raise Unproved(f"its code uses the name {name}, by which it could do something else on floats")
        if isinstance(value, types.ModuleType) and not trusted(value):
            raise Unproved(f"its code reaches the module {value.__name__}, which could keep something")
        return None if value is None else self.key(value)


def _could_count(value: Any) -> bool:
    """Return True for a value that is no part of a trusted function or class, or changes in place."""
    kind = type(value)
    return kind in _CONTAINERS or isinstance(value, Iterator) or not pure(str(kind.__module__))


_CONTAINERS = (list, dict, set, deque, OrderedDict, bytearray, np.ndarray)
_OF_EVERY_CLASS = frozenset((
    "__dict__", "__weakref__", "__doc__", "__module__", "__annotations__", "__orig_bases__", "__parameters__",
    "__dataclass_params__", "__dataclass_fields__", "__match_args__", "__static_attributes__", "__firstlineno__",
    "__annotate__", "__annotations_cache__", "__annotate_func__", "__abstractmethods__", "_abc_impl", "__slots__",
    "__protocol_attrs__", "__gradcheck__", "_is_protocol", "_is_runtime_protocol", "__repr__", "__eq__", "__hash__",
    "_field_defaults", "__implementations__", "__wrapped__", "__replace__", "__type_params__",
))  # fmt: skip


def _holds(name: str, part: Any) -> bool:
    """Return True for what stands under a name that every class may have, and could count all the same."""
    if name in ("__annotations__", "__dataclass_fields__"):  # not to be named by code
        return type(part) is not dict
    return type(part) in _CONTAINERS or isinstance(part, (types.FunctionType, types.MethodType))


_WRITTEN = frozenset(
    (
        "__init__",
        "__repr__",
        "__eq__",
        "__hash__",
        "__lt__",
        "__le__",
        "__gt__",
        "__ge__",
        "__setattr__",
        "__delattr__",
        "__replace__",
    )
)


def _generated(name: str, value: Any) -> bool:
    """Return True for a method that `dataclass` wrote."""
    if isinstance(value, types.FunctionType) and value.__globals__ is vars(dataclasses):  # around a __repr__
        value = vars(value).get("__wrapped__")
    return name in _WRITTEN and isinstance(value, types.FunctionType) and value.__code__.co_filename == "<string>"


def _is_descriptor_in_c(value: Any) -> bool:
    descriptors = (types.MemberDescriptorType, types.GetSetDescriptorType, types.WrapperDescriptorType)
    return isinstance(value, (*descriptors, types.MethodDescriptorType)) or type(value).__name__ == "_tuplegetter"


@functools.lru_cache(4096)
def _names(code: types.CodeType) -> tuple[str, ...]:
    """Return the names that code and the functions within it use, of globals and of attributes, each once."""
    _check_modules(code)
    _check_getattr(code)
    found = dict.fromkeys(code.co_names)
    for imported in _imported(code):
        if not pure(imported):
            raise Unproved(f"its code imports {imported}, which could keep something")
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found.update(dict.fromkeys(_names(constant)))
    return tuple(found)


@functools.lru_cache(4096)
def _check_operations(code: types.CodeType) -> None:
    """Raise `Unproved` for operations that tell apart what is equal, or numbers of one kind from those of another."""
    constant: Any = ()
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IS_OP" and not (constant is None or type(constant) in (bool, type(...))):
            raise Unproved("its code asks whether two things are one object, which the state does not say")
        if instruction.opname == "PUSH_EXC_INFO":
            raise Unproved("its code handles errors, and numbers of other kinds raise them elsewhere")
        if instruction.opname == "MATCH_CLASS":
            raise Unproved("its code matches classes, by which numbers of one kind are told from those of another")
        constant = instruction.argval if instruction.opname == "LOAD_CONST" else ()
        if isinstance(constant, types.CodeType):
            _check_operations(constant)


def _check_kinds(code: types.CodeType, around: dict[str, Any]) -> None:
    """Raise `Unproved` where code asks whether something is of a class that could be one of numbers."""
    asked, last = False, None
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("CACHE", "PRECALL", "EXTENDED_ARG", "PUSH_NULL"):
            continue
        if isinstance(instruction.argval, types.CodeType):
            _check_kinds(instruction.argval, around)
        if asked and instruction.opname.startswith("CALL"):
            of = around.get(last.argval, _PLAIN.get(last.argval)) if last and last.opname == "LOAD_GLOBAL" else None
            if instruction.argval != 2 or not _is_no_number(of):
                raise Unproved("its code asks for a class, by which it could do something else on floats")
            asked = False
        elif instruction.argval == "isinstance" and instruction.opname.startswith("LOAD"):
            if asked:
                raise Unproved("its code asks for a class, by which it could do something else on floats")
            asked = True
        last = instruction
    if asked:
        raise Unproved("its code takes isinstance as a value, by which it could do something else on floats")


_PLAIN = {each.__name__: each for each in (list, tuple, dict, str, set, frozenset)}


def _is_no_number(kind: Any) -> bool:
    """Return True for a class of containers, or one of the rule's own that is derived from no other."""
    if kind in _PLAIN.values() or kind is deque:
        return True
    own = type(kind) is type and not pure(str(kind.__module__)) and kind.__flags__ & MADE_BY_PYTHON
    return bool(own) and all(base is object or base is tuple or not pure(str(base.__module__)) for base in kind.__mro__)


def _imported(code: types.CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IMPORT_NAME":
            yield str(instruction.argval)


def _check_getattr(code: types.CodeType) -> None:
    """Raise `Unproved` where code gets an attribute by a name that is not written there, or is one of those refused."""
    every = [each for each in dis.get_instructions(code) if each.opname not in ("CACHE", "EXTENDED_ARG", "PRECALL")]
    for n, instruction in enumerate(every):
        if instruction.argval != "getattr" or not instruction.opname.startswith("LOAD_"):
            continue
        if every[n + 1].opname.startswith("STORE_"):
            raise Unproved("its code gives getattr another name, by which it could read something else")
        calls = (k for k in range(n, len(every)) if every[k].opname.startswith("CALL") and every[k].arg in (2, 3))
        call = next(calls, None)
        name = None if call is None else every[call - (every[call].arg or 0) + 1]
        if name is None or name.opname != "LOAD_CONST" or type(name.argval) is not str or name.argval in _REFUSED_NAMES:
            raise Unproved("its code gets an attribute by a name that is not known, which may hold something else")


@functools.lru_cache(4096)
def _chains(code: types.CodeType) -> tuple[tuple[str, ...], ...]:
    """Return the global names that code reads, each with the attributes that it goes on to read of it at once."""
    found: list[list[str]] = []
    open_ = False
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            found.append([str(instruction.argval)])
            open_ = True
        elif open_ and instruction.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            found[-1].append(str(instruction.argval))
        elif instruction.opname not in ("PUSH_NULL", "CACHE", "EXTENDED_ARG"):
            open_ = False
    within = (
        chain for constant in code.co_consts if isinstance(constant, types.CodeType) for chain in _chains(constant)
    )
    return (*(tuple(each) for each in found), *within)


def attached(value: Any) -> Hashable:
    """Return a key of the attributes of a trusted function or class, to which code could attach something."""
    return Walk().attached(value)


def _check_modules(code: types.CodeType) -> None:
    """Raise `Unproved` where code sets an attribute of what it knows by a global name, such as a module."""
    base = ""
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            base = str(instruction.argval)
        elif instruction.opname in ("STORE_ATTR", "DELETE_ATTR", "STORE_GLOBAL", "DELETE_GLOBAL") and (
            base or instruction.opname.endswith("GLOBAL")
        ):
            raise Unproved(f"its code sets {instruction.argval} of something outside the state")
        elif instruction.opname not in ("LOAD_ATTR", "LOAD_METHOD", "PUSH_NULL", "CACHE", "EXTENDED_ARG"):
            base = ""
