"""The source lecture: what it prints, as data and as functions on arrays of any scalar.

`STATEMENTS` has every formula and every sentence that is not about cost, in the lecture's order, `COST_ROWS`
those about cost. `formulas` has the equations as printed and as corrected, `quantities` what they mention.
"""

from __future__ import annotations

from .backward import FORWARD_AND_DELTA, GRADIENTS
from .online import COST_ROWS, RTRL, SCHMIDHUBER
from .printed import Printed

STATEMENTS: tuple[Printed, ...] = (*FORWARD_AND_DELTA, *GRADIENTS, *RTRL, *SCHMIDHUBER)

__all__ = ["COST_ROWS", "STATEMENTS", "Printed"]
