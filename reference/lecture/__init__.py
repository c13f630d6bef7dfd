"""The source lecture: what it prints, as data and as functions on arrays of any scalar.

`STATEMENTS` has every formula and every sentence, in the lecture's order, those about costs last. `formulas` has the
equations as printed and as corrected, `quantities` what they mention.
"""

from __future__ import annotations

from .backward import FORWARD_AND_DELTA, GRADIENTS
from .costs import COSTS
from .online import RTRL, SCHMIDHUBER
from .printed import Printed

STATEMENTS: tuple[Printed, ...] = (*FORWARD_AND_DELTA, *GRADIENTS, *RTRL, *SCHMIDHUBER, *COSTS)

__all__ = ["STATEMENTS", "Printed"]
