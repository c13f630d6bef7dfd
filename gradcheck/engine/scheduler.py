"""The scheduler: takes each audit from its request to its verdicts, task by task, on any executor.

Which task runs when depends on what each is likely to tell for its cost, on how many can run at once, and on what
finishes first; a verdict does not. The kinds of evidence have an order, and a verdict is made of those up to the first
that speaks against the claim, whether or not others had begun.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from ..evidence.sizes import spans
from ..records import TOO_MUCH, Status
from ..reference.claims import Aligned, Equals, LagClaim, Pure, Stable
from ..reference.errors import GradcheckError
from ..rules.coverage.sources import sources
from ..store.ledger import Ledger
from ..store.provenance import collect
from . import events, preconditions, tasks
from .answering import answer, judge_as_found, judge_costs, screen
from .executors import TaskExecutor
from .further import Deadline, Planned, bought
from .gathering import gather, part_of
from .outcome import Failed, HarnessFailed, Lost
from .performer import Performer, not_run, together
from .state import Audit, Judged, Position
from .tasks import Context, Task

Take: TypeAlias = Callable[[str, Mapping[str, Any]], None]
"""Takes the name and the record of a function, as plain data."""


class Scheduler(Performer):
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
        super().__init__(context, executor, ledger, emit)
        self.minutes = minutes
        self.deadline: Deadline | None = None
        self._spent, self._cut_short = asyncio.Event(), False
        if not minutes:
            self._spent.set()
        self._cancel: Callable[[], object] = lambda: None

    async def run(self, take: Take = lambda name, record: None) -> None:
        """Run every audit, and every function, whose record is passed to `take` as plain data."""
        this = asyncio.current_task()
        assert this is not None
        self._cancel = functools.partial(this.get_loop().call_soon_threadsafe, this.cancel)
        audits = [Audit(number, self.context.prepared(number)) for number in range(len(self.context.requests))]
        work = [self.audit(audit) for audit in audits]
        work += [self._function(name, take) for name in self.context.functions]
        await together([*work, self._spend(audits)])

    def cancel(self) -> None:
        """Cancel what runs, from another thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._cancel()

    async def _function(self, name: str, take: Take) -> None:
        done = await self.perform(Task(tasks.FUNCTION, request=-1, piece=name))
        if isinstance(done, Failed):
            raise GradcheckError(done.message)
        assert done is not None
        if isinstance(done, Lost):
            raise GradcheckError(f"{name}: the process that made it {done.reason}; run it again")
        take(name, done.result["record"])

    async def audit(self, audit: Audit) -> None:
        """Judge the preconditions, then every claim."""
        prepared, request = audit.prepared, audit.prepared.request
        rule = prepared.rule
        named = {name: claim for name, claim in prepared.claims.items() if not isinstance(claim, Pure)}
        audit.claims = [Judged(audit, name, claim, place) for place, (name, claim) in enumerate(named.items(), start=1)]
        self.emit(
            events.AuditStarted(
                audit.number,
                rule.name,
                rule.summary,
                tuple(f"{n.name}: {n}" for n in prepared.networks),
                ("pure", *(str(claim) for claim in named.values())),
                request.seed,
                dict(rule.declaration.expected),
                ("", *named),
                collect(rule.target),
            )
        )
        for note in prepared.notes:
            self.emit(events.NoteAdded(audit.number, note))
        try:
            await preconditions.check(self, audit)
            if audit.blocked:
                for judged in audit.claims:
                    self.judged(judged, not_run(judged.claim, f"not judged: {audit.blocked}"))
            else:
                await self._claims(audit)
        except GradcheckError as error:
            self._finish(audit, str(error))
            return
        except Exception as error:  # a bug of ours ends this audit alone, and is told with its traceback
            text = str(error) if isinstance(error, HarnessFailed) else traceback.format_exc()
            self._finish(audit, text, broken=True)
            return
        finally:
            audit.gathered.set()
        self._discrimination(audit)
        if extent := audit.tried.extent():
            shown = sources(judged.seen_at_all for judged in audit.claims)
            self.emit(events.CoverageFound(audit.number, shown, extent))
        if floats_only := [str(each.claim) for each in audit.claims if each.floats_only]:
            note = (
                f"{', '.join(floats_only)} was judged on floats alone, since the rule's code makes floats of other "
                "numbers, as np.zeros(...) does. Make arrays by np.zeros_like(problem.inputs, shape=...) for a proof."
            )
            self.emit(events.NoteAdded(audit.number, note))
        if places := sorted(self.made.get(audit.number, ())):
            note = (
                f"On other numbers than floats, arrays that the rule makes from nothing were made of those numbers "
                f"({', '.join(places)})."
            )
            self.emit(events.NoteAdded(audit.number, note))
        if not audit.claims:
            note = "no claim about its result was judged; give one with --claim or @gradcheck.rule"
            self.emit(events.NoteAdded(audit.number, note))
        if rule.assumed:
            note = "No claim declared; audited for `exact`. Choose another with --claim or @gradcheck.rule."
            self.emit(events.NoteAdded(audit.number, note))
        self._finish(audit)

    def _finish(self, audit: Audit, problem: str = "", *, broken: bool = False) -> None:
        self.emit(events.AuditFinished(audit.number, self._cut_short, problem, broken))

    async def _claims(self, audit: Audit) -> None:
        gathering = [judged for judged in audit.claims if isinstance(judged.claim, (LagClaim, Equals))]
        if not gathering:
            audit.gathered.set()

        async def judge(judged: Judged) -> None:
            if judged not in gathering:
                await (judge_as_found if isinstance(judged.claim, (Stable, Aligned)) else judge_costs)(self, judged)
                return
            drawn = self.case(judged, 0).rule.averaged  # its expectation on floats takes too long to look further
            judged.explored = drawn
            await together([gather(self, judged), *([] if drawn else [screen(self, judged)])])
            gathering.remove(judged)
            if not gathering:
                audit.gathered.set()
            await self._spent.wait()
            await answer(self, judged)

        await together([judge(judged) for judged in audit.claims])

    def _discrimination(self, audit: Audit) -> None:
        given, rejected = audit.planted
        if audit.blocked or not given:
            self.stage(audit, "discrimination", Status.NOT_RUN, "no evidence was gathered")
            return
        what = "planted faults, each one missing lag on the same problems,"
        if rejected == given:
            self.stage(audit, "discrimination", Status.HOLDS, f"{rejected} of {given} {what} were rejected")
            return
        passed = f"{given - rejected} of {given} {what} passed for right; what holds here may hide such a fault"
        if audit.hidden:
            passed += f": rounding hides {spans(audit.hidden)} of the last loss"
        self.stage(audit, "discrimination", Status.INCONCLUSIVE, passed)

    async def _spend(self, audits: Sequence[Audit]) -> None:
        """Add pieces to what holds until the minutes are over."""
        if not self.minutes or not audits:
            return
        for audit in audits:
            await audit.gathered.wait()
        self.deadline = Deadline(60 * self.minutes)
        accounts = [
            (judged, position)
            for audit in audits
            for judged in audit.claims
            if judged.against is None
            for position in judged.accounts
        ]
        await together([self._spender(accounts, self.deadline) for _ in range(self.executor.width)])
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
        self._cut_short = True
        self.emit(events.Progress(0, "interrupted: concluding from what was found; interrupt again to leave at once"))
        return True

    async def _spender(self, accounts: list[tuple[Judged, Position]], deadline: Deadline) -> None:
        while True:
            able = [(j, p) for j, p in accounts if j.accounts[p].open and not j.settled]
            if not able:
                return
            judged, position = min(able, key=lambda each: each[0].accounts[each[1]].used)
            planned = judged.accounts[position].next(deadline.left)
            if planned is not None:
                await self._further(judged, position, planned)

    async def _further(self, judged: Judged, position: Position, planned: Planned) -> None:
        """Make one further piece, and conclude its kind anew."""
        audit, account = judged.audit, judged.accounts[position]
        inputs = {"before": list(account.base), "further": planned.number}
        task = Task(account.plan.kind, audit.number, judged.name, position[0], planned.piece.label, True, inputs)
        done = await self.perform(task)
        assert done is not None
        if isinstance(done, Failed):
            account.open = False
            if account.speaks_first(planned):
                judged.findings[position] = done.message
            return
        if isinstance(done, Lost) and done.cause in TOO_MUCH:
            account.open, account.stopped = False, f"at {planned.piece.label}, {audit.rule} {done.reason}"
            return
        part = part_of(judged, task, done)
        if part.ended is None:
            account.enter(planned, part.shown, part.seconds)
            if account.against:  # by a piece that was under way at the same time
                return
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
        if account.speaks_first(planned):
            judged.findings[position] = ended
