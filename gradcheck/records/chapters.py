"""Chapters of the correctness report: judged statements, figures and tables."""

from __future__ import annotations

from dataclasses import dataclass, field

from .verdicts import Verdict


@dataclass(frozen=True)
class Statement:
    """A sentence of the source lecture, judged.

    Attributes:
        id: A short name, unique in the report.
        section: The section of the chapter that it belongs to.
        title: The heading.
        printed: The lecture's text: prose with formulas between dollar signs, or one LaTeX formula without them.
        verdict: The verdict on the printed form.
        corrected: The form that holds, in the same notation; empty where the printed form does.
        corrected_verdict: The verdict on that.
        comment: A remark for the reader.
    """

    id: str
    section: str
    title: str
    printed: str
    verdict: Verdict
    corrected: str = ""
    corrected_verdict: Verdict | None = None
    comment: str = ""


@dataclass(frozen=True)
class Figure:
    """Data of a plot; `gradcheck.report` draws it.

    Attributes:
        id: A short name, unique in the report.
        title: The heading.
        xlabel: The label of the horizontal axis.
        ylabel: The label of the vertical axis.
        series: (x, y) lists by label.
        caption: The text below.
        log_y: True for a logarithmic vertical axis.
        log_x: True for a logarithmic horizontal axis.
        styles: Line styles by label.
        section: The section of the chapter after whose statements it stands; empty for the chapter's end.
    """

    id: str
    title: str
    xlabel: str
    ylabel: str
    series: dict[str, tuple[list[float], list[float]]]
    caption: str
    log_y: bool = True
    log_x: bool = False
    styles: dict[str, str] = field(default_factory=dict)
    section: str = ""


@dataclass(frozen=True)
class Chapter:
    """A part of the correctness report beyond the rules: judged statements, figures and tables.

    Attributes:
        id: A short name, unique in the report.
        title: The heading.
        introduction: Paragraphs between empty lines.
        statements: Judged statements.
        figures: Plots.
        tables: (caption, header, rows) each.
    """

    id: str
    title: str
    introduction: str
    statements: tuple[Statement, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]], ...] = ()
