"""From claims to verdicts: purity, liveness, oracle agreement, claims, discrimination, in that order.

A stage that fails marks what depends on it NOT RUN, with the reason. A verdict is as strong as the strongest
evidence that holds, and any evidence against it wins: then a certified counterexample is looked for, and
without one the verdict is INCONCLUSIVE, never REFUTED.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import counterexample as counter
from .evidence import Case, Finding, blackbox, enclosure, formal, ladder, liveness, modular, oracles, purity
from .reference.claims import Claim, Equals, LagClaim, Pure, checked_expectations
from .reference.errors import GradcheckError
from .reference.network import RecurrentNetwork, Sizes
from .results import RuleFailed, WrongResult
from .rules import Rule, as_rule
from .verdicts import Evidence, Report, Stage, Status, Strength, Verdict

Progress = Callable[[str], None]
"""Called with one line of text at each step of an audit."""


@dataclass(frozen=True)
class Effort:
    """How far an audit goes: sizes of each kind of evidence."""

    formal_T: int = formal.LARGEST_T
    formal_shapes: tuple[tuple[int, int, int], ...] = formal.SHAPES
    modular_sizes: tuple[Sizes, ...] = modular.SIZES
    enclosure_sizes: tuple[Sizes, ...] = (*enclosure.SMALL_SIZES, *enclosure.SIZES)
    digits: tuple[int, ...] = ladder.DIGITS


FULL = Effort()
QUICK = Effort(
    formal_T=3,
    formal_shapes=((1, 1, 1), (2, 2, 1), (2, 1, 2)),
    modular_sizes=(Sizes(24, 6, 2, 2),),
    enclosure_sizes=enclosure.SMALL_SIZES,
    digits=(50, 100),
)
EFFORTS = {"full": FULL, "quick": QUICK}


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
) -> Report:
    """Judge every claim of a rule, `Pure()` always among them.

    rule: a function of a problem, or an online rule; see `gradcheck.rule`. claims, networks, weighted: instead
    of what it declares. effort: "full" (the sizes of the report) or "quick". seed: of every problem. expected:
    claims that are known to be false, as printed or by kind, and why; that passes, and where such a claim holds
    the report says so and does not pass. progress: called with a line of text at each step. Raises `GradcheckError`
    for something that is no rule, or no claim, and an expectation about none, and `Interrupted`, a KeyboardInterrupt
    that carries what was judged by then.
    """
    if effort not in EFFORTS:
        raise GradcheckError(f"there is no effort {effort!r}; choose one of {', '.join(EFFORTS)}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise GradcheckError(f"a seed is a whole number, at least 0; got {seed!r}")
    audited = as_rule(rule, claims=claims, networks=networks, weighted=weighted)
    for claim in audited.declaration.claims:
        claim.bind(audited.settings(1)[0])
    if expected is not None:
        known = checked_expectations(expected, audited.declaration.claims)
        audited = dataclasses.replace(audited, declaration=dataclasses.replace(audited.declaration, expected=known))
    return _Audit(audited, EFFORTS[effort], seed, progress or (lambda _: None)).report()


class Interrupted(KeyboardInterrupt):
    """An audit was interrupted; `report` has the claims that were judged, the rest as NOT RUN."""

    def __init__(self, report: Report) -> None:
        self.report = report
        super().__init__(f"the audit of {report.rule} was interrupted")


class _Audit:
    def __init__(self, rule: Rule, effort: Effort, seed: int, progress: Progress) -> None:
        self.rule, self.effort, self.seed = rule, effort, seed
        self._progress = progress
        self.networks = rule.declaration.networks
        self.stages: list[Stage] = []
        self.planted = [0, 0]

    def progress(self, text: str) -> None:
        self._progress(f"{self.rule.name}: {text}")

    def report(self) -> Report:
        claims = [c for c in self.rule.declaration.claims if not isinstance(c, Pure)]
        verdicts: list[Verdict] = []
        stopped = False
        try:
            pure, blocked = self._purity()
            verdicts.append(pure)
            blocked = blocked or self._liveness_and_oracles()
            for claim in claims:
                verdicts.append(self._judge(claim, blocked))
        except KeyboardInterrupt:
            stopped = True
            waiting = ["pure", *map(str, claims)][len(verdicts) :]
            verdicts += [Verdict(c, Status.NOT_RUN, Strength.NONE, "not judged: interrupted") for c in waiting]
        self._discrimination(stopped or bool(blocked))
        notes = (
            () if claims else ("the rule declares no claim about its result; give one with --claim or gradcheck.rule",)
        )
        report = Report(
            rule=self.rule.name,
            summary=self.rule.summary,
            networks=tuple(f"{n.name}: {n}" for n in self.networks),
            verdicts=tuple(map(self._expected, verdicts)),
            stages=tuple(self.stages),
            notes=notes,
            seed=self.seed,
        )
        if stopped:
            raise Interrupted(report)
        return report

    def _expected(self, verdict: Verdict) -> Verdict:
        expected = dict(self.rule.declaration.expected)
        reason = expected.get(verdict.claim) or expected.get(verdict.claim.partition("(")[0], "")
        return dataclasses.replace(verdict, expected=reason) if reason else verdict

    # Stages

    def _purity(self) -> tuple[Verdict, str]:
        """The verdict on purity, and why the other claims cannot be judged, if they cannot."""
        findings: list[Finding] = []
        for number, network in enumerate(self.networks):
            self.progress(f"purity, {network}")
            sizes = purity.SIZES if number == 0 else purity.SIZES[:1]
            try:
                finding = purity.judge(Case(self.rule, Pure(), network, self.seed), sizes=sizes)
            except (RuleFailed, WrongResult) as error:
                status = Status.ERROR if isinstance(error, RuleFailed) else Status.REFUTED
                where = getattr(error, "where", "")
                evidence = Evidence(
                    "purity", status, Strength.NONE, str(error), details={"where": where} if where else {}
                )
                self._stage("purity", status, str(error))
                return Verdict("pure", status, Strength.NONE, str(error), (evidence,)), str(error)
            findings.append(finding)
            if finding.evidence.status is not Status.HOLDS:
                break
        last = findings[-1].evidence
        self._stage("purity", last.status, last.statement)
        verdict = Verdict("pure", last.status, last.strength, last.statement, _merged([f.evidence for f in findings]))
        kept = ("between two calls", "of the next call")
        stateful = last.status is Status.REFUTED and any(words in last.statement for words in kept)
        return verdict, f"the rule is not a function of its problem: {last.statement}" if stateful else ""

    def _liveness_and_oracles(self) -> str:
        """Why no claim can be judged, if none can: every network's problems must be alive, its oracles agree."""
        weighted, sizes = self.rule.declaration.weighted, self.effort.enclosure_sizes
        dead, disagree, first = "", "", ""
        for number, network in enumerate(self.networks):
            self.progress(f"liveness and oracle agreement, {network}")
            try:
                alive = liveness.liveness(network, sizes[-1 if number == 0 else 0], self.seed, weighted)
                agreement = (
                    oracles.agreement(network, oracles.SMALL_SIZE, symbolic=False)
                    if number
                    else oracles.agreement(network)
                )
            except GradcheckError as error:
                self._stage("oracle agreement", Status.ERROR, str(error))
                return f"the oracles could not be compared on {network}: {error}"
            first = first or agreement.statement
            if number == 0:
                alive_text = alive.statement
            if not alive.alive and not dead:
                dead = f"on {network}, {alive.statement}"
            if not agreement.holds and not disagree:
                disagree = f"the oracles disagree on {network}: {agreement.statement}"
        more = f"; likewise on {len(self.networks) - 1} more networks" if len(self.networks) > 1 else ""
        self._stage("liveness", Status.INCONCLUSIVE if dead else Status.HOLDS, dead or alive_text + more)
        self._stage("oracle agreement", Status.REFUTED if disagree else Status.HOLDS, disagree or first + more)
        return disagree

    def _discrimination(self, blocked: bool) -> None:
        given, rejected = self.planted
        if blocked or not given:
            self._stage("discrimination", Status.NOT_RUN, "no evidence was gathered")
            return
        status = Status.HOLDS if rejected == given else Status.INCONCLUSIVE
        self._stage(
            "discrimination", status,
            f"{rejected} of {given} planted faults, each one missing lag on the same problems, were rejected",
        )  # fmt: skip

    def _stage(self, name: str, status: Status, statement: str) -> None:
        self.stages.append(Stage(name, status, statement))

    # Claims

    def _judge(self, claim: Claim, blocked: str) -> Verdict:
        if blocked:
            return Verdict(str(claim), Status.NOT_RUN, Strength.NONE, f"not judged: {blocked}")
        if not isinstance(claim, (LagClaim, Equals)):
            reason = f"this version has no evidence for the claim {claim.kind!r}"
            return Verdict(str(claim), Status.NOT_RUN, Strength.NONE, reason)
        gathered: list[list[Finding]] = []
        try:
            for network in self.networks:
                general = bool(gathered) and _covers_all(gathered[0][0])
                gathered.append(self._gather(Case(self.rule, claim, network, self.seed), not gathered, general))
                if gathered[-1][-1].evidence.status is Status.REFUTED:
                    break
        except GradcheckError as error:
            return Verdict(str(claim), Status.ERROR, Strength.NONE, str(error))
        findings = [finding for each in gathered for finding in each]
        evidence = _merged([f.evidence for f in findings])
        for finding in findings:
            self.planted[0] += finding.planted[0]
            self.planted[1] += finding.planted[1]
        if findings[-1].evidence.status is Status.REFUTED:
            return self._refute(claim, findings[-1], evidence)
        failed = next((e for e in evidence if e.status is Status.ERROR), None)
        if failed:
            return Verdict(str(claim), Status.ERROR, Strength.NONE, failed.statement, evidence)
        return _weakest(claim, self.networks, gathered, evidence)

    def _gather(self, case: Case, first: bool, general: bool) -> list[Finding]:
        """Every kind of evidence on one network, up to the first that speaks against the claim.

        Networks after the first are judged at smaller sizes, and formally only if no proof covers them all.
        """
        effort = self.effort
        plan: list[tuple[str, Callable[[Progress], Finding]]] = []
        if first or not general:
            plan.append(
                (
                    "formal",
                    lambda told: formal.judge(
                        case, largest_T=effort.formal_T, shapes=effort.formal_shapes, progress=told
                    ),
                )
            )
        modular_sizes = effort.modular_sizes if first else modular.SMALL_SIZES
        ball_sizes = effort.enclosure_sizes if first else enclosure.SMALL_SIZES[:1]
        float_sizes = blackbox.SIZES if first else blackbox.FURTHER_SIZES
        most = 2 if first else 1
        plan += [
            ("modular", lambda told: modular.judge(case, sizes=modular_sizes, most_settings=most, progress=told)),
            ("enclosure", lambda told: enclosure.judge(case, sizes=ball_sizes, most_settings=most, progress=told)),
        ]
        if first:
            plan.append(("ladder", lambda told: ladder.judge(case, digits=effort.digits, progress=told)))
        plan.append(
            ("float64", lambda told: blackbox.judge(case, sizes=float_sizes, most_settings=most, progress=told))
        )
        findings: list[Finding] = []
        for kind, judge in plan:
            try:
                findings.append(judge(self._teller(f"{case.claim}, {kind}")))
            except WrongResult as error:
                findings.append(Finding(Evidence(kind, Status.ERROR, Strength.NONE, str(error))))
            if findings[-1].evidence.status is Status.REFUTED:
                break
        return findings

    def _teller(self, prefix: str) -> Progress:
        return lambda text: self.progress(f"{prefix} {text}")

    def _refute(self, claim: Claim, finding: Finding, evidence: tuple[Evidence, ...]) -> Verdict:
        self.progress(f"{claim}, looking for a small counterexample")
        witness = finding.witness
        assert witness is not None
        case = Case(self.rule, claim, witness.network, self.seed)
        found = counter.find(case, witness)
        if found is None:
            return self._undecided(case, finding, evidence)
        example = counter.counterexample(case, found)
        at = ", ".join([str(found.problem.sizes), *(f"{k}={v}" for k, v in found.settings.items())])
        text = f"{example.entry} is {example.got}, should be {example.true} ({at})"
        return Verdict(str(claim), Status.REFUTED, Strength.CERTIFIED, text, evidence, example)

    def _undecided(self, case: Case, finding: Finding, evidence: tuple[Evidence, ...]) -> Verdict:
        """The verdict where evidence speaks against the claim and no counterexample is beyond rounding on floats.

        A constant such as 0.1 is rounded before any scalar sees it, so a right rule can differ from the claim in
        exact arithmetic; then floats, judged with their rounding, say the most that can be said.
        """
        claim, kind = case.claim, finding.evidence.kind
        against = f"{kind} evidence speaks against it ({finding.evidence.statement})"
        if kind != "float64":
            floats = blackbox.judge(case, progress=self._teller(f"{claim}, float64"))
            if floats.evidence.status is Status.REFUTED:
                return self._refute(claim, floats, (*evidence, floats.evidence))
            if floats.evidence.status is Status.HOLDS:
                shown = floats.evidence
                sentence = getattr(claim, "sentence", f"the result equals {claim}")
                return Verdict(
                    str(claim),
                    Status.HOLDS,
                    shown.strength,
                    f"{sentence}, on floats: {shown.statement} ({shown.scope}). Without rounding its code gives "
                    f"something else, as rounded constants do, or an operation that other scalars lack: {against}",
                    (*evidence, shown),
                )
        text = f"{against}, but no certified counterexample was found"
        return Verdict(str(claim), Status.INCONCLUSIVE, Strength.NONE, text, evidence)


def _weakest(
    claim: Claim, networks: Sequence[RecurrentNetwork], gathered: list[list[Finding]], evidence: tuple[Evidence, ...]
) -> Verdict:
    """The verdict where nothing speaks against the claim: each network needs evidence that holds.

    The claim is as strong as on the network where it is shown least strongly, except that a proof for every
    activation, output and loss covers all networks.
    """
    best = [
        max((f.evidence for f in each if f.evidence.status is Status.HOLDS), key=lambda e: e.strength, default=None)
        for each in gathered
    ]
    for network, each, shown in zip(networks, gathered, best, strict=True):
        if shown is None:
            unsure = next((f.evidence for f in each if f.evidence.status is Status.INCONCLUSIVE), None)
            status = Status.INCONCLUSIVE if unsure else Status.NOT_RUN
            reason = (unsure or each[0].evidence).statement
            return Verdict(str(claim), status, Strength.NONE, f"on {network}: {reason}", evidence)
    sentence = getattr(claim, "sentence", f"the result equals {claim}")
    if len(networks) == 1 or _covers_all(gathered[0][0]):
        weakest, where = best[0], ""
    else:
        # Of networks shown equally strongly the last: those after the first were judged at smaller sizes.
        weakest, network = min(
            zip(reversed(best), reversed(networks), strict=True), key=lambda pair: pair[0].strength if pair[0] else 0
        )
        where = f" on {network}, which shows it least strongly of the {len(networks)} networks;"
    assert weakest is not None
    text = f"{sentence}:{where} {weakest.statement} ({weakest.scope})"
    return Verdict(str(claim), Status.HOLDS, weakest.strength, text, evidence)


def _covers_all(finding: Finding) -> bool:
    """Whether formal evidence held for every activation, output and loss, so that other networks add nothing to it."""
    return finding.evidence.status is Status.HOLDS and "every output and every loss" in finding.evidence.statement


def _merged(evidence: list[Evidence]) -> tuple[Evidence, ...]:
    """Evidence of one kind on several networks as one entry; anything that does not hold stays on its own."""
    merged: dict[Any, Evidence] = {}
    count: dict[Any, int] = {}
    for e in evidence:
        key = (e.kind, e.status) if e.status in (Status.HOLDS, Status.NOT_RUN) else (e.kind, len(merged), e.statement)
        if key in merged:
            count[key] += 1
            if e.status is Status.HOLDS and e.strength < merged[key].strength:
                merged[key] = e
        else:
            merged[key], count[key] = e, 1
    return tuple(
        dataclasses.replace(e, scope=f"{e.scope}; and {count[key] - 1} more networks at smaller sizes")
        if count[key] > 1 and e.status is Status.HOLDS
        else e
        for key, e in merged.items()
    )
