"""The report as one self-contained page: no script, no request to anywhere, light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Any

from ..records import Chapter, Collection, Figure, Report
from ..store.codec import package_version
from .figures import draw, remarks
from .mathml import formula, inline, is_prose
from .words import (
    MEANINGS,
    claims_sentence,
    clean,
    collection_sentence,
    evidence_kinds,
    facts,
    need,
    outcome,
    sections,
    series_table,
    shown,
    statement_outcome,
    statements_sentence,
    warnings,
    word,
    worst,
)


@dataclass(frozen=True)
class Cell:
    """One cell of the matrix: what the evidence of one kind came to for one rule."""

    word: str
    count: int


@dataclass(frozen=True)
class Drawn:
    """A figure, drawn, with its table."""

    figure: Figure
    svg: str
    header: list[str]
    rows: list[list[str]]
    remarks: list[str]


def to_html(record: Report | Collection) -> str:
    """See `gradcheck.report.to_html`."""
    jinja2 = need("jinja2", "writing HTML")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_resource),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    markup = jinja2.utils.markupsafe.Markup
    environment.filters.update(
        formula=lambda latex: markup(_statement_markup(latex)),
        prose=lambda text: markup(inline(text)),
        paragraphs=lambda text: [p for p in re.split(r"\n\s*\n", text.strip()) if p],
        shown=shown,
        name=lambda text: markup(str(markup.escape(text)).replace("_", "_<wbr>")),
        clean=clean,
        badge=lambda text: re.sub("[^a-z]+", "-", text.lower()).strip("-"),
    )
    template = environment.get_template("report.html.j2")
    return str(template.render(**_context(record), style=markup(_resource("style.css"))))


def _resource(name: str) -> str:
    return resources.files(__package__ or "gradcheck.report").joinpath("templates", name).read_text("utf-8")


def _statement_markup(text: str) -> str:
    return f"<p>{inline(text)}</p>" if is_prose(text) else formula(text)


def _context(record: Report | Collection) -> dict[str, Any]:
    reports = (record,) if isinstance(record, Report) else record.reports
    chapters = () if isinstance(record, Report) else record.chapters
    names = Anchors()
    kinds = evidence_kinds(reports)
    return {
        "title": clean(record.rule if isinstance(record, Report) else record.title),
        "single": isinstance(record, Report),
        "summary": _summary(record),
        "passed": record.passed,
        "version": package_version(),
        "seeds": sorted({r.seed for r in reports}),
        "kinds": kinds,
        "rules": [(r, names.of("rule", r.rule), _cells(r, kinds), outcome(r)) for r in reports],
        "chapters": [_chapter(chapter, names) for chapter in chapters],
        "meanings": {w: meaning for w, meaning in MEANINGS.items() if w in _words_used(record)},
        "word": word,
        "facts": facts,
        "statement_outcome": statement_outcome,
        "warnings": warnings,
    }


def _summary(record: Report | Collection) -> str:
    if isinstance(record, Collection):
        return collection_sentence(record)
    return claims_sentence(record.verdicts, "this rule")


def _cells(report: Report, kinds: Iterable[str]) -> list[Cell | None]:
    found = [[word(e) for v in report.verdicts for e in v.evidence if e.kind == kind] for kind in kinds]
    return [Cell(worst(words), len(words)) if words else None for words in found]


def _words_used(record: Report | Collection) -> set[str]:
    reports = (record,) if isinstance(record, Report) else record.reports
    verdicts = [v for r in reports for v in r.verdicts]
    if isinstance(record, Collection):
        statements = [s for c in record.chapters for s in c.statements]
        verdicts += [v for s in statements for v in (s.verdict, s.corrected_verdict) if v]
    stages = {s.status.label for r in reports for s in r.stages}
    return {v.word for v in verdicts} | {word(e) for v in verdicts for e in v.evidence} | stages


def _chapter(chapter: Chapter, names: Anchors) -> dict[str, Any]:
    placed, rest = sections(chapter)
    return {
        "chapter": chapter,
        "anchor": names.of("chapter", chapter.id or chapter.title),
        "summary": statements_sentence(chapter.statements),
        "sections": [
            (
                title,
                names.of("section", title) if title else "",
                [(s, names.of("statement", s.id)) for s in rows],
                [_drawn(figure, names.of("figure", figure.id)) for figure in figures],
            )
            for title, rows, figures in placed
        ],
        "figures": [_drawn(figure, names.of("figure", figure.id)) for figure in rest],
    }


def _drawn(figure: Figure, anchor: str) -> tuple[Drawn, str]:
    header, rows, _ = series_table(figure)
    unique = Figure(**{**vars(figure), "id": anchor})
    return Drawn(figure, need("markupsafe", "writing HTML").Markup(draw(unique)), header, rows, remarks(figure)), anchor


class Anchors:
    """Ids for the page, readable and each given once."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def of(self, kind: str, name: str) -> str:
        """An id for something called `name`, with a number where that is taken."""
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        anchor, number = f"{kind}-{slug}".rstrip("-"), 2
        while anchor in self._given:
            anchor, number = f"{kind}-{slug}-{number}", number + 1
        self._given.add(anchor)
        return anchor
