"""Words for the operations of a network: the expressions of its own source that perform them."""

from __future__ import annotations

import ast
import linecache
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np

from ...reference import tape

_OURS = {
    Path(tape.__file__).parent / name
    for name in (
        "tape.py", "tape_composites.py", "tape_rules.py", "functions.py", "compositions.py", "noting.py", "tree.py",
    )
} | {Path(tape.__file__).parent / "networks" / name for name in ("activations.py", "losses.py")}  # fmt: skip
_OURS_TEXT = frozenset(map(str, _OURS))
_NUMPY = str(Path(np.__file__).parent)
_LONGEST = 60
"""Characters of an expression that are shown."""

Place = tuple[int, int, int, int]
"""Line, last line, column and last column of an expression."""


@dataclass(frozen=True)
class Words:
    """An operation in the words of its source.

    Attributes:
        result: The expression, or the name that it is given.
        operands: The expressions of its operands, as far as they are known.
        calls: The calls of helper functions that led there, from the network's own function inwards, each with the
            place of its expression.
    """

    result: str
    operands: tuple[str, ...] = ()
    calls: tuple[tuple[str, Place], ...] = ()


def words_here(root: CodeType, depth: int = 1) -> Words | None:
    """Return words for the operation that is under way, or None if its source is not known.

    Args:
        root: The code of the network's function; callers beyond it are left out.
        depth: The number of callers of this function to skip.
    """
    frames: list[FrameType] = []
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None:
        file = frame.f_code.co_filename
        if frames or not (file in _OURS_TEXT or file.startswith(_NUMPY) or file == __file__):
            frames.append(frame)
        if frame.f_code is root:
            break
        frame = frame.f_back
    else:
        return None
    found = [_expression(each) for each in frames if each.f_code.co_filename not in _OURS_TEXT]
    if not found or found[0] is None:
        return None
    node, text, _ = found[0]
    calls = tuple((each[1], each[2]) for each in reversed(found[1:]) if each is not None)
    return Words(_named(frames[0].f_code.co_filename, node) or text, _operands(frames[0], node), calls)


def _expression(frame: FrameType) -> tuple[ast.expr, str, Place] | None:
    """Return the expression that a frame evaluates, its text and its place."""
    positions = list(frame.f_code.co_positions())[frame.f_lasti // 2]
    if None in positions:
        return None
    place: Any = positions
    node = _expressions(frame.f_code.co_filename).get(place)
    return None if node is None else (node, _text(frame.f_code.co_filename, node), place)


@cache
def _parsed(file: str) -> tuple[str, ast.Module | None]:
    source = "".join(linecache.getlines(file))
    try:
        return source, ast.parse(source)
    except (SyntaxError, ValueError):
        return source, None


@cache
def _expressions(file: str) -> dict[Place, ast.expr]:
    tree = _parsed(file)[1]
    found: dict[Place, ast.expr] = {}
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.expr) and node.end_lineno is not None and node.end_col_offset is not None:
            found.setdefault((node.lineno, node.end_lineno, node.col_offset, node.end_col_offset), node)
    return found


@cache
def _names(file: str) -> dict[Place, str]:
    """Return the names that whole expressions are given, `c` for the right side of `c = f * c`."""
    tree, found = _parsed(file)[1], {}
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[_place(node.value)] = node.targets[0].id
    return found


def _named(file: str, node: ast.expr) -> str:
    """Return `name = expression` where the expression is given a name that it does not contain, else ""."""
    name = _names(file).get(_place(node))
    return f"{name} = {_text(file, node)}" if name else ""


def _place(node: ast.expr) -> Place:
    return node.lineno, node.end_lineno or node.lineno, node.col_offset, node.end_col_offset or node.col_offset


@cache
def _text(file: str, node: ast.expr) -> str:
    text = " ".join((ast.get_source_segment(_parsed(file)[0], node) or "").split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _operands(frame: FrameType, node: ast.expr) -> tuple[str, ...]:
    file = frame.f_code.co_filename
    parts: list[ast.expr] = []
    if isinstance(node, ast.BinOp):
        parts = [node.left, node.right]
    elif isinstance(node, ast.UnaryOp):
        parts = [node.operand]
    elif isinstance(node, (ast.Attribute, ast.Subscript)):
        parts = [node.value]
    elif isinstance(node, ast.Call):
        own = isinstance(node.func, ast.Attribute) and node.func.attr in ("sum", "mean", "reshape", "dot", "var", "std")
        first = node.args[:1]
        if own and isinstance(node.func, ast.Attribute):
            parts = [node.func.value, *node.args]
        elif len(first) == 1 and isinstance(first[0], (ast.List, ast.Tuple)):
            parts = list(first[0].elts)
        else:
            parts = [part for part in node.args if not _is_text(part)]
    return tuple(_text(file, part) for part in parts)
