"""The shipped rules with pieces of their text replaced, each copy in modules of its own.

A copy's modules import one another, not the shipped ones, so that a change of `unfolding` reaches every rule made
from it. Nothing is put into `sys.modules`.
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
from types import ModuleType
from typing import Any

from ..reference.errors import GradcheckError

_PACKAGE = "gradcheck.algorithms"


@dataclass(frozen=True)
class Change:
    """`old` becomes `new` in the source of gradcheck.algorithms.`module`, where it must occur exactly once."""

    module: str
    old: str
    new: str


@functools.cache
def source(module: str) -> str:
    """Return the shipped text of a module of gradcheck.algorithms."""
    return inspect.getsource(importlib.import_module(f"{_PACKAGE}.{module}"))


def patched_source(module: str, changes: Sequence[Change]) -> str:
    """Return the module's text with the changes made.

    Raises `GradcheckError` where a text to be replaced does not occur exactly once: the shipped rule has changed.
    """
    text = source(module)
    for change in changes:
        if change.module == module:
            if text.count(change.old) != 1:
                raise GradcheckError(
                    f"{change.old!r} occurs {text.count(change.old)} times in algorithms/{module}.py; wanted once: "
                    "the shipped rule has changed, so write the fault anew"
                )
            text = text.replace(change.old, change.new)
    return text


def load(module: str, changes: Sequence[Change], name: str) -> ModuleType:
    """Return a copy of the module with the changes made in it and in what it imports; `name` appears in tracebacks."""
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
            exec(compile(text, file, "exec"), copy.__dict__)
        return made[target]

    return build(module)


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
