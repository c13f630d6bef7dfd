"""Text of a report: one layout for terminals, print(report), failing tests and JUnit.

A report is a sequence of lines. `verbose` adds all evidence with what it could not have seen, the stages, and whole
chapters; without it an audit fits on one screen. Programs that show a counterexample are never wrapped or indented:
they are there to be copied.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.text import Text

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
from .coverage import missed, tried
from .words import (
    ROUNDING_FREE,
    claim_kind,
    clean,
    collection_sentence,
    facts,
    networks,
    one_line,
    ordered,
    origin,
    outcome,
    sections,
    series_table,
    short,
    shown,
    statement_outcome,
    statements_outcome,
    took,
    unbroken,
    unseen,
    warnings,
    word,
    worst,
)

WIDTH = 80
COLUMN = 16
"""Width of the column of words."""
STYLES = {
    "PROVED": "bold green",
    ROUNDING_FREE: "green",
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
_INDENT = " " * COLUMN
_MOST_UNSEEN = 3
"""Branches that never ran, listed on one screen."""
Lines = Iterator[Text]


def print_record(record: Report | Collection, console: Console, *, verbose: bool = False) -> None:
    """Print a report.

    Args:
        record: The report.
        console: Where to print; its width, at least 40, and its colours are followed.
        verbose: Print all evidence and whole chapters.
    """
    width = max(40, console.width)
    for line in _report(record, width, verbose) if isinstance(record, Report) else _collection(record, width, verbose):
        if console.options.ascii_only:
            line.plain = line.plain.replace("─", "-")
        console.print(line, soft_wrap=True)


def to_text(record: Report | Collection, *, verbose: bool = True, width: int = WIDTH) -> str:
    """Return a report as plain text; only programs, which are there to be copied, may be wider than `width`."""
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=False)
    with console.capture() as captured:
        print_record(record, console, verbose=verbose)
    return "\n".join(line.rstrip() for line in captured.get().split("\n")).strip("\n")


def verdict_text(verdict: Verdict) -> str:
    """Return a verdict with all its evidence as plain text."""
    return _plain(_verdict(verdict, WIDTH, verbose=True))


def failure(rule: str, verdict: Verdict, width: int = WIDTH) -> str:
    """Return a verdict that fails a test as plain text: the reason, and the program that shows it."""
    head = Text(f"{one_line(rule)}, {one_line(verdict.claim)}: {word(verdict)}")
    return _plain([head, *_grounds(verdict, width, False, rule)])


def failures(record: Report | Collection) -> str:
    """Return what does not hold in a report, the worst first, as plain text."""
    reports = record.reports if isinstance(record, Collection) else (record,)
    broken = [(r, v) for r in reports for v in ordered(r.verdicts) if v.counts_as is not Status.HOLDS]
    blocks = [failure(r.rule, v) for r, v in broken]
    blocks += [f"{one_line(r.rule)}: no claim was judged" for r in reports if not r.verdicts]
    chapters = record.chapters if isinstance(record, Collection) else ()
    statements = [(s, s.corrected_verdict or s.verdict) for c in chapters for s in c.statements]
    blocks += [failure(s.title, v) for s, v in statements if v.status is not Status.HOLDS]
    return "\n\n".join(blocks)


def summary_line(report: Report) -> Text:
    """Return a rule and its verdicts on one line: "good: exact PROVED, pure SUPPORTED"."""
    line = Text(f"{one_line(report.rule)}: ")
    for number, verdict in enumerate(ordered(report.verdicts)):
        line.append(", " if number else "").append(f"{one_line(short(verdict.claim))} ").append(_word(word(verdict)))
    return line if report.verdicts else line.append("not judged", style="dim")


def _report(report: Report, width: int, verbose: bool) -> Lines:
    head = f"{report.rule}: {outcome(report.verdicts)}"
    yield from _filled(head, width, style="bold green" if report.passed else "bold red")
    if report.summary:
        yield from _filled(report.summary, width, most=0 if verbose else 1)
    for network in networks(report, 3 if verbose else 1):
        yield from _filled(network, width, style="dim", most=0 if verbose else 1)
    for warning in warnings(report):
        yield from _filled(f"WARNING  {warning}", width, style="bold yellow")
    for note in report.notes:
        yield from _filled(f"note: {note}", width, style="yellow")
    yield _ruler(width)
    for verdict in ordered(report.verdicts):
        yield from _verdict(verdict, width, verbose, report)
        yield Text()
    for stage in report.stages:
        text = f"{stage.name}: {stage.statement}"
        failed = stage.status not in (Status.HOLDS, Status.INCONCLUSIVE)  # those that fall short are warned of above
        spent = stage.name == "budget"
        if verbose or spent or (failed and stage.name not in ("purity", "discrimination")):
            yield from _entry(stage.status.label, text, width)
        elif stage.name == "discrimination" and stage.status is Status.HOLDS:
            yield from _filled(text, width, style="dim")
    lines = [*tried(report.extent), ("", missed(report)), *(report.provenance.facts if report.provenance else ())]
    for fact in [f"{label}: {text}" if label else text for label, text in lines] if verbose else []:
        yield from _filled(fact, width, style="dim")
    yield Text(", ".join(filter(None, (f"seed {report.seed}", took(report.seconds)))), style="dim")


def _verdict(verdict: Verdict, width: int, verbose: bool, report: Report | None = None) -> Lines:
    label = word(verdict)
    head = _word(label, max(COLUMN, len(label) + 2))
    for number, line in enumerate(_wrapped(verdict.claim, width - COLUMN)):
        yield (Text(_INDENT) if number else head).append(line, style="bold")
    pure = next((v.status for v in report.verdicts if v.claim == "pure"), None) if report else None
    if not verbose and verdict.status is Status.NOT_RUN and pure in (Status.REFUTED, Status.ERROR):
        yield Text(f"{_INDENT}not judged: see pure, above")
    else:
        yield from _grounds(verdict, width, verbose, report.rule if report else "the rule")


def _grounds(verdict: Verdict, width: int, verbose: bool, rule: str) -> Lines:
    yield from _filled(verdict.statement, width, _INDENT)
    yield from _filled(verdict.remark, width, _INDENT, "yellow")
    for line in unseen(verdict, 0 if verbose else _MOST_UNSEEN):
        yield from _filled(line, width, _INDENT, "yellow")
    yield from _evidence(verdict, width, verbose)
    if verdict.counterexample is not None:
        yield from _counterexample(f"{rule} is not {verdict.claim}", verdict, verdict.counterexample, width)
    elif verdict.diagnosis:
        yield from _filled(f"diagnosis: {verdict.diagnosis}", width, _INDENT)


def _resting_on(verdict: Verdict) -> Evidence | None:
    """Return the evidence whose sentence the verdict repeats."""
    same = [e for e in verdict.evidence if (e.status, e.strength) == (verdict.status, verdict.strength)]
    return max(same, key=lambda e: e.kind == "float64", default=None)


def _evidence(verdict: Verdict, width: int, verbose: bool) -> Lines:
    resting, explained, minor = _resting_on(verdict), False, []
    for evidence in verdict.evidence:
        holds = evidence.status is Status.HOLDS
        if not verbose and evidence is resting:
            continue
        if not verbose and holds and evidence.strength < min(verdict.strength, Strength.CERTIFIED):
            minor.append(evidence.kind)  # shows less than what the verdict rests on
            continue
        # The first kind that could not be applied says why in full.
        most = 2 if holds else 1
        if evidence.status is Status.NOT_RUN and not explained:
            most, explained = 6, True
        shown_above = evidence.statement == verdict.statement
        scope = f" ({evidence.scope})" if evidence.scope else ""
        text = f"{evidence.kind}: {'as stated' if shown_above else evidence.statement}{scope}"
        yield from _entry(word(evidence), text, width, "  ", 0 if verbose else most)
        if verbose and evidence.blind:
            yield from _filled(f"could not see: {evidence.blind}", width, _INDENT, "dim")
    if minor:
        yield from _entry(Strength.SUPPORTED.name, f"and by {', '.join(minor)}", width, "  ")


def _counterexample(title: str, verdict: Verdict, example: Counterexample, width: int) -> Lines:
    style = STYLES["REFUTED"]
    yield _ruler(width, one_line(title), style)
    for label, text in [("problem", _problem(example)), *facts(example), ("diagnosis", verdict.diagnosis)]:
        if text:
            yield from _entry(one_line(label), text, width)
    if example.snippet:
        yield Text("a NumPy program that shows it:", style="dim")
        yield from map(Text, clean(example.snippet).strip("\n").split("\n"))
    yield _ruler(width, style=style)


def _problem(example: Counterexample, most: int = 24) -> str:
    """Return the problem's arrays where they are few, W = [[0]], R = [[1]], ..., else its sizes."""
    arrays = example.problem.get("arrays", {})
    if not isinstance(arrays, dict) or not arrays:
        small = {k: v for k, v in example.problem.items() if not isinstance(v, (list, tuple, dict))}
        return shown(small) if small else ""
    texts = {name: re.sub(r"(?<=\d)\.0(?=[],]|$)", "", shown(array)) for name, array in arrays.items()}
    count = sum(text.count(",") + 1 for text in texts.values())
    return ", ".join(f"{name} = {text}" for name, text in texts.items()) if count <= most else ""


def _collection(collection: Collection, width: int, verbose: bool) -> Lines:
    yield from _filled(collection.title, width, style="bold")
    yield _ruler(width)
    yield from _filled(collection_sentence(collection), width)
    yield Text()
    yield from _matrix(collection, width)
    for report in collection.reports:
        if verbose:
            yield Text()
            yield from _report(report, width, verbose)
            continue
        for warning in warnings(report):
            yield from _filled(f"WARNING  {report.rule}, {warning}", width, style="bold yellow")
        for verdict in ordered(report.verdicts):
            if verdict.counts_as is not Status.HOLDS or verdict.counterexample:
                yield Text()
                yield Text(one_line(report.rule), style="bold")
                yield from _verdict(verdict, width, verbose, report)
    for chapter in collection.chapters:
        yield Text()
        yield from _chapter(chapter, width, verbose)
    source = origin(collection)
    if source:
        yield Text()
    for label, text in source.facts if source else []:
        yield from _filled(f"{label}: {text}", width, style="dim")


def _matrix(collection: Collection, width: int) -> Lines:
    """Yield rules against claims where that fits, else the summary of each rule."""
    kinds = list(dict.fromkeys(claim_kind(v.claim) for r in collection.reports for v in r.verdicts))
    rows = []
    for report in collection.reports:
        words = [[word(v) for v in report.verdicts if claim_kind(v.claim) == kind] for kind in kinds]
        cells = (worst(each) + (f" x{len(each)}" if len(each) > 1 else "") if each else "" for each in words)
        rows.append([report.rule, *cells])
    if _fits(["rule", *kinds], rows, width):
        yield from _table(["rule", *kinds], rows, width)
        return
    for report in collection.reports:
        yield from _hanging(summary_line(report), width)


def _chapter(chapter: Chapter, width: int, verbose: bool) -> Lines:
    yield from _filled(chapter.title, width, style="bold")
    yield _ruler(width)
    if verbose:
        for paragraph in chapter.introduction.split("\n\n"):
            yield from _filled(paragraph, width)
            yield Text()
    yield from _filled(statements_outcome(chapter.statements), width)
    placed, rest = sections(chapter)
    for section, statements, figures in placed:
        if verbose and section:
            yield Text()
            yield from _filled(section, width, style="bold")
        for statement in statements:
            yield from _statement(statement, width, verbose)
        for figure in figures:
            yield from _figure(figure, width, verbose)
    for figure in rest:
        yield from _figure(figure, width, verbose)
    for number, (caption, header, rows) in enumerate(chapter.tables):
        if verbose or (number == 0 and _fits(header, rows, width)):  # the first table of a chapter sums it up
            yield Text()
            yield from _filled(caption, width, style="dim")
            yield from _table(header, rows, width)


def _statement(statement: Statement, width: int, verbose: bool) -> Lines:
    corrected = statement.corrected_verdict
    text = f"{statement.title or statement.id}: {statement_outcome(statement)}"
    if not verbose:
        yield from _entry(word(statement.verdict), text + (f", {word(corrected)}" if corrected else ""), width)
        return
    yield Text()
    yield from _entry(word(statement.verdict), f"{text} [{statement.id}]", width)
    yield from _filled(f"stated: {statement.printed}", width, _INDENT)
    yield from _grounds(statement.verdict, width, verbose, "the statement")
    if statement.corrected:
        yield from _filled(f"what holds: {statement.corrected}", width, _INDENT)
    if corrected:
        yield from _verdict(corrected, width, verbose)
    yield from _filled(statement.comment, width, _INDENT)


def _figure(figure: Figure, width: int, verbose: bool) -> Lines:
    if not verbose:
        yield from _filled(f"figure: {figure.title} (drawn in the HTML report)", width, style="dim")
        return
    yield Text()
    yield from _filled(f"Figure: {figure.title} ({figure.ylabel} against {figure.xlabel}). {figure.caption}", width)
    header, rows, total = series_table(figure, limit=8)
    yield from _table(header, rows, width)
    if total > len(rows):
        yield Text(f"  {len(rows)} of {total} points", style="dim")


def _fits(header: Sequence[str], rows: Iterable[Sequence[str]], width: int) -> bool:
    return sum(_widths(header, rows)) + 2 * len(header) <= width


def _widths(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[int]:
    return [max(len(one_line(cell)) for cell in column) for column in zip(header, *rows, strict=True)]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Lines:
    """Yield columns where they fit into the width, else a line for each cell."""
    if _fits(header, rows, width):
        widths = _widths(header, rows)
        for number, row in enumerate([header, *rows]):
            line = Text(style="" if number else "dim")
            for cell, wide in zip(row, widths, strict=True):
                line.append("  ").append(f"{one_line(cell):<{wide}}", style=STYLES.get(cell, ""))
            yield line
        return
    for row in rows:
        for number, (label, cell) in enumerate(zip(header, row, strict=True)):
            yield from _filled(f"{label}: {cell}", width, "    " if number else "  - ", rest="    ")


def _entry(label: str, text: str, width: int, indent: str = "", most: int = 0) -> Lines:
    """Yield a label in the column of words, and a text beside it."""
    for number, line in enumerate(_wrapped(text, width - COLUMN, most)):
        head = Text(_INDENT) if number else Text(indent).append(_word(label, COLUMN - len(indent)))
        yield head.append(line)


def _hanging(line: Text, width: int) -> Lines:
    """Yield a styled line, wrapped between its words."""
    console = Console(width=width, color_system=None)
    for number, part in enumerate(line.wrap(console, width - 2)):
        part.rstrip()
        yield Text("  ").append(part) if number else part


def _filled(text: str, width: int, indent: str = "", style: str = "", most: int = 0, rest: str = "") -> Lines:
    for number, line in enumerate(_wrapped(text, width - len(indent), most) if text else ()):
        yield Text((rest or indent if number else indent) + line, style=style)


def _wrapped(text: str, width: int, most: int = 0) -> list[str]:
    """Return a text in lines, at most that many of them; 0 is no limit."""
    lines = textwrap.wrap(unbroken(one_line(text)), max(20, width), break_on_hyphens=False) or [""]
    lines = [line.replace("\u00a0", " ") for line in lines]
    if not most or len(lines) <= most:
        return lines
    kept = lines[:most]
    return [*kept[:-1], kept[-1].rpartition(" ")[0].rstrip(",;(") + " ..."]


def _word(text: str, width: int = 0) -> Text:
    return Text().append(text, style=STYLES.get(text, "")).append(" " * max(1 if width else 0, width - len(text)))


def _ruler(width: int, title: str = "", style: str = "dim") -> Text:
    line = f"── {title} " if title else ""
    return Text(line + "─" * max(2, width - len(line)) if len(line) + 2 <= width else title, style=style)


def _plain(lines: Iterable[Text]) -> str:
    return "\n".join(line.plain.rstrip() for line in lines)
