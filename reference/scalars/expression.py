"""SymPy expressions as scalars: running a network's equations on them writes the equations down.

f, f', g, L and e stay undefined functions that know only their derivative: f' of f, and e_k of L in
its argument u_k. The others are SymPy's own.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import sympy as sp

from ..errors import Undecided, UnsupportedOperation
from .base import Field


class f(sp.Function):  # noqa: N801  (its printed name)
    """The undefined activation."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        return f_prime(self.args[0])


class f_prime(sp.Function):  # noqa: N801
    """The derivative of the undefined activation."""

    nargs = 1

    def _latex(self, printer: Any) -> str:
        return rf"f'\left({printer.doprint(self.args[0])}\right)"


class logistic(sp.Function):  # noqa: N801
    """1/(1 + exp(-s))."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        return self * (1 - self)

    def _eval_rewrite_as_exp(self, s: Any, **_: Any) -> Any:
        return 1 / (1 + sp.exp(-s))

    def _eval_evalf(self, prec: int) -> Any:
        return self._eval_rewrite_as_exp(self.args[0])._eval_evalf(prec)


class softplus(sp.Function):  # noqa: N801
    """log(1 + exp(s))."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        return logistic(self.args[0])

    def _eval_rewrite_as_exp(self, s: Any, **_: Any) -> Any:
        return sp.log(1 + sp.exp(s))

    def _eval_evalf(self, prec: int) -> Any:
        return self._eval_rewrite_as_exp(self.args[0])._eval_evalf(prec)


class root(sp.Function):  # noqa: N801
    """The square root of s > 0, which SymPy would rewrite where s is a square or a product."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        return 1 / (2 * self)

    def _eval_rewrite_as_exp(self, s: Any, **_: Any) -> Any:
        return sp.sqrt(s)

    def _eval_evalf(self, prec: int) -> Any:
        return sp.sqrt(self.args[0])._eval_evalf(prec)


class exponential(sp.Function):  # noqa: N801
    """exp(s), of which SymPy would join products into one of a sum."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        return self

    def _eval_rewrite_as_exp(self, s: Any, **_: Any) -> Any:
        return sp.exp(s)

    def _eval_evalf(self, prec: int) -> Any:
        return sp.exp(self.args[0])._eval_evalf(prec)


def conventional(expression: Any) -> Any:
    """Return the same expression with SymPy's own roots and exponentials, which it knows how to print."""
    return expression.replace(root, sp.sqrt).replace(exponential, sp.exp)


class bell(sp.Function):  # noqa: N801
    """2/sqrt(pi) exp(-s^2), the derivative of erf."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        return -2 * self.args[0] * self

    def _eval_rewrite_as_exp(self, s: Any, **_: Any) -> Any:
        return 2 * sp.exp(-(s**2)) / sp.sqrt(sp.pi)

    def _eval_evalf(self, prec: int) -> Any:
        return self._eval_rewrite_as_exp(self.args[0])._eval_evalf(prec)


class erf(sp.Function):  # noqa: N801
    """The error function, whose derivative stays `bell`."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Any:
        return bell(self.args[0])

    def _eval_rewrite_as_exp(self, s: Any, **_: Any) -> Any:
        return sp.erf(s)

    def _eval_evalf(self, prec: int) -> Any:
        return sp.erf(self.args[0])._eval_evalf(prec)


class heaviside(sp.Function):  # noqa: N801
    """1 for s > 0, else 0: relu's derivative with the value 0 at the kink."""

    nargs = 1

    @classmethod
    def eval(cls, s: Any) -> Any:
        if s.is_number:
            return sp.Integer(1) if s > 0 else sp.Integer(0)
        return None

    def fdiff(self, argindex: int = 1) -> Any:
        return sp.Integer(0)


@cache
def error_function(index: int) -> Any:
    """Return e_k(u, y), the undefined derivative of the undefined loss in u_k."""
    return sp.Function(f"e{index + 1}")


@cache
def output_function(index: int) -> Any:
    """Return g_k(u), component k of the undefined output."""
    return sp.Function(f"g{index + 1}")


class L(sp.Function):
    """The undefined loss L(u_1..u_K, y_1..y_K)."""

    def fdiff(self, argindex: int = 1) -> Any:
        return error_function(argindex - 1)(*self.args)


_SYMPY = {"tanh": sp.tanh, "exp": exponential, "log": sp.log, "sqrt": root, "sin": sp.sin, "cos": sp.cos,
          "arctan": sp.atan, "erf": erf, "bell": bell, "f": f, "f'": f_prime, "logistic": logistic,
          "softplus": softplus, "heaviside": heaviside}  # fmt: skip


class ExpressionField(Field):
    """SymPy expressions."""

    name = "symbolic"

    def from_ratio(self, numerator: int, denominator: int) -> Any:
        return sp.Rational(numerator, denominator)

    def function(self, name: str, value: Any) -> Any:
        if name == "relu":
            return value * heaviside(value)
        if name not in _SYMPY:
            raise UnsupportedOperation(name, self.name)
        return _SYMPY[name](value)

    def jointly(self, name: str, index: int, arguments: tuple[Any, ...]) -> Any:
        if name == "L":
            return L(*arguments)
        return {"e": error_function, "g": output_function}[name](index)(*arguments)

    def divide(self, a: Any, b: Any) -> Any:
        if b == 0:
            raise UnsupportedOperation("division by zero", self.name)
        return a / b

    def compare(self, symbol: str, a: Any, b: Any) -> bool:
        difference = a - b
        if not difference.is_number:
            raise Undecided(f"the comparison {symbol}", self.name, f"{a} {symbol} {b} depends on the values")
        return bool(
            {"<": difference < 0, "<=": difference <= 0, ">": difference > 0, ">=": difference >= 0,
             "==": difference == 0, "!=": difference != 0}[symbol]
        )  # fmt: skip
