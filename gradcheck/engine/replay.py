"""`gradcheck.replay`: a rule run on a saved case, in a worker."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..evidence.sizes import place
from ..explain.replay import Outcome, Replay, check_settings, compared
from ..records import Counterexample
from ..reference.claims import ENTRYWISE, Claim
from ..reference.errors import GradcheckError
from ..reference.networks.base import RecurrentNetwork, Sizes
from ..reference.wanted import DEFAULT
from ..rules.adapt import Rule, as_rule
from ..rules.expectation import expectation
from ..store.case import Document, read
from ..store.codec import from_data
from .executors import Here, Workers
from .outcome import Done, Failed
from .request import DEFAULT_LIMITS, AuditRequest, Limits
from .run import run_task
from .tasks import FUNCTION, Context, Progress, Task


def replay(
    case: str | Path | Mapping[str, Any] | Counterexample,
    rule: Any,
    *,
    claims: Sequence[Claim] | None = None,
    networks: Sequence[RecurrentNetwork] | None = None,
    isolated: bool = True,
    limits: Limits = DEFAULT_LIMITS,
) -> Replay:
    """Run a rule on a saved case.

    A case is data: a network that is not shipped, and the target of `Equals`, must be declared by the rule, or passed
    here.

    Args:
        case: The path of a case, its data, or a counterexample of a report.
        rule: A function of a problem, or an online rule.
        claims: Claims to recognise the case's claim among, instead of those that the rule declares.
        networks: Networks to recognise the case's network among, instead of those that the rule declares.
        isolated: Run the rule in a worker; an end of its process is an ERROR, never FIXED.
        limits: The time and memory that it may use there.

    Returns:
        The record: STILL WRONG, FIXED, INCONCLUSIVE or ERROR.

    Raises:
        GradcheckError: It is no case or no rule; its network or target is neither shipped nor declared; or the rule
            does not take the case's settings.
    """
    document = read(case)
    replayed = as_rule(rule, claims=claims, networks=networks, weighted=True if document.weighted else None)
    request = AuditRequest(rule, limits=limits if isolated else None)
    context = Context([request], {"replay": functools.partial(_replayed, replayed, document)})
    done = run_task(context, Workers(1) if isolated else Here(), Task(FUNCTION, piece="replay"))
    if isinstance(done, Done):
        found: Replay = from_data(Replay, done.result["record"], "replay")
        return found
    if isinstance(done, Failed):
        raise GradcheckError(done.message)
    return _lost(replayed, document, done.reason)


def _replayed(rule: Rule, document: Document, progress: Progress) -> Replay:
    claim, problem = document.claim_and_problem(rule)
    check_settings(rule, problem, document.settings)
    claimed = dataclasses.replace(rule.declaration, claims=(*rule.declaration.claims, claim))
    rule = expectation(rule) if claim.of_expectation else rule
    rule = dataclasses.replace(rule, declaration=claimed)  # it may be declared where the audit was asked for
    return compared(rule, claim, problem, document.settings, (document.entry, document.got))


def _lost(rule: Rule, document: Document, reason: str) -> Replay:
    """Return the ERROR of a rule whose worker did not return."""
    given = msgspec.structs.asdict(document.claim)
    kind, rounding = document.claim.__struct_config__.tag, given.pop("rounding")
    of = tuple(given.pop("of", DEFAULT))
    values = [*map(str, given.values()), *([f"of={'+'.join(of)}"] if of != DEFAULT else [])]
    values += [f"rounding={rounding}"] if rounding == ENTRYWISE else []
    claim = f"{kind}({', '.join(values)})" if values else kind
    where = place(Sizes(*msgspec.structs.astuple(document.sizes)), document.settings)
    before = (document.entry, document.got)
    return Replay(Outcome.ERROR, rule.name, claim, where, before, message=f"{rule.name} {reason}")
