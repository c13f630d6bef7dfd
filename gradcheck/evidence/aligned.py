"""Evidence on the sign of the inner product of a rule's result with the gradient, certified problem by problem.

On balls the inner product of result and gradient is a ball: above 0 it is positive, in exact arithmetic; at or below 0
the claim is false there. A rule that leaves plain NumPy is called on floats, and its result, as it is, is multiplied
with the gradient's balls; a product too small to be told from what rounding may add is left open. Where the gradient is
zero the claim says nothing.

Unless the claim is about given problems, problems are drawn, half of them so that what goes through time outweighs the
rest. If all of N independent random ones have a positive product, the share of such problems among those that the same
draws yield is at least alpha^(1/N), with confidence 1 - alpha: the exact binomial bound of Clopper and Pearson 1934,
"The use of confidence or fiducial limits illustrated in the case of the binomial".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import flint
import numpy as np

from ..problems.lively import lively_problem, multiplies, targets_for
from ..records import Evidence, Status, Strength
from ..reference import lags
from ..reference.claims import Aligned, Settings
from ..reference.errors import UnsupportedOperation
from ..reference.networks import start
from ..reference.networks.base import Sizes
from ..reference.networks.domains import INPUTS, inside
from ..reference.networks.sizes import fitting
from ..reference.problem import Problem, map_shape, map_state
from ..reference.scalars.ball import BallField
from ..reference.typing import Gradient
from ..reference.wanted import kinds_of
from ..rules.adapt import WrongResult
from ..rules.call import run
from ..rules.failures import RuleFailed
from .base import Case, Finding, Kind, Plan, Progress, Witness, not_run, whole
from .floats.comparison import midpoints
from .sizes import place, possible
from .target import entries

KIND = "aligned"
LIVELY = (Sizes(1, 1, 1, 1), Sizes(3, 2, 1, 1), Sizes(6, 4, 2, 2), Sizes(20, 5, 2, 2))
DRAWN, DRAWN_ON_OTHERS, DRAWN_SIZES = 40, 4, Sizes(6, 3, 2, 2)
AVERAGED, AVERAGED_SIZES = (Sizes(1, 1, 1, 1), Sizes(2, 2, 1, 1), Sizes(3, 2, 1, 1)), Sizes(2, 2, 1, 1)
"""The sizes for a stochastic rule, whose expectation takes one call for each outcome of its noise."""
ALPHA = 0.01
"""The probability that the bound on the share is wrong."""
BITS = (128, 512)
ROUNDING = 2.0**-30
"""Share of the sum of absolute products below which a product on floats is left open."""


@dataclass(frozen=True)
class Product:
    """The inner product of a result with the gradient.

    Attributes:
        value: The ball that contains it.
        sign: 1 or 0 or -1 where it is certain; None where it is not.
        zero: True if the gradient is zero, or not known not to be.
        result: The result, in floats.
        gradient: The gradient, in floats.
    """

    value: Any
    sign: int | None
    zero: bool
    result: Gradient
    gradient: Gradient

    @property
    def against(self) -> bool:
        """True if the problem shows the claim to be false."""
        return not self.zero and self.sign is not None and self.sign <= 0


def product(case: Case, problem: Problem, settings: Settings) -> Product:
    """Return the inner product on a problem, at the working precision that decides its sign.

    Raises:
        RuleFailed, WrongResult: The rule does not run.
    """
    for bits in BITS:
        field = BallField(bits)
        with field.working():
            exact = problem.over(field)
            try:
                result, slack = run(case.rule, exact.copy(), settings).gradient, 0.0
            except (UnsupportedOperation, RuleFailed):
                result, slack = run(case.rule, problem.copy(), settings).gradient, ROUNDING
            made = _product(field, result, lags.gradient(exact, of=kinds_of(result)), slack)
        if made.sign is not None:
            break
    return made


def _product(field: BallField, result: Gradient, gradient: Gradient, slack: float) -> Product:
    value, size, nonzero = flint.arb(0), flint.arb(0), False
    for (_, _, got), (_, _, true) in zip(entries({n: result[n] for n in gradient}), entries(gradient), strict=True):
        g = flint.arb(float(got)) if isinstance(got, float) else field.native(got)
        t = field.native(true)
        value, size = value + g * t, size + abs(g * t)
        nonzero = nonzero or not t.contains(0)
    open_ = size * slack
    sign = 1 if value > open_ else -1 if value < -open_ else 0 if value == 0 else None
    return Product(value, sign, not nonzero, _rounded(field, result), _rounded(field, gradient))


def _rounded(field: BallField, gradient: Gradient) -> Gradient:
    """Return floats: those of a result as they are, the midpoints of balls."""
    return {n: a if a.dtype.kind == "f" else midpoints({n: a}, field)[n] for n, a in gradient.items()}


@dataclass(frozen=True)
class Alignment(Kind):
    """The sign on the problems that are given, and but for a claim about those alone on lively and random ones.

    Attributes:
        drawn: The number of random problems.
    """

    kind: ClassVar[str] = KIND
    strength: ClassVar[Strength] = Strength.CERTIFIED

    drawn: int = DRAWN

    def plan(self, case: Case) -> Plan:
        return whole(KIND, lambda progress: self._judged(case, progress))

    def _judged(self, case: Case, progress: Progress) -> Finding:
        assert isinstance(case.claim, Aligned)
        given = case.claim.given
        if given and not case.problems:
            return not_run(KIND, "the claim is about given problems, and there are none: add problems=[...]")
        positive = unclear = independent = 0
        for problem, random in self._problems(case):
            for settings in case.rule.settings(problem.T):
                progress(place(problem.sizes, settings))
                try:
                    made = product(case, problem, settings)
                except (RuleFailed, WrongResult, UnsupportedOperation) as error:
                    return not_run(KIND, str(error))
                if made.against:
                    text = f"the inner product with the gradient is {_text(made)} at {place(problem.sizes, settings)}"
                    witness = Witness(case.network, problem.sizes, settings, text, problem)
                    return Finding(Evidence(KIND, Status.REFUTED, Strength.CERTIFIED, text), witness)
                positive += made.sign == 1 and not made.zero
                unclear += made.sign is None and not made.zero
            independent += random
        return _concluded(positive, unclear, independent, given, _drawn_sizes(case))

    def _problems(self, case: Case) -> Iterator[tuple[Problem, bool]]:
        """Yield problems, each with whether it is one of independent random ones."""
        yield from ((problem, False) for problem in case.problems if problem.network == case.network)
        if isinstance(case.claim, Aligned) and case.claim.given:
            return
        for size in possible(case.network, AVERAGED if case.rule.averaged else LIVELY):
            yield lively_problem(case.network, size, case.seed, weighted=case.weighted), False
        for number in range(self.drawn):
            problem = random_problem(case, np.random.default_rng([case.seed, number]))
            yield problem, True
            yield hostile(problem), False


def _drawn_sizes(case: Case) -> Sizes:
    return AVERAGED_SIZES if case.rule.averaged else DRAWN_SIZES


def random_problem(case: Case, rng: np.random.Generator) -> Problem:
    """Draw a problem of normal numbers in 64ths, whose matrices keep the size of what they multiply on average."""
    network = case.network
    sizes = fitting(network, _drawn_sizes(case))

    def drawn(shape: tuple[int, ...]) -> Any:
        scale = 1 / np.sqrt(shape[0]) if len(shape) > 1 else 1.0
        return np.round(64 * scale * rng.normal(size=shape)) / 64

    return Problem(
        {name: inside(network, name, drawn(shape)) for name, shape in network.parameter_shapes(sizes).items()},
        inside(network, INPUTS, np.round(64 * rng.normal(size=(sizes.T, sizes.D))) / 64),
        targets_for(network, sizes.T, sizes.K, rng),
        map_shape(drawn, network.state_shape(sizes)) if start.is_given(network) else None,
        network=network,
    )


def hostile(problem: Problem) -> Problem:
    """Return a problem on which what goes through time outweighs the rest: small states that are read strongly."""
    scales = {name: 8.0 if array.ndim == 2 else 1 / 8 for name, array in problem.parameters.items()}
    for what, scale in (("input", 1 / 8), ("state", 4.0)):
        scales |= {n: scale for n in scales if multiplies(problem.network, problem.sizes, n, what)}
    return problem.varied(
        parameters={name: array * scales[name] for name, array in problem.parameters.items()},
        initial_state=map_state(lambda array: array / 16, problem.initial_state),
    )


def _text(made: Product) -> str:
    return "0" if made.sign == 0 else str(made.value.str(6, radius=False))


def _concluded(positive: int, unclear: int, independent: int, given: bool, sizes: Sizes) -> Finding:
    if not positive or unclear:
        text = (
            f"the sign was open in {unclear} of {positive + unclear} products" if unclear else "every gradient was zero"
        )
        return Finding(Evidence(KIND, Status.INCONCLUSIVE, Strength.NONE, text))
    text = f"each of {positive} inner products with the gradient is positive"
    if given:
        return Finding(Evidence(KIND, Status.HOLDS, Strength.CERTIFIED, text, scope="the problems given"))
    share = ALPHA ** (1 / independent) if independent else 0.0
    if independent >= DRAWN:
        least = np.floor(1000 * share) / 10
        text += f", so that with {1 - ALPHA:.0%} confidence it is on at least {least:.1f}% of such random problems"
    return Finding(
        Evidence(
            KIND, Status.HOLDS, Strength.SUPPORTED, text, scope=f"{independent} of them drawn at {sizes}",
            blind="problems of other sizes and values", details={"share": share, "alpha": ALPHA},
        )
    )  # fmt: skip
