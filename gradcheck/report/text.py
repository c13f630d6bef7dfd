"""Plain text of 80 columns, for print(report)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ..records import Chapter, Collection, Counterexample, Evidence, Figure, Report, Statement, Verdict
from .words import (
    clean,
    collection_sentence,
    facts,
    networks,
    one_line,
    outcome,
    sections,
    series_table,
    shown,
    statement_outcome,
    statements_sentence,
    warnings,
    word,
)

WIDTH = 80
_WORD = 14  # the column of verdict words: the longest, INCONCLUSIVE, and a gap


def to_text(record: Report | Collection) -> str:
    """See `gradcheck.report.to_text`."""
    lines = _report(record) if isinstance(record, Report) else _collection(record)
    return "\n".join(line.rstrip() for line in lines)


def _fill(text: str, first: str = "", rest: str | None = None) -> Iterator[str]:
    indent = " " * len(first) if rest is None else rest
    yield from textwrap.wrap(
        one_line(text), WIDTH, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False
    ) or [first]


def _underlined(text: str, rule: str) -> Iterator[str]:
    lines = list(_fill(text))
    yield from lines
    yield rule * max(map(len, lines))


def _report(report: Report) -> Iterator[str]:
    yield from _underlined(f"{report.rule}: {outcome(report)}", "-")
    if report.summary:
        yield from _fill(report.summary)
    for network in networks(report):
        yield from _fill(network, "network: ")
    for warning in warnings(report):
        yield from _fill(warning, "WARNING  ")
    for verdict in report.verdicts:
        yield ""
        yield from _verdict(verdict)
    if report.stages:
        yield ""
        yield "Stages, in order"
        for stage in report.stages:
            yield from _fill(f"{stage.name}: {stage.statement}", f"  {stage.status.label:<{_WORD}}")
    if report.notes:
        yield ""
        for note in report.notes:
            yield from _fill(note, "note: ")
    yield ""
    yield f"seed {report.seed}"


def _verdict(verdict: Verdict) -> Iterator[str]:
    yield from _fill(verdict.claim, f"{verdict.word + '  ':<{_WORD}}")
    yield from _verdict_body(verdict, " " * _WORD)


def _verdict_body(verdict: Verdict, indent: str) -> Iterator[str]:
    yield from _fill(verdict.statement, indent)
    if verdict.remark:
        yield from _fill(verdict.remark, indent)
    for evidence in verdict.evidence:
        yield from _evidence(evidence, verdict, indent)
    if verdict.diagnosis:
        yield from _fill(f"diagnosis: {verdict.diagnosis}", indent, indent + "  ")
    if verdict.counterexample:
        yield from _counterexample(verdict.counterexample, indent)


def _evidence(evidence: Evidence, verdict: Verdict, indent: str) -> Iterator[str]:
    # The strongest evidence usually lends the verdict its sentence, which need not be read twice.
    said = "" if evidence.statement == verdict.statement else f": {evidence.statement}"
    yield from _fill(f"{evidence.kind}, {word(evidence)}{said}", f"{indent}- ")
    if evidence.scope:
        yield from _fill(f"shown for: {evidence.scope}", indent + "  ", indent + "    ")
    if evidence.blind:
        yield from _fill(f"could not see: {evidence.blind}", indent + "  ", indent + "    ")


def _counterexample(counterexample: Counterexample, indent: str) -> Iterator[str]:
    yield f"{indent}counterexample"
    for label, text in facts(counterexample):
        yield from _fill(text, f"{indent}  {label:<14}")
    small = {key: value for key, value in counterexample.problem.items() if not isinstance(value, (list, tuple))}
    if small:
        yield from _fill(shown(small), f"{indent}  {'problem':<14}")
    if counterexample.snippet:
        # Flush left, so that it can be copied into a file as it stands.
        yield ""
        yield from clean(counterexample.snippet).strip("\n").split("\n")


def _collection(collection: Collection) -> Iterator[str]:
    yield from _underlined(collection.title, "=")
    yield from _fill(collection_sentence(collection))
    for report in collection.reports:
        yield ""
        yield ""
        yield from _report(report)
    for chapter in collection.chapters:
        yield ""
        yield ""
        yield from _chapter(chapter)


def _chapter(chapter: Chapter) -> Iterator[str]:
    yield from _underlined(chapter.title, "=")
    for paragraph in chapter.introduction.split("\n\n"):
        yield from _fill(paragraph)
        yield ""
    if chapter.statements:
        yield from _fill(statements_sentence(chapter.statements))
    placed, rest = sections(chapter)
    for section, statements, figures in placed:
        if section:
            yield ""
            yield from _underlined(section, "-")
        for statement in statements:
            yield ""
            yield from _statement(statement)
        for figure in figures:
            yield from _figure(figure)
    for figure in rest:
        yield from _figure(figure)
    for caption, header_cells, cells in chapter.tables:
        yield ""
        yield from _fill(f"Table: {caption}")
        yield from _table(list(header_cells), [list(row) for row in cells])


def _figure(figure: Figure) -> Iterator[str]:
    yield ""
    yield from _fill(f"Figure: {figure.title} ({figure.ylabel} against {figure.xlabel}). {figure.caption}")
    header, rows, total = series_table(figure, limit=8)
    yield from _table(header, rows)
    if total > len(rows):
        yield f"  {len(rows)} of {total} points"


def _statement(statement: Statement) -> Iterator[str]:
    indent = " " * _WORD
    heading = f"{statement.title} [{statement.id}]: {statement_outcome(statement)}"
    yield from _fill(heading, f"{statement.verdict.word:<{_WORD}}")
    yield from _fill(f"printed: {statement.printed}", indent, indent + "  ")
    yield from _verdict_body(statement.verdict, indent)
    if statement.corrected:
        if statement.verdict.counterexample:
            yield ""
        yield from _fill(f"what holds: {statement.corrected}", indent, indent + "  ")
    if statement.corrected_verdict:
        yield from _fill(statement.corrected_verdict.claim, f"{statement.corrected_verdict.word:<{_WORD}}")
        yield from _verdict_body(statement.corrected_verdict, indent)
    if statement.comment:
        yield from _fill(statement.comment, indent)


def _table(header: list[str], rows: list[list[str]]) -> Iterator[str]:
    """Columns where they fit into the width, else one line for each cell."""
    table = [[one_line(cell) for cell in row] for row in [header, *rows]]
    columns = max(map(len, table), default=0)
    table = [row + [""] * (columns - len(row)) for row in table]
    widths = [max(len(row[n]) for row in table) for n in range(columns)]
    if sum(widths) + 2 * columns <= WIDTH:
        for row in table:
            yield "".join(f"  {cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        return
    for row in table[1:]:
        for n, (label, cell) in enumerate(zip(table[0], row, strict=True)):
            yield from _fill(f"{label}: {cell}", "  - " if n == 0 else "    ")
