"""Costs of a rule, operations and numbers kept, counted at small sizes and fitted by polynomials."""

from __future__ import annotations

from .costs import Costs, Growth, costs, costs_of, count
from .fitting import Fitted
from .polynomial import Polynomial, parse

__all__ = ["Costs", "Fitted", "Growth", "Polynomial", "costs", "costs_of", "count", "parse"]
