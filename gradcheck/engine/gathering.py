"""Evidence on a claim: every kind on every network, as far as the verdict needs it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ..evidence.base import Finding, Part, Plan, lost, traverse
from ..evidence.cost import measured
from ..evidence.exact import formal
from ..evidence.exact.induction import kind as induction
from ..judge.conclude import covers_its_class, stronger
from ..records import Status
from . import events
from .further import Account
from .outcome import Done, Failed, Lost
from .performer import Performer, together
from .state import MOST_LOST, Judged, Position
from .tasks import Task
from .wire import part_from

_PROOFS = (formal.KIND, induction.KIND)
"""Kinds of evidence on one network that may cover all networks of its class."""


async def gather(run: Performer, judged: Judged) -> None:
    """Gather every kind of evidence on every network, as far as the verdict needs it."""
    prepared, kinds = judged.audit.prepared, dict[Position, str]()
    again = True
    while again:
        proofs: dict[tuple[int, str], asyncio.Future[None]] = {}
        work: list[asyncio.Future[None]] = []
        for network in range(len(prepared.networks)):
            if network in judged.excused:
                continue
            first, alike = prepared.is_first(network), prepared.first_alike(network)
            for place, plan in enumerate(run.plans(judged, network)):
                position = (network, place)
                kinds[position] = plan.kind
                if position in judged.findings:
                    continue
                after = None if first else proofs.get((alike, plan.kind))
                gathering = gather_kind(run, judged, position, plan, after)
                work.append(asyncio.ensure_future(gathering))
                if plan.kind in _PROOFS and first:
                    proofs[network, plan.kind] = work[-1]
        await together(work)
        before = judged.against
        for position, kind in kinds.items():  # the same, in whichever order the tasks ended
            covered = kind in _PROOFS and position[0] in judged.covered
            if judged.gave_up(kind, position[0]) and not covered:
                judged.findings[position] = _not_tried(kind)
        again = judged.against != before


def _not_tried(kind: str) -> Finding:
    return lost(kind, f"not tried: tasks of this kind were lost on {MOST_LOST} networks before")


async def gather_kind(
    run: Performer, judged: Judged, position: Position, plan: Plan, after: asyncio.Future[None] | None = None
) -> None:
    """Gather one kind on one network; a proof on the first network of its class may make it needless."""
    network, _ = position
    if after is not None:
        await asyncio.wait([after])
        proof = judged.findings.get((judged.audit.prepared.first_alike(network), position[1]))
        if isinstance(proof, Finding) and covers_its_class(proof):
            judged.covered[network] = stronger(judged.covered.get(network), proof.evidence)
            return
    if judged.gave_up(plan.kind, network):
        judged.findings[position] = _not_tried(plan.kind)
        return
    finding = await walk(run, judged, position, plan)
    if finding is None:
        return
    judged.findings[position] = finding
    if isinstance(finding, Finding):
        run.found(judged, network, finding)


async def walk(
    run: Performer, judged: Judged, position: Position, plan: Plan, *, full: bool = False,
    inputs: Mapping[str, Any] | None = None,
) -> Finding | str | None:  # fmt: skip
    """Make the pieces of a plan one by one; None where they became needless, text where the rule failed."""
    audit, first = judged.audit, full or judged.audit.prepared.is_first(position[0])
    steps, shown, seconds = traverse(plan), list[Any](), 0.0
    try:
        piece, before = next(steps)
        while True:
            task = Task(
                plan.kind, audit.number, judged.name, position[0], piece.label, first,
                {**(inputs or {}), **({"before": list(before)} if before else {})}, alone=plan.kind == measured.KIND,
            )  # fmt: skip
            done = await run.perform(task, needless=lambda: judged.needless(position))
            if done is None:
                return None
            if isinstance(done, Failed):
                return done.message
            part = part_of(judged, task, done)
            seconds = part.seconds
            if isinstance(done, Done) and done.result.get("counts"):
                counts = tuple((tuple(map(tuple, at)), dict(found)) for at, found in done.result["counts"])
                run.emit(events.CostsCounted(audit.number, counts))
            if part.ended is None:
                shown.append(part.shown)
            if part.compared:
                judged.see(position, plan.kind, done.result if isinstance(done, Done) else {})
            piece, before = steps.send(part)
    except StopIteration as end:
        finding: Finding = end.value
    if shown and position[0] == 0 and plan.further and finding.evidence.status is not Status.REFUTED:
        judged.accounts[position] = Account(plan, tuple(shown), seconds)
    return finding


def part_of(judged: Judged, task: Task, done: Done | Lost) -> Part:
    """Return what came of a piece; a lost one ends its kind."""
    if isinstance(done, Done):
        return part_from(done.result, judged.audit.prepared.networks[task.network])
    judged.lost.setdefault(task.kind, set()).add(task.network)
    return Part(ended=lost(task.kind, f"{judged.audit.rule} {done.reason}", done.cause))
