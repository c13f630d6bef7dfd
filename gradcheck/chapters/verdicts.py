"""Records of the report from computed outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from ..records import Counterexample, Evidence, Status, Strength, Verdict


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
    """Return the verdict on a claim from one outcome.

    Args:
        claim: The claim.
        holds: The outcome.
        statement: The sentence where it holds.
        kind: The way of knowing.
        strength: The strength where it holds.
        scope: Sizes and settings.
        blind: Faults that cannot be seen.
        otherwise: The sentence where it does not hold.
        counterexample: A counterexample, if any.
        more: Further evidence.
        **details: Numbers for the report.
    """
    status = Status.HOLDS if holds else Status.REFUTED
    text = statement if holds else otherwise or f"false: {claim}"
    graded = strength if holds else Strength.NONE
    evidence = Evidence(kind, status, graded, text, scope, blind, details)
    return Verdict(claim, status, graded, text, (evidence, *more), counterexample)


def number(value: Any) -> str:
    """Return an exact rational, or a ball's midpoint to 17 digits, as text."""
    if isinstance(value, (int, str, Fraction)):
        return str(value)
    if hasattr(value, "mid"):
        return str(value.mid().str(17, radius=False))
    return str(value)
