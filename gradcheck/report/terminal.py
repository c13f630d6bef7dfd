"""The report in a terminal: tables that read well at 80 columns and without colours."""

from __future__ import annotations

from rich import box
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from ..records import Chapter, Collection, Report, Status, Verdict
from .words import (
    claim_kind,
    clean,
    collection_sentence,
    facts,
    networks,
    one_line,
    outcome,
    statement_outcome,
    statements_sentence,
    warnings,
    worst,
)

STYLES = {
    "PROVED": "bold green",
    "EXACT": "green",
    "CERTIFIED": "cyan",
    "SUPPORTED": "blue",
    "HOLDS": "green",
    "REFUTED": "bold red",
    "REFUTED (expected)": "yellow",
    "HOLDS (unexpected)": "bold red",
    "INCONCLUSIVE": "yellow",
    "NOT RUN": "dim",
    "ERROR": "magenta",
}


def print_report(report: Report, console: Console) -> None:
    """Print one audit: its verdicts, then the counterexamples, the stages and the notes."""
    console.print(_title(f"{report.rule}: {outcome(report)}", "bold green" if report.passed else "bold red"))
    if report.summary:
        console.print(_text(report.summary))
    for network in networks(report):
        console.print(_text(f"network: {network}", "dim"))
    for warning in warnings(report):
        console.print(_text(f"WARNING  {warning}", "bold yellow"))
    console.print(_verdicts(report.verdicts))
    _print_broken(report, console)
    if report.stages:
        stages = _grid("Stages, in order")
        for stage in report.stages:
            stages.add_row(_word(stage.status.label), _text(stage.name), _text(stage.statement))
        console.print(stages)
    for note in report.notes:
        console.print(_text(f"note: {note}"))
    console.print(_text(f"seed {report.seed}", "dim"))


def print_collection(collection: Collection, console: Console) -> None:
    """Print a collection: rules against claims, what was not shown, then the statements in a line each."""
    console.print(_title(collection.title, "bold"))
    console.print(_text(collection_sentence(collection)))
    matrix = _matrix(collection)
    # Rich squeezes a table that is too wide until words break; a list of claims wraps between them instead.
    unbounded = console.options.update(max_width=10_000)
    fits = Measurement.get(console, unbounded, matrix).maximum <= console.width
    console.print(matrix if fits else _claims(collection))
    for report in collection.reports:
        for warning in warnings(report):
            console.print(_text(f"WARNING  {report.rule}, {warning}", "bold yellow"))
        _print_broken(report, console)
    for chapter in collection.chapters:
        console.print(_chapter(chapter))


def _text(text: str, style: str = "") -> Text:
    # Text objects and never strings, so that square brackets of users are not read as markup.
    return Text(one_line(text), style=style)


def _word(word: str) -> Text:
    return Text(word, style=STYLES.get(word, ""), no_wrap=True)


def _title(text: str, style: str) -> RenderableType:
    return Group(Text(), _text(text, style), Rule(style="dim"))


def _grid(title: str = "") -> Table:
    table = Table(
        box=None, show_header=False, padding=(0, 2, 0, 0), title=Text(title) if title else None, title_justify="left"
    )
    table.add_column(no_wrap=True, min_width=12)
    table.add_column(max_width=24, overflow="fold")
    table.add_column(overflow="fold", ratio=1)
    return table


def _verdicts(verdicts: tuple[Verdict, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), expand=False)
    table.add_column("verdict", no_wrap=True, min_width=12)
    table.add_column("claim", max_width=24, overflow="fold")
    table.add_column("what was shown", overflow="fold")
    for verdict in verdicts:
        shown = f"{verdict.statement} ({verdict.remark})" if verdict.remark else verdict.statement
        table.add_row(_word(verdict.word), _text(verdict.claim), _text(shown))
    return table


def _print_broken(report: Report, console: Console) -> None:
    for verdict in report.verdicts:
        if verdict.status is Status.HOLDS or not (verdict.diagnosis or verdict.counterexample):
            continue
        style = STYLES.get(verdict.word, "")
        body = Table.grid(padding=(0, 2))
        body.add_column(no_wrap=True)
        body.add_column(overflow="fold")
        if verdict.diagnosis:
            body.add_row(Text("diagnosis"), _text(verdict.diagnosis))
        for label, text in facts(verdict.counterexample) if verdict.counterexample else []:
            body.add_row(Text(label), _text(text))
        title = Text(f"{one_line(report.rule)} is not {one_line(verdict.claim)}", style=style)
        if verdict.status is not Status.REFUTED:
            title = Text(f"{one_line(report.rule)}, {one_line(verdict.claim)}: {verdict.word}", style=style)
        console.print(Panel(body, title=title, title_align="left", box=box.HORIZONTALS, border_style=style))
        if verdict.counterexample and verdict.counterexample.snippet:
            # No frame and no wrapping: it is there to be copied.
            snippet = clean(verdict.counterexample.snippet).strip("\n")
            console.print(Text(snippet), soft_wrap=True)
            console.print(Rule(style=style))


def _matrix(collection: Collection) -> Table:
    kinds = list(dict.fromkeys(claim_kind(v.claim) for r in collection.reports for v in r.verdicts))
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("rule", no_wrap=True)
    for kind in kinds:
        table.add_column(Text(one_line(kind)), no_wrap=True)
    for report in collection.reports:
        cells = []
        for kind in kinds:
            words = [v.word for v in report.verdicts if claim_kind(v.claim) == kind]
            cell = _word(worst(words)) if words else Text("")
            cells.append(cell.append(f" x{len(words)}", style="dim") if len(words) > 1 else cell)
        table.add_row(_text(report.rule), *cells)
    return table


def _claims(collection: Collection) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("rule", overflow="fold", max_width=32)
    table.add_column("claims", overflow="fold")
    for report in collection.reports:
        line = Text()
        for n, verdict in enumerate(report.verdicts):
            line.append("; " if n else "").append(one_line(verdict.claim) + "\u00a0").append(_word(verdict.word))
        table.add_row(_text(report.rule), line)
    return table


def _chapter(chapter: Chapter) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("as printed", no_wrap=True, min_width=12)
    table.add_column("statement", overflow="fold")
    table.add_column("outcome", overflow="fold", min_width=10)
    for statement in chapter.statements:
        corrected = statement.corrected_verdict
        result = Text(statement_outcome(statement))
        if corrected is not None:
            result.append(", ").append(_word(corrected.word))
        table.add_row(_word(statement.verdict.word), _text(statement.title or statement.id), result)
    parts: list[RenderableType] = [_title(chapter.title, "bold")]
    if chapter.statements:
        parts += [_text(statements_sentence(chapter.statements)), table]
    parts += [_text(f"figure: {f.title} (drawn in the HTML report)", "dim") for f in chapter.figures]
    return Group(*parts)
