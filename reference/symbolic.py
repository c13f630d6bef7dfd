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
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp

from . import arrays
from .circuit import Evaluation, Gate, LagCircuit
from .derivative import Derivative
from .errors import GradcheckError, UnsupportedOperation
from .networks import start
from .networks.base import RecurrentNetwork, Sizes
from .networks.state import cached
from .problem import Problem, named_state
from .scalars import expression as ex
from .scalars.base import Field
from .scalars.formal import entry_name
from .typing import Array
from .wanted import DEFAULT, INPUTS, Of, kind_of, row

FIELD = ex.ExpressionField()
_LETTER = {"inputs": "x", "targets": "y", "initial_state": "a", "loss_weights": "omega"}
_LABELS: dict[Any, str] = {}
_HTML_ENTITY = re.compile(r"&(?!lt;|gt;|amp;)[A-Za-z]+;")


def symbol(name: str, index: tuple[int, ...], time: int | None = None) -> Any:
    """Return the SymPy symbol of an entry of a parameter (its copy at `time`), or of x, y, a, omega."""
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


def symbolic_problem(network: RecurrentNetwork, sizes: Sizes, *, weighted: bool = False) -> Problem:
    """Return the problem whose entries are SymPy symbols; loss weights are ones unless `weighted`."""
    return Problem(
        {name: _symbols(name, shape) for name, shape in network.parameter_shapes(sizes).items()},
        _symbols("inputs", (sizes.T, sizes.D)),
        _symbols("targets", (sizes.T, sizes.K)),
        named_state(_symbols, network.state_shape(sizes)) if start.is_given(network) else None,
        _symbols("loss_weights", (sizes.T,)) if weighted else FIELD.lift(np.ones(sizes.T)),
        network,
    )


@cached(256)
def step_losses(network: RecurrentNetwork, sizes: Sizes, *, copies: bool = False) -> tuple[Any, ...]:
    """Return L_1, ..., L_T as SymPy expressions, unweighted; with `copies`, step t reads copy t of the parameters."""
    problem = symbolic_problem(network, sizes)
    state, losses = problem.initial_state, []
    for t, (x, y) in enumerate(zip(problem.inputs, problem.targets, strict=True), start=1):
        parameters = problem.parameters
        if copies:
            parameters = {name: _symbols(name, p.shape, t) for name, p in parameters.items()}
            if t == 1 and start.is_learned(network):
                state = start.settled(network, parameters, network.state_shape(sizes), problem.inputs)
        state = network.step(parameters, state, x)
        loss = problem.network_at(t).loss_value(network.readout(parameters, state), y)
        losses.append(FIELD.native(np.asarray(loss).item()))
    return tuple(losses)


def unrolled_loss(network: RecurrentNetwork, sizes: Sizes, *, weighted: bool = False) -> Any:
    """Return L = sum_t w_t L_t as one SymPy expression.

    Args:
        network: Any network whose functions SymPy has.
        sizes: T, I, D and K.
        weighted: Whether the loss weights are symbols; else they are 1.
    """
    losses = step_losses(network, sizes)
    weights = [symbol("loss_weights", (t,)) if weighted else sp.Integer(1) for t in range(sizes.T)]
    return sp.Add(*(w * term for w, term in zip(weights, losses, strict=True)))


@cached(256)
def gradient(network: RecurrentNetwork, sizes: Sizes, *, weighted: bool = False, of: Of = DEFAULT) -> dict[str, Array]:
    """Return dL/dTheta: name to an object array of SymPy expressions, shaped like the array.

    Args:
        network: Any network whose functions SymPy has.
        sizes: T, I, D and K.
        weighted: Whether the loss weights are symbols; else they are 1.
        of: The kinds of arrays that it is wanted of; see `wanted.KINDS`.
    """
    total = unrolled_loss(network, sizes, weighted=weighted)
    return {
        name: _expressions(shape, lambda index, name=name: total.diff(symbol(name, index)))  # type: ignore[misc]
        for name, shape in _shapes(network, sizes, of).items()
    }


def _shapes(network: RecurrentNetwork, sizes: Sizes, of: Of) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the arrays that a gradient is wanted of."""
    return {name: array.shape for name, array in arrays.wanted(symbolic_problem(network, sizes), of).items()}


@cached(4096)
def lag_term(network: RecurrentNetwork, sizes: Sizes, t: int, k: int, of: Of = DEFAULT) -> dict[str, Array]:
    """Return the uses of g(t, k): derive L_t in copy t - k of the parameters, in x(t - k), and at k = t - 1 in a(0)."""
    at, found = Sizes(t, sizes.I, sizes.D, sizes.K), {}
    loss = step_losses(network, at, copies=True)[t - 1]
    for name, shape in _shapes(network, at, of).items():
        if name in network.parameter_shapes(at):
            found[name] = _expressions(shape, lambda i, name=name: Derivative(symbol(name, i, t - k))(loss))  # type: ignore[misc]
        elif kind_of(name) == INPUTS:
            found[row(t - k)] = _expressions(shape[1:], lambda i: Derivative(symbol(INPUTS, (t - k - 1, *i)))(loss))
        elif k == t - 1:
            found[name] = _expressions(shape, lambda i, name=name: Derivative(symbol(name, i))(loss))  # type: ignore[misc]
    return found


def _expressions(shape: tuple[int, ...], entry: Callable[[tuple[int, ...]], Any]) -> Array:
    out = np.empty(shape, dtype=object)
    for index in np.ndindex(*shape):
        out[index] = entry(index)
    return out


class _Writer:
    """Writes SymPy expressions down as one circuit; what recurs is a gate once."""

    def __init__(self) -> None:
        self.gates: list[Gate] = []
        self._of_expression: dict[Any, int] = {}
        self._of_gate: dict[Gate, int] = {}

    def __call__(self, expression: Any) -> int:
        """Return the gate number of `expression`. Raises `UnsupportedOperation` for what circuits lack."""
        known = self._of_expression
        if expression not in known:
            gate = self._gate(expression)
            # Copies of a parameter are one symbol here, so that gates agree where expressions do not.
            if gate not in self._of_gate:
                self._of_gate[gate] = len(self.gates)
                self.gates.append(gate)
            known[expression] = self._of_gate[gate]
        return known[expression]

    def _gate(self, e: Any) -> Gate:
        if e.is_Symbol:
            return "symbol", _LABELS[e]
        if e.is_Rational:
            return "number", int(e.p), int(e.q)
        arguments = map(self, e.args)
        if e.is_Add or e.is_Mul:
            return ("+" if e.is_Add else "*", *arguments)
        if e.is_Pow and e.exp.is_Integer:
            return "^", int(e.exp), self(e.base)
        name = e.func.__name__
        if name in _FUNCTIONS:
            return "function", _FUNCTIONS[name], *arguments
        if name[0] in "eg" and name[1:].isdigit():
            return "jointly", name[0], int(name[1:]) - 1, *arguments
        if name == "L":
            return "jointly", "L", 0, *arguments
        raise UnsupportedOperation(f"SymPy's {name}", "formal", f"it stands in {str(e):.200}")


_SAME = ("tanh", "exp", "log", "logistic", "softplus", "heaviside", "sin", "cos", "erf", "bell")
_FUNCTIONS = {
    "f": "f", "f_prime": "f'", "exponential": "exp", "root": "sqrt", "atan": "arctan",
    **{name: name for name in _SAME},
}  # fmt: skip


class Lowering:
    """Carries SymPy expressions into a `FormalField`, or any other, each distinct subexpression once.

    `instance` is that of `circuit.Evaluation`.
    """

    def __init__(self, field: Any, instance: Any = None) -> None:
        self._write, self._evaluation = _Writer(), Evaluation(field, instance)
        self.field = field

    def assign(self, made: Any, value: Any) -> None:
        """Let a SymPy symbol stand for a native value instead of a generator of its own."""
        self._evaluation.assign(_LABELS[made], value)

    def __call__(self, expression: Any) -> Any:
        """Return the polynomial equal to `expression`. Raises `UnsupportedOperation` for what the ring lacks."""
        number, values = self._write(expression), self._evaluation.values
        for gate in self._write.gates[len(values) :]:
            self._evaluation.add(gate)
        return values[number]


def lag_circuit(network: RecurrentNetwork, sizes: Sizes, t: int, of: Of = DEFAULT) -> LagCircuit:
    """Return the uses of g(t, 0), ..., g(t, t-1), unweighted, as a circuit; `sizes` has I, D and K."""
    write = _Writer()
    lags = [
        {name: [write(e) for e in array.reshape(-1)] for name, array in lag_term(network, sizes, t, k, of).items()}
        for k in range(t)
    ]
    return LagCircuit(write.gates, lags)


def matrices(network: RecurrentNetwork, sizes: Sizes, *, weighted: bool = False) -> dict[str, Any]:
    """Return the gradient as SymPy matrices by parameter name; a vector or a number becomes a column.

    Args:
        network: Any network whose functions SymPy has.
        sizes: T, I, D and K.
        weighted: Whether the loss weights are symbols; else they are 1.
    """
    return {
        name: ex.conventional(sp.ImmutableDenseMatrix(array.reshape(array.shape[0] if array.ndim else 1, -1).tolist()))
        for name, array in gradient(network, sizes, weighted=weighted).items()
    }


def latex(network: RecurrentNetwork, sizes: Sizes) -> dict[str, str]:
    """Return the gradient's matrices as LaTeX, by parameter name.

    Args:
        network: Any network whose functions SymPy has.
        sizes: T, I, D and K.
    """
    return {name: str(sp.latex(matrix)) for name, matrix in matrices(network, sizes).items()}


def mathml(network: RecurrentNetwork, sizes: Sizes) -> dict[str, str]:
    """Return the gradient's matrices as presentation MathML, one well-formed <math> element per parameter.

    Args:
        network: Any network whose functions SymPy has.
        sizes: T, I, D and K.
    """
    from sympy.printing.mathml import mathml as render

    return {
        name: _HTML_ENTITY.sub(lambda found: html.unescape(found[0]), str(render(matrix, printer="presentation")))
        for name, matrix in matrices(network, sizes).items()
    }


def numpy_function(
    network: RecurrentNetwork, sizes: Sizes, module: str = "numpy", of: Of = DEFAULT
) -> Callable[[Problem], dict[str, Array]]:
    """Compile the gradient to a function of a `Problem` of these sizes.

    Args:
        network: A network without undefined functions, which have no values.
        sizes: The sizes of the problems.
        module: numpy or mpmath.
        of: The kinds of arrays that the gradient is wanted of; see `wanted.KINDS`.

    Raises:
        GradcheckError: The network has undefined functions.
    """
    exact = gradient(network, sizes, weighted=True, of=of)
    entries = [e.rewrite("exp") if _has_own(e) else e for a in exact.values() for e in a.reshape(-1)]
    kinds = (sp.core.function.AppliedUndef, ex.f, ex.f_prime, ex.L)
    undefined = {str(u.func) for e in entries for u in e.atoms(*kinds)}
    if undefined:
        raise GradcheckError(
            f"the gradient holds the undefined functions {', '.join(sorted(undefined))}; name the "
            "network's activation and loss to evaluate it"
        )
    problem = symbolic_problem(network, sizes, weighted=True)
    symbols = [FIELD.native(s) for array in problem.free_arrays().values() for s in array.reshape(-1).tolist()]
    modules = [{"heaviside": lambda s: (s > 0) * 1}, module]
    compiled = sp.lambdify(symbols, entries, modules=modules, cse=True)

    def evaluate(given: Problem) -> dict[str, Array]:
        if given.sizes != sizes:
            raise GradcheckError(f"this function is for {sizes}; got a problem with {given.sizes}")
        numbers = (v for array in given.free_arrays().values() for v in array.reshape(-1).tolist())
        values = compiled(*(getattr(v, "value", v) for v in numbers))
        flat = iter(values)
        dtype = object if module == "mpmath" else float
        return {
            n: np.array([next(flat) for _ in range(a.size)], dtype=dtype).reshape(a.shape) for n, a in exact.items()
        }

    return evaluate


def evaluated(problem: Problem, field: Field, of: Of = DEFAULT) -> dict[str, Array]:
    """Evaluate the gradient at the numbers of a problem over `field`; repeated parts are handled once.

    Its derivative is that of the lag terms, which proofs rest on. Raises `GradcheckError` as `numpy_function`.
    """
    network, sizes = problem.network, problem.sizes
    total = unrolled_loss(network, sizes, weighted=True)
    exact = {
        name: _expressions(shape, lambda index, name=name: Derivative(symbol(name, index))(total))  # type: ignore[misc]
        for name, shape in _shapes(network, sizes, of).items()
    }
    values = Lowering(field)
    symbols = symbolic_problem(network, sizes, weighted=True).free_arrays()
    for name, array in problem.free_arrays().items():
        for made, value in zip(FIELD.natives(symbols[name]), field.natives(array), strict=True):
            values.assign(made, value)
    return {n: field.array((values(e) for e in array.reshape(-1)), array.shape) for n, array in exact.items()}


def _has_own(e: Any) -> bool:
    return bool(e.atoms(ex.logistic, ex.softplus, ex.exponential, ex.root, ex.bell, ex.erf))
