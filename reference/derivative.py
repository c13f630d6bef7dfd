"""SymPy's derivative of an expression whose parts recur, each part differentiated once.

`Expr.diff` walks an unrolled recurrence as a tree, in which a(1) occurs exponentially often. Here the sum, product and
power rules are applied to the graph, and each function's own derivative is SymPy's `fdiff`. That the result equals
`Expr.diff` is a test.
"""

from __future__ import annotations

from typing import Any

import sympy as sp


class Derivative:
    """d/dx of expressions, for one symbol x. Call it on each; what they share is remembered."""

    def __init__(self, x: Any) -> None:
        self._x, self._known = x, {x: sp.S.One}

    def __call__(self, expression: Any) -> Any:
        """Return the derivative, a SymPy expression."""
        known = self._known
        if expression not in known:
            known[expression] = self._differentiate(expression)
        return known[expression]

    def _differentiate(self, e: Any) -> Any:
        if e.is_Atom:
            return sp.S.Zero
        parts = [(i, d) for i, d in enumerate(map(self, e.args)) if d is not sp.S.Zero]
        if not parts:
            return sp.S.Zero
        if e.is_Add:
            return sp.Add(*(d for _, d in parts))
        if e.is_Mul:
            return sp.Add(*(sp.Mul(d, *(a for j, a in enumerate(e.args) if j != i)) for i, d in parts))
        if e.is_Pow:
            base_alone = len(parts) == 1 and parts[0][0] == 0
            return e.exp * e.base ** (e.exp - 1) * parts[0][1] if base_alone else e.diff(self._x)
        return sp.Add(*(e.fdiff(i + 1) * d for i, d in parts))
