"""Lag by lag on floats: a problem on which each lag determines entries of its own.

The input at time t is the t-th unit vector, and only the loss at T has an error: earlier targets are the network's own
outputs, or have weight 0. Then row t of dL/dW is g(T, T - t) alone, and each lag is judged relative to its own size,
even if it is small beside the others. The entries of each lag are found by `lags.by_lag`, for any network that has
them. On a second problem the state fades from step to step, so that all but the last lags are far smaller than what
rounds beside them: a rule that stops where nothing matters any more is right on the whole, and wrong in these entries.
There, only lags that are 0 count: an algorithm that mixes entries leaves noise.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import flint
import numpy as np

from ...problems.influence import SHARED, read_out
from ...problems.lively import fading, lively_problem
from ...records import Evidence, Rounding, Status, Strength
from ...reference import lags
from ...reference.claims import Claim, Equals, LagClaim
from ...reference.errors import UnsupportedOperation
from ...reference.networks.base import Capabilities, RecurrentNetwork, Sizes, TargetDomain, ask
from ...reference.networks.sizes import fitting
from ...reference.problem import Problem, forward
from ...reference.scalars.ball import BallField
from ...reference.typing import Array, Gradient
from ...reference.wanted import DEFAULT, INITIAL_STATE, Of
from ...rules.adapt import wanted_by
from ...rules.failures import RuleFailed
from ..base import Case, Finding, Kind, Piece, PieceData, Plan, Progress, Witness, lags_shown, not_run, settled, total
from ..budget import Budget
from ..sizes import LARGEST, describe, place, sizes_text, spans, spread
from ..target import planted
from .blackbox import failed, kinks_of, kinks_text, rounding_of
from .comparison import coarsest, compare_on, midpoints

SIZE = Sizes(41, 5, 41, 2)
FADING = Sizes(12, 3, 12, 2)
"""Size of the problem whose state fades."""
_FADES, _FAR = 2.0**-8, 2.0**60
"""Factor on what multiplies a state that fades, and on its last target; readouts get the inverse."""
KIND = "lagwise"

Owners = dict[int, list[tuple[str, tuple[int, ...]]]]
"""Entries, as (parameter, index), to which the last loss contributes through one lag only, by that lag."""


def lagwise_problem(case: Case, size: Sizes = SIZE, *, fades: bool = False) -> Problem:
    """Return the problem of a case, see `one_hot_problem`."""
    return one_hot_problem(case.network, size, case.seed, weighted=case.weighted, fades=fades)


def one_hot_problem(
    network: RecurrentNetwork, size: Sizes, seed: int, *, weighted: bool = False, fades: bool = False
) -> Problem:
    """Return a problem with inputs that are one-hot in time and no error before the last step.

    Args:
        network: The problem's network.
        size: Its sizes, with D = T.
        seed: Seed of the problem.
        weighted: Give earlier losses weight 0 as well.
        fades: Let the state fade from step to step.
    """
    base = lively_problem(network, size, seed, weighted=weighted, one_hot=True)
    if fades:
        base = _faded(base)
    targets = base.targets.copy()
    _, readouts = forward(base)
    targets[:-1] = [ask(network, Capabilities.output, u) for u in readouts[:-1]]
    weights = base.loss_weights * (np.arange(1, size.T + 1) == size.T) if weighted else base.loss_weights
    return base.replace(targets=targets, loss_weights=weights)


def _faded(problem: Problem) -> Problem:
    """Return the problem with a state that fades, and with readouts that round to nothing beside the last error.

    Without that, the rounding of earlier readouts is an error too, larger than what far lags contribute.
    """
    faded = fading(problem, _FADES)
    if ask(problem.network, Capabilities.target_domain) is not TargetDomain.REAL:
        return faded
    reads = read_out(problem)
    smaller = {n: array * np.where(reads[n] == SHARED, 1.0, 1 / _FAR) for n, array in faded.parameters.items()}
    return problem.varied(parameters=smaller, targets=problem.targets * _FAR)


def owners(problem: Problem, of: Of = DEFAULT) -> Owners:
    """Find the entries that belong to one lag each; none if losses before the last have errors.

    Args:
        problem: The problem.
        of: The kinds of arrays that they are entries of.
    """
    if any(error.any() for error in lags.error_signals(problem)[:-1]):
        return {}
    T, terms = problem.T, lags.of_last_loss(problem, of)
    active: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    for k in range(T):
        for name, array in terms[T, k].items():
            for index in np.argwhere(array):
                active.setdefault((name, tuple(map(int, index))), []).append(k)
    found: Owners = {}
    for entry, ks in active.items():
        if len(ks) == 1:
            found.setdefault(ks[0], []).append(entry)
    return found


@dataclass(frozen=True)
class Lag:
    """Comparison of one lag by its own entries.

    Attributes:
        within: True if all entries are within their allowances of the claim.
        silent: True if all entries are within their allowances of 0.
        zero: True if all entries are 0.
        visible: True if the promised value of some entry exceeds twice its allowance.
        error: The largest distance relative to the largest of the entries.
    """

    within: bool
    silent: bool
    zero: bool
    visible: bool
    error: float


def by_lag(owned: Owners, result: Gradient, truth: Gradient, field: BallField, allowed: dict[str, Array]) -> list[Lag]:
    """Compare each lag by its own entries.

    Args:
        owned: The entries of each lag.
        result: The rule's result as floats.
        truth: The promised gradient as balls.
        field: The field of the balls, at its working precision.
        allowed: Absolute allowances by parameter.

    Returns:
        The comparison of each lag, from 0 on.
    """
    balls = {name: np.array(field.natives(a), dtype=object).reshape(a.shape) for name, a in truth.items()}
    found = []
    for _, entries in sorted(owned.items()):
        judged = [(float(result[n][i]), balls[n][i], float(allowed[n][i])) for n, i in entries]
        gaps = [abs(flint.arb(got) - true) if np.isfinite(got) else flint.arb.pos_inf() for got, true, _ in judged]
        sizes = [float(abs(true).mid()) for _, true, _ in judged]
        largest = max(sizes)
        found.append(
            Lag(
                within=not any(gap > flint.arb(allow) for gap, (_, _, allow) in zip(gaps, judged, strict=True)),
                silent=all(abs(got) <= allow for got, _, allow in judged),
                zero=not any(got for got, _, _ in judged),
                visible=any(size > 2 * allow for size, (_, _, allow) in zip(sizes, judged, strict=True)),
                error=max(float(gap.mid()) for gap in gaps) / largest if largest else 0.0,
            )
        )
    return found


def differing(judged: list[Lag]) -> dict[str, list[int]]:
    """Return the lags at which the result does not follow the claim, by kind, without empty kinds.

    Args:
        judged: The lags, from 0 on.

    Returns:
        "absent", "surplus" (present, where the claim has nothing) and "wrong", each with its lags.
    """
    kinds: dict[str, list[int]] = {"absent": [], "surplus": [], "wrong": []}
    for k, lag in enumerate(judged):
        if not lag.within:
            kinds["absent" if lag.silent else "wrong" if lag.visible else "surplus"].append(k)
    return {kind: ks for kind, ks in kinds.items() if ks}


def _is_noise(judged: list[Lag]) -> bool:
    """Return True if lags are off as by an algorithm that mixes entries, not left out: few of those are exactly 0."""
    wrong = [lag for lag in judged if not lag.within]
    return 2 * sum(lag.zero for lag in wrong) < len(wrong)


def sentence(judged: list[Lag]) -> str:
    """Return the wrong lags as text, such as "exact to lag 7, absent beyond"; empty if there are none."""
    kinds = differing(judged)
    wrong = sorted(k for ks in kinds.values() for k in ks)
    if not wrong:
        return ""
    first = wrong[0]
    if list(kinds) == ["absent"] and not any(lag.within and lag.visible for lag in judged[first:]):
        return f"exact to lag {first - 1}, absent beyond" if first else "absent at every lag"
    spoken = {"absent": "absent", "surplus": "present, where the claim has nothing,", "wrong": "wrong"}
    parts = [f"{spoken[kind]} at {spans(ks)}" for kind, ks in kinds.items()]
    return ", ".join([*([f"exact to lag {first - 1}"] if first else []), *parts])


@dataclass(frozen=True)
class Lagwise(Kind):
    """Each lag of the last loss on its own, at float64, at a spread of the rule's settings.

    Attributes:
        size: The problem's size, with D = T.
    """

    kind: ClassVar[str] = KIND
    strength: ClassVar[Strength] = Strength.SUPPORTED

    size: Sizes = SIZE

    def plan(self, case: Case) -> Plan:
        if not isinstance(case.claim, (LagClaim, Equals)):
            return settled(KIND, not_run(KIND, f"the claim {case.claim} promises no particular result"))
        if wanted_by(case.claim) == (INITIAL_STATE,):
            return settled(KIND, not_run(KIND, "a loss uses the initial state at one lag alone"))
        own = fitting(case.network, self.size)
        if own.D != own.T:
            return settled(KIND, not_run(KIND, f"{case.network.name} cannot have as many inputs as steps, {own}"))

        def piece(size: Sizes) -> Piece:
            return Piece(str(size), lambda before, progress: _compare_size(case, size, progress), size)

        def faded(before: object, progress: Progress) -> PieceData | Finding:
            return _compare_size(case, FADING, progress, fades=True)

        def further(number: int) -> Piece:
            T = min(math.ceil(own.T * 1.25 ** min(number + 1, 60)), LARGEST.T)
            return piece(fitting(case.network, Sizes(T, own.I, T, own.K)))

        return Plan(KIND, (piece(own), Piece(f"{FADING}, a state that fades", faded)), _conclude, further=further)


def _compare_size(case: Case, size: Sizes, progress: Progress, *, fades: bool = False) -> PieceData | Finding:
    problem = lagwise_problem(case, size, fades=fades)
    owned = owners(problem, wanted_by(case.claim))
    complete = sorted(owned) == list(range(size.T))
    if not complete and not fades:
        return not_run(KIND, f"in {case.network} not every lag has entries of its own, even with one-hot inputs")
    worst, caught, unseen, reach = 0.0, [0, 0], set[int](), -1
    wide, kinks, coarse = False, 0, False
    for settings in spread(case.rule.settings(size.T), 2) if complete else ():
        progress(place(size, settings))
        claim = case.claim.bind(settings)
        try:
            seen, result, truth, field, allowed = compare_on(case.rule, claim, problem, settings)
        except UnsupportedOperation as error:
            return not_run(KIND, str(error))
        except RuleFailed as error:
            return failed(case, KIND, size, settings, error)
        if seen.kink and not seen.outside:
            kinks += 1
            continue
        wide = wide or seen.rounding is Rounding.NORMWISE
        coarse = coarse or coarsest(result, np.float64) != np.float64
        with field.working():
            judged = by_lag(owned, result, truth, field, allowed)
            noisy = fades and _is_noise(judged)
            if (wrong := sentence(judged)) and not noisy:
                at = f" ({describe(settings)})" if settings else ""
                text = f"{wrong}{at}: the result lag by lag, each relative to its own size, for the loss at T={size.T}"
                return Finding(
                    Evidence(KIND, Status.REFUTED, Strength.CERTIFIED, text, details=differing(judged)),
                    Witness(case.network, size, settings, text, seen.kink or problem, floats=True),
                )
            missing = planted(claim, problem, midpoints(truth, field))
            caught[0] += 1
            caught[1] += bool(sentence(by_lag(owned, missing, truth, field, allowed)))
        wide = wide or noisy
        worst = max([worst, *(lag.error for lag in judged if lag.visible and not noisy)])
        if fades:
            continue  # the other problem shows which lags rounding hides
        if not any(lag.visible for lag in judged):
            text = "rounding may exceed every lag of the last loss"
            return Finding(Evidence(KIND, Status.INCONCLUSIVE, Strength.NONE, text), planted=(caught[0], caught[1]))
        kept = [k for k in range(len(judged)) if _keeps(claim, k, size.T)]
        unseen |= {k for k in kept if not judged[k].visible}
        reach = max([reach, *(k for k in kept if judged[k].visible)])
    if kinks and not caught[0]:
        return not_run(KIND, "the problem lies at a kink of the network, where it has no derivative")
    return {
        "size": dataclasses.astuple(size),
        "worst": worst,
        "planted": caught,
        "hidden": sorted(unseen),
        "reach": reach,
        "kinks": kinks,
        "normwise": wide,
        "coarse": coarse,
    }


def _conclude(shown: Sequence[PieceData], budget: Budget) -> Finding:
    sizes = [Sizes(*each["size"]) for each in shown]
    most, worst = max(size.T for size in sizes), max(each["worst"] for each in shown)
    unseen = sorted({k for each in shown for k in each["hidden"]})
    seen = [k for k in range(most) if k not in unseen]
    agrees = f"each lag agrees on its own, to within {worst:.1g} of its size"
    if unseen:
        agrees = f"each lag that rounding leaves visible agrees on its own, to within {worst:.1g} of its size"
    rounding, lags = rounding_of(shown), lags_shown(shown)
    if any(each["coarse"] for each in shown):
        lags["hidden"] = ()  # a coarse format hides long lags of a right rule too; `blind` names them
    if rounding is Rounding.NORMWISE:
        agrees += ", within norm-wise rounding"
    return Finding(
        Evidence(
            KIND,
            Status.HOLDS,
            Strength.SUPPORTED,
            agrees + kinks_text(shown),
            scope=f"{spans(seen)} of the last loss, {sizes_text(sizes)}",
            blind=f"{spans(unseen)}, which rounding hides" if unseen else "other losses than the last",
            details={"worst_relative_error": worst, "lags": most, **kinks_of(shown)},
            rounding=rounding,
        ),
        planted=total(each["planted"] for each in shown),
        **lags,
    )


def _keeps(claim: Claim, k: int, T: int) -> bool:
    return not isinstance(claim, LagClaim) or claim.keeps(T, k, T)
