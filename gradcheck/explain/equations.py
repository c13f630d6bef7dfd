"""A shipped network's own equations, written down as NumPy source.

`step` and `readout` run once on operands that write down each operation. So a program has the equations of any cell,
with its options, and there is no second copy of them that could differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..reference.errors import UnsupportedOperation
from ..reference.networks.base import Sizes
from ..reference.tree import children, rebuilt
from .source import FUNCTIONS, WIDTH, function, statement

_SUM, _PRODUCT, _UNARY, _ATOM = range(4)
"""Ranks of expressions, from the loosest to the tightest."""
_BINARY = {
    np.add: ("+", _SUM),
    np.subtract: ("-", _SUM),
    np.multiply: ("*", _PRODUCT),
    np.divide: ("/", _PRODUCT),
    np.matmul: ("@", _PRODUCT),
}
_NUMPY = ("exp", "log", "sin", "cos", "sqrt")


class _Written(NDArrayOperatorsMixin):
    """An operand: a leaf has its text, any other its operation and operands."""

    dtype = np.dtype(object)

    def __init__(self, text: str = "", operation: str = "", operands: tuple[Any, ...] = (), binds: int = _ATOM) -> None:
        self.text, self.operation, self.operands, self.binds = text, operation, operands, binds

    @property
    def T(self) -> _Written:
        return _Written(f"{self.text}.T")

    def __array_ufunc__(self, ufunc: Any, method: str, *operands: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs:
            raise UnsupportedOperation(f"np.{ufunc.__name__}.{method}", "written")
        if ufunc is np.positive:
            return operands[0]
        if ufunc is np.negative:
            return _Written("", "-", operands, _UNARY)
        if ufunc not in _BINARY:
            raise UnsupportedOperation(f"np.{ufunc.__name__}", "written")
        sign, binds = _BINARY[ufunc]
        return _Written("", sign, operands, binds)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func is not np.concatenate or kwargs or len(args) != 1:
            raise UnsupportedOperation(f"np.{func.__name__}", "written")
        return _Written("", "np.concatenate", tuple(args[0]))

    def apply_function(self, name: str) -> _Written:
        return _Written("", f"np.{name}" if name in _NUMPY else name, (self,))

    def apply_jointly(self, name: str, *others: Any) -> _Written:
        return _Written("", name, (self, *others))


class _Writer:
    """Writes operands as expressions. One that is used several times has a line, and a name, of its own.

    Attributes:
        names: The names of functions as a program has them, where they differ.
        lines: The assignments, in order.
        functions: The functions that were used.
    """

    def __init__(self, results: Any, names: dict[str, str]) -> None:
        self.names, self.lines, self.functions = names, list[str](), set[str]()
        self._uses: dict[int, int] = {}
        self._known: dict[int, str] = {}
        for leaf in _leaves(results):
            self._count(leaf)

    def _count(self, node: Any) -> None:
        self._uses[id(node)] = self._uses.get(id(node), 0) + 1
        if isinstance(node, _Written) and self._uses[id(node)] == 1:
            for operand in node.operands:
                self._count(operand)

    def __call__(self, node: Any, within: int = _SUM, *, right: bool = False) -> str:
        """Return an operand's text, in brackets where the expression around it binds as strongly."""
        if not isinstance(node, _Written):
            return repr(node)
        if node.text or id(node) in self._known:
            return node.text or self._known[id(node)]
        text = self._expression(node)
        if self._uses[id(node)] > 1:
            name = self._known[id(node)] = f"v{len(self._known)}"
            self.lines.append(f"{name} = {text}" if len(text) < WIDTH - 12 else f"{name} = ({text})")
            return name
        return f"({text})" if node.binds < within or (right and node.binds == within) else text

    def _expression(self, node: _Written) -> str:
        if node.binds == _ATOM:
            name = self.names.get(node.operation, node.operation)
            self.functions.add(node.operation)
            arguments = ", ".join(map(self, node.operands))
            return f"{name}([{arguments}])" if name == "np.concatenate" else f"{name}({arguments})"
        if node.binds == _UNARY:
            return f"-{self(node.operands[0], _UNARY)}"
        left, other = node.operands
        return f"{self(left, node.binds)} {node.operation} {self(other, node.binds, right=True)}"


def _leaves(nest: Any) -> Iterator[Any]:
    parts = children(nest)
    if parts is None:
        yield nest
    for _, part in parts or ():
        yield from _leaves(part)


def forward_lines(network: Any, time: str = "t") -> list[str]:
    """Return source that defines step(p, a, x) and loss_at(t, p, a), from f, g and loss(y, yhat).

    Args:
        network: A shipped network, of known functions.
        time: The arguments of loss_at that find the target: "t", or "t, n" for sequence n of a batch.

    Raises:
        UnsupportedOperation: The network uses an operation that cannot be written down.
    """
    sizes = Sizes(1, 2, 1, 1)
    parameters = {name: _Written(f"p[{name!r}]") for name in network.parameter_shapes(sizes)}
    state = _operand("a", network.state_shape(sizes))
    names = {network.head.output.name: "g", network.activation.name: "f"}
    used: set[str] = set()
    lines: list[str] = []
    for signature, around, results in (
        ("step(p, a, x)", "{}", network.step(parameters, state, _Written("x"))),
        (f"loss_at({time}, p, a)", f"loss({target(time)}, g({{}}))", network.readout(parameters, state)),
    ):
        write = _Writer(results, names)
        returned = f"return {around.format(_nest(write, results))}"
        used |= write.functions
        one = f"def {signature}: {returned}"
        if write.lines or len(one) > WIDTH:
            body = [*write.lines, returned]
            lines += [f"def {signature}:", *(part for line in body for part in statement(line, "    "))]
        else:
            lines.append(one)
    others = sorted(used & set(FUNCTIONS) - {*names, "identity"})
    return [function(FUNCTIONS[name], name, "s") for name in others] + lines


def target(time: str) -> str:
    """Return the target at "t", or at "t, n", as source."""
    return f"targets[{time.replace('t', 't - 1', 1)}]"


def _operand(text: str, shape: Any) -> Any:
    """Return the operands of a state: a, or a[0], a[1][0], ..."""
    if all(isinstance(part, int) for part in shape):
        return _Written(text)
    return rebuilt(shape, [_operand(f"{text}[{key!r}]", part) for key, part in children(shape) or ()])


def _nest(write: _Writer, results: Any) -> str:
    parts = children(results)
    if parts is None:
        return write(results)
    inner = ", ".join(_nest(write, part) for _, part in parts)
    return f"({inner}{',' if len(parts) == 1 else ''})"
