"""Search for a small problem on which a claim is false, and the counterexample's record with a NumPy program.

Hypothesis draws and shrinks the problem to few steps, few units, small integers and halves. The rule is called again
on the result, so that changing answers are reported as such.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import flint
import numpy as np
from hypothesis import strategies as st

from ..evidence.base import Case, Witness
from ..evidence.floats import stability
from ..evidence.target import entries
from ..evidence.target import expected as expected_gradient
from ..problems import strategies
from ..problems.lively import lively_problem
from ..problems.search import search
from ..records import Counterexample
from ..reference.claims import Claim
from ..reference.errors import GradcheckError
from ..reference.networks.base import Sizes
from ..reference.problem import Problem
from ..reference.scalars.formal import entry_name
from ..reference.scalars.rational import RationalField
from ..store.data import claim_as_data, network_as_data
from .program import snippet
from .shrink import products, simplest
from .traits import Traits
from .violation import AnswersChange, Trial, Violation, violation

SMALL = Sizes(4, 3, 2, 2)
_WIDEST = 64
"""Units, inputs or outputs up to which entries are drawn one by one."""
_LARGE = 60_000
"""Products of one try from which a search is too slow. Fewer units, inputs and outputs are tried one by one."""


def find(case: Case, witness: Witness) -> Violation | None:
    """Search for the smallest certified violation, starting from a witness.

    Sizes up to those of the witness come first: if the claim failed in one step, the counterexample has one step. A
    smaller problem that shows another fault is passed over, see `traits`.

    Args:
        case: The rule and its claim. The witness's network replaces the case's.
        witness: The network, sizes and settings at which the claim failed.

    Returns:
        The violation, or None if the search finds none.

    Raises:
        AnswersChange: The rule is right when called again on the violating problem.
    """
    case = dataclasses.replace(case, network=witness.network)
    known = _of_witness(case, witness)
    found = _found(case, witness, known.traits if known else None)
    if found is None:
        return None
    found = simpler(case, found, floats=witness.floats)
    confirm(case, found, floats=witness.floats)
    return found


def at_extremes(case: Case, witness: Witness) -> tuple[Case, Violation | None]:
    """Return the violation on a witness's problem of extreme values, which is as small as it was found.

    Args:
        case: The rule, on the claim that it is stable.
        witness: The problem, and the format at which the rule fails there.

    Returns:
        The rule on the claim that its result is compared with, and the violation; None where it raises an error.
    """
    problem = witness.problem
    if problem is None:
        return case, None
    for judge in stability.judges(case, witness.sizes):
        seen = judge.compare(problem)
        if judge.dtype != witness.dtype or not isinstance(seen, stability.Failure) or seen.outside is None:
            continue
        entry, got, true, allowed = seen.outside
        gap = abs(flint.arb(got) - true) if np.isfinite(got) else flint.arb.pos_inf()
        found = Violation(problem, witness.settings, entry, true, repr(got), gap, allowed, dtype=judge.dtype)
        return dataclasses.replace(case, claim=judge.claim), found
    return case, None


def confirm(case: Case, found: Violation, *, floats: bool = False) -> None:
    """Call the rule again on the violating problem, and raise if the violation does not recur.

    Two consecutive checks make one call each, so that a rule that is wrong at every other call is caught.

    Args:
        case: The rule and its claim.
        found: The violation to confirm.
        floats: Compare floats alone.

    Raises:
        AnswersChange: The rule is right on the problem in one of the calls.
    """
    trial = Trial(found.problem, found.settings)
    for floats_alone in (floats, True, True, floats):
        if violation(case, trial, floats=floats_alone, dtype=found.dtype) is None:
            raise AnswersChange(case.rule.name, found)


def simpler(case: Case, found: Violation, *, floats: bool = False) -> Violation:
    """Shrink the problem of a violation.

    Args:
        case: The rule and its claim.
        found: The violation to shrink.
        floats: Compare floats alone.

    Returns:
        The violation on the simplest problem, at its settings or at others that the rule allows there.
    """
    seen = [found]

    def violates(problem: Problem) -> bool:
        allowed = case.rule.settings(problem.T)
        for settings in (found.settings, *allowed) if found.settings in allowed else allowed:
            again = violation(case, Trial(problem, settings), floats=floats, dtype=found.dtype)
            if again and _same_fault(found.traits, again):
                seen.append(again)
                return True
        return False

    simplest(found.problem, violates)
    return seen[-1]


def _same_fault(known: Traits | None, found: Violation) -> bool:
    """Return True if a violation may show the fault that has these traits; a smaller one that does not is another."""
    return known is None or found.traits is None or known.shown_by(found.traits)


def _of_witness(case: Case, witness: Witness) -> Violation | None:
    """Return the violation on the witness's own problem, if it has one."""
    if witness.problem is None:
        return None
    return violation(case, Trial(witness.problem, witness.settings), floats=witness.floats, dtype=witness.dtype)


def _found(case: Case, witness: Witness, known: Traits | None) -> Violation | None:
    """Search small problems drawn entry by entry, then lively ones with as few steps as the shortest violation."""
    shortest = _shortest(case, witness, known)
    steps = shortest.problem.T if shortest else 1
    within = Sizes(*map(min, dataclasses.astuple(witness.sizes), dataclasses.astuple(SMALL)))
    examples = 300 if steps <= SMALL.T else 60  # elementwise draws rarely need fewer steps than lively ones
    for most in dict.fromkeys((within, SMALL)):
        small = _search(case, _elementwise(case, most), examples, witness, known)
        if small:
            return small
    if shortest is None:
        return _search(case, _by_size(case, witness.sizes, 1), 80, witness, known)
    if products(shortest.problem.sizes) > _LARGE:
        shortest = _smaller(case, shortest, witness, known)
        if products(shortest.problem.sizes) > _LARGE:
            return shortest
    sized = _search(case, _by_size(case, shortest.problem.sizes, steps), 20, witness, known) or shortest
    widest = max(dataclasses.astuple(sized.problem.sizes)[1:])
    if sized.problem.T > 2 * SMALL.T or widest > _WIDEST:  # few elementwise draws carry a signal over so many steps
        return sized
    return _search(case, _elementwise(case, sized.problem.sizes), 120, witness, known) or sized


def _shortest(case: Case, witness: Witness, known: Traits | None) -> Violation | None:
    """Bisect for the fewest last steps of the witness's problem that still show the violation."""
    problem = witness.problem
    if problem is None:
        problem = lively_problem(case.network, witness.sizes, case.seed, weighted=case.weighted)

    def seen(steps: int) -> Violation | None:
        last = {name: getattr(problem, name)[-steps:] for name in ("inputs", "targets", "loss_weights")}
        allowed = case.rule.settings(steps)
        for settings in (witness.settings, *allowed) if witness.settings in allowed else allowed:
            trial = Trial(problem.varied(**last), settings)
            found = violation(case, trial, floats=witness.floats, dtype=witness.dtype)
            if found and _same_fault(known, found):
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


def _smaller(case: Case, found: Violation, witness: Witness, known: Traits | None) -> Violation:
    """Return the violation on a lively problem with fewer units, inputs or outputs, where one of a few shows it."""
    for letter in ("I", "D", "K"):
        size = getattr(found.problem.sizes, letter)
        for fewer in sorted({1, 2, size // 4, size // 2} & set(range(1, size))):
            sizes = dataclasses.replace(found.problem.sizes, **{letter: fewer})
            problem = lively_problem(case.network, sizes, case.seed, weighted=case.weighted)
            trial = Trial(problem, found.settings)
            again = violation(case, trial, floats=witness.floats, dtype=witness.dtype)
            if again and _same_fault(known, again):
                found = again
                break
    return found


def _elementwise(case: Case, most: Sizes) -> st.SearchStrategy[Trial]:
    return _tried(case, strategies.problems(case.network, most, weighted=case.weighted))


def _by_size(case: Case, most: Sizes, least: int) -> st.SearchStrategy[Trial]:
    """Return lively problems of sizes up to `most`, with at least `least` steps."""
    from_here = Sizes(least, 1, 1, 1)
    return _tried(case, strategies.lively_problems(case.network, most, least=from_here, weighted=case.weighted))


def _tried(case: Case, problems: st.SearchStrategy[Problem]) -> st.SearchStrategy[Trial]:
    return problems.flatmap(
        lambda problem: st.sampled_from(case.rule.settings(problem.T)).map(lambda settings: Trial(problem, settings))
    )


def _search(
    case: Case, strategy: st.SearchStrategy[Trial], examples: int, witness: Witness, known: Traits | None
) -> Violation | None:
    def seen(trial: Trial) -> Violation | None:
        found = violation(case, trial, floats=witness.floats, dtype=witness.dtype)
        return found if found and _same_fault(known, found) else None

    hit = search(strategy, seen, examples=examples)
    return hit.seen if hit else None


def counterexample(case: Case, found: Violation) -> Counterexample:
    """Return the record of a violation for the report, with its NumPy program.

    Args:
        case: The rule and its claim.
        found: The violation, on the network of its problem.

    Returns:
        The counterexample, with all numbers as text.
    """
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
    """Return the true entry as a fraction.

    A ball of radius 0 gives the fraction itself; otherwise the claim is evaluated on rationals.

    Args:
        claim: The claim, bound to its settings.
        problem: The problem of the counterexample.
        entry: The name of the entry, such as R[0,1].
        ball: The ball of the true entry.

    Returns:
        The fraction as text, or "" if the entry is not rational or is too large to print.
    """
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
    """Return nested dicts and lists with every number as text.

    Args:
        value: A number, or nested dicts and lists of numbers.

    Returns:
        The same nest, with text that reads back to the exact number.
    """
    if isinstance(value, dict):
        return {k: as_text(v) for k, v in value.items()}
    if isinstance(value, list):
        return [as_text(v) for v in value]
    return repr(value)
