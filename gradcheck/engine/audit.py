"""`gradcheck.audit`: one rule judged, here, or in units wherever they can be made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from ..judge.claim import Found
from ..records import Report
from ..reference.claims import Claim
from ..reference.errors import GradcheckError
from ..reference.networks.base import RecurrentNetwork
from ..rules.adapt import as_rule
from .auditing import Audit, Progress, prepared
from .effort import EFFORTS
from .isolation.parent import DEFAULT_LIMITS, Limits


def audit(
    rule: Any,
    claims: Sequence[Claim] | None = None,
    *,
    networks: Sequence[RecurrentNetwork] | None = None,
    weighted: bool | None = None,
    effort: str = "full",
    seed: int = 0,
    expected: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    found: Found | None = None,
    isolated: bool = True,
    limits: Limits = DEFAULT_LIMITS,
    jobs: int | None = None,
    executor: Executor | None = None,
    results: str | Path | None = None,
    minutes: float = 0.0,
) -> Report:
    """Judge every claim of a rule, `Pure()` always among them.

    rule: a function of a problem, or an online rule; see `gradcheck.rule`. claims, networks, weighted: instead of
    what it declares; one that declares no claim is judged on `Exact()`. effort: "full" (the sizes of the report) or
    "quick". seed: of every problem. expected: claims that are known to be false, as printed or by kind, and why;
    that passes, and where such a claim holds the report says so and does not pass. progress: called with a line of
    text at each step. found: called with a claim, as printed, and each piece of evidence on one of its networks as soon
    as it is there, a piece again where a step is taken anew; the verdicts come of all of them. isolated: run the rule
    in a process of its own, so that whatever it does stops no audit, within `limits` (60 s for a call and 4 GiB); if
    not, in this one, as a debugger wants it.

    jobs: in how many processes to make the audit's units, which are (claim, kind of evidence, network, size); the
    report is the same for any number. executor: where to make them instead, any `concurrent.futures.Executor`. results:
    a file of JSON lines that takes what each unit finds as it comes, and from which an audit that was stopped goes on.
    minutes: of time to spend on further evidence (larger sizes, other primes, longer lags, other numbers) once the
    audit is through; the report says what they bought. With `results` or `minutes` alone there is a process for each
    core. The rule must pickle then, and a script needs the usual `if __name__ == "__main__":`.

    Raises `GradcheckError` for something that is no rule, or no claim, an expectation about none, and results of
    another audit; and `Interrupted`, a KeyboardInterrupt that carries what was judged by then.
    """
    how: dict[str, Any] = {
        "networks": networks, "weighted": weighted, "effort": effort, "seed": seed, "expected": expected,
    }  # fmt: skip
    audited, notes = prepared(rule, claims, **how)
    told = progress or (lambda _: None)
    if isinstance(minutes, bool) or not isinstance(minutes, (int, float)) or not 0 <= minutes < float("inf"):
        raise GradcheckError(f"minutes is a number, at least 0; got {minutes!r:.60}")
    if jobs is None and executor is None and results is None and not minutes:
        begun = Audit(audited, EFFORTS[effort], seed, told)
        begun.found = found or begun.found
        begun.notes += notes
        return begun.report(limits if isolated else None)

    from . import pools
    from .running import audits
    from .units import Asked

    if results is not None and not isinstance(results, (str, Path)):
        raise GradcheckError(f"results is the path of a file; got {results!r:.60}")
    if jobs is not None and executor is not None:
        raise GradcheckError(f"jobs={jobs!r} and executor={executor!r:.60} say two places; give one of them")
    asked = Asked(as_rule(rule).name, rule, claims=_tuple(claims), limits=limits if isolated else None, **how)
    with pools.processes(jobs) if executor is None else pools.given(executor) as pool:
        heard = None if found is None else lambda asked, claim, evidence: found(claim, evidence)
        file = None if results is None else Path(results)
        return audits([asked], pool, results=file, minutes=minutes, progress=told, found=heard)[0]


def _tuple(several: Sequence[Any] | None) -> tuple[Any, ...] | None:
    return None if several is None else tuple(several)
