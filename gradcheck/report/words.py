"""What the renderings share: the words of a verdict, their order, counts in sentences, tables of series."""

from __future__ import annotations

import importlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from gradcheck.reference.errors import GradcheckError

from ..records import (
    Chapter,
    Collection,
    Counterexample,
    Evidence,
    Figure,
    Report,
    Statement,
    Status,
    Strength,
    Verdict,
)

MEANINGS = {
    "PROVED": "an identity of polynomials: it holds for every value of parameters, inputs and targets at the sizes "
    "given, for every activation and loss of the family named; or each of the cases named, computed without rounding",
    "EXACT": "equality without rounding at random points of finite fields; the chance that something wrong would pass "
    "is bounded and stated; of a cost, counts without error whose polynomial is within the bound",
    "CERTIFIED": "a rigorous enclosure or a derived rounding bound contains the difference on the problems named",
    "SUPPORTED": "tested, on the problems named, and not contradicted; no proof",
    "HOLDS": "holds; how strongly is not graded",
    "REFUTED": "false, with a counterexample whose violation is certified not to be rounding",
    "REFUTED (expected)": "false, as it was declared to be, for the reason given; this counts as a pass",
    "HOLDS (unexpected)": "not refuted, though it was declared to be false; this is no pass",
    "INCONCLUSIVE": "neither shown nor refuted",
    "NOT RUN": "not judged; never counted as a pass",
    "ERROR": "the rule failed while it was judged",
}
"""Every word that a verdict can have, strongest first, and what it means."""

KINDS = (
    "formal", "modular", "enclosure", "ladder", "enumeration", "counting",
    "lagwise", "float64", "float32", "float ladder", "properties", "purity",
)  # fmt: skip
"""Ways of knowing in the order of the columns; others follow in the order in which they are met."""

# Whichever of these a group of outcomes contains first is what the group as a whole came to.
_WORST_FIRST = (
    "ERROR", "REFUTED", "HOLDS (unexpected)", "INCONCLUSIVE", "NOT RUN", "REFUTED (expected)", "HOLDS", "SUPPORTED",
    "CERTIFIED", "EXACT", "PROVED",
)  # fmt: skip
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def word(outcome: Verdict | Evidence) -> str:
    """The word for an outcome: that of a verdict; of evidence the strength where it holds, else the status."""
    if isinstance(outcome, Verdict):
        return outcome.word
    holds = outcome.status is Status.HOLDS and outcome.strength is not Strength.NONE
    return outcome.strength.name if holds else outcome.status.label


def worst(words: Iterable[str]) -> str:
    """What a group of outcomes came to: its weakest word."""
    return min(words, key=_WORST_FIRST.index)


def clean(text: str) -> str:
    """Text without the control characters that would drive a terminal or break XML; tabs and newlines stay."""
    return _CONTROL.sub("\ufffd", str(text).replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Text on one line, without control characters."""
    return " ".join(clean(text).split())


def need(module: str, purpose: str) -> Any:
    """An optional module. Raises `GradcheckError` with the install line where it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        raise GradcheckError(f"{purpose} needs {name}, which is not installed; try: pip install {name}") from error


def claim_kind(claim: str) -> str:
    """The kind of a claim as printed: "truncated" of "truncated(3)"."""
    return claim.partition("(")[0].strip() or claim


def evidence_kinds(reports: Iterable[Report]) -> list[str]:
    """The ways of knowing that occur, in the order of `KINDS`."""
    found = dict.fromkeys(e.kind for r in reports for v in r.verdicts for e in v.evidence)
    return [k for k in KINDS if k in found] + [k for k in found if k not in KINDS]


def outcome(report: Report) -> str:
    """A report in one phrase: "all 3 claims hold", "2 of 3 claims hold, 1 is refuted as expected"."""
    words = Counter(v.word for v in report.verdicts)
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
    """Counts in words: "Of 9 claims about 4 rules, 6 hold: 3 proved, 3 exact. 1 is refuted; 2 are not run."."""
    counts = Counter(word(v) for v in verdicts)
    held = sum(v.status is Status.HOLDS and not v.expected for v in verdicts)
    if not verdicts:
        return f"No claim about {subject} was judged."
    strengths = ", ".join(f"{counts[w]} {w.lower()}" for w in MEANINGS if counts[w] and w in _HOLDING)
    sentence = (
        f"Of {_count(len(verdicts), 'claim')} about {subject}, {held or 'none'} {'hold' if held > 1 else 'holds'}"
    )
    sentence += f" ({strengths})." if strengths else "."
    rest = [(counts[w], _BROKEN[w]) for w in _BROKEN if counts[w]]
    if rest:
        parts = [f"{n} {'is' if n == 1 else 'are'} {what}" for n, what in rest]
        sentence += f" {'; '.join(parts)}."
    return sentence


_HOLDING = ("PROVED", "EXACT", "CERTIFIED", "SUPPORTED")
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
    """The collection in a paragraph of counts."""
    verdicts = [v for r in collection.reports for v in r.verdicts]
    sentence = claims_sentence(verdicts, _count(len(collection.reports), "rule")) if collection.reports else ""
    return " ".join([sentence, statements_sentence([s for c in collection.chapters for s in c.statements])]).strip()


def statements_sentence(statements: Sequence[Statement]) -> str:
    """How many judged statements hold as stated, as corrected, or not at all; empty where there are none."""
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
    """(title, statements, figures) of each section as they stand, and the figures that belong to none of them.

    A section that returns later is a new one, and has its figures after its last statements.
    """
    groups = [(title, list(rows)) for title, rows in groupby(chapter.statements, key=lambda s: s.section)]
    last = {title: number for number, (title, _) in enumerate(groups) if title}
    placed = [
        (title, rows, [figure for figure in chapter.figures if last.get(figure.section) == number])
        for number, (title, rows) in enumerate(groups)
    ]
    return placed, [figure for figure in chapter.figures if figure.section not in last]


def statement_outcome(statement: Statement) -> str:
    """A judged statement in one phrase."""
    if statement.verdict.status is Status.HOLDS:
        return "holds as printed"
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
    """A value of an evidence's details, or of a problem, as a reader wants it; long ones are cut and say so."""
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
    """A float with six significant digits; the JSON has them all."""
    return f"{value:.6g}" if math.isfinite(value) else {"nan": "not a number"}.get(str(value), str(value))


def networks(report: Report, most: int = 3) -> list[str]:
    """The audit's networks, one line each; of more than `most` their number and the first. The JSON names all."""
    if len(report.networks) <= most:
        return list(report.networks)
    return [f"{len(report.networks)} networks, the first {report.networks[0]}"]


def warnings(report: Report) -> list[str]:
    """What a reader must know before trusting any verdict of the audit, a sentence each: stages that fell short."""
    return [f"{s.name}: {s.statement}" for s in report.stages if s.status is Status.INCONCLUSIVE]


def distance(got: str, gap: str, allowance: str) -> str:
    """How far a result is from its true value, and what rounding allows; in words where that is no number."""
    said = {"nan": "it is not a number", "inf": "it is infinite", "-inf": "it is infinite"}.get(got.strip())
    allowed = f", rounding allows {allowance}" if allowance not in ("", "0") else ""
    return said or f"{gap}{allowed}"


def facts(counterexample: Counterexample) -> list[tuple[str, str]]:
    """What a counterexample shows, as labelled lines."""
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
    """A figure's series side by side: header, rows and how many rows there are in all.

    `limit`, where not zero, keeps that many rows, evenly spaced, the first and the last among them.
    """
    columns = [dict(zip(xs, ys, strict=False)) for xs, ys in figure.series.values()]
    places = sorted({x for column in columns for x in column})
    kept = places
    if limit and len(places) > limit:
        kept = [places[round(i * (len(places) - 1) / (limit - 1))] for i in range(limit)]
    rows = [[number(float(x)), *(number(float(c[x])) if x in c else "" for c in columns)] for x in kept]
    return [figure.xlabel, *figure.series], rows, len(places)
