"""Helpers to judge sentences: verdicts from the outcome of a computation, and comparisons of polynomials."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from ...evidence.base import Case
from ...evidence.exact import formal
from ...records import Evidence, Status, Strength, Verdict
from ...reference.claims import Claim
from ...reference.lecture.formulas import FORMULAS
from ...reference.network import Network, Sizes
from ...reference.ring import FormalReference
from ...rules.adapt import as_rule
from .equations import judge

UNDEFINED: Any = Network().undefined()
EVERY = "every differentiable activation, every output and every loss"
ELEMENTWISE = "every differentiable activation, every elementwise output and every loss"
RULE_SHAPES = ((1, 1, 1), (2, 2, 1), (2, 1, 2))
"""(I, D, K) of the runs of shipped rules on polynomials; the rules' own reports go further."""
RULE_SIZES = Sizes(3, 2, 2, 1)
"""Sizes at which sums of SymPy's lags are compared."""


def proved(
    claim: str, held: bool, statement: str, scope: str, more: Iterable[Evidence] = (), kind: str = "formal"
) -> Verdict:
    """Return HOLDS where a computation showed the statement, INCONCLUSIVE where it did not."""
    status = Status.HOLDS if held else Status.INCONCLUSIVE
    strength = Strength.PROVED if held else Strength.NONE
    text = statement if held else f"this could not be shown: {statement}"
    return Verdict(
        claim, status, strength, text, (Evidence(kind, status, strength, text, scope, "larger sizes"), *more)
    )


def control(kind: str, seen: bool, statement: str, strength: Strength) -> Evidence:
    """Return evidence beside a verdict: the need of a hypothesis, or the limit of a statement."""
    status = Status.HOLDS if seen else Status.INCONCLUSIVE
    return Evidence(kind, status, strength if seen else Strength.NONE, statement if seen else f"not shown: {statement}")


def same(field: Any, a: Any, b: Any) -> bool:
    """Return True where two arrays of polynomials are equal, entry by entry."""
    return np.shape(a) == np.shape(b) and all(p == q for p, q in zip(field.natives(a), field.natives(b), strict=True))


def nowhere_zero(field: Any, array: Any) -> bool:
    """Return True where no entry is the zero polynomial."""
    return all(p != 0 for p in field.natives(array))


def equation(claim: str, row: str) -> Verdict:
    """Return the verdict on the printed form of one of `FORMULAS`."""
    return judge(claim, FORMULAS[row], FORMULAS[row].printed)


def joined(verdict: Verdict, *more: Evidence) -> Verdict:
    """Return the verdict with further evidence."""
    return replace(verdict, evidence=(*verdict.evidence, *more))


def judge_rule(claim: str, rule: Any, promise: Claim) -> Verdict:
    """Return the verdict on a shipped rule, compared with SymPy's lags."""
    audited = as_rule(rule)
    found = formal.Formal(3, RULE_SHAPES).gather(Case(audited, promise, Network())).evidence
    if found.status is not Status.HOLDS:
        text = f"this could not be shown for the shipped {audited.name}: {found.statement}"
        return Verdict(claim, Status.INCONCLUSIVE, Strength.NONE, text, (found,))
    return Verdict(claim, found.status, found.strength, f"for the shipped {audited.name}: {found.statement}", (found,))


@cache
def reference() -> FormalReference:
    """Return SymPy's lags at `RULE_SIZES`, loss weights among the generators, made once per process."""
    return FormalReference(UNDEFINED, RULE_SIZES, weighted=True)


def gradients_equal(a: Any, b: Any) -> bool:
    """Return True where two gradients of native polynomials are equal."""
    return all(p == q for name in a for p, q in zip(a[name].reshape(-1), b[name].reshape(-1), strict=True))
