"""Evidence that the target of an `Equals` claim is not the gradient, where the claim says that it differs.

A harness that computed every rule by the same backward pass would find each equal to its definition, and each
definition equal to the gradient: all its tests would be vacuous. So a rule that is biased by design names a target
that differs from the gradient, on each network that it supports, and a problem on which they differ is looked for: at
random residues, where nothing fades or rounds away, else on lively floats, beyond the allowance for rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..problems.lively import lively_problem
from ..problems.residues import residue_problem
from ..records import Evidence, Status, Strength
from ..reference import lags
from ..reference.claims import Claim, Equals, Exact
from ..reference.errors import GradcheckError, UnsupportedOperation
from ..reference.networks.base import Sizes
from ..reference.scalars.formal import entry_name
from ..reference.scalars.residues.modular import ModularField
from ..rules.adapt import as_rule
from .base import Case, Finding, Kind, Plan, Progress, not_run, whole
from .floats.comparison import compare_on
from .sizes import place, possible
from .target import TargetFailed, expected

KIND = "differs"
SIZES = (Sizes(3, 2, 1, 1), Sizes(4, 3, 2, 2), Sizes(6, 4, 2, 2), Sizes(9, 6, 2, 2), Sizes(48, 2, 1, 1))
POINTS = 2


@dataclass(frozen=True)
class Differs(Kind):
    """Problems on which the target may differ from the gradient, until one does.

    Attributes:
        sizes: The sizes, at each of which every setting of the rule is tried.
    """

    kind: ClassVar[str] = KIND
    strength: ClassVar[Strength] = Strength.EXACT

    sizes: tuple[Sizes, ...] = SIZES

    def plan(self, case: Case) -> Plan:
        return whole(KIND, lambda progress: _differing(case, self.sizes, progress))


def _differing(case: Case, sizes: tuple[Sizes, ...], progress: Progress) -> Finding:
    tried = 0
    for size in possible(case.network, sizes):
        for settings in case.rule.settings(size.T):
            progress(f"{place(size, settings)}, comparing the target with the gradient")
            claim = case.claim.bind(settings)
            try:
                where, strength = _on_residues(case, claim, size), Strength.EXACT
            except (UnsupportedOperation, TargetFailed):
                where, strength = _on_floats(case, claim, size), Strength.CERTIFIED
            if where:
                text = f"the target is not the gradient: {where} at {place(size, settings)}"
                return Finding(Evidence(KIND, Status.HOLDS, strength, text, scope=str(size)))
            tried += 1
    if not tried:
        return not_run(KIND, "no size was tried")
    text = f"the target was the gradient in each of {tried} comparisons, and the claim says that it differs from it"
    return Finding(Evidence(KIND, Status.REFUTED, Strength.NONE, text, scope=f"up to {size}"))


def _on_residues(case: Case, claim: Claim, size: Sizes) -> str:
    """Return where they differ at random residues; empty if nowhere."""
    for point in range(POINTS):
        rng = np.random.default_rng([case.seed, size.T, size.I, point])
        field = ModularField(seed=case.seed + point)
        problem = residue_problem(case.network, size, field, rng, weighted=case.weighted)
        promised, true = expected(claim, problem), lags.gradient(problem)
        for name, index in _entries(true):
            if name in promised and field.native(promised[name][index]) != field.native(true[name][index]):
                return f"{entry_name(name, index)} differs modulo 2^61 - 1"
    return ""


def _on_floats(case: Case, claim: Claim, size: Sizes) -> str:
    """Return where they differ on floats, by more than rounding allows; empty if nowhere.

    Raises:
        TargetFailed: The target does not run.
    """
    assert isinstance(claim, Equals)
    problem = lively_problem(case.network, size, case.seed, weighted=case.weighted)
    try:
        seen, *_ = compare_on(as_rule(claim.target, claims=[Exact()]), Exact(), problem, {})
    except GradcheckError as error:
        raise TargetFailed(f"the target of the claim does not run: {error}") from error
    return "" if seen.outside is None else f"{seen.outside[0]} differs by more than rounding allows"


def _entries(gradient: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    return ((name, index) for name, array in gradient.items() for index in np.ndindex(*array.shape))
