"""Words that the renderings share: names of outcomes, their order, counts in sentences, tables of series."""

from __future__ import annotations

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
)  # fmt: skip

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
    "lagwise", "float64", "float32", "float ladder", "branches", "given", "given enclosure",
    "given modular", "properties", "sampling", "purity",
)  # fmt: skip
"""Ways of knowing in the order of the columns; others follow in the order in which they are met."""

_BROKEN = {
    "REFUTED": "refuted",
    "ERROR": "cut short by an error",
    "HOLDS (unexpected)": "not refuted, though expected to be",
    "INCONCLUSIVE": "inconclusive",
    "NOT RUN": "not run",
}
_COUNTED = {**_BROKEN, "REFUTED (expected)": "refuted as expected"}
"""Outcomes that are told of by their number, worst first, as counts put them."""
_IMPLIED = {"stable": 1, "pure": 2}
"""Claims that every rule is held to, in the order in which they come last."""
_WORST_FIRST = (*_COUNTED, "HOLDS", *reversed(GRADES))
_TERM = re.compile(r"(?<=[\dTIDK]) (?=[TIDK]\b)|(?<=[\w)] [+-]) (?=\d|[TIDK]\b)")
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
    """Return verdicts as a reader wants them: refuted first, then all else that does not hold; what is implied last."""
    ranks = list(_BROKEN)

    def place(verdict: Verdict) -> tuple[int, int]:
        broken = verdict.word in ranks
        last = 0 if broken else _IMPLIED.get(verdict.claim, 0)
        return ranks.index(verdict.word) if broken else len(ranks), last

    return sorted(verdicts, key=place)


def headline(report: Report) -> str:
    """Return the one word for an audit."""
    if not report.verdicts:
        return "NOT RUN"
    return "PASSED" if report.passed else ordered(report.verdicts)[0].word


def clean(text: str) -> str:
    """Return text without the control characters that drive a terminal or break XML; tabs and newlines stay."""
    return _CONTROL.sub("\ufffd", str(text).replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return text on one line, without control characters."""
    return " ".join(clean(text).split())


def unbroken(text: str) -> str:
    """Return text without line breaks in the terms of a formula such as 4 T I^2 - 3 T: their spaces do not break."""
    return _TERM.sub("\u00a0", text)


def claim_kind(claim: str) -> str:
    """Return the kind of a claim as printed: "truncated" of "truncated(3)"."""
    return claim.partition("(")[0].strip() or claim


def short(claim: str) -> str:
    """Return a claim for a line that has no room for the formulas of a cost."""
    return claim if len(claim) <= 30 else claim_kind(claim)


def evidence_kinds(reports: Iterable[Report]) -> list[str]:
    """Return the ways of knowing that occur, in the order of `KINDS`."""
    found = dict.fromkeys(e.kind for r in reports for v in r.verdicts for e in v.evidence)
    return [k for k in KINDS if k in found] + [k for k in found if k not in KINDS]


def outcome(verdicts: Sequence[Verdict], *, graded: bool = False) -> str:
    """Return verdicts in one phrase, such as "all 3 claims hold" or "1 of 2 claims hold, exact is refuted".

    Args:
        verdicts: The verdicts.
        graded: Count the grades of what holds, and name no claim, for verdicts on several rules.
    """
    words, total = Counter(map(word, verdicts)), len(verdicts)
    held = sum(v.status is Status.HOLDS for v in verdicts)
    if not total:
        return "no claim was judged"
    if held == total:
        phrase = {1: "its one claim holds", 2: "both claims hold"}.get(total, f"all {total} claims hold")
    else:
        phrase = f"{held} of {total} claims hold" if held else f"none of its {count(total, 'claim')} holds"
    if graded and held:
        phrase += f" ({', '.join(f'{words[grade]} {grade.lower()}' for grade in GRADES if words[grade])})"
    told = [v for v in verdicts if word(v) in _COUNTED]
    if len(told) == 1 and not graded:
        return f"{phrase}, {short(told[0].claim)} is {_COUNTED[word(told[0])]}"
    counts = ((words[name], what) for name, what in _COUNTED.items() if words[name])
    return ", ".join([phrase, *(f"{number} {'is' if number == 1 else 'are'} {what}" for number, what in counts)])


def collection_sentence(collection: Collection) -> str:
    """Return the collection in a sentence of counts."""
    verdicts = [v for r in collection.reports for v in r.verdicts]
    rules = f"{count(len(collection.reports), 'rule')}: {outcome(verdicts, graded=True)}" if collection.reports else ""
    statements = [s for c in collection.chapters for s in c.statements]
    told = f"{count(len(statements), 'statement')}: {statements_outcome(statements)}" if statements else ""
    return "".join(f"{text}. " for text in (rules, told) if text).strip()


_OUTCOMES = {
    "holds as stated": "hold as stated",
    "holds as corrected": "hold as corrected",
    "does not hold": "do not hold",
    "not judged": "not judged",
    "undecided": "undecided",
}


def statements_outcome(statements: Iterable[Statement]) -> str:
    """Return counts of statements, such as "3 hold as stated, 1 holds as corrected"; empty where there are none."""
    counts = Counter(map(statement_outcome, statements))
    told = ((counts[one], one, more) for one, more in _OUTCOMES.items() if counts[one])
    return ", ".join(f"{number} {one if number == 1 else more}" for number, one, more in told)


def statement_outcome(statement: Statement) -> str:
    """Return the outcome of a judged statement in one phrase."""
    if statement.verdict.status is Status.HOLDS:
        return "holds as stated"
    if statement.corrected_verdict is not None and statement.corrected_verdict.status is Status.HOLDS:
        return "holds as corrected"
    return {Status.REFUTED: "does not hold", Status.NOT_RUN: "not judged"}.get(statement.verdict.status, "undecided")


def count(number: int, noun: str) -> str:
    """Return a number of things: "1 rule", "3 rules"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


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


def facts(example: Counterexample) -> list[tuple[str, str]]:
    """Return what a counterexample shows, as (label, text) pairs."""
    infinite = {"nan": "it is not a number", "inf": "it is infinite", "-inf": "it is infinite"}
    allowed = f", rounding allows {example.allowance}" if example.allowance not in ("", "0") else ""
    pairs = [
        (example.entry, f"{example.got}, should be {example.true}"),
        ("off by", infinite.get(example.got.strip(), f"{example.gap}{allowed}")),
        ("certified", example.certified),
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


def unseen(verdict: Verdict, most: int = 0) -> list[str]:
    """Return a line for each branch that never ran, the first `most` of them if that is not 0."""
    lines = [f"not seen: {each}" for each in verdict.unseen]
    if most and len(lines) > most:
        return [*lines[:most], f"not seen: {len(lines) - most} more, see --verbose"]
    return lines


def took(seconds: float, what: str = "") -> str:
    """Return a duration with what it is of, such as "10.5 s" or "worker time 15.0 s"; empty below a tenth of a second.

    A duration that was not measured is 0.
    """
    if seconds < 0.1:
        return ""
    text = f"{seconds:.1f} s" if not 60 <= seconds < 1e9 else f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{what} {text}".strip()
