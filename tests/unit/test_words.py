"""Words that the project does not use, in docstrings, names and messages. docs/contributing.md has the rules."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(path for folder in ("gradcheck", "reference", "algorithms") for path in (ROOT / folder).rglob("*.py"))

OPENINGS = ("what", "whether", "how", "where", "that", "those", "of", "who", "whose", "which", "one that")
"""A docstring's first line says what the thing does or is; a clause does not."""

RETIRED_MODULES = frozenset(
    "asking auditing judging costing conclusion course surroundings recipes results targets states sending running "
    "spending identity ground differing".split()
)
RETIRED_NAMES = frozenset("told said heard came".split())


def complaints(source: str, module: str = "") -> Iterator[str]:
    """Words of a module that the project does not use, each with its line."""
    if module in RETIRED_MODULES:
        yield f"1: the module's name {module!r} is retired"
    for node in ast.walk(ast.parse(source)):
        for line, text in _docstrings(node):
            opening = next((word for word in OPENINGS if text.lower().startswith(f"{word} ")), "")
            if opening:
                yield f"{line}: a docstring opens with {opening.capitalize()!r}: {text[:60]!r}"
        for name in _names(node):
            if name.strip("_") in RETIRED_NAMES:
                yield f"{getattr(node, 'lineno', 1)}: the name {name!r} is retired"


def _docstrings(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Docstrings of a module, class or function, and of the constants in it, each with its line."""
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        yield getattr(node, "lineno", 1), ast.get_docstring(node) or ""
        for before, after in itertools.pairwise(node.body):
            if isinstance(before, (ast.Assign, ast.AnnAssign)) and isinstance(after, ast.Expr):
                text = after.value.value if isinstance(after.value, ast.Constant) else None
                yield after.lineno, text if isinstance(text, str) else ""


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        yield node.attr


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=named)
def test_words(path: Path) -> None:
    found = list(complaints(path.read_text(), path.stem))
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ('"""What it holds."""', ""),
        ('def f():\n    """Whether it holds."""', ""),
        ('class C:\n    """One that holds."""', ""),
        ('WIDTH = 3\n"""How wide it is."""', ""),
        ('class C:\n    width: int\n    """Of the whole."""', ""),
        ("def f(told): ...", ""),
        ("self.heard = 1", ""),
        ("", "judging"),
    ],
)
def test_a_planted_word_is_seen(source: str, module: str) -> None:
    assert list(complaints(source, module))


def test_other_words_are_none() -> None:
    assert not list(complaints('"""Whatever the offset: return it."""\nsaid = however = 1', "engine"))
