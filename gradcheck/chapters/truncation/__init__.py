"""Truncated backpropagation, property by property: the report's chapter on what truncation loses, and when.

One property per module, its claim and its proof in the docstring, its verdict computed when the chapter is made:
`exactness`, `nilpotent` (where nothing is lost), `envelope` (where the loss decays), `signs`, `expectation` and
`sampling` (where it is monotone), `monotony`, `chunks` (where it is not), `balancing` with `climbing` (what it can do
to descent).
"""

from __future__ import annotations

from collections.abc import Callable

from ...records import Chapter

_INTRODUCTION = """
Truncation at $\\tau$ drops the lags $k \\ge \\tau$ of the gradient: $g(t,k)$, the contribution of the loss at time \
$t$ through the parameters' use at time $t-k$. What is dropped is their sum, $\\mathrm{error}(\\tau)$. How large is \
it, and does it fall as $\\tau$ grows? "Longer is better" is the usual answer, and it is false. This chapter says what \
is true instead, and shows each statement in the way it can be shown: as an identity of polynomials, in exact \
rationals, in balls that contain the true value, by exhaustion, or, where only the mean over networks is claimed, by a \
test with a stated error rate.

A statement that fails as it is usually made stands beside the one that holds, with a counterexample in exact \
numbers and a NumPy program that shows it. All numbers were computed when this page was made.
"""


def chapter(progress: Callable[[str], None] = lambda _: None) -> Chapter:
    """The chapter on truncation; `progress` is told what is being judged."""
    from . import chunks, climbing, envelope, exactness, expectation, figures, monotony, nilpotent, signs

    judged = []
    for module in (exactness, nilpotent, envelope, signs, expectation, monotony, chunks, climbing):
        progress(f"truncation: {module.__name__.rpartition('.')[2]}")
        judged += module.statements()
    progress("truncation: figures")
    return Chapter(
        "truncation",
        "Truncation, property by property",
        _INTRODUCTION.strip(),
        tuple(judged),
        tuple(figures.figures()),
        (monotony.table(), influence_table()),
    )


def influence_table() -> tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The influence at the horizons that tell the story, exactly."""
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
