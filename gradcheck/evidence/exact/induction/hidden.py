"""Reach of a rule's code beyond its memory: no proof covers a step that changes anything there, or code that could.

The code of start, step and finish is followed through the functions and classes that it names, their closures,
defaults and attributes. What is found there is compared before and after each step. Code that reaches what cannot be
looked into, such as an iterator, a clock or the interpreter's own frames, is refused. NumPy, the standard library's
pure modules and the networks are trusted: the rule is judged, not they.
"""

from __future__ import annotations

import dis
import enum
import functools
import re
import types
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np

from ....reference.scalars.scalar import Scalar
from .memory import ATOMS, attributes
from .trust import Unproved, pure, trusted

_REFUSED_NAMES = frozenset((
    "globals", "locals", "vars", "eval", "exec", "compile", "open", "input", "id", "hash", "__import__", "setattr",
    "delattr", "getattr", "__setattr__", "breakpoint", "count", "cycle", "random", "memmap", "seterr", "seterrcall",
    "errstate", "__dict__", "f_back", "gi_frame", "__closure__", "__code__", "__globals__", "__defaults__", "ctypes",
    "tofile", "fromfile", "save", "load", "lru_cache", "cache", "cached_property", "set_printoptions", "printoptions",
    "geterrcall", "__self__", "__func__", "__wrapped__", "__subclasses__", "__builtins__",
    "modules", "tb_frame", "__traceback__",
))  # fmt: skip
"""Names that code which computes one step has no need of, and by which it could keep or read something elsewhere."""


def reachable(*functions: Any) -> Hashable:
    """Return a key of what the code of functions can reach. Two keys are equal if nothing there has changed.

    Args:
        functions: The methods of the rule, and its class.

    Raises:
        Unproved: The code reaches what cannot be looked into.
    """
    walk = Walk()
    return tuple(walk.key(function) for function in functions)


class Walk:
    """One walk. An object met again counts by the place at which it was met first."""

    def __init__(self) -> None:
        self._met: dict[int, tuple[int, Any]] = {}

    def key(self, value: Any) -> Hashable:
        kind = type(value)
        if kind in ATOMS or isinstance(value, (np.generic, np.ufunc, np.dtype, re.Pattern, Scalar)):
            return kind, repr(value) if not isinstance(value, Scalar) else id(value.value)
        if isinstance(value, enum.Enum):
            return "enum", id(value)
        if trusted(value):
            return "trusted", id(value), attached(value)
        if id(value) in self._met:
            return "again", self._met[id(value)][0]
        self._met[id(value)] = len(self._met), value
        return kind, id(value), self._within(value)

    def _within(self, value: Any) -> Hashable:
        kind = type(value)
        if kind in (tuple, list) or isinstance(value, tuple):
            return tuple(map(self.key, value))
        if kind in (set, frozenset):
            return frozenset(map(repr, value))
        if kind is dict or kind is types.MappingProxyType:
            return tuple((self.key(name), self.key(part)) for name, part in value.items())
        if kind is deque or kind is OrderedDict:
            return tuple(map(self.key, value.items() if kind is OrderedDict else value))
        if isinstance(value, np.ndarray):
            held = tuple(map(self.key, value.reshape(-1).tolist())) if value.dtype == object else value.tobytes()
            return value.shape, held
        if isinstance(value, types.FunctionType):
            return self.within_function(value)
        if isinstance(value, types.BuiltinFunctionType):
            return self.key(value.__self__)
        if isinstance(value, types.MethodType):
            return self.key(value.__func__), self.key(value.__self__)
        if isinstance(value, (staticmethod, classmethod)):
            return self.key(value.__func__)
        if isinstance(value, property):
            return tuple(map(self.key, (value.fget, value.fset)))
        if isinstance(value, functools.partial):
            return tuple(map(self.key, (value.func, value.args, value.keywords)))
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
        if type(value) is not type and not trusted(type(value)):
            self.key(type(value))
        own = {name: part for name, part in vars(value).items() if name not in _OF_EVERY_CLASS}
        if "__dataclass_params__" in vars(value):
            own = {name: part for name, part in own.items() if not _generated(part)}
        return tuple(self.key(base) for base in value.__bases__), tuple(
            (name, self.key(part)) for name, part in own.items() if not _is_descriptor_in_c(part)
        )

    def within_function(self, function: types.FunctionType) -> Hashable:
        """Return a key of a function's code and of what that reaches."""
        cells = tuple(self._cell(cell) for cell in function.__closure__ or ())
        given = tuple(map(self.key, (function.__defaults__, function.__kwdefaults__)))
        own = {name: part for name, part in vars(function).items() if name != "__wrapped__"}
        around = function.__globals__
        attached = tuple(self._of_chain(chain, around) for chain in _chains(function.__code__))
        used = tuple((name, self._global(function, name, around)) for name in _names(function.__code__))
        return function.__code__, cells, given, self._within(own), used, attached

    def _of_chain(self, chain: tuple[str, ...], around: dict[str, Any]) -> Hashable:
        """Return a key of what is attached to the function or class that a chain leads to from a module.

        Raises:
            Unproved: It leads to a module or to another object, in which code could keep something.
        """
        value: Any = around.get(chain[0])
        for name in chain[1:]:
            if not isinstance(value, types.ModuleType):
                return ()
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
        value = around.get(name)
        if isinstance(value, types.ModuleType) and not trusted(value):
            raise Unproved(f"its code reaches the module {value.__name__}, which could keep something")
        return None if value is None else self.key(value)


_OF_EVERY_CLASS = frozenset((
    "__dict__", "__weakref__", "__doc__", "__module__", "__annotations__", "__orig_bases__", "__parameters__",
    "__dataclass_params__", "__dataclass_fields__", "__match_args__", "__static_attributes__", "__firstlineno__",
    "__annotate__", "__annotations_cache__", "__annotate_func__", "__abstractmethods__", "_abc_impl", "__slots__",
    "__protocol_attrs__", "__gradcheck__", "_is_protocol", "_is_runtime_protocol", "__repr__", "__eq__", "__hash__",
    "_field_defaults", "__implementations__", "__wrapped__", "__replace__", "__type_params__",
))  # fmt: skip


def _generated(value: Any) -> bool:
    """Return True for a method that `dataclass` wrote."""
    return isinstance(value, types.FunctionType) and value.__code__.co_filename == "<string>"


def _is_descriptor_in_c(value: Any) -> bool:
    descriptors = (types.MemberDescriptorType, types.GetSetDescriptorType, types.WrapperDescriptorType)
    return isinstance(value, (*descriptors, types.MethodDescriptorType)) or type(value).__name__ == "_tuplegetter"


@functools.lru_cache(4096)
def _names(code: types.CodeType) -> tuple[str, ...]:
    """Return the names that code and the functions within it use, of globals and of attributes, each once."""
    _check_modules(code)
    found = dict.fromkeys(code.co_names)
    for imported in _imported(code):
        if not pure(imported):
            raise Unproved(f"its code imports {imported}, which could keep something")
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found.update(dict.fromkeys(_names(constant)))
    return tuple(found)


def _imported(code: types.CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IMPORT_NAME":
            yield str(instruction.argval)


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
    own = getattr(value, "__dict__", None)
    if isinstance(value, types.ModuleType) or own is None:
        return ()
    return tuple((name, id(part)) for name, part in own.items())


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
