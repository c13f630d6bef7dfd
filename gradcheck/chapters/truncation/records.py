"""Turning a computed outcome into the records of the report."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from ...records import Counterexample, Evidence, Status, Strength, Verdict


def judged(
    claim: str,
    holds: bool,
    statement: str,
    *,
    kind: str,
    strength: Strength,
    scope: str = "",
    blind: str = "",
    otherwise: str = "",
    counterexample: Counterexample | None = None,
    more: Sequence[Evidence] = (),
    **details: Any,
) -> Verdict:
    """A verdict on `claim` from one outcome: `statement` where it holds, `otherwise` where it does not."""
    status = Status.HOLDS if holds else Status.REFUTED
    said = statement if holds else otherwise or f"not so: {claim}"
    graded = strength if holds else Strength.NONE
    evidence = Evidence(kind, status, graded, said, scope, blind, details)
    return Verdict(claim, status, graded, said, (evidence, *more), counterexample)


def number(value: Any) -> str:
    """An exact rational, or a ball's midpoint to 17 digits, as text."""
    if isinstance(value, (int, str, Fraction)):
        return str(value)
    if hasattr(value, "mid"):
        return str(value.mid().str(17, radius=False))
    return str(value)
