"""Numbers in a rule's own code, read without running it: constants, globals, defaults and what closures hold."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any

_MOST_PARTS = 1000
_LARGEST = 1e6


def numbers_in(target: Any, authored: Callable[[str], bool]) -> dict[type, list[float]]:
    """Return the numbers in a rule's code, whole ones by `int` and others by `float`, each once.

    Args:
        target: The rule, as the author wrote it.
        authored: Tells the files of the rule's author from others, by name. Code of `exec` counts too.
    """
    found: dict[type, list[float]] = {int: [], float: []}
    for value in _values(target, lambda name: name == "<string>" or authored(name)):
        kind = type(value)
        if abs(value) < _LARGEST and value not in found[kind]:
            found[kind].append(value)
    return found


def _values(target: Any, authored: Callable[[str], bool]) -> Iterator[float]:
    """Yield whole numbers and floats that code names or holds, by type alone: objects may be hostile."""
    own = None if isinstance(target, (FunctionType, MethodType, functools.partial, type)) else type(target)
    waiting, seen = [target, own], set[int]()
    while waiting and len(seen) < _MOST_PARTS:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        kind = type(part)
        if kind in (int, float):
            yield part
        elif kind is CodeType:
            waiting += part.co_consts
        elif kind is FunctionType and authored(part.__code__.co_filename):
            names = [name for name in part.__code__.co_names if name in part.__globals__]
            waiting += [part.__code__, part.__defaults__, part.__kwdefaults__, part.__dict__.get("__wrapped__")]
            waiting += [part.__globals__[name] for name in names]
            waiting += [_held(cell) for cell in part.__closure__ or ()]
        elif kind is functools.partial:
            waiting += [part.func, part.args, part.keywords]
        elif kind is MethodType:
            waiting.append(part.__func__)
        elif kind is dict:
            waiting += part.values()
        elif kind in (list, tuple, set, frozenset):
            waiting += part
        elif kind in (staticmethod, classmethod):
            waiting.append(part.__func__)
        elif issubclass(kind, type):
            waiting += type.__dict__["__dict__"].__get__(part).values()


def _held(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing was put there yet
        return None
