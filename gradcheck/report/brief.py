"""One audit on one screen: a word, a claim and a sentence each, then the rest of the evidence in a line or two."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from ..records import Counterexample, Evidence, Report, Status, Strength, Verdict
from .terminal import STYLES
from .words import clean, distance, one_line, outcome, shown, warnings, word

_COLUMN = 14  # of the verdict words
_SIZES = re.compile(r"T=\d+, I=\d+, D=\d+, K=\d+")


def print_brief(report: Report, console: Console, *, verbose: bool = False, seconds: float | None = None) -> None:
    """Print one audit for a terminal of any width; `verbose` cuts nothing and adds what could not be seen."""
    width = max(40, console.width)
    for line in _lines(report, width, verbose):
        console.print(line, soft_wrap=True)
    for verdict in report.verdicts:
        if verdict.counterexample is not None:
            for line in _counterexample(report.rule, verdict, verdict.counterexample, width):
                console.print(line, soft_wrap=True)
    for note in report.notes:
        _print_filled(console, f"note: {one_line(note)}", width, "yellow")
    taken = f", {seconds:.0f} s" if seconds is not None and seconds >= 1 else ""
    console.print(Text(f"seed {report.seed}{taken}", style="dim"))


def failure(rule: str, verdict: Verdict, width: int = 80) -> str:
    """A verdict that fails a test, as plain text: what it is, why, and the program that shows it."""
    lines = [f"{one_line(rule)}, {one_line(verdict.claim)}: {verdict.word}"]
    lines += _wrapped(verdict.statement, width)
    if verdict.remark:
        lines += _wrapped(verdict.remark, width)
    if verdict.counterexample is not None:
        lines += [""]
        shown = _counterexample(rule, verdict, verdict.counterexample, width)
        lines += [line.plain for line in shown if isinstance(line, Text)]
    else:
        for evidence in verdict.evidence:
            if evidence.status is not Status.HOLDS and evidence.statement not in verdict.statement:
                lines += _wrapped(f"{evidence.kind}, {word(evidence)}: {evidence.statement}", width)
    return "\n".join(lines)


def summary_line(report: Report) -> Text:
    """A rule and its verdicts on one line: "good: exact PROVED, pure SUPPORTED"."""
    line = Text(f"{one_line(report.rule)}: ")
    for number, verdict in enumerate(_ordered(report)):
        line.append(", " if number else "").append(f"{one_line(verdict.claim)} ").append(_word(verdict.word))
    if not report.verdicts:
        line.append("not judged", style="dim")
    return line


def _lines(report: Report, width: int, verbose: bool) -> Iterator[Text | Rule]:
    yield Text(f"{one_line(report.rule)}: {outcome(report)}", style="bold green" if report.passed else "bold red")
    if report.summary:
        yield from _filled(_cut(report.summary, width, 0 if verbose else 1), width, 0)
    yield Text(_cut(_networks(report, verbose), width, 0 if verbose else 1), style="dim")
    for warning in warnings(report):
        yield from _filled(f"WARNING  {warning}", width, 0, "bold yellow")
    yield Rule(style="dim")
    first = True
    for verdict in _ordered(report):
        if not first:
            yield Text()
        first = False
        yield _word(verdict.word, max(_COLUMN, len(verdict.word) + 2)).append(one_line(verdict.claim), style="bold")
        yield from _filled(_statement(report, verdict), width, _COLUMN)
        if verdict.remark:
            yield from _filled(verdict.remark, width, _COLUMN, "yellow")
        unjudged = False
        for evidence in verdict.evidence:
            if verbose or not _minor(verdict, evidence):
                # The first kind that could not be applied says why in full, and what to try.
                whole = evidence.status is Status.NOT_RUN and not unjudged
                unjudged = unjudged or whole
                yield from _evidence(verdict, evidence, width, verbose, whole)
        if not verbose:
            yield from _also(verdict, width)
    yield Text()
    for stage in report.stages:
        failed = stage.status not in (Status.HOLDS, Status.INCONCLUSIVE)  # what falls short is warned of above
        asked = stage.name == "budget"  # who spends time wants to know on what
        if verbose or asked or (failed and stage.name not in ("purity", "discrimination")):
            yield from _labelled(f"{stage.name}: {stage.statement}", stage.status.label, width)
        elif stage.name == "discrimination" and stage.status is Status.HOLDS:
            yield from _filled(f"{stage.name}: {stage.statement}", width, 0, "dim")


def _ordered(report: Report) -> list[Verdict]:
    # Purity comes last where it holds, and first where it keeps the others from being judged.
    return sorted(report.verdicts, key=lambda v: v.claim == "pure" and v.status is Status.HOLDS)


def _networks(report: Report, verbose: bool) -> str:
    if verbose or len(report.networks) < 2:
        return "; ".join(map(one_line, report.networks))
    return f"{len(report.networks)} networks, the first {one_line(report.networks[0])}"


def _statement(report: Report, verdict: Verdict) -> str:
    pure = next((v for v in report.verdicts if v.claim == "pure"), None)
    if pure is not None and verdict is not pure and pure.statement and verdict.statement.endswith(pure.statement):
        failed = pure.status is Status.ERROR
        return f"not judged: the rule {'failed' if failed else 'is not pure'}, see above"
    return verdict.statement


def _evidence(verdict: Verdict, evidence: Evidence, width: int, verbose: bool, whole: bool) -> Iterator[Text]:
    holds = evidence.status is Status.HOLDS
    said = bool(evidence.statement) and evidence.statement in verdict.statement
    if said and not verbose:
        return
    text = evidence.statement
    if evidence.scope:
        text += f" ({evidence.scope if verbose else _largest(evidence.scope)})"
    lines = _wrapped(f"{evidence.kind}: {text}", width - _COLUMN)
    if not verbose:
        lines = _limited(lines, 6 if whole else 2 if holds else 1)
    yield Text("  ").append(_word(word(evidence), _COLUMN - 2)).append(lines[0])
    for line in lines[1:]:
        yield Text(" " * _COLUMN + line)
    if verbose and evidence.blind:
        yield from _filled(f"could not see: {evidence.blind}", width, _COLUMN, "dim")


def _minor(verdict: Verdict, evidence: Evidence) -> bool:
    """Whether it holds, and shows less than what the verdict rests on: such are named together."""
    return evidence.status is Status.HOLDS and evidence.strength < min(verdict.strength, Strength.CERTIFIED)


def _also(verdict: Verdict, width: int) -> Iterator[Text]:
    kinds = [evidence.kind for evidence in verdict.evidence if _minor(verdict, evidence)]
    if kinds:
        lines = _wrapped(f"and by {', '.join(kinds)}", width - _COLUMN)
        yield Text("  ").append(_word(Strength.SUPPORTED.name, _COLUMN - 2)).append(lines[0])
        for line in lines[1:]:
            yield Text(" " * _COLUMN + line)


def _largest(scope: str) -> str:
    """The largest of the sizes that a scope lists, and how many more there are."""
    sizes = scope.split("; ")
    if len(sizes) < 2 or not all(_SIZES.fullmatch(size) for size in sizes):
        return scope
    most = max(sizes, key=lambda size: math.prod(map(int, re.findall(r"\d+", size))))
    return f"{most} and {len(sizes) - 1} more"


def _counterexample(rule: str, verdict: Verdict, example: Counterexample, width: int) -> Iterator[Text | Rule]:
    style = STYLES["REFUTED"]
    title = f"{one_line(rule)} is not {one_line(verdict.claim)}"
    yield Rule(Text(title, style=style), align="left", style=style)
    rows = [
        ("problem", _numbers(example)),
        (example.entry, f"{example.got}, should be {example.true}"),
        ("off by", distance(example.got, example.gap, example.allowance)),
        ("certified", example.certified),
        ("diagnosis", verdict.diagnosis or ""),
    ]
    for label, text in rows:
        for number, line in enumerate(_wrapped(text, width - _COLUMN)) if text else ():
            yield Text(f"{'' if number else one_line(label):<{_COLUMN}}{line}")
    if example.snippet:
        # No frame and no wrapping: it is there to be copied.
        yield Text("a NumPy program that shows it:", style="dim")
        for line in clean(example.snippet).strip("\n").split("\n"):
            yield Text(line)
    yield Rule(style=style)


def _numbers(example: Counterexample, most: int = 24) -> str:
    """The problem's arrays on a line or two, where they are few: W = [[0]], R = [[1]], ..."""
    arrays = {
        name: re.sub(r"(?<=\d)\.0\b", "", shown(array)) for name, array in example.problem.get("arrays", {}).items()
    }
    count = sum(text.count(",") + 1 for text in arrays.values())
    return ", ".join(f"{name} = {text}" for name, text in arrays.items()) if count <= most else ""


def _labelled(text: str, label: str, width: int) -> Iterator[Text]:
    lines = _wrapped(text, width - _COLUMN)
    yield _word(label, _COLUMN).append(lines[0])
    for line in lines[1:]:
        yield Text(" " * _COLUMN + line)


def _print_filled(console: Console, text: str, width: int, style: str) -> None:
    for line in _filled(text, width, 0, style):
        console.print(line, soft_wrap=True)


def _filled(text: str, width: int, indent: int, style: str = "") -> Iterator[Text]:
    for line in _wrapped(text, width - indent):
        yield Text(" " * indent + line, style=style)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(one_line(text), max(20, width), break_on_hyphens=False) or [""]


def _cut(text: str, width: int, lines: int) -> str:
    """The text, at most that many lines of it; all of it for 0."""
    return one_line(text) if not lines else " ".join(_limited(_wrapped(text, width), lines))


def _limited(lines: list[str], most: int) -> list[str]:
    if len(lines) <= most:
        return lines
    kept = lines[:most]
    return [*kept[:-1], kept[-1].rpartition(" ")[0].rstrip(",;(") + " ..."]


def _word(text: str, width: int = 0) -> Text:
    return Text().append(text, style=STYLES.get(text, "")).append(" " * max(1 if width else 0, width - len(text)))
