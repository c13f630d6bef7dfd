"""The chapter on costs: what each shipped rule was counted to take and to keep, and how that grows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..evidence.cost.counts.costs import Costs, Growth, costs_of
from ..evidence.cost.counts.polynomial import Polynomial
from ..records import Chapter, Figure
from ..rules.adapt import as_rule

INTRODUCTION = """\
What a rule costs is counted, not timed: the shipped rules run, unchanged, on numbers that count every addition, \
multiplication, division and function that is done to them, and how many of themselves there are at once. From the \
counts at small sizes each is interpolated as a polynomial in $T$, $I$, $D$, $K$ and the rule's own settings, with \
rational coefficients, which then has to foretell the counts at sizes that were held out. Operations are those of a \
whole sequence of $T$ steps; numbers kept are those at once, beside the problem's own. Whether the claims of the rules \
about their costs hold stands with each rule; what the lecture says of costs stands in its own chapter."""

SETTINGS = {"tau": 8, "length": 8, "horizon": 8, "stride": 4}
"""What is drawn for the rules with settings; blocks have I steps."""
UNITS = (4, 8, 16, 32, 64, 128)
STEPS = (128, 256, 512, 1024, 2048, 4096)


def chapter(rules: Sequence[Any], progress: Callable[[str], None] = lambda _: None) -> Chapter:
    """Count the costs of these rules. progress: called with a line of text for each."""
    counted: dict[str, Costs] = {}
    for target in rules:
        name = as_rule(target).name
        progress(f"counting {name}")
        counted[name] = costs_of(target)
    return Chapter("costs", "Costs, counted", INTRODUCTION, figures=figures(counted), tables=(table(counted),))


def table(counted: Mapping[str, Costs]) -> tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Rule by rule: both polynomials, and whether the rule is local in time and in space."""
    rows = tuple(
        (name, _told(c.time), _told(c.storage), _word(c.local_in_time), _word(c.local_in_space))
        for name, c in counted.items()
    )
    header = ("rule", "operations for a sequence", "numbers kept at once", "local in time", "local in space")
    caption = (
        "Counted costs of the shipped rules, leading terms. Local in time: neither the work of a step nor the storage "
        "grows with T. Local in space: the work per step and weight is bounded, however many weights there are. Both "
        "at fixed settings."
    )
    return caption, header, rows


def _told(growth: Growth) -> str:
    if growth.fitted is None:
        return "no polynomial"
    return f"{growth.fitted.polynomial.leading()} + ... ({growth.fitted.region.text})"


def _word(held: bool | None) -> str:
    return "not known" if held is None else "yes" if held else "no"


def figures(counted: Mapping[str, Costs]) -> tuple[Figure, ...]:
    """Operations of all rules against I, and against T."""
    T, I = STEPS[-1], 16
    across_units = {name: _line(c, [(T, units) for units in UNITS], UNITS) for name, c in counted.items()}
    across_steps = {name: _line(c, [(steps, I) for steps in STEPS], STEPS) for name, c in counted.items()}
    said = "D = K = 2, " + ", ".join(f"{name} {value}" for name, value in SETTINGS.items()) + ", blocks of I steps"
    return (
        Figure(
            "costs-units", "Operations against the number of units", "units I", "operations", across_units,
            f"From the counted polynomials, at T = {T}, {said}. A straight line of slope n is growth as $I^n$: RTRL "
            "4, Schmidhuber's algorithm 3, backpropagation of every kind 2, focused backpropagation 1.",
            log_x=True,
        ),
        Figure(
            "costs-steps", "Operations against the number of steps", "steps T", "operations", across_steps,
            f"From the counted polynomials, at I = {I}, {said}. Every rule takes as many operations per step, however "
            "many steps there are; what they keep differs.",
            log_x=True,
        ),
    )  # fmt: skip


def _line(costs: Costs, at: Sequence[tuple[int, int]], xs: Sequence[int]) -> tuple[list[float], list[float]]:
    polynomial = costs.time.fitted.polynomial if costs.time.fitted else Polynomial({})
    values = [polynomial({"T": T, "I": I, "D": 2, "K": 2, "block": I, **SETTINGS}) for T, I in at]
    return [float(x) for x in xs], [float(value) for value in values]
