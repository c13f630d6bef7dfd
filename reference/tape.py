"""Reverse accumulation over the NumPy operations that a function performs, on arrays of any scalar.

    outputs, pullback = vjp(function, parameters, state)
    parameter_cotangents, state_cotangents = pullback(output_cotangents)

The function runs once, unmodified, on `Traced` arrays, which answer NumPy's two dispatch protocols and
remember what was done to them. The pullback forms linear combinations of the payloads and nothing else, so
it is exact over exact scalars. An operation without a rule raises `UnsupportedOperation` by name; there
is no operation whose derivative is guessed.

Source: reverse mode as in Griewank and Walther 2008, "Evaluating Derivatives", chapter 3. The rules are
in `tape_rules`.
"""

from __future__ import annotations

import inspect
import itertools
import operator
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from . import numpy_functions as FN
from . import tape_rules as rules
from .cotangents import CotangentSum, as_array
from .errors import GradcheckError, UnsupportedOperation
from .functions import name_of
from .noting import NOTE
from .tape_composites import COMPOSITES
from .tree import map_nest
from .typing import Array

_BUILD = "build the array with np.concatenate, np.stack or np.where"
_NO_RULE = "the reverse pass has no rule for it; arithmetic, matmul, sums, np.where and joins have one"
_clock = itertools.count()


class Edge(NamedTuple):
    """An operand of an operation: its place among the operands, and the map from the result's cotangent to its own."""

    operand: Traced
    linear: rules.Linear
    place: int


class UnknownAttribute(UnsupportedOperation, AttributeError):
    """An array method that the reverse pass has no rule for; an AttributeError, so that `hasattr` answers no."""


class Traced(NDArrayOperatorsMixin):
    """An array that remembers how it was made: `edges` of the operation `name`; inactive, it is a constant."""

    __slots__ = ("active", "edges", "name", "order", "payload", "transposed")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, payload: Array, edges: tuple[Edge, ...] = (), name: str = "", leaf: bool = False):
        self.payload, self.edges, self.name, self.order = payload, edges, name, next(_clock)
        self.active = leaf or bool(edges)
        self.transposed: Traced | None = None

    shape = property(lambda self: self.payload.shape)
    ndim = property(lambda self: self.payload.ndim)
    size = property(lambda self: self.payload.size)
    dtype = property(lambda self: self.payload.dtype)

    @property
    def T(self) -> Traced:
        """Made once: a network that writes W.T at every step has one cotangent of it, not one per step."""
        if self.transposed is None:
            self.transposed = _transpose(self)
        return self.transposed

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = f"np.{ufunc.__name__}"
        if "out" in kwargs:
            raise UnsupportedOperation(f"{name} in place", "traced", "write a = a + b rather than a += b")
        if method == "reduce" and ufunc is np.add:
            return np.sum(*inputs, **{"axis": 0, **kwargs})
        if method != "__call__" or kwargs:
            raise UnsupportedOperation(f"{name}{'' if method == '__call__' else '.' + method} with {kwargs}", "traced")
        if ufunc in _DECISIONS:
            return ufunc(*map(_payload, inputs))
        if ufunc is np.power and isinstance(inputs[1], Traced):
            raise UnsupportedOperation("np.power with a traced exponent", "traced", "np.exp(n * np.log(x)) may do")
        named = name_of(ufunc)
        if named is not None:
            return inputs[0].apply_function(named)
        return _record(name, _rule_of(ufunc), *inputs)

    # Operators between arrays, of which a network takes some at each step, without NumPy's way around.
    def __add__(self, other: Any) -> Any:
        return _record("np.add", _rule_of(np.add), self, other) if _is_array(other) else super().__add__(other)

    def __matmul__(self, other: Any) -> Any:
        return _record("np.matmul", rules.matmul, self, other) if _is_array(other) else super().__matmul__(other)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = f"{func.__module__.replace('numpy', 'np')}.{func.__name__}"
        if func in _DECISIONS:
            return func(*map(_payload, args), **kwargs)
        if func in _FILLED:
            return Traced(func(*map(_payload, args), **kwargs))
        if func in _MOVES:
            return _moved(args[0], lambda places: func(places, *args[1:], **kwargs))
        if func in FN.JOINS:
            return _joined(args[0], lambda blocks: func(blocks, *args[1:], **kwargs))
        if func not in _FUNCTIONS:
            raise UnsupportedOperation(name, "traced", _NO_RULE)
        own = _FUNCTIONS[func]
        kwargs = {k: v for k, v in kwargs.items() if not (v is None and k in ("out", "dtype"))}
        try:
            _signature(own).bind(*args, **kwargs)
        except TypeError as error:
            raise UnsupportedOperation(f"{name} with these arguments", "traced", str(error)) from None
        return own(*args, **kwargs)

    # What `reference.functions.apply` and `reference.losses` dispatch to.
    def apply_function(self, name: str) -> Traced:
        return _record(name, rules.named, self, name=name)

    def apply_jointly(self, name: str, *others: Any) -> Traced:
        if name != "softmax":
            raise UnsupportedOperation(f"the undefined function {name}", "traced")
        return _record(name, rules.softmax, self)

    def __getitem__(self, index: Any) -> Traced:
        return _moved(self, lambda places: places[index])  # type: ignore[no-any-return]

    def __setitem__(self, index: Any, value: Any) -> None:
        raise UnsupportedOperation("the assignment a[i] = ...", "traced", _BUILD)

    def __len__(self) -> int:
        return len(self.payload)

    def __iter__(self) -> Iterator[Traced]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.payload)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise UnsupportedOperation("a plain array made of a traced one, or an assignment to one", "traced", _BUILD)

    def _refuse_cast(self) -> Any:
        raise UnsupportedOperation("the cast to a plain number", "traced", f"keep it an array; {_BUILD}")

    __float__ = __int__ = __index__ = __complex__ = _refuse_cast

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise UnknownAttribute(f"the array method {name}", "traced", "a NumPy function may do; see reference/tape.py")

    def sum(self, axis: Any = None, keepdims: bool = False) -> Any:
        return np.sum(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Any:
        return np.mean(self, axis=axis, keepdims=keepdims)

    def var(self, *args: Any, **kwargs: Any) -> Any:
        return np.var(self, *args, **kwargs)

    def std(self, *args: Any, **kwargs: Any) -> Any:
        return np.std(self, *args, **kwargs)

    def dot(self, other: Any) -> Any:
        return np.dot(self, other)

    def transpose(self, *axes: Any) -> Any:
        return np.transpose(self, _unpacked(axes) or None)

    def reshape(self, *shape: Any) -> Any:
        return np.reshape(self, _unpacked(shape))

    def ravel(self) -> Any:
        return np.ravel(self)

    flatten = ravel

    def squeeze(self, axis: Any = None) -> Any:
        return np.squeeze(self, axis)

    def swapaxes(self, first: int, second: int) -> Any:
        return np.swapaxes(self, first, second)

    def max(self) -> Any:
        return np.max(self)

    def min(self) -> Any:
        return np.min(self)

    def copy(self) -> Traced:
        return +self  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"Traced({self.payload!r})"


def _unpacked(arguments: tuple[Any, ...]) -> Any:
    return arguments[0] if len(arguments) == 1 and not isinstance(arguments[0], int) else arguments


def _payload(x: Any) -> Any:
    if isinstance(x, Traced):
        return x.payload
    return np.asarray(x) if isinstance(x, (list, tuple)) else x


def _is_array(x: Any) -> bool:
    return isinstance(x, (Traced, np.ndarray))


@cache
def _rule_of(ufunc: np.ufunc) -> Callable[..., tuple[Any, rules.Maps]]:
    """Return the rule of a function of NumPy; raises `UnsupportedOperation` where there is none."""
    if ufunc is np.matmul:
        return rules.matmul
    if ufunc not in rules.ELEMENTWISE:
        raise UnsupportedOperation(f"np.{ufunc.__name__}", "traced", _NO_RULE)
    evaluate = _OPERATORS.get(ufunc, ufunc)

    def rule(*payloads: Any) -> tuple[Any, rules.Maps]:
        z = as_array(evaluate(*payloads), *payloads)
        return z, rules.ELEMENTWISE[ufunc](z, *payloads)

    return rule


_OPERATORS: dict[np.ufunc, Callable[..., Any]] = {np.add: operator.add}
"""Calls that payloads may answer sooner than the function that each stands for."""


def _record(name: str, rule: Callable[..., tuple[Any, rules.Maps]], /, *operands: Any, **static: Any) -> Traced:
    """Run a rule on the operands' payloads and remember the maps of those that are traced."""
    payloads = [_payload(x) for x in operands]
    value, maps = rule(*payloads, **static)
    edges = []
    for place, (operand, linear) in enumerate(zip(operands, maps, strict=True)):
        if isinstance(operand, Traced) and operand.active:
            if linear is None:
                raise UnsupportedOperation(f"{name} with operand {place + 1} traced", "traced")
            edges.append(Edge(operand, linear, place))
    made = Traced(as_array(value, *payloads), tuple(edges), name)
    if note := NOTE.get():
        note(made)
    return made


# NumPy functions in terms of a few rules. What only rearranges entries is run on their positions instead.
_DECISIONS = set(FN.COMPARES) | FN.CLASSIFIES | FN.DECIDES | {np.shape, np.ndim, np.size}
_FILLED = {*FN.FILLS, np.full_like}
_MOVES = FN.REARRANGES | FN.SPLITS


def _moved(x: Any, rearrange: Callable[[Any], Any]) -> Any:
    if not isinstance(x, Traced):
        raise UnsupportedOperation("an index or shape that is traced", "traced", "use plain integers")
    places = rearrange(np.arange(x.size).reshape(x.shape))
    if isinstance(places, (list, tuple)):
        return [_record("split", rules.move, x, positions=part) for part in places]
    return _record("rearrangement", rules.move, x, positions=np.asarray(places))


def _joined(parts: Any, combine: Callable[[Any], Any]) -> Traced:
    # NumPy takes a traced array for a sequence of its rows, as it does any array.
    parts = [part if isinstance(part, (Traced, np.ndarray)) else np.asarray(part) for part in parts]
    starts = itertools.accumulate((part.size for part in parts), initial=0)
    blocks = [np.arange(part.size).reshape(part.shape) + a for part, a in zip(parts, starts, strict=False)]
    vector = _record("np.concatenate", rules.join, *(part.reshape(-1) for part in parts))
    return _moved(vector, lambda _: combine(blocks))  # type: ignore[no-any-return]


def _transpose(a: Any, axes: Any = None) -> Any:
    return _record("np.transpose", rules.transpose, a, axes=axes)


def _sum(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return _record("np.sum", rules.total, a, axis=axis, keepdims=keepdims)


def _where(condition: Any, x: Any, y: Any) -> Any:
    if isinstance(condition, Traced):
        condition = condition != 0
    return _record("np.where", rules.choose, x, y, condition=condition)


def _identity(a: Any) -> Any:
    return np.eye(len(a), dtype=a.dtype if a.dtype.kind == "f" else float)


def _own(x: Any) -> Any:
    return x if isinstance(x, Traced) else np.asarray(x)


_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.transpose: _transpose,
    np.sum: _sum,
    np.where: _where,
    np.linalg.solve: lambda a, b: _record("np.linalg.solve", rules.solve, *map(_own, (a, b))),
    np.linalg.inv: lambda a: _record("np.linalg.inv", rules.solve, a, _identity(a)),
    **COMPOSITES,
}
_signature = cache(inspect.signature)


def vjp(function: Callable[..., Any], *inputs: Any) -> tuple[Any, Pullback]:
    """Run a function; return its outputs and its pullback.

    Args:
        function: Takes arrays of any scalar and shape, or nests of them. Arrays that it closes over are constants.
        inputs: Its arguments.

    Returns:
        The outputs, nested as the function nests them, and the pullback of cotangents of the same structure.

    Raises:
        UnsupportedOperation: The function uses an operation without a rule.
    """
    leaves = map_nest(lambda array: Traced(as_array(array), leaf=True), inputs)
    try:
        traced = function(*leaves)
    except ValueError as error:
        # NumPy hides a cast refused inside an assignment behind an error of its own.
        if isinstance(error.__cause__, UnsupportedOperation):
            raise error.__cause__ from None
        raise
    return map_nest(_output, traced), Pullback(traced, leaves)


def _output(result: Any) -> Array:
    payload = as_array(_payload(result))
    if payload.dtype == object and any(isinstance(x, Traced) for x in payload.reshape(-1).tolist()):
        raise UnsupportedOperation("a traced number put into a plain array", "traced", _BUILD)
    return payload


class Pullback:
    """Cotangents of a function's outputs to cotangents of its inputs; may be called any number of times.

    Attributes:
        outputs: The function's outputs, as traced arrays.
        leaves: Its inputs, as traced arrays.
        nodes: What the outputs are made of, the last first.
    """

    def __init__(self, outputs: Any, leaves: Any) -> None:
        self.outputs, self.leaves = outputs, leaves
        reached: dict[int, Traced] = {}
        waiting: list[Traced] = []
        map_nest(lambda x: waiting.append(x) if isinstance(x, Traced) and x.active else None, outputs)
        while waiting:
            node = waiting.pop()
            if node.order not in reached:
                reached[node.order] = node
                waiting.extend(edge.operand for edge in node.edges)
        self.nodes = [reached[order] for order in sorted(reached, reverse=True)]

    def __call__(self, cotangents: Any) -> Any:
        """Return the cotangents of the inputs from those of the outputs, each nested as these are.

        Raises `GradcheckError` for a cotangent whose shape is not its output's.
        """
        return map_nest(CotangentSum.array, self.terms(cotangents))

    def terms(self, cotangents: Any) -> Any:
        """Return the cotangents of the inputs as sums that are not yet formed, to be joined over many calls."""
        sums = {node.order: CotangentSum(node.payload) for node in self.nodes}
        map_nest(lambda output, g: self._seed(sums, output, g), self.outputs, cotangents)
        for node in self.nodes:
            if node.edges and sums[node.order].terms:
                self._spread(sums, node)
        return map_nest(lambda leaf: sums.get(leaf.order) or CotangentSum(leaf.payload), self.leaves)

    def _seed(self, sums: dict[int, CotangentSum], output: Any, g: Any) -> None:
        payload = _payload(output)
        g, wanted = as_array(g, payload), np.shape(payload)
        if g.shape != wanted:
            raise GradcheckError(f"a cotangent has shape {g.shape}; its output has shape {wanted}")
        if isinstance(output, Traced) and output.active:
            sums[output.order].add(g)

    def _spread(self, sums: dict[int, CotangentSum], node: Traced) -> None:
        total = sums.pop(node.order)
        if node.edges[0].linear is rules.swap:
            sums[node.edges[0].operand.order].add(*(term.T for term in total.terms))
            return
        g = total.terms[0] if len(total.terms) == 1 else None  # one array is passed on as it is
        if not isinstance(g, np.ndarray):
            g = total.array()
        for operand, linear, _ in node.edges:
            sums[operand.order].add(rules.fit(linear(g), operand.payload, g))
