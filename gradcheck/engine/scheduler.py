"""The scheduler: takes each audit from its request to its verdicts, task by task, on any executor.

Which task runs when depends on what each is likely to tell for its cost, on how many can run at once, and on what
finishes first; a verdict does not. The kinds of evidence have an order, and a verdict is made of those up to the first
that speaks against the claim, whether or not others had begun.
"""

from __future__ import annotations

import asyncio
import dataclasses
import heapq
import itertools
import traceback
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from ..evidence.base import Case, Finding, Part, Plan, course, lost
from ..evidence.cost import measured
from ..evidence.exact import formal
from ..evidence.floats import plans as floats
from ..judge.conclude import (
    Gathered,
    conclude,
    conclude_costs,
    covers_its_class,
    excused,
    merge,
    refuted,
    unsettled,
)  # fmt: skip
from ..judge.effort import EFFORTS
from ..judge.plans import plans
from ..records import TOO_MUCH, Cause, Counterexample, Evidence, Stage, Status, Strength, Verdict
from ..reference.claims import Claim, Cost, Equals, LagClaim, Online, Pure
from ..reference.errors import GradcheckError
from ..store.codec import from_data
from ..store.ledger import Ledger
from . import events, tasks
from .executors import TaskExecutor
from .isolation.parent import Done, Failed, HarnessFailed, Lost
from .request import Prepared
from .spending import Account, Deadline, Planned, bought
from .tasks import Context, Task
from .wire import finding_from, part_from, witness_to_data

Position: TypeAlias = tuple[int, int]
"""Of a kind of evidence: the number of its network, and its place there."""
Rank: TypeAlias = tuple[int, int, float, int]
"""Of a task: the audit, the claim, its cost for what it tells, and the network."""
T = TypeVar("T")
MOST_LOST = 3
"""After so many lost tasks of one kind for one claim, the kind is not tried on further networks."""
_FIRST_GUESS = {formal.KIND: 0.2, "modular": 0.1, "enclosure": 0.2, "float64": 0.3, "float32": 0.3}
"""Seconds that a task of this kind is expected to take before one was seen; others take 0.5."""
_WEIGHT = {formal.KIND: 4.0, "modular": 3.0, "enclosure": 2.0}
"""How much the result of a kind is worth: as much as the strength that it shows; other kinds 1."""


class Costs:
    """Seconds that tasks take, predicted from those that ran."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, str], float] = {}

    def record(self, task: Task, seconds: float) -> None:
        """Remember what a task took."""
        key = (task.request, task.kind)
        self._seen[key] = 0.5 * (self._seen.get(key, seconds) + seconds)

    def predicted(self, task: Task) -> float:
        """Predict seconds for a task: as those of its kind before it, for this rule."""
        return self._seen.get((task.request, task.kind), _FIRST_GUESS.get(task.kind, 0.5))


class Queue:
    """As many tasks at once as the executor is wide, each in its turn."""

    def __init__(self, width: int) -> None:
        self._free, self._width = width, width
        self._waiting: list[tuple[Rank, int, asyncio.Future[None]]] = []
        self._number = itertools.count()
        self._exclusive = asyncio.Lock()

    async def enter(self, task: Task, rank: Rank) -> None:
        """Wait for a place; the lowest rank goes first."""
        if task.alone:
            async with self._exclusive:
                for _ in range(self._width):
                    await self._place((-1, 0, 0.0, 0))
        else:
            await self._place(rank)

    async def _place(self, rank: Rank) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, next(self._number), place))
        asyncio.get_running_loop().call_soon(self._admit)
        await place

    def leave(self, task: Task) -> None:
        """Give the place back; what the one who leaves waits for next may take it."""
        self._free += self._width if task.alone else 1
        asyncio.get_running_loop().call_soon(self._admit)

    def _admit(self) -> None:
        while self._free and self._waiting:
            place = heapq.heappop(self._waiting)[-1]
            if not place.cancelled():
                self._free -= 1
                place.set_result(None)


@dataclass
class Judged:
    """A claim on its way.

    Args:
        name: name of the claim in its audit.
        position: its place among the report's claims.
        findings: what each kind of evidence came to, by position; an error message where the rule failed there.
        excused: networks whose evidence against the claim is explained, with what can be said of them.
        accounts: kinds to which further pieces can be added.
        losses: lost tasks, by kind.
    """

    name: str
    claim: Claim
    position: int
    findings: dict[Position, Finding | str] = field(default_factory=dict)
    excused: dict[int, Gathered] = field(default_factory=dict)
    accounts: dict[Position, Account] = field(default_factory=dict)
    losses: dict[str, int] = field(default_factory=dict)
    covered: dict[int, Evidence] = field(default_factory=dict)

    @property
    def against(self) -> Position | None:
        """The first position that speaks against the claim, or where the rule failed."""
        open_ = [p for p, f in self.findings.items() if p[0] not in self.excused and _decides(f)]
        return min(open_, default=None)

    @property
    def settled(self) -> bool:
        """Whether further evidence would be in vain: something speaks against the claim, or the rule failed."""
        return self.against is not None or any(account.against for account in self.accounts.values())

    def needless(self, position: Position) -> bool:
        """Whether a verdict is reached before this position counts."""
        against = self.against
        return position[0] in self.excused or (against is not None and position > against)


def _decides(finding: Finding | str) -> bool:
    return isinstance(finding, str) or finding.evidence.status is Status.REFUTED


@dataclass
class Audit:
    """An audit on its way."""

    number: int
    prepared: Prepared
    claims: list[Judged] = field(default_factory=list)
    blocked: str = ""
    planted: tuple[int, int] = (0, 0)

    @property
    def rule(self) -> str:
        """The rule's name, for messages."""
        return self.prepared.rule.name


class Scheduler:
    """Runs audits, and other tasks, on an executor.

    Args:
        context: the requests, and functions that are tasks too.
        executor: where tasks are performed; opened with the context.
        ledger: what is known from before, and where results are kept.
        emit: takes every event.
        minutes: time to spend on further evidence once all is judged that a full audit has.
    """

    def __init__(
        self, context: Context, executor: TaskExecutor, ledger: Ledger, emit: events.Handler, minutes: float = 0.0
    ) -> None:
        self.context, self.executor, self.ledger, self.emit, self.minutes = context, executor, ledger, emit, minutes
        self.costs = Costs()
        self.queue = Queue(executor.width)
        self.deadline: Deadline | None = None
        self._gathering = 0
        self._spent = asyncio.Event()
        self._all_gathered = asyncio.Event()

    async def run(self, functions: Mapping[str, Callable[[Mapping[str, Any]], None]] | None = None) -> None:
        """Run every audit, and every function, whose record is handed over as plain data."""
        audits = [Audit(number, self.context.prepared(number)) for number in range(len(self.context.requests))]
        self._gathering = len(audits)
        work = [self.audit(audit) for audit in audits]
        work += [self._function(name, take) for name, take in (functions or {}).items()]
        await _together([*work, self._spend(audits)])

    async def _function(self, name: str, take: Callable[[Mapping[str, Any]], None]) -> None:
        done = await self.perform(Task(tasks.FUNCTION, request=-1, piece=name))
        if isinstance(done, Failed):
            raise GradcheckError(done.message)
        assert done is not None
        if isinstance(done, Lost):
            raise GradcheckError(f"{name}: the process that made it {done.reason}; run it again")
        take(done.result["record"])

    # One audit

    async def audit(self, audit: Audit) -> None:
        """Judge the preconditions, then every claim."""
        prepared, request = audit.prepared, audit.prepared.request
        rule = prepared.rule
        named = {name: claim for name, claim in prepared.claims.items() if not isinstance(claim, Pure)}
        audit.claims = [Judged(name, claim, place) for place, (name, claim) in enumerate(named.items(), start=1)]
        self.emit(
            events.AuditStarted(
                audit.number,
                rule.name,
                rule.summary,
                tuple(f"{n.name}: {n}" for n in prepared.networks),
                ("pure", *(str(claim) for claim in named.values())),
                request.seed,
                dict(rule.declaration.expected),
            )
        )
        for note in prepared.notes:
            self.emit(events.NoteAdded(audit.number, note))
        try:
            await self._preconditions(audit)
            if audit.blocked:
                self._gathering_ended()
                for judged in audit.claims:
                    self._judged(audit, judged, _not_run(judged.claim, f"not judged: {audit.blocked}"))
            else:
                await self._claims(audit)
        except GradcheckError as error:
            self._gathering_ended()
            self.emit(events.AuditFinished(audit.number, problem=str(error)))
            return
        except Exception as error:  # a bug of ours ends this audit alone, and is told with its traceback
            self._gathering_ended()
            text = str(error) if isinstance(error, HarnessFailed) else traceback.format_exc()
            self.emit(events.AuditFinished(audit.number, problem=text, broken=True))
            return
        self._discrimination(audit)
        for note in self.executor.notes:
            self.emit(events.NoteAdded(audit.number, note))
        if not audit.claims:
            note = "no claim about its result was judged; give one with --claim or @gradcheck.rule"
            self.emit(events.NoteAdded(audit.number, note))
        if rule.assumed:
            note = "No claim declared; audited for `exact`. Choose another with --claim or @gradcheck.rule."
            self.emit(events.NoteAdded(audit.number, note))
        self.emit(events.AuditFinished(audit.number))

    async def _claims(self, audit: Audit) -> None:
        identities = [j for j in audit.claims if isinstance(j.claim, (LagClaim, Equals))]
        others = [j for j in audit.claims if j not in identities]

        async def gather() -> None:
            await _together([self._gather(audit, judged) for judged in identities])
            self._gathering_ended()
            await self._spent.wait()
            await _together([self._answer(audit, judged) for judged in identities])

        async def at_once(judged: Judged) -> None:
            """Without time to spend, a claim need not wait for the others."""
            await self._gather(audit, judged)
            await self._answer(audit, judged)

        if self.minutes:
            await _together([gather(), *(self._other(audit, judged) for judged in others)])
        else:
            work = [at_once(judged) for judged in identities]
            await _together([*work, *(self._other(audit, judged) for judged in others)])

    def _judged(self, audit: Audit, judged: Judged, verdict: Verdict) -> None:
        planted = (0, 0)
        for position, finding in judged.findings.items():
            if isinstance(finding, Finding) and not (judged.against and position > judged.against):
                planted = (planted[0] + finding.planted[0], planted[1] + finding.planted[1])
        audit.planted = (audit.planted[0] + planted[0], audit.planted[1] + planted[1])
        self.emit(events.ClaimJudged(audit.number, judged.position, verdict, planted))

    # Preconditions

    async def _preconditions(self, audit: Audit) -> None:
        begun = asyncio.Event()
        purity = asyncio.ensure_future(self._purity(audit, begun))
        others = asyncio.ensure_future(self._liveness_and_oracles(audit, begun))
        try:
            verdict, blocked = await purity
        except BaseException:
            others.cancel()
            raise
        evidence = verdict.evidence[-1]
        self._stage(audit, "purity", evidence.status, evidence.statement)
        self.emit(events.ClaimJudged(audit.number, 0, verdict))
        if blocked:
            others.cancel()
            await asyncio.gather(others, return_exceptions=True)
            audit.blocked = blocked
            return
        alive, agree, blocked = await others
        if alive is not None:
            self.emit(events.StageJudged(audit.number, alive))
        self.emit(events.StageJudged(audit.number, agree))
        audit.blocked = blocked

    async def _purity(self, audit: Audit, begun: asyncio.Event) -> tuple[Verdict, str]:
        """Return the verdict, and why no other claim can be judged, if none can."""
        number, networks = audit.number, audit.prepared.networks
        failed = len(networks)
        found: dict[int, Finding] = {}

        async def on(network: int) -> None:
            nonlocal failed
            task = Task(tasks.PURITY, number, network=network, first=network == 0)
            done = await self.perform(task, needless=lambda: network > failed, begun=begun)
            if done is None:
                return
            if isinstance(done, Done):
                finding = finding_from(done.result["finding"], networks[network])
            else:
                text = done.message if isinstance(done, Failed) else f"{audit.rule} {done.reason}"
                cause = Cause.FAILED if isinstance(done, Failed) else done.cause
                finding = Finding(Evidence(tasks.PURITY, Status.ERROR, Strength.NONE, text, cause=cause))
            if finding.evidence.status is not Status.HOLDS:
                failed = min(failed, network)
                if len(networks) > 1 and not isinstance(done, Lost):
                    where = f"on {networks[network].name}: {networks[network]}, {finding.evidence.statement}"
                    finding = dataclasses.replace(
                        finding, evidence=dataclasses.replace(finding.evidence, statement=where)
                    )
            found[network] = finding
            self.emit(events.EvidenceFound(number, "pure", network, finding.evidence))

        await on(0)
        begun.set()
        await _together([on(network) for network in range(1, len(networks)) if network < failed])
        findings = [found[network] for network in sorted(found) if network <= failed]
        last = findings[-1].evidence
        evidence = merge([f.evidence for f in findings])
        if last.cause is Cause.KEEPS_STATE:
            blocked = f"the rule is not a function of its problem: {last.statement}"
        else:
            blocked = last.statement if last.cause is not None else ""
        if blocked:
            evidence = evidence if last.cause is Cause.KEEPS_STATE else (last,)
        return Verdict("pure", last.status, last.strength, last.statement, evidence), blocked

    async def _liveness_and_oracles(self, audit: Audit, begun: asyncio.Event) -> tuple[Stage | None, Stage, str]:
        """Return both stages, and why no claim can be judged, if none can: problems must be alive, oracles agree."""
        await begun.wait()  # a worker is on the rule's purity while this process does its part
        networks = audit.prepared.networks

        async def on(network: int) -> tuple[Mapping[str, Any], Mapping[str, Any]] | str:
            made = []
            for kind in (tasks.LIVENESS, tasks.ORACLES):
                done = await self.perform(Task(kind, audit.number, network=network, first=network == 0))
                if isinstance(done, Failed):
                    return f"the oracles could not be compared on {networks[network]}: {done.message}"
                if isinstance(done, Lost):
                    return f"the oracles could not be compared: {audit.rule} {done.reason}"
                assert done is not None
                made.append(done.result)
            return made[0], made[1]

        found = await _together([on(network) for network in range(len(networks))])
        problem = next((each for each in found if isinstance(each, str)), "")
        if problem:
            return None, Stage("oracle agreement", Status.ERROR, problem), problem
        pairs = [each for each in found if not isinstance(each, str)]
        dead = next(
            (f"on {n}, {a['statement']}" for n, (a, _) in zip(networks, pairs, strict=True) if not a["holds"]), ""
        )
        disagree = next(
            (
                f"the oracles disagree on {n}: {o['statement']}"
                for n, (_, o) in zip(networks, pairs, strict=True)
                if not o["holds"]
            ),
            "",
        )
        more = f"; likewise on {len(networks) - 1} more networks" if len(networks) > 1 else ""
        alive = Stage(
            "liveness", Status.INCONCLUSIVE if dead else Status.HOLDS, dead or pairs[0][0]["statement"] + more
        )
        agree = Stage(
            "oracle agreement",
            Status.REFUTED if disagree else Status.HOLDS,
            disagree or pairs[0][1]["statement"] + more,
        )
        return alive, agree, disagree

    def _discrimination(self, audit: Audit) -> None:
        given, rejected = audit.planted
        if audit.blocked or not given:
            self._stage(audit, "discrimination", Status.NOT_RUN, "no evidence was gathered")
            return
        what = "planted faults, each one missing lag on the same problems,"
        if rejected == given:
            self._stage(audit, "discrimination", Status.HOLDS, f"{rejected} of {given} {what} were rejected")
            return
        passed = f"{given - rejected} of {given} {what} passed for right; what holds here may hide such a fault"
        self._stage(audit, "discrimination", Status.INCONCLUSIVE, passed)

    def _stage(self, audit: Audit, name: str, status: Status, statement: str) -> None:
        self.emit(events.StageJudged(audit.number, Stage(name, status, statement)))

    # Evidence

    def _plans(self, audit: Audit, judged: Judged, network: int, *, first: bool) -> list[Plan]:
        effort = EFFORTS[audit.prepared.request.effort]
        return plans(self._case(audit, judged, network), effort, first=first)

    def _case(self, audit: Audit, judged: Judged, network: int) -> Case:
        return Case(audit.prepared.rule, judged.claim, audit.prepared.networks[network], audit.prepared.request.seed)

    async def _gather(self, audit: Audit, judged: Judged) -> None:
        """Gather every kind of evidence on every network, as far as the verdict needs it."""
        proofs: dict[int, asyncio.Future[None]] = {}
        work: list[asyncio.Future[None]] = []
        for network in range(len(audit.prepared.networks)):
            if network in judged.excused:
                continue
            first, alike = audit.prepared.is_first(network), audit.prepared.first_alike(network)
            for place, plan in enumerate(self._plans(audit, judged, network, first=first)):
                position = (network, place)
                if position in judged.findings:
                    continue
                after = proofs.get(alike) if plan.kind == formal.KIND and not first else None
                kind = self._kind(audit, judged, position, plan, first=first, after=after)
                work.append(asyncio.ensure_future(kind))
                if plan.kind == formal.KIND and first:
                    proofs[network] = work[-1]
        await _together(work)

    async def _kind(
        self, audit: Audit, judged: Judged, position: Position, plan: Plan, *, first: bool,
        after: asyncio.Future[None] | None = None,
    ) -> None:  # fmt: skip
        """Gather one kind on one network; a proof on the first network of its class may make it needless."""
        network, _ = position
        if after is not None:
            await asyncio.wait([after])
            proof = judged.findings.get((audit.prepared.first_alike(network), position[1]))
            if isinstance(proof, Finding) and covers_its_class(proof):
                judged.covered[network] = proof.evidence
                return
        if judged.losses.get(plan.kind, 0) >= MOST_LOST:
            text = f"not tried: {MOST_LOST} tasks of this kind were lost before"
            judged.findings[position] = lost(plan.kind, text)
            return
        finding = await self._walk(audit, judged, position, plan, first=first)
        if finding is None:
            return
        judged.findings[position] = finding
        if isinstance(finding, Finding):
            self.emit(events.EvidenceFound(audit.number, str(judged.claim), network, finding.evidence))

    async def _walk(
        self, audit: Audit, judged: Judged, position: Position, plan: Plan, *, first: bool
    ) -> Finding | str | None:
        """Make the pieces of a plan one by one; None where they became needless, text where the rule failed."""
        network = audit.prepared.networks[position[0]]
        steps, shown, seconds = course(plan), list[Any](), 0.0
        try:
            piece, before = next(steps)
            while True:
                task = Task(
                    plan.kind, audit.number, judged.name, position[0], piece.label, first,
                    {"before": list(before)} if before else {}, alone=plan.kind == measured.KIND,
                )  # fmt: skip
                done = await self.perform(task, needless=lambda: judged.needless(position))
                if done is None:
                    return None
                if isinstance(done, Failed):
                    return done.message
                part = self._part(audit, judged, task, done, network)
                seconds = part.seconds
                if isinstance(done, Done) and done.result.get("counts"):
                    counts = tuple((tuple(map(tuple, at)), dict(found)) for at, found in done.result["counts"])
                    self.emit(events.CostsCounted(audit.number, counts))
                if part.ended is None:
                    shown.append(part.shown)
                piece, before = steps.send(part)
        except StopIteration as end:
            finding: Finding = end.value
        if shown and position[0] == 0 and plan.further and finding.evidence.status is not Status.REFUTED:
            judged.accounts[position] = Account(plan, tuple(shown), seconds)
        return finding

    def _part(self, audit: Audit, judged: Judged, task: Task, done: Done | Lost, network: Any) -> Part:
        if isinstance(done, Done):
            return part_from(done.result, network)
        judged.losses[task.kind] = judged.losses.get(task.kind, 0) + 1
        return Part(ended=lost(task.kind, f"{audit.rule} {done.reason}", done.cause))

    # Verdicts

    async def _other(self, audit: Audit, judged: Judged) -> None:
        """Judge a claim about costs, on the rule's first network: another activation is another constant."""
        if not isinstance(judged.claim, (Cost, Online)):
            reason = f"this version has no evidence for the claim {judged.claim.kind!r}"
            self._judged(audit, judged, _not_run(judged.claim, reason))
            return
        findings: list[Finding] = []
        for place, plan in enumerate(self._plans(audit, judged, 0, first=True)):
            if plan.kind == measured.KIND and findings[-1].evidence.status is not Status.NOT_RUN:
                continue  # growth is measured where it could not be counted
            await self._kind(audit, judged, (0, place), plan, first=True)
            finding = judged.findings[0, place]
            if isinstance(finding, str):
                evidence = tuple(f.evidence for f in findings)
                self._judged(audit, judged, _error(judged.claim, finding, evidence))
                return
            findings.append(finding)
            if finding.evidence.status in (Status.REFUTED, Status.ERROR):
                break
        self._judged(audit, judged, conclude_costs(judged.claim, findings))

    async def _answer(self, audit: Audit, judged: Judged) -> None:
        """Reach the verdict on a claim from its evidence; gather more where evidence against it is explained."""
        while True:
            against = judged.against
            gathered = self._gathered(audit, judged, against)
            if against is None:
                self._judged(audit, judged, conclude(judged.claim, gathered))
                return
            finding = judged.findings[against]
            evidence = merge([f.evidence for each in gathered for f in each.findings])
            if isinstance(finding, str):
                self._judged(audit, judged, _error(judged.claim, finding, evidence))
                return
            outcome = await self._respond(audit, judged, against, gathered[-1], finding, evidence)
            if isinstance(outcome, Verdict):
                self._judged(audit, judged, outcome)
                return
            judged.excused[against[0]] = outcome
            await self._gather(audit, judged)

    def _gathered(self, audit: Audit, judged: Judged, until: Position | None) -> list[Gathered]:
        """Return the evidence by network, in order, up to the position that decides."""
        found = []
        for number, network in enumerate(audit.prepared.networks):
            if number in judged.excused:
                found.append(judged.excused[number])
                continue
            places = sorted(p for p in judged.findings if p[0] == number and (until is None or p <= until))
            findings = [judged.findings[place] for place in places]
            kept = tuple(f for f in findings if isinstance(f, Finding))
            if until is not None and number > until[0]:
                break
            found.append(Gathered(network, kept, judged.covered.get(number)))
        return found

    async def _respond(
        self, audit: Audit, judged: Judged, position: Position, gathered: Gathered, against: Finding,
        evidence: tuple[Evidence, ...],
    ) -> Verdict | Gathered:  # fmt: skip
        """Answer evidence against a claim: explain it, or refute the claim, or leave it open."""
        assert against.witness is not None
        kind, claim = against.evidence.kind, judged.claim
        witness = {"witness": witness_to_data(against.witness)}
        base = Task(tasks.CONSTANTS, audit.number, judged.name, position[0], inputs=witness)
        if kind not in floats.KINDS:
            self._tell(audit, f"{claim}, asking whether rounded constants explain what {kind} evidence found")
            done = await self.perform(base)
            if isinstance(done, Done) and done.result["explained"]:
                return await self._explained(audit, judged, position, gathered, evidence)
        answer = await self._refute(audit, judged, position, against, evidence)
        if answer is not None:
            return answer
        if not any(e.kind == "float64" for e in evidence):
            first = audit.prepared.is_first(position[0])
            place, plan = next(
                (n, p)
                for n, p in enumerate(self._plans(audit, judged, position[0], first=first))
                if p.kind == "float64"
            )
            double = await self._walk(audit, judged, (position[0], place - 1000), plan, first=first)
            if isinstance(double, Finding) and double.witness is not None:
                answer = await self._refute(audit, judged, position, double, (*evidence, double.evidence))
        return answer or unsettled(claim, evidence, [against.evidence])

    async def _explained(
        self, audit: Audit, judged: Judged, position: Position, gathered: Gathered, evidence: tuple[Evidence, ...]
    ) -> Verdict | Gathered:
        """Return what floats say of a network where rounded constants explain what other numbers found."""
        network, against = position[0], gathered.findings[-1]
        found: list[Finding] = []
        aside = dataclasses.replace(judged, findings={}, excused={}, accounts={})
        for place, plan in enumerate(self._plans(audit, judged, network, first=True)):
            if plan.kind not in floats.KINDS:
                continue
            finding = await self._walk(audit, aside, (network, place), plan, first=True)
            if isinstance(finding, str):
                return _error(judged.claim, finding, evidence)
            assert finding is not None
            found.append(finding)
            self.emit(events.EvidenceFound(audit.number, str(judged.claim), network, finding.evidence))
            if finding.evidence.status is Status.REFUTED:
                break
        evidence = (*evidence, *(f.evidence for f in found))
        last = found[-1]
        if last.evidence.status is Status.REFUTED:
            open_ = unsettled(judged.claim, evidence, [against.evidence, last.evidence])
            return await self._refute(audit, judged, position, last, evidence) or open_
        outcome = excused(gathered, found)
        if outcome is None:
            double = next(f.evidence for f in found if f.evidence.kind == "float64")
            text = f"{against.evidence.kind} evidence speaks against it ({against.evidence.statement})"
            text = f"{text}, and {double.statement}"
            return Verdict(str(judged.claim), Status.INCONCLUSIVE, Strength.NONE, text, evidence)
        return outcome

    async def _refute(
        self, audit: Audit, judged: Judged, position: Position, against: Finding, evidence: tuple[Evidence, ...]
    ) -> Verdict | None:
        """Return REFUTED with a certified counterexample if one is found; ERROR where the rule did not survive it."""
        claim = judged.claim
        self._tell(audit, f"{claim}, looking for a small counterexample")
        assert against.witness is not None
        inputs = {"witness": witness_to_data(against.witness)}
        base = Task(tasks.COUNTEREXAMPLE, audit.number, judged.name, position[0], inputs=inputs)
        done = await self.perform(base)
        if isinstance(done, (Failed, Lost)):
            reason = done.message if isinstance(done, Failed) else f"{audit.rule} {done.reason}"
            said = f"{against.evidence.kind} evidence had spoken against it ({against.evidence.statement})"
            return _error(claim, f"{reason}, while a counterexample was looked for: {said}", evidence)
        assert done is not None
        found = done.result["found"]
        if found is None:
            return None
        cause = None
        inputs = {name: found[name] for name in ("settings", "arrays", "dtype", "at")}
        diagnosed = await self.perform(dataclasses.replace(base, kind=tasks.DIAGNOSIS, inputs=inputs))
        if isinstance(diagnosed, Done):
            cause = diagnosed.result["cause"]
        place = ", ".join([found["sizes"], *(f"{k}={v}" for k, v in found["settings"].items())])
        return refuted(claim, evidence, from_data(Counterexample, found["example"]), place, cause)

    def _tell(self, audit: Audit, text: str) -> None:
        self.emit(events.Progress(audit.number, f"{audit.rule}: {text}"))

    # Tasks

    async def perform(
        self, task: Task, needless: Callable[[], bool] = lambda: False, begun: asyncio.Event | None = None
    ) -> Done | Failed | Lost | None:
        """Return the outcome of a task: known from before, or made once there is room; None if needless by then."""
        names = (task.request, task.claim, task.network, task.kind, task.piece)
        known = self.ledger.get(task.key) if task.request >= 0 else None
        if known is not None:
            return Done(known)
        if task.request >= 0 and not self.context.runs_the_rule(task):
            return self._in_this_process(task)
        await self.queue.enter(task, self._rank(task))
        try:
            if needless():
                return None
            self.emit(events.TaskStarted(*names))
            rule = f"{self.context.prepared(task.request).rule.name}: " if task.request >= 0 else ""
            what = ", ".join(part for part in (task.claim, task.kind if task.request >= 0 else task.piece) if part)
            self.emit(events.Progress(task.request, f"{rule}{what}"))
            if begun is not None:
                begun.set()
            outcome = await self.executor.perform(
                task, lambda text: self.emit(events.Progress(task.request, f"{rule}{what} {text}"))
            )
        finally:
            self.queue.leave(task)
        if isinstance(outcome, Done):
            self.costs.record(task, outcome.result["seconds"])
            self.emit(events.TaskFinished(*names, outcome.result["seconds"]))
            if task.request >= 0:
                self.ledger.add(task.key, outcome.result)
        elif isinstance(outcome, Lost):
            self.emit(events.TaskLost(*names, outcome.cause, outcome.reason))
        return outcome

    def _rank(self, task: Task) -> Rank:
        """Rank a task: rules and claims in their order, within a claim by what the task tells for its cost."""
        cost = self.costs.predicted(task) / _WEIGHT.get(task.kind, 1.0)
        if task.request < 0:
            return len(self.context.requests), 0, cost, 0
        claims = list(self.context.prepared(task.request).claims)
        return task.request, claims.index(task.claim) if task.claim else -1, cost, task.network

    def _in_this_process(self, task: Task) -> Done | Failed:
        """Perform a task that runs no code of the rule's author here, where all audits share what it derives."""
        prepared = self.context.prepared(task.request)
        text = f"{prepared.rule.name}: {task.kind}, {prepared.networks[task.network]}"
        self.emit(events.Progress(task.request, text))
        try:
            return Done(tasks.perform(task, self.context, lambda _: None))
        except GradcheckError as error:
            return Failed(str(error))

    # Time to spare

    def _gathering_ended(self) -> None:
        self._gathering -= 1
        if self._gathering == 0:
            self._all_gathered.set()

    async def _spend(self, audits: Sequence[Audit]) -> None:
        """Add pieces to what holds until the minutes are over."""
        if not self.minutes or not audits:
            return
        await self._all_gathered.wait()
        self.deadline = Deadline(60 * self.minutes)
        accounts = [
            (audit, judged, position)
            for audit in audits
            for judged in audit.claims
            if judged.against is None
            for position in judged.accounts
        ]
        await _together([self._spender(accounts, self.deadline) for _ in range(self.executor.width)])
        for audit in audits:
            claims = [
                (str(j.claim), j.against is not None, tuple(j.accounts.values()))
                for j in audit.claims
                if isinstance(j.claim, (LagClaim, Equals))
            ]
            stage = None if audit.blocked else bought(claims, self.deadline, len(audits))
            if stage is not None:
                self.emit(events.StageJudged(audit.number, stage))
        self._spent.set()

    def stop_spending(self) -> bool:
        """End the spending, if it is under way; what it bought is concluded from."""
        if self.deadline is None or self._spent.is_set() or self.deadline.left <= 0:
            return False
        self.deadline.stop()
        self.emit(events.Progress(0, "interrupted: concluding from what was found; interrupt again to leave at once"))
        return True

    async def _spender(self, accounts: list[tuple[Audit, Judged, Position]], deadline: Deadline) -> None:
        while True:
            able = [each for each in accounts if each[1].accounts[each[2]].open and not each[1].settled]
            if not able:
                return
            audit, judged, position = min(able, key=lambda each: each[1].accounts[each[2]].used)
            account = judged.accounts[position]
            planned = account.next(deadline.left)
            if planned is not None:
                await self._further(audit, judged, position, account, planned)

    async def _further(
        self, audit: Audit, judged: Judged, position: Position, account: Account, planned: Planned
    ) -> None:
        """Make one further piece, and conclude its kind anew."""
        inputs = {"before": list(account.base), "further": planned.number}
        task = Task(account.plan.kind, audit.number, judged.name, position[0], planned.piece.label, True, inputs)
        done = await self.perform(task)
        assert done is not None
        network = audit.prepared.networks[position[0]]
        if isinstance(done, Failed):
            account.open, account.against = False, True
            judged.findings[position] = done.message
            return
        if isinstance(done, Lost) and done.cause in TOO_MUCH:
            account.open, account.stopped = False, f"at {planned.piece.label}, {audit.rule} {done.reason}"
            return
        part = self._part(audit, judged, task, done, network)
        if part.ended is None:
            account.enter(planned, part.shown, part.seconds)
            shown = [*account.base, *(account.spare[number] for number in sorted(account.spare))]
            judged.findings[position] = account.plan.conclude(shown, account.plan.budget)
            return
        ended = part.ended
        speaks = ended.evidence.status in (Status.REFUTED, Status.ERROR)
        account.open = False
        if not speaks:
            account.stopped = f"at {planned.piece.label}, {ended.evidence.statement}"
            return
        account.enter(planned, None, part.seconds)
        account.against = True
        judged.findings[position] = ended


def _not_run(claim: Claim, reason: str) -> Verdict:
    return Verdict(str(claim), Status.NOT_RUN, Strength.NONE, reason)


def _error(claim: Claim, text: str, evidence: tuple[Evidence, ...] = ()) -> Verdict:
    return Verdict(str(claim), Status.ERROR, Strength.NONE, text, evidence)


async def _together(work: Iterable[Coroutine[Any, Any, T] | asyncio.Future[T]]) -> list[T]:
    """Wait for all of it; where one part fails, cancel the others and raise what it raised."""
    futures = [asyncio.ensure_future(each) for each in work]
    try:
        return list(await asyncio.gather(*futures))
    finally:
        for future in futures:
            future.cancel()
        await asyncio.gather(*futures, return_exceptions=True)
