"""What a rule costs: operations and numbers kept, counted at small sizes, as polynomials in them."""

from __future__ import annotations

from .costs import Costs, Growth, costs, costs_of, count
from .fitting import Fitted
from .polynomial import Polynomial, parse

__all__ = ["Costs", "Fitted", "Growth", "Polynomial", "costs", "costs_of", "count", "parse"]
