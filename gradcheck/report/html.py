"""HTML rendering: one self-contained page, no script, no request to anywhere, light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from importlib import resources
from typing import Any

from ..records import Chapter, Collection, Evidence, Figure, Report, Status, Verdict
from ..store.codec import package_version
from . import coverage
from .figures import draw, remarks
from .libraries import need
from .mathml import formula, inline, is_prose
from .text import to_text
from .words import (
    CLAIMS_AND_GRADES,
    MEANINGS,
    clean,
    collection_sentence,
    evidence_kinds,
    facts,
    headline,
    ordered,
    origin,
    outcome,
    sections,
    series_table,
    shown,
    statement_outcome,
    statements_outcome,
    took,
    warnings,
    word,
    worst,
)


@dataclass(frozen=True)
class Cell:
    """Cell of the matrix: the weakest word of one kind of evidence for one rule, and where that stands."""

    word: str
    count: int
    anchor: str


@dataclass(frozen=True)
class Judged:
    """Verdict, its place on the page, and its evidence with the place of each."""

    verdict: Verdict
    anchor: str
    evidence: list[tuple[Evidence, str]]


@dataclass(frozen=True)
class Rule:
    """An audit as the page shows it."""

    report: Report
    anchor: str
    verdicts: list[Judged]
    cells: list[Cell | None]


@dataclass(frozen=True)
class Drawn:
    """Figure, drawn, with its table."""

    figure: Figure
    anchor: str
    svg: str
    header: list[str]
    rows: list[list[str]]
    remarks: list[str]


@dataclass(frozen=True)
class Table:
    """Table of a chapter. Each row has its place on the page, and a link for its first cell."""

    caption: str
    anchor: str
    header: tuple[str, ...]
    rows: list[tuple[str, str, tuple[str, ...]]]


def to_html(record: Report | Collection) -> str:
    """Return a report as one self-contained page.

    Raises:
        GradcheckError: jinja2, matplotlib or latex2mathml is needed and not installed.
    """
    jinja2 = need("jinja2", "writing HTML")
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_resource),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        formula=lambda latex: Markup(statement_markup(latex)),
        prose=lambda text: Markup(inline(text)),
        paragraphs=lambda text: [p for p in re.split(r"\n\s*\n", text.strip()) if p],
        shown=shown,
        name=lambda text: Markup(escape(text).replace("_", "_<wbr>")),
        clean=clean,
        badge=lambda text: re.sub("[^a-z]+", "-", text.lower()).strip("-"),
        took=took,
    )
    template = environment.get_template("report.html.j2")
    return str(template.render(**_context(record), style=Markup(_resource("style.css"))))


def to_fragment(record: Report | Collection) -> str:
    """Return a report as a short piece of HTML, for notebooks."""
    reports = (record,) if isinstance(record, Report) else record.reports
    rows = []
    for report in reports:
        head = f"{_text(report.rule)}: {_text(outcome(report.verdicts))}"
        rows.append(f"<tr><th colspan='2' style='text-align:left'>{head}</th></tr>")
        for v in ordered(report.verdicts):
            cell = f"<code>{_text(v.claim)}</code><br>{inline(v.statement)}"
            rows.append(f"<tr><td><b>{_text(word(v))}</b></td><td style='text-align:left'>{cell}</td></tr>")
    details = escape(to_text(record))
    return f"<table>{''.join(rows)}</table><details><summary>All evidence</summary><pre>{details}</pre></details>"


def statement_markup(text: str) -> str:
    """Return markup for a printed statement: a sentence with its formulas, or one formula on a line of its own."""
    return f"<p>{inline(text)}</p>" if is_prose(text) else formula(text)


def _text(text: str) -> str:
    return escape(clean(text))


def _resource(name: str) -> str:
    return resources.files(__package__ or "gradcheck.report").joinpath("templates", name).read_text("utf-8")


def _context(record: Report | Collection) -> dict[str, Any]:
    reports = (record,) if isinstance(record, Report) else record.reports
    chapters = () if isinstance(record, Report) else record.chapters
    names = Anchors()
    kinds = evidence_kinds(reports)
    rules = [_rule(report, kinds, names) for report in reports]
    source = origin(record)
    return {
        "title": clean(record.rule if isinstance(record, Report) else record.title),
        "single": isinstance(record, Report),
        "summary": collection_sentence(record) if isinstance(record, Collection) else "",
        "passed": record.passed,
        "version": package_version(),
        "seeds": sorted({r.seed for r in reports}),
        "seconds": record.seconds,
        "provenance": source.facts if source else [],
        "kinds": kinds,
        "rules": rules,
        "chapters": [
            _chapter(chapter, names, {rule.report.rule: rule.anchor for rule in rules}) for chapter in chapters
        ],
        "meanings": {w: meaning for w, meaning in MEANINGS.items() if w in _words_used(record)},
        "claims_and_grades": CLAIMS_AND_GRADES,
        "word": word,
        "places": lambda verdict: [(e, "") for e in verdict.evidence],
        "facts": facts,
        "headline": headline,
        "outcome": outcome,
        "statement_outcome": statement_outcome,
        "warnings": warnings,
        "lines": coverage.lines,
        "size_strips": coverage.size_strips,
        "value_strips": coverage.value_strips,
        "missed": coverage.missed,
    }


def _rule(report: Report, kinds: Iterable[str], names: Anchors) -> Rule:
    anchor = names.of("rule", report.rule)
    judged = [
        Judged(v, names.of(anchor, v.claim), [(e, names.of(anchor, f"{v.claim} {e.kind}")) for e in v.evidence])
        for v in ordered(report.verdicts)
    ]
    return Rule(report, anchor, judged, [_cell(judged, kind) for kind in kinds])


def _cell(verdicts: Iterable[Judged], kind: str) -> Cell | None:
    found = [(word(e), anchor) for judged in verdicts for e, anchor in judged.evidence if e.kind == kind]
    if not found:
        return None
    weakest = worst(text for text, _ in found)
    return Cell(weakest, len(found), next(anchor for text, anchor in found if text == weakest))


def _words_used(record: Report | Collection) -> set[str]:
    reports = (record,) if isinstance(record, Report) else record.reports
    verdicts = [v for r in reports for v in r.verdicts]
    if isinstance(record, Collection):
        statements = [s for c in record.chapters for s in c.statements]
        verdicts += [v for s in statements for v in (s.verdict, s.corrected_verdict) if v]
    stages = {s.status.label for r in reports for s in r.stages}
    return {word(v) for v in verdicts} | {word(e) for v in verdicts for e in v.evidence} | stages


def _chapter(chapter: Chapter, names: Anchors, rules: Mapping[str, str]) -> dict[str, Any]:
    placed, rest = sections(chapter)
    anchor = names.of("chapter", chapter.id or chapter.title)
    statements = {id(s): names.of("statement", s.id) for s in chapter.statements}
    return {
        "chapter": chapter,
        "anchor": anchor,
        "summary": statements_outcome(chapter.statements),
        "sections": [
            {
                "title": title,
                "anchor": names.of("section", title) if title else "",
                "summary": statements_outcome(rows),
                "statements": [(s, statements[id(s)]) for s in rows],
                "figures": [_drawn(figure, names) for figure in figures],
            }
            for title, rows, figures in placed
        ],
        "amiss": [(s, statements[id(s)]) for s in chapter.statements if s.verdict.status is not Status.HOLDS],
        "figures": [_drawn(figure, names) for figure in rest],
        "tables": _tables(chapter, anchor, names, rules),
    }


def _tables(chapter: Chapter, anchor: str, names: Anchors, rules: Mapping[str, str]) -> list[Table]:
    """Return the tables; a first cell links to the rule of that name, or to the last table's row of that name."""
    made: list[Table] = []
    later, earlier = dict(rules), {row[0] for _, _, rows in chapter.tables[:-1] for row in rows if row}
    for number, (caption, header, rows) in reversed(list(enumerate(chapter.tables))):
        last = number == len(chapter.tables) - 1
        places = {row[0]: names.of(anchor, row[0]) for row in rows if last and row and row[0] in earlier}
        filled = [(places.get(row[0], ""), later.get(row[0], ""), row) if row else ("", "", row) for row in rows]
        made.append(Table(caption, names.of("table", caption[:40]), header, filled))
        later = places | later
    return made[::-1]


def _drawn(figure: Figure, names: Anchors) -> Drawn:
    from markupsafe import Markup

    anchor = names.of("figure", figure.id)
    header, rows, _ = series_table(figure)
    unique = Figure(**{**vars(figure), "id": anchor})
    svg = Markup(draw(unique))
    return Drawn(figure, anchor, svg, header, rows, remarks(figure))


class Anchors:
    """Ids for the page, readable and each given once."""

    def __init__(self) -> None:
        self._given = {"top", "main", "matrix", "rules", "words", "contents"}

    def of(self, kind: str, name: str) -> str:
        """Return an id for something called `name`, with a number where that is taken."""
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        base = f"{kind}-{slug}".rstrip("-")
        anchor, number = base, 2
        while anchor in self._given:
            anchor, number = f"{base}-{number}", number + 1
        self._given.add(anchor)
        return anchor
