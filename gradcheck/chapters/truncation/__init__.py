"""Chapter on truncation, property by property.

Each module has one property, with its claim and its proof in the docstring, and computes its verdict when called:
`exactness`, `nilpotent` (where nothing is lost), `envelope` (where the loss decays), `signs`, `expectation` and
`sampling` (where it is monotone), `monotony`, `chunks` (where it is not), `balancing` with `climbing` (what it can do
to descent).
"""

from __future__ import annotations

from collections.abc import Callable

from ...records import Chapter

_INTRODUCTION = """
Truncation at $\\tau$ drops the lags $k \\ge \\tau$ of the gradient: $g(t,k)$, the contribution of the loss at time \
$t$ through the parameters' use at time $t-k$. The sum of the dropped lags is $\\mathrm{error}(\\tau)$. How large is \
it, and does it fall as $\\tau$ grows? The usual answer, "a longer horizon is better", is false. This chapter states \
what is true, and shows each statement as an identity of polynomials, in exact rationals, in balls that contain the \
true value, by exhaustion, or, where only the mean over networks is claimed, by a test with a stated error rate.

A statement that fails in its usual form stands beside the form that holds, with a counterexample in exact numbers \
and a NumPy program that shows it. All numbers are computed when this page is made.
"""


def chapter(progress: Callable[[str], None] = lambda _: None) -> Chapter:
    """Return the chapter on truncation.

    Args:
        progress: Called with a line of text before each property.
    """
    from . import chunks, climbing, envelope, exactness, expectation, figures, monotony, nilpotent, signs

    judged = []
    for module in (exactness, nilpotent, envelope, signs, expectation, monotony, chunks, climbing):
        progress(module.__name__.rpartition(".")[2])
        judged += module.statements()
    progress("figures")
    return Chapter(
        "truncation",
        "Truncation, property by property",
        _INTRODUCTION.strip(),
        tuple(judged),
        tuple(figures.figures()),
        (monotony.table(), influence_table()),
    )


def influence_table() -> tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return the table of the exact influence at telling horizons."""
    from .balancing import STEPS, factor, influence, turning_horizon

    turn = turning_horizon()
    rows = [
        (str(tau), str(influence(tau)), f"{float(influence(tau)):.4f}", f"{float(factor(tau)):.4f}")
        for tau in (1, 10, 19, 20, 30, turn - 1, turn, STEPS)
    ]
    header = ("horizon", "influence, exactly", "in decimals", "descent multiplies the loss by")
    return (
        f"Influence balancing: the influence at some horizons, and descent at T = {STEPS}, learning rate 1/128",
        header,
        tuple(rows),
    )
