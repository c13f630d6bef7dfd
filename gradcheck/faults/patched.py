"""Copies of the shipped rules with pieces of their source replaced, each in modules of its own.

A copy's modules import each other, not the shipped ones, so that a change of `unfolding` reaches every rule that uses
it. None is added to `sys.modules`.
"""

from __future__ import annotations

import builtins
import difflib
import functools
import importlib
import inspect
import linecache
from collections.abc import Sequence
from dataclasses import dataclass
from types import CodeType, ModuleType
from typing import Any

from ..reference.errors import GradcheckError

_PACKAGE = "gradcheck.algorithms"


@dataclass(frozen=True)
class Change:
    """A replacement in the source of a module.

    Attributes:
        module: Its name in gradcheck.algorithms.
        old: The text to replace, which must occur exactly once.
        new: The text in its place.
    """

    module: str
    old: str
    new: str


@functools.cache
def source(module: str) -> str:
    """Return the source of a module of gradcheck.algorithms."""
    return inspect.getsource(importlib.import_module(f"{_PACKAGE}.{module}"))


def patched_source(module: str, changes: Sequence[Change]) -> str:
    """Return a module's source with its changes made.

    Raises:
        GradcheckError: A text to replace does not occur exactly once, since the shipped rule has changed.
    """
    text = source(module)
    for change in changes:
        if change.module == module:
            if text.count(change.old) != 1:
                raise GradcheckError(
                    f"{change.old!r} occurs {text.count(change.old)} times in algorithms/{module}.py; wanted once. "
                    "The shipped rule has changed: update the fault"
                )
            text = text.replace(change.old, change.new)
    return text


def load(module: str, changes: Sequence[Change], name: str) -> ModuleType:
    """Return a copy of a module, with the changes made in it and in the modules that it imports.

    Args:
        module: Its name in gradcheck.algorithms.
        changes: The replacements.
        name: A name for tracebacks.
    """
    made: dict[str, ModuleType] = {}

    def import_(target: str, scope: Any = None, names: Any = None, wanted: Any = (), level: int = 0) -> Any:
        return build(target) if level == 1 else builtins.__import__(target, scope, names, wanted, level)

    def build(target: str) -> ModuleType:
        if target not in made:
            text, file = patched_source(target, changes), f"<{name}: algorithms/{target}.py>"
            copy = made[target] = ModuleType(f"{_PACKAGE}.{target}")
            copy.__dict__.update(
                __package__=_PACKAGE, __file__=file, __builtins__={**vars(builtins), "__import__": import_}
            )
            linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
            exec(_in_file(_compiled(text), file), copy.__dict__)
        return made[target]

    return build(module)


@functools.lru_cache(256)
def _compiled(text: str) -> CodeType:
    """Return the code of a module; most modules of most faults have a text that another fault has."""
    return compile(text, "", "exec")


def _in_file(code: CodeType, file: str) -> CodeType:
    """Return the code as one that was read from that file, and all code within."""
    within = (_in_file(each, file) if isinstance(each, CodeType) else each for each in code.co_consts)
    return code.replace(co_filename=file, co_consts=tuple(within))


def diff(changes: Sequence[Change]) -> str:
    """Return the changes as a unified diff against the shipped files, with three lines around each."""
    pieces: list[str] = []
    for module in dict.fromkeys(change.module for change in changes):
        pieces += difflib.unified_diff(
            source(module).splitlines(),
            patched_source(module, changes).splitlines(),
            f"a/algorithms/{module}.py",
            f"b/algorithms/{module}.py",
            lineterm="",
        )
    return "\n".join(pieces)
