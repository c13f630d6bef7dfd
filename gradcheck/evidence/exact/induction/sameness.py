"""Code that could tell whether two objects are one, or that have equal values, other than numbers, strings and classes.

Memories of a rule given as passes are made again for each step, so an array that two steps share in a run is two arrays
in a proof. The proof stands for all runs only if the code cannot tell.
"""

from __future__ import annotations

import copy
import dis
import operator
import types
from collections.abc import Hashable
from typing import Any

import numpy as np

from .hidden import Walk
from .trust import Unproved, of_pure_module

_TELLING = frozenset((
    "is_", "is_not", "eq", "ne", "contains", "index", "remove", "__eq__", "__ne__", "__contains__", "may_share_memory",
    "shares_memory", "base", "flags", "strides", "__array_interface__", "indexOf", "countOf", "byte_bounds", "setflags",
    "sorted", "sort", "min", "max", "data", "deepcopy",
))  # fmt: skip
"""Names by which code compares objects, or sees how arrays are stored."""
_TELLERS: tuple[Any, ...] = (
    operator.is_, operator.is_not, operator.eq, operator.ne, operator.contains, operator.indexOf, operator.countOf,
    np.shares_memory, np.may_share_memory, sorted, min, max, copy.deepcopy,
)  # fmt: skip
"""Functions that do the same under any name."""


def refuse_sameness(*kinds: type) -> None:
    """Raise `Unproved` where code of classes, or what it calls, could tell whether two objects are one.

    Comparisons with a constant, and of a type with a class, are no such thing.

    Args:
        kinds: The class of the rule, and those of the objects that it keeps.
    """
    walk = _Sameness()
    by_place: Any = object.__hash__
    for kind in kinds:
        walk.key(kind)
        named = issubclass(kind, tuple)
        if kind is not kinds[0] and not named and kind.__hash__ is by_place:
            raise Unproved(f"it keeps objects of the class {kind.__name__}, which may be told apart; keep a tuple")


class _Sameness(Walk):
    def key(self, value: Any) -> Hashable:
        if id(value) in map(id, _TELLERS):
            raise Unproved(f"its code uses {value.__name__}, by which it could tell arrays apart that are equal")
        return super().key(value)

    def within_function(self, function: types.FunctionType) -> Hashable:
        if not of_pure_module(function):
            _check(function.__code__, function.__globals__)
        return super().within_function(function)


def _check(code: types.CodeType, around: dict[str, Any]) -> None:
    if told := _TELLING & set(code.co_names):
        raise Unproved(f"its code uses the name {min(told)}, by which it could tell arrays apart that are equal")
    read: list[dis.Instruction] = []
    for each in dis.get_instructions(code):
        if each.opname == "IS_OP" and not _known(read[-1], around):
            raise Unproved(f"{code.co_name} asks whether two objects are one")
        if each.opname == "COMPARE_OP" and not _known(read[-1], around):
            raise Unproved(f"{code.co_name} compares two objects; compare with a constant")
        if each.opname == "CONTAINS_OP" and not (read[-1].opname in _LOADS and _known(read[-2], around)):
            raise Unproved(f"{code.co_name} looks for an object in another; look for a constant")
        if each.opname in ("STORE_ATTR", "DELETE_ATTR") and read[-1].argval != "self":
            raise Unproved(
                f"{code.co_name} sets {each.argval} of an object; set attributes by self.{each.argval} = ..."
            )
        if each.opname == "STORE_FAST" and each.argval == "self":
            raise Unproved(f"{code.co_name} gives self another meaning")
        if each.opname not in ("CACHE", "EXTENDED_ARG", "PUSH_NULL"):
            read.append(each)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _check(constant, around)


_LOADS = frozenset(("LOAD_FAST", "LOAD_FAST_BORROW", "LOAD_GLOBAL", "LOAD_DEREF", "LOAD_NAME"))
"""Instructions that read one variable."""


def _known(read: dis.Instruction, around: dict[str, Any]) -> bool:
    """Return True for an instruction that reads a constant or a class."""
    if read.opname in ("LOAD_CONST", "LOAD_SMALL_INT"):
        return True
    return read.opname == "LOAD_GLOBAL" and isinstance(around.get(read.argval), type)
