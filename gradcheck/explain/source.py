"""Parts of which every NumPy program that shows a counterexample is printed: layout, numbers, functions.

A program imports nothing but NumPy where that is possible, keeps to `WIDTH` columns, and holds its numbers exactly.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..reference.tree import children

WIDTH = 80
"""Columns of a program. A user's own source and long paths may exceed it."""

FUNCTIONS = {
    "identity": "s",
    "tanh": "np.tanh(s)",
    "logistic": "1 / (1 + np.exp(-s))",
    "relu": "np.where(s.real > 0, s, 0)",
    "softplus": "np.log(1 + np.exp(s))",
}
"""Activations of s, for complex numbers too."""
SLOPES = {
    "identity": "0 * s + 1",
    "tanh": "1 - np.tanh(s) ** 2",
    "logistic": "np.exp(-s) / (1 + np.exp(-s)) ** 2",
}
OUTPUTS = {name: FUNCTIONS[name] for name in ("identity", "tanh", "logistic")} | {
    "softmax": "np.exp(s) / np.exp(s).sum()"
}
LOSSES = {
    "squared_error": "((yhat - y) ** 2).sum() / 2",
    "binary_cross_entropy": "-(y * np.log(yhat) + (1 - y) * np.log(1 - yhat)).sum()",
    "categorical_cross_entropy": "-(y * np.log(yhat)).sum()",
}


def function(expression: str, name: str, variable: str) -> str:
    """Return the definition of a function on one line.

    Args:
        expression: An expression in s, such as one of `FUNCTIONS`.
        name: The function's name.
        variable: The name of its argument.

    Returns:
        A line of source.
    """
    return f"def {name}({variable}): return " + re.sub(r"\bs\b", variable, expression)


def text(lines: Iterable[str]) -> str:
    """Return lines as the text of a program."""
    return "\n".join(lines) + "\n"


def comment(text: str) -> list[str]:
    """Wrap text as lines of a comment.

    Args:
        text: The text. Its line breaks become spaces.

    Returns:
        Lines of at most `WIDTH` columns, unless a word is longer.
    """
    return textwrap.wrap(
        " ".join(text.split()), WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )


def array_lines(before: str, array: Any, after: str = "") -> list[str]:
    """Format an array as source, on one line or with as many whole rows per line as fit in `WIDTH`.

    Args:
        before: The text before the array, with its indent.
        array: The array, of any shape.
        after: The text after the array.

    Returns:
        Lines of source.
    """
    values = np.asarray(array, dtype=float).tolist()
    line = f"{before}np.array({values!r}){after}"
    if len(line) <= WIDTH or not isinstance(values, list):
        return [line]
    indent = " " * (len(before) - len(before.lstrip()) + 4)
    most = WIDTH - len(indent)
    # A no-break space keeps the numbers of a row on one line.
    rows = [text if len(text) > most else text.replace(" ", "\xa0") for text in (f"{row!r}," for row in values)]
    filled = textwrap.wrap(" ".join(rows), most, break_long_words=False, break_on_hyphens=False)
    close = f"{indent[4:]}]){after}"
    return [f"{before}np.array([", *(indent + text.replace("\xa0", " ") for text in filled), close]


def assignments(arrays: Mapping[str, Any]) -> list[str]:
    """Format arrays as assignments to their names.

    Args:
        arrays: Name to array.

    Returns:
        Lines of source.
    """
    return [line for name, array in arrays.items() for line in array_lines(f"{name} = ", array)]


def nest_lines(before: str, nest: Any, after: str = "") -> list[str]:
    """Format a nest of arrays as source, as `array_lines` does an array.

    Args:
        before: The text before the nest, with its indent.
        nest: An array, or a tuple, list or dict of nests.
        after: The text after the nest.

    Returns:
        Lines of source.
    """
    parts = children(nest)
    if parts is None:
        return array_lines(before, nest, after)
    named, indent = isinstance(nest, dict), " " * (len(before) - len(before.lstrip()) + 4)
    first, last = ("{", "}") if named else ("[", "]") if isinstance(nest, list) else ("(", ")")
    inner = [nest_lines(f"{indent}{key!r}: " if named else indent, part, ",") for key, part in parts]
    return [before + first, *(line for lines in inner for line in lines), indent[4:] + last + after]


def statement(line: str, before: str = "") -> list[str]:
    """Wrap a statement; leave it on one line if a break would change it.

    Args:
        line: The statement.
        before: The text in front of each line.

    Returns:
        Lines of source.
    """
    wrapped = textwrap.wrap(
        line, WIDTH - len(before), subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
    try:
        same = ast.dump(ast.parse("\n".join(wrapped))) == ast.dump(ast.parse(line))
    except SyntaxError:
        same = False
    return [before + text for text in (wrapped if same else [line])]
