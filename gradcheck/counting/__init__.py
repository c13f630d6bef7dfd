"""What a rule costs: operations and numbers kept, counted at small sizes, as polynomials in them."""

from __future__ import annotations

from .costs import Costs, Growth, costs, count
from .fitting import Fitted
from .polynomial import Polynomial, parse

__all__ = ["Costs", "Fitted", "Growth", "Polynomial", "costs", "count", "parse"]
