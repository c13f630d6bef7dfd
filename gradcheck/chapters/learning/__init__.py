"""Chapter on learning: the effect of a rule on gradient descent.

Each module has one question and computes its answer when called: `trajectories` (do exact rules learn alike?),
`immediate` (an update at every step), `balance` (descent where truncation climbs), `estimates` (bias and variance of
all rules), `tasks` (their loss curves on small tasks).
"""

from __future__ import annotations

from collections.abc import Callable

from ...records import Chapter

_INTRODUCTION = """
A gradient is computed to be descended: $w \\leftarrow w - \\eta \\nabla L(w)$. Rules that return the same gradient \
take the same path, whatever they cost; rules that return another one may descend, stand still, or climb. This \
chapter follows the paths: exactly, in a finite field or in polynomials, where something is claimed for certain; on \
floats and over several seeds, where only a typical course is shown.
"""


def chapter(progress: Callable[[str], None] = lambda _: None) -> Chapter:
    """Return the chapter on learning.

    Args:
        progress: Called with a line of text before each question.
    """
    from . import balance, estimates, immediate, tasks, trajectories

    judged = []
    for module in (trajectories, immediate, balance):
        progress(module.__name__.rpartition(".")[2])
        judged += module.statements()
    progress("estimates")
    variance = estimates.figure()
    progress("tasks")
    curves = tasks.curves()
    return Chapter(
        "learning",
        "Learning with each rule",
        _INTRODUCTION.strip(),
        tuple(judged),
        (
            trajectories.figure(),
            immediate.figure(),
            balance.figure(),
            variance,
            *(tasks.figure(curve) for curve in curves),
        ),
        (estimates.table(), balance.table(), *(tasks.table(curve) for curve in curves)),
    )
