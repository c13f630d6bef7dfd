"""Diagnosis of a refuted rule: facts, each checked at points where a coincidence is all but impossible.

The steps, in order:

- `expectations`: of a stochastic rule, what its expectation is; no other step follows.
- `relations`: the whole result fulfils another claim.
- `batches`: the result is right for another batch.
- `differences`: the error is that of difference quotients.
- `gallery`: a fault of the gallery gives the same result in every entry of every point.
- `starts`: the result is right from a zero initial state.
- `clipping`: the result is clipped.
- `factors`: a wrong parameter is the right one, transformed, or another parameter's.
- `horizons`: a wrong parameter fulfils another claim.
- `elsewhere`: a wrong parameter is right for another problem, such as one without loss weights.
- `decomposition`: a wrong parameter is a sum of other paths than the claim counts.
- `paths`: one operation of the network's own passes back something else than it should.
- `precision`: the result is right to within the rounding of float32.
- `where`: the sizes, entries and kinds of numbers at which the rule is wrong.
- `unmatched`: the wrong entries, their errors, and the first wrong length, loss and lag, if nothing else matches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...evidence.base import Case
from ...reference.claims import Settings
from ...reference.problem import Problem
from ..shrink import products
from . import (
    batches,
    clipping,
    decomposition,
    differences,
    elsewhere,
    expectations,
    factors,
    gallery,
    horizons,
    paths,
    precision,
    relations,
    starts,
    unmatched,
    where,
)
from .comparison import Comparison, compare

_LARGE = 20_000
"""Products of the counterexample from which a comparison with every fault, or with differences, takes minutes."""


def diagnose(
    case: Case,
    settings: Settings,
    seen: Problem,
    *,
    dtype: str = "float64",
    progress: Callable[[str], None] = lambda _: None,
) -> str | None:
    """Describe what the rule computes instead of what it claims.

    Args:
        case: The rule and its claim.
        settings: The rule's keyword arguments on the counterexample.
        seen: The problem of the counterexample.
        dtype: The format of the counterexample's floats.
        progress: A callback for the name of each stage.

    Returns:
        Sentences, or None if there is no diagnosis.
    """
    progress("comparing the result with known faults")
    found = compare(case, settings, seen, dtype)
    if found is None:
        facts = [None if case.rule.averaged else where.values(case, settings, seen)]
    else:
        facts = _facts(case, found, seen)
    return " ".join(f"{text}." for text in facts if text) or None


def _facts(case: Case, found: Comparison, seen: Problem) -> list[str | None]:
    if case.rule.averaged:
        return expectations.facts(found)
    if relation := relations.relation(found):
        return [precision.allowed(found), relation.text]
    if batch := batches.another(found):
        return [precision.allowed(found), batch]
    small = products(found.seen) <= _LARGE
    if small and (quotients := differences.differences(found)):
        return [quotients.text]
    faults = gallery.matches(found) if small else []
    named, zeros = gallery.whole(found, faults), starts.from_zeros(found) if small else None
    if zeros and not named:
        return [precision.allowed(found), zeros]
    if not named and (clipped := clipping.sentence(found)):
        return [precision.allowed(found), clipped]
    parts, counted = _parameters(found)
    unexplained = [] if named else [name for name in found.wrong if name not in parts and name not in counted]
    at_sizes = where.sizes(found)
    at_values = None if found.exact or at_sizes else where.values(case, found.settings, seen)
    followed = []
    known_fault = gallery.shared(faults, unexplained) == set(unexplained)
    if unexplained and small and not (known_fault or at_values or precision.answers_in(found)):
        followed = paths.paths(found, unexplained)
    known = {name for path in followed for name in path.names}
    parts, counted = ({name: text for name, text in each.items() if name not in known} for each in (parts, counted))
    unexplained = [name for name in unexplained if name not in known]
    facts = [precision.allowed(found), named, zeros, paths.sentence(found, followed)]
    facts.append("; ".join(dict.fromkeys(parts.values())) + f" ({found.place(parts)})" if parts else None)
    facts.append("; ".join(counted.values()) + f" ({decomposition.place(found)})" if counted else None)
    rounded = None if parts or counted or followed else precision.sentence(found)
    if unexplained and (shared := gallery.partly(found, faults, unexplained)):
        facts.append(shared)
    elif unexplained and not at_values and not precision.answers_in(found):
        facts.append(unmatched.sentence(found, case.network, unexplained))
    return [*facts, rounded, at_sizes, at_values]


def _parameters(found: Comparison) -> tuple[dict[str, str], dict[str, str]]:
    """Return two maps from wrong parameters to words: the value they have instead, and the paths that they count."""
    parts: dict[str, str] = {}
    for explain in (_transformed, horizons.other_claims):
        parts |= explain(found, [name for name in found.wrong if name not in parts])
    left = [name for name in found.wrong if name not in parts]
    counted = {name: text for name in left if (text := decomposition.counted(found, name))}
    left = [name for name in left if name not in counted]
    parts |= horizons.other_claims(found, left, shortest=1)
    parts |= elsewhere.promised_elsewhere(found, [name for name in left if name not in parts])
    return {name: parts[name] for name in found.wrong if name in parts}, counted


def _transformed(found: Comparison, names: Sequence[str]) -> dict[str, str]:
    return {name: text for name in names if (text := factors.transformation(found, name))}
