"""RTRL with an update at every step: a direction that is the gradient of no function.

    w <- w - eta c_t,   c_t the contribution of step t, with the influence matrix carried on from older parameters
Over a sequence the parameters move by -eta U(w, eta). A field U is the gradient of some function only if its Jacobian
is symmetric. For one linear unit over two steps U is a polynomial in w, r, v and eta, so its asymmetry is one too: it
is divisible by eta, and not zero. At eta = 0, the gradient, it is zero identically.

How far U is from the gradient: (U - dL/dw) / eta is a polynomial too, and not zero at eta = 0, so the deviation is of
first order in eta and of no higher one.

Source: Williams & Zipser 1989, who propose it and note that it follows the gradient as the learning rate vanishes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from ...algorithms import RTRL, bptt
from ...algorithms.descent import descend_at_each_step
from ...records import Counterexample, Figure, Statement, Strength
from ...reference.network import Network, Sizes
from ...reference.problem import Problem
from ...reference.scalars.expression import ExpressionField
from ...reference.typing import Gradient, Parameters
from ..verdicts import judged

UNKNOWNS = sp.symbols("w r v")
ETA = sp.Symbol("eta")
RATES = (0.1, 0.01, 0.001, 0.0001)
"""Learning rates of the figure."""
POINT = {**dict.fromkeys(UNKNOWNS, sp.Integer(1)), ETA: sp.Rational(1, 8)}
"""The counterexample: parameters and learning rate."""

_PROGRAM = """\
import numpy as np

def moved(w, r, v, eta=1 / 8):  # RTRL for one linear unit: a = w x + r a, x = 1, loss (v a)^2 / 2
    start, a, m_w, m_r = (w, r, v), 0.0, 0.0, 0.0
    for step in range(2):
        m_w, m_r = 1 + r * m_w, a + r * m_r
        a = w + r * a
        e = v * a
        w, r, v = w - eta * e * v * m_w, r - eta * e * v * m_r, v - eta * e * a
    return (np.array(start) - (w, r, v)) / eta

h = 1e-4
along_r = (moved(1, 1 + h, 1) - moved(1, 1 - h, 1)) / (2 * h)
along_w = (moved(1 + h, 1, 1) - moved(1 - h, 1, 1)) / (2 * h)
print(f'dU_w/dr - dU_r/dw: {along_r[0] - along_w[1]:.6f}')
"""


@lru_cache(maxsize=1)
def movement() -> tuple[Any, ...]:
    """Return U for one linear unit over two steps of input 1 and target 0, as polynomials for w, r and v."""
    field, ones = ExpressionField(), np.ones((2, 1))
    parameters: Parameters = {name: field.array([symbol], (1, 1)) for name, symbol in zip("WRV", UNKNOWNS, strict=True)}
    problem = Problem(dict(parameters), field.lift(ones), field.lift(0 * ones), network=Network("identity"))
    rate = field.array([ETA], (1,))[0]
    end = descend_at_each_step(RTRL, problem, learning_rate=rate).parameters[-1]
    ends = [field.natives(end[name])[0] for name in "WRV"]
    return tuple(sp.expand(sp.cancel((before - after) / ETA)) for before, after in zip(UNKNOWNS, ends, strict=True))


def asymmetry(field: tuple[Any, ...]) -> dict[str, Any]:
    """Return dU_a/db - dU_b/da for each pair of unknowns, expanded; all of them are zero for a gradient."""
    pairs = [(a, b) for a in range(3) for b in range(a)]
    return {
        f"{UNKNOWNS[b]}, {UNKNOWNS[a]}": sp.expand(sp.diff(field[b], UNKNOWNS[a]) - sp.diff(field[a], UNKNOWNS[b]))
        for a, b in pairs
    }


def at_rest(field: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return U at eta = 0."""
    return tuple(entry.subs(ETA, 0) for entry in field)


def gradient() -> tuple[Any, ...]:
    """Return the gradient of the loss of the same sequence, by differentiation of the loss itself."""
    w, r, v = UNKNOWNS
    value = ((v * w) ** 2 + (v * (w + r * w)) ** 2) / 2
    return tuple(sp.expand(sp.diff(value, name)) for name in UNKNOWNS)


def order(field: tuple[Any, ...]) -> int | None:
    """Return the order in eta of U - dL/dw: the least power of eta in any entry, None where it is zero."""
    gaps = [sp.Poly(sp.expand(u - g), ETA) for u, g in zip(field, gradient(), strict=True)]
    powers = [monomial[0] for gap in gaps if not gap.is_zero for monomial in gap.monoms()]
    return min(powers, default=None)


def statements() -> list[Statement]:
    """Return the row of the chapter."""
    moved = movement()
    found = asymmetry(moved)
    symmetric = all(part == 0 for part in found.values())
    wr = found["w, r"]
    value = wr.subs(POINT)
    naive = judged(
        "RTRL with an update at every step descends a function",
        symmetric,
        "the Jacobian is symmetric",
        kind="formal",
        strength=Strength.PROVED,
        otherwise="For one linear unit, x = (1, 1) and targets 0, $\\partial U_w/\\partial r - \\partial U_r/"
        f"\\partial w = {sp.latex(sp.factor(wr))}$, which is not zero: no function has $U$ as its gradient.",
        counterexample=Counterexample(
            {"network": "one linear unit, yhat = v a", "inputs": "1, 1", "targets": "0, 0",
             **{str(name): str(number) for name, number in POINT.items()}},
            "dU_w/dr - dU_r/dw", "0", str(value), str(abs(value)), "0", "computed as a polynomial", _PROGRAM,
        ),
    )  # fmt: skip
    first = order(moved)
    holds = judged(
        "it deviates from the gradient by a term of first order in the learning rate",
        at_rest(moved) == gradient() and first == 1 and all(p == 0 for p in asymmetry(at_rest(moved)).values()),
        "$U$ at $\\eta = 0$ is the gradient, as polynomials, and the next term, of order $\\eta$, is not zero.",
        kind="formal",
        strength=Strength.PROVED,
        scope="one linear unit over two steps, for all w, r, v and eta; on a tanh net in float64 the order measured is "
        f"{measured_order():.3f}",
        blind="the size of the term on other networks, which the figure shows for one",
        order=-1 if first is None else first,
    )
    return [
        Statement(
            "learning-immediate", "An update at every step", "RTRL that does not wait for the end of the sequence",
            r"w \leftarrow w - \eta \, c_t \text{ after every step } t \text{ descends a function of } w", naive,
            r"w(T) - w(0) = -\eta \left( \nabla L + O(\eta) \right), \text{ and no more}", holds,
            comment="The influence matrix is carried on from parameters that have changed since. RTRL is exact at "
            "fixed parameters; learning while the sequence runs is something else, and close to it at small rates.",
        )
    ]  # fmt: skip


def deviation(rate: float) -> float:
    """Return the relative distance of U from the gradient at a learning rate, on a tanh net in float64."""
    rng, sizes = np.random.default_rng(3), Sizes(T=10, I=4, D=2, K=2)
    shapes = Network("tanh").parameter_shapes(sizes)
    problem = Problem(
        {name: rng.normal(size=shape) / 2 for name, shape in shapes.items()},
        rng.normal(size=(sizes.T, sizes.D)), rng.normal(size=(sizes.T, sizes.K)),
    )  # fmt: skip
    end, truth = descend_at_each_step(RTRL, problem, learning_rate=rate).parameters[-1], bptt(problem)
    return _distance({name: (w - end[name]) / rate for name, w in problem.parameters.items()}, truth)


def _distance(found: Gradient, truth: Gradient) -> float:
    gap = sum(float(((found[name] - truth[name]) ** 2).sum()) for name in truth)
    return float(np.sqrt(gap / sum(float((g**2).sum()) for g in truth.values())))


def measured_order() -> float:
    """Return the order of the deviation between the two smallest rates of the figure."""
    return float(np.log(deviation(RATES[-2]) / deviation(RATES[-1])) / np.log(RATES[-2] / RATES[-1]))


def figure() -> Figure:
    """Return the deviation from the gradient against the learning rate."""
    rates = list(RATES)
    return Figure(
        "learning-immediate-order",
        "Deviation of RTRL with an update at every step",
        "learning rate",
        "relative distance from the gradient",
        {"update at every step": (rates, [deviation(rate) for rate in rates]), "order 1": (rates, rates)},
        "A tanh net with I = 4, T = 10, in float64. A tenth of the learning rate has a tenth of the deviation.",
        log_x=True,
        styles={"order 1": "dashed"},
        section="An update at every step",
    )
