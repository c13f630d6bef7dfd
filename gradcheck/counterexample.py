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

from .evidence import Case, Witness, blackbox
from .evidence import enclosure as balls
from .evidence.allowance import allowance
from .evidence.target import entries
from .problems import lively_problem
from .reference.claims import Claim, Settings
from .reference.errors import GradcheckError, UnsupportedOperation
from .reference.network import Sizes
from .reference.problem import Problem
from .reference.scalars.formal import entry_name
from .reference.scalars.rounded import RoundedField
from .results import RuleFailed, WrongResult
from .snippet import snippet
from .strategies import problems as problem_strategy
from .verdicts import Counterexample

SMALL = Sizes(4, 3, 2, 2)
BITS = 256


@dataclass(frozen=True)
class Violation:
    """A certified violation. expected and gap are balls; allowance is 0 for a rule that ran on balls."""

    problem: Problem
    settings: Settings
    entry: str
    expected: Any
    got: str
    gap: Any
    allowance: float


@dataclass(frozen=True)
class Trial:
    """A problem with the settings to run the rule at."""

    problem: Problem
    settings: Settings


def violation(case: Case, trial: Trial, *, floats: bool = False) -> Violation | None:
    """The certified violation of the case's claim on this problem, or None; with `floats`, as floats see it."""
    claim = case.claim.bind(trial.settings)
    if floats:
        return _float_violation(case, claim, trial)
    try:
        comparison, promised, result, field, _ = balls.compare(
            case.rule, claim, trial.problem, trial.settings, first_bits=BITS, last_bits=BITS, wanted=0
        )
    except (UnsupportedOperation, RuleFailed):
        return _float_violation(case, claim, trial)
    except GradcheckError:
        return None
    if comparison.apart is None:
        return None
    # Constants such as 1/3 are rounded before any scalar sees them: a gap that rounding explains is no violation.
    allowed = allowance(claim, trial.problem, RoundedField.for_dtype(np.float64))
    with field.working():
        for (name, index, a), (_, _, b) in zip(entries(promised), entries(result), strict=True):
            true, got, allow = field.native(a), field.native(b), float(allowed[name][index])
            gap = abs(got - true)
            if not true.overlaps(got) and (np.isinf(allow) or gap > flint.arb(allow)):
                shown = got.str(20, radius=False)
                return Violation(trial.problem, trial.settings, entry_name(name, index), true, shown, gap, 0.0)
    return None


def _float_violation(case: Case, claim: Claim, trial: Trial) -> Violation | None:
    try:
        seen, *_ = blackbox.compare_on(case.rule, claim, trial.problem, trial.settings)
    except (RuleFailed, WrongResult, GradcheckError):
        return None
    if seen.outside is None:
        return None
    entry, got, true, allowed = seen.outside
    gap = abs(flint.arb(got) - true) if np.isfinite(got) else flint.arb.pos_inf()
    return Violation(trial.problem, trial.settings, entry, true, repr(got), gap, allowed)


def find(case: Case, witness: Witness) -> Violation | None:
    """The smallest certified violation that the search finds, starting from where one was seen; None if none is."""
    case = dataclasses.replace(case, network=witness.network)
    small = _search(case, _elementwise(case, SMALL), 300, witness.floats)
    if small:
        return small
    sized = _search(case, _by_size(case, witness.sizes), 80, witness.floats)
    if sized is None:
        seen_on = witness.problem
        if seen_on is None:
            seen_on = lively_problem(case.network, witness.sizes, case.seed, weighted=case.weighted)
        sized = violation(case, Trial(seen_on, witness.settings), floats=witness.floats)
    if sized is None:
        return None
    sizes = sized.problem.sizes
    if sizes.T * (sizes.D + sizes.K) + sizes.I * (sizes.I + sizes.D + sizes.K) <= 160:
        return _search(case, _elementwise(case, sizes), 120, witness.floats) or sized
    return sized


def _elementwise(case: Case, most: Sizes) -> st.SearchStrategy[Trial]:
    return problem_strategy(case.network, most, weighted=case.weighted).flatmap(
        lambda problem: st.sampled_from(case.rule.settings(problem.T)).map(lambda settings: Trial(problem, settings))
    )


def _by_size(case: Case, most: Sizes) -> st.SearchStrategy[Trial]:
    sizes = st.builds(Sizes, *(st.integers(1, max(1, n)) for n in dataclasses.astuple(most)))
    made = st.builds(
        lambda s, seed: lively_problem(case.network, s, seed, weighted=case.weighted), sizes, st.integers(0, 3)
    )
    return made.flatmap(
        lambda problem: st.sampled_from(case.rule.settings(problem.T)).map(lambda settings: Trial(problem, settings))
    )


def _search(case: Case, strategy: st.SearchStrategy[Trial], examples: int, floats: bool) -> Violation | None:
    try:
        trial = hypothesis.find(
            strategy,
            lambda candidate: violation(case, candidate, floats=floats) is not None,
            settings=hypothesis.settings(
                max_examples=examples, derandomize=True, database=None, deadline=None,
                suppress_health_check=list(HealthCheck), phases=(Phase.generate, Phase.shrink),
            ),
        )  # fmt: skip
    except hypothesis.errors.NoSuchExample:
        return None
    return violation(case, trial, floats=floats)


def counterexample(case: Case, found: Violation) -> Counterexample:
    """The violation as a record for the report, with its NumPy program."""
    by = (
        "the rule's ball and the true value's ball are disjoint, further apart than float64 rounding explains"
        if found.allowance == 0
        else "the distance from the true value's ball exceeds what rounding allows"
    )
    problem = found.problem
    arrays = {name: np.asarray(array).tolist() for name, array in problem.arrays().items()}
    return Counterexample(
        problem={
            "network": f"{problem.network.name}: {problem.network}",
            "sizes": dataclasses.asdict(problem.sizes),
            "settings": dict(found.settings),
            "claim": str(case.claim.bind(found.settings)),
            "arrays": _as_text(arrays),
        },
        entry=found.entry,
        expected=found.expected.str(20, radius=False),
        got=found.got,
        gap=found.gap.str(6, radius=False),
        allowance=f"{found.allowance:.3g}" if found.allowance else "0",
        certified=by,
        snippet=snippet(
            case, found.problem, found.settings, found.entry, found.got, found.expected.str(20, radius=False)
        ),
    )


def _as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _as_text(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_as_text(v) for v in value]
    return repr(value)
