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
from ...reference.networks import start
from ...reference.networks.batch import CHOICES, EQUAL, Batch
from ...reference.problem import Problem, map_state
from ...reference.typing import Array, Gradient
from .comparison import Comparison
from .points import wrong_at

_Candidate = Callable[[Problem], Gradient]
_Weights = Callable[[Array, int], Array]
"""Takes loss weights (T, N), and T, to other weights."""
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
    if network.lengths != EQUAL and network.padding != "zeros":
        numbers = _padded_with(comparison, network, "numbers")
        if network.padding == "nan" and numbers and not numbers.wrong:
            return (
                "NaN in the padding reaches the gradient, which is right where the padding holds other numbers: 0 "
                "times NaN is NaN. Replace the padding, np.where(mask, x, 0), before anything is computed with it"
            )
        zeros = _padded_with(comparison, network, "zeros")
        if zeros and not zeros.wrong:
            return "It is right where the padding holds zeros alone: what is beyond the end of a sequence is not masked"
        if numbers and not comparison.exact:  # NaN is like no candidate
            comparison = numbers
    wrong = set(comparison.wrong)
    for words, candidate in _candidates(comparison, network):
        if wrong <= (names := comparison.matched(candidate)):
            whole = names == set(comparison.points[0].result)
            text_of = words if whole else f"In {' and '.join(comparison.wrong)}, {words[0].lower()}{words[1:]}"
            return f"{text_of} ({comparison.place(names if whole else wrong)})"
    return None


def _padded_with(comparison: Comparison, network: Batch, padding: str) -> Comparison | None:
    """Return float points of the same sizes whose padding holds other numbers; None where the rule fails there."""
    other = dataclasses.replace(network, padding=padding)
    sizes = [point.problem.sizes for point in comparison.points]
    try:
        points = tuple(comparison.on_floats(lively_problem(other, size, seed)) for seed, size in enumerate(sizes))
        return dataclasses.replace(comparison, points=points, wrong=wrong_at(points))
    except GradcheckError:
        return None


def _candidates(comparison: Comparison, network: Batch) -> Iterator[tuple[str, _Candidate]]:
    """Yield what the result may be instead, with the words that say so."""

    def of(other: Batch) -> _Candidate:
        return lambda problem: expected(comparison.claim, problem.replace(network=other))

    for option, among in _OPTIONS.items():
        for value in CHOICES[option]:
            if value != getattr(network, option):
                yield f"It is the gradient of {among[value]}, {option}={value!r}", _tried(of, network, {option: value})
    yield from _other_weights(comparison, network)
    yield from _other_arrays(comparison, network)


def _tried(of: Callable[[Batch], _Candidate], network: Batch, changes: dict[str, str]) -> _Candidate:
    def candidate(problem: Problem) -> Gradient:
        changed: dict[str, Any] = {**changes, "time": "sum"} if changes.get("reduction") == "pooled" else changes
        if network.reduction == "pooled" and "time" in changes:
            changed = {**changes, "reduction": "mean"}
        return of(dataclasses.replace(network, **changed))(problem)

    return candidate


def _other_weights(comparison: Comparison, network: Batch) -> Iterator[tuple[str, _Candidate]]:
    """Yield gradients in which steps and sequences have other weights.

    Beyond the end of a sequence, the rule may have read what is there, or zeros in its place.
    """

    def weighted(change: _Weights, zeros: bool = False) -> _Candidate:
        return lambda problem: _summed(comparison, network, problem, change, zeros)

    def factor(of: Callable[[int, int], Fraction | int]) -> _Candidate:
        """Return the gradient in which sequence n of T steps counts so many times."""

        def times(weights: Array, T: int) -> Array:
            numbers = [Fraction(of(n, T)) for n in range(network.count)]
            tops, bottoms = ([float(getattr(each, part)) for each in numbers] for part in ("numerator", "denominator"))
            return weights * np.array(tops) / np.array(bottoms)  # type: ignore[no-any-return]

        return weighted(times)

    lengths, N = network.lengths_at, network.count
    if network.lengths != EQUAL:
        if network.time == "mean":
            yield (
                "It divides by T, the padded length, where it should divide by the steps of each sequence",
                factor(lambda n, T: Fraction(lengths(T)[n], T)),
            )
        if network.reduction == "pooled":
            yield (
                "It divides by N T, padding included, where it should divide by the steps of all sequences",
                factor(lambda n, T: Fraction(sum(lengths(T)), N * T)),
            )
        longest = "padding is not masked: it has losses there"
        if network.time == "last":
            longest = "it takes the loss at step T, where it should be at the last step of each sequence"
        for zeros in (False, True):
            yield f"As if all sequences had T steps, {longest}", weighted(_of_the_longest(network), zeros)
            late = "The mask comes a step late: each sequence counts one step too many, and not its first"
            yield late, weighted(_a_step_late, zeros)
            yield "The masks or lengths are those of the sequences in the opposite order", weighted(_reversed, zeros)
    if N > 1:
        yield "It counts the first sequence alone", factor(lambda n, _: int(n == 0))
        yield "It counts the last sequence alone", factor(lambda n, _: int(n == N - 1))
        yield "It leaves the first sequence out", factor(lambda n, _: int(n != 0))
        yield "It leaves the last sequence out", factor(lambda n, _: int(n != N - 1))


def _of_the_longest(network: Batch) -> _Weights:
    return lambda weights, T: weights[:, [int(np.argmax(network.lengths_at(T)))] * network.count]


def _a_step_late(weights: Array, T: int) -> Array:
    return np.concatenate([0 * weights[:1], weights[:-1]])


def _reversed(weights: Array, T: int) -> Array:
    return weights[:, ::-1]


def _summed(comparison: Comparison, network: Batch, problem: Problem, change: _Weights, zeros: bool) -> Gradient:
    """Return the sum of the sequences' gradients with other weights, and zeros as their padding if `zeros`."""
    total: Gradient = {name: np.zeros_like(array) for name, array in problem.parameters.items()}
    weights = change(network.arrays(problem)["loss_weights"], problem.T)
    for n, length in enumerate(network.lengths_at(problem.T)):
        own = network.sequence(problem, n).replace(loss_weights=weights[:, n])
        if zeros:
            own = own.replace(inputs=_cut(own.inputs, length), targets=_cut(own.targets, length))
        found = expected(comparison.claim, own)
        total = {name: total[name] + found[name] for name in total}
    return total


def _cut(array: Array, length: int) -> Array:
    return np.concatenate([array[:length], 0 * array[length:]])


def _other_arrays(comparison: Comparison, network: Batch) -> Iterator[tuple[str, _Candidate]]:
    """Yield gradients of other inputs, targets and initial states."""
    if network.count == 1:
        return

    def moved(array: Array) -> Array:
        parts = np.reshape(array, (network.count, array.shape[0], -1))
        return np.reshape(np.swapaxes(parts, 0, 1), array.shape)

    def of(change: Callable[[Problem], dict[str, Any]]) -> _Candidate:
        return lambda problem: expected(comparison.claim, problem.replace(**change(problem)))

    mixed = "are reshaped from (T, N, ...) to (N, T, ...), where axes are to be exchanged"
    yield f"Inputs and targets {mixed}", of(lambda p: {"inputs": moved(p.inputs), "targets": moved(p.targets)})
    yield f"Inputs {mixed}", of(lambda p: {"inputs": moved(p.inputs)})
    yield f"Targets {mixed}", of(lambda p: {"targets": moved(p.targets)})
    if start.is_given(network):

        def ordered(order: Any) -> _Candidate:
            return of(lambda p: {"initial_state": map_state(lambda array: array[order], p.initial_state)})

        yield "Every sequence starts from the initial state of the first", ordered([0] * network.count)
        yield "The initial states are those of the sequences in the opposite order", ordered(slice(None, None, -1))
