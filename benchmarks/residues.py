"""What zero tolerance costs: a rule on residues against the same rule on float64, same sizes and code.

The prime is below 2^23, so that one product of matrices in BLAS is exact; the audit's own, near 2^31, take two.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcheck.algorithms import RTRL, Schmidhuber, bptt
from gradcheck.algorithms.online import run_rule
from gradcheck.problems.residues import residue_problem
from gradcheck.reference.network import Network, Sizes
from gradcheck.reference.problem import Problem
from gradcheck.reference.scalars.residues.array import PRIME, ResidueField

from .frameworks import problem_of
from .rows import Outcome, Row, at_most, in_turn

SIZES = Sizes(100, 64, 16, 8)
SMALL_PRIME = 8388593
"""The largest below 2^23."""
RULES: dict[str, tuple[Any, float]] = {"RTRL": (RTRL, 5), "blocks": (Schmidhuber, 10), "BPTT": (bptt, 10)}
"""Name to the rule and how many times its float run its modular run may take."""


def integer_problem(sizes: Sizes) -> Problem:
    """A linear network of whole numbers, whose float64 gradient is exact where T is small."""
    rng = np.random.default_rng(0)

    def whole(shape: tuple[int, ...]) -> Any:
        return rng.integers(-1, 2, shape).astype(float)

    network = Network("identity")
    parameters = {name: whole(shape) for name, shape in network.parameter_shapes(sizes).items()}
    return Problem(parameters, whole((sizes.T, sizes.D)), whole((sizes.T, sizes.K)), network=network)


def require_same_residues(rule: Any, field: ResidueField, sizes: Sizes) -> None:
    """On whole numbers the rule's floats and residues must be the same; on random residues, it and BPTT."""
    problem = integer_problem(Sizes(4, sizes.I, sizes.D, sizes.K))
    floats, residues = run_rule(rule, problem), run_rule(rule, problem.map(field.lift))
    for name, array in floats.items():
        assert np.abs(array).max() < 2**53, "no longer exact in float64"
        assert field.equal(residues[name], array).all(), f"{name}: floats and residues differ"
    problem = residue_problem(Network(), sizes, field, np.random.default_rng(0))
    expected, found = bptt(problem), run_rule(rule, problem)
    assert all(field.equal(expected[name], found[name]).all() for name in expected), "not the gradient"


def modular_over_float(name: str, prime: int) -> Callable[[], Outcome]:
    def run() -> Outcome:
        rule, _ = RULES[name]
        field = ResidueField(prime)
        require_same_residues(rule, field, SIZES)
        floats = problem_of(SIZES)
        residues = residue_problem(floats.network, SIZES, field, np.random.default_rng(0))
        labels = (f"{name} modulo {prime}", f"{name} in float64")
        return in_turn(lambda: run_rule(rule, residues), lambda: run_rule(rule, floats), labels)

    return run


ROWS = tuple(
    Row(
        f"{name} modulo {prime} / in float64, I={SIZES.I}, T={SIZES.T}",
        at_most(bound),
        modular_over_float(name, prime),
    )
    for prime in (SMALL_PRIME, PRIME)
    for name, (_, bound) in RULES.items()
)
