"""Stability: float results that are finite and accurate over the whole range of pre-activations and readouts.

A rule may be right as a formula and wrong as a program: exp overflows, a softmax without a shift becomes inf/inf, a
clipped logarithm loses what is small. Problems of extreme values are compared with balls, at float64 and at float32. A
result is wrong where it is not finite, or further off than rounding allows in the coarsest entry of its parameter,
norm-wise: rules that mix entries are right too. Where the allowance is infinite, an entry is undecided.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...problems.extremes import MODERATE, SIZES, SMALLEST, Base, Family, families, in_range, parts
from ...records import Evidence, Status, Strength
from ...reference.claims import Claim, Equals, Exact, LagClaim, Settings, Unbiased
from ...reference.errors import GradcheckError, UnsupportedOperation
from ...reference.networks.base import Sizes
from ...reference.problem import Problem
from ...reference.typing import Array
from ...rules.adapt import declared_claims, wanted_by
from ...rules.call import run
from ...rules.failures import RuleFailed
from ..base import Case, Finding, Kind, Piece, PieceData, Plan, Progress, Witness
from ..budget import Budget
from ..sizes import spread
from ..target import about
from .comparison import FIELD, Compared, FloatComparison, coarsest, compare, known, known_normwise, midpoints
from .second_look import at_a_kink

KIND = "stability"
FORMATS = ("float64", "float32")
_BISECTIONS = 12


@dataclass(frozen=True)
class Failure:
    """A result that is not finite, or too far off, or none at all.

    Attributes:
        outside: The entry, its result, its true value and its allowance; None where the rule raised an error.
        error: What it raised.
    """

    outside: tuple[str, float, Any, float] | None
    error: str = ""

    def __str__(self) -> str:
        if self.outside is None:
            return self.error
        entry, got, true, allow = self.outside
        digits = 17 if np.isfinite(got) else 6
        short = "0" if true.contains(0) else true.str(digits, radius=False)
        said = f"{entry} is {got!r}, should be {short}"
        return f"{said}, and rounding allows {allow:.2g}" if np.isfinite(got) else said


@dataclass(frozen=True)
class Judge:
    """The comparison that a rule's results are given.

    Args:
        case: The rule on a network.
        claims: Claims that its results keep at moderate values. Where there are none, results must be finite alone.
        dtype: The name of the format.
    """

    case: Case
    claims: tuple[Claim, ...]
    dtype: str

    @property
    def claim(self) -> Claim:
        """The claim that results are compared with."""
        return self.claims[0] if self.claims else Exact(of=self.case.rule.of)

    def settings(self, problem: Problem) -> Settings:
        """Return the keyword arguments that the rule is tried with."""
        return spread(self.case.rule.settings(problem.T), 1)[0]  # type: ignore[no-any-return]

    def compare(self, problem: Problem, *, tiny: bool = False) -> FloatComparison | Failure | None:
        """Compare the rule's result on a problem; None where nothing can be said of it.

        Args:
            problem: The problem.
            tiny: Forgive errors up to the largest entry, since a right rule may scale what then underflows.

        Raises:
            WrongResult: The result is no gradient.
        """
        settings = self.settings(problem)
        given = problem.astype(self.dtype)
        if not all(np.isfinite(array).all() for array in given.arrays().values()):
            return None
        try:
            result = run(self.case.rule, given.copy(), settings).gradient
        except UnsupportedOperation:
            return None
        except RuleFailed as error:
            return Failure(None, str(error))
        claim = self.claim.bind(settings)
        finite = all(np.isfinite(array).all() for array in result.values())
        if finite and not self.claims:
            return FloatComparison(None, 0, 0.0)
        exact, result = given.astype(np.float64), about(claim, result)
        try:
            truth, allowed = known(claim, exact, result, self.dtype)
            with FIELD.working():
                seen = compare(result, truth, FIELD, allowed)
            if seen.outside is None:
                return seen
            seen = self._beyond(Compared(self.case.rule, claim, given, settings, result, truth, allowed, seen), tiny)
            kink = seen.outside is not None and finite and at_a_kink(given)
        except GradcheckError:
            return None
        if kink:
            return None
        return seen if seen.outside is None else Failure(seen.outside)

    def _beyond(self, seen: Compared, tiny: bool) -> FloatComparison:
        """Return a comparison that forgives what rounding does to the coarsest entry, and nothing else."""
        coarse = coarsest(seen.result, self.dtype)
        mixed = known_normwise(seen.claim, seen.problem.astype(np.float64), coarse)
        with FIELD.working():
            size = max(float(np.abs(array).max()) for array in midpoints(seen.truth, FIELD).values()) if tiny else 0.0
            widest = {name: _widest(array, mixed[name], size) for name, array in seen.allowed.items()}
            found = compare(seen.result, seen.truth, FIELD, widest)
        if found.outside is None and not tiny:
            largest = {name: _widest(array, array, 0.0) for name, array in seen.allowed.items()}
            if at := dataclasses.replace(seen, allowed=largest).keeps_its_error(coarse):
                return dataclasses.replace(found, outside=seen.entry(at))
        return found


def _widest(entrywise: Array, mixed: Array, least: float) -> Array:
    """Return the largest of the finite allowances of a parameter for each of its entries; infinity stays infinite."""
    bounds = np.concatenate([entrywise.reshape(-1), mixed.reshape(-1)])
    most = max(least, float(bounds[np.isfinite(bounds)].max(initial=0.0)))
    return np.where(np.isfinite(entrywise), most, entrywise)


def kept_claims(case: Case) -> tuple[Claim, ...]:
    """Return the rule's claims about its result that can be compared with, those about more arrays first."""
    given = dict.fromkeys([*case.rule.declaration.claims, *declared_claims(case.rule.target)])
    results = [
        claim for claim in given if isinstance(claim, (LagClaim, Equals)) and not isinstance(claim, Unbiased)
    ] or [Exact(of=case.rule.of)]
    return tuple(sorted(results, key=lambda claim: -len(wanted_by(claim))))


def judges(case: Case, sizes: Sizes) -> Iterator[Judge]:
    """Yield a judge for each format that the rule takes, with the claims that it keeps at moderate values."""
    base = Base(case.network, sizes, case.seed, case.weighted)
    for dtype in FORMATS:
        given = base.problem.map(lambda array: array.astype(np.float32)).astype(np.float64)
        settings = Judge(case, (), dtype).settings(given)
        try:
            result = run(case.rule, given.astype(dtype), settings).gradient
        except GradcheckError:
            continue
        if dtype == "float32" and any(array.dtype.itemsize > 4 for array in result.values()):
            continue  # it casts up, so its float32 is float64 again
        if not all(np.isfinite(array).all() for array in result.values()):
            continue
        kept = [
            claim
            for claim in kept_claims(case)
            if isinstance(Judge(case, (claim,), dtype).compare(given), FloatComparison)
        ]
        yield Judge(case, tuple(kept[:1]), dtype)


@dataclass(frozen=True)
class Stability(Kind):
    """The rule's results on problems of extreme values, for what a network does not share with an earlier one."""

    kind: ClassVar[str] = KIND
    strength: ClassVar[Strength] = Strength.SUPPORTED

    def plan(self, case: Case) -> Plan:
        def piece(part: str) -> Piece:
            return Piece(part, lambda _, progress: _try(case, part, progress))

        tried = parts(case.rule.declaration.networks, case.network)
        return Plan(KIND, [piece(part) for part in tried], _conclude)


def _try(case: Case, part: str, progress: Progress) -> PieceData | Finding:
    """Compare on the problems of every family, and look for the value from which a result is wrong."""
    base = Base(case.network, SIZES[part], case.seed, case.weighted)
    compared = undecided = 0
    reach: dict[str, float] = {}
    found = list(judges(case, SIZES[part]))
    for judge in found:
        for family in families(part, case.network):
            for magnitudes in family.screen:
                if abs(magnitudes[0]) < np.finfo(judge.dtype).smallest_normal:
                    continue
                progress(f"{judge.dtype}, {family.quantity} of {magnitudes[0]:.3g}")
                problem = family.problem(base, magnitudes)
                seen = None if problem is None else judge.compare(problem, tiny=family.tiny)
                if problem is None or seen is None:
                    continue
                if isinstance(seen, Failure):
                    finding = _refuted(judge, family, base, problem, seen)
                    if finding is None:
                        continue  # units that add up may leave the range
                    return finding
                compared += 1
                undecided += seen.undecided
                if not family.tiny:
                    reach[family.quantity] = max(reach.get(family.quantity, 0.0), *map(abs, magnitudes))
    return {
        "compared": compared,
        "undecided": undecided,
        "reach": reach,
        "formats": [judge.dtype for judge in found],
        "accuracy": any(judge.claims for judge in found),
    }


def _refuted(judge: Judge, family: Family, base: Base, problem: Problem, failure: Failure) -> Finding | None:
    """Return the finding on a failure: the least extreme value on the family at which the result is wrong.

    Returns:
        None where the problem is beyond the range, and no problem of the family within it has a failure.
    """
    first = _first(judge, family, base)
    said = ""
    if first is None and not in_range(problem):
        return None
    if first is None:
        at = f"at {family.quantity} = {_shown(family.value(problem))}"
    else:
        problem, failure, right = first
        value = _shown(family.value(problem))
        at = f"from {family.quantity} = {value} on"
        said = f"; right at {_shown(right)}" if right and _shown(right) != value else ""
    where = f", {family.where}" if family.where else ""
    text = f"{at} (at {judge.dtype}, {problem.sizes}{where}): {failure}{said}"
    settings = judge.settings(problem)
    evidence = Evidence(KIND, Status.REFUTED, Strength.CERTIFIED, text, details={"claim": str(judge.claim)})
    shown = problem if failure.outside else None
    return Finding(
        evidence,
        Witness(judge.case.network, problem.sizes, settings, text, shown, floats=True, dtype=judge.dtype),
    )


def _shown(value: float) -> str:
    return f"{value:.4g}"


def _first(judge: Judge, family: Family, base: Base) -> tuple[Problem, Failure, float] | None:
    """Bisect for the first failure on a ray of the family, at the smallest sizes that have one.

    Returns:
        The problem, the failure there, and the value at which the result was right, 0 where it was nowhere; None where
        no ray has a failure.
    """
    for sizes in (SMALLEST, Sizes(2, 2, 1, 2), base.sizes):
        at = dataclasses.replace(base, sizes=sizes)
        for ray in range(len(list(family.rays(1.0)))):

            def tried(magnitude: float, at: Base = at, ray: int = ray) -> tuple[Problem, Failure] | None:
                problem = family.problem(at, list(family.rays(magnitude))[ray])
                if problem is None or not in_range(problem):
                    return None
                seen = judge.compare(problem, tiny=family.tiny)
                return (problem, seen) if isinstance(seen, Failure) else None

            right, wrong, found = MODERATE, 0.0, tried(MODERATE)
            if found is not None:
                continue  # wrong for another reason than its range
            for magnitude in family.grid:
                found = tried(magnitude)
                if found is not None:
                    wrong = magnitude
                    break
                right = magnitude
            if found is None:
                continue
            for _ in range(_BISECTIONS):
                middle = float(np.sqrt(right) * np.sqrt(wrong)) if family.tiny else (right + wrong) / 2
                nearer = tried(middle)
                if nearer is None:
                    right = middle
                else:
                    wrong, found = middle, nearer
            last = family.problem(at, list(family.rays(right))[ray])
            return *found, 0.0 if last is None else family.value(last)
    return None


def _conclude(shown: Sequence[PieceData], budget: Budget) -> Finding:
    compared = sum(each["compared"] for each in shown)
    reach: dict[str, float] = {}
    for each in shown:
        for quantity, value in each["reach"].items():
            reach[quantity] = max(reach.get(quantity, 0.0), value)
    formats = list(dict.fromkeys(name for each in shown for name in each["formats"]))
    if not compared:
        text = "no problem of extreme values could be compared"
        return Finding(Evidence(KIND, Status.INCONCLUSIVE, Strength.NONE, text))
    undecided = sum(each["undecided"] for each in shown)
    accurate = all(each["accuracy"] for each in shown)
    text = "finite and within rounding" if accurate else "finite; how accurate was not judged, since its claims fail"
    text += f" at {' and '.join(formats)}"
    text += f", but {undecided} entries have no finite rounding allowance (overflow)" if undecided else ""
    scope = ", ".join(f"|{quantity}| up to {value:g}" for quantity, value in reach.items())
    return Finding(
        Evidence(
            KIND,
            Status.HOLDS,
            Strength.SUPPORTED,
            text,
            scope=f"{compared} problems, {scope or 'tiny values'}; numbers down to 1e-300",
            blind="other sizes; several large values that meet",
        )
    )
