"""Copies of rules with pieces of their source replaced, each in modules of its own.

A rule is a shipped one, or a backward pass of a cell in `by_hand`.

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

_BY_HAND = "by_hand."


@dataclass(frozen=True)
class Change:
    """A replacement in the source of a module.

    Attributes:
        module: Its name in gradcheck.algorithms, or "by_hand." and its name there.
        old: The text to replace, which must occur exactly once.
        new: The text in its place.
    """

    module: str
    old: str
    new: str


def package(module: str) -> str:
    """Return the package of a module."""
    return "gradcheck.faults.by_hand" if module.startswith(_BY_HAND) else "gradcheck.algorithms"


def file(module: str) -> str:
    """Return the path of a module's file, as it is shown."""
    stem = module.removeprefix(_BY_HAND)
    return f"faults/by_hand/{stem}.py" if module.startswith(_BY_HAND) else f"algorithms/{stem}.py"


def is_copy(name: str) -> bool:
    """Return whether a file's name is that of a copy made here."""
    return name.startswith("<") and name.endswith(".py>")


@functools.cache
def source(module: str) -> str:
    """Return the source of a module."""
    return inspect.getsource(importlib.import_module(f"{package(module)}.{module.removeprefix(_BY_HAND)}"))


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
                    f"{change.old!r} occurs {text.count(change.old)} times in {file(module)}; wanted once. "
                    "The shipped rule has changed: update the fault"
                )
            text = text.replace(change.old, change.new)
    return text


def load(module: str, changes: Sequence[Change], name: str) -> ModuleType:
    """Return a copy of a module, with the changes made in it and in the modules that it imports.

    Args:
        module: Its name, as in `Change`.
        changes: The replacements.
        name: A name for tracebacks.
    """
    made: dict[str, ModuleType] = {}
    home, prefix = package(module), _BY_HAND if module.startswith(_BY_HAND) else ""

    def import_(target: str, scope: Any = None, names: Any = None, wanted: Any = (), level: int = 0) -> Any:
        return build(prefix + target) if level == 1 else builtins.__import__(target, scope, names, wanted, level)

    def build(target: str) -> ModuleType:
        if target not in made:
            text, shown = patched_source(target, changes), f"<{name}: {file(target)}>"
            copy = made[target] = ModuleType(f"{home}.{target.removeprefix(prefix)}")
            copy.__dict__.update(
                __package__=home, __file__=shown, __builtins__={**vars(builtins), "__import__": import_}
            )
            linecache.cache[shown] = (len(text), None, text.splitlines(keepends=True), shown)
            exec(_in_file(_compiled(text), shown), copy.__dict__)
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
            f"a/{file(module)}",
            f"b/{file(module)}",
            lineterm="",
        )
    return "\n".join(pieces)
