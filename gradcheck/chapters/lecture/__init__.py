"""Chapter on the lecture: every formula and sentence of it, with a verdict that is computed when called."""

from __future__ import annotations

from collections.abc import Callable

from ...records import Chapter, Statement, Status
from ...reference.lecture import STATEMENTS, Printed
from ...reference.lecture.formulas import FORMULAS
from .backward import BACKWARD
from .costs import CORRECTED, COSTS
from .equations import judge
from .online import ONLINE

INTRODUCTION = """\
The lecture covers unrolling, backpropagation through time and its truncation, real-time recurrent learning, and \
Schmidhuber's combination of the two. Its meaning is right; some of its formulas, read index by index, are not, and a \
student who types them in computes something else. This chapter shows every formula and every sentence as printed \
and, where that does not hold, a form that does.

Each verdict is computed when this page is made. The left side of an equation is the true value, a derivative of the \
forward pass that SymPy takes without any formula of the lecture; the right side is the slide. PROVED means that both \
are the same polynomials with $f$, $g$ and $L$ left undefined, so that the equation holds for every activation, every \
elementwise output, every loss and all numbers, at the sizes named. At two of these sizes no two of $T$, $I$, $D$ and \
$K$ coincide, so that a transpose cannot hide; at one it can. REFUTED comes with numbers small enough to check by \
hand and a program that does so. Sentences about costs are judged by counting: the shipped rules run on numbers that \
count operations and themselves, and the counts at many small sizes give polynomials.

The recursions, which are the difficult part, are right. The mistakes are in the bookkeeping. The forward equations \
use the transposes of $W$ and $R$, and the gradients of BPTT do not; the gradient of $R$ is the dangerous one, since \
its transpose has the right shape and no program complains. One time index slips in the summary. An output function \
is dropped on some slides. Three sentences about costs do not hold: one is true per step, and two forget the \
derivatives that Schmidhuber's algorithm carries from block to block."""

SENTENCES = BACKWARD | ONLINE | COSTS


def chapter(progress: Callable[[str], None] = lambda _: None) -> Chapter:
    """Return the chapter, with every statement of the lecture judged.

    Args:
        progress: Called with a line of text before each statement.
    """
    statements = []
    for row in STATEMENTS:
        progress(row.title)
        statements.append(statement(row))
    return Chapter(
        "lecture",
        "The lecture, judged",
        INTRODUCTION,
        tuple(statements),
    )


def statement(row: Printed) -> Statement:
    """Return a row with its verdict, and the verdict on its corrected form where it has one."""
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
