"""Verdicts on the lecture's sentences about the loss, the network, backpropagation through time and its truncation.

Each function takes the title of a row, computes, and returns the verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from ...algorithms import bptt, descend, truncated_bptt
from ...records import Evidence, Status, Strength, Verdict
from ...reference import lags
from ...reference.claims import Exact, Truncated
from ...reference.lecture.backward_formulas import left_error
from ...reference.lecture.formulas import FORMULAS
from ...reference.lecture.quantities import family, numeric, point_of, run, timed
from ...reference.network import Network, Sizes
from ...reference.problem import Problem, empirical_risk, forward, loss
from ...reference.scalars.ball import BallField
from ...reference.scalars.dual import DualField
from ...reference.scalars.formal import FormalField
from ...reference.scalars.rational import RationalField
from ...reference.typing import Array
from .equations import BITS, DISTINCT, SIZES, SQUARE, compare, quantities, shown
from .sentences import (
    ELEMENTWISE,
    EVERY,
    RULE_SIZES,
    UNDEFINED,
    control,
    equation,
    gradients_equal,
    joined,
    judge_rule,
    nowhere_zero,
    proved,
    reference,
    same,
)


def risk(claim: str) -> Verdict:
    """Compare the two lines of R_emp on two sequences of different lengths."""
    field, shapes = FormalField(160), UNDEFINED.parameter_shapes(Sizes(3, 2, 2, 2))
    parameters: dict[str, Array] = {name: field.symbols(name, shape) for name, shape in shapes.items()}
    start = field.symbols("initial_state", (2,))
    problems = [
        Problem(
            parameters, field.symbols(f"x({n})", (T, 2)), field.symbols(f"y({n})", (T, 2)), start,
            field.lift(np.ones(T)), UNDEFINED,
        )
        for n, T in ((1, 2), (2, 3))
    ]  # fmt: skip
    total: Any = 0
    for problem in problems:
        for t in range(1, problem.T + 1):
            u = forward(problem.prefix(t))[1][-1]  # from a(0) and x(1:t) alone
            total = total + UNDEFINED.loss_value(u, problem.targets[t - 1])
    both = same(field, np.asarray(empirical_risk(problems)), np.asarray(total / len(problems)))
    text = (
        "the mean of the sequences' losses is the double sum over sequences and steps, each step from a(0) and x(1:t) "
        f"alone, for {EVERY}"
    )
    return proved(claim, both, text, "N=2 sequences of 2 and 3 steps, I=2, D=2, K=2")


def descent(claim: str) -> Verdict:
    """Compare the loss's derivative along any direction, by dual numbers, with SymPy's gradient."""
    held = [_directional(sizes) for sizes in (SQUARE, DISTINCT)]
    one, nothing = np.ones((1, 1)), np.zeros((1, 1))
    problem = Problem({"W": one, "R": nothing, "V": one}, one, nothing, network=Network("identity"))
    before, after = descend(bptt, [problem], learning_rate=3.0, steps=1).risks
    text = (
        "the loss's derivative along any direction is the inner product of that direction with SymPy's gradient, so "
        "along minus the gradient it is minus the gradient's squared length: wherever the gradient is not 0, every "
        f"small enough step decreases the loss, for {EVERY}"
    )
    step = (
        "an eta > 0 may be too large: on L = (w v)^2 / 2 at w = v = 1, eta = 3 takes the loss "
        f"from {before:g} to {after:g}"
    )
    larger = control("float64", after > before, step, Strength.CERTIFIED)
    return proved(claim, all(held), text, f"({SQUARE}); ({DISTINCT})", [larger])


def _directional(sizes: Sizes) -> bool:
    q = quantities(sizes)
    field, dual = q.field, DualField(q.field)

    def constant(array: Array) -> Array:
        return dual.join(array, array * 0)

    direction = {name: field.symbols(f"h_{name}", q.problem.parameters[name].shape) for name in "WRV"}
    problem = q.problem.map(constant)
    problem = problem.replace(
        parameters={name: dual.join(q.problem.parameters[name], h) for name, h in direction.items()}
    )
    gamma = constant(field.symbols("gamma", ())).item()
    functions = family("undefined", gamma)
    x, y = timed(problem.inputs), timed(problem.targets)
    out = run(point_of(problem), x, y, problem.initial_state, functions.f, functions.g, functions.loss)
    along = dual.tangents(np.asarray(sum(out["L"][1:])))
    inner: Any = sum((q.d("L", name) * h).sum() for name, h in direction.items())
    return same(field, along, np.asarray(inner))


def network(claim: str) -> Verdict:
    """Compare the network that is differentiated here with the lecture's equations, index by index."""
    held = []
    for sizes in SIZES:
        q = quantities(sizes)
        states, readouts = forward(q.problem)
        for t in q.times:
            s = [
                sum(q.W[d, j] * q.x[t][d] for d in range(sizes.D))
                + sum(q.R[i, j] * states[t - 1][i] for i in range(sizes.I))
                for j in range(sizes.I)
            ]
            a = q.f(q.field.lift(np.array(s, dtype=object)))
            u = [sum(q.V[i, k] * a[i] for i in range(sizes.I)) for k in range(sizes.K)]
            held += [same(q.field, a, states[t]), same(q.field, np.array(u, dtype=object), readouts[t - 1])]
        steps = [UNDEFINED.loss_value(u, y) for u, y in zip(readouts, q.problem.targets, strict=True)]
        held.append(same(q.field, np.asarray(loss(q.problem)), np.asarray(sum(steps))))
    text = (
        "with W in R^(D x I), R in R^(I x I) and V in R^(I x K) every product can be formed, and the network that is "
        "differentiated here has these states, readouts and loss, index by index, as polynomials"
    )
    return proved(claim, all(held), text, "; ".join(f"({s})" for s in SIZES))


def zero_start(claim: str) -> Verdict:
    """Prove the backward formulas with a(0) left free."""
    rows = ("delta-recursion", "dR-component", "dW-component", "dV-matrix", "start-derivatives")
    sides = [(FORMULAS[row], FORMULAS[row].corrected or FORMULAS[row].printed) for row in rows]
    held = [compare(formula, side, quantities(sizes)) is None for sizes in SIZES for formula, side in sides]
    free = all("initial_state[0]" in quantities(sizes).field.labels for sizes in SIZES)
    text = (
        "a choice, and none of the gradients needs it: the recursions and the corrected sums hold with a(0) left as a "
        f"free constant, for {ELEMENTWISE}"
    )
    return proved(claim, all(held) and free, text, "; ".join(f"({s})" for s in SIZES))


def cross(claim: str) -> Verdict:
    """Judge the equation, and show that it fails for softmax."""
    verdict, formula, field = equation(claim, "dyhat-cross"), FORMULAS["dyhat-cross"], BallField(BITS)
    one, nothing, softmax = np.ones((1, 1)), np.zeros((1, 2)), Network("identity", "softmax")
    problem = Problem({"W": one, "R": one, "V": nothing}, one, nothing, network=softmax)
    with field.working():
        slope = field.native(formula.left(numeric(problem, field))["dyhat_1(1)/dv_i2"][0])
        seen = not slope.contains(0)
        text = (
            f"that g acts elementwise is needed: with softmax, V = 0 and a = 1, dyhat_1/dv_12 is {shown(slope)}, not 0"
        )
    return joined(verdict, control("enclosure", seen, text, Strength.CERTIFIED))


def least_squares(claim: str) -> Verdict:
    """Judge the equation with the factor 1/2 in the loss, and without."""
    verdict = equation(claim, "least-squares")
    without = replace(FORMULAS["least-squares"], family="squared error")
    twice = compare(
        without,
        lambda q: {n: 2 * (q.yhat[t] - q.y[t]) for t, n in enumerate(left_error(q), 1)},
        quantities(SQUARE, without.family),
    )
    once = compare(without, without.printed, quantities(SQUARE, without.family))
    text = "the factor 1/2 belongs to the loss: for sum_k (yhat_k - y_k)^2 the derivative is 2 (yhat_k - y_k)"
    return joined(verdict, control("formal", twice is None and once is not None, text, Strength.PROVED))


def past_steps(claim: str) -> Verdict:
    """Show that every loss depends on every earlier step, and on no later one."""
    held = []
    for sizes in (SQUARE, DISTINCT):
        q = quantities(sizes)
        for t in q.times:
            for k in q.times:
                slope = q.d("L", "s", t, k)
                held.append(nowhere_zero(q.field, slope) if k <= t else same(q.field, slope, slope * 0))
    text = (
        "dL_t/ds_n(k) is a polynomial other than 0 for every k <= t and every unit n, and 0 for every k > t, "
        f"for {EVERY}"
    )
    return proved(claim, all(held), text, f"({SQUARE}); ({DISTINCT})")


def horizon(claim: str) -> Verdict:
    """Compare truncated BPTT with SymPy's lags below tau."""
    return judge_rule(claim, truncated_bptt, Truncated("tau"))


def approximates(claim: str) -> Verdict:
    """Compare truncation at tau with the gradient: different below T, equal from T on, and not monotone."""
    ref, T = reference(), RULE_SIZES.T
    exact = ref.gradient(T, Exact())
    equal = [gradients_equal(exact, ref.gradient(T, Truncated(tau))) for tau in range(1, T + 2)]
    number = RationalField()
    one, three = np.ones((1, 1)), np.ones((3, 1))
    problem = Problem(
        {"W": one, "R": -one, "V": one}, three, 0 * three, loss_weights=np.array([0.0, 0.0, 1.0]),
        network=Network("identity"),
    )  # fmt: skip
    seen = [number.natives(lags.gradient(problem.over(number), Truncated(tau).keeps)["W"])[0] for tau in (1, 2, 3)]
    text = (
        "truncated at tau < T the result is another polynomial than the gradient, so that they differ for almost all "
        f"values; truncated at tau >= T it is the gradient, for {EVERY}"
    )
    nearer = (
        "looking back further need not come nearer: a linear unit with w = 1, r = -1, x = (1, 1, 1) and the loss at "
        f"t = 3 has dL/dw = {', '.join(map(str, seen))} at tau = 1, 2, 3"
    )
    further = control("rational", bool(abs(seen[1] - seen[2]) > abs(seen[0] - seen[2])), nearer, Strength.PROVED)
    return proved(claim, equal == [False, False, True, True], text, f"tau = 1, ..., 4; {RULE_SIZES}", [further])


def convergence(claim: str) -> Verdict:
    """Show divergence on influence balancing, where a short horizon has the wrong sign."""
    from ..truncation.balancing import STEPS, influence, limit, turning_horizon

    short, turn, whole = 20, turning_horizon(), influence(STEPS)
    wrong = whole < 0 and all(influence(tau) > 0 for tau in range(1, turn)) and turn < STEPS
    factor = -influence(short) * whole
    text = (
        f"on influence balancing (23 linear units, one parameter, loss (yhat - y)^2/2 at T = {STEPS}) the truncated "
        f"gradient has the wrong sign for every tau < {turn}; at tau = {short} each step multiplies the error yhat - y "
        f"by 1 + {_decimals(factor)} eta, above 1 for every eta > 0: gradient descent diverges"
    )
    status = Status.HOLDS if wrong and factor > 0 else Status.INCONCLUSIVE
    values = "; ".join(f"{_decimals(influence(tau))} at tau={tau}" for tau in (1, 10, 19, turn - 1, turn))
    details = {"influence": values, "limit": str(limit())}
    strength = Strength.PROVED if status is Status.HOLDS else Strength.NONE
    evidence = Evidence("rational", status, strength, text, f"every tau < {turn}, in exact fractions", details=details)
    return Verdict(claim, status, strength, text, (evidence,))


def _decimals(number: Fraction) -> str:
    return f"{float(number):.6g}"


BACKWARD: dict[str, Callable[[str], Verdict]] = {
    "risk": risk,
    "descent": descent,
    "network": network,
    "zero-start": zero_start,
    "dyhat-cross": cross,
    "least-squares": least_squares,
    "past-steps": past_steps,
    "horizon": horizon,
    "approximates": approximates,
    "convergence": convergence,
}
"""Functions that judge the printed form of a row that is more than one equation, by the row's id."""
