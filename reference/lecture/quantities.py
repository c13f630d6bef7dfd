"""Every quantity that the lecture's formulas mention, and every derivative, on any scalar.

The forward pass and its derivatives are written once and in plain NumPy. On balls the derivatives come from
dual numbers, in the report's NumPy programs from the complex step (both are `derivative`, with another unit),
and for proofs from SymPy, which differentiates the unrolled expressions. None of them applies a formula of
the lecture. Lists have entry t for time t = 0, ..., T, with None where the lecture has nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..functions import DERIVATIVES
from ..network import Network, Sizes
from ..networks.activations import UNDEFINED_ACTIVATION
from ..networks.losses import LOSSES, UNDEFINED_LOSS, UNDEFINED_OUTPUT, Head
from ..problem import Problem
from ..scalars.base import Field
from ..scalars.dual import DualField
from ..scalars.formal import FormalField
from ..symbolic import FIELD as EXPRESSIONS
from ..symbolic import Lowering, symbol, symbolic_problem
from ..typing import Array

Point: TypeAlias = dict[str, Any]
"""W and R with one copy per time, V, and what is added to s(t), a(t), yhat(t), each a list over time."""


def run(point: Point, x: list[Any], y: list[Any], a0: Array, f: Any, g: Any, loss: Any) -> dict[str, list[Any]]:
    """Run the forward pass, step t with its own copies W(t) and R(t); return lists with entry t for time t."""
    s: list[Any] = [None]
    a: list[Any] = [a0]
    u: list[Any] = [None]
    yhat: list[Any] = [None]
    L: list[Any] = [None]
    for t in range(1, len(x)):
        s.append(point["W"][t].T @ x[t] + point["R"][t].T @ a[t - 1] + point["s"][t])
        a.append(f(s[t]) + point["a"][t])
        u.append(point["V"].T @ a[t])
        yhat.append(g(u[t]) + point["yhat"][t])
        L.append(loss(yhat[t], y[t]))
    return {"s": s, "a": a, "u": u, "yhat": yhat, "L": L}


def moved(point: Point, by: str, tau: int | None, index: Any, unit: Any) -> Point:
    """Return the point with `unit` added to one entry: in its copy at time tau, in every copy where tau is None."""

    def bump(array: Array) -> Array:
        array = array.copy()
        array[index] = array[index] + unit
        return array

    if by == "V":
        return {**point, by: bump(point[by])}
    copies = [bump(c) if c is not None and tau in (None, t) else c for t, c in enumerate(point[by])]
    return {**point, by: copies}


def derivative(
    forward: Any, point: Point, unit: Any, part: Any, of: str, by: str, t: int | None = None, tau: int | None = None
) -> Array:
    """Return d of(t) / d by(tau), shape (*of, *by), from the forward pass alone; L without a time is the sum."""
    entries = point[by] if by == "V" else point[by][-1]
    columns = []
    for index in np.ndindex(*entries.shape):
        out = forward(moved(point, by, tau, index, unit))[of]
        columns.append(part(sum(out[1:]) if t is None else out[t]))
    return np.stack(columns, axis=-1).reshape(np.shape(columns[0]) + entries.shape)


@dataclass(frozen=True)
class Functions:
    """f and g with their derivatives on (I,) and (K,), the loss L(yhat, y) and e = dL/dyhat.

    scope: for what a statement about them holds, in words.
    """

    f: Callable[[Array], Array]
    df: Callable[[Array], Array]
    g: Callable[[Array], Array]
    dg: Callable[[Array], Array]
    loss: Callable[[Array, Array], Any]
    error: Callable[[Array, Array], Array]


def functions_of(network: Network) -> Functions:
    """Return a network's own functions. For softmax `dg` does not exist, and is not called."""
    f, g, loss = network.activation, network.head.output, network.loss
    return Functions(
        f,
        f.derivative,
        g,
        lambda u: DERIVATIVES[g.name](u),
        lambda p, y: loss(y, p),
        lambda p, y: loss.derivative(y, p),
    )


FAMILIES = {
    "undefined": "every differentiable f, every elementwise g and every loss",
    "activations as outputs": "every differentiable f and every loss, where K = I, V is the unit matrix and g = id",
    "half squared error": "every differentiable f, every elementwise g and L = 1/2 sum_k (yhat_k - y_k)^2",
    "squared error": "every differentiable f, every elementwise g and L = sum_k (yhat_k - y_k)^2",
}
"""The families that proofs are for, and for what they hold."""


def family(name: str, gamma: Any) -> Functions:
    """Return undefined functions f, g and L; `gamma` is a symbol of the number system at hand.

    An undefined g is f(u + gamma): no other argument of f holds gamma, so no relation joins the two.
    """
    f = UNDEFINED_ACTIVATION
    undefined, half = Head(UNDEFINED_OUTPUT, UNDEFINED_LOSS), LOSSES["squared_error"]

    def g(u: Array) -> Array:
        return f(u + gamma)

    def dg(u: Array) -> Array:
        return f.derivative(u + gamma)

    if name == "activations as outputs":
        return Functions(f, f.derivative, lambda u: +u, lambda u: u * 0 + 1, undefined.value, undefined.error)
    if name == "half squared error":
        return Functions(f, f.derivative, g, dg, lambda p, y: half(y, p), lambda p, y: half.derivative(y, p))
    if name == "squared error":
        return Functions(f, f.derivative, g, dg, lambda p, y: ((p - y) ** 2).sum(), lambda p, y: 2 * (p - y))
    return Functions(f, f.derivative, g, dg, undefined.value, undefined.error)


class Quantities:
    """Quantities that a formula of the lecture may mention, at one point.

    times: 1, ..., T. W, R, V; x, y, a, s, u, yhat, e: lists over time of vectors. df, dg: f'(s(t)),
    g'(u(t)); f, g and slope_g are the functions themselves.
    d(of, by, t, tau): d of(t) / d by(tau), shape (*of, *by); of is "s", "a", "yhat" or "L" (of time t, or
    the sum where t is None); by is "V", "W" or "R" (shared, or the copy of time tau), "s", "a" or "yhat".
    delta: dL/ds(t), and zeros at T + 1.
    """

    def __init__(self, problem: Problem, functions: Functions, d: Callable[..., Array]) -> None:
        self.problem, self.functions, self._d = problem, functions, d
        self._known: dict[Any, Array] = {}
        self.times = range(1, problem.T + 1)
        self.W, self.R, self.V = (problem.parameters[name] for name in "WRV")
        self.x, self.y = timed(problem.inputs), timed(problem.targets)
        self.f, self.g, self.slope_g = functions.f, functions.g, functions.dg
        out = run(point_of(problem), self.x, self.y, problem.initial_state, functions.f, functions.g, functions.loss)
        self.s, self.a, self.u, self.yhat, self.L = (out[name] for name in ("s", "a", "u", "yhat", "L"))
        self.e = [None, *(functions.error(self.yhat[t], self.y[t]) for t in self.times)]
        # s(0) does not exist; where the lecture speaks of it, it is 0.
        self.df = [functions.df(self.a[0] * 0), *(functions.df(self.s[t]) for t in self.times)]

    @property
    def dg(self) -> list[Any]:
        return [None, *(self.functions.dg(self.u[t]) for t in self.times)]

    @property
    def delta(self) -> list[Any]:
        return [None, *(self.d("L", "s", tau=t) for t in self.times), self.a[0] * 0]

    def d(self, of: str, by: str, t: int | None = None, tau: int | None = None) -> Array:
        key = (of, by, t, tau)
        if key not in self._known:
            self._known[key] = self._d(of, by, t, tau)
        return self._known[key]


def timed(rows: Array) -> list[Any]:
    """Return a list whose entry t is row t - 1 of an array."""
    return [None, *rows]


def point_of(problem: Problem) -> Point:
    """Return the problem's parameters, a copy for each time, with nothing added to s, a and yhat."""
    T, p = problem.T, problem.parameters
    nothing, none = problem.initial_state * 0, problem.targets[0] * 0
    return {
        "W": [None, *[p["W"]] * T], "R": [None, *[p["R"]] * T], "V": p["V"],
        "s": [nothing] * (T + 1), "a": [nothing] * (T + 1), "yhat": [None, *[none] * T],
    }  # fmt: skip


def numeric(problem: Problem, field: Field) -> Quantities:
    """Return a float problem's quantities on `field`, derivatives by dual numbers. Call inside `field.working()`."""
    network: Any = problem.network
    functions, dual = functions_of(network), DualField(field)
    lifted, twofold = problem.over(field), problem.over(dual)
    x, y = timed(twofold.inputs), timed(twofold.targets)
    unit = dual.join(field.lift(0), field.lift(1)).item()

    def forward(point: Point) -> Any:
        return run(point, x, y, twofold.initial_state, functions.f, functions.g, functions.loss)

    def d(of: str, by: str, t: int | None, tau: int | None) -> Array:
        part = lambda value: dual.tangents(np.asarray(value))  # noqa: E731
        return derivative(forward, point_of(twofold), unit, part, of, by, t, tau)

    return Quantities(lifted, functions, d)


class FormalQuantities(Quantities):
    """The quantities as polynomials, for a family of `FAMILIES`; derivatives by SymPy.

    a(0) is a free constant, and gamma as in `family`.
    """

    def __init__(self, sizes: Sizes, name: str = "undefined") -> None:
        self.sizes, self.field = sizes, FormalField(240)
        self.name = name
        self._lower = Lowering(self.field)
        self._unrolled: dict[Any, tuple[Point, Any]] = {}
        network = Network().undefined()
        shape = network.parameter_shapes(sizes)
        problem = Problem(
            {n: self._given_V() if n == "V" and self._fixed else self.field.symbols(n, s) for n, s in shape.items()},
            self.field.symbols("inputs", (sizes.T, sizes.D)),
            self.field.symbols("targets", (sizes.T, sizes.K)),
            self.field.symbols("initial_state", (sizes.I,)),
            self.field.lift(np.ones(sizes.T)),
            network,
        )
        super().__init__(problem, family(name, self.field.scalar(self.field.symbol("gamma"))), self._differentiate)

    @property
    def _fixed(self) -> bool:
        return self.name == "activations as outputs"

    def _given_V(self) -> Array:
        return self.field.lift(np.eye(self.sizes.I))

    def _unroll(self, by: str, tau: int | None) -> tuple[Point, Any]:
        """Return the point and the forward pass as SymPy expressions, with symbols of its own for `by` at time tau."""
        key = None if tau is None else (by, tau)
        if key not in self._unrolled:
            problem = symbolic_problem(Network().undefined(), self.sizes)
            if self._fixed:
                problem = problem.replace(
                    parameters={**problem.parameters, "V": EXPRESSIONS.lift(np.eye(self.sizes.I))}
                )
            point = point_of(problem)
            if tau is not None:
                shape, name = point[by][-1].shape, by if by in ("W", "R") else f"added to {by}"
                own = EXPRESSIONS.array((symbol(name, index, tau) for index in np.ndindex(*shape)), shape)
                point[by] = [own if t == tau else copy for t, copy in enumerate(point[by])]
            functions = family(self.name, EXPRESSIONS.scalar(symbol("gamma", ())))
            x, y = timed(problem.inputs), timed(problem.targets)
            out = run(point, x, y, problem.initial_state, functions.f, functions.g, functions.loss)
            self._unrolled[key] = (point, out)
        return self._unrolled[key]

    def _differentiate(self, of: str, by: str, t: int | None, tau: int | None) -> Array:
        point, out = self._unroll(by, tau)
        entries = point[by] if by == "V" else point[by][-1 if tau is None else tau]
        parts = out[of][1:] if t is None else [out[of][t]]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        expressions, variables = EXPRESSIONS.natives(np.asarray(total)), EXPRESSIONS.natives(entries)
        # A copy's symbols become those of the shared parameter when lowered; what was added becomes 0 here.
        nothing = {} if by in ("V", "W", "R") else dict.fromkeys(variables, 0)
        return self.field.array(
            (self._lower(e.diff(v).xreplace(nothing)) for e in expressions for v in variables),
            np.shape(total) + np.shape(entries),
        )
