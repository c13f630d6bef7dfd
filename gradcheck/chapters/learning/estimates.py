"""Bias, variance and direction of every rule's estimate, over all outcomes of its noise, on the same problems.

    bias      |E[estimate] - gradient| / |gradient|
    variance  E|estimate - E[estimate]|^2 / |gradient|^2, summed over all entries: the total variance
    cosine    E[cos(estimate, gradient)]
Each expectation is a sum over every outcome with its probability, so nothing is sampled; floats round it. A rule
without noise has variance 0. Numbers are medians over problems.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ...algorithms import KFRTRL, UORO, NoBackTrack, ReverseKFRTRL, artbp, bptt, truncated_bptt
from ...algorithms.rflo import RFLO
from ...algorithms.snap import SnAp
from ...records import Figure
from ...reference.network import Network, Sizes
from ...reference.problem import Problem
from ...rules.adapt import as_rule
from ...rules.expectation import outcomes

UNITS = 2
LENGTHS = (1, 2, 3, 4)
"""Lengths of the sequences; a rule with two signs a step has 4^T outcomes."""
PROBLEMS = 3
SECTION = "Bias and variance"


class Estimate(NamedTuple):
    """Bias, variance and cosine of a rule on a problem, as above."""

    bias: float
    variance: float
    cosine: float


def rules() -> Mapping[str, Any]:
    """Return the rules of the table, by name."""
    return {
        "BPTT": bptt,
        "truncated at 1": functools.partial(truncated_bptt, tau=1),
        "RFLO": RFLO,
        "SnAp-1": SnAp(1),
        "UORO": UORO(),
        "UORO, balanced": UORO(balanced=True),
        "NoBackTrack, balanced": NoBackTrack(balanced=True),
        "KF-RTRL": KFRTRL(),
        "KF-RTRL, balanced": KFRTRL(balanced=True),
        "reverse KF-RTRL, balanced": ReverseKFRTRL(balanced=True),
        "ARTBP, c = 1/2": artbp,
    }


GROWING = ("UORO", "UORO, balanced", "KF-RTRL", "KF-RTRL, balanced", "ARTBP, c = 1/2")
"""Rules of the figure."""


def problem(T: int, seed: int) -> Problem:
    """Return a tanh net of two units with a loss at every step; a shorter one is the beginning of a longer one.

    Args:
        T: The length of the sequence, `LENGTHS[-1]` at most.
        seed: Chooses its numbers.
    """
    rng, sizes = np.random.default_rng(seed), Sizes(T=LENGTHS[-1], I=UNITS, D=2, K=2)
    shapes = Network("tanh").parameter_shapes(sizes)
    return Problem(
        {name: rng.normal(size=shape) / np.sqrt(shape[0]) for name, shape in shapes.items()},
        rng.normal(size=(sizes.T, sizes.D)),
        rng.normal(size=(sizes.T, sizes.K)),
    ).prefix(T)


def estimate(rule: Any, given: Problem) -> Estimate:
    """Return bias, variance and cosine over all outcomes of the rule's noise, for the recurrent and input weights.

    Args:
        rule: The rule, stochastic or not.
        given: The problem, on floats.
    """
    made, truth = as_rule(rule), _flat(bptt(given))
    if made.stochastic:
        every = [(float(noise.weight), _flat(found)) for noise, found in outcomes(_runs(made, given), given.inputs)]
    else:
        every = [(1.0, _flat(made(given)))]
    weights, found = np.array([weight for weight, _ in every]), np.array([values for _, values in every])
    mean, size = weights @ found, float(np.linalg.norm(truth))
    spread = float(weights @ ((found - mean) ** 2).sum(axis=1))
    lengths = np.linalg.norm(found, axis=1)
    cosines = np.divide(found @ truth, lengths * size, out=np.zeros_like(lengths), where=lengths > 0)
    return Estimate(float(np.linalg.norm(mean - truth)) / size, spread / size**2, float(weights @ cosines))


def _runs(rule: Any, given: Problem) -> Any:
    return lambda noise: rule.function(given.copy(), noise)


def _flat(gradient: Any) -> Any:
    return np.concatenate([np.asarray(gradient[name]).reshape(-1) for name in ("W", "R")])


@functools.lru_cache(maxsize=1)
def estimates() -> dict[str, dict[int, Estimate]]:
    """Return the median estimate of each rule, by name and length; lengths below the longest for `GROWING` alone."""
    found: dict[str, dict[int, Estimate]] = {}
    for name, rule in rules().items():
        lengths = LENGTHS if name in GROWING else LENGTHS[-1:]
        found[name] = {T: _median([estimate(rule, problem(T, seed)) for seed in range(PROBLEMS)]) for T in lengths}
    return found


def _median(every: list[Estimate]) -> Estimate:
    return Estimate(*np.median(np.array(every), axis=0).tolist())


def figure() -> Figure:
    """Return the variance against the length of the sequence."""
    lengths = [float(T) for T in LENGTHS]
    found = estimates()
    return Figure(
        "learning-variance",
        "Variance of unbiased rules",
        "length T of the sequence",
        "variance / |gradient|²",
        {name: (lengths, [found[name][T].variance for T in LENGTHS]) for name in GROWING},
        f"All outcomes of the noise, on tanh nets with I = {UNITS}; medians over {PROBLEMS} problems. Balanced "
        "scalings change nothing but the variance.",
        section=SECTION,
    )


def table() -> tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return bias, variance and cosine of every rule at the greatest length."""
    rows = []
    for name, by_length in estimates().items():
        found = by_length[LENGTHS[-1]]
        rows.append((name, _rounded(found.bias), _rounded(found.variance), f"{found.cosine:.3f}"))
    header = ("rule", "bias", "variance", "mean cosine")
    caption = (
        f"Estimates of dL/dW and dL/dR over all outcomes, I = {UNITS}, T = {LENGTHS[-1]}, relative to the gradient"
    )
    return caption, header, tuple(rows)


def _rounded(value: float) -> str:
    """Return a number as text; 0 for what rounding leaves of it."""
    return "0" if value < 1e-12 else f"{value:.3g}"
