"""Code and objects that keep nothing from one step to the next: those of NumPy, of pure modules, of the reference."""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np

from ....reference.errors import GradcheckError

MADE_BY_PYTHON = 1 << 9
"""Flag of a class that Python code made."""
_ROOT = __name__.partition(".")[0]
_REFERENCE = f"{_ROOT}.reference"
_FRESH = f"{_ROOT}.rules.fresh"
"""The module whose functions stand in for np.zeros and the like."""
_PURE = frozenset((
    "numpy", "math", "functools", "itertools", "operator", "dataclasses", "collections", "typing", "types", "enum",
    "abc", "copy", "fractions", "numbers", "__future__", "builtins", "_collections_abc", "_functools", "_operator",
    "contextlib", "flint", "_abc",
))  # fmt: skip


_IMPURE = ("numpy.random", "numpy.ctypeslib", "numpy.testing", "numpy.f2py")
"""Modules within pure ones that keep something, or reach what does."""


class Unproved(GradcheckError):
    """A proof for every T was not found, for the reason given; the rule may be right."""


def pure(module: str) -> bool:
    """Return True for the name of a module whose functions keep nothing from one call to the next."""
    if module.startswith(_IMPURE):
        return False
    return module.partition(".")[0] in _PURE or module in (_REFERENCE, _FRESH) or module.startswith(f"{_REFERENCE}.")


def trusted(value: Any) -> bool:
    """Return True for an object of a pure module. A name that only claims to be of one does not count."""
    if isinstance(value, types.ModuleType):
        return pure(value.__name__) and sys.modules.get(value.__name__) is value
    if isinstance(value, types.FunctionType):
        of_reference = str(value.__globals__.get("__name__")).startswith(_REFERENCE)
        if "<locals>" in value.__code__.co_qualname and not of_reference:
            return False  # such as contextlib.contextmanager makes, around a function of the rule's
        return of_pure_module(value)
    if isinstance(value, type):
        return isinstance(value.__module__, str) and pure(value.__module__) and _found(value) is value
    if isinstance(value, types.BuiltinFunctionType):
        owner = value.__self__
        if owner is None:
            return pure(value.__module__ or "")
        return isinstance(owner, (types.ModuleType, type)) and trusted(owner)
    kind = type(value)
    if isinstance(value, np.ufunc):  # not those of np.frompyfunc
        return any(getattr(module, value.__name__, None) is value for module in (np, np.strings))
    if not isinstance(kind.__module__, str):
        return False
    if kind.__module__ in ("typing", "types"):
        return not isinstance(value, _HOLDERS)
    if kind.__module__ == "numpy":
        return callable(value) and not kind.__flags__ & MADE_BY_PYTHON  # np.vectorize is one around a function
    return kind.__module__.startswith(_REFERENCE) and trusted(kind)


def of_pure_module(function: types.FunctionType) -> bool:
    """Return True for a function whose code is that of a pure module."""
    name = str(function.__globals__.get("__name__"))
    return pure(name) and vars(sys.modules.get(name, types)) is function.__globals__


def shipped(function: types.FunctionType) -> bool:
    """Return True for a function of gradcheck's own algorithms."""
    name = str(function.__globals__.get("__name__"))
    return name.startswith(f"{_ROOT}.algorithms.") and vars(sys.modules.get(name, types)) is function.__globals__


def _found(kind: type) -> Any:
    """Return the object that a class's module has under its name."""
    found: Any = sys.modules.get(kind.__module__)
    for name in kind.__qualname__.split("."):
        found = getattr(found, name, None)
    return found


_HOLDERS = (
    types.FunctionType, types.MethodType, types.ModuleType, types.MappingProxyType, types.SimpleNamespace,
    types.GeneratorType, types.CodeType, types.CellType,
)  # fmt: skip
"""Types of the module `types` that hold other objects."""
