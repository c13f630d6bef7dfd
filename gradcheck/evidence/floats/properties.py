"""Properties: results of a rule on several problems must satisfy the theorems of `laws`. No reference is needed.

Each law is a sum that must vanish. The results of a right rule are within their rounding allowances of the truth, so
the sum is within the sum of the allowances. A larger sum shows that the rule is wrong on at least one of the problems,
which becomes the witness.

Every property is tried on lively problems of fixed sizes. Then Hypothesis draws properties, problems and settings from
the audit's seed, and shrinks every violation.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from hypothesis import strategies as st

from ...problems import strategies
from ...problems.lively import lively_problem
from ...problems.search import search
from ...records import Evidence, Rounding, Status, Strength
from ...reference.claims import LagClaim, Settings
from ...reference.errors import UnsupportedOperation
from ...reference.networks.base import Sizes
from ...reference.networks.sizes import fitting
from ...reference.problem import Problem
from ...reference.scalars.formal import entry_name
from ...reference.typing import Gradient
from ...rules.failures import RuleFailed
from ..base import Case, Finding, Kind, Piece, PieceData, Plan, Progress, Witness, not_run, settled
from ..budget import Budget
from ..sizes import describe, of_all, spread
from ..target import returned
from .comparison import coarsest, compare_on, known_allowance
from .laws import PROPERTIES, Law, Property

KIND = "properties"
SIZES = (Sizes(5, 3, 2, 2), Sizes(4, 2, 3, 1), Sizes(7, 4, 1, 3))
DRAWN = 16
"""The number of groups of problems that Hypothesis draws."""
DRAWN_SIZES = (Sizes(1, 1, 1, 1), SIZES[1])
"""Sizes of drawn problems: few, and used before, since some rules are compiled for each."""
SHRINKING = 60
"""The number of groups that it draws to shrink a violation."""


@dataclass(frozen=True)
class Trial:
    """Properties to try on a problem, at settings of the rule."""

    properties: tuple[Property, ...]
    problem: Problem
    settings: Settings

    def laws(self, case: Case) -> Iterator[tuple[Property, Law]]:
        """Yield the laws of each property that hold for a right rule, on problems that the settings are meant for."""
        claim = case.claim.bind(self.settings)
        for each in self.properties:
            for law in each.laws(claim, self.problem, case.weighted):
                if all(self.settings in case.rule.settings(term.problem.T) for term in law.terms):
                    yield each, law

    @property
    def place(self) -> str:
        return ", ".join(filter(None, [str(self.problem.sizes), describe(self.settings)]))


@dataclass(frozen=True)
class Violation:
    """A law that a rule's results break.

    Attributes:
        trial: The problem and settings.
        property: The property of the law.
        law: The law.
        text: The entry that shows it, with its error and allowance.
    """

    trial: Trial
    property: Property
    law: Law
    text: str


Result = tuple[Gradient, dict[str, Any]]
"""Result of a rule on one problem, as float64, with its rounding allowances."""


def violation(case: Case, trial: Trial) -> Violation | None:
    """Return the first law of a trial that the rule breaks, or None."""
    shared: list[Result] = []

    def result(problem: Problem) -> Result:
        if problem is not trial.problem:
            return _result(case, problem, trial.settings)
        if not shared:  # most laws have a term on this problem
            shared.append(_result(case, problem, trial.settings))
        return shared[0]

    for each, law in trial.laws(case):
        if (text := _broken(law, result)) and not _excused(case, trial, law):
            return Violation(trial, each, law, text)
    return None


def _excused(case: Case, trial: Trial, law: Law) -> bool:
    """Return True if each result is right on its own, some of them norm-wise alone or at a kink."""
    claim = case.claim.bind(trial.settings)
    seen = [compare_on(case.rule, claim, term.problem, trial.settings)[0] for term in law.terms]
    excuse = any(each.kink or each.rounding is Rounding.NORMWISE for each in seen)
    return excuse and not any(each.outside for each in seen)


def _result(case: Case, problem: Problem, settings: Settings) -> Result:
    gradient = returned(case.rule, case.claim, problem.copy(), settings)
    allowed = known_allowance(case.claim.bind(settings), problem, coarsest(gradient, np.float64))
    return {name: array.astype(np.float64) for name, array in gradient.items()}, allowed


def _broken(law: Law, result: Callable[[Problem], Result]) -> str:
    """Return the first entry of the sum beyond its allowance, with both numbers, as text; empty for none."""
    moved: list[Gradient] = []
    allowed: dict[str, Any] = {}
    for number, term in enumerate(law.terms):
        gradient, bounds = result(term.problem)
        moved.append({name: term.scale(name) * term.move(name, array) for name, array in gradient.items()})
        times = 2 if law.rounded and number == 0 else 1
        for name, array in bounds.items():
            allowed[name] = allowed.get(name, 0) + times * np.abs(term.scale(name) * term.move(name, array))
    for name, sums in allowed.items():
        for index in np.ndindex(*sums.shape):
            parts, may = [float(part[name][index]) for part in moved], float(sums[index])
            gap = abs(math.fsum(parts)) if np.isfinite(parts).all() else float("inf")
            if gap > may and np.isfinite(may):
                return f"{entry_name(name, index)} is off by {gap:.3g}, rounding allows {may:.2g}"
    return ""


def _lively(case: Case, properties: Sequence[Property], number: int, size: Sizes) -> Iterator[Trial]:
    living, zero_state = fitting(case.network, of_all(case.network, size), alive=True), number == 1
    problem = lively_problem(case.network, living, case.seed + 11, weighted=case.weighted, zero_state=zero_state)
    for settings in spread(case.rule.settings(size.T), 1):
        yield Trial(tuple(properties), problem, settings)


def _trials(case: Case, properties: Sequence[Property]) -> st.SearchStrategy[Trial]:
    def problems(size: Sizes) -> st.SearchStrategy[Problem]:
        return strategies.problems(case.network, weighted=case.weighted, exact=fitting(case.network, size, alive=True))

    drawn = st.tuples(st.sampled_from(properties), st.sampled_from(DRAWN_SIZES).flatmap(problems))
    return drawn.flatmap(
        lambda pair: st.sampled_from(case.rule.settings(pair[1].T)).map(
            lambda settings: Trial((pair[0],), pair[1], settings)
        )
    )


def _search(case: Case, properties: Sequence[Property], most: int, seed: int) -> Violation | None:
    """Return the smallest violation among `most` trials and smaller ones, or None."""
    hit = search(_trials(case, properties), functools.partial(violation, case), examples=most, seed=seed)
    return hit.seen if hit else None  # a violation counts even if the rule does not repeat it


@dataclass(frozen=True)
class Properties(Kind):
    """Every property that is a theorem for the case, on lively problems and on drawn ones.

    Attributes:
        properties: The properties to try.
        sizes: Sizes of the lively problems.
        drawn: The number of groups that Hypothesis draws.
    """

    kind: ClassVar[str] = KIND
    strength: ClassVar[Strength] = Strength.SUPPORTED

    properties: Sequence[Property] = PROPERTIES
    sizes: Sequence[Sizes] = SIZES
    drawn: int = DRAWN

    def plan(self, case: Case) -> Plan:
        if not isinstance(case.claim, LagClaim):
            reason = f"no theorem about several problems follows from the claim {case.claim}"
            return settled(KIND, not_run(KIND, reason))
        known = self.properties

        def lively(number: int, size: Sizes) -> Piece:
            last = number == len(self.sizes) - 1
            return Piece(
                str(size),
                lambda before, progress: _guarded(_try_lively, case, known, number, size, last, before, progress),
            )

        def draw(most: int, seed: int) -> Piece:
            return Piece(
                f"drawn, seed {seed}",
                lambda before, progress: _guarded(_try_drawn, case, known, most, seed, before, progress),
            )

        def further(number: int) -> Piece:
            return draw(4 * DRAWN, case.seed + 1000 + number)

        pieces = [lively(number, size) for number, size in enumerate(self.sizes)]
        pieces += [draw(self.drawn, case.seed)] if self.drawn else []
        return Plan(KIND, pieces, functools.partial(_conclude, self.sizes), further=further)


def _guarded(attempt: Callable[..., PieceData | Finding], *arguments: Any) -> PieceData | Finding:
    try:
        return attempt(*arguments)
    except UnsupportedOperation as error:
        return not_run(KIND, str(error))
    except RuleFailed as error:
        return Finding(Evidence(KIND, Status.ERROR, Strength.NONE, str(error)))


def _try_lively(
    case: Case,
    properties: Sequence[Property],
    number: int,
    size: Sizes,
    last: bool,
    before: Sequence[PieceData],
    progress: Progress,
) -> PieceData | Finding:
    tried: dict[str, int] = {}
    for trial in _lively(case, properties, number, size):
        progress(trial.place)
        if found := violation(case, trial):
            return _against(case, _search(case, [found.property], SHRINKING, case.seed) or found)
        for each, _ in trial.laws(case):
            tried[each.name] = tried.get(each.name, 0) + 1
    if last and not tried and not any(each["groups"] for each in before):
        return not_run(KIND, f"none of the properties is a theorem for {case.claim} on {case.network}")
    return {"groups": tried, "drawn": 0}


def _try_drawn(
    case: Case, properties: Sequence[Property], most: int, seed: int, before: Sequence[PieceData], progress: Progress
) -> PieceData | Finding:
    """Try drawn problems, with the properties that were tried before."""
    progress("problems that Hypothesis draws")
    names = {name for each in before for name in each["groups"]}
    if found := _search(case, [each for each in properties if each.name in names], most, seed):
        return _against(case, found)
    return {"groups": {}, "drawn": most}


def _conclude(sizes: Sequence[Sizes], shown: Sequence[PieceData], budget: Budget) -> Finding:
    names: dict[str, int] = {}
    for each in shown:
        for name, number in each["groups"].items():
            names[name] = names.get(name, 0) + number
    drawn = sum(each["drawn"] for each in shown)
    return Finding(
        Evidence(
            KIND,
            Status.HOLDS,
            Strength.SUPPORTED,
            f"results on {sum(names.values())} groups of problems, and on {drawn} that Hypothesis drew, fit together, "
            f"within rounding: {', '.join(names)}",
            scope="; ".join(map(str, sizes)),
            blind="errors that are alike on all problems of a group",
            details={"groups": names, "drawn": drawn},
        )
    )


def _against(case: Case, found: Violation) -> Finding:
    """Return the refutation by a violation. The witness is a problem on which the rule breaks its claim."""
    trial = found.trial
    at = f"{found.property.name}, {trial.place}"
    text = f"{found.property.sentence}, but not for this rule: {found.text} ({at})"
    for term in found.law.terms:
        seen, *_ = compare_on(case.rule, case.claim.bind(trial.settings), term.problem, trial.settings)
        if seen.outside:
            break
    problem = seen.kink or term.problem
    return Finding(
        Evidence(KIND, Status.REFUTED, Strength.NONE, text),
        Witness(case.network, problem.sizes, trial.settings, text, problem, floats=True),
    )
