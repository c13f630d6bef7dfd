"""Verdicts on claims: evidence against one is explained, or refutes it, or leaves it open."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from ..evidence import differs
from ..evidence.base import Finding
from ..evidence.cost import measured
from ..evidence.floats import plans as floats
from ..evidence.floats import sampling
from ..evidence.floats.branches import Branches
from ..evidence.floats.reach import Reach
from ..judge.conclude import (
    Gathered,
    conclude,
    conclude_costs,
    excused,
    merge,
    never_differs,
    refuted,
    unsettled,
)
from ..judge.plans import ON_OTHERS, screened
from ..records import Counterexample, Evidence, Status, Strength, Verdict
from ..reference.claims import Cost, Online
from ..store.codec import from_data
from . import tasks
from .gathering import gather, gather_kind, walk
from .outcome import Done, Failed, Lost
from .performer import Performer, failed, not_run, together
from .state import Judged, Position
from .tasks import Task
from .wire import witness_to_data


async def answer(run: Performer, judged: Judged) -> None:
    """Reach the verdict on a claim from its evidence; gather more where evidence against it is explained."""
    while True:
        against = judged.against
        gathered = _gathered(judged, against)
        if against is None:
            verdict = conclude(judged.claim, gathered, judged.seen)
            if verdict.status is Status.HOLDS and not judged.explored and await _explore(run, judged):
                continue
            run.judged(judged, verdict)
            return
        finding = judged.findings[against]
        evidence = merge([f.evidence for each in gathered for f in each.findings])
        if isinstance(finding, str):
            run.judged(judged, failed(judged.claim, finding, evidence))
            return
        if finding.evidence.kind == differs.KIND:
            run.judged(judged, never_differs(judged.claim, evidence, finding.evidence))
            return
        outcome = await _respond(run, judged, against[0], gathered[-1], finding, evidence)
        if isinstance(outcome, Verdict):
            run.judged(judged, outcome)
            return
        judged.excused[against[0]] = outcome
        await gather(run, judged)


async def _explore(run: Performer, judged: Judged) -> bool:
    """Look for problems that reach code which never ran, and for sizes and values at which it errs; compare there.

    Returns:
        False where none is found.
    """
    judged.explored = True
    run.tell(judged.audit, f"{judged.claim}, looking for problems that other evidence has left out")
    others = not judged.seen.keys().isdisjoint(ON_OTHERS)
    await screen(run, judged)
    reached: dict[int, list[Any]] = {}
    for network, found in sorted(judged.screened.items()):
        judged.see(_place(run, judged, network), tasks.SCREENING, found)
        reached[network] = list(found["reached"])
    inputs = {"seen": judged.seen_at_all.as_data(), "compares": judged.compares, "others": others}
    done = await run.perform(Task(tasks.EXPLORATION, judged.audit.number, judged.name, inputs=inputs))
    if isinstance(done, Done):
        reached.setdefault(0, []).extend(done.result["reached"])
        judged.see(_place(run, judged, 0), tasks.EXPLORATION, {"ran": done.result["compared"]})
    compared = [await _compare(run, judged, network, found, others) for network, found in reached.items() if found]
    return any(compared)


def _place(run: Performer, judged: Judged, network: int) -> Position:
    """Return the position of the problems that were looked for: after every kind of evidence on their network."""
    return network, len(run.plans(judged, network))


async def _compare(run: Performer, judged: Judged, network: int, reached: Sequence[Any], others: bool) -> bool:
    """Compare on problems that were found for a network; return False where no verdict needs it."""
    position = _place(run, judged, network)
    plan = Branches(tuple(map(Reach.from_data, reached)), others).plan(run.case(judged, network))
    finding = await walk(run, judged, position, plan, inputs={"reached": list(reached), "others": others})
    if finding is None:
        return False
    judged.findings[position] = finding
    if isinstance(finding, Finding):
        run.found(judged, network, finding)
    return True


async def screen(run: Performer, judged: Judged) -> None:
    """Look for sizes and values at which the rule errs by cheap calls, until a verdict is reached.

    Networks whose step and readout are those of earlier ones are left out: the same code would run there.
    """

    async def on(network: int) -> None:
        if network in judged.screened:
            return
        task = Task(tasks.SCREENING, judged.audit.number, judged.name, network)
        done = await run.perform(task, needless=lambda: judged.against is not None)
        if done is not None:
            judged.screened[network] = done.result if isinstance(done, Done) else {"reached": []}

    await together([on(network) for network in screened(judged.audit.prepared.networks)])


async def judge_costs(run: Performer, judged: Judged) -> None:
    """Judge a claim about costs, on the rule's first network: another activation is another constant."""
    if not isinstance(judged.claim, (Cost, Online)):
        reason = f"this version has no evidence for the claim {judged.claim.kind!r}"
        run.judged(judged, not_run(judged.claim, reason))
        return
    findings: list[Finding] = []
    for place, plan in enumerate(run.plans(judged, 0)):
        if plan.kind == measured.KIND and findings[-1].evidence.status is not Status.NOT_RUN:
            continue  # growth is measured where it could not be counted
        await gather_kind(run, judged, (0, place), plan)
        finding = judged.findings[0, place]
        if isinstance(finding, str):
            evidence = tuple(f.evidence for f in findings)
            run.judged(judged, failed(judged.claim, finding, evidence))
            return
        findings.append(finding)
        if finding.evidence.status in (Status.REFUTED, Status.ERROR):
            break
    run.judged(judged, conclude_costs(judged.claim, findings, judged.seen))


async def judge_as_found(run: Performer, judged: Judged) -> None:
    """Judge a claim whose evidence is certified as it is found: the range of a rule, or its alignment."""
    await gather(run, judged)
    against = judged.against
    gathered = [each for each in _gathered(judged, against) if each.findings]
    finding = None if against is None else judged.findings[against]
    if against is None or finding is None:
        run.judged(judged, conclude(judged.claim, gathered))
        return
    evidence = merge([f.evidence for each in gathered for f in each.findings])
    if isinstance(finding, str):
        run.judged(judged, failed(judged.claim, finding, evidence))
        return
    networks, text = judged.audit.prepared.networks, finding.evidence.statement
    if len(networks) > 1:
        text = f"on {networks[against[0]]}, {text}"
    assert finding.witness is not None
    inputs = {"witness": witness_to_data(finding.witness)}
    done = await run.perform(Task(tasks.COUNTEREXAMPLE, judged.audit.number, judged.name, against[0], inputs=inputs))
    found = done.result["found"] if isinstance(done, Done) else None
    example = None if found is None else from_data(Counterexample, found["example"])
    verdict = Verdict(str(judged.claim), Status.REFUTED, finding.evidence.strength, text, evidence, example)
    run.judged(judged, verdict)


def _gathered(judged: Judged, until: Position | None) -> list[Gathered]:
    """Return the evidence by network, in order, up to the position that decides."""
    found = []
    for number, network in enumerate(judged.audit.prepared.networks):
        if number in judged.excused:
            found.append(judged.excused[number])
            continue
        places = sorted(p for p in judged.findings if p[0] == number and (until is None or p <= until))
        findings = [judged.findings[place] for place in places]
        kept = tuple(f for f in findings if isinstance(f, Finding))
        if until is not None and number > until[0]:
            break
        # A proof beside evidence that had to be excused speaks for its own network alone.
        doubted = judged.audit.prepared.first_alike(number) in judged.excused
        found.append(Gathered(network, kept, None if doubted else judged.covered.get(number)))
    return found


async def _respond(
    run: Performer, judged: Judged, network: int, gathered: Gathered, against: Finding, evidence: tuple[Evidence, ...]
) -> Verdict | Gathered:
    """Answer evidence against a claim: explain it, or refute the claim, or leave it open."""
    assert against.witness is not None
    kind, claim = against.evidence.kind, judged.claim
    if kind == sampling.KIND:  # its error rate is all that can be said
        return Verdict(str(claim), Status.REFUTED, against.evidence.strength, against.evidence.statement, evidence)
    if kind not in floats.KINDS:
        run.tell(judged.audit, f"{claim}, asking whether rounded constants explain what {kind} evidence found")
        witness = {"witness": witness_to_data(against.witness)}
        done = await run.perform(Task(tasks.CONSTANTS, judged.audit.number, judged.name, network, inputs=witness))
        if isinstance(done, Done) and done.result["explained"]:
            return await _explained(run, judged, network, gathered, evidence)
    answer = await _refute(run, judged, network, against, evidence)
    if answer is not None:
        return answer
    on_floats = [(place, plan) for place, plan in enumerate(run.plans(judged, network)) if plan.kind == "float64"]
    if on_floats and not any(f.evidence.kind == "float64" for f in gathered.findings):
        place, plan = on_floats[0]
        double = await walk(run, judged.aside(), (network, place), plan)
        if isinstance(double, Finding) and double.witness is not None:
            answer = await _refute(run, judged, network, double, (*evidence, double.evidence))
    return answer or unsettled(claim, evidence, [against.evidence])


async def _explained(
    run: Performer, judged: Judged, network: int, gathered: Gathered, evidence: tuple[Evidence, ...]
) -> Verdict | Gathered:
    """Return what floats say of a network where rounded constants explain what other numbers found."""
    against = gathered.findings[-1]
    found: list[Finding] = []
    aside = judged.aside()
    for place, plan in enumerate(run.plans(judged, network, full=True)):
        if plan.kind not in floats.KINDS:
            continue
        finding = await walk(run, aside, (network, place), plan, full=True)
        if isinstance(finding, str):
            return failed(judged.claim, finding, evidence)
        assert finding is not None
        found.append(finding)
        run.found(judged, network, finding)
        if finding.evidence.status is Status.REFUTED:
            break
    if not found:
        text = f"the rounding of the rule's own constants may explain that {against.evidence.statement}"
        text += "; write them as fractions of whole numbers, or as multiples of a power of 1/2"
        return Verdict(str(judged.claim), Status.INCONCLUSIVE, Strength.NONE, text, evidence)
    evidence = (*evidence, *(f.evidence for f in found))
    last = found[-1]
    if last.evidence.status is Status.REFUTED:
        open_ = unsettled(judged.claim, evidence, [against.evidence, last.evidence])
        return await _refute(run, judged, network, last, evidence) or open_
    outcome = excused(gathered, found)
    if outcome is None:
        double = next(f.evidence for f in found if f.evidence.kind == "float64")
        text = f"{against.evidence.kind} evidence speaks against it ({against.evidence.statement})"
        text = f"{text}, and {double.statement}"
        return Verdict(str(judged.claim), Status.INCONCLUSIVE, Strength.NONE, text, evidence)
    return outcome


async def _refute(
    run: Performer, judged: Judged, network: int, against: Finding, evidence: tuple[Evidence, ...]
) -> Verdict | None:
    """Return REFUTED with a certified counterexample if one is found; ERROR where the rule did not survive it."""
    claim = judged.claim
    run.tell(judged.audit, f"{claim}, looking for a small counterexample")
    assert against.witness is not None
    inputs = {"witness": witness_to_data(against.witness)}
    base = Task(tasks.COUNTEREXAMPLE, judged.audit.number, judged.name, network, inputs=inputs)
    done = await run.perform(base)
    if isinstance(done, (Failed, Lost)):
        reason = done.message if isinstance(done, Failed) else f"{judged.audit.rule} {done.reason}"
        said = f"{against.evidence.kind} evidence had spoken against it ({against.evidence.statement})"
        return failed(claim, f"{reason}, while a counterexample was looked for: {said}", evidence)
    assert done is not None
    found = done.result["found"]
    if found is None:
        return None
    cause = None
    inputs = {name: found[name] for name in ("settings", "arrays", "dtype", "at")}
    diagnosed = await run.perform(dataclasses.replace(base, kind=tasks.DIAGNOSIS, inputs=inputs))
    if isinstance(diagnosed, Done):
        cause = diagnosed.result["cause"]
    place = ", ".join([found["sizes"], *(f"{k}={v}" for k, v in found["settings"].items())])
    return refuted(claim, evidence, from_data(Counterexample, found["example"]), place, cause)
