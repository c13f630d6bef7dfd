"""How far rounding alone may carry a correct rule from the true value, per entry: derived, never a constant.

The claim's own gradient is computed on `RoundedField` scalars, which charge every operation its rounding and
carry it along every path in absolute value (sum over paths of |path| times gamma_m, m the roundings on
the path), through f and f' too. That bounds the recursion's error in any order of summation. Another
algorithm for the same sum over paths (forward mode, blocks, a product tree) multiplies the same
factors in another association: at most a product, a sum and a reload where the recursion has one
product and sum, so `SLACK` = 4 times the bound covers it to first order.
"""

from __future__ import annotations

import numpy as np

from ..reference.claims import Claim
from ..reference.problem import Problem
from ..reference.scalars.rounded import RoundedField
from ..reference.typing import Array
from .target import expected

SLACK = 4.0


def allowance(claim: Claim, problem: Problem, field: RoundedField) -> dict[str, Array]:
    """Parameter name to a float64 array of absolute allowances; infinity where nothing can be said (overflow)."""
    with np.errstate(all="ignore"):
        gradient = expected(claim, problem.over(field))
        return {name: SLACK * field.errors(array) for name, array in gradient.items()}
