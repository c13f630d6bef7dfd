"""Base of the scheduler, which every step of an audit uses: tasks performed, events emitted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from ..evidence.base import Case, Finding, Plan, hidden_lags, total
from ..judge.plans import plans
from ..records import Evidence, Stage, Status, Strength, Verdict
from ..reference.claims import Claim
from ..store.ledger import Ledger
from . import events
from .executors import TaskExecutor
from .executors.here import in_this_process
from .outcome import Done, Failed, Lost, Outcome
from .queue import Costs, Queue, Rank
from .state import Audit, Judged
from .tasks import Context, Task

T = TypeVar("T")


class Performer:
    """Performs tasks on an executor, and says what happens.

    Args:
        context: the requests, and functions that are tasks too.
        executor: where tasks are performed; opened with the context.
        ledger: what is known from before, and where results are kept.
        emit: takes every event.
    """

    def __init__(self, context: Context, executor: TaskExecutor, ledger: Ledger, emit: events.Handler) -> None:
        self.context, self.executor, self.ledger, self.emit = context, executor, ledger, emit
        self.costs, self.queue = Costs(), Queue(executor.width, executor.fit)
        self._noted: set[tuple[int, str]] = set()
        self.made: dict[int, set[str]] = {}
        """Places in a rule's code, by audit, at which arrays were made of other numbers than floats."""

    async def perform(
        self, task: Task, needless: Callable[[], bool] = lambda: False, begun: asyncio.Event | None = None
    ) -> Outcome | None:
        """Return the outcome of a task: known from before, or made once there is room; None if needless by then."""
        names = (task.request, task.claim, task.network, task.kind, task.piece)
        known = self.ledger.get(task.key) if task.request >= 0 else None
        if known is not None:
            self.made.setdefault(task.request, set()).update(known.get("made", ()))
            return Done(known)
        if task.request >= 0 and not self.context.runs_the_rule(task):
            return self._in_this_process(task)
        await self.queue.enter(task, self._rank(task))
        try:
            if needless():
                return None
            self.emit(events.TaskStarted(*names))
            rule = f"{self.context.prepared(task.request).rule.name}: " if task.request >= 0 else ""
            what = ", ".join(filter(None, (_short(task.claim), task.kind if task.request >= 0 else task.piece)))
            self.emit(events.Progress(task.request, f"{rule}{what}"))
            if begun is not None:
                begun.set()
            outcome = await self.executor.perform(
                task, lambda text: self.emit(events.Progress(task.request, f"{rule}{what}: {text}"))
            )
        finally:
            self.queue.leave(task)
        if not isinstance(outcome, Lost) and outcome.note and (task.request, outcome.note) not in self._noted:
            self._noted.add((task.request, outcome.note))
            self.emit(events.NoteAdded(task.request, outcome.note))
        if isinstance(outcome, Done):
            if task.request >= 0:
                self.made.setdefault(task.request, set()).update(outcome.result.get("made", ()))
            self.costs.record(task, outcome.result["seconds"])
            self.emit(events.TaskFinished(*names, outcome.result["seconds"]))
            if task.request >= 0:
                self.ledger.add(task.key, outcome.result)
        elif isinstance(outcome, Lost):
            self.emit(events.TaskLost(*names, outcome.cause, outcome.reason))
        return outcome

    def _rank(self, task: Task) -> Rank:
        """Rank a task: rules and claims in their order, within a claim by what the task tells for its cost."""
        cost = self.costs.for_its_worth(task)
        if task.request < 0:
            return len(self.context.requests), 0, cost, 0
        claims = list(self.context.prepared(task.request).claims)
        return task.request, claims.index(task.claim) if task.claim else -1, cost, task.network

    def _in_this_process(self, task: Task) -> Done | Failed:
        """Perform a task that runs no code of the rule's author here, where all audits share what it derives."""
        prepared = self.context.prepared(task.request)
        text = f"{prepared.rule.name}: {task.kind}, {prepared.networks[task.network]}"
        self.emit(events.Progress(task.request, text))
        return in_this_process(task, self.context, lambda _: None)

    # What the steps of an audit share

    def plans(self, judged: Judged, network: int, *, full: bool = False) -> list[Plan]:
        """Return the plans of a claim on a network; `full` at the sizes of the first of its class."""
        first = full or judged.audit.prepared.is_first(network)
        return plans(self.case(judged, network), self.context.effort(judged.audit.number), first=first)

    def case(self, judged: Judged, network: int) -> Case:
        """Return a claim on a network."""
        return judged.audit.prepared.case(judged.claim, network)

    def found(self, judged: Judged, network: int, finding: Finding) -> None:
        number, claim = judged.audit.number, str(judged.claim)
        self.emit(events.EvidenceFound(number, judged.position, claim, network, finding.evidence))

    def judged(self, judged: Judged, verdict: Verdict) -> None:
        audit = judged.audit
        counted = [
            finding
            for position, finding in judged.findings.items()
            if position[0] not in judged.excused and not (judged.against and position > judged.against)
        ]
        counted += [finding for gathered in judged.excused.values() for finding in gathered.findings]
        planted = total(finding.planted for finding in counted if isinstance(finding, Finding))
        audit.planted = (audit.planted[0] + planted[0], audit.planted[1] + planted[1])
        hidden = hidden_lags(finding for finding in counted if isinstance(finding, Finding))
        audit.hidden = sorted({*audit.hidden, *hidden})
        self.emit(events.ClaimJudged(audit.number, judged.position, verdict, planted))

    def stage(self, audit: Audit, name: str, status: Status, statement: str) -> None:
        self.emit(events.StageJudged(audit.number, Stage(name, status, statement)))

    def tell(self, audit: Audit, text: str) -> None:
        self.emit(events.Progress(audit.number, f"{audit.rule}: {text}"))


def _short(claim: str) -> str:
    """Return a claim for a line of progress, which has no room for the formulas of a cost."""
    return claim if len(claim) <= 30 else f"{claim.partition('(')[0]}(...)"


def not_run(claim: Claim, reason: str) -> Verdict:
    """Return NOT RUN, with the reason."""
    return Verdict(str(claim), Status.NOT_RUN, Strength.NONE, reason)


def failed(claim: Claim, text: str, evidence: tuple[Evidence, ...] = ()) -> Verdict:
    """Return ERROR, with what went wrong."""
    return Verdict(str(claim), Status.ERROR, Strength.NONE, text, evidence)


async def together(work: Iterable[Coroutine[Any, Any, T] | asyncio.Future[T]]) -> list[T]:
    """Wait for all of it; where one part fails, cancel the others and raise what it raised."""
    futures = [asyncio.ensure_future(each) for each in work]
    try:
        return list(await asyncio.gather(*futures))
    finally:
        for future in futures:
            future.cancel()
        await asyncio.gather(*futures, return_exceptions=True)
