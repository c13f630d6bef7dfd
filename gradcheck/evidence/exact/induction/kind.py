"""Evidence by induction: a proof for every T, at each shape (I, D, K) and setting."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ....algorithms.online import is_stochastic
from ....records import Covers, Evidence, Lengths, Status, Strength
from ....reference.claims import Equals, Exact, Online
from ....reference.errors import GradcheckError
from ....reference.networks import start
from ....reference.networks.base import Capabilities, RecurrentNetwork, Sizes, ask, has_one_loss
from ....reference.networks.domains import lying_apart
from ....reference.networks.sizes import fitting
from ....reference.wanted import DEFAULT
from ....rules.adapt import as_rule, wanted_by
from ....rules.failures import KeptNumbers
from ...base import Case, Finding, Kind, Piece, PieceData, Plan, Progress, not_run, settled
from ...budget import Budget
from ...sizes import place, possible
from ...target import TargetFailed
from ..formal import LARGEST_T, SHAPES, families, shape_text
from . import unbiased
from .backwards import prove_passes
from .lasting import lasting
from .proof import Subject, Unidentified, prove

KIND = "induction"
SECONDS = 60.0
"""Time for all shapes together."""


def applies(case: Case) -> bool:
    """Return True for claims that an induction over the steps can show: of online rules and of those in passes."""
    if case.rule.passes:
        return isinstance(case.claim, Exact)
    if not case.rule.online:
        return False
    if isinstance(case.claim, Equals):
        try:
            return as_rule(case.claim.target).online
        except GradcheckError:  # a target that is no rule is named where it is run
            return False
    return isinstance(case.claim, (Exact, Online))


@dataclass(frozen=True)
class Induction(Kind):
    """A proof for every T at every shape, for the settings of short sequences.

    Attributes:
        shapes: The shapes (I, D, K).
        longest: The length of the sequences whose settings are taken.
        budget: Time for all shapes together; the default one if None.
    """

    kind: ClassVar[str] = KIND
    strength: ClassVar[Strength] = Strength.PROVED

    shapes: Sequence[tuple[int, int, int]] = SHAPES
    longest: int = LARGEST_T
    budget: Budget | None = None

    def plan(self, case: Case) -> Plan:
        if reason := excluded(case):
            return settled(KIND, not_run(KIND, reason))
        run = _last if isinstance(case.claim, Online) else _prove
        pieces = []
        for size in possible(case.network, (Sizes(1, *shape) for shape in self.shapes)):
            at = fitting(case.network, Sizes(self.longest, size.I, size.D, size.K))
            piece = functools.partial(run, case, at)
            pieces.append(Piece(f"I={at.I}, D={at.D}, K={at.K}", piece, at))
        conclude = functools.partial(_conclude_lasting if run is _last else _conclude, case, len(pieces))
        return Plan(KIND, pieces, conclude, self.budget or Budget(SECONDS), cumulative=True)


def excluded(case: Case) -> str:
    """Return why no induction over the steps is tried; empty if one is."""
    if not case.rule.of_class:
        return (
            "the rule is a function of the whole sequence; write it as a class with start and step, or in passes, with "
            "start, forward and backward"
        )
    if case.rule.stochastic and not isinstance(case.claim, Online):
        return "the rule draws from noise, and the claim is about each of its results; claim Unbiased()"
    if not applies(case):
        return f"no induction for the claim {case.claim}"
    if not isinstance(case.claim, Online) and wanted_by(case.claim) != DEFAULT:
        return "only gradients of parameters are proved by induction"
    if not has_one_loss(case.network):
        return "the loss of a step depends on the length of the sequence"
    if apart := lying_apart(case.network):
        return f"{' and '.join(apart)} cannot vary freely"
    return ""


def _prove(case: Case, size: Sizes, before: Sequence[PieceData], progress: Progress) -> PieceData | Finding:
    """Prove the claim at one shape, for the widest family of networks that allows it."""
    progress(str(size))
    seen: GradcheckError | None = None
    by: Any = prove_passes if case.rule.passes else prove
    if is_stochastic(case.rule.target):
        by = unbiased.prove
    tried = families(case.network)
    for number in range(max((each["family"] for each in before), default=0), len(tried)):
        try:
            proofs = [(settings, by(Subject(case, tried[number][1], settings), size))
                      for settings in case.rule.settings(size.T)]  # fmt: skip
        except (TargetFailed, KeptNumbers):
            raise
        except GradcheckError as error:
            if seen is None or isinstance(error, Unidentified) or number == len(tried) - 1:
                seen = error
            continue
        return {
            "shape": [size.I, size.D, size.K],
            "family": number,
            "identities": sum(proof.identities for _, proof in proofs),
            "settings": [dict(settings) for settings, _ in proofs],
            "state": proofs[-1][1].described(),
        }
    assert seen is not None
    unidentified = list(seen.paths) if isinstance(seen, Unidentified) else []
    return _unproved(size, str(seen), unidentified)


def _unproved(size: Sizes, reason: str, unidentified: Sequence[str] = ()) -> Finding:
    at = f"I={size.I}, D={size.D}, K={size.K}"
    text = f"not proved for every T at {at}: {reason}"
    return not_run(KIND, text, **({"unidentified": list(unidentified)} if unidentified else {}))


def _conclude(case: Case, planned: int, shown: Sequence[PieceData], budget: Budget) -> Finding:
    if not shown:
        return not_run(KIND, "the induction takes too long here")
    family = max(each["family"] for each in shown)
    general = family == 0 and ask(case.network, Capabilities.undefined) is not None
    free = [
        "parameters",
        "inputs",
        "targets",
        *(["loss weights"] if case.weighted else []),
        *(["initial state"] if start.is_given(case.network) else []),
    ]
    equal = f"equal at every step to {as_rule(case.claim.target).name}" if isinstance(case.claim, Equals) else "equal"
    steps = "the steps, forwards and backwards" if case.rule.passes else "the steps"
    text = (
        f"{equal} by induction over {steps}, hence for every T and all values of {', '.join(free[:-1])} and "
        f"{free[-1]}, for {families(case.network)[family][0]}"
    )
    return Finding(
        Evidence(
            KIND,
            Status.HOLDS,
            Strength.PROVED,
            text,
            scope="every T" + _scope(case, shown, planned),
            blind="code that takes another path at larger sizes",
            details={
                "identities": sum(each["identities"] for each in shown),
                "state": shown[0]["state"],
            },
            covers=Covers.KIND if general else Covers.NETWORK,
            lengths=Lengths.EVERY,
        )
    )


def _scope(case: Case, shown: Sequence[PieceData], planned: int) -> str:
    """Return the shapes and settings that were reached, in words."""
    text = shape_text([tuple(each["shape"]) for each in shown])
    chosen = [", ".join(f"{name}={value}" for name, value in each.items()) for each in shown[0]["settings"] if each]
    if chosen:
        text += f", at {' and '.join(filter(None, (', '.join(chosen[:-1]), chosen[-1])))}"
        text += " and without settings" if {} in shown[0]["settings"] else ""
    return text + (" (more shapes take too long here)" if len(shown) < planned else "")


def _last(case: Case, size: Sizes, before: Sequence[PieceData], progress: Progress) -> PieceData | Finding:
    """Prove at one shape that the state's form lasts."""
    progress(place(size, {}))
    try:
        found = [
            lasting(Subject(case, _widest(case.network), settings), size) for settings in case.rule.settings(size.T)
        ]
    except KeptNumbers:
        raise
    except GradcheckError as error:
        return _unproved(size, str(error))
    return {
        "shape": [size.I, size.D, size.K],
        "settings": [dict(settings) for settings in case.rule.settings(size.T)],
        "numbers": max(each.numbers for each in found),
        "period": max(each.period for each in found),
    }


def _widest(network: RecurrentNetwork) -> RecurrentNetwork:
    """Return the network itself: on what stands for its family a rule may refuse to run."""
    return families(network)[-1][1]


def _conclude_lasting(case: Case, planned: int, shown: Sequence[PieceData], budget: Budget) -> Finding:
    if not shown:
        return not_run(KIND, "the induction takes too long here")
    text = (
        "by induction over the steps, the state has one form, or a few in turn, for every T: neither its size nor the "
        "work of a step depends on T, and a step reads nothing else"
    )
    return Finding(
        Evidence(
            KIND,
            Status.HOLDS,
            Strength.PROVED,
            text,
            scope="every T" + _scope(case, shown, planned),
            blind="code that takes another path at larger sizes",
            details={"numbers": {"x".join(map(str, each["shape"])): each["numbers"] for each in shown}},
            lengths=Lengths.EVERY,
        )
    )
