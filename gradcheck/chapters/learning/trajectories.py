"""Paths of gradient descent by exact rules: one path, step by step.

    w(0) -> w(1) -> ... -> w(50),   w(n+1) = w(n) - eta * rule(w(n))
Two rules that return the gradient at every point take the same path. It is followed in the integers modulo a prime,
where nothing rounds and every activation is a random function: after 50 steps the parameters must be the same
residues. A truncated gradient, and a rule that is wrong in one entry, must leave the path.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ...algorithms import RTRL, Schmidhuber, bptt, descend, truncated_bptt
from ...problems.residues import residue_problem
from ...records import Figure, Statement, Strength
from ...reference.network import Network, Sizes
from ...reference.problem import Problem
from ...reference.scalars.residues.array import ResidueField
from ...reference.typing import Parameters
from ..verdicts import judged

STEPS, SHOWN = 50, 5
"""Steps of descent, and those between two marks of the figure."""
ETA = 2.0**-7
SIZES = Sizes(T=8, I=3, D=2, K=2)
NETWORKS = ("tanh", "logistic", "identity")
TAU = 4
"""The horizon of the control, half of the sequence."""

Walk = Callable[[Problem], list[Parameters]]


def exact_walks() -> dict[str, Walk]:
    """Return the paths by exact rules, by name."""
    rules: dict[str, Any] = {"bptt": bptt, "RTRL": RTRL, "Schmidhuber": Schmidhuber}
    return {name: walk_of(rule) for name, rule in rules.items()}


def truncated_walk() -> Walk:
    """Return the path by BPTT truncated at `TAU`."""
    return walk_of(functools.partial(truncated_bptt, tau=TAU))


def walk_of(rule: Any) -> Walk:
    """Return the path of descent by a rule, from the parameters of a problem."""

    def walk(problem: Problem) -> list[Parameters]:
        return list(descend(rule, [problem], learning_rate=ETA, steps=STEPS).parameters)

    return walk


def parting(walk: Walk, other: Walk, activation: str, seed: int = 0) -> int | None:
    """Return the first step after which two paths differ in the finite field, or None where they never do.

    Args:
        walk: A path.
        other: Another.
        activation: Name of the network's activation.
        seed: Chooses the start, the sequence and the random functions.
    """
    field = ResidueField(seed=seed)
    problem = residue_problem(Network(activation), SIZES, field, np.random.default_rng(seed))
    pairs = zip(walk(problem), other(problem), strict=True)
    return next((n for n, (a, b) in enumerate(pairs) if not _same(field, a, b)), None)


def _same(field: ResidueField, a: Parameters, b: Parameters) -> bool:
    return all(bool(field.equal(a[name], b[name]).all()) for name in a)


def statements() -> list[Statement]:
    """Return the row of the chapter."""
    first, *others = exact_walks().values()
    left = {name: parting(first, truncated_walk(), name) for name in NETWORKS}
    alike = all(parting(first, other, name) is None for name in NETWORKS for other in others)
    verdict = judged(
        "exact rules take the same path of gradient descent",
        alike and all(step == 1 for step in left.values()),
        f"BPTT, RTRL and the block algorithm reach the same residues after each of {STEPS} steps; BPTT truncated at "
        f"{TAU} of {SIZES.T} steps leaves their path at the first.",
        kind="modular",
        strength=Strength.EXACT,
        scope=f"{STEPS} steps from a random start modulo {ResidueField().prime}, activations {', '.join(NETWORKS)}; "
        f"T = {SIZES.T}, I = {SIZES.I}, D = {SIZES.D}, K = {SIZES.K}",
        otherwise="The paths part, or a truncated gradient follows them.",
        left={name: -1 if step is None else step for name, step in left.items()},
    )
    return [
        Statement(
            "learning-same-path", "One path for all exact rules", "Exact rules learn alike",
            r"w_{n+1} = w_n - \eta \, \mathrm{rule}(w_n) \quad\text{is the same for every exact rule}", verdict,
            comment="On floats the paths part by rounding alone, as the figure shows: exact rules differ in cost, and "
            "in nothing that can be learned.",
        )
    ]  # fmt: skip


def distances() -> dict[str, list[float]]:
    """Return the relative distance from the path of BPTT after each step on floats, by rule."""
    rng = np.random.default_rng(7)
    sizes = Sizes(T=20, I=6, D=2, K=2)
    shapes = Network("tanh").parameter_shapes(sizes)
    scale = 1 / np.sqrt(sizes.I)
    problem = Problem(
        {name: scale * rng.normal(size=shape) for name, shape in shapes.items()},
        rng.normal(size=(sizes.T, sizes.D)), rng.normal(size=(sizes.T, sizes.K)),
        network=Network("tanh"),
    )  # fmt: skip
    first, *others = exact_walks().items()
    truth = first[1](problem)
    walks = {**dict(others), f"truncated at {TAU}": truncated_walk()}
    return {name: [_apart(a, b) for a, b in zip(truth, walk(problem), strict=True)] for name, walk in walks.items()}


def _apart(a: Parameters, b: Parameters) -> float:
    gap = sum(float(((a[name] - b[name]) ** 2).sum()) for name in a)
    return float(np.sqrt(gap / sum(float((w**2).sum()) for w in a.values())))


def figure() -> Figure:
    """Return the distance from the path of BPTT on floats, by rule."""
    steps = [float(n) for n in range(0, STEPS + 1, SHOWN)]
    return Figure(
        "learning-distance",
        "Distance from the path of BPTT",
        "step of gradient descent",
        "relative distance",
        {name: (steps, values[::SHOWN]) for name, values in distances().items()},
        "A tanh net with I = 6, T = 20, in float64. The exact rules stay within rounding of each other; the truncated "
        "one leaves at its first step.",
        section="One path for all exact rules",
    )
