"""Influence balancing with rules other than truncation: exact ones descend, unbiased ones descend in the mean.

On the problem of `truncation.balancing` the gradient is m(T)^2 theta, so a step with c theta in its place multiplies
theta by 1 - eta c. Truncated below the turning horizon c is negative, and every step climbs. RTRL and the block
algorithm have c = m(T)^2 exactly. Where c is drawn anew at each step, of mean mu = m(T)^2 and variance sigma^2,
    E[theta] is multiplied by 1 - eta mu,   E[loss] by (1 - eta mu)^2 + eta^2 sigma^2,
so an unbiased rule lowers theta in the mean at every small rate, and the expected loss where
eta < 2 mu / (mu^2 + sigma^2).
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ...algorithms import KFRTRL, RTRL, UORO, Schmidhuber, artbp, run_rule
from ...records import Figure, Statement, Strength
from ...reference.network import Network
from ...reference.noise import SampledNoise
from ...reference.problem import Problem
from ...reference.scalars.residues.array import ResidueField
from ..truncation import balancing
from ..truncation.tails import RATIONAL
from ..verdicts import judged

DRAWS = 100
RATE = 2.0**-13
"""The learning rate of the figure."""
SHOWN = 400
"""Steps of descent in the figure."""
SECTION = "Influence balancing again"


def by_rtrl() -> Any:
    """Return c of RTRL on the network with one shared parameter, a Fraction."""
    found = run_rule(RTRL, balancing.problem())["theta"]
    return balancing.fraction(RATIONAL.natives(found)[0])


def by_blocks() -> tuple[int, int]:
    """Return c of the block algorithm and m(T)^2 modulo a prime, on the lecture's network with W = theta b^T."""
    field = ResidueField()
    problem = _untied().over(field)
    found = run_rule(Schmidhuber, problem)["W"]
    tied = (found * field.lift(balancing.signs()[None, :])).sum()
    return int(field.residues(tied)), field.convert(balancing.influence(balancing.STEPS) ** 2)


def _untied() -> Problem:
    """Return the floats of `balancing.untied`."""
    last = np.zeros(balancing.STEPS)
    last[-1] = 1
    ones = np.ones((balancing.STEPS, 1))
    parameters = {
        "W": balancing.signs()[None, :], "R": balancing.recurrence().T, "V": np.eye(balancing.UNITS)[:, :1],
    }  # fmt: skip
    return Problem(parameters, ones, 0 * ones, loss_weights=last, network=Network("identity"))


def estimators() -> dict[str, Any]:
    """Return the unbiased rules of the table."""
    return {
        "UORO": UORO(balanced=True),
        "KF-RTRL": KFRTRL(balanced=True),
        "ARTBP, c = 1/16": functools.partial(artbp, c=1 / 16),
    }


def spread(rule: Any, draws: int = DRAWS) -> float:
    """Return the standard deviation of c around m(T)^2, estimated from draws.

    Args:
        rule: An unbiased rule.
        draws: Number of draws.
    """
    problem, mean = _untied(), float(balancing.influence(balancing.STEPS)) ** 2
    noise = SampledNoise(0, problem.inputs)
    found = [float(run_rule(rule, problem, noise=noise)["W"][0] @ balancing.signs()) for _ in range(draws)]
    return float(np.sqrt(np.mean((np.array(found) - mean) ** 2)))


@functools.lru_cache(maxsize=1)
def spreads() -> dict[str, float]:
    """Return the spread of each unbiased rule, by name."""
    return {name: spread(rule) for name, rule in estimators().items()}


def statements() -> list[Statement]:
    """Return the row of the chapter."""
    exact = balancing.influence(balancing.STEPS) ** 2
    found, wanted = by_blocks()
    holds = by_rtrl() == exact and found == wanted and balancing.factor(balancing.STEPS) < 1
    verdict = judged(
        "exact rules descend where truncation climbs",
        holds,
        f"RTRL gives $m(T)^2$ as the same rational as the lags do, and the block algorithm as the same residue, so "
        f"each step multiplies the loss by {float(balancing.factor(balancing.STEPS)):.3f}, exactly.",
        kind="enumeration",
        strength=Strength.EXACT,
        scope=f"T = {balancing.STEPS}, {balancing.UNITS} units, learning rate 1/128",
        otherwise="RTRL or the block algorithm gives another slope than the lags do.",
        slope=str(exact),
    )
    return [
        Statement(
            "learning-balancing", SECTION, "Rules that carry the influence forward descend",
            r"\theta \leftarrow \left( 1 - \eta \, m(T)^2 \right) \theta \text{ for RTRL and the block algorithm}",
            verdict,
            comment="An unbiased rule does so in the mean. Its draws scatter, and the table below shows how small a "
            "learning rate must be for the expected loss to fall.",
        )
    ]  # fmt: skip


def table() -> tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return the table of unbiased rules: mean, scatter and largest learning rate."""
    mean = float(balancing.influence(balancing.STEPS)) ** 2
    rows = [("RTRL, blocks", f"{mean:.2f}", "0", f"{2 / mean:.2g}")]
    for name, sigma in spreads().items():
        rows.append((name, f"{mean:.2f}", f"{sigma:.0f}", f"{2 * mean / (mean**2 + sigma**2):.1g}"))
    header = ("rule", "mean of the slope", "standard deviation of a draw", "the expected loss falls at rates below")
    return f"Influence balancing by unbiased rules, from {DRAWS} draws each", header, tuple(rows)


def expected_losses(mean: float, sigma: float = 0.0) -> list[float]:
    """Return the expected loss after each step at the rate `RATE`, in units of the first.

    Args:
        mean: The mean of c.
        sigma: Its standard deviation.
    """
    factor = (1 - RATE * mean) ** 2 + (RATE * sigma) ** 2
    return [factor**step for step in range(0, SHOWN + 1, 40)]


def figure() -> Figure:
    """Return the expected loss against steps of descent, by rule."""
    m = balancing.influence
    mean = float(m(balancing.STEPS)) ** 2
    last = balancing.turning_horizon() - 1
    truncated = {f"truncated at {last}": expected_losses(float(m(last) * m(balancing.STEPS)))}
    unbiased = {name: expected_losses(mean, sigma) for name, sigma in spreads().items()}
    steps = [float(step) for step in range(0, SHOWN + 1, 40)]
    return Figure(
        "learning-balancing",
        "Influence balancing: expected loss by rule",
        "step of gradient descent",
        "expected loss",
        {
            name: (steps, values)
            for name, values in {**truncated, "RTRL, blocks": expected_losses(mean), **unbiased}.items()
        },
        f"Learning rate 1/{round(1 / RATE)}. Truncation climbs; RTRL and the block algorithm descend; unbiased rules "
        f"descend in the mean, slower by their variance, which is estimated from {DRAWS} draws.",
        section=SECTION,
    )
