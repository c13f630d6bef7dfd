"""Kinds of evidence that look for their problems, in one piece each, for the matrix of the gallery."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..evidence.base import Case, Finding, Kind, Plan, Progress, whole
from ..evidence.floats import branches
from ..evidence.floats.branches import Branches
from ..evidence.floats.reach import Reach
from ..evidence.floats.stability import Stability
from ..evidence.preconditions.purity import Purity
from ..faults import patched
from ..faults.estimators import EXPECTATION
from ..judge.effort import QUICK
from ..judge.plans import kinds
from ..problems.lively import lively_problem
from ..records import Evidence, Status, Strength
from ..reference.claims import Stable
from ..reference.networks.base import Sizes
from ..rules.call import run, watching
from ..rules.coverage.recorder import Recorder
from ..rules.coverage.seen import Seen

_SIZES = Sizes(5, 3, 2, 2)


def recorder_of(case: Case) -> Recorder:
    """Return a recorder of a fault's own code, after one call; its files are copies of the base's."""
    recorder = Recorder(patched.is_copy)
    problem = lively_problem(case.network, _SIZES, case.seed, weighted=case.weighted)
    with watching(recorder):
        run(case.rule, problem, case.rule.settings(_SIZES.T)[0])
    return recorder


def searched(case: Case, progress: Progress = lambda _: None) -> list[Reach]:
    """Return problems at sizes where the rule differs on floats, and those that reach code which did not run."""
    recorder, seen = recorder_of(case), Seen()
    seen.add(recorder.as_data())
    found = branches.screened(case, recorder, True, progress)
    return found + branches.explore(case, recorder, seen, progress)


def structured(case: Case, progress: Progress = lambda _: None) -> list[Reach]:
    """Return a problem for each structure of values."""
    return branches.with_all_values(case, recorder_of(case))


@dataclass(frozen=True)
class Sought(Kind):
    """The rule's results at float64 on problems that a search returns."""

    strength: ClassVar[Strength] = Strength.SUPPORTED

    name: str
    search: Callable[[Case, Progress], Sequence[Reach]]

    @property
    def kind(self) -> str:
        """The name in `Evidence.kind`."""
        return self.name

    def plan(self, case: Case) -> Plan:
        def compare(progress: Progress) -> Finding:
            found = self.search(case, progress)
            if not found:
                text = "no problem differs, and none reaches other code"
                return Finding(Evidence(self.name, Status.INCONCLUSIVE, Strength.NONE, text))
            return Branches(tuple(found)).gather(case, progress)

        return whole(self.name, compare)


@dataclass(frozen=True)
class Expectations(Kind):
    """The expectation of a stochastic rule, by the kinds of evidence that an audit has for it."""

    kind: ClassVar[str] = EXPECTATION
    strength: ClassVar[Strength] = Strength.PROVED

    def plan(self, case: Case) -> Plan:
        def compare(progress: Progress) -> Finding:
            findings = []
            for kind in kinds(case, QUICK, first=True):
                findings.append(kind.gather(case, progress))
                if findings[-1].evidence.status is Status.REFUTED:
                    return findings[-1]
            return next((each for each in findings if each.evidence.status is Status.HOLDS), findings[0])

        return whole(self.kind, compare)


@dataclass(frozen=True)
class Stabilities(Kind):
    """The rule's results at extreme values, whatever else it claims."""

    kind: ClassVar[str] = "stable"
    strength: ClassVar[Strength] = Strength.SUPPORTED

    def plan(self, case: Case) -> Plan:
        return Stability().plan(dataclasses.replace(case, claim=Stable()))


@dataclass(frozen=True)
class Histories(Kind):
    """The rule's results after other calls."""

    kind: ClassVar[str] = "histories"
    strength: ClassVar[Strength] = Strength.SUPPORTED

    def plan(self, case: Case) -> Plan:
        return Purity(claims=(case.claim,)).plan(case)
