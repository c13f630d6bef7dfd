"""From claims to verdicts: purity, liveness, oracle agreement, claims, discrimination, in that order.

A stage that fails marks what depends on it NOT RUN, with the reason. A verdict is as strong as the strongest
evidence that holds, and any evidence against it wins: then a certified counterexample is looked for, and
without one the verdict is INCONCLUSIVE, never REFUTED.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..evidence.base import Case, Finding, lost
from ..evidence.cost import counted as counting
from ..evidence.exact import formal
from ..evidence.preconditions import liveness, oracles, purity
from ..judge import costs as costing
from ..judge.claim import Found, Judge, Maker
from ..judge.conclude import merge
from ..records import Cause, Evidence, Report, Stage, Status, Strength, Verdict
from ..reference.claims import Claim, Cost, Equals, LagClaim, Online, Pure, checked_expectations
from ..reference.errors import GradcheckError
from ..reference.networks.base import RecurrentNetwork, Sizes
from ..rules.adapt import Rule, as_rule, at_the_claims_settings
from ..rules.call import RuleFailed, WrongResult
from .course import ORACLES, PURITY, Course, Loss
from .effort import EFFORTS, Effort
from .isolation import parent as isolation
from .isolation.parent import Limits

Progress = Callable[[str], None]
"""Called with one line of text at each step of an audit."""


def prepared(
    rule: Any,
    claims: Sequence[Claim] | None = None,
    *,
    networks: Sequence[RecurrentNetwork] | None = None,
    weighted: bool | None = None,
    effort: str = "full",
    seed: int = 0,
    expected: Mapping[str, str] | None = None,
) -> tuple[Rule, list[str]]:
    """The rule to audit, with what it is judged on, and what the reader should know. Raises as `gradcheck.audit`."""
    if effort not in EFFORTS:
        raise GradcheckError(f"there is no effort {effort!r}; choose one of {', '.join(EFFORTS)}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise GradcheckError(f"a seed is a whole number, at least 0; got {seed!r}")
    audited, note = at_the_claims_settings(as_rule(rule, claims=claims, networks=networks, weighted=weighted))
    for claim in audited.declaration.claims:
        claim.bind(audited.settings(1)[0])
        if isinstance(claim, Cost):
            counting.bounds(claim, tuple(audited.settings(1)[0]))
    if expected is not None:
        known = checked_expectations(expected, audited.declaration.claims)
        audited = dataclasses.replace(audited, declaration=dataclasses.replace(audited.declaration, expected=known))
    return audited, [note] if note else []


class Interrupted(KeyboardInterrupt):
    """An audit was interrupted; `report` has the claims that were judged, the rest as NOT RUN."""

    def __init__(self, report: Report) -> None:
        self.report = report
        super().__init__(f"the audit of {report.rule} was interrupted")


class Audit:
    """One audit, step by step; see `course.Auditing`."""

    def __init__(self, rule: Rule, effort: Effort, seed: int, progress: Progress) -> None:
        self.rule, self.effort, self.seed = rule, effort, seed
        self.progress: Progress = lambda text: progress(f"{rule.name}: {text}")
        self.reaching: Progress = lambda kind: None
        self.found: Found = lambda claim, evidence: None
        self.maker = Maker()
        self.networks = rule.declaration.networks
        self.claims = [c for c in rule.declaration.claims if not isinstance(c, Pure)]
        self.verdicts: list[Verdict] = []
        self.stages: list[Stage] = []
        self.planted = [0, 0]
        self.compared, self.blocked = False, ""
        self.losses: dict[tuple[str, str], Loss] = {}
        self.notes: list[str] = []
        self.sought: set[Any] = set()

    def __reduce__(self) -> tuple[Any, ...]:
        declared = self.rule.declaration
        how = {"claims": declared.claims, "networks": declared.networks, "weighted": declared.weighted}
        return _remade, (self.rule.target, how, self.effort, self.seed, self.course)

    @property
    def course(self) -> Course:
        return Course(
            tuple(self.verdicts), tuple(self.stages), (self.planted[0], self.planted[1]), self.compared, self.blocked,
            tuple(self.losses.values()),
        )  # fmt: skip

    @course.setter
    def course(self, reached: Course) -> None:
        self.verdicts, self.stages, self.planted = list(reached.verdicts), list(reached.stages), list(reached.planted)
        self.compared, self.blocked = reached.compared, reached.blocked
        self.losses = {(loss.claim, loss.kind): loss for loss in reached.losses}

    @property
    def waiting(self) -> str:
        if not self.verdicts:
            return PURITY
        if not self.compared:
            return ORACLES
        return str(self.claims[len(self.verdicts) - 1]) if len(self.verdicts) <= len(self.claims) else ""

    @property
    def rule_free(self) -> bool:
        if self.waiting == ORACLES:
            return bool(self.blocked) or all(type(n).__module__ == RecurrentNetwork.__module__ for n in self.networks)
        return self.waiting != PURITY and bool(self.blocked)

    def advance(self) -> None:
        if self.waiting == PURITY:
            pure, self.blocked = self._purity()
            self.verdicts.append(pure)
        elif self.waiting == ORACLES:
            self.blocked = self.blocked or self._liveness_and_oracles()
            self.compared = True
        else:
            self.verdicts.append(self._judge(self.claims[len(self.verdicts) - 1], self.blocked))

    def give_up(self, loss: Loss) -> None:
        text = f"{self.rule.name} {loss.reason}"
        if self.waiting == PURITY:
            evidence = Evidence("purity", Status.ERROR, Strength.NONE, text)
            self._stage("purity", Status.ERROR, text)
            self.verdicts.append(Verdict("pure", Status.ERROR, Strength.NONE, text, (evidence,)))
            self.blocked = text
        elif self.waiting == ORACLES:
            self._stage("oracle agreement", Status.ERROR, text)
            self.compared, self.blocked = True, f"the oracles could not be compared: {text}"
        elif loss.kind and (loss.claim, loss.kind) not in self.losses:
            self.losses[loss.claim, loss.kind] = dataclasses.replace(loss, reason=text)  # judge it without
        else:
            self.verdicts.append(Verdict(loss.claim, Status.ERROR, Strength.NONE, text))

    def derive(self, wanted: Any) -> None:
        """A formal reference. Who asks a second time for the same family is likely to need all of its sizes."""
        network, sizes, weighted = wanted
        again = any((network, weighted) == (known, w) for known, _, w in self.sought)
        shapes = self.effort.formal_shapes if again else [(sizes.I, sizes.D, sizes.K)]
        for shape in shapes:
            self.progress(f"deriving the gradient of {network} at (I, D, K) = {shape}")
            with contextlib.suppress(GradcheckError):  # the worker meets it too, and says so
                formal.reference(network, Sizes(sizes.T, *shape), weighted)

    def report(self, limits: Limits | None) -> Report:
        """Judge all of it, within limits in processes of its own, without in this one."""
        stopped = False
        try:
            if limits:
                isolation.judge(self, limits)
            while self.waiting:
                self.advance()
        except KeyboardInterrupt:
            stopped = True
            waiting = ["pure", *map(str, self.claims)][len(self.verdicts) :]
            self.verdicts += [Verdict(c, Status.NOT_RUN, Strength.NONE, "not judged: interrupted") for c in waiting]
        self._discrimination(stopped or bool(self.blocked))
        if not self.claims:
            self.notes.append("no claim about its result was judged; give one with --claim or gradcheck.rule")
        if self.rule.assumed:
            self.notes.append(
                "it declares no claim, so it was judged on exact; give another with --claim or gradcheck.rule"
            )
        report = Report(
            rule=self.rule.name,
            summary=self.rule.summary,
            networks=tuple(f"{n.name}: {n}" for n in self.networks),
            verdicts=tuple(map(self._expected, self.verdicts)),
            stages=tuple(self.stages),
            notes=tuple(self.notes),
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
                text = self._on(network, str(error))
                evidence = Evidence("purity", status, Strength.NONE, text, details={"where": where} if where else {})
                self._stage("purity", status, text)
                return Verdict("pure", status, Strength.NONE, text, (evidence,)), text
            if finding.evidence.status is not Status.HOLDS:
                said = dataclasses.replace(finding.evidence, statement=self._on(network, finding.evidence.statement))
                finding = dataclasses.replace(finding, evidence=said)
            findings.append(finding)
            self.found("pure", finding.evidence)
            if finding.evidence.status is not Status.HOLDS:
                break
        last = findings[-1].evidence
        self._stage("purity", last.status, last.statement)
        verdict = Verdict("pure", last.status, last.strength, last.statement, merge([f.evidence for f in findings]))
        stateful = last.cause is Cause.KEEPS_STATE
        return verdict, f"the rule is not a function of its problem: {last.statement}" if stateful else ""

    def _on(self, network: RecurrentNetwork, text: str) -> str:
        return f"on {network.name}: {network}, {text}" if len(self.networks) > 1 else text

    def _liveness_and_oracles(self) -> str:
        """Why no claim can be judged, if none can: every network's problems must be alive, its oracles agree."""
        weighted, sizes = self.rule.declaration.weighted, self.effort.enclosure_sizes
        dead, disagree, first = "", "", ""
        for number, network in enumerate(self.networks):
            self.progress(f"liveness and oracle agreement, {network}")
            try:
                alive = liveness.liveness(network, sizes[-1 if number == 0 else 0], self.seed, weighted)
                agreement = (
                    oracles.agreement(network, oracles.SMALL_SIZE, with_sympy=False)
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
        what = "planted faults, each one missing lag on the same problems,"
        if rejected == given:
            self._stage("discrimination", Status.HOLDS, f"{rejected} of {given} {what} were rejected")
            return
        passed = f"{given - rejected} of {given} {what} passed for right; what holds here may hide such a fault"
        self._stage("discrimination", Status.INCONCLUSIVE, passed)

    def _stage(self, name: str, status: Status, statement: str) -> None:
        self.stages.append(Stage(name, status, statement))

    # Claims

    def _judge(self, claim: Claim, blocked: str) -> Verdict:
        if blocked:
            return Verdict(str(claim), Status.NOT_RUN, Strength.NONE, f"not judged: {blocked}")
        if isinstance(claim, (Cost, Online)):
            return costing.judge(self.rule, claim, self.seed, self.progress, self._lost, self.found)
        if not isinstance(claim, (LagClaim, Equals)):
            reason = f"this version has no evidence for the claim {claim.kind!r}"
            return Verdict(str(claim), Status.NOT_RUN, Strength.NONE, reason)
        judge = Judge(
            self.rule, self.networks, self.effort, self.seed, self.progress, self._lost, self.found, self.maker
        )
        verdict, (given, rejected) = judge(claim)
        self.planted[0] += given
        self.planted[1] += rejected
        return verdict

    def _lost(self, claim: Claim, kind: str) -> Finding | None:
        """What stands for a kind of evidence that the rule did not let be gathered, if it did not."""
        self.reaching(kind)
        loss = self.losses.get((str(claim), kind))
        return None if loss is None else lost(kind, loss.reason)


def _remade(target: Any, how: dict[str, Any], effort: Effort, seed: int, reached: Course) -> Audit:
    """An audit that was pickled; the settings that a rule declares come with the rule."""
    audit = Audit(as_rule(target, **how), effort, seed, lambda _: None)
    audit.course = reached
    return audit
