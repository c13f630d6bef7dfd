"""The unrolled loss and its exact gradient, by SymPy's own differentiation.

The network's equations are run on SymPy expressions; f and L stay undefined if the network leaves
them undefined (`network.undefined()`), and are tanh, logistic, ... where it names them. The gradient is `Expr.diff` of
the whole unrolled expression; its lag terms, and what is only evaluated, are differentiated by `derivative`, which
spares what the steps share.

Symbols are numbered from 1 as in the lecture: W_1_2 is w_12, x_1__3 is x_1(3), a_2__0 is a_2(0).
To resolve the gradient by lag, each step reads its own copy of the parameters, W(1) = ... = W(T), as in
the lecture's derivation, and SymPy differentiates in the copy. Results are cached per process.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from .claims import LagClaim
from .derivative import Derivative
from .errors import GradcheckError
from .network import RecurrentNetwork, Sizes
from .problem import Problem
from .scalars import expression as ex
from .scalars.base import Field
from .scalars.formal import FormalField, entry_name
from .typing import Array

FIELD = ex.ExpressionField()
_LETTER = {"inputs": "x", "targets": "y", "initial_state": "a", "loss_weights": "omega"}
_LABELS: dict[Any, str] = {}
_HTML_ENTITY = re.compile(r"&(?!lt;|gt;|amp;)[A-Za-z]+;")


def symbol(name: str, index: tuple[int, ...], time: int | None = None) -> Any:
    """The SymPy symbol of an entry: of a parameter, or of x, y, a, omega at a time; `time` copies a parameter."""
    letter = _LETTER.get(name, name)
    if name in ("inputs", "targets"):
        text = f"{letter}_{index[1] + 1}__{index[0] + 1}"
    elif name == "loss_weights":
        text = f"{letter}__{index[0] + 1}"
    elif name.startswith("initial_state"):
        text = "_".join([f"a{name[13:]}", *(str(i + 1) for i in index)]) + "__0"
    else:
        text = "_".join([letter, *(str(i + 1) for i in index)]) + ("" if time is None else f"__{time}")
    made = sp.Symbol(text, real=True)
    _LABELS[made] = entry_name(name, index)
    return made


def _symbols(name: str, shape: tuple[int, ...], time: int | None = None) -> Array:
    return FIELD.array((symbol(name, index, time) for index in np.ndindex(*shape)), shape)


def _initial_state(network: RecurrentNetwork, sizes: Sizes) -> Any:
    return _named_state(_symbols, network.state_shape(sizes))


def _named_state(made: Callable[[str, tuple[int, ...]], Array], shape: Any) -> Any:
    if shape and isinstance(shape[0], tuple):
        return tuple(made(f"initial_state[{i}]", part) for i, part in enumerate(shape))
    return made("initial_state", shape)


def symbolic_problem(network: RecurrentNetwork, sizes: Sizes, *, weighted: bool = False) -> Problem:
    """The problem of that size whose every entry is a SymPy symbol; loss weights are ones unless `weighted`."""
    return Problem(
        {name: _symbols(name, shape) for name, shape in network.parameter_shapes(sizes).items()},
        _symbols("inputs", (sizes.T, sizes.D)),
        _symbols("targets", (sizes.T, sizes.K)),
        _initial_state(network, sizes),
        _symbols("loss_weights", (sizes.T,)) if weighted else FIELD.lift(np.ones(sizes.T)),
        network,
    )


@lru_cache(maxsize=256)
def step_losses(network: RecurrentNetwork, sizes: Sizes, *, copies: bool = False) -> tuple[Any, ...]:
    """L_1, ..., L_T as SymPy expressions, unweighted; with `copies`, step t reads the parameters' copy t."""
    problem = symbolic_problem(network, sizes)
    state, losses = problem.initial_state, []
    for t, (x, y) in enumerate(zip(problem.inputs, problem.targets, strict=True), start=1):
        parameters = problem.parameters
        if copies:
            parameters = {name: _symbols(name, p.shape, t) for name, p in parameters.items()}
        state = network.step(parameters, state, x)
        losses.append(FIELD.native(np.asarray(network.loss_value(network.readout(parameters, state), y)).item()))
    return tuple(losses)


def unrolled_loss(network: RecurrentNetwork, sizes: Sizes, *, weighted: bool = False) -> Any:
    """L = sum_t w_t L_t as one SymPy expression."""
    losses = step_losses(network, sizes)
    weights = [symbol("loss_weights", (t,)) if weighted else sp.Integer(1) for t in range(sizes.T)]
    return sp.Add(*(w * term for w, term in zip(weights, losses, strict=True)))


@lru_cache(maxsize=256)
def gradient(network: RecurrentNetwork, sizes: Sizes, *, weighted: bool = False) -> dict[str, Array]:
    """dL/dTheta: parameter name to an object array of SymPy expressions, shaped like the parameter."""
    total = unrolled_loss(network, sizes, weighted=weighted)
    return {
        name: _expressions(shape, lambda index, name=name: total.diff(symbol(name, index)))  # type: ignore[misc]
        for name, shape in network.parameter_shapes(sizes).items()
    }


@lru_cache(maxsize=1024)
def lag_terms(network: RecurrentNetwork, sizes: Sizes, t: int) -> tuple[dict[str, Array], ...]:
    """g(t, k) for k = 0, ..., t-1: the derivative of L_t in the parameters' copy t - k, copies then joined."""
    return tuple(_lag_term(network, sizes, t, k) for k in range(t))


@lru_cache(maxsize=4096)
def _lag_term(network: RecurrentNetwork, sizes: Sizes, t: int, k: int) -> dict[str, Array]:
    loss = step_losses(network, Sizes(t, sizes.I, sizes.D, sizes.K), copies=True)[t - 1]
    return {
        name: _expressions(shape, lambda index, name=name: Derivative(symbol(name, index, t - k))(loss))  # type: ignore[misc]
        for name, shape in network.parameter_shapes(sizes).items()
    }


def _expressions(shape: tuple[int, ...], entry: Callable[[tuple[int, ...]], Any]) -> Array:
    out = np.empty(shape, dtype=object)
    for index in np.ndindex(*shape):
        out[index] = entry(index)
    return out


class Lowering:
    """Carries SymPy expressions into a `FormalField`, or any other, each distinct subexpression once.

    `instance`, a network with an activation, an output and a loss, replaces the undefined functions: f by its
    activation, f' by the activation's derivative, e_k by its output error.
    """

    def __init__(self, field: Any, instance: Any = None) -> None:
        self.field, self.instance = field, instance
        self._memo: dict[Any, Any] = {}

    def assign(self, made: Any, value: Any) -> None:
        """Let a SymPy symbol stand for a native polynomial instead of a generator of its own."""
        self._memo[made] = value

    def __call__(self, expression: Any) -> Any:
        """The polynomial equal to `expression`. Raises `GradcheckError` for a function the ring lacks."""
        memo = self._memo
        if expression not in memo:
            memo[expression] = self._lower(expression)
        return memo[expression]

    def _lower(self, e: Any) -> Any:
        field = self.field
        if e.is_Symbol:
            return field.symbol(_LABELS[e])
        if e.is_Rational:
            return field.convert(_fraction(e))
        arguments = [self(argument) for argument in e.args]
        if e.is_Add or e.is_Mul:
            total = arguments[0]
            for argument in arguments[1:]:
                total = total + argument if e.is_Add else total * argument
            return total
        if e.is_Pow and e.exp.is_Integer and e.exp > 0:
            return arguments[0] ** int(e.exp)
        if e.is_Pow and e.exp.is_Integer:
            return field.divide(field.convert(1), arguments[0] ** -int(e.exp))
        name = e.func.__name__
        if self.instance is not None and name in ("f", "f_prime"):
            activation, s = self.instance.activation, field.array(arguments, (1,))
            return field.natives(activation(s) if name == "f" else activation.derivative(s))[0]
        if self.instance is not None and name[0] == "e" and name[1:].isdigit():
            K = len(arguments) // 2
            error = self.instance.output_error(field.array(arguments[:K], (K,)), field.array(arguments[K:], (K,)))
            return field.natives(error)[int(name[1:]) - 1]
        if name in _FUNCTIONS:
            return field.function(_FUNCTIONS[name], arguments[0])
        if name[0] in "eg" and name[1:].isdigit():
            return field.jointly(name[0], int(name[1:]) - 1, tuple(arguments))
        if name == "L":
            return field.jointly("L", 0, tuple(arguments))
        raise GradcheckError(f"SymPy's {name} has no counterpart among formal scalars, in {e}")


_SAME = ("tanh", "exp", "log", "logistic", "softplus", "heaviside", "sin", "cos")
_FUNCTIONS = {"f": "f", "f_prime": "f'", **{name: name for name in _SAME}}


def _fraction(e: Any) -> Any:
    from fractions import Fraction

    return Fraction(int(e.p), int(e.q))


class FormalReference:
    """SymPy's gradient in a polynomial ring, for one network and one (I, D, K); any T up to `sizes.T`.

    SymPy differentiates with f and L undefined wherever the network has such a form, and the network's own
    functions are put in for them afterwards, so one differentiation serves every activation and loss. Each
    lag term is differentiated and lowered once; every claim about lags is a sum of them.
    """

    def __init__(self, network: RecurrentNetwork, sizes: Sizes, *, weighted: bool = False) -> None:
        parameters = sum(int(np.prod(s)) for s in network.parameter_shapes(sizes).values())
        states = sizes.T * (4 * sizes.I + 4 * sizes.K + sizes.D + 2)
        self.network, self.sizes, self.weighted = network, sizes, weighted
        self.field = FormalField(parameters + states + 3 * sizes.I + 16)
        undefined = getattr(network, "undefined", None)
        self._source: RecurrentNetwork = undefined() if undefined else network
        self._lower = Lowering(self.field, network if undefined and network != self._source else None)
        if getattr(getattr(getattr(network, "head", None), "loss", None), "name", "") == "categorical_cross_entropy":
            self._make_targets_probabilities()
        self._terms: dict[tuple[int, int], dict[str, Array]] = {}
        self._sums: dict[tuple[int, tuple[int, ...]], dict[str, Array]] = {}

    def _make_targets_probabilities(self) -> None:
        """The last target of each step is 1 minus the others: categorical cross-entropy is defined on those."""
        for t in range(self.sizes.T):
            rest = self.field.convert(1)
            for k in range(self.sizes.K - 1):
                rest = rest - self._lower(symbol("targets", (t, k)))
            self._lower.assign(symbol("targets", (t, self.sizes.K - 1)), rest)

    def problem(self, T: int) -> Problem:
        """The problem of length T whose entries are generators."""
        sizes, field = Sizes(T, self.sizes.I, self.sizes.D, self.sizes.K), self.field
        return Problem(
            {name: field.symbols(name, s) for name, s in self.network.parameter_shapes(sizes).items()},
            field.symbols("inputs", (T, sizes.D)),
            field.array((self._lower(symbol("targets", i)) for i in np.ndindex(T, sizes.K)), (T, sizes.K)),
            _named_state(field.symbols, self.network.state_shape(sizes)),
            field.symbols("loss_weights", (T,)) if self.weighted else field.lift(np.ones(T)),
            self.network,
        )

    def term(self, t: int, k: int) -> dict[str, Array]:
        """g(t, k), weighted: parameter name to an array of native polynomials."""
        if (t, k) not in self._terms:
            weight = self.field.symbol(f"loss_weights[{t - 1}]") if self.weighted else self.field.convert(1)
            self._terms[t, k] = {
                name: _expressions(array.shape, lambda index, array=array: weight * self._lower(array[index]))  # type: ignore[misc]
                for name, array in _lag_term(self._source, self.sizes, t, k).items()
            }
        return self._terms[t, k]

    def gradient(self, T: int, claim: LagClaim) -> dict[str, Array]:
        """The sum of the lag terms that `claim` keeps, for T steps: name to an array of native polynomials."""
        kept = ((t, tuple(k for k in range(t) if claim.keeps(t, k, T))) for t in range(1, T + 1))
        return _summed(self._of_loss(t, lags) for t, lags in kept if lags)

    def _of_loss(self, t: int, lags: tuple[int, ...]) -> dict[str, Array]:
        """The sum of g(t, k) over these k, which the settings of a claim have in common."""
        if (t, lags) not in self._sums:
            self._sums[t, lags] = _summed(self.term(t, k) for k in lags)
        return self._sums[t, lags]


def _summed(terms: Iterable[dict[str, Array]]) -> dict[str, Array]:
    total: dict[str, Array] = {}
    for term in terms:
        total = {name: total[name] + term[name] for name in term} if total else dict(term)
    return total


def matrices(network: RecurrentNetwork, sizes: Sizes, *, weighted: bool = False) -> dict[str, Any]:
    """The gradient as SymPy matrices; a vector parameter becomes a column."""
    return {
        name: sp.ImmutableDenseMatrix(array.reshape(array.shape[0], -1).tolist())
        for name, array in gradient(network, sizes, weighted=weighted).items()
    }


def latex(network: RecurrentNetwork, sizes: Sizes) -> dict[str, str]:
    """The gradient's matrices as LaTeX, by parameter name."""
    return {name: str(sp.latex(matrix)) for name, matrix in matrices(network, sizes).items()}


def mathml(network: RecurrentNetwork, sizes: Sizes) -> dict[str, str]:
    """The gradient's matrices as presentation MathML, by parameter name; well-formed XML, one <math> element each."""
    from sympy.printing.mathml import mathml as render

    return {
        name: _HTML_ENTITY.sub(lambda found: html.unescape(found[0]), str(render(matrix, printer="presentation")))
        for name, matrix in matrices(network, sizes).items()
    }


def numpy_function(
    network: RecurrentNetwork, sizes: Sizes, module: str = "numpy"
) -> Callable[[Problem], dict[str, Array]]:
    """The gradient as a function of a `Problem` of these sizes, compiled by SymPy for NumPy or mpmath.

    Raises `GradcheckError` for a network with undefined functions, which have no values.
    """
    exact = gradient(network, sizes, weighted=True)
    entries = [e.rewrite("exp") if _has_own(e) else e for a in exact.values() for e in a.reshape(-1)]
    kinds = (sp.core.function.AppliedUndef, ex.f, ex.f_prime, ex.L)
    undefined = {str(u.func) for e in entries for u in e.atoms(*kinds)}
    if undefined:
        raise GradcheckError(
            f"the gradient holds the undefined functions {', '.join(sorted(undefined))}; name the "
            "network's activation and loss to evaluate it"
        )
    problem = symbolic_problem(network, sizes, weighted=True)
    symbols = [FIELD.native(s) for array in problem.arrays().values() for s in array.reshape(-1).tolist()]
    modules = [{"heaviside": lambda s: (s > 0) * 1}, module]
    compiled = sp.lambdify(symbols, entries, modules=modules, cse=True)

    def evaluate(given: Problem) -> dict[str, Array]:
        if given.sizes != sizes:
            raise GradcheckError(f"this function is for {sizes}; got a problem with {given.sizes}")
        numbers = (v for array in given.arrays().values() for v in array.reshape(-1).tolist())
        values = compiled(*(getattr(v, "value", v) for v in numbers))
        flat = iter(values)
        dtype = object if module == "mpmath" else float
        return {
            n: np.array([next(flat) for _ in range(a.size)], dtype=dtype).reshape(a.shape) for n, a in exact.items()
        }

    return evaluate


def evaluated(problem: Problem, field: Field) -> dict[str, Array]:
    """The gradient at the numbers of a problem over `field`: differentiated and evaluated, what recurs once.

    Its derivative is that of the lag terms, which proofs rest on. Raises `GradcheckError` as `numpy_function`.
    """
    network, sizes = problem.network, problem.sizes
    total = unrolled_loss(network, sizes, weighted=True)
    exact = {
        name: _expressions(shape, lambda index, name=name: Derivative(symbol(name, index))(total))  # type: ignore[misc]
        for name, shape in network.parameter_shapes(sizes).items()
    }
    values = Lowering(field)
    symbols = symbolic_problem(network, sizes, weighted=True).arrays()
    for name, array in problem.arrays().items():
        for made, value in zip(FIELD.natives(symbols[name]), field.natives(array), strict=True):
            values.assign(made, value)
    return {n: field.array((values(e) for e in array.reshape(-1)), array.shape) for n, array in exact.items()}


def _has_own(e: Any) -> bool:
    return bool(e.atoms(ex.logistic, ex.softplus))
