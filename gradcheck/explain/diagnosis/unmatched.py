"""How a result that matches nothing differs: in which entries, by how much, from which length, loss and lag on.

All but the entries is measured on floats, which a generic rule runs on too.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ...evidence.floats import lagwise
from ...problems.lively import lively_problem
from ...reference.errors import GradcheckError
from ...reference.networks.base import RecurrentNetwork, Sizes
from ...reference.problem import forward
from .comparison import Ground
from .points import FloatPoint
from .where import pattern

_SHORT = 6
_LONG = 48
"""Lengths up to `_SHORT` are tried, and the counterexample's if it is no longer than this."""


def sentence(ground: Ground, network: RecurrentNetwork, names: Sequence[str]) -> str:
    """Which of these parameters are wrong in which entries, by how much, and where that begins."""
    parts = []
    for name in names:
        shown = {shape for point in ground.points if (shape := pattern(~point.right[name]))}
        parts.append(f"{name} in {shown.pop() if len(shown) == 1 else 'some entries'}")
    right = [name for name in ground.points[0].result if name not in ground.wrong]
    kept = f"; {' and '.join(right)} {'is' if len(right) == 1 else 'are'} right" if right else ""
    told = [f"It is wrong in {', '.join(parts)}{kept}"]
    for measure in (_from_length, _by_loss, _by_lag):
        try:
            told.append(measure(ground, network, names))
        except GradcheckError:  # the rule does not run there
            continue
    return ". ".join(filter(None, told))


def _from_length(ground: Ground, network: RecurrentNetwork, names: Sequence[str]) -> str:
    """The shortest of six lengths, or the counterexample's, at which it is wrong, and by how much there."""
    right: list[int] = []
    for T in sorted({*range(1, _SHORT + 1), _length(ground)}):
        off = _off(ground.on_floats(lively_problem(network, Sizes(T, 3, 2, 2), 0)), names)
        if off:
            sizes = ", ".join(f"{name} by {size:.2g}" for name, size in off.items())
            begins = f"Right at T = {_listed(right)}, it is" if right else "It is"
            return f"{begins} off at T = {T}: {sizes} of its largest entry"
        right.append(T)
    return ""


def _length(ground: Ground) -> int:
    """A length at which it is wrong, if one of these is."""
    return ground.seen.T if _SHORT < ground.seen.T <= _LONG else _SHORT


def _off(point: FloatPoint, names: Sequence[str]) -> dict[str, float]:
    """Wrong parameter to the largest error of its entries, relative to the largest right entry."""
    found = {}
    for name in names:
        if not point.right[name].all():
            error, largest = np.abs(point.result[name] - point.middles[name]).max(), np.abs(point.middles[name]).max()
            found[name] = float(error / largest) if largest and np.isfinite(error) else float("inf")
    return found


def _by_loss(ground: Ground, network: RecurrentNetwork, names: Sequence[str]) -> str:
    """Which losses it is wrong for where each speaks alone: the other targets are the network's own outputs."""
    T = 4
    base = lively_problem(network, Sizes(T, 3, 2, 2), 0)
    outputs, steps = np.array([network.output(u) for u in forward(base)[1]]), np.arange(1, T + 1)
    wrong = [
        t
        for t in steps.tolist()
        if _off(ground.on_floats(base.replace(targets=np.where((steps == t)[:, None], base.targets, outputs))), names)
    ]
    right = [t for t in steps.tolist() if t not in wrong]
    if not wrong or not right:
        return ""
    return (
        f"For the loss of one step alone (T = {T}), it is right at t = {_listed(right)}, wrong at t = {_listed(wrong)}"
    )


def _by_lag(ground: Ground, network: RecurrentNetwork, names: Sequence[str]) -> str:
    """From which lag on: inputs one-hot in time, on which rows of dW show one lag each."""
    T = _length(ground)
    problem = lagwise.one_hot_problem(network, Sizes(T, 3, T, 2), 0)
    owned = {k: [e for e in entries if e[0] in names] for k, entries in lagwise.owners(problem).items()}
    if sorted(k for k, entries in owned.items() if entries) != list(range(T)):
        return ""
    point = ground.on_floats(problem)
    with point.field.working():
        judged = lagwise.by_lag(owned, point.result, point.promised, point.field, point.allowed)
        said = lagwise.sentence(judged)
    shown = " and ".join(sorted({name for entries in owned.values() for name, _ in entries}))
    return f"{shown} for the loss at T = {T} alone: {said}" if said else ""


def _listed(numbers: Sequence[int]) -> str:
    """3; 1 to 4; 1, 3."""
    if len(numbers) > 2 and all(b == a + 1 for a, b in itertools.pairwise(numbers)):
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, numbers))
