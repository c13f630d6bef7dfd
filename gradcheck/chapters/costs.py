"""Chapter on costs: counted operations and storage of each shipped rule, and their growth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..evidence.cost.counts.costs import Costs, Growth, costs_of
from ..evidence.cost.counts.polynomial import Polynomial
from ..records import Chapter, Figure
from ..rules.adapt import as_rule

INTRODUCTION = """\
Costs are counted, not timed. The shipped rules run, unchanged, on numbers that count every addition, multiplication, \
division and function applied to them, and the numbers that exist at once. A polynomial in $T$, $I$, $D$, $K$ and the \
rule's own settings is interpolated from the counts at small sizes, with rational coefficients, and then has to \
predict the counts at sizes that were held out. Operations are those of a whole sequence of $T$ steps; storage is the \
largest number of values kept at once, without the problem's own. The verdicts on the rules' claims about cost stand \
with each rule, and those on the lecture's sentences in its chapter."""

SETTINGS = {"tau": 8, "length": 8, "horizon": 8, "stride": 4}
"""Settings of the rules in the figures; blocks have I steps."""
UNITS = (4, 8, 16, 32, 64, 128)
STEPS = (128, 256, 512, 1024, 2048, 4096)


def chapter(rules: Sequence[Any], progress: Callable[[str], None] = lambda _: None) -> Chapter:
    """Return the chapter on the costs of rules.

    Args:
        rules: The rules.
        progress: Called with a line of text before each rule.
    """
    counted: dict[str, Costs] = {}
    for target in rules:
        name = as_rule(target).name
        progress(name)
        counted[name] = costs_of(target)
    return Chapter("costs", "Costs, counted", INTRODUCTION, figures=figures(counted), tables=(table(counted),))


def table(counted: Mapping[str, Costs]) -> tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return the table: for each rule both polynomials, and whether it is local in time and in space."""
    rows = tuple(
        (name, _leading(c.time), _leading(c.storage), _word(c.local_in_time), _word(c.local_in_space))
        for name, c in counted.items()
    )
    header = ("rule", "operations for a sequence", "numbers kept at once", "local in time", "local in space")
    caption = (
        "Counted costs of the shipped rules, leading terms. Local in time: neither the work of a step nor the storage "
        "grows with T. Local in space: the work per step and weight is bounded, however many weights there are. Both "
        "at fixed settings."
    )
    return caption, header, rows


def _leading(growth: Growth) -> str:
    if growth.fitted is None:
        return "no polynomial"
    return f"{growth.fitted.polynomial.leading()} + ... ({growth.fitted.region.text})"


def _word(held: bool | None) -> str:
    return "not known" if held is None else "yes" if held else "no"


def figures(counted: Mapping[str, Costs]) -> tuple[Figure, ...]:
    """Return the figures: operations of all rules against I, and against T."""
    T, I = STEPS[-1], 16
    across_units = {name: _line(c, [(T, units) for units in UNITS], UNITS) for name, c in counted.items()}
    across_steps = {name: _line(c, [(steps, I) for steps in STEPS], STEPS) for name, c in counted.items()}
    settings = "D = K = 2, " + ", ".join(f"{name} {value}" for name, value in SETTINGS.items()) + ", blocks of I steps"
    return (
        Figure(
            "costs-units", "Operations against the number of units", "units I", "operations", across_units,
            f"From the counted polynomials, at T = {T}, {settings}. A straight line of slope n is growth as $I^n$: "
            "RTRL 4, Schmidhuber's algorithm 3, backpropagation of every kind 2, focused backpropagation 1.",
            log_x=True,
        ),
        Figure(
            "costs-steps", "Operations against the number of steps", "steps T", "operations", across_steps,
            f"From the counted polynomials, at I = {I}, {settings}. The operations of a step do not depend on the "
            "number of steps; the storage does.",
            log_x=True,
        ),
    )  # fmt: skip


def _line(costs: Costs, at: Sequence[tuple[int, int]], xs: Sequence[int]) -> tuple[list[float], list[float]]:
    polynomial = costs.time.fitted.polynomial if costs.time.fitted else Polynomial({})
    values = [polynomial({"T": T, "I": I, "D": 2, "K": 2, "block": I, **SETTINGS}) for T, I in at]
    return [float(x) for x in xs], [float(value) for value in values]
