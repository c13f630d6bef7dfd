"""Counterexamples to equations of the lecture as NumPy programs that need nothing else.

The two sides of a program are the source of the functions that were judged. Its derivatives come from the forward
pass alone, by the complex step (Squire and Trapp 1998), without any difference to cancel.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any

from ...explain.source import FUNCTIONS, OUTPUTS, SLOPES, array_lines, assignments, comment, function, text
from ...reference.problem import Problem
from ...reference.scalars.formal import entry_name

_FORWARD = """\
def forward(point):
    s, a, yhat, L = [None], [a0], [None], [None]
    for t in range(1, T + 1):
        into = point['W'][t].T @ x[t] + point['R'][t].T @ a[t - 1]
        s.append(into + point['s'][t])
        a.append(f(s[t]) + point['a'][t])
        yhat.append(g(point['V'][t].T @ a[t]) + point['yhat'][t])
        L.append(((yhat[t] - y[t]) ** 2).sum() / 2)
    return {'s': s, 'a': a, 'yhat': yhat, 'L': L}
"""
_DERIVATIVE = """\
# d of(t) / d by(tau). L without a time is the sum; by without one is shared.
def d(of, by, t=None, tau=None):
    columns = []
    for index in np.ndindex(*point[by][-1].shape):
        moved = {n: [np.array(c, complex) for c in cs] for n, cs in point.items()}
        for k in range(T + 1) if tau is None else [tau]:
            moved[by][k][index] += 1e-30j
        out = forward(moved)[of]
        columns.append(np.imag(sum(out[1:]) if t is None else out[t]) / 1e-30)
    shape = np.shape(columns[0]) + point[by][-1].shape
    return np.stack(columns, axis=-1).reshape(shape)
"""
_NAMES = {
    "times": "range(1, T + 1)",
    "W": "W", "R": "R", "V": "V", "x": "x", "y": "y", "f": "f", "g": "g", "slope_g": "dg", "d": "d",
    "s": "now['s']", "a": "now['a']", "yhat": "now['yhat']",
    "e": "[None, *(now['yhat'][t] - y[t] for t in range(1, T + 1))]",
    "df": "[df(0 * a0), *(df(now['s'][t]) for t in range(1, T + 1))]",
    "dg": "[None, *(dg(V.T @ now['a'][t]) for t in range(1, T + 1))]",
    "delta": "[None, *(d('L', 's', tau=t) for t in range(1, T + 1)), 0 * a0]",
}  # fmt: skip
"""Attributes of `q` that the two sides may read, as NumPy."""


def program(
    claim: str,
    problem: Problem,
    left: Callable[[Any], Any],
    side: Callable[[Any], Any],
    name: str,
    index: tuple[int, ...],
) -> str:
    """Return the program that prints one entry by both sides.

    Args:
        claim: The title of the equation.
        problem: The problem on which the sides differ.
        left: The true side, a function of a module that reads `np` and `q` only.
        side: The printed side, another such function.
        name: The array that differs.
        index: The entry in it.
    """
    network: Any = problem.network
    f, g = network.activation.name, network.output.name
    sides = [_source(left, "true_side"), _source(side, "printed_side")]
    read = set().union(*(_attributes(code) for code in sides))
    used = [key for key in _NAMES if key in read]
    slopes = {"df", "dg", "slope_g"} & read
    entry = f"[{name!r}][{', '.join(map(str, index)) or '()'}]"
    lines = [
        "import numpy as np",
        "from types import SimpleNamespace",
        "",
        *comment(claim),
        *comment(f"{network.name}: activation {network}; {problem.sizes}"),
        "# Entry t of a list belongs to time t.",
        f"T = {problem.T}",
        *assignments(problem.parameters),
        *array_lines("x = [None, *", problem.inputs, "]"),
        *array_lines("y = [None, *", problem.targets, "]"),
        *array_lines("a0 = ", problem.initial_state),
        "",
        function(FUNCTIONS[f], "f", "v"),
        function(OUTPUTS[g], "g", "v"),
        *([function(SLOPES[f], "df", "v")] if "df" in slopes else []),
        *([function(SLOPES[g], "dg", "v")] if slopes - {"df"} else []),
        "",
        _FORWARD,
        *([_DERIVATIVE] if read & {"d", "delta"} else []),
        "point = {'W': [W] * (T + 1), 'R': [R] * (T + 1), 'V': [V] * (T + 1),",
        "         's': [0 * a0] * (T + 1), 'a': [0 * a0] * (T + 1),",
        "         'yhat': [0 * y[1]] * (T + 1)}",
        "now = forward(point)",
        "q = SimpleNamespace(",
        *(f"    {key}={_NAMES[key]}," for key in used),
        ")",
        "",
        *(code + "\n" for code in sides),
        f"true = true_side(q){entry}",
        f"printed = printed_side(q){entry}",
        f"print({entry_name(name, index)!r}, 'true', true, ' printed form', printed)",
        "print('off by', abs(printed - true))",
    ]
    return text(lines)


def _source(function: Callable[[Any], Any], name: str) -> str:
    """Return a function's source under another name, without docstring, annotations and comments."""
    tree = ast.parse(inspect.getsource(function))
    outer = tree.body[0]
    if not isinstance(outer, ast.FunctionDef):
        raise TypeError(f"a side of an equation must be a function of a module; got {ast.unparse(outer)}")
    outer.name = name
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            node.body = node.body[1:] if ast.get_docstring(node) is not None else node.body
        elif isinstance(node, ast.arg):
            node.annotation = None
    return ast.unparse(tree)


def _attributes(code: str) -> set[str]:
    """Return the names that the code reads of `q`."""
    nodes = [n for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Attribute)]
    return {n.attr for n in nodes if isinstance(n.value, ast.Name) and n.value.id == "q"}
