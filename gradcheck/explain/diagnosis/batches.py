"""The result for another batch than the one that is claimed: other reductions, lengths, padding or sequences.

The loss of a batch is a sum over sequences, so its gradient is the sum of theirs, whatever their weights. Each
candidate here is that sum with other weights, lengths or arrays.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from ...evidence.target import expected
from ...problems.lively import lively_problem
from ...reference.errors import GradcheckError
from ...reference.networks.batch import CHOICES, EQUAL, Batch
from ...reference.problem import Problem
from ...reference.typing import Array, Gradient
from .comparison import Comparison
from .points import wrong_at

_Candidate = Callable[[Problem], Gradient]
_OPTIONS = {
    "reduction": {
        "mean": "the mean over sequences",
        "sum": "the sum over sequences",
        "pooled": "the mean over all steps",
    },
    "time": {"sum": "the sum over steps", "mean": "the mean over steps", "last": "the loss at the last step alone"},
    "outputs": {"sum": "the sum over outputs", "mean": "the mean over outputs"},
}


def another(comparison: Comparison) -> str | None:
    """Say for which other batch the result is right; None if there is none, or the network is no batch.

    Args:
        comparison: The points of the diagnosis.
    """
    network = comparison.points[0].problem.network
    if not isinstance(network, Batch):
        return None
    if text := _padding(comparison, network):
        return text
    names = set(comparison.points[0].result)
    for words, candidate in _candidates(comparison, network):
        if comparison.matched(candidate) == names:
            return f"{words} ({comparison.place(names)})"
    return None


def _padding(comparison: Comparison, network: Batch) -> str | None:
    """Say that the rule is right where the padding holds other numbers."""
    if network.lengths == EQUAL or network.padding == "zeros":
        return None
    for padding in ("numbers", "zeros")[network.padding == "numbers" :]:
        other = dataclasses.replace(network, padding=padding)
        sizes = [point.problem.sizes for point in comparison.points]
        try:
            points = [comparison.on_floats(lively_problem(other, size, seed)) for seed, size in enumerate(sizes)]
        except GradcheckError:
            return None
        if not wrong_at(points):
            if padding == "numbers":
                return (
                    "NaN in the padding reaches the gradient, which is right where the padding holds other numbers: 0 "
                    "times NaN is NaN. Replace the padding, np.where(mask, x, 0), before anything is computed with it"
                )
            return "It is right where the padding holds zeros alone: what is beyond the end of a sequence is not masked"
    return None


def _candidates(comparison: Comparison, network: Batch) -> Iterator[tuple[str, _Candidate]]:
    """Yield what the result may be instead, with the words that say so."""

    def of(other: Batch) -> _Candidate:
        return lambda problem: expected(comparison.claim, problem.replace(network=other))

    for option, among in _OPTIONS.items():
        for value in CHOICES[option]:
            if value != getattr(network, option):
                yield f"It is the gradient of {among[value]}, {option}={value!r}", _tried(of, network, {option: value})
    if network.lengths != EQUAL:
        yield (
            "It is the gradient for sequences that all have T steps: padding is not masked",
            of(dataclasses.replace(network, lengths=EQUAL)),
        )
    yield from _other_weights(comparison, network)
    if network.count > 1:
        yield (
            "It takes (T, N) for (N, T): inputs or targets are reshaped where axes are to be exchanged",
            _reshaped(comparison, network, ("inputs", "targets")),
        )
        yield (
            "It takes inputs (T, N, D) for (N, T, D): reshaped where axes are to be exchanged",
            _reshaped(comparison, network, ("inputs",)),
        )


def _tried(of: Callable[[Batch], _Candidate], network: Batch, changes: dict[str, str]) -> _Candidate:
    def candidate(problem: Problem) -> Gradient:
        changed: dict[str, Any] = {**changes, "time": "sum"} if changes.get("reduction") == "pooled" else changes
        if network.reduction == "pooled" and "time" in changes:
            changed = {**changes, "reduction": "mean"}
        return of(dataclasses.replace(network, **changed))(problem)

    return candidate


def _other_weights(comparison: Comparison, network: Batch) -> Iterator[tuple[str, _Candidate]]:
    """Yield gradients in which sequences have other weights."""

    def weighted(change: Callable[[int, Problem], Fraction | int]) -> _Candidate:
        return lambda problem: _summed(comparison, network, problem, change)

    if network.lengths != EQUAL and network.time == "mean":
        yield (
            "It divides by T, the padded length, where it should divide by the steps of each sequence",
            weighted(lambda n, problem: Fraction(network.lengths_at(problem.T)[n], problem.T)),
        )
    if network.lengths != EQUAL and network.reduction == "pooled":
        yield (
            "It divides by N T, padding included, where it should divide by the steps of all sequences",
            weighted(lambda n, problem: Fraction(sum(network.lengths_at(problem.T)), network.count * problem.T)),
        )
    if network.count > 1:
        yield "It counts the first sequence alone", weighted(lambda n, _: int(n == 0))
        yield "It counts the last sequence alone", weighted(lambda n, _: int(n == network.count - 1))
        yield "It leaves the first sequence out", weighted(lambda n, _: int(n != 0))
        yield "It leaves the last sequence out", weighted(lambda n, _: int(n != network.count - 1))


def _summed(
    comparison: Comparison, network: Batch, problem: Problem, change: Callable[[int, Problem], Fraction | int]
) -> Gradient:
    """Return the sum of the sequences' gradients, that of sequence n times a number."""
    total: Gradient = {name: np.zeros_like(array) for name, array in problem.parameters.items()}
    for n in range(network.count):
        factor = Fraction(change(n, problem))
        if factor:
            own = expected(comparison.claim, network.sequence(problem, n))
            total = {k: total[k] + own[k] * factor.numerator / factor.denominator for k in total}
    return total


def _reshaped(comparison: Comparison, network: Batch, names: tuple[str, ...]) -> _Candidate:
    def moved(array: Array, T: int) -> Array:
        parts = np.reshape(array, (network.count, T, -1))
        return np.reshape(np.swapaxes(parts, 0, 1), array.shape)

    def candidate(problem: Problem) -> Gradient:
        changes = {name: moved(getattr(problem, name), problem.T) for name in names}
        return expected(comparison.claim, problem.replace(**changes))

    return candidate
