"""The audits of one pytest session: made when a test needs one, kept, and written as one report."""

from __future__ import annotations

import dataclasses
import re
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from .time_limits import ending_the_audit

if TYPE_CHECKING:
    from ..records import Report, Verdict
    from ..reference.claims import Claim
    from .requests import ClaimTest, Request

_TITLE = "Audits of a pytest session"
_IMPLIED = ("pure", "stable")


@dataclass(eq=False)
class Audits:
    """The audits of this process.

    Attributes:
        path: Where to write the report, if anywhere.
        cases: The folder in which to save counterexamples, if any.
        effort: In place of the effort that a test asks for, if given.
        isolated: Whether rules run in workers.
        one_by_one: Whether each claim has an audit of its own, since its rule's other tests run in other processes.
        parts: The reports by request, of which each has some of the request's claims.
        problems: The message of an audit that could not be made, by request.
        received: The reports of other processes, each after its rule's place, first test and claims in order.
        remarks: The lines to print at the end, each with whether it is bad news.
    """

    path: Path | None = None
    cases: Path | None = None
    effort: str | None = None
    isolated: bool = True
    one_by_one: bool = False
    parts: dict[tuple[Any, ...], list[Report]] = field(default_factory=dict)
    problems: dict[tuple[Any, ...], str] = field(default_factory=dict)
    received: list[tuple[int, str, list[str], str]] = field(default_factory=list)
    remarks: list[tuple[str, bool]] = field(default_factory=list)
    _planned: dict[tuple[Any, ...], list[str]] = field(default_factory=dict)
    _labels: dict[tuple[Any, ...], str] = field(default_factory=dict)
    _rules: list[Any] = field(default_factory=list)  # keeps an id from being used twice
    _interrupted: set[tuple[Any, ...]] = field(default_factory=set)

    def plan(self, test: ClaimTest, node: str) -> None:
        """Note that a test of the session needs this claim."""
        self._rules.append(test.request.rule)
        self._planned.setdefault(test.request.key, []).append(test.claim)
        self._labels.setdefault(test.request.key, node)

    def verdict(self, test: ClaimTest) -> Verdict:
        """Return the verdict on a test's claim, which holds.

        Raises:
            pytest.fail.Exception: The claim does not hold, or could not be judged.
            pytest.xfail.Exception: It is refuted, as was declared.
        """
        if test.problem:
            _fail(test.problem)
        verdict = self._known(test) or self._audited(test)
        if isinstance(verdict, str):
            _fail(verdict)
        name = test.request.name
        saved = self._save(name, verdict)
        if verdict.status.name == "REFUTED" and verdict.counts_as.name == "HOLDS":
            pytest.xfail(f"{name}, {verdict.claim}: {verdict.remark}")
        if verdict.counts_as.name != "HOLDS":
            from ..report.text import failure

            _fail(failure(name, verdict) + saved)
        return verdict

    def _known(self, test: ClaimTest) -> Verdict | str | None:
        key = test.request.key
        if key in self.problems:
            return self.problems[key]
        judged = (verdict for report in self.parts.get(key, ()) for verdict in report.verdicts)
        return next((verdict for verdict in judged if verdict.claim == test.claim), None)

    def _audited(self, test: ClaimTest) -> Verdict | str:
        """Audit the test's claim, together with those of other tests that will need them here."""
        from ..engine.audit import audit
        from ..reference.errors import GradcheckError

        request, key = test.request, test.request.key
        self._rules.append(request.rule)
        alone = self.one_by_one or key in self._interrupted
        names = [test.claim] if alone else self._planned.get(key) or [*map(str, request.claims)]
        how: dict[str, Any] = {"networks": request.networks, "effort": self.effort or request.effort or "quick"}
        try:
            self._interrupted.add(key)
            with ending_the_audit():
                report = audit(
                    request.rule, _selected(request, names), **how,
                    expected=_expectations(request, names), isolated=self.isolated, problems=request.problems,
                )  # fmt: skip
            self._interrupted.discard(key)
            self.parts.setdefault(key, []).append(report)
        except GradcheckError as error:
            self.problems[key] = str(error)
        except Exception:
            text = f"gradcheck itself failed on {request.name}; please report this:\n{traceback.format_exc()}"
            self.problems[key] = text
        return self._known(test) or f"gradcheck itself failed on {request.name}: no verdict on {test.claim}"

    def _save(self, name: str, verdict: Verdict) -> str:
        """Save the counterexample, and return the line that tells where it is."""
        from ..reference.errors import GradcheckError

        if self.cases is None or verdict.counterexample is None:
            return ""
        path = self.cases / (re.sub(r"[^\w.=-]+", "-", f"{name}-{verdict.claim}").strip("-") + ".json")
        try:
            self.cases.mkdir(parents=True, exist_ok=True)
            verdict.counterexample.write(path)
        except (GradcheckError, OSError) as error:
            return f"\n\nthe case could not be saved: {error}"
        return f"\n\nrun it again: gradcheck replay {path} <module>:{name}"

    def to_send(self) -> list[tuple[int, str, list[str], str]]:
        """Return a rule's place, its first test, its claims in order and a report as text, for another process."""
        places = {key: number for number, key in enumerate(self._labels)}
        return [
            (places.get(key, 0), self._labels.get(key, ""), _claims_of(key), report.to_json())
            for key, parts in self.parts.items()
            for report in parts
        ]

    def reports(self) -> list[Report]:
        """Return one report per request, from this process and from those that sent theirs."""
        from ..report import from_json

        groups: dict[object, list[Any]] = {}
        order: dict[object, tuple[int, Sequence[str]]] = {}
        for place, (key, parts) in enumerate(self.parts.items()):
            label = self._labels.get(key, key)
            groups.setdefault(label, []).extend(parts)
            order[label] = (list(self._labels).index(key) if key in self._labels else place, _claims_of(key))
        for place, label, names, text in self.received:
            groups.setdefault(label, []).append(from_json(text))
            order[label] = (place, names)
        return [_merged(groups[label], order[label][1]) for label in sorted(groups, key=lambda label: order[label][0])]

    def write(self) -> bool:
        """Write the report, and keep a remark on it. Return False if it could not be written."""
        from ..records import Collection
        from ..reference.errors import GradcheckError

        reports = self.reports()
        if self.path is None or not reports:
            self.remarks.append((f"no audit was made; {self.path} was not written", False))
            return True
        try:
            Collection(_TITLE, tuple(reports)).write(self.path)
        except GradcheckError as error:
            self.remarks.append((str(error), True))
            return False
        audits = "1 audit" if len(reports) == 1 else f"{len(reports)} audits"
        self.remarks.append((f"wrote {self.path} ({audits})", False))
        return True


SESSIONS = [Audits()]
"""The audits of the running session come last. The first are for runs in which the plugin is not loaded, as with
PYTEST_DISABLE_PLUGIN_AUTOLOAD: the tests are judged all the same."""


def _fail(text: str) -> NoReturn:
    failure = pytest.fail.Exception(text, pytrace=False)
    failure.of_a_claim = True  # type: ignore[attr-defined]
    raise failure


def _selected(request: Request, names: Iterable[str]) -> tuple[Claim, ...] | None:
    """Return the claims of the request with these names; None if the rule declares exactly these."""
    from ..reference.claims import Pure, with_stable

    claims = tuple(claim for claim in with_stable(request.claims) if str(claim) in set(names))
    if request.declared and claims == request.claims:
        return None
    return claims or (Pure(),)


def _expectations(request: Request, names: Sequence[str]) -> dict[str, str] | None:
    """Return the expectations that concern claims with these names, by name or by kind."""
    if request.expected is None:
        return None
    concerned = {*_IMPLIED, *names, *(name.partition("(")[0] for name in names)}
    return {claim: reason for claim, reason in request.expected if claim in concerned}


def _claims_of(key: Any) -> list[str]:
    """Return the names of a request's claims, in its order, from its key."""
    return [str(claim) for claim in key[1]]


def _merged(parts: Sequence[Report], order: Sequence[str]) -> Report:
    """Return one report with each claim that any part has, once: `pure`, then in this order, whoever came first."""
    parts = sorted(
        parts, key=lambda part: min((order.index(v.claim) for v in part.verdicts if v.claim in order), default=-1)
    )
    verdicts = {verdict.claim: verdict for part in parts for verdict in part.verdicts}
    names = sorted(verdicts, key=lambda name: order.index(name) if name in order else -1)
    stages = {(stage.name, stage.statement): stage for part in parts for stage in part.stages}
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    from ..rules.coverage.extent import Tried

    tried = Tried()
    for extent in (part.extent for part in parts if part.extent is not None):
        tried.include(dataclasses.asdict(extent))
    return dataclasses.replace(
        parts[0],
        verdicts=tuple(verdicts[name] for name in names),
        stages=tuple(stages.values()),
        notes=tuple(notes),
        sources=tuple(dict.fromkeys(source for part in parts for source in part.sources)),
        extent=tried.extent(),
    )
