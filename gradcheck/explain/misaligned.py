"""A small problem on which a rule's result does not have a positive inner product with the gradient."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..evidence.aligned import Product, product
from ..evidence.base import Case, Witness
from ..records import Counterexample
from ..reference.errors import GradcheckError
from ..reference.problem import Problem
from .counterexample import as_text
from .shrink import simplest

ENTRY = "the inner product with the gradient"


def find(case: Case, witness: Witness) -> Problem | None:
    """Return the simplest problem reached from the witness's on which the claim is false, or None."""
    if witness.problem is None or not _against(case, witness.problem, witness):
        return None
    if case.problems and getattr(case.claim, "given", False):
        return witness.problem  # a smaller one is not among those that the claim is about
    return simplest(witness.problem, lambda problem: _against(case, problem, witness))


def _against(case: Case, problem: Problem, witness: Witness) -> bool:
    try:
        return product(case, problem, witness.settings).against
    except GradcheckError:
        return False


def counterexample(case: Case, problem: Problem, witness: Witness) -> Counterexample:
    """Return the record of a problem on which the claim is false, with a program that shows the product."""
    made = product(case, problem, witness.settings)
    got = made.value.str(12, radius=False)
    arrays = {name: np.asarray(array).tolist() for name, array in problem.arrays().items()}
    return Counterexample(
        problem={
            "network": f"{problem.network.name}: {problem.network}",
            "sizes": dataclasses.asdict(problem.sizes),
            "settings": dict(witness.settings),
            "claim": str(case.claim),
            "arrays": as_text(arrays),
        },
        entry=ENTRY,
        expected="positive",
        got=got,
        gap=got.lstrip("-"),
        allowance="0",
        certified="the ball of the inner product lies at or below 0",
        snippet=_snippet(made),
    )


def _snippet(made: Product) -> str:
    """Return a program that prints the inner product of the result and the gradient, both as they were found."""
    lines = ["import numpy as np", ""]
    for name, gradient in (("result", made.result), ("gradient", made.gradient)):
        lines += [
            f"{name} = {{",
            *(f"    {key!r}: np.array({array.tolist()})," for key, array in gradient.items()),
            "}",
        ]
    return "\n".join([*lines, "print(sum((result[name] * gradient[name]).sum() for name in gradient))"]) + "\n"
