"""Runs audits in units: sends each where it is made, keeps what comes of it, and puts it together in order.

What is sent when depends on how many units can be made at once, and on what finishes first; what a verdict is made of
does not. The networks are gone through side by side, and the kinds of evidence on the first of a kind, where they take
longest; the sizes of a kind come one after the other, since what a size took decides whether the next is affordable.
What another kind makes needless is not begun.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..evidence.cost import counted as counting
from ..evidence.exact import formal
from ..evidence.pieces import course
from ..judge.conclude import Gathered
from ..records import Evidence, Report, Stage, Status
from ..reference.claims import Equals, LagClaim
from ..reference.errors import GradcheckError
from ..store.ledger import Ledger
from .auditing import Interrupted
from .course import Course
from .pools import Pool
from .sending import Found, Sender
from .spending import Account, Deadline, Planned
from .states import Judged, Kind, State
from .units import VERDICT, Asked, Task, Unit, places, plans
from .wire import course_as_data, course_from, part_from, require_found

TOO_MUCH = ("did not return within", "used up its memory", "ended its process by SIGKILL", "raised MemoryError")
"""How what is said of a rule that took too long, or too much memory, goes on after its name; see `isolation`."""


def audits(
    asked: Sequence[Asked],
    pool: Pool,
    *,
    results: Path | None = None,
    minutes: float = 0.0,
    progress: Callable[[str], None] = lambda _: None,
    finished: Callable[[Asked, Report], None] = lambda asked, report: None,
    found: Callable[[Asked, str, Evidence], None] | None = None,
    failed: Callable[[Asked, str], None] | None = None,
) -> list[Report]:
    """Audit each of these rules, their units made in the pool; the reports in the order of `asked`.

    results: a file of JSON lines that takes what units find, and from which a run that was stopped goes on. minutes: to
    spend once all is judged that a full audit has. progress: called with a line of text as units are made. finished:
    called with each report, in order. found: called with a claim and each kind of evidence on one of its networks, as
    soon as that is there. failed: called with a rule that cannot be judged, or sent to another process, and why, where
    else that is raised. Raises `GradcheckError` for such a rule and for results of another run; `Interrupted`, a
    KeyboardInterrupt, with what is known of the last rule; `finished` has what is known of those before it.
    """
    pool.ready()
    fingerprints = {} if results is None else {"rules": [each.fingerprint() for each in asked]}
    with Ledger(results, fingerprints, check=require_found) as ledger:
        run = _Run(pool, ledger, minutes, progress, found or (lambda asked, claim, evidence: None), failed)
        try:
            return asyncio.run(run.all(asked, finished))
        except KeyboardInterrupt:
            left = [state for state in run.states if not state.told]
            for state in left[:-1]:
                finished(state.asked, state.report or state.partial())
            if not left:
                raise
            raise Interrupted(left[-1].report or left[-1].partial()) from None


class _Run:
    def __init__(
        self, pool: Pool, ledger: Ledger, minutes: float, progress: Callable[[str], None],
        found: Callable[[Asked, str, Evidence], None], failed: Callable[[Asked, str], None] | None,
    ) -> None:  # fmt: skip
        self.pool, self.minutes, self.progress, self.found, self.failed = pool, minutes, progress, found, failed
        self.ledger, self.sender = ledger, Sender(pool, ledger, progress)
        self.states: list[State] = []

    async def all(self, asked: Sequence[Asked], finished: Callable[[Asked, Report], None]) -> list[Report]:
        self.states = [State(each, *each.rule()) for each in asked]
        begun = [asyncio.ensure_future(self.gather(state)) for state in self.states]
        try:
            if self.minutes:
                await asyncio.gather(*begun, return_exceptions=True)
                await self.spend()
            ends = [asyncio.ensure_future(self.conclude(s, b)) for s, b in zip(self.states, begun, strict=True)]
            for state, end in zip(self.states, ends, strict=True):
                try:
                    report = await end
                except GradcheckError as error:
                    if self.failed is None:
                        raise
                    self.failed(state.asked, str(error))
                    state.told = True
                    continue
                state.told = True
                finished(state.asked, report)
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        finally:
            for task in begun:
                task.cancel()
            await asyncio.gather(*begun, return_exceptions=True)
        return [state.report for state in self.states if state.report]

    # From units to reports

    async def gather(self, state: State) -> None:
        """The stages of an audit, then every piece of evidence on its claims; those without pieces are judged."""
        found = await self.sender.outcome(Task(state.asked, Unit(state.asked.name)))
        if "failed" in found:
            raise GradcheckError(found["failed"])
        state.stages = course_from(found["course"])
        if state.stages.blocked:
            return
        state.claims = state.unjudged()
        identities = [each for each in state.claims if isinstance(each.claim, (LagClaim, Equals))]
        others = [each for each in state.claims if not isinstance(each.claim, (LagClaim, Equals))]
        await asyncio.gather(
            *(self.verdict(state, each) for each in others), *(self.gather_for(state, each) for each in identities)
        )

    async def gather_for(self, state: State, judged: Judged) -> None:
        """Every piece of evidence on a claim, as far as its verdict needs it."""
        proofs: dict[int, asyncio.Future[Any]] = {}
        gathered: list[asyncio.Future[Any]] = []
        for number, _, first in places(state.rule.declaration.networks):
            planned = plans(state.rule, judged.claim, state.asked.effort, state.asked.seed, number)
            short = []
            for place, plan in enumerate(planned):
                kind, proof = Kind(state, judged, (number, place), plan), plan.kind == formal.KIND
                if number != first and not proof:
                    short.append(kind)
                    continue
                after = proofs[first] if number != first else None
                gathered.append(asyncio.ensure_future(self.kind(kind, after=after)))
                if proof:
                    proofs[number] = gathered[-1]
            if short:
                gathered.append(asyncio.ensure_future(self.one_by_one(short)))
        await asyncio.gather(*gathered)

    async def one_by_one(self, kinds: Sequence[Kind]) -> None:
        """Kinds that are short, one after the other, so that a process can make as many as it has time for."""
        for place, each in enumerate(kinds):
            await self.kind(each, following=kinds[place + 1 :])

    async def kind(
        self, kind: Kind, *, after: asyncio.Future[Any] | None = None, following: Sequence[Kind] = ()
    ) -> Any:
        """The finding of one kind; of a formal kind none where the proof that comes before it covers its network."""
        state, judged, position, plan = kind.state, kind.judged, kind.position, kind.plan
        network = state.rule.declaration.networks[position[0]]
        if after is not None:
            finding = await after
            if finding is not None and Gathered(network, (finding,)).proof:
                return None
        steps, before, seconds = course(plan), list[Mapping[str, Any]](), 0.0
        try:
            piece, _ = next(steps)
            while not judged.needless(position):
                unit = dataclasses.replace(kind.unit, size=piece.label)
                unmade = itertools.takewhile(
                    lambda each: each.first and self.ledger.get(each.first.key) is None, following
                )
                task = Task(state.asked, unit, tuple(before), tuple(each.unit for each in unmade))
                found = await self.sender.outcome_unless(lambda: judged.needless(position), task)
                if found is None:
                    return None
                judged.known[unit] = position, found
                if "failed" in found:
                    return None
                part = part_from(found["part"], network)
                seconds = part.seconds
                if part.ended is None:
                    before.append(found["part"])
                piece, _ = steps.send(part)
        except StopIteration as end:
            finding = end.value
            self.found(state.asked, str(judged.claim), finding.evidence)
            if finding.evidence.status is Status.REFUTED:
                judged.refuted(position)
            elif before and position[0] == 0:
                judged.accounts.append(Account(position, plan, tuple(before), seconds))
            return finding
        return None

    async def conclude(self, state: State, gathered: asyncio.Future[None]) -> Report:
        await gathered
        await asyncio.gather(*(self.verdict(state, each) for each in state.claims if each.course is None))
        state.report = state.concluded()
        return state.report

    async def verdict(self, state: State, judged: Judged) -> None:
        """One claim concluded from its pieces, without those that were begun before one spoke against it."""
        known = {unit: found for unit, (position, found) in judged.known.items() if not judged.needless(position)}
        size = f"of {len(known)} pieces, {_digest(known)}" if known else ""
        unit = Unit(state.asked.name, judged.name, kind=VERDICT, size=size)
        course = course_as_data(Course(state.stages.verdicts[:1], compared=True))
        spare = {(each.network, each.plan.kind): tuple(each.spare) for each in judged.accounts}
        task = Task(state.asked, unit, course=course, known=known, spare=spare)
        found = await self.sender.outcome(task)
        if "failed" in found:
            raise GradcheckError(found["failed"])
        judged.course = course_from(found["course"])
        if self.pool.width > 1 and any(e.kind == counting.GROWTH for e in judged.course.verdicts[-1].evidence):
            judged.course = await self.measured_alone(task)

    async def measured_alone(self, task: Task) -> Course:
        """A claim that is judged by the clock, judged again while nothing else is done."""
        unit = Unit(task.unit.rule, task.unit.claim, kind=VERDICT, size="alone")
        known = await self.sender.made_alone(Task(task.asked, unit, course=task.course))
        return course_from(known["course"])

    # Time to spare

    async def spend(self) -> None:
        """Add pieces to what holds until the minutes are over."""
        deadline = Deadline(60 * self.minutes)
        accounts = [
            (state, judged, account)
            for state in self.states
            for judged in state.claims
            for account in judged.accounts
            if judged.against is None
        ]
        spenders = [self._spender(accounts, deadline) for _ in range(max(1, self.pool.width // 2))]
        minutes = self.minutes
        try:
            await asyncio.gather(*spenders)
        except asyncio.CancelledError:  # an interrupt ends the spending; what it bought is concluded from
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
            minutes = min(minutes, (deadline.seconds - deadline.left) / 60)
            self.progress("interrupted: concluding from what was found; interrupt again to leave at once")
        several = f", shared by {len(self.states)} rules," if len(self.states) > 1 else ""
        for state in self.states:
            state.spent = _bought(state, f"{_spoken(minutes)}{several}")

    async def _spender(self, accounts: list[tuple[State, Judged, Account]], deadline: Deadline) -> None:
        while True:
            able = [each for each in accounts if each[2].open and each[1].against is None]
            if not able:
                return
            state, judged, account = min(able, key=lambda each: each[2].used)
            batch = account.next(deadline.left)
            for at in range(len(batch)):
                if not await self._spent(state, judged, account, batch[at:]):
                    account.ended([each for each in batch[at:] if each.number not in account.spare])
                    break

    async def _spent(self, state: State, judged: Judged, account: Account, batch: Sequence[Planned]) -> bool:
        """Make the first of these pieces, and what follows it for a while. Whether its kind goes on."""
        planned, network = batch[0], state.rule.declaration.networks[account.network]
        unit = Unit(state.asked.name, judged.name, account.network, account.plan.kind, planned.piece.label)
        further = tuple(each.number for each in batch)
        found = await self.sender.outcome(Task(state.asked, unit, tuple(account.base), further=further))
        if "failed" in found:
            account.stopped = found["failed"]
            return False
        part = part_from(found["part"], network)
        ended = part.ended and part.ended.evidence
        if ended and not _speaks_against(ended, state.rule.name):
            account.stopped = f"at {planned.piece.label}, {ended.statement}"
            return False
        judged.known[unit] = account.position, found
        account.made(planned, part.seconds)
        if ended:
            account.against = True
            judged.refuted(account.position)
        return not ended


def _speaks_against(evidence: Evidence, rule: str) -> bool:
    """Whether a further piece does, or the rule fails there; that it takes too long or too much there says nothing."""
    took_too_much = evidence.statement.startswith(tuple(f"{rule} {words}" for words in TOO_MUCH))
    return evidence.status is Status.REFUTED or (evidence.status is Status.ERROR and not took_too_much)


def _bought(state: State, spent: str) -> Stage | None:
    """What the time that was spent on it has added to the evidence on each claim."""
    able = [judged for judged in state.claims if judged.accounts]
    if not able:
        refuted = any(judged.against is not None for judged in state.claims)
        why = "what could have been added to is refuted already" if refuted else "there is nothing to add to"
        return Stage("budget", Status.NOT_RUN, f"no time was spent: {why}") if state.claims else None
    told, against, stopped = [], [], []
    for judged in state.claims:
        added = [account for account in judged.accounts if account.spare]
        if added:
            told.append(f"{judged.claim}: {', '.join(account.told for account in added)}")
        against += [f"{judged.claim}, by {account.plan.kind}" for account in added if account.against]
        stopped += [f"{a.plan.kind} {a.stopped}" for a in judged.accounts if a.stopped]
    ends = f"; no more could be made: {'; '.join(stopped)}" if stopped else ""
    if not any(account.tried for judged in able for account in judged.accounts) and all(j.against for j in able):
        return Stage("budget", Status.NOT_RUN, "no time was spent: what could have been added to is refuted already")
    if not told:
        return Stage("budget", Status.HOLDS, f"{spent} bought no further evidence: no kind could go on in time{ends}")
    text = f"{spent} bought further pieces of evidence: {'; '.join(told)}{ends}"
    if against:
        return Stage("budget", Status.REFUTED, f"{text}; what speaks against {'; '.join(against)} was found there")
    return Stage("budget", Status.HOLDS, text)


def _digest(known: Mapping[Unit, Found]) -> str:
    """Names what a verdict is made of: no other verdict stands for it."""
    lines = sorted(json.dumps([dataclasses.asdict(unit), found], sort_keys=True) for unit, found in known.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _spoken(minutes: float) -> str:
    """40 s; 10 min; 2.5 h."""
    for least, unit in ((60.0, "h"), (1.0, "min")):
        if minutes >= least:
            return f"{minutes / least:.3g} {unit}"
    return f"{60 * minutes:.3g} s"
