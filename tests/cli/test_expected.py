"""Known deviations: a claim declared false passes while it is false, and is flagged when it no longer is."""

from __future__ import annotations

import dataclasses
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import plain_rules
import pytest
from test_cli import run
from test_pytest_plugin import session

import gradcheck
from gradcheck import Exact, Report, Status, Strength, Truncated, Verdict
from gradcheck.records import Collection
from gradcheck.reference.errors import GradcheckError
from gradcheck.report import from_json, schema, to_html, to_junit, to_markdown, to_text
from gradcheck.report.text import failure, summary_line
from gradcheck.report.words import outcome

pytest_plugins = "pytester"
RULES = Path(__file__).parents[1] / "plain_rules.py"
WHY = "halved on purpose, see #12"


@pytest.fixture(autouse=True)
def undiagnosed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with the wrong rules here is for tests/evidence/test_diagnosis.py to say."""
    monkeypatch.setattr("gradcheck.engine.tasks.diagnose", lambda *_, **__: None)


def judged(status: Status, *, expected: str = WHY, claim: str = "exact") -> Verdict:
    strength = Strength.PROVED if status is Status.HOLDS else Strength.NONE
    return Verdict(claim, status, strength, f"what was shown of {claim}", expected=expected)


def report_on(*verdicts: Verdict) -> Report:
    return Report("rule", "", ("tanh",), verdicts)


PURE = judged(Status.HOLDS, expected="", claim="pure")
DEVIATES = report_on(PURE, judged(Status.REFUTED))
NO_LONGER = report_on(PURE, judged(Status.HOLDS))


@pytest.fixture(scope="module")
def wrong() -> Report:
    return gradcheck.audit(plain_rules.wrong, effort="quick", expected={"exact": WHY})


def test_a_refutation_that_was_expected_passes(wrong: Report) -> None:
    pure, _, exact = wrong.verdicts
    assert (exact.status, exact.word, exact.expected) == (Status.REFUTED, "REFUTED (expected)", WHY)
    assert exact.counterexample is not None and pure.expected == ""
    assert wrong.passed and wrong.exit_status == 0


def test_an_expectation_that_no_longer_comes_true_is_flagged() -> None:
    report = gradcheck.audit(plain_rules.undeclared, effort="quick", expected={"pure": WHY})
    (pure,) = report.verdicts
    assert (pure.status, pure.word, pure.counts_as) == (Status.HOLDS, "HOLDS (unexpected)", Status.REFUTED)
    assert not report.passed and report.exit_status == 1


@pytest.mark.parametrize("status", Status)
def test_only_holding_and_refuted_are_turned_round(status: Status) -> None:
    turned = {Status.HOLDS: (Status.REFUTED, 1), Status.REFUTED: (Status.HOLDS, 0)}
    report = report_on(judged(status))
    left = {Status.INCONCLUSIVE: 3, Status.NOT_RUN: 3, Status.ERROR: 1}
    counts, exit_status = turned.get(status, (status, left.get(status, 0)))
    assert (report.verdicts[0].counts_as, report.exit_status) == (counts, exit_status)
    assert report.passed == (status is Status.REFUTED)
    assert Collection("all", (report,)).passed == report.passed
    assert Collection("all", (report,)).exit_status == report.exit_status
    plain = report_on(judged(status, expected=""))
    assert plain.passed == (status is Status.HOLDS), "without an expectation nothing is turned round"


@pytest.mark.usefixtures("brief")
def test_a_claim_is_named_as_printed_or_by_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The printed form counts before the kind; judging itself is left out."""
    from gradcheck.engine import scheduler

    async def refuted(self: Any, each: Any) -> None:
        self.judged(each, judged(Status.REFUTED, claim=str(each.claim), expected=""))

    monkeypatch.setattr(scheduler, "answer", refuted)
    claims = [Truncated(1), Truncated(2), Exact()]
    report = gradcheck.audit(
        plain_rules.good, claims, effort="quick", expected={"truncated": "any", "truncated(2)": "two"}
    )
    assert {v.claim: v.expected for v in report.verdicts} == {
        "pure": "", "stable": "", "truncated(1)": "any", "truncated(2)": "two", "exact": "",
    }  # fmt: skip
    assert not report.passed, "exact was not expected to fail"


BAD: list[tuple[Any, str]] = [
    ({"exakt": WHY}, "no claim 'exakt' is made, so none is expected to fail; there is exact, pure, stable"),
    ({"truncated(3)": WHY}, "there is exact, pure, stable"),
    ({"exact": ""}, "why is exact expected to fail? Give a reason as text; got ''"),
    ({"exact": 12}, "Give a reason as text; got 12"),
    (["exact"], "expected must be a dict of claims and reasons"),
]


@pytest.mark.parametrize(("expected", "fragment"), BAD)
def test_an_expectation_about_nothing_is_an_error(expected: Any, fragment: str) -> None:
    for declare in (
        lambda: gradcheck.audit(plain_rules.good, effort="quick", expected=expected),
        lambda: gradcheck.rule(Exact(), expected=expected),
    ):
        with pytest.raises(GradcheckError) as caught:
            declare()
        assert fragment in str(caught.value)


def test_a_rule_declares_what_it_deviates_from() -> None:
    rule = gradcheck.rule(Exact(), expected={"exact": WHY})(lambda problem: plain_rules.wrong(problem))
    report = gradcheck.audit(rule, effort="quick")
    assert report.passed and report.verdicts[-1].word == "REFUTED (expected)", report
    other = gradcheck.audit(rule, [], effort="quick")
    assert other.passed and [v.expected for v in other.verdicts] == [""], "a claim that is not made is not expected"


# The faces


@pytest.mark.parametrize(("report", "word"), [(DEVIATES, "REFUTED (expected)"), (NO_LONGER, "HOLDS (unexpected)")])
def test_every_face_shows_the_word_and_the_reason(report: Report, word: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    for record in (report, Collection("all", (report,))):
        for render in (to_text, to_markdown, to_html, to_junit):
            text = " ".join(render(record).split())
            assert word in text and WHY in text, f"{render.__name__} of a {type(record).__name__}: {text}"
        assert from_json(record.to_json()) == record
        errors = list(jsonschema.Draft202012Validator(schema()).iter_errors(json.loads(record.to_json())))
        assert not errors, errors[0].message
    assert word in summary_line(report).plain and WHY in " ".join(failure("rule", report.verdicts[1]).split())
    assert f'class="badge {"refuted-expected" if report is DEVIATES else "holds-unexpected"}"' in to_html(report)
    assert max(map(len, to_text(report).split("\n"))) <= 80


def test_a_word_and_its_claim_stand_apart() -> None:
    for text in (to_text(DEVIATES), str(NO_LONGER)):
        assert "(expected)  exact" in text or "(unexpected)  exact" in text, text


def test_counts_say_what_was_expected() -> None:
    assert outcome(DEVIATES.verdicts) == "1 of 2 claims hold, exact is refuted as expected"
    assert outcome(NO_LONGER.verdicts) == "both claims hold, exact is not refuted, though expected to be"
    assert "1 is refuted as expected" in to_text(Collection("all", (DEVIATES,)))
    assert "1 rule: both claims hold (1 proved), 1 is not refuted" in " ".join(
        to_text(Collection("all", (NO_LONGER,))).split()
    )


@pytest.mark.parametrize(("report", "failures"), [(DEVIATES, "0"), (NO_LONGER, "1")])
def test_junit_passes_where_the_report_does(report: Report, failures: str) -> None:
    root = ET.fromstring(to_junit(report).encode())
    assert (root.get("failures"), root.get("errors")) == (failures, "0")
    plain = report_on(*(dataclasses.replace(verdict, expected="") for verdict in report.verdicts))
    assert ET.fromstring(to_junit(plain).encode()).get("failures") == ("1" if report is DEVIATES else "0")


def test_on_the_command_line() -> None:
    quick = ("--effort", "quick")
    kept = run("audit", f"{RULES}:wrong", *quick, "--expect", f"exact={WHY}")
    assert kept.exit_code == 0, kept.output
    assert "REFUTED (expected)  exact" in kept.stdout and f"expected to be refuted: {WHY}" in kept.stdout
    gone = run("audit", f"{RULES}:undeclared", *quick, "--expect", "pure=a = b")
    assert gone.exit_code == 1 and "no longer refuted, which was expected: a = b" in gone.stdout, gone.output
    for text, fragment in (("exact", "--expect needs CLAIM=WHY"), ("exact=", "needs CLAIM=WHY"), ("exat=x", "'exat'")):
        bad = run("audit", f"{RULES}:wrong", *quick, "--expect", text)
        assert bad.exit_code == 2 and fragment in bad.stderr, bad.output


def test_in_pytest_it_is_an_xfail_with_the_reason_and_strict(pytester: pytest.Pytester) -> None:
    text = f"""
@gradcheck.parametrize([wrong], expected={{"exact": {WHY!r}}})
def test_deviates(verdict):
    assert verdict.claim in ("pure", "stable"), "the body is not for what fails"

@gradcheck.parametrize([undeclared], expected={{"pure": {WHY!r}}})
def test_no_longer(verdict): ...

@gradcheck.parametrize([undeclared], expected={{"exact": {WHY!r}}})
def test_unusable(verdict): ...
"""
    result = session(pytester, text, "-rx")
    result.assert_outcomes(passed=2, xfailed=1, failed=2)
    result.stdout.fnmatch_lines([f"XFAIL*test_deviates*wrong-exact*{WHY}*"])
    result.stdout.fnmatch_lines(["undeclared, pure: HOLDS (unexpected)"])
    result.stdout.fnmatch_lines(["no claim 'exact' is made*"])
