"""Units of an audit, and the function that makes one wherever it is sent.

Three kinds. "stages": purity, liveness and oracle agreement, before all else. A piece of evidence: one size of one
kind, for one claim on one network. "verdict": one claim, concluded from its pieces; where these speak against it, that
is a counterexample and a diagnosis. Each runs the rule within its limits in a process that is no other unit's, but that
the pieces of one kind, and on a small network the kinds, follow one another there for a second.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..evidence.base import Case, Finding, lost, not_run
from ..evidence.exact import formal
from ..evidence.pieces import Course as Steps
from ..evidence.pieces import Part, Piece, Plan, Shown, course, made
from ..judge.claim import Judge, Maker
from ..records import Evidence, Status, Strength, Verdict
from ..reference.claims import Claim
from ..reference.errors import GradcheckError
from ..reference.networks.base import RecurrentNetwork
from ..rules.adapt import Rule
from ..rules.load import load_rule, resolve
from ..store.fingerprint import fingerprint
from .auditing import Audit, prepared
from .course import Course, Loss
from .effort import EFFORTS
from .isolation import parent as isolation
from .isolation.parent import Limits
from .wire import course_as_data, course_from, part_as_data, part_from

STAGES, VERDICT = "stages", "verdict"
CHUNK = 1.0
"""Seconds of pieces that are made one after the other in a process, whose start and end would cost more than each."""


@dataclass(frozen=True)
class Unit:
    """What is made: of which rule, for which claim, on the network of which number, by which kind, at which size.

    rule, claim: their names; see `Asked` and `named`.
    """

    rule: str
    claim: str = ""
    network: int = 0
    kind: str = STAGES
    size: str = ""

    @property
    def key(self) -> str:
        """The text under which it is kept."""
        return json.dumps(dataclasses.astuple(self))

    @property
    def text(self) -> str:
        return f"{self.rule}: {', '.join(part for part in (self.claim, self.kind, self.size) if part)}"


@dataclass(frozen=True)
class Asked:
    """One rule and what it is audited on; it can be sent to another process.

    target: the text that names the rule there too, or the rule itself, which must pickle then. limits: for its code;
    None runs it in the process of the unit itself.
    """

    name: str
    target: Any
    claims: tuple[Claim, ...] | None = None
    networks: tuple[RecurrentNetwork, ...] | None = None
    weighted: bool | None = None
    effort: str = "full"
    seed: int = 0
    expected: Mapping[str, str] | None = None
    limits: Limits | None = None

    def rule(self) -> tuple[Rule, list[str]]:
        """The rule as `auditing.prepared` has it, and its notes. Raises `GradcheckError` as that does."""
        return prepared(
            self.found, self.claims, networks=self.networks, weighted=self.weighted, effort=self.effort,
            seed=self.seed, expected=self.expected,
        )  # fmt: skip

    def fingerprint(self) -> dict[str, Any]:
        """Return what saved results must have in common with this request."""
        limits = None if self.limits is None else [self.limits.call_seconds, self.limits.memory]
        target = None if isinstance(self.target, str) else self.target
        return fingerprint(
            self.rule()[0], target, self.claims, self.networks, name=self.name, effort=self.effort, seed=self.seed,
            limits=limits,
        )  # fmt: skip

    @property
    def found(self) -> Any:
        return _named(self.target) if isinstance(self.target, str) else self.target


@functools.lru_cache(maxsize=64)
def _named(text: str) -> Any:
    return load_rule(text) if ":" in text else dict(resolve(text))[text]


def named(claims: Sequence[Claim]) -> dict[str, Claim]:
    """Each claim by a name of its own: as it is printed, with a number where another before it is printed so."""
    found: dict[str, Claim] = {}
    for claim in claims:
        text = str(claim)
        number = sum(str(other) == text for other in found.values())
        found[f"{text} #{number + 1}" if number else text] = claim
    return found


def places(networks: Sequence[RecurrentNetwork]) -> list[tuple[int, RecurrentNetwork, int]]:
    """(number, network, number of the first of its kind) of each; those that are not that are judged more briefly."""
    kinds = [type(network) for network in networks]
    return [(number, network, kinds.index(type(network))) for number, network in enumerate(networks)]


def plans(rule: Rule, claim: Claim, effort: str, seed: int, number: int) -> list[Plan]:
    """The kinds of evidence that are gathered for a claim on one network; see `judging.Judge.plans`."""
    networks = rule.declaration.networks
    judge = Judge(
        rule, networks, EFFORTS[effort], seed, _untold, lambda claim, kind: None, lambda claim, evidence: None
    )
    first = places(networks)[number][2] == number
    return judge.plans(Case(rule, claim, networks[number], seed), first=first)


def _untold(text: str) -> None:
    pass


@dataclass(frozen=True)
class Task:
    """A unit, the audit that it is of, and what it builds on; of a piece of evidence, also those that follow it.

    before: what came of the pieces of the same kind before it. following: units without a size, whose kinds of
    evidence come after its own, each from its first piece on. single: whether it is made without any after it.
    further: which of its plan's pieces beyond a full audit it is, and which follow; None for those of the plan.
    course: of the audit so far. known: what the claim's pieces came to, by unit; spare: which of those are beyond a
    full audit, by network and kind.
    """

    asked: Asked
    unit: Unit
    before: tuple[Mapping[str, Any], ...] = ()
    following: tuple[Unit, ...] = ()
    single: bool = False
    further: tuple[int, ...] | None = None
    course: Mapping[str, Any] | None = None
    known: Mapping[Unit, Mapping[str, Any]] = field(default_factory=dict)
    spare: Mapping[tuple[int, str], tuple[int, ...]] = field(default_factory=dict)


def perform(task: Task) -> list[tuple[Unit, dict[str, Any]]]:
    """Make a unit, and after a piece of evidence those that follow it, for about `CHUNK` seconds.

    Each comes with {"part": ...} or {"course": ...}, or {"failed": ...} where it could not be judged at all. Threads
    of one process take turns: what a rule changes around it is no other's doing.
    """
    with _TURN:
        return _performed(task)


_TURN = threading.Lock()


def _performed(task: Task) -> list[tuple[Unit, dict[str, Any]]]:
    audit: _Pieces | Audit
    try:
        rule, _ = task.asked.rule()
    except GradcheckError as error:
        return [(task.unit, {"failed": str(error)})]
    audit = _audit(task, rule) if task.unit.kind in (STAGES, VERDICT) else _Pieces(task)
    failed: list[tuple[Unit, dict[str, Any]]] = []
    try:
        if task.asked.limits is not None:
            isolation.judge(audit, task.asked.limits)
        while audit.waiting:
            audit.advance()
    except GradcheckError as error:
        failed = [(audit.unit if isinstance(audit, _Pieces) else task.unit, {"failed": str(error)})]
    if isinstance(audit, _Pieces):
        return [*audit.units, *failed]
    return failed or [(task.unit, {"course": course_as_data(audit.course)})]


def _audit(task: Task, rule: Rule) -> Audit:
    """The audit of the stages alone, or of one claim after them."""
    claims = tuple(claim for name, claim in named(rule.declaration.claims).items() if name == task.unit.claim)
    alone = dataclasses.replace(rule, declaration=dataclasses.replace(rule.declaration, claims=claims, expected=()))
    audit = Audit(alone, EFFORTS[task.asked.effort], task.asked.seed, _untold)
    if task.course is not None:
        audit.course = course_from(task.course)
    audit.maker = _Known(task)
    return audit


class _Known(Maker):
    """Takes pieces from what was made; what was not, it makes."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def planned(self, case: Case, plan: Plan) -> Plan:
        spare = beyond(plan, self._task.spare.get((_number(case), plan.kind), ()))
        return dataclasses.replace(plan, pieces=[*plan.pieces, *(dataclasses.replace(p, asked=True) for p in spare)])

    def made(self, case: Case, plan: Plan, piece: Piece, before: Sequence[Shown], told: Callable[[str], None]) -> Part:
        unit = dataclasses.replace(self._task.unit, network=_number(case), kind=plan.kind, size=piece.label)
        known = self._task.known.get(unit)
        if known is None:
            return super().made(case, plan, piece, before, told)
        if "failed" in known:
            raise GradcheckError(known["failed"])
        return part_from(known["part"], case.network)


def _number(case: Case) -> int:
    return case.rule.declaration.networks.index(case.network)


class _Pieces:
    """Pieces of evidence as an audit of one step each; see `course.Auditing`.

    made: of each by now its unit's place among those of the task, its label and its part. at: the place of the unit
    whose kind is under way. over: whether no more are made here.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.progress: Callable[[str], None] = _untold
        self.reaching: Callable[[str], None] = _untold
        self.found: Callable[[str, Evidence], None] = lambda claim, evidence: None
        self.notes: list[str] = []
        self.sought: set[Any] = set()
        self.made: list[tuple[int, str, dict[str, Any]]] = []
        self.at, self.over = 0, False
        self._until = time.monotonic() + CHUNK
        self._walk: _Walk | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _gone_on, (self.task, self.course)

    @property
    def course(self) -> Course:
        return Course(pieces={"made": self.made, "at": self.at, "over": self.over})

    @course.setter
    def course(self, reached: Course) -> None:
        assert reached.pieces is not None
        self.made, self.at, self.over = list(reached.pieces["made"]), reached.pieces["at"], reached.pieces["over"]
        self._walk = None

    @property
    def units(self) -> list[tuple[Unit, dict[str, Any]]]:
        """What was made."""
        return [(dataclasses.replace(self._whole(at), size=label), {"part": part}) for at, label, part in self.made]

    @property
    def unit(self) -> Unit:
        """What is made next."""
        return dataclasses.replace(self._whole(self.at), size=self.walk.piece.label)

    def _whole(self, at: int) -> Unit:
        return (self.task.unit, *self.task.following)[at]

    @property
    def waiting(self) -> str:
        return "" if self.over else self.task.unit.claim

    @property
    def rule_free(self) -> bool:
        return False

    @property
    def walk(self) -> _Walk:
        """Where the plan is, after the pieces that were made before, and here."""
        if self._walk is None:
            before, further = (self.task.before, self.task.further) if self.at == 0 else ((), None)
            self._walk = _Walk(self._rule, self.task.asked, self._whole(self.at), before, further)
            for at, _, part in self.made:
                if at == self.at:
                    self._walk.on(part_from(part, self._walk.network))
        return self._walk

    @functools.cached_property
    def _rule(self) -> Rule:
        return self.task.asked.rule()[0]

    def advance(self) -> None:
        walk, unit = self.walk, self._whole(self.at)
        self.reaching(unit.kind)
        told = lambda text: self.progress(f"{unit.rule}: {unit.claim}, {unit.kind} {text}")  # noqa: E731
        part = made(walk.plan, walk.piece, walk.before, told)
        self.made.append((self.at, walk.piece.label, part_as_data(part)))
        finding = walk.on(part)
        if finding is not None:
            self._walk, self.at = None, self.at + 1
            self.over = self.at > len(self.task.following) or finding.evidence.status is Status.REFUTED
        self.over = self.over or self.task.single or time.monotonic() > self._until

    def give_up(self, loss: Loss) -> None:
        unit = self._whole(self.at)
        part = Part(ended=lost(unit.kind, f"{self._rule.name} {loss.reason}"))
        self.made.append((self.at, self.walk.piece.label, part_as_data(part)))
        self.over = True

    def derive(self, wanted: Any) -> None:
        network, sizes, weighted = wanted
        formal.reference(network, sizes, weighted)


class _Walk:
    """A way through a plan. piece: what is to be made; before: what was shown by then."""

    def __init__(
        self, rule: Rule, asked: Asked, unit: Unit, before: Sequence[Mapping[str, Any]], further: Sequence[int] | None
    ) -> None:
        claim = named(rule.declaration.claims)[unit.claim]
        self.network = rule.declaration.networks[unit.network]
        found = plans(rule, claim, asked.effort, asked.seed, unit.network)
        self.plan = next(plan for plan in found if plan.kind == unit.kind)
        self.before: Sequence[Shown]
        known = [part_from(part, self.network) for part in before]
        if further is not None:
            self._steps = _one_by_one(beyond(self.plan, further), [part.shown for part in known])
            known = []
        else:
            self._steps = course(self.plan)
        self.piece, self.before = next(self._steps)
        for part in known:
            self.on(part)

    def on(self, part: Part) -> Finding | None:
        """Go on after that piece. What the kind came to, if there is no other."""
        try:
            self.piece, self.before = self._steps.send(part)
        except StopIteration as end:
            finding: Finding = end.value
            return finding
        return None


def _one_by_one(pieces: Sequence[Piece], before: Sequence[Shown]) -> Steps:
    """Pieces that do not build on each other, up to the first that ends their kind."""
    for piece in pieces:
        part = yield piece, before
        if part.ended is not None:
            return part.ended
    return not_run("", "")


def _gone_on(task: Task, reached: Course) -> _Pieces:
    """Pieces that were pickled on their way."""
    pieces = _Pieces(task)
    pieces.course = reached
    return pieces


def beyond(plan: Plan, numbers: Iterable[int]) -> list[Piece]:
    """Of the pieces beyond a full audit those of these numbers, from 0 on, in order."""
    return [plan.further(number) for number in sorted(numbers)] if plan.further else []


def unmade(unit: Unit, reason: str) -> dict[str, Any]:
    """What stands for a unit whose process ended each time that it was tried."""
    if unit.kind == STAGES:
        verdict = Verdict("pure", Status.ERROR, Strength.NONE, reason)
        return {"course": course_as_data(Course((verdict,), compared=True, blocked=reason))}
    if unit.kind == VERDICT:
        verdict = Verdict(unit.claim, Status.ERROR, Strength.NONE, reason)
        return {"course": course_as_data(Course((verdict,), compared=True))}
    return {"part": part_as_data(Part(ended=lost(unit.kind, reason)))}
