"""Preconditions of an audit: the rule is pure, the problems are alive, the oracles agree."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Any

from ..evidence.base import Finding
from ..judge.conclude import merge
from ..records import NO_FUNCTION, Cause, Evidence, Stage, Status, Strength, Verdict
from . import events, tasks
from .outcome import Done, Failed, Lost
from .performer import Performer, together
from .state import Audit
from .tasks import Task
from .wire import finding_from


async def check(run: Performer, audit: Audit) -> None:
    """Judge purity, liveness and oracle agreement, and note what blocks all claims, if anything does."""
    begun = asyncio.Event()
    purity = asyncio.ensure_future(_purity(run, audit, begun))
    others = asyncio.ensure_future(_liveness_and_oracles(run, audit, begun))
    try:
        verdict, blocked = await purity
    except BaseException:
        others.cancel()
        raise
    evidence = verdict.evidence[-1]
    run.stage(audit, "purity", evidence.status, evidence.statement)
    run.emit(events.ClaimJudged(audit.number, 0, verdict))
    if blocked:
        others.cancel()
        await asyncio.gather(others, return_exceptions=True)
        audit.blocked = blocked
        return
    alive, agree, blocked = await others
    if alive is not None:
        run.emit(events.StageJudged(audit.number, alive))
    run.emit(events.StageJudged(audit.number, agree))
    audit.blocked = blocked


async def _purity(run: Performer, audit: Audit, begun: asyncio.Event) -> tuple[Verdict, str]:
    """Return the verdict, and why no other claim can be judged, if none can."""
    number, networks = audit.number, audit.prepared.networks
    failed = len(networks)
    found: dict[int, Finding] = {}

    async def on(network: int) -> None:
        nonlocal failed
        task = Task(tasks.PURITY, number, network=network, first=network == 0)
        done = await run.perform(task, needless=lambda: network > failed, begun=begun)
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
                finding = dataclasses.replace(finding, evidence=dataclasses.replace(finding.evidence, statement=where))
        found[network] = finding
        run.emit(events.EvidenceFound(number, 0, "pure", network, finding.evidence))

    await on(0)
    begun.set()
    await together([on(network) for network in range(1, len(networks)) if network < failed])
    findings = [found[network] for network in sorted(found) if network <= failed]
    last = findings[-1].evidence
    evidence = merge([f.evidence for f in findings])
    if last.cause in NO_FUNCTION:
        blocked = f"the rule is not a function of its problem: {last.statement}"
    else:
        blocked = last.statement if last.cause is not None else ""
    if blocked:
        evidence = evidence if last.cause in NO_FUNCTION else (last,)
    return Verdict("pure", last.status, last.strength, last.statement, evidence), blocked


async def _liveness_and_oracles(run: Performer, audit: Audit, begun: asyncio.Event) -> tuple[Stage | None, Stage, str]:
    """Return both stages, and why no claim can be judged, if none can: problems must be alive, oracles agree."""
    await begun.wait()  # a worker is on the rule's purity while this process does its part
    networks = audit.prepared.networks

    async def on(network: int) -> tuple[Mapping[str, Any], Mapping[str, Any]] | str:
        made = []
        for kind in (tasks.LIVENESS, tasks.ORACLES):
            done = await run.perform(Task(kind, audit.number, network=network, first=network == 0))
            if isinstance(done, Failed):
                return f"the oracles could not be compared on {networks[network]}: {done.message}"
            if isinstance(done, Lost):
                return f"the oracles could not be compared: {audit.rule} {done.reason}"
            assert done is not None
            made.append(done.result)
        return made[0], made[1]

    found = await together([on(network) for network in range(len(networks))])
    problem = next((each for each in found if isinstance(each, str)), "")
    if problem:
        return None, Stage("oracle agreement", Status.ERROR, problem), problem
    pairs = [each for each in found if not isinstance(each, str)]
    dead = next((f"on {n}, {a['statement']}" for n, (a, _) in zip(networks, pairs, strict=True) if not a["holds"]), "")
    disagree = next((o["statement"] for _, o in pairs if not o["holds"]), "")
    more = f"; likewise on {len(networks) - 1} more networks" if len(networks) > 1 else ""
    alive = Stage("liveness", Status.INCONCLUSIVE if dead else Status.HOLDS, dead or pairs[0][0]["statement"] + more)
    agree = Stage(
        "oracle agreement",
        Status.REFUTED if disagree else Status.HOLDS,
        disagree or pairs[0][1]["statement"] + more,
    )
    return alive, agree, disagree
