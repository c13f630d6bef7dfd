"""How far an audit in units has come: its claims, what their pieces came to, and the report that comes of that."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from ..evidence.pieces import Plan, course
from ..records import Report, Stage, Status, Strength, Verdict
from ..reference.claims import Claim, Pure
from ..rules.adapt import Rule
from .auditing import Audit
from .course import Course
from .effort import EFFORTS
from .sending import Found
from .spending import Account
from .units import Asked, Unit, named

Position = tuple[int, int]
"""Of a kind of evidence: the number of its network, and its place on it."""


@dataclass
class Judged:
    """A claim on its way. known: what its pieces came to, and of which kind. against: the first kind that is."""

    name: str
    claim: Claim
    known: dict[Unit, tuple[Position, Found]] = field(default_factory=dict)
    accounts: list[Account] = field(default_factory=list)
    against: Position | None = None
    course: Course | None = None

    def needless(self, position: Position) -> bool:
        return self.against is not None and position > self.against

    def refuted(self, position: Position) -> None:
        self.against = min(position, self.against or position)


@dataclass
class State:
    """An audit on its way."""

    asked: Asked
    rule: Rule
    notes: list[str]
    stages: Course = field(default_factory=Course)
    claims: list[Judged] = field(default_factory=list)
    spent: Stage | None = None
    report: Report | None = None
    told: bool = False

    def partial(self) -> Report:
        """What is known of it, the rest NOT RUN."""
        stopped = "not judged: interrupted"
        pure = self.stages.verdicts or (Verdict("pure", Status.NOT_RUN, Strength.NONE, stopped),)
        claims = self.claims or self.unjudged()
        verdicts = [
            each.course.verdicts[-1]
            if each.course
            else Verdict(str(each.claim), Status.NOT_RUN, Strength.NONE, stopped)
            for each in claims
        ]
        return self._reported((*pure, *verdicts))

    def unjudged(self) -> list[Judged]:
        """Its claims, but for purity, which has been judged by then."""
        return [Judged(name, c) for name, c in named(self.rule.declaration.claims).items() if not isinstance(c, Pure)]

    def audit(self) -> Audit:
        """An audit of the rule in which nothing has been judged."""
        audit = Audit(self.rule, EFFORTS[self.asked.effort], self.asked.seed, lambda text: None)
        audit.notes += self.notes
        return audit

    def concluded(self) -> Report:
        """The report, once every claim has been judged, or nothing could be."""
        if self.stages.blocked:
            audit = self.audit()
            audit.course = self.stages
            return audit.report(None)
        return self._reported(
            (*self.stages.verdicts, *(each.course.verdicts[-1] for each in self.claims if each.course))
        )

    def _reported(self, verdicts: tuple[Verdict, ...]) -> Report:
        audit, courses = self.audit(), [each.course for each in self.claims if each.course]
        given, rejected = (sum(each.planted[n] for each in courses) for n in range(2))
        stages = (*self.stages.stages, *([self.spent] if self.spent else []))
        audit.course = Course(verdicts, stages, (given, rejected), compared=True, blocked=self.stages.blocked)
        return audit.report(None)


@dataclass(frozen=True)
class Kind:
    """A kind of evidence for a claim on one network. first: its first piece, if it has any."""

    state: State
    judged: Judged
    position: Position
    plan: Plan

    @property
    def unit(self) -> Unit:
        """Of all of its pieces."""
        return Unit(self.state.asked.name, self.judged.name, self.position[0], self.plan.kind)

    @property
    def first(self) -> Unit | None:
        piece = next(course(self.plan), None)
        return dataclasses.replace(self.unit, size=piece[0].label) if piece else None
