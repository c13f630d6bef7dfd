"""Oracle agreement: the oracles are compared with each other before any rule is judged.

The oracles are SymPy's derivative, mpmath's difference quotient of the loss (no chain rule), the reverse pass at high
precision, dual numbers in a forward pass, and Arb's balls, on the same problem. Two oracles that disagree stop the
audit.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...problems.lively import lively_problem
from ...records import Evidence, Status, Strength
from ...reference import arrays, lags, precise
from ...reference.claims import Exact
from ...reference.enclosure import enclose
from ...reference.errors import GradcheckError, UnsupportedOperation
from ...reference.network import ContextNetwork, Network, RecurrentNetwork, Sizes
from ...reference.networks.base import Capabilities, TargetDomain, ask
from ...reference.networks.registry import is_shipped
from ...reference.networks.state import cached
from ...reference.problem import Problem, forward, loss
from ...reference.scalars.dual import DualField
from ...reference.scalars.precise import PreciseField
from ...reference.typing import Array, Gradient
from ...reference.wanted import DEFAULT, Of
from ..base import Case, Finding, Kind, Plan, whole
from ..sizes import of_all

KIND = "oracle agreement"

SIZE, SMALL_SIZE = Sizes(3, 2, 2, 2), Sizes(2, 2, 2, 2)
DIGITS = 50
SPARE = 5
"""Digits below the working precision to which the oracles must agree."""


@dataclass(frozen=True)
class Agreement:
    """Agreement of the oracles.

    Attributes:
        digits: Decimal digits of each oracle that agree with SymPy's value, or with the reverse pass without SymPy.
        working: Decimal digits of the working precision.
        holds: True if all agree to the working precision less `SPARE`.
        blame: The method of the network at fault, and where it shows; empty where that is not known.
        lacking: Why an oracle cannot differentiate this network, by its name.
    """

    digits: dict[str, float]
    working: int
    holds: bool
    blame: str = ""
    lacking: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def statement(self) -> str:
        shown = ", ".join(f"{name} {min(d, self.working + 30):.0f}" for name, d in self.digits.items())
        without = "".join(f"; without {name}: {reason}" for name, reason in self.lacking.items())
        return f"digits of agreement at {self.working}: {shown}{without}"


@dataclass(frozen=True)
class OracleAgreement(Kind):
    """One problem of the network: HOLDS if the oracles agree, else REFUTED.

    Attributes:
        size: The problem's size; `SIZE` if None, or `SMALL_SIZE` for a user's network.
        with_sympy: Include SymPy, the slowest oracle.
    """

    kind: ClassVar[str] = KIND
    strength: ClassVar[Strength] = Strength.NONE

    size: Sizes | None = None
    with_sympy: bool = True

    def plan(self, case: Case) -> Plan:
        def compare(_: object) -> Finding:
            found = agreement(case.network, self.size, with_sympy=self.with_sympy, of=case.rule.of)
            status = Status.HOLDS if found.holds else Status.REFUTED
            return Finding(Evidence(KIND, status, Strength.NONE, found.statement))

        return whole(KIND, compare)


def dual_gradient(problem: Problem, digits: int, of: Of = DEFAULT) -> Gradient:
    """Return the gradient, on precise scalars, by a forward pass on dual numbers for each entry.

    Args:
        problem: The float problem.
        digits: Decimal digits of every operation.
        of: The kinds of arrays that it is wanted of.
    """
    inner = PreciseField(digits)
    field = DualField(inner)
    with field.working():
        lifted = problem.over(inner)
        constant = lifted.map(lambda a: field.join(a, inner.lift(np.zeros(a.shape))))
        gradient: Gradient = {}
        for name, array in arrays.wanted(lifted, of).items():
            out = []
            for index in np.ndindex(*array.shape):
                direction = np.zeros(array.shape)
                direction[index] = 1
                moved = arrays.replaced(constant, name, field.join(array, inner.lift(direction)))
                value: Any = np.asarray(loss(moved))
                out.append(field.native(value.item()).tangent.value)
            gradient[name] = inner.array(out, array.shape)
    return gradient


@cached(256)
def agreement(
    network: RecurrentNetwork,
    size: Sizes | None = None,
    digits: int = DIGITS,
    seed: int = 0,
    *,
    with_sympy: bool = True,
    of: Of = DEFAULT,
) -> Agreement:
    """Compare the oracles on one problem of this network.

    Without SymPy, the slowest of them, the difference quotient and the dual numbers are still independent of
    `output_error` and the reverse pass.

    Args:
        network: The network.
        size: The problem's size; `SIZE` if None, or `SMALL_SIZE` for a user's network.
        digits: Decimal digits of the working precision.
        seed: Seed of the problem.
        with_sympy: Include SymPy.
        of: The kinds of arrays that a gradient is wanted of.

    Returns:
        The digits to which the oracles agree.
    """
    size = size or (SIZE if isinstance(network, (Network, ContextNetwork)) else SMALL_SIZE)
    return agreement_on(lively_problem(network, of_all(network, size), seed), digits, with_sympy=with_sympy, of=of)


def agreement_on(problem: Problem, digits: int, *, with_sympy: bool = True, of: Of = DEFAULT) -> Agreement:
    """Compare the oracles on a given float problem; see `agreement`."""
    high = PreciseField(digits)
    others: dict[str, Any] = {"reverse pass": lambda: precise.recursion(problem, digits, Exact(of=of))}
    if with_sympy:
        others = {_SYMPY: lambda: _by_sympy(problem, high, of), **others}
    others["difference quotient"] = lambda: precise.difference_quotient(problem, digits, of)
    others["dual numbers"] = lambda: dual_gradient(problem, digits, of)
    gradients: dict[str, Any] = {}
    lacking: dict[str, str] = {}

    def add(name: str, compute: Any) -> None:
        """Enter what an oracle finds, or why it cannot judge this network: the others still can."""
        try:
            gradients[name] = compute()
        except UnsupportedOperation as error:
            lacking[name] = str(error)

    found: dict[str, float] = {}
    with high.working():
        for name, compute in others.items():
            add(name, compute)
        if gradients:
            (_, base), *rest = gradients.items()
            found = {name: precise.digits_of_agreement(base, g) for name, g in rest}
            add("balls", lambda: _digits_in_balls(base, problem, digits, of))
            if "balls" in gradients:
                found["balls"] = gradients["balls"]
    if not found:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in lacking.items())
        raise GradcheckError(f"fewer than two oracles can differentiate the network {problem.network.name} ({reasons})")
    blame = ""
    if not is_shipped(problem.network):
        with high.working(), contextlib.suppress(UnsupportedOperation):
            blame = _blamed(problem.over(high))
    return Agreement(found, digits, min(found.values()) >= digits - SPARE and not blame, blame, lacking)


_SCALES = (1, -64, 4096, 2.0**-20)
"""Factors on readouts and targets at which an `output_error` is compared with the derivative of the loss."""


def _blamed(problem: Problem) -> str:
    """Return how the network's `output_error` differs from the derivative of its `loss_value`; empty if it does not."""
    network, (_, readouts) = problem.network, forward(problem)
    if not callable(getattr(network, "output_error", None)):
        return ""
    free = ask(network, Capabilities.target_domain) is TargetDomain.REAL
    for scale in _SCALES:
        for u, y in zip(readouts, problem.targets, strict=True):
            with contextlib.suppress(Exception):  # a loss such as a logarithm need not take these numbers
                if text := _difference(network, u * scale, y * (scale if free else 1)):
                    return text
    return ""


def _difference(network: RecurrentNetwork, u: Array, y: Array) -> str:
    given = [each.value for each in lags.output_error(network, u, y).tolist()]
    derived = [each.value for each in lags.derived_output_error(network, u, y).tolist()]
    size = max(map(abs, [*given, *derived]))
    for k, (one, other) in enumerate(zip(given, derived, strict=True)):
        if size < _LARGEST and abs(one - other) > size * 10.0**-SPARE:  # no NaN is larger than anything
            return (
                f"output_error(u, y) of the network {network.name} is not the derivative of its loss_value: entry {k} "
                f"is {float(one):.6g} at u = {_short(u)}, y = {_short(y)}, and should be {float(other):.6g}; mend it, "
                "or leave output_error out, and it is derived"
            )
    return ""


_LARGEST = 1e300


def _short(values: Any) -> str:
    return "[" + ", ".join(f"{float(value.value):.6g}" for value in values.tolist()) + "]"


_SYMPY = "SymPy"


def _by_sympy(problem: Problem, field: PreciseField, of: Of) -> Any:
    from ...reference import symbolic  # SymPy is not needed before

    return symbolic.evaluated(problem.over(field), field, of)


def _digits_in_balls(base: Any, problem: Problem, digits: int, of: Of) -> float:
    """Return the digits to which a value agrees with the nearest point of its ball, which is far narrower."""
    import flint
    import mpmath

    bits = int(digits * 3.33)
    enclosure = enclose(problem, Exact(of=of), relative_bits=bits + 40, first_bits=bits + 80)
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
