"""The oracles judged against each other, before any rule is.

SymPy's derivative, mpmath's difference quotient of the loss (no chain rule), the reverse pass at high
precision, dual numbers from the forward pass, and Arb's balls, on the same problem. Two oracles that
disagree stop the audit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ...problems.lively import lively_problem
from ...reference import precise
from ...reference.enclosure import enclose
from ...reference.errors import UnsupportedOperation
from ...reference.network import ContextNetwork, Network, RecurrentNetwork, Sizes
from ...reference.problem import Problem, loss
from ...reference.scalars.dual import DualField
from ...reference.scalars.precise import PreciseField
from ...reference.typing import Gradient

SIZE, SMALL_SIZE = Sizes(3, 2, 2, 2), Sizes(2, 2, 2, 2)
DIGITS = 50
SPARE = 5
"""The oracles must agree to the working precision less this many digits."""


@dataclass(frozen=True)
class Agreement:
    """How far the oracles agree.

    digits: oracle name to decimal digits that agree with SymPy's value (or the reverse pass, where SymPy's is
    not to be had). holds: whether all do, to the working precision less `SPARE`.
    """

    digits: dict[str, float]
    working: int
    holds: bool

    @property
    def statement(self) -> str:
        shown = ", ".join(f"{name} {min(d, self.working + 30):.0f}" for name, d in self.digits.items())
        return f"digits of agreement at {self.working}: {shown}"


def dual_gradient(problem: Problem, digits: int) -> Gradient:
    """The gradient by one forward pass on dual numbers per parameter entry: precise scalars."""
    inner = PreciseField(digits)
    field = DualField(inner)
    with field.working():
        lifted = problem.over(inner)
        constant = lifted.map(lambda a: field.join(a, inner.lift(np.zeros(a.shape))))
        gradient: Gradient = {}
        for name, parameter in lifted.parameters.items():
            out = []
            for index in np.ndindex(*parameter.shape):
                direction = np.zeros(parameter.shape)
                direction[index] = 1
                moved = {**constant.parameters, name: field.join(parameter, inner.lift(direction))}
                value: Any = np.asarray(loss(constant.replace(parameters=moved)))
                out.append(field.native(value.item()).tangent.value)
            gradient[name] = inner.array(out, parameter.shape)
    return gradient


@lru_cache(maxsize=256)
def agreement(
    network: RecurrentNetwork,
    size: Sizes | None = None,
    digits: int = DIGITS,
    seed: int = 0,
    *,
    with_sympy: bool = True,
) -> Agreement:
    """How many digits the oracles share on one problem of this network; `SMALL_SIZE` for one of a user's making.

    Without SymPy, by far the slowest of them, the difference quotient and the dual numbers still know nothing of
    `output_error` or the reverse pass.
    """
    size = size or (SIZE if isinstance(network, (Network, ContextNetwork)) else SMALL_SIZE)
    return agreement_on(lively_problem(network, size, seed), digits, with_sympy=with_sympy)


def agreement_on(problem: Problem, digits: int, *, with_sympy: bool = True) -> Agreement:
    """The same, for a given float problem."""
    high = PreciseField(digits)
    with high.working():
        reverse = precise.recursion(problem, digits)
        others: dict[str, Any] = {
            "difference quotient": precise.difference_quotient(problem, digits),
            "dual numbers": dual_gradient(problem, digits),
        }
        base: Any = reverse
        if with_sympy:
            from ...reference import symbolic  # SymPy is not needed before

            try:
                base = symbolic.evaluated(problem.over(high), high)
                others = {"reverse pass": reverse, **others}
            except UnsupportedOperation:
                pass  # a user's network may use operations that SymPy lacks; the other oracles remain
        found = {name: precise.digits_of_agreement(base, g) for name, g in others.items()}
        found["balls"] = _digits_in_balls(base, problem, digits)
    return Agreement(found, digits, min(found.values()) >= digits - SPARE)


def _digits_in_balls(base: Any, problem: Problem, digits: int) -> float:
    """To how many digits the value agrees with the ball's nearest point; the ball is far narrower than that."""
    import flint
    import mpmath

    enclosure = enclose(problem, relative_bits=int(digits * 3.33) + 40, first_bits=int(digits * 3.33) + 80)
    least = float("inf")
    with enclosure.field.working():
        for name, array in enclosure.gradient.items():
            for ball, value in zip(enclosure.field.natives(array), np.asarray(base[name]).reshape(-1), strict=True):
                number = getattr(value, "value", value)
                if not mpmath.isfinite(number):
                    return float("-inf")
                man, exp = mpmath.mpf(number).man_exp
                exact = flint.arb(int(man)) * flint.arb(2) ** int(exp) * (-1 if number < 0 else 1)
                gap = abs(ball - exact).abs_upper()
                if not gap.is_finite():
                    return float("-inf")
                if gap > 0:
                    size = abs(ball).abs_upper().max(abs(exact))
                    least = min(least, float(-(gap / size).log().mid() / flint.arb(10).log().mid()))
    return least
