"""Rounded constants: an explanation for a rule that differs from the claim in exact arithmetic only.

A constant such as 0.1, or a 1/T computed on floats, is rounded before any scalar meets it. A right rule that uses one
differs from the claim on balls, residues and polynomials by the effect of that rounding, and by no more. So the rule
runs once more on balls. Each float with a long mantissa in its code then stands for every number that rounds to it. If
the result overlaps the true value's ball, rounding explains the difference. Otherwise, no rounding in the rule does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import flint
import numpy as np

from ...problems.lively import lively_problem
from ...records import Evidence, Status, Strength
from ...reference.errors import GradcheckError
from ...reference.scalars.ball import BallField
from ..base import Case, Finding, Kind, Plan, Witness, whole
from ..target import expected, returned
from .enclosure import Comparison

KIND = "constants"
BITS = 320
_SHORT = 24
"""Floats of at most this many bits are exact: 0.5, 2, 0.25. Longer ones were rounded, or computed from such."""
_ROUNDINGS = 16
"""Roundings in a constant that are allowed for: a few operations on floats, or one function."""


class RoundedConstants(BallField):
    """Balls on which, while `widening`, a long float stands for all numbers that round to it.

    Attributes:
        widening: True while such floats become wider balls.
        met: True once a float became one.
    """

    def __init__(self, bits: int) -> None:
        super().__init__(bits)
        self.widening = self.met = False

    def convert(self, number: Any) -> Any:
        value = super().convert(number)
        if not self.widening or not isinstance(number, (float, np.floating)):
            return value
        numerator, _ = float(number).as_integer_ratio()
        if abs(numerator).bit_length() <= _SHORT:
            return value
        self.met = True
        return flint.arb(value.mid(), abs(float(number)) * _ROUNDINGS * float(np.finfo(np.float64).eps))


@dataclass(frozen=True)
class Constants(Kind):
    """The witness on balls again: HOLDS if rounding of the rule's own constants explains the difference.

    Attributes:
        witness: The failure to explain.
    """

    kind: ClassVar[str] = KIND
    strength: ClassVar[Strength] = Strength.NONE

    witness: Witness

    def plan(self, case: Case) -> Plan:
        def compare(_: object) -> Finding:
            if explain(case, self.witness):
                text = "the rounding of the rule's own constants explains the difference"
                return Finding(Evidence(KIND, Status.HOLDS, Strength.NONE, text))
            text = "no rounding of the rule's own constants explains the difference"
            return Finding(Evidence(KIND, Status.INCONCLUSIVE, Strength.NONE, text))

        return whole(KIND, compare)


def explain(case: Case, witness: Witness) -> bool:
    """Return True if the rule has rounded constants, and agrees with the claim at the witness once these are balls."""
    problem = witness.problem
    if problem is None:
        problem = lively_problem(witness.network, witness.sizes, case.seed, weighted=case.weighted)
    field, claim = RoundedConstants(BITS), case.claim.bind(witness.settings)
    try:
        with field.working():
            lifted = problem.over(field)
            promised = expected(claim, lifted)
            field.widening = True
            result = returned(case.rule, claim, lifted.copy(), witness.settings)
            field.widening = False
            return field.met and Comparison(field, promised, result).apart is None
    except GradcheckError:
        return False  # it does not run on balls, so this explains nothing
