"""Claims about what a rule costs and keeps, judged: counted where its code can be counted, measured where it cannot."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeAlias

from ..evidence.base import Case, Finding
from ..evidence.cost import counted as counting
from ..evidence.cost import online
from ..records import Evidence, Status, Strength, Verdict
from ..reference.claims import Claim, Cost, Online
from ..reference.errors import GradcheckError
from ..rules.adapt import Rule

Progress: TypeAlias = Callable[[str], None]
Lost: TypeAlias = Callable[[Claim, str], Finding | None]
Found: TypeAlias = Callable[[str, Evidence], None]
Gather: TypeAlias = Callable[..., Finding]


def judge(rule: Rule, claim: Cost | Online, seed: int, progress: Progress, lost: Lost, found: Found) -> Verdict:
    """The verdict, on the rule's first network: another activation is another constant.

    progress is told each step, found each kind of evidence; lost is asked before each, as in `judging.Judge`.
    """
    case = Case(rule, claim, rule.declaration.networks[0], seed)
    counted: Gather = counting.judge if isinstance(claim, Cost) else online.storage
    measured: Gather = counting.measure if isinstance(claim, Cost) else online.measured_storage
    plan: list[tuple[str, Gather]] = [(counting.KIND, counted), (counting.GROWTH, measured)]
    if isinstance(claim, Online):
        plan.insert(0, (online.CAUSALITY, online.causality))
    evidence: list[Evidence] = []
    try:
        for kind, gather in plan:
            if kind == counting.GROWTH and evidence[-1].status is not Status.NOT_RUN:
                continue  # what was counted need not be measured
            finding = lost(claim, kind) or gather(case, progress=functools.partial(_tell, progress, claim))
            evidence.append(finding.evidence)
            found(str(claim), finding.evidence)
            if finding.evidence.status in (Status.REFUTED, Status.ERROR):
                break
    except GradcheckError as error:
        return Verdict(str(claim), Status.ERROR, Strength.NONE, str(error), tuple(evidence))
    return _concluded(claim, evidence)


def _tell(progress: Progress, claim: Claim, text: str) -> None:
    progress(f"{claim}, {text}")


def _concluded(claim: Claim, evidence: list[Evidence]) -> Verdict:
    """As the worst of what was found; what was measured stands for what could not be counted."""
    telling = [e for e in evidence if e.status is not Status.HOLDS]
    if any(e.kind == counting.GROWTH for e in evidence):
        telling = [e for e in telling if e.kind != counting.KIND]
    if telling:
        first = telling[-1]
        return Verdict(str(claim), first.status, first.strength, first.statement, tuple(evidence))
    shown = [e for e in evidence if e.status is Status.HOLDS]
    text = "; ".join(e.statement for e in shown)
    return Verdict(str(claim), Status.HOLDS, min(e.strength for e in shown), text, tuple(evidence))
