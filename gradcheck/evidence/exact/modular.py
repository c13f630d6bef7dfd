"""Modular evidence: rule and reference at random points of a finite field, equal or not, at realistic sizes.

A point tests the identity of two polynomials, in the problem's entries and in one variable for each value of an
activation. The degrees that the arrays carry bound the probability that a wrong rule passes at one point (Schwartz
1980, Zippel 1979):

* Drawn activations stand for free variables if no two formally different arguments are the same residue or opposite
  ones, and none is 0, because the drawn tanh and logistic function keep their laws at -v and at 0. The m arguments of
  the forward pass and its outputs are checked for coincidences, and drawn again if there is one. The probability that
  some pair coincides is at most m^2 d/p, where d bounds the degree of any difference of two arguments. Bounds that hold
  without this condition are divided by 1 - m^2 d/p, or 1/2.
* A rule's formal arguments do not depend on the point, since a decision on a residue raises an error. A rule that
  evaluates an activation at a formally different argument is taken for one that does not only if the first such
  argument is one of the m residues, a negative of one, or 0: at most (2m + 1) d/p.
* A rule that evaluates activations only at the arguments of the forward pass, and whose result differs as a polynomial
  of degree d', passes if that polynomial vanishes: at most d'/p. A rule is of this kind or of the one before, so the
  larger bound counts.
* If the rule evaluates at other residues too, any pair among all n evaluations may coincide: n^2 d/p + d'/p. A
  difference then shows nothing, because the drawn functions lack laws of the real ones, such as
  exp(a + b) = exp(a) exp(b). Equality does.
* Square roots are random functions first, without their law r^2 = x: equality then shows more than is asked. A rule
  that uses the law differs, and is compared again at points where every root exists, which are drawn until there is one
  (half of all residues have a root), with the roots that are squares themselves. A wrong rule's difference is then an
  algebraic function of degree 2^n at most for n distinct roots, and the product of its conjugates one of degree
  2^n d': the roots are independent, since for each of them a point was drawn where it was the first that did not exist.
  The points where all roots exist are about 2^-n of all, as independent roots let expect (not proved here), so the
  bound is a rational difference's times 4^n. That is affordable with few roots, so at smaller sizes for some networks.
* The derivative of relu is drawn as a bit per argument. The bounds hold for the patterns of bits that were drawn.

Points are repeated, over several primes, until the product of the bounds is below 2^-60. A mismatch is repeated on
object scalars modulo 2^61 - 1 before it counts, since a rule may take single elements out of an array.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np

from ...problems.residues import residue_problem
from ...records import Evidence, Status, Strength
from ...reference.claims import Claim, Equals, LagClaim, Settings
from ...reference.errors import GradcheckError, NoRoot, UnsupportedOperation
from ...reference.networks.base import Capabilities, Sizes, ask
from ...reference.networks.domains import lying_apart
from ...reference.networks.sizes import fitting
from ...reference.problem import forward
from ...reference.scalars.formal import entry_name
from ...reference.scalars.residues.array import ResidueArray, ResidueField
from ...reference.scalars.residues.modular import ModularField
from ...rules.adapt import WrongResult
from ...rules.call import run
from ...rules.expectation import TooManyOutcomes
from ...rules.failures import RuleFailed
from ..base import (
    Case,
    Finding,
    Kind,
    Piece,
    PieceData,
    Plan,
    Progress,
    Witness,
    not_run,
    refused,
    settled,
    total,
)
from ..budget import Budget
from ..sizes import grown, place, possible, reaching, scope, spread, vacuous
from ..target import TargetFailed, expected, planted, returned

KIND = "modular"
SIZES = (Sizes(9, 5, 2, 3), Sizes(130, 7, 2, 2), Sizes(48, 16, 3, 2), Sizes(20, 33, 2, 3))
SMALL_SIZES = (Sizes(9, 5, 2, 3),)
PRIMES = (2147483647, 2147483629, 2147483587, 2147483579, 2147483563, 2147483549, 2147483543, 2147483497)
ROOT_PRIMES = (2147481311, 2147467871, 2147424551, 2147414519, 2147395631, 2147366399)
"""Primes that are 7 modulo 8, of which 2, 3, 5, ..., 23 are squares, so that roots of small squares are positive."""
OBJECT_ROOT_PRIME = 2305843009213682039
WANTED_BITS = 60
MOST_POINTS = 64
_REDRAWS = 20
_SMALL, _ALL = 64, 24
"""Up to the first T I, up to the second number of settings are judged, unless `most_settings` is 1."""


MOST_ROOTS = 6
"""Number of distinct square roots up to which points are drawn where all of them exist."""
_SMALLER = (Sizes(9, 5, 2, 3), Sizes(5, 3, 2, 2), Sizes(4, 2, 2, 2), Sizes(3, 2, 1, 1), Sizes(3, 1, 1, 1))
"""Sizes that are tried in this order where a larger one has no bound on the failure probability."""
SHORTEST = 8
"""Steps down to which a sequence is shortened where its many evaluations leave no bound."""


class Refused(GradcheckError):
    """Raised where there is no bound on the failure probability."""


@dataclass(frozen=True)
class Point:
    """Result at one random point.

    Attributes:
        difference: The first entry that differs, or None.
        failure_bits: -log2 of the probability that a wrong rule passes.
        planted_rejected: True if the planted fault was rejected, None if none was planted.
        foreign: True if the rule evaluated an activation at other arguments than the network.
        roots: The number of distinct arguments of square roots.
        by_law: True if square roots were taken by their law.
    """

    difference: str | None
    failure_bits: float
    planted_rejected: bool | None
    foreign: bool
    roots: int = 0
    by_law: bool = False


@dataclass(frozen=True)
class _Rooted:
    """A point at which square roots are taken by their law.

    Attributes:
        attempt: The number of points drawn before it, for want of a root.
        roots: The number of distinct roots.
    """

    attempt: int
    roots: int


class _Tally:
    """Counts over the points of one size.

    Attributes:
        points, planted, rejected: The numbers of points, and of planted faults given and rejected.
        least: -log2 of the largest failure probability of any setting.
        size: The size, where a smaller one was taken for want of a bound.
        by_law: True if square roots were taken by their law at a point.
    """

    def __init__(self) -> None:
        self.points = self.planted = self.rejected = 0
        self.least = math.inf
        self.size: Sizes | None = None
        self.by_law = False

    def add(self, point: Point) -> None:
        self.points += 1
        self.planted += point.planted_rejected is not None
        self.rejected += bool(point.planted_rejected)
        self.by_law |= point.by_law

    def shown(self, size: Sizes) -> PieceData:
        planted = [self.planted, self.rejected]
        return {
            "size": dataclasses.astuple(self.size or size),
            "points": self.points,
            "bits": self.least,
            "planted": planted,
            "by_law": self.by_law,
        }


@dataclass(frozen=True)
class Modular(Kind):
    """Random points at each size that the budget affords, at a spread of the rule's settings.

    Points are added until the probability that a wrong rule passes is below 2^-60.

    Attributes:
        sizes: The sizes, which may grow to reach beyond the claim's horizon.
        most_settings: The most settings of the rule at one size.
        budget: Time for each size; the default one if None.
    """

    kind: ClassVar[str] = KIND
    strength: ClassVar[Strength] = Strength.EXACT

    sizes: Sequence[Sizes] = SIZES
    most_settings: int = 2
    budget: Budget | None = None

    def plan(self, case: Case) -> Plan:
        if not isinstance(case.claim, (LagClaim, Equals)):
            return settled(KIND, not_run(KIND, f"the claim {case.claim} is no identity"))

        def piece(turn: int, size: Sizes, most_settings: int, again: int = 0) -> Piece:
            most = _ALL if most_settings > 1 and size.T * size.I <= _SMALL else most_settings
            title = f"{size}, again {again}" if again else str(size)
            return Piece(
                title,
                lambda before, progress: _compare_size(case, size, turn, most, again, not before, progress),
                size,
            )

        def further(number: int) -> Piece:
            """Return a piece: a larger size in turn with all sizes again, at other points and modulo other primes."""
            again, turn = divmod(number, len(sizes) + 1)
            if turn == 0:
                return piece(len(sizes) + again + 1, fitting(case.network, grown(sizes[-1], again)), 1)
            return piece(turn - 1, sizes[turn - 1], self.most_settings, again=again + 1)

        sizes = possible(case.network, reaching(case.claim, self.sizes))
        pieces = [piece(turn, size, self.most_settings) for turn, size in enumerate(sizes)]
        return Plan(KIND, pieces, functools.partial(_conclude, case), self.budget or Budget(), further=further)


def _compare_size(
    case: Case, size: Sizes, turn: int, most: int, again: int, first: bool, progress: Progress
) -> PieceData | Finding:
    """Compare at one size.

    Args:
        case: The rule and its claim.
        size: The size.
        turn: Its number, for the choice of settings.
        most: The most settings.
        again: The number of earlier comparisons at this size.
        first: True if no size was compared before.
        progress: Called with a line of text at each step.
    """
    casts = _casts(case) if first else None
    if casts is not None:
        return casts
    tally = _Tally()
    for settings in spread(case.rule.settings(size.T), most, turn):
        try:
            against = _compare_within_bounds(case, size, settings, tally, progress, again * MOST_POINTS)
        except UnsupportedOperation as error:
            if isinstance(error, TooManyOutcomes) and not first:
                return {"size": dataclasses.astuple(size), "left_out": True}
            return refused(KIND, "residues", error)
        except (RuleFailed, WrongResult, Refused) as error:
            return not_run(KIND, f"on residues {error}")
        if against is not None:
            return against
    return tally.shown(size)


def _conclude(case: Case, shown: Sequence[PieceData], budget: Budget) -> Finding:
    shown = [each for each in shown if not each.get("left_out")]
    reached = [Sizes(*each["size"]) for each in shown]
    if nothing := vacuous(case.claim, reached):
        return not_run(KIND, nothing)
    points, bits = sum(each["points"] for each in shown), dict[Sizes, float]()
    for size, each in zip(reached, shown, strict=True):
        bits[size] = bits.get(size, 0.0) + each["bits"]  # points of the same size are drawn independently
    least = min(bits.values())
    drawn = [*lying_apart(case.network), *(["active units"] if ask(case.network, Capabilities.has_kinks) else [])]
    if any(each.get("by_law") for each in shown):
        given = ", if points with all square roots are as many as independent roots let expect"
    else:
        given = ""
    patterns = f"patterns of {' and of '.join(drawn)}"
    return Finding(
        Evidence(
            KIND,
            Status.HOLDS,
            Strength.EXACT,
            f"equal at {points} random points of finite fields; a wrong rule passes with probability below "
            f"2^-{int(least)}{given}" + (f", if it is wrong for the {patterns} drawn" if drawn else ""),
            scope=scope(case.rule, list(bits)) + budget.remark,
            blind="code that takes another path on floats" + (f"; {patterns} not drawn" if drawn else ""),
            details={"points": points, "failure_bits": round(least, 1)},
        ),
        planted=total(each["planted"] for each in shown),
    )


def _casts(case: Case) -> Finding | None:
    """Return the finding that residues cannot judge the rule, or that its network does not run on them, or None.

    NumPy lets a rule copy residues into floats unnoticed (`np.asarray(x, dtype=float)`), where they lose their degree.
    Single scalars refuse that, so the rule and its target must run on those first.

    Raises:
        TargetFailed: The target of the claim does not run on single scalars.
    """
    field, rng = ModularField(seed=case.seed), np.random.default_rng(case.seed)
    size = Sizes(2, 1, 1, 1) if case.rule.averaged else Sizes(3, 2, 2, 2)
    problem = residue_problem(case.network, size, field, rng, weighted=case.weighted)
    try:
        for u in forward(problem)[1]:
            ask(case.network, Capabilities.output, u)
    except UnsupportedOperation as error:
        return refused(KIND, "residues", error, who="the network")
    try:
        run(case.rule, problem.copy(), spread(case.rule.settings(problem.T), 1)[0])
    except (UnsupportedOperation, RuleFailed) as error:
        return refused(KIND, "residues", error)
    if isinstance(case.claim, Equals):
        expected(case.claim, problem)
    return None


def _compare_within_bounds(
    case: Case, size: Sizes, settings: Settings, tally: _Tally, progress: Progress, first: int
) -> Finding | None:
    """Add points at this size, or at a smaller one where there is a bound on the failure probability.

    The degree of a network of quotients may double at each step, and a network may have too many square roots.

    Args:
        case: The rule and its claim.
        size: The size of the problems.
        settings: The rule's keyword arguments.
        tally: Counts the points.
        progress: Called with a line of text at each point.
        first: The number of the first point. Points of different numbers are independent.

    Returns:
        A finding if the results differ, or the rule evaluates functions at other arguments; else None.

    Raises:
        Refused: There is no bound at any size.
    """
    shorter = [dataclasses.replace(size, T=size.T >> n) for n in range(1, size.T.bit_length())]
    smaller = [s for s in shorter if s.T >= SHORTEST]
    smaller += possible(case.network, (s for s in _SMALLER if s.T * s.I < size.T * size.I))
    smaller = [s for s in smaller if settings in list(case.rule.settings(s.T))]
    refusal: Refused | None = None
    for tried in (size, *smaller):
        at = _Place(case, case.claim.bind(settings), tried, settings, size)
        try:
            finding, bits, points = _compare_settings(at, progress, first)
        except Refused as error:
            refusal = refusal or error
            continue
        for point in points:
            tally.add(point)
        tally.least = min(tally.least, bits)
        if tried != size:
            tally.size = tried
        return finding
    assert refusal is not None
    raise refusal


@dataclass(frozen=True)
class _Place:
    """Size and settings at which points are drawn.

    Attributes:
        case: The rule and its claim.
        claim: The claim, bound to the settings.
        size: The size.
        settings: The rule's keyword arguments.
        instead: The size that was asked for; the points of each are independent.
    """

    case: Case
    claim: Claim
    size: Sizes
    settings: Settings
    instead: Sizes

    def key(self, *numbers: int) -> list[int]:
        """Return the seed of a point."""
        other = () if self.instead == self.size else (self.instead.T, self.instead.I)
        return [self.case.seed, *numbers, self.size.T, self.size.I, *other]


_Points: TypeAlias = tuple[Finding | None, float, list[Point]]
"""Finding against the claim or None, -log2 of the probability that a wrong rule passes, and the points."""


def _compare_settings(at: _Place, progress: Progress, first: int) -> _Points:
    """Add points until the probability that a wrong rule passes is below 2^-60."""
    bits, draw, points = 0.0, first, list[Point]()
    while bits < WANTED_BITS:
        if draw - first >= MOST_POINTS:
            raise Refused(f"a wrong rule could still pass with 2^-{bits:.1f} after {draw - first} points at {at.size}")
        progress(f"{place(at.size, at.settings)}, point {draw + 1}")
        point = _compare_point(at, draw)
        if point.difference is not None and point.roots:
            return _compare_by_law(at, point.roots, progress, first)
        if point.difference is not None and point.foreign:
            return not_run(KIND, _FOREIGN), bits, points
        if point.difference is not None:
            return _repeat_on_objects(at, point.difference), bits, points
        draw, bits = draw + 1, bits + point.failure_bits
        points.append(point)
    return None, bits, points


def _compare_by_law(at: _Place, roots: int, progress: Progress, first: int) -> _Points:
    """Add points at which every one of so many square roots exists, as `_compare_settings` does."""
    if roots > MOST_ROOTS:
        raise Refused(f"the rule uses the law of {roots} square roots at {at.size}, and too few points have them all")
    bits, draw, points, missing = 0.0, first, list[Point](), set[int]()
    while bits < WANTED_BITS or len(missing) < roots:
        if draw - first >= MOST_POINTS:
            raise Refused(
                f"after {draw - first} points at {at.size} a wrong rule could still pass with 2^-{bits:.1f}"
                if bits < WANTED_BITS
                else "the arguments of square roots may depend on each other, as those of sqrt(w) and sqrt(w**3) do"
            )
        progress(f"{place(at.size, at.settings)}, point {draw + 1} with square roots")
        point = _compare_rooted(at, draw, roots, missing)
        if point.difference is not None and point.foreign:
            return not_run(KIND, _FOREIGN), bits, points
        if point.difference is not None:
            return _repeat_on_objects(at, point.difference, by_law=True), bits, points
        draw, bits = draw + 1, bits + point.failure_bits
        points.append(point)
    return None, bits, points


def _compare_rooted(at: _Place, draw: int, roots: int, missing: set[int]) -> Point:
    """Compare at a point where every square root exists; enter in `missing` the first root that others lack."""
    for attempt in range(_TRIES << roots):
        try:
            return _compare_point(at, draw, _Rooted(attempt, roots))
        except NoRoot as error:
            missing.add(error.before)
        except TargetFailed as error:
            if not isinstance(error.__cause__, NoRoot):
                raise
            missing.add(error.__cause__.before)
    raise Refused(f"none of {_TRIES << roots} points at {at.size} has all {roots} square roots")


_FOREIGN = "the rule evaluates functions where the network does not, and residues do not keep all their laws"
_TRIES = 40


def _compare_point(at: _Place, draw: int, rooted: _Rooted | None = None) -> Point:
    """Compare at one random point.

    Args:
        at: The size and the settings.
        draw: The number of the point.
        rooted: Take square roots by their law; if None, they are random functions.

    Raises:
        NoRoot: A square root does not exist.
    """
    case, claim, size = at.case, at.claim, at.size
    primes = ROOT_PRIMES if rooted else PRIMES
    for redraw in range(_REDRAWS):
        rng = np.random.default_rng(at.key(draw, redraw, *((rooted.attempt,) if rooted else ())))
        field = ResidueField(primes[draw % len(primes)], seed=int(rng.integers(2**62)), roots=rooted is not None)
        problem = residue_problem(case.network, size, field, rng, weighted=case.weighted)
        field.recording = True
        for u in forward(problem)[1]:
            ask(case.network, Capabilities.output, u)
        evaluated = {name: sum(len(p) for n, p in field.calls if n == name) for name in field.queries}
        points = field.queries
        if all(len(points[name]) == evaluated[name] for name in points):
            break
    else:
        redraw = _REDRAWS
    met = redraw == _REDRAWS
    visited = np.unique(np.concatenate(list(points.values()))) if points else np.array([], dtype=np.int64)
    promised = expected(claim, problem)
    numerator, denominator = field.functions.numerator, field.functions.denominator
    field.reset()
    result = returned(case.rule, claim, problem.copy(), at.settings)
    for name, array in result.items():
        if not isinstance(array, ResidueArray):
            if np.asarray(array).dtype.kind == "f" and np.any(np.asarray(array)):
                raise UnsupportedOperation("a float result", field.name, f"the result holds floats for {name}")
            result[name] = field.lift(array)
    numerator, denominator = max(numerator, field.functions.numerator), max(denominator, field.functions.denominator)
    m, degree = max(1, sum(evaluated.values())), max(1, numerator + denominator)
    heads = {"g", "e", "L"}
    roots = np.union1d(points.get("sqrt", []), field.queries.get("sqrt", [])).size
    foreign = any(not np.isin(p, visited).all() for n, p in field.queries.items() if n not in heads)
    calls = m + sum(len(p) for _, p in field.calls)
    gap = max(_degree(promised[n], result[n]) for n in result)
    points_over_degree = field.prime / 4**rooted.roots if rooted else field.prime
    bound = gap / points_over_degree
    clear = 1 - m * m * degree / points_over_degree
    if foreign or met or clear <= 0.5:
        bound += calls * calls * degree / points_over_degree
    else:
        bound = max((2 * m + 1) * degree / points_over_degree, bound)
    bound /= max(clear, 0.5)
    if bound >= 1:
        raise Refused(f"a degree of {gap} and {calls} evaluations leave no bound on the failure probability")
    # One planted fault for each size and setting: its gradient costs as much as the reference's.
    caught = None if draw or rooted else _difference(field, promised, planted(claim, problem, promised)) is not None
    return Point(
        _difference(field, promised, result), -math.log2(bound), caught, foreign, int(roots), rooted is not None
    )


def _degree(a: Any, b: Any) -> int:
    return max(1, int(a.fraction_degree.equality(b.fraction_degree)))


def _difference(field: ResidueField, promised: Any, result: Any) -> str | None:
    for name in promised:
        equal = field.equal(promised[name], result[name])
        if not equal.all():
            return entry_name(name, [int(i) for i in np.argwhere(~equal)[0]])
    return None


def _differs(at: _Place, entry: str) -> Finding:
    text = f"at {place(at.size, at.settings)}: {entry} differs at a random point"
    evidence = Evidence(KIND, Status.REFUTED, Strength.NONE, text)
    return Finding(evidence, Witness(at.case.network, at.size, at.settings, text))


def _repeat_on_objects(at: _Place, difference: str, *, by_law: bool = False) -> Finding:
    """Repeat a comparison on scalars that a rule can take out of their array."""
    case, claim, size, settings = at.case, at.claim, at.size, at.settings
    if case.rule.averaged:  # it ran on scalars already, see `scalars.outcomes`
        return _differs(at, difference)
    for attempt in range(_TRIES << MOST_ROOTS if by_law else 1):
        rng = np.random.default_rng([case.seed, size.T, size.I, 99, *([attempt] if attempt else [])])
        field = ModularField(OBJECT_ROOT_PRIME, case.seed, roots=True) if by_law else ModularField(seed=case.seed)
        problem = residue_problem(case.network, size, field, rng, weighted=case.weighted)
        try:
            promised = expected(claim, problem)
            result = returned(case.rule, claim, problem.copy(), settings)
            break
        except NoRoot:
            continue
        except TargetFailed as error:
            if isinstance(error.__cause__, NoRoot):
                continue
            raise
        except (UnsupportedOperation, RuleFailed, WrongResult) as error:
            return refused(KIND, "residues", error)
    else:
        raise Refused(f"no point was found at {size} where every square root exists")
    for name in promised:
        for index, (p, q) in enumerate(zip(field.natives(promised[name]), field.natives(result[name]), strict=True)):
            if p != q:
                return _differs(at, entry_name(name, [int(i) for i in np.unravel_index(index, promised[name].shape)]))
    return Finding(
        Evidence(
            KIND,
            Status.HOLDS,
            Strength.SUPPORTED,
            "equal at one random point modulo 2^61 - 1, on single scalars; the rule takes elements out of its arrays, "
            "so its degree is not known and no failure probability is given",
            scope=str(size),
        )
    )
