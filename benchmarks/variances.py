"""Exact variances of the stochastic rules, over every outcome of their noise, on random problems: I=2, T=4.

    python -m benchmarks.variances [--problems N]

A figure is the total variance of the result over |g|^2: 1 means that the noise is as large as the gradient. Beside its
quartiles over the problems stands the one that was measured before on other problems, if any, and "yes" if it lies
within the spread. Each mean over the outcomes is compared with the gradient on the way.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from gradcheck.algorithms import KFRTRL, OK, UORO, EvenSum, ForwardGradient, ReverseKFRTRL, artbp
from gradcheck.reference import lags
from gradcheck.reference.network import Sizes
from gradcheck.reference.problem import Problem
from gradcheck.reference.typing import Array, Gradient
from gradcheck.rules.expectation import moments

SIZES = Sizes(T=4, I=2, D=1, K=1)
PROBLEMS = 40


@dataclass(frozen=True)
class Figure:
    """A rule at some settings, and the variance that was measured before, if it was."""

    name: str
    rule: Any
    settings: dict[str, Any]
    before: float | None = None


FIGURES = (
    Figure("UORO, r = 1, on s", UORO, {"on_s": True}, 3.33),
    Figure("UORO, balanced, on s", UORO, {"on_s": True, "balanced": True}, 1.77),
    Figure("UORO, r = 1", UORO, {}),
    Figure("UORO, balanced", UORO, {"balanced": True}),
    Figure("UORO, balanced, present counted exactly", UORO, {"balanced": True, "exact_now": True}),
    Figure("KF-RTRL, p = 1", KFRTRL, {}, 0.994),
    Figure("KF-RTRL, balanced, on s", KFRTRL, {"on_s": True, "balanced": True}, 0.227),
    Figure("KF-RTRL, balanced", KFRTRL, {"balanced": True}),
    Figure("reverse KF-RTRL, p = 1", ReverseKFRTRL, {}),
    Figure("reverse KF-RTRL, balanced", ReverseKFRTRL, {"balanced": True}),
    Figure("even sum of 2", EvenSum, {"rank": 2}),
    Figure("OK of 1", OK, {"rank": 1}),
    Figure("OK of 2", OK, {"rank": 2}),
    Figure("ARTBP, c = 1/2", artbp, {}),
    Figure("forward gradient, signs", ForwardGradient, {}),
)


def problem(seed: int) -> Problem:
    """Return a problem with normal numbers; R is scaled to a spectral radius of about 1."""
    rng, (T, I, D, K) = np.random.default_rng(seed), (SIZES.T, SIZES.I, SIZES.D, SIZES.K)
    shapes = {"W": (D, I), "R": (I, I), "V": (I, K)}
    parameters = {name: rng.normal(size=shape) / np.sqrt(shape[0]) for name, shape in shapes.items()}
    return Problem(parameters, rng.normal(size=(T, D)), rng.normal(size=(T, K)))


def variance(rule: Any, given: Problem, settings: dict[str, Any]) -> float:
    """Return the total variance over |g|^2.

    Args:
        rule: A stochastic rule.
        given: The problem, on floats.
        settings: The rule's keyword arguments.

    Raises:
        AssertionError: The mean is not the gradient: a variance of another mean is worth nothing.
    """
    found = moments(rule, given, **settings)
    wanted = _flat(lags.gradient(given))
    np.testing.assert_allclose(_flat(found.mean), wanted, atol=1e-9 * np.abs(wanted).max(), err_msg=str(rule))
    return found.variance


def _flat(gradient: Gradient) -> Array:
    return np.concatenate([gradient[name].reshape(-1) for name in sorted(gradient)])


def spread(figure: Figure, problems: int) -> list[float]:
    """Return the minimum, the quartiles and the maximum over problems."""
    found = [variance(figure.rule, problem(seed), figure.settings) for seed in range(problems)]
    return [float(each) for each in np.quantile(found, [0, 0.25, 0.5, 0.75, 1])]


def within(figure: Figure, found: list[float]) -> bool | None:
    """Return whether the earlier figure lies within the spread; None if there is none."""
    return None if figure.before is None else found[0] <= figure.before <= found[-1]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.variances", description=__doc__)
    parser.add_argument("--problems", type=int, default=PROBLEMS, metavar="N", help="number of random problems")
    chosen = parser.parse_args(arguments)
    shown, missed = Table("variance / |g|²", "min", "25 %", "median", "75 %", "max", "before", "within"), False
    for figure in FIGURES:
        found = spread(figure, chosen.problems)
        holds = within(figure, found)
        missed |= holds is False
        before = "" if figure.before is None else f"{figure.before:g}"
        shown.add_row(figure.name, *(f"{each:.3g}" for each in found), before, {None: "", True: "yes"}.get(holds, "NO"))
    Console(width=110).print(shown)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
