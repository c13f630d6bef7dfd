"""The lecture, judged: every formula and sentence of it, with a verdict reached when called."""

from __future__ import annotations

from collections.abc import Callable

from ...records import Chapter, Statement, Status
from ...reference.lecture import STATEMENTS, Printed
from ...reference.lecture.formulas import FORMULAS
from .backward import BACKWARD
from .costs import CORRECTED, COSTS
from .judging import judge
from .online import ONLINE

INTRODUCTION = """\
A good lecture puts a whole subject on a few slides, and this one does: unrolling, backpropagation through time, its \
truncation, real-time recurrent learning, and the way to have the best of both. In the room it says what it means. On \
paper, index by index, some of it says something else, and a student who types it in computes that instead. Here every \
formula and every sentence stands first as printed, and, where that does not hold, as it must have been meant.

No verdict is copied from anywhere: each is computed when this page is made. The left side of an equation is always \
the true value, a derivative of the forward pass that SymPy takes without any formula of the lecture; the right side \
is the slide. PROVED means that both are the same polynomials with $f$, $g$ and $L$ left undefined, so that the \
equation holds for every activation, every elementwise output, every loss and all numbers, at the sizes named. Those \
include two at which no two of $T$, $I$, $D$ and $K$ coincide, so that a transpose cannot hide, and one at which it \
can. REFUTED comes with numbers small enough to check by hand and a program that does. What the lecture says of costs \
is judged by counting: the shipped rules run on numbers that count every operation on them, and themselves, at many \
small sizes, and the counts are polynomials, which say what grows with what.

The recursions, which are the difficult part, are right. What goes wrong is bookkeeping. The forward equations are \
written with the transposes of $W$ and $R$, and the gradients of BPTT as if without; that of $R$ is the one to watch, \
for its transpose has the right shape and no program will object. One time index slips in the summary. And an output \
function comes and goes between the slides. The costs are right but for three: one that holds per step, and two that \
forget the derivatives that Schmidhuber's algorithm carries from block to block."""

SENTENCES = BACKWARD | ONLINE | COSTS


def chapter(progress: Callable[[str], None] = lambda _: None) -> Chapter:
    """Judge every statement of the lecture. `progress` is called with a line of text at each."""
    statements = []
    for row in STATEMENTS:
        progress(f"the lecture: {row.title}")
        statements.append(statement(row))
    return Chapter(
        "lecture",
        "The lecture, judged",
        INTRODUCTION,
        tuple(statements),
    )


def statement(row: Printed) -> Statement:
    """One row with its verdict, and that of its corrected form where it has one."""
    formula = FORMULAS.get(row.id)
    verdict = (
        SENTENCES[row.id](row.title)
        if row.id in SENTENCES
        else judge(row.title, FORMULAS[row.id], FORMULAS[row.id].printed)
    )
    if verdict.status is Status.HOLDS:
        return Statement(row.id, row.section, row.title, row.printed, verdict, comment=row.comment)
    if row.id in CORRECTED:
        corrected = CORRECTED[row.id](row.title)
    elif formula is None or formula.corrected is None:
        return Statement(row.id, row.section, row.title, row.printed, verdict, comment=row.comment)
    else:
        corrected = judge(row.title, formula, formula.corrected)
    return Statement(row.id, row.section, row.title, row.printed, verdict, row.corrected, corrected, row.comment)
