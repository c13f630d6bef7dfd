"""Theorems on the results of a rule on several problems: sums of results that must vanish.

A law is a sum of results, each with its entries moved and scaled by powers of two. A property derives laws from a
problem, or none if it is no theorem for the claim, the network or the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ...reference import lags
from ...reference.claims import Claim, LagClaim
from ...reference.errors import Inadmissible
from ...reference.networks import start
from ...reference.networks.base import Capabilities, RecurrentNetwork, ask, has_one_loss
from ...reference.problem import Problem, forward
from ...reference.typing import Array
from ...reference.wanted import INITIAL_STATE, INPUTS, Of, kind_of
from ...rules.adapt import wanted_by

Move = Callable[[str, Array], Array]
"""Function of an array's name and gradient. It selects and moves entries and changes signs, and does no more."""


def _as_is(name: str, array: Array) -> Array:
    return array


@dataclass(frozen=True)
class Term:
    """One result in a sum.

    Attributes:
        problem: The rule's problem.
        scale: Returns the factor of a parameter, a power of two up to sign.
        move: Moves the entries of the result.
    """

    problem: Problem
    scale: Callable[[str], float] = lambda name: 1.0
    move: Move = _as_is


@dataclass(frozen=True)
class Law:
    """Terms with a sum that must vanish.

    Attributes:
        terms: The terms.
        rounded: True if a number of the later problems was rounded, such as a target that is an output, or a state
            that was visited. The allowance of the first problem covers the effect, so it counts twice.
    """

    terms: tuple[Term, ...]
    rounded: bool = False


@dataclass(frozen=True)
class Property:
    """A theorem on results of a rule.

    Attributes:
        name: Its name.
        sentence: The theorem as a sentence.
        laws: Takes the claim, a problem, and True if the rule reads loss weights. Yields the laws, none if the property
            is no theorem for them.
    """

    name: str
    sentence: str
    laws: Callable[[Claim, Problem, bool], Iterator[Law]]


def _units_alike(network: RecurrentNetwork) -> bool:
    """Return True if units may be permuted: their own start, where the network settles it, is zeros."""
    return bool(ask(network, Capabilities.unit_axes)) and (start.is_given(network) or start.is_zeros(network))


def _turned(problem: Problem, order: Array, signs: Array) -> tuple[Problem, Move]:
    """Return the problem with its units in another order and with other signs, and the move of its gradient."""
    axes = ask(problem.network, Capabilities.unit_axes)

    def move(name: str, array: Array) -> Array:
        if name == INITIAL_STATE:
            return array[order] * signs
        for axis in axes.get(name, ()):
            array = np.take(array, order, axis)
            if array.ndim > 1:  # w multiplies a unit's state by itself, whatever its sign
                array = array * np.expand_dims(signs, [i for i in range(array.ndim) if i != axis])
        return array

    turned = problem.varied(
        parameters={name: move(name, array) for name, array in problem.parameters.items()},
        initial_state=problem.initial_state[order] * signs,
    )
    return turned, move


def _permutation(claim: Claim, problem: Problem, weighted: bool) -> Iterator[Law]:
    I = problem.sizes.I
    if _units_alike(problem.network) and I > 1:
        turned, move = _turned(problem, np.roll(np.arange(I), 1), np.ones(I))
        yield Law((Term(turned), Term(problem, lambda name: -1.0, move)))


def _sign_flip(claim: Claim, problem: Problem, weighted: bool) -> Iterator[Law]:
    I = problem.sizes.I
    odd = ask(problem.network, Capabilities.odd_activation)
    if odd and _units_alike(problem.network):
        for signs in (-np.ones(I), np.where(np.arange(I) % 2, 1.0, -1.0)):
            turned, move = _turned(problem, np.arange(I), signs)
            yield Law((Term(turned), Term(problem, lambda name: -1.0, move)))


def _loss_scaling(claim: Claim, problem: Problem, weighted: bool) -> Iterator[Law]:
    axes = ask(problem.network, Capabilities.unit_axes)
    if not axes or not ask(problem.network, Capabilities.scales_with_readout):
        return
    for c in (4.0, 0.125):
        scaled = problem.replace(
            parameters={n: a * c if n == "V" else a for n, a in problem.parameters.items()}, targets=problem.targets * c
        )
        yield Law((Term(scaled), Term(problem, lambda name, c=c: -c if name == "V" else -c * c)))  # type: ignore[misc]


def _loss_subsets(claim: Claim, problem: Problem, weighted: bool) -> Iterator[Law]:
    if not weighted:
        return
    share = np.resize([1.0, 0.25, 0.0], problem.T)
    parts = [problem.replace(loss_weights=problem.loss_weights * s) for s in (share, 1 - share)]
    yield Law((Term(problem, lambda name: -1.0), *map(Term, parts)))


def _sequences(claim: Claim, problem: Problem, weighted: bool) -> Iterator[Law]:
    network = problem.network
    if not _units_alike(network) or not ask(network, Capabilities.acts_by_component):
        return
    other = problem.replace(inputs=problem.inputs[::-1] * 0.5, targets=problem.targets[::-1].copy())
    both = Problem(
        {name: _blocks(array, array) for name, array in problem.parameters.items()},
        np.concatenate([problem.inputs, other.inputs], axis=1),
        np.concatenate([problem.targets, other.targets], axis=1),
        np.concatenate([problem.initial_state, other.initial_state]),
        problem.loss_weights,
        network,
    )

    def block(number: int) -> Move:
        def move(name: str, array: Array) -> Array:
            half = tuple(slice(number * n // 2, (number + 1) * n // 2) for n in array.shape)
            return array[:, half[1]] if name == INPUTS else array[half]

        return move

    for number, alone in enumerate((problem, other)):
        yield Law((Term(alone, lambda name: -1.0), Term(both, move=block(number))))


def _blocks(a: Array, b: Array) -> Array:
    """Return [[a, 0], [0, b]], or the concatenation of two vectors."""
    if a.ndim == 1:
        return np.concatenate([a, b])
    return np.block([[a, np.zeros((a.shape[0], b.shape[1]))], [np.zeros((b.shape[0], a.shape[1])), b]])


def _prefix(claim: Claim, problem: Problem, weighted: bool) -> Iterator[Law]:
    T = problem.T
    if T == 1 or not has_one_loss(problem.network):
        return
    if not all(_keeps(claim, t, k, T) == _keeps(claim, t, k, T - 1) for t in range(1, T) for k in range(t)):
        return
    targets = problem.targets.copy()
    targets[-1] = ask(problem.network, Capabilities.output, forward(problem)[1][-1])
    whole = problem.replace(targets=targets)
    if not lags.error_signals(whole)[-1].any():
        yield Law((Term(whole), Term(whole.prefix(T - 1), lambda name: -1.0, _among(T, 0))), rounded=True)


def _reset(claim: Claim, problem: Problem, weighted: bool) -> Iterator[Law]:
    T = problem.T
    if not start.is_given(problem.network) or not has_one_loss(problem.network):
        return
    if not all(_keeps(claim, t, 0, T) and _keeps(claim, 1, 0, 1) for t in range(1, T + 1)):
        return
    for name in problem.parameters:
        try:
            cut = problem.replace(
                parameters={n: np.zeros_like(a) if n == name else a for n, a in problem.parameters.items()}
            )
        except Inadmissible:
            continue
        if _forgets(cut, wanted_by(claim)):
            states, _ = forward(cut)
            steps = [
                cut.replace(
                    inputs=cut.inputs[t : t + 1], targets=cut.targets[t : t + 1], initial_state=states[t],
                    loss_weights=cut.loss_weights[t : t + 1],
                )
                for t in range(T)
            ]  # fmt: skip
            alone = (Term(step, _only_first(t), _among(T, t)) for t, step in enumerate(steps))
            yield Law((Term(cut, lambda name: -1.0), *alone), rounded=True)


def _among(T: int, first: int) -> Move:
    """Return the move of the gradient of some steps of a sequence of T, from `first` on, to that of all of them."""

    def move(name: str, array: Array) -> Array:
        if name != INPUTS:
            return array
        rows = np.zeros((T, *array.shape[1:]), dtype=array.dtype)
        rows[first : first + len(array)] = array
        return rows

    return move


def _only_first(t: int) -> Callable[[str], float]:
    """Return the scale of the gradient of step t + 1 alone: the state before it is the sequence's own at t = 0."""
    return lambda name: 0.0 if t and kind_of(name) == INITIAL_STATE else 1.0


def _forgets(problem: Problem, of: Of) -> bool:
    """Return True if the gradient is not 0 and has only lag 0."""
    terms = lags.by_lag(problem, of)
    later = any(array.any() for (_, k) in terms if k for array in terms[_, k].values())
    return not later and any(array.any() for name, array in lags.gradient(problem, None, of).items())


def _keeps(claim: Claim, t: int, k: int, T: int) -> bool:
    assert isinstance(claim, LagClaim)
    return claim.keeps(t, k, T)


PROPERTIES = (
    Property("permutation", "hidden units may change places", _permutation),
    Property("sign flip", "for odd f, hidden units may change their signs", _sign_flip),
    Property("loss scaling", "V and y times c: dV times c, the rest times c^2", _loss_scaling),
    Property("loss subsets", "losses weighted apart add up", _loss_subsets),
    Property("sequences", "two networks side by side are two sequences", _sequences),
    Property("prefix", "a last step without error adds nothing", _prefix),
    Property("reset", "a network without memory is the sum of its single steps", _reset),
)
