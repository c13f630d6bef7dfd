"""Markdown rendering: formulas as LaTeX between dollar signs, snippets fenced, figures as tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ..records import Chapter, Collection, Counterexample, Evidence, Figure, Report, Statement, Verdict
from ..store.codec import package_version
from .coverage import missed, tried
from .mathml import is_prose, parts
from .words import (
    CLAIMS_AND_GRADES,
    MEANINGS,
    clean,
    collection_sentence,
    evidence_kinds,
    facts,
    networks,
    one_line,
    ordered,
    origin,
    outcome,
    sections,
    series_table,
    shown,
    statement_outcome,
    statements_outcome,
    took,
    unseen,
    warnings,
    word,
    worst,
)

_POINTS = 20


def to_markdown(record: Report | Collection) -> str:
    """Return a report as Markdown, formulas between dollar signs."""
    lines = _report(record, "#") if isinstance(record, Report) else _collection(record)
    text = "\n".join([*lines, *_origin(record), "", f"*Written by gradcheck {package_version()}.*"])
    return re.sub(r"\n{3,}", "\n\n", text) + "\n"


def prose(text: str) -> str:
    """Return text that Markdown shows as it stands; `code` and $formulas$ stay what they are."""
    write = {"words": _escaped, "code": "`{}`".format, "formula": "${}$".format}
    return "".join(write[kind](piece) for kind, piece in parts(one_line(text)))


def _code(text: str) -> str:
    return f"`{one_line(text).replace('`', chr(39))}`"


def _origin(record: Report | Collection) -> Iterator[str]:
    source = origin(record)
    if source:
        yield from ("", "## Provenance")
        yield from _table(["", ""], source.facts)


def _escaped(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"(?=[*`|])|(?<=\])(?=\()", r"\\", text)


def _cell(text: str) -> str:
    return prose(text).replace("\\|", "|").replace("|", "\\|") or " "


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield ""
    yield f"| {' | '.join(map(_cell, header))} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(map(_cell, row))} |"
    yield ""


def _formula(latex: str) -> Iterator[str]:
    yield ""
    if is_prose(latex):
        yield f"> {prose(latex)}"
    else:
        yield f"$$ {one_line(latex)} $$"  # an empty line would end the formula early
    yield ""


def _fenced(code: str, language: str) -> Iterator[str]:
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
    yield from ("", f"{fence}{language}", clean(code).strip("\n"), fence, "")


def _report(report: Report, level: str) -> Iterator[str]:
    yield from ("", f"{level} {prose(report.rule)}", "")
    phrase = outcome(report.verdicts)
    yield from (f"**{phrase[0].upper()}{prose(phrase[1:])}.** {prose(report.summary)}", "")
    for warning in warnings(report):
        yield from (f"> **Warning.** {prose(warning)}", "")
    yield from (f"- network: {prose(network)}" for network in networks(report))
    yield from (f"- note: {prose(note)}" for note in report.notes)
    verdicts = ordered(report.verdicts)
    yield from _table(
        ["verdict", "claim", "what was shown"], [(word(v), f"`{v.claim}`", v.statement) for v in verdicts]
    )
    for verdict in verdicts:
        yield from ("", f"{level}# {_code(verdict.claim)}: {word(verdict)}", "", prose(verdict.statement), "")
        yield from (f"- {prose(line)}" for line in unseen(verdict))
        yield from (prose(verdict.remark), "")
        yield from _grounds(verdict)
    if report.stages:
        yield from ("", f"{level}# Stages, in order")
        stages = [(s.name, s.status.label, s.statement) for s in report.stages]
        yield from _table(["stage", "status", "outcome"], stages)
    yield from ("", missed(report), "") if missed(report) else ()
    yield from (f"- {label}: {prose(text)}" for label, text in tried(report.extent))
    yield from ("", ", ".join(filter(None, (f"Seed {report.seed}", took(report.seconds, "judged in")))) + ".", "")


def _grounds(verdict: Verdict) -> Iterator[str]:
    for evidence in verdict.evidence:
        yield from _evidence(evidence, verdict)
    if verdict.diagnosis:
        yield from ("", f"**Diagnosis.** {prose(verdict.diagnosis)}", "")
    if verdict.counterexample:
        yield from _counterexample(verdict.counterexample)


def _evidence(evidence: Evidence, verdict: Verdict) -> Iterator[str]:
    sentence = "" if evidence.statement == verdict.statement else f": {prose(evidence.statement)}"
    yield f"- **{prose(evidence.kind)}**, {word(evidence)}{sentence}"
    if evidence.scope:
        yield f"  - shown for: {prose(evidence.scope)}"
    if evidence.blind:
        yield f"  - could not see: {prose(evidence.blind)}"
    for key, value in evidence.details.items():
        yield f"  - {prose(str(key).replace('_', ' '))}: {prose(shown(value))}"


def _counterexample(counterexample: Counterexample) -> Iterator[str]:
    yield from ("", "**Counterexample**")
    yield from _table(["", ""], facts(counterexample) + [(k, shown(v)) for k, v in counterexample.problem.items()])
    if counterexample.snippet:
        yield from _fenced(counterexample.snippet, "python")


def _collection(collection: Collection) -> Iterator[str]:
    yield from (f"# {prose(collection.title)}", "", collection_sentence(collection), "")
    kinds = evidence_kinds(collection.reports)
    rows = []
    for report in collection.reports:
        found = [[word(e) for v in report.verdicts for e in v.evidence if e.kind == kind] for kind in kinds]
        rows.append([report.rule, outcome(report.verdicts), *(worst(words) if words else "" for words in found)])
    yield from ("## Rules and ways of knowing",)
    yield from _table(["rule", "outcome", *kinds], rows)
    yield from ("", "## Rules")
    for report in collection.reports:
        yield from _report(report, "###")
    for chapter in collection.chapters:
        yield from _chapter(chapter)
    yield from ("", "## What the words mean")
    yield from ("", prose(CLAIMS_AND_GRADES))
    yield from _table(["word", "meaning"], list(MEANINGS.items()))


def _chapter(chapter: Chapter) -> Iterator[str]:
    yield from ("", f"## {prose(chapter.title)}")
    for paragraph in chapter.introduction.split("\n\n"):
        yield from ("", prose(paragraph), "")
    yield from ("", statements_outcome(chapter.statements), "")
    placed, rest = sections(chapter)
    for section, statements, figures in placed:
        if section:
            yield from ("", f"### {prose(section)}")
        for statement in statements:
            yield from _statement(statement)
        for figure in figures:
            yield from _figure(figure)
    for figure in rest:
        yield from _figure(figure)
    for caption, header, rows in chapter.tables:
        yield from ("", f"**Table.** {prose(caption)}")
        yield from _table(header, rows)


def _statement(statement: Statement) -> Iterator[str]:
    yield from ("", f"#### {prose(statement.title)} ({prose(statement.id)}): {statement_outcome(statement)}", "")
    yield from (f"As stated, {word(statement.verdict)}:",)
    yield from _formula(statement.printed)
    yield from (prose(statement.verdict.statement), "")
    yield from _grounds(statement.verdict)
    if statement.corrected:
        corrected = statement.corrected_verdict
        yield from ("", f"What holds{', ' + word(corrected) if corrected else ''}:")
        yield from _formula(statement.corrected)
    if statement.corrected_verdict:
        yield from (prose(statement.corrected_verdict.statement), "")
        yield from _grounds(statement.corrected_verdict)
    if statement.comment:
        yield from ("", prose(statement.comment), "")


def _figure(figure: Figure) -> Iterator[str]:
    yield from ("", f"**Figure: {prose(figure.title)}.** {prose(figure.caption)}")
    yield from ("", f"{prose(figure.ylabel)} against {prose(figure.xlabel)}:")
    header, rows, total = series_table(figure, limit=_POINTS)
    yield from _table(header, rows)
    if total > len(rows):
        yield f"({len(rows)} of {total} points; the JSON has them all.)"
