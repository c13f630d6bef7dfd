"""Arrays that a rule makes from nothing, made of the numbers that it runs on.

`np.zeros(n)` makes floats, and a polynomial cannot be written into them. It is what most often keeps plain NumPy code
from a proof, and nothing is wrong with it. A rule that fails for that is called again, while these functions, called in
the author's own files, make arrays of the numbers at hand wherever they would have made float64.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..reference.claims import Settings
from ..reference.errors import FloatsWanted
from ..reference.problem import Problem
from ..reference.scalars.scalar import system_of
from .adapt import Rule
from .authors import authored_by
from .failures import chain

_MADE: set[str] = set()


def taken() -> list[str]:
    """Return the places at which arrays were made of other numbers since the last call, such as "rule.py:12"."""
    places = sorted(_MADE)
    _MADE.clear()
    return places


_WANTS: list[Any] = []
"""The rule that was last seen to write other numbers into arrays of floats."""


def called(rule: Rule, problem: Problem, settings: Settings | None) -> Any:
    """Return what a rule returns, with its arrays made of the problem's numbers if it cannot do without.

    Args:
        rule: The rule.
        problem: The problem; the rule may change its arrays.
        settings: Keyword arguments of the rule.
    """
    if system_of(problem.inputs) is None:
        return rule(problem, settings)
    if not any(each is rule.target for each in _WANTS):
        try:
            return rule(problem, settings)
        except Exception as error:
            if not any(isinstance(each, FloatsWanted) for each in chain(error)):
                raise
            _WANTS[:] = [rule.target]
    with _made_of(rule.target, problem):
        return rule(problem, settings)


@contextlib.contextmanager
def _made_of(target: Any, problem: Problem) -> Iterator[None]:
    """Let the author's code make its arrays of the problem's numbers, in this context."""
    authored, slots = _where(target)
    replaced = {name: make(_ORIGINAL[name], problem.inputs, authored) for name, make in _MAKERS.items()}
    for space, name, function in slots:
        space[name] = replaced[function]
    try:
        yield
    finally:
        for space, name, function in slots:
            if space.get(name) is replaced[function]:
                space[name] = _ORIGINAL[function]


_Slots = list[tuple[dict[str, Any], str, str]]
_KNOWN: list[tuple[Any, int, Callable[[str], bool], _Slots]] = []
"""The rule that was called last, the number of modules then, and what `_where` found."""


def _where(target: Any) -> tuple[Callable[[str], bool], _Slots]:
    """Return which files are the author's, and where the functions are held: namespace, name there, own name."""
    count = len(sys.modules)
    if not _KNOWN or _KNOWN[0][0] is not target or _KNOWN[0][1] != count:
        authored = authored_by(target)
        modules = [each for each in list(sys.modules.values()) if authored(str(getattr(each, "__file__", None) or ""))]
        names = {id(function): name for name, function in _ORIGINAL.items()}
        slots = [
            (vars(module), name, names[id(value)])
            for module in (np, *modules)
            for name, value in list(vars(module).items())
            if id(value) in names
        ]
        _KNOWN[:] = [(target, count, authored, slots)]
    return _KNOWN[0][2], _KNOWN[0][3]


_UNSET = 1234.5
"""Number that `empty` holds here: a rule that reads what it never wrote is not to meet the zeros that it hopes for."""


def _filled(name: str, start: float) -> Callable[..., Any]:
    """Return a maker of the replacement of zeros, ones or empty; `start` fills the array."""

    def make(original: Any, like: Any, authored: Callable[[str], bool]) -> Any:
        def replacement(*args: Any, **named: Any) -> Any:
            frame = sys._getframe(1)
            dtype = args[1] if len(args) > 1 else named.get("dtype", float)
            other = len(args) > 2 or not set(named) <= {"shape", "dtype"}
            if other or not _float(dtype) or not authored(frame.f_code.co_filename):
                return original(*args, **named)
            _note(frame)
            made = np.zeros_like(like, shape=args[0] if args else named["shape"])
            return made + start if start else made

        replacement.__name__ = replacement.__qualname__ = name
        return replacement

    return make


def _full(original: Any, like: Any, authored: Callable[[str], bool]) -> Any:
    def replacement(*args: Any, **named: Any) -> Any:
        frame = sys._getframe(1)
        given = {**dict(zip(("shape", "fill_value", "dtype"), args, strict=False)), **named}
        fill = given.get("fill_value")
        dtype = given.get("dtype")
        floats = isinstance(fill, float) if dtype is None else _float(dtype)
        plain = len(args) <= 3 and set(given) <= {"shape", "fill_value", "dtype"} and isinstance(fill, int | float)
        if not (plain and floats and authored(frame.f_code.co_filename)):
            return original(*args, **named)
        _note(frame)
        return np.zeros_like(like, shape=given["shape"]) + fill

    replacement.__name__ = replacement.__qualname__ = "full"
    return replacement


_MAKERS: dict[str, Callable[[Any, Any, Callable[[str], bool]], Any]] = {
    "zeros": _filled("zeros", 0),
    "empty": _filled("empty", _UNSET),
    "ones": _filled("ones", 1),
    "full": _full,
}


_ORIGINAL = {name: getattr(np, name) for name in _MAKERS}


def _float(dtype: Any) -> bool:
    """Return whether a dtype is float64, or that of arrays of objects, which other numbers have."""
    try:
        return np.dtype(dtype) in (np.dtype(np.float64), np.dtype(object))
    except TypeError:
        return False


def _note(frame: Any) -> None:
    _MADE.add(f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}")
