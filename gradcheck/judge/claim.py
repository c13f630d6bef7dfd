"""One claim judged on every network that it is promised for: evidence gathered, weighed, and answered for.

Evidence that speaks against a claim ends in one of three ways. A counterexample beyond rounding refutes the claim.
Where there is none on floats, the rounding of the rule's own constants may explain the difference (`constants`), and
floats then say the most that can be said of that network. What is not explained leaves the claim INCONCLUSIVE, however
much else speaks for it.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..engine.effort import Effort
from ..evidence.base import Case, Finding, vacuous
from ..evidence.exact import constants, enclosure, formal, ladder, modular
from ..evidence.floats import blackbox
from ..evidence.floats import plans as floats
from ..evidence.pieces import Part, Piece, Plan, Shown, gather, made, whole
from ..explain import counterexample as counter
from ..explain.diagnosis import diagnose
from ..records import Evidence, Status, Strength, Verdict
from ..reference.claims import Claim
from ..reference.errors import GradcheckError
from ..reference.networks.base import RecurrentNetwork
from ..rules.adapt import Rule
from .conclude import Gathered, conclude, merge

Progress = Callable[[str], None]
Lost = Callable[[Claim, str], Finding | None]
"""What stands for a kind of evidence that the rule did not let be gathered, if it did not."""
Found = Callable[[str, Evidence], None]
"""Called with a claim and each kind of evidence on it as soon as that is there."""


class Maker:
    """Makes the pieces of evidence, here and one after the other; another takes them from where they were made."""

    def planned(self, case: Case, plan: Plan) -> Plan:
        """The plan that is followed where this one is."""
        return plan

    def made(self, case: Case, plan: Plan, piece: Piece, before: Sequence[Shown], told: Progress) -> Part:
        """What comes of one of its pieces; see `evidence.pieces.made`."""
        return made(plan, piece, before, told)


@dataclass(frozen=True)
class Judge:
    """Judges claims of one rule. progress is told each step; lost is asked before each kind of evidence."""

    rule: Rule
    networks: Sequence[RecurrentNetwork]
    effort: Effort
    seed: int
    progress: Progress
    lost: Lost
    found: Found
    maker: Maker = field(default_factory=Maker)

    def __call__(self, claim: Claim) -> tuple[Verdict, tuple[int, int]]:
        """The verdict, and how many planted faults its evidence was given and rejected."""
        gathered: list[Gathered] = []
        ended: Verdict | None = None
        try:
            for network in self.networks:
                case = Case(self.rule, claim, network, self.seed)
                alike = next((g for g in gathered if type(g.network) is type(network)), None)
                each = Gathered(network, self._gather(case, alike), alike.proof if alike else None)
                against = each.findings[-1] if each.findings[-1].evidence.status is Status.REFUTED else None
                evidence = merge([f.evidence for g in (*gathered, each) for f in g.findings])
                outcome = self._answer(case, against, evidence) if against else each
                if isinstance(outcome, Verdict):
                    ended = outcome
                elif outcome is not each:
                    each = dataclasses.replace(outcome, findings=(*each.findings[:-1], *outcome.findings))
                gathered.append(each)
                if ended:
                    break
        except GradcheckError as error:
            ended = Verdict(str(claim), Status.ERROR, Strength.NONE, str(error))
        findings = [finding for each in gathered for finding in each.findings]
        planted = (sum(f.planted[0] for f in findings), sum(f.planted[1] for f in findings))
        return ended or self._conclude(claim, gathered, merge([f.evidence for f in findings])), planted

    def _conclude(self, claim: Claim, gathered: list[Gathered], evidence: tuple[Evidence, ...]) -> Verdict:
        failed = next((e for e in evidence if e.status is Status.ERROR), None)
        if failed:
            return Verdict(str(claim), Status.ERROR, Strength.NONE, failed.statement, evidence)
        return conclude(claim, gathered, evidence)

    # Evidence

    def _gather(self, case: Case, alike: Gathered | None) -> tuple[Finding, ...]:
        """Every kind of evidence on one network, up to the first that speaks against the claim."""
        plans = self.plans(case, first=alike is None)
        plans = [plan for plan in plans if plan.kind != formal.KIND] if alike and alike.proof else plans
        return self._gathered(case, plans, self.maker)

    def _gathered(self, case: Case, plans: Sequence[Plan], maker: Maker) -> tuple[Finding, ...]:
        findings: list[Finding] = []
        for plan in plans:
            told, make = self._teller(f"{case.claim}, {plan.kind}"), functools.partial(maker.made, case)
            findings.append(self.lost(case.claim, plan.kind) or gather(maker.planned(case, plan), told, make))
            self.found(str(case.claim), findings[-1].evidence)
            if findings[-1].evidence.status is Status.REFUTED:
                break
        return tuple(findings)

    def plans(self, case: Case, *, first: bool) -> list[Plan]:
        """The kinds of evidence on one network, in order; one after the first of its kind is judged at smaller sizes.

        There the formal kind is called for only where no proof on the first covers it.
        """
        effort = self.effort
        most = 2 if first else 1
        modular_sizes = effort.modular_sizes if first else modular.SMALL_SIZES
        ball_sizes = effort.enclosure_sizes if first else enclosure.SMALL_SIZES[:1]
        plans = [
            formal.plan(case, largest_T=effort.formal_T, shapes=effort.formal_shapes),
            modular.plan(case, sizes=modular_sizes, most_settings=most),
            enclosure.plan(case, sizes=ball_sizes, most_settings=most),
        ]
        if first:
            plans.append(whole(ladder.KIND, lambda told: ladder.judge(case, digits=effort.digits, progress=told)))
        on_floats = floats.plans(case, effort.floats if first else floats.FURTHER)
        if vacuous(case.claim, effort.floats.float64):  # what does not look for a longer problem says nothing here
            on_floats = [plan for plan in on_floats if plan.kind in ("float64", "float32")]
        return plans + on_floats

    def _teller(self, prefix: str) -> Progress:
        return lambda text: self.progress(f"{prefix} {text}")

    # What speaks against the claim

    def _answer(self, case: Case, against: Finding, evidence: tuple[Evidence, ...]) -> Verdict | Gathered:
        """The verdict that it leads to, or what can be said of the network where rounded constants explain it."""
        claim, kind = case.claim, against.evidence.kind
        assert against.witness is not None
        if kind not in floats.KINDS and not self.lost(claim, "constants"):
            self.progress(f"{claim}, asking whether rounded constants explain what {kind} evidence found")
            if constants.explain(case, against.witness):
                return self._explained(case, against, evidence)
        said = f"{kind} evidence speaks against it ({against.evidence.statement})"
        text = f"{said}, but no certified counterexample was found"
        return (
            self._refuted(case, against, evidence)
            or self._on_floats(case, evidence)
            or Verdict(str(claim), Status.INCONCLUSIVE, Strength.NONE, text, evidence)
        )

    def _on_floats(self, case: Case, evidence: tuple[Evidence, ...]) -> Verdict | None:
        """The verdict where float64 evidence, not asked yet, leads to a counterexample."""
        if any(e.kind == "float64" for e in evidence):
            return None
        double = self.lost(case.claim, "float64") or blackbox.judge(
            case, progress=self._teller(f"{case.claim}, float64")
        )
        return self._refuted(case, double, (*evidence, double.evidence)) if double.witness else None

    def _explained(self, case: Case, against: Finding, evidence: tuple[Evidence, ...]) -> Verdict | Gathered:
        """What floats say of a network where the rounding of constants explains what other numbers found."""
        claim, found = case.claim, against.evidence
        findings = self._gathered(case, floats.plans(case, self.effort.floats), Maker())
        last = findings[-1]
        evidence = (*evidence, *(f.evidence for f in findings))
        said = f"{found.kind} evidence speaks against it ({found.statement})"
        if last.evidence.status is Status.REFUTED:
            text = f"{said}, and {last.evidence.kind} evidence too ({last.evidence.statement}), but no certified "
            unsure = Verdict(
                str(claim), Status.INCONCLUSIVE, Strength.NONE, f"{text}counterexample was found", evidence
            )
            return self._refuted(case, last, evidence) or unsure
        double = next(f.evidence for f in findings if f.evidence.kind == "float64")
        if double.status is not Status.HOLDS:
            return Verdict(str(claim), Status.INCONCLUSIVE, Strength.NONE, f"{said}, and {double.statement}", evidence)
        text = f"on floats {double.statement}; without rounding its code gives something else, as rounded constants do"
        shown = dataclasses.replace(double, statement=f"{text}: {said}")
        excused = dataclasses.replace(
            found,
            status=Status.INCONCLUSIVE,
            statement=f"{found.statement}; the rounding of the rule's own constants explains it",
        )
        return Gathered(case.network, (dataclasses.replace(against, evidence=excused), *findings), None, most=shown)

    def _refuted(self, case: Case, against: Finding, evidence: tuple[Evidence, ...]) -> Verdict | None:
        """REFUTED with a certified counterexample, if one is found; ERROR where the rule did not survive the search."""
        claim = str(case.claim)
        self.progress(f"{claim}, looking for a small counterexample")
        assert against.witness is not None
        if lost := self.lost(case.claim, "counterexample"):
            had = f"{against.evidence.kind} evidence had spoken against it ({against.evidence.statement})"
            text = f"{lost.evidence.statement}, while a counterexample was looked for: {had}"
            return Verdict(claim, Status.ERROR, Strength.NONE, text, evidence)
        found = counter.find(case, against.witness)
        if found is None:
            return None
        example = counter.counterexample(case, found)
        at = ", ".join([str(found.problem.sizes), *(f"{k}={v}" for k, v in found.settings.items())])
        text = f"{example.entry} is {example.got}, should be {example.true} ({at})"
        cause = None
        if not self.lost(case.claim, "diagnosis"):
            told = self._teller(f"{claim},")
            cause = diagnose(case, found.settings, found.problem, dtype=found.dtype, progress=told)
        return Verdict(claim, Status.REFUTED, Strength.CERTIFIED, text, evidence, example, cause)
