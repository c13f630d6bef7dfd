"""A small problem on which a claim is false, certified, and printed as a NumPy program.

Hypothesis looks for it and shrinks it: few steps, few units, small integers and halves. What certifies it is
not the search but the comparison: disjoint balls for a rule that runs on balls; for one that only runs on
floats, a distance from the true value's ball beyond the derived rounding allowance.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import flint
import hypothesis
import numpy as np
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st

from ..evidence.base import Case, Witness
from ..evidence.exact import enclosure as balls
from ..evidence.floats import blackbox
from ..evidence.target import entries
from ..evidence.target import expected as expected_gradient
from ..problems import strategies
from ..problems.lively import lively_problem
from ..records import Counterexample
from ..reference.claims import Claim, Settings
from ..reference.errors import GradcheckError, UnsupportedOperation
from ..reference.networks.base import Sizes
from ..reference.problem import Problem
from ..reference.scalars.formal import entry_name
from ..reference.scalars.rational import RationalField
from ..rules.call import RuleFailed, WrongResult
from ..store.data import claim_as_data, network_as_data
from .program import snippet
from .shrink import simplest

SMALL = Sizes(4, 3, 2, 2)
BITS = 256


@dataclass(frozen=True)
class Violation:
    """A certified violation, as floats show it.

    expected and gap are balls; got is the float; allowance is what rounding may do. on_balls: whether the rule's
    own ball and the true value's are disjoint too. dtype: the format of the floats.
    """

    problem: Problem
    settings: Settings
    entry: str
    expected: Any
    got: str
    gap: Any
    allowance: float
    on_balls: bool = False
    dtype: str = "float64"


@dataclass(frozen=True)
class Trial:
    """A problem with the settings to run the rule at."""

    problem: Problem
    settings: Settings


def violation(case: Case, trial: Trial, *, floats: bool = False, dtype: str = "float64") -> Violation | None:
    """The certified violation of the case's claim on this problem, or None.

    A rule that runs on balls must violate it there, where nothing rounds, and on floats, beyond what rounding
    allows: so neither a constant such as 1/3, rounded before any scalar sees it, nor an operation that another
    scalar carries out differently can refute a rule. With `floats`, as floats of `dtype` alone see it.
    """
    claim = case.claim.bind(trial.settings)
    if not floats:
        try:
            comparison, *_ = balls.compare(
                case.rule, claim, trial.problem, trial.settings, first_bits=BITS, last_bits=BITS, wanted=0
            )
        except (UnsupportedOperation, RuleFailed):
            pass
        except GradcheckError:
            return None
        else:
            if comparison.apart is None:
                return None
            seen = _float_violation(case, claim, trial, dtype)
            return dataclasses.replace(seen, on_balls=True) if seen else None
    return _float_violation(case, claim, trial, dtype)


def _float_violation(case: Case, claim: Claim, trial: Trial, dtype: str) -> Violation | None:
    try:
        seen, *_ = blackbox.compare_on(case.rule, claim, trial.problem, trial.settings, np.dtype(dtype))
    except (RuleFailed, WrongResult, GradcheckError):
        return None
    if seen.outside is None:
        return None
    entry, got, true, allowed = seen.outside
    gap = abs(flint.arb(got) - true) if np.isfinite(got) else flint.arb.pos_inf()
    return Violation(trial.problem, trial.settings, entry, true, repr(got), gap, allowed, dtype=dtype)


def find(case: Case, witness: Witness) -> Violation | None:
    """The smallest certified violation that the search finds, starting from where one was seen; None if none is.

    Sizes up to those of the witness come first, so that a claim seen to fail in one step is shown to fail in one.
    """
    case = dataclasses.replace(case, network=witness.network)
    found = _found(case, witness)
    return simpler(case, found, floats=witness.floats) if found else None


def simpler(case: Case, found: Violation, *, floats: bool = False) -> Violation:
    """The violation on the simplest problem that still shows it: at the same settings, or at others of fewer steps."""
    seen = [found]

    def violates(problem: Problem) -> bool:
        allowed = case.rule.settings(problem.T)
        for settings in (found.settings, *allowed) if found.settings in allowed else allowed:
            again = violation(case, Trial(problem, settings), floats=floats, dtype=found.dtype)
            if again:
                seen.append(again)
                return True
        return False

    simplest(found.problem, violates)
    return seen[-1]


def _found(case: Case, witness: Witness) -> Violation | None:
    """First on small problems drawn entry by entry, then on lively ones of as few steps as the first that was seen."""
    shortest = _shortest(case, witness)
    steps = shortest.problem.T if shortest else 1
    within = Sizes(*map(min, dataclasses.astuple(witness.sizes), dataclasses.astuple(SMALL)))
    examples = 300 if steps <= SMALL.T else 60  # what takes more steps on a lively problem rarely takes fewer
    for most in dict.fromkeys((within, SMALL)):
        small = _search(case, _elementwise(case, most), examples, witness)
        if small:
            return small
    if shortest is None:
        return _search(case, _by_size(case, witness.sizes, 1), 80, witness)
    sized = _search(case, _by_size(case, shortest.problem.sizes, steps), 20, witness) or shortest
    if sized.problem.T > 2 * SMALL.T:  # few of the numbers that are drawn carry anything over so many steps
        return sized
    return _search(case, _elementwise(case, sized.problem.sizes), 120, witness) or sized


def _shortest(case: Case, witness: Witness) -> Violation | None:
    """The violation on the problem where one was seen, or on its last steps: as few as still show it, by bisection."""
    problem = witness.problem
    if problem is None:
        problem = lively_problem(case.network, witness.sizes, case.seed, weighted=case.weighted)

    def seen(steps: int) -> Violation | None:
        last = {name: getattr(problem, name)[-steps:] for name in ("inputs", "targets", "loss_weights")}
        allowed = case.rule.settings(steps)
        for settings in (witness.settings, *allowed) if witness.settings in allowed else allowed:
            trial = Trial(problem.replace(**last), settings)
            if found := violation(case, trial, floats=witness.floats, dtype=witness.dtype):
                return found
        return None

    found, too_few = seen(problem.T), 0
    while found and found.problem.T - too_few > 1:
        half = (found.problem.T + too_few) // 2
        if shorter := seen(half):
            found = shorter
        else:
            too_few = half
    return found


def _elementwise(case: Case, most: Sizes) -> st.SearchStrategy[Trial]:
    return _tried(case, strategies.problems(case.network, most, weighted=case.weighted))


def _by_size(case: Case, most: Sizes, least: int) -> st.SearchStrategy[Trial]:
    """Lively problems of sizes up to `most`, and of at least so many steps."""
    from_here = Sizes(least, 1, 1, 1)
    return _tried(case, strategies.lively_problems(case.network, most, least=from_here, weighted=case.weighted))


def _tried(case: Case, problems: st.SearchStrategy[Problem]) -> st.SearchStrategy[Trial]:
    return problems.flatmap(
        lambda problem: st.sampled_from(case.rule.settings(problem.T)).map(lambda settings: Trial(problem, settings))
    )


def _search(case: Case, strategy: st.SearchStrategy[Trial], examples: int, witness: Witness) -> Violation | None:
    def seen(trial: Trial) -> Violation | None:
        return violation(case, trial, floats=witness.floats, dtype=witness.dtype)

    try:
        trial = hypothesis.find(
            strategy,
            lambda candidate: seen(candidate) is not None,
            settings=hypothesis.settings(
                max_examples=examples, derandomize=True, database=None, deadline=None,
                suppress_health_check=list(HealthCheck), phases=(Phase.generate, Phase.shrink),
            ),
        )  # fmt: skip
    except hypothesis.errors.NoSuchExample:
        return None
    return seen(trial)


def counterexample(case: Case, found: Violation) -> Counterexample:
    """The violation as a record for the report, with its NumPy program."""
    by = "the distance from the true value's ball exceeds what rounding allows"
    if found.on_balls:
        by += "; without any rounding, the rule's ball and the true value's are disjoint"
    problem, claim = found.problem, case.claim.bind(found.settings)
    arrays = {name: np.asarray(array).tolist() for name, array in problem.arrays().items()}
    expected = found.expected.str(20, radius=False)
    return Counterexample(
        problem={
            "network": f"{problem.network.name}: {problem.network}",
            "sizes": dataclasses.asdict(problem.sizes),
            "settings": dict(found.settings),
            "claim": str(claim),
            "arrays": as_text(arrays),
            **({"dtype": found.dtype} if found.dtype != "float64" else {}),
        },
        entry=found.entry,
        expected=expected,
        got=found.got,
        gap=found.gap.str(6, radius=False),
        allowance=f"{found.allowance:.3g}" if found.allowance else "0",
        certified=by,
        snippet=snippet(case, problem, found.settings, found.entry, found.got, expected, dtype=found.dtype),
        exact=as_fraction(claim, problem, found.entry, found.expected),
        replay={
            "rule": case.rule.origin,
            "claim": claim_as_data(claim),
            "network": network_as_data(problem.network),
            "weighted": case.weighted,
        },
    )


def as_fraction(claim: Claim, problem: Problem, entry: str, ball: Any) -> str:
    """The true entry: what its ball is where that has no width, else computed on the rationals; empty off them."""
    if ball.is_finite() and ball.is_exact():
        mantissa, exponent = map(int, ball.man_exp())
        return str(flint.fmpq(mantissa) * flint.fmpq(2) ** exponent) if abs(exponent) < 256 else ""
    rationals = RationalField()
    try:
        gradient = expected_gradient(claim, problem.over(rationals))
    except (GradcheckError, ZeroDivisionError):
        return ""
    value = next(v for name, index, v in entries(gradient) if entry_name(name, index) == entry)
    fraction = rationals.native(value)
    return str(fraction) if ball.overlaps(flint.arb(fraction)) else ""


def as_text(value: Any) -> Any:
    """Nested dicts and lists with every number as the text that reads back to it."""
    if isinstance(value, dict):
        return {k: as_text(v) for k, v in value.items()}
    if isinstance(value, list):
        return [as_text(v) for v in value]
    return repr(value)
