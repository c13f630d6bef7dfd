"""Description of a result that matches nothing: its wrong entries, its errors, and the first wrong length and lag.

All but the entries is measured on floats, which generic rules accept too.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ...evidence.floats import lagwise
from ...problems.lively import lively_problem
from ...reference.errors import GradcheckError
from ...reference.networks.base import Capabilities, RecurrentNetwork, Sizes, ask
from ...reference.problem import forward
from ...reference.wanted import kinds_of
from .comparison import Comparison
from .points import FloatPoint
from .where import pattern

_SHORT = 6
_LONG = 48
"""Longest counterexample whose length is tried, beside the lengths up to `_SHORT`."""


def sentence(comparison: Comparison, network: RecurrentNetwork, names: Sequence[str]) -> str:
    """Describe the wrong entries of parameters, their errors, and the first length and lag at which they occur.

    Args:
        comparison: The points of the diagnosis.
        network: The network of the float problems to try.
        names: The wrong parameters.

    Returns:
        One to four sentences, without the last full stop.
    """
    parts = []
    for name in names:
        shown = {shape for point in comparison.points if (shape := pattern(~point.right[name]))}
        parts.append(f"{name} in {shown.pop() if len(shown) == 1 else 'some entries'}")
    right = [name for name in comparison.points[0].result if name not in comparison.wrong]
    kept = f"; {' and '.join(right)} {'is' if len(right) == 1 else 'are'} right" if right else ""
    facts = [f"It is wrong in {', '.join(parts)}{kept}"]
    for measure in (_from_length, _by_loss, _by_lag):
        try:
            facts.append(measure(comparison, network, names))
        except GradcheckError:  # the rule does not run there
            continue
    return ". ".join(filter(None, facts))


def _from_length(comparison: Comparison, network: RecurrentNetwork, names: Sequence[str]) -> str:
    """Describe the error at the first wrong length of 1 to 6 and the counterexample's; return "" if all are right."""
    right: list[int] = []
    for T in sorted({*range(1, _SHORT + 1), _length(comparison)}):
        off = _off(comparison.on_floats(lively_problem(network, Sizes(T, 3, 2, 2), 0)), names)
        if off:
            sizes = ", ".join(f"{name} by {size:.2g}" for name, size in off.items())
            begins = f"Right at T = {_listed(right)}, it is" if right else "It is"
            return f"{begins} off at T = {T}: {sizes} of its largest entry"
        right.append(T)
    return ""


def _length(comparison: Comparison) -> int:
    """Return the longest length to try: the counterexample's, or `_SHORT` if that is out of range."""
    return comparison.seen.T if _SHORT < comparison.seen.T <= _LONG else _SHORT


def _off(point: FloatPoint, names: Sequence[str]) -> dict[str, float]:
    """Map wrong parameters to the largest error of their entries, relative to the largest right entry."""
    found = {}
    for name in names:
        if not point.right[name].all():
            error, largest = np.abs(point.result[name] - point.middles[name]).max(), np.abs(point.middles[name]).max()
            found[name] = float(error / largest) if largest and np.isfinite(error) else float("inf")
    return found


def _by_loss(comparison: Comparison, network: RecurrentNetwork, names: Sequence[str]) -> str:
    """Describe the losses for which the rule is wrong, each alone: the other targets are the network's outputs."""
    T = 4
    base = lively_problem(network, Sizes(T, 3, 2, 2), 0)
    outputs, steps = np.array([ask(network, Capabilities.output, u) for u in forward(base)[1]]), np.arange(1, T + 1)
    wrong = [
        t
        for t in steps.tolist()
        if _off(
            comparison.on_floats(base.replace(targets=np.where((steps == t)[:, None], base.targets, outputs))), names
        )
    ]
    right = [t for t in steps.tolist() if t not in wrong]
    if not wrong or not right:
        return ""
    return (
        f"For the loss of one step alone (T = {T}), it is right at t = {_listed(right)}, wrong at t = {_listed(wrong)}"
    )


def _by_lag(comparison: Comparison, network: RecurrentNetwork, names: Sequence[str]) -> str:
    """Describe the wrong lags, on inputs one-hot in time, for which each row of dW shows one lag."""
    T = _length(comparison)
    problem = lagwise.one_hot_problem(network, Sizes(T, 3, T, 2), 0)
    owned = {
        k: [e for e in entries if e[0] in names] for k, entries in lagwise.owners(problem, kinds_of(names)).items()
    }
    if sorted(k for k, entries in owned.items() if entries) != list(range(T)):
        return ""
    point = comparison.on_floats(problem)
    with point.field.working():
        judged = lagwise.by_lag(owned, point.result, point.promised, point.field, point.allowed)
        text = lagwise.sentence(judged)
    shown = " and ".join(sorted({name for entries in owned.values() for name, _ in entries}))
    return f"{shown} for the loss at T = {T} alone: {text}" if text else ""


def _listed(numbers: Sequence[int]) -> str:
    """Format numbers as 3, as 1 to 4, or as 1, 3."""
    if len(numbers) > 2 and all(b == a + 1 for a, b in itertools.pairwise(numbers)):
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, numbers))
