"""`gradcheck.audit`: one rule judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from ..records import Evidence, Report
from ..reference.claims import Claim
from ..reference.errors import GradcheckError
from ..reference.networks.base import RecurrentNetwork
from ..reference.problem import Problem
from ..rules.adapt import as_rule
from ..store.problems import opened
from . import events
from .executors import Futures, TaskExecutor, local
from .request import DEFAULT_LIMITS, AuditRequest, Limits
from .run import run


def audit(
    rule: Any,
    claims: Sequence[Claim] | None = None,
    *,
    networks: Sequence[RecurrentNetwork] | None = None,
    weighted: bool | None = None,
    effort: str = "full",
    seed: int = 0,
    expected: Mapping[str, str] | None = None,
    progress: Callable[[str], None] | None = None,
    found: Callable[[str, Evidence], None] | None = None,
    events: Callable[[Any], None] | None = None,
    isolated: bool = True,
    limits: Limits = DEFAULT_LIMITS,
    jobs: int | None = None,
    executor: Executor | None = None,
    results: str | Path | None = None,
    minutes: float = 0.0,
    problems: Sequence[Problem] | str | Path | None = None,
) -> Report:
    """Judge every claim of a rule, with `Pure()`, and with `Stable()` beside a claim about its result.

    The audit is made of tasks, each performed in a worker: a process of its own, within limits, so that nothing that
    the rule does ends the audit. The report is the same for any number of workers. Audits in other threads of this
    process wait for their turn.

    Args:
        rule: a function of a problem, or an online rule; see `gradcheck.rule`.
        claims: claims to judge instead of those that the rule declares; one without any is judged on `Exact()`.
        networks: networks to judge it on instead of those that it declares.
        weighted: whether it reads `problem.loss_weights`, instead of what it declares.
        effort: "full" (the sizes of the report) or "quick".
        seed: seed of every problem.
        expected: claims that are known to be false, as printed or by kind, each with the reason. Their refutation
            passes; where one of them holds the report says so and does not pass.
        progress: called with a line of text at each step.
        found: called with a claim, as printed, and each kind of evidence on one of its networks once it is complete.
        events: called with every event of the audit; see `gradcheck.engine.events`.
        isolated: run the rule in workers; False runs it in this process, without limits, as a debugger wants it.
        limits: limits on each worker's rule, 60 s for a call and 4 GiB.
        jobs: number of workers; one for each core of the machine if None.
        executor: where to perform tasks instead, any `concurrent.futures.Executor`; the rule must pickle then.
        results: file of JSON lines that keeps results as they arrive. Run the same audit again to resume.
        minutes: time to spend on further evidence (larger sizes, other primes, longer lags, other numbers) once the
            audit is through; the report says what they bought.
        problems: problems to judge it on beside those that gradcheck makes, to reach code that these do not reach; a
            list, or the path of a file that `gradcheck.save_problems` wrote, or of a case.

    Returns:
        The report: `report.passed`, `report.verdicts`, `report.check()`, `report.write("report.html")`.

    Raises:
        GradcheckError: the rule is none, a claim, a problem or an option is invalid, or the results are of another
            audit.
        Interrupted: a KeyboardInterrupt that carries what was judged by then.
    """
    if isinstance(minutes, bool) or not isinstance(minutes, (int, float)) or not 0 <= minutes < float("inf"):
        raise GradcheckError(f"minutes is a number, at least 0; got {minutes!r:.60}")
    if results is not None and not isinstance(results, (str, Path)):
        raise GradcheckError(f"results is the path of a file; got {results!r:.60}")
    if jobs is not None and executor is not None:
        raise GradcheckError(f"jobs={jobs!r} and executor={executor!r:.60} say two places; give one of them")
    if isinstance(rule, str):
        as_rule(rule)  # a name is a rule on the command line alone
    request = AuditRequest(
        rule, claims=_tuple(claims), networks=_tuple(networks), weighted=weighted, effort=effort, seed=seed,
        expected=expected, limits=limits if isolated else None, problems=opened(problems),
    )  # fmt: skip
    request.prepare()
    place: TaskExecutor = Futures(executor) if executor is not None else local((request,), jobs)
    handlers = [_handler(progress, found), *([events] if events is not None else [])]
    return run(
        [request], place, handlers=handlers, results=None if results is None else Path(results), minutes=minutes
    )[0]


def _handler(progress: Callable[[str], None] | None, found: Callable[[str, Evidence], None] | None) -> events.Handler:
    """Return a handler that tells progress and evidence."""

    def handle(event: events.Event) -> None:
        if progress is not None and isinstance(event, events.Progress):
            progress(event.text)
        elif found is not None and isinstance(event, events.EvidenceFound):
            found(event.claim, event.evidence)

    return handle


def _tuple(several: Any) -> Any:
    """Return a sequence as a tuple; what is none is refused where it is read."""
    return tuple(several) if isinstance(several, Sequence) else several
