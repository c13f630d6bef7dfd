"""Words that the renderings share: names of outcomes, their order, counts in sentences, tables of series."""

from __future__ import annotations

import importlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from ..records import (
    Chapter,
    Collection,
    Counterexample,
    Evidence,
    Figure,
    Provenance,
    Report,
    Statement,
    Status,
    Strength,
    Verdict,
)
from ..reference.errors import GradcheckError

ROUNDING_FREE = "ROUNDING-FREE"
"""Printed for `Strength.EXACT`, which a reader would take for the claim `exact`."""
MEANINGS = {
    "PROVED": "An identity of polynomials: it holds for all values of parameters, inputs and targets at the sizes "
    "given, for every activation and loss of the family named. Or: each of the cases named was computed without "
    "rounding.",
    ROUNDING_FREE: "Equality in arithmetic without rounding, at random points of finite fields; the probability that "
    "a wrong rule passes is bounded and stated. Of a cost: operations were counted, and the polynomial through the "
    "counts is within the bound. (The JSON calls this strength EXACT. It grades evidence; `exact` is a claim.)",
    "CERTIFIED": "A rigorous enclosure, or a derived rounding bound, contains the difference on the problems named.",
    "SUPPORTED": "Tested on the problems named and not contradicted. This is no proof.",
    "HOLDS": "The claim holds; its strength is not graded.",
    "REFUTED": "The claim is false. A counterexample shows it, and the violation is certified not to be rounding.",
    "REFUTED (expected)": "The claim is false, as was declared, for the reason given. This counts as a pass.",
    "HOLDS (unexpected)": "The claim was declared to be false and is not refuted. This is no pass.",
    "INCONCLUSIVE": "Neither shown nor refuted.",
    "NOT RUN": "Not judged. This never counts as a pass.",
    "ERROR": "The rule failed while it was judged.",
}
"""Every word for an outcome, strongest first, and its meaning."""
GRADES = ("PROVED", ROUNDING_FREE, "CERTIFIED", "SUPPORTED")
CLAIMS_AND_GRADES = (
    "Words in capitals grade an outcome. Words in lower case, such as `exact`, `online` or `truncated(3)`, name "
    "claims: `exact` is the claim that the result is the gradient, with nothing left out. So `exact PROVED` reads: the "
    "claim to be the gradient was proved."
)

KINDS = (
    "formal", "modular", "enclosure", "ladder", "counting",
    "lagwise", "float64", "float32", "float ladder", "properties", "purity",
)  # fmt: skip
"""Ways of knowing in the order of the columns; others follow in the order in which they are met."""

# The word for a group of outcomes is the first of these that it contains.
_WORST_FIRST = (
    "ERROR", "REFUTED", "HOLDS (unexpected)", "INCONCLUSIVE", "NOT RUN", "REFUTED (expected)", "HOLDS", "SUPPORTED",
    "CERTIFIED", ROUNDING_FREE, "PROVED",
)  # fmt: skip
_BROKEN_FIRST = ("REFUTED", "ERROR", "HOLDS (unexpected)", "INCONCLUSIVE", "NOT RUN")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def word(outcome: Verdict | Evidence) -> str:
    """Return the word for an outcome: its strength where it holds, else its status."""
    if isinstance(outcome, Verdict):
        name = outcome.word
    else:
        graded = outcome.status is Status.HOLDS and outcome.strength
        name = outcome.strength.name if graded else outcome.status.label
    return ROUNDING_FREE if name == Strength.EXACT.name else name


def worst(words: Iterable[str]) -> str:
    """Return the word for a group of outcomes: its weakest."""
    return min(words, key=_WORST_FIRST.index)


def ordered(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Return verdicts as a reader wants them: refuted first, then all else that does not hold; purity last."""

    def place(verdict: Verdict) -> tuple[int, bool]:
        broken = verdict.word in _BROKEN_FIRST
        rank = _BROKEN_FIRST.index(verdict.word) if broken else len(_BROKEN_FIRST)
        return rank, verdict.claim == "pure" and not broken

    return sorted(verdicts, key=place)


def headline(report: Report) -> tuple[str, str]:
    """Return the one word for an audit, and a phrase: ("REFUTED", "exact is refuted, 2 of 3 claims hold")."""
    if not report.verdicts:
        return "NOT RUN", "no claim was judged"
    first = ordered(report.verdicts)[0]
    if report.passed:
        return "PASSED", outcome(report)
    same = [v.claim for v in report.verdicts if v.word == first.word]
    named = same[0] if len(same) == 1 else f"{len(same)} claims"
    return first.word, f"{named} {'is' if len(same) == 1 else 'are'} {_BROKEN[first.word]}, {_held(report)}"


def clean(text: str) -> str:
    """Return text without the control characters that drive a terminal or break XML; tabs and newlines stay."""
    return _CONTROL.sub("\ufffd", str(text).replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return text on one line, without control characters."""
    return " ".join(clean(text).split())


def need(module: str, purpose: str) -> Any:
    """Import an optional module.

    Raises:
        GradcheckError: It is not installed; the message has the install line.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        raise GradcheckError(f"{purpose} needs {name}, which is not installed; try: pip install {name}") from error


def claim_kind(claim: str) -> str:
    """Return the kind of a claim as printed: "truncated" of "truncated(3)"."""
    return claim.partition("(")[0].strip() or claim


def evidence_kinds(reports: Iterable[Report]) -> list[str]:
    """Return the ways of knowing that occur, in the order of `KINDS`."""
    found = dict.fromkeys(e.kind for r in reports for v in r.verdicts for e in v.evidence)
    return [k for k in KINDS if k in found] + [k for k in found if k not in KINDS]


def outcome(report: Report) -> str:
    """Return a report in one phrase: "all 3 claims hold", "2 of 3 claims hold, 1 is refuted as expected"."""
    words = Counter(map(word, report.verdicts))
    parts = [_held(report)]
    parts += [f"{words[w]} {'is' if words[w] == 1 else 'are'} {_BROKEN[w]}" for w in _EXPECTATIONS if words[w]]
    return ", ".join(parts)


def _held(report: Report) -> str:
    total, held = len(report.verdicts), sum(v.status is Status.HOLDS for v in report.verdicts)
    if not total:
        return "no claim was judged"
    if held == total:
        return {1: "its one claim holds", 2: "both claims hold"}.get(total, f"all {total} claims hold")
    return f"{held} of {total} claims hold" if held else f"none of its {_count(total, 'claim')} holds"


def claims_sentence(verdicts: Sequence[Verdict], subject: str) -> str:
    """Return counts in words: "Of 9 claims about 4 rules, 6 hold (3 proved, 3 certified). 1 is refuted."."""
    counts = Counter(word(v) for v in verdicts)
    held = sum(v.status is Status.HOLDS and not v.expected for v in verdicts)
    if not verdicts:
        return f"No claim about {subject} was judged."
    strengths = ", ".join(f"{counts[w]} {w.lower()}" for w in GRADES if counts[w])
    sentence = (
        f"Of {_count(len(verdicts), 'claim')} about {subject}, {held or 'none'} {'hold' if held > 1 else 'holds'}"
    )
    sentence += f" ({strengths})." if strengths else "."
    rest = [(counts[w], _BROKEN[w]) for w in _BROKEN if counts[w]]
    if rest:
        parts = [f"{n} {'is' if n == 1 else 'are'} {what}" for n, what in rest]
        sentence += f" {'; '.join(parts)}."
    return sentence


_EXPECTATIONS = ("REFUTED (expected)", "HOLDS (unexpected)")
_BROKEN = {
    "REFUTED": "refuted",
    "REFUTED (expected)": "refuted as expected",
    "HOLDS (unexpected)": "not refuted, though expected to be",
    "INCONCLUSIVE": "inconclusive",
    "NOT RUN": "not run",
    "ERROR": "cut short by an error",
}


def collection_sentence(collection: Collection) -> str:
    """Return the collection in a paragraph of counts."""
    verdicts = [v for r in collection.reports for v in r.verdicts]
    sentence = claims_sentence(verdicts, _count(len(collection.reports), "rule")) if collection.reports else ""
    return " ".join([sentence, statements_sentence([s for c in collection.chapters for s in c.statements])]).strip()


def statements_sentence(statements: Sequence[Statement]) -> str:
    """Return counts of the statements that hold as stated, as corrected, or not; empty where there are none."""
    if not statements:
        return ""
    printed = sum(s.verdict.status is Status.HOLDS for s in statements)
    corrected = sum(_holds_corrected(s) for s in statements)
    rest = len(statements) - printed - corrected
    parts = [f"{printed} {'holds' if printed == 1 else 'hold'} as stated"]
    if corrected:
        parts.append(f"{corrected} {'holds' if corrected == 1 else 'hold'} as corrected")
    if rest:
        parts.append(f"{rest} {'does' if rest == 1 else 'do'} not hold or {'is' if rest == 1 else 'are'} undecided")
    return f"Of {_count(len(statements), 'judged statement')}, {_listed(parts)}."


def sections(chapter: Chapter) -> tuple[list[tuple[str, list[Statement], list[Figure]]], list[Figure]]:
    """Return (title, statements, figures) of each section, and the figures that belong to no section.

    A section that returns later is a new one; its figures stand after its last statements.
    """
    groups = [(title, list(rows)) for title, rows in groupby(chapter.statements, key=lambda s: s.section)]
    last = {title: number for number, (title, _) in enumerate(groups) if title}
    placed = [
        (title, rows, [figure for figure in chapter.figures if last.get(figure.section) == number])
        for number, (title, rows) in enumerate(groups)
    ]
    return placed, [figure for figure in chapter.figures if figure.section not in last]


def statement_outcome(statement: Statement) -> str:
    """Return the outcome of a judged statement in one phrase."""
    if statement.verdict.status is Status.HOLDS:
        return "holds as stated"
    if _holds_corrected(statement):
        return "holds as corrected"
    return {Status.REFUTED: "does not hold", Status.NOT_RUN: "not judged"}.get(statement.verdict.status, "undecided")


def _holds_corrected(statement: Statement) -> bool:
    corrected = statement.corrected_verdict
    return statement.verdict.status is not Status.HOLDS and corrected is not None and corrected.status is Status.HOLDS


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def shown(value: Any, limit: int = 400) -> str:
    """Return a value of an evidence's details, or of a problem, to print; a long one is cut, with a note."""
    text = _shown(value)
    return text if len(text) <= limit else f"{text[:limit].rstrip()} ... ({len(text)} characters; whole in the JSON)"


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, float):
        return number(value)
    if isinstance(value, dict):
        return "; ".join(f"{key} = {_shown(item)}" for key, item in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    return clean(str(value))


def number(value: float) -> str:
    """Return a float with six significant digits; the JSON has them all."""
    return f"{value:.6g}" if math.isfinite(value) else {"nan": "not a number"}.get(str(value), str(value))


def networks(report: Report, most: int = 3) -> list[str]:
    """Return the networks of an audit, one line each; of more than `most`, their number and the first."""
    if len(report.networks) <= most:
        return list(report.networks)
    return [f"{len(report.networks)} networks, the first {report.networks[0]}"]


def warnings(report: Report) -> list[str]:
    """Return what to know before trusting any verdict of the audit: a sentence for each stage that fell short."""
    return [f"{s.name}: {s.statement}" for s in report.stages if s.status is Status.INCONCLUSIVE]


def distance(got: str, gap: str, allowance: str) -> str:
    """Return the distance of a result from its true value and the rounding allowance, in words."""
    spoken = {"nan": "it is not a number", "inf": "it is infinite", "-inf": "it is infinite"}.get(got.strip())
    allowed = f", rounding allows {allowance}" if allowance not in ("", "0") else ""
    return spoken or f"{gap}{allowed}"


def facts(counterexample: Counterexample) -> list[tuple[str, str]]:
    """Return what a counterexample shows, as (label, text) pairs."""
    pairs = [
        ("entry", counterexample.entry),
        ("expected", counterexample.true),
        ("got", counterexample.got),
        ("gap", distance(counterexample.got, counterexample.gap, "")),
        ("allowance", counterexample.allowance),
        ("not rounding", counterexample.certified),
    ]
    return [(label, text) for label, text in pairs if text]


def series_table(figure: Figure, limit: int = 0) -> tuple[list[str], list[list[str]], int]:
    """Return a figure's series side by side: header, rows, and the number of all rows.

    `limit`, where not zero, keeps that many rows, evenly spaced, including the first and the last.
    """
    columns = [dict(zip(xs, ys, strict=False)) for xs, ys in figure.series.values()]
    places = sorted({x for column in columns for x in column})
    kept = places
    if limit and len(places) > limit:
        kept = [places[round(i * (len(places) - 1) / (limit - 1))] for i in range(limit)]
    rows = [[number(float(x)), *(number(float(c[x])) if x in c else "" for c in columns)] for x in kept]
    return [figure.xlabel, *figure.series], rows, len(places)


def origin(record: Report | Collection) -> Provenance | None:
    """Return the provenance of a record: its own, or that of its first report that has one."""
    reports = record.reports if isinstance(record, Collection) else ()
    return record.provenance or next((r.provenance for r in reports if r.provenance), None)


def took(seconds: float, what: str = "") -> str:
    """Return a duration with what it is of, such as "10.5 s" or "worker time 15.0 s"; empty below a tenth of a second.

    A duration that was not measured is 0.
    """
    if seconds < 0.1:
        return ""
    text = f"{seconds:.1f} s" if not 60 <= seconds < 1e9 else f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{what} {text}".strip()
