"""Batches: several sequences side by side under one set of parameters, and the loss that their losses reduce to.

Plan. A batch of N sequences is one network: N copies of a cell that share parameters. Its state is (N, ...), its inputs
(T, N D), its targets (T, N K). So whatever judges a network judges a batch, and only three things are new:
- the loss of step t of T is sum_n c(t, n) L(u_n, y_n), with numbers c that reduction, time and lengths settle
  (`at_step`); where a sequence has ended, c is 0 and its loss is left out, not multiplied by 0;
- inputs and targets have blocks, one for each sequence, and what a domain says holds for each block (`sequences`);
- a rule gets the problem as people hold it, (T, N, D) and (T, N, K), with lengths, mask and padding (`presented`).
Padding is in what the rule gets alone. The reference has ordinary numbers there, which nothing depends on.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from ..errors import GradcheckError
from ..tree import is_shape, map_nest
from ..typing import Array, Parameters, State
from . import base, start
from .base import Capabilities, Rest, Sizes, TargetDomain, ask, not_a_network
from .domains import INPUTS, Domain
from .presented import Presented, places

EQUAL, ANY, DESCENDING = "equal", "any", "descending"
CHOICES: Mapping[str, tuple[Any, ...]] = {
    "reduction": ("mean", "sum", "pooled"),
    "time": ("sum", "mean", "last"),
    "outputs": ("sum", "mean"),
    "padding": ("nan", "numbers", "zeros"),
    "tokens": (False, True),
    "batch_first": (False, True),
}
"""Option to the values that it may have."""
_SHOWN = range(2, 5)
"""Numbers of steps whose lengths a report names."""


@dataclass(frozen=True)
class Batch(Capabilities):
    """N sequences of one network, and the loss of them all.

    A rule for a batch gets `problem.inputs` (T, N, D), `problem.targets` (T, N, K), `problem.initial_state` with N as
    the first axis of each array, `problem.loss_weights` (T, N), `problem.mask` (T, N), True for the steps of a
    sequence, and `problem.lengths` (N,). `problem.network` is the network of one sequence. The loss is the sum over t
    and n of loss_weights[t, n] L(u_n(t), y_n(t)), with the L of that network: the weights have the reduction, the mask
    and everything else below in them. D and K of a report count all sequences.

    Args:
        network: The network of one sequence.
        N: The number of sequences; None for one sequence without an axis for it.
        reduction: "mean" or "sum" over sequences, or "pooled", the mean over the steps of all sequences together.
        time: "sum" or "mean" over a sequence's own steps, or "last", its last step alone.
        outputs: "sum" or "mean" over the K outputs.
        scale: A whole number that the loss is multiplied by. 2 makes a mean squared error of half a squared error.
        lengths: "equal"; "any", lengths that differ; "descending", the longest first; or a tuple of N lengths, such as
            (5, 3, 2): at another T than the longest, all change by the same number of steps, and none below 1. The
            longest has T steps.
        padding: Numbers of inputs and targets where a sequence has ended. "nan": NaN on floats, at every other place,
            and any numbers else; "numbers": any numbers; "zeros".
        tokens: Let inputs be one-hot, and hand them over as whole numbers (T, N), the places of the 1: W[x] in the rule
            is W^T x in the network.
        batch_first: Hand arrays over as (N, T, ...) in place of (T, N, ...).

    Raises:
        GradcheckError: An option has another value, or options contradict each other.
    """

    network: Any
    N: int | None = 2
    reduction: str = "mean"
    time: str = "sum"
    outputs: str = "sum"
    scale: int = 1
    lengths: str | tuple[int, ...] = EQUAL
    padding: str = "nan"
    tokens: bool = False
    batch_first: bool = False
    weights: tuple[tuple[int, ...], int] | None = dataclasses.field(default=None, repr=False)
    """Numerators and denominator of c(t, n) at one step, see `at_step`; left to that."""

    def __post_init__(self) -> None:
        if refusal := not_a_network(self.network):
            raise GradcheckError(refusal)
        if isinstance(self.network, Batch):
            raise GradcheckError("a batch of batches is a batch; give Batch the network of one sequence")
        for option, among in CHOICES.items():
            value = getattr(self, option)
            if not any(type(value) is type(each) and value == each for each in among):
                raise GradcheckError(
                    f"Batch has no {option}={value!r:.60}; choose one of {', '.join(map(repr, among))}"
                )
        for option, value in (("N", self.N), ("scale", self.scale)):
            if type(value) is not int or value < 1:
                if option == "scale" or value is not None:
                    raise GradcheckError(f"Batch has no {option}={value!r:.60}; wanted a whole number from 1 on")
        self._check_lengths()
        if self.reduction == "pooled" and self.time != "sum":
            raise GradcheckError(
                f"reduction='pooled' is a mean over all steps, so time={self.time!r} has no place beside it; leave "
                "time out, or take reduction='mean'"
            )
        stated = Domain.read(ask(self.network, Capabilities.domains).get(INPUTS, "real"), INPUTS)
        if self.tokens and not stated.real and stated.kind != "one-hot":
            raise GradcheckError(
                f"tokens=True is for inputs that are one-hot; the network {self.network.name} wants {stated}"
            )

    def _check_lengths(self) -> None:
        if isinstance(self.lengths, list):
            object.__setattr__(self, "lengths", tuple(self.lengths))
        if isinstance(self.lengths, tuple):
            if len(self.lengths) != self.count or any(type(n) is not int or n < 1 for n in self.lengths):
                raise GradcheckError(
                    f"lengths={self.lengths!r:.60} is not a tuple of {self.count} whole numbers from 1 on, one for "
                    "each sequence"
                )
        elif self.lengths not in (EQUAL, ANY, DESCENDING):
            raise GradcheckError(
                f"Batch has no lengths={self.lengths!r:.60}; choose one of 'equal', 'any', 'descending', or give a "
                "tuple of lengths such as (5, 3)"
            )

    @property
    def name(self) -> str:
        return f"{'sequence' if self.N is None else f'batch of {self.N}'}: {self.network.name}"

    @property
    def count(self) -> int:
        """N, or 1 where there is no axis for it."""
        return 1 if self.N is None else self.N

    def __str__(self) -> str:
        over = [f"{self.reduction} over sequences"] if self.reduction != "pooled" else ["mean over all steps"]
        over += [{"last": "loss at the last step"}.get(self.time, f"{self.time} over steps")] * (
            self.reduction != "pooled"
        )
        over += ["mean over outputs"] * (self.outputs == "mean") + [f"times {self.scale}"] * (self.scale != 1)
        if self._padded:
            shown = ", ".join(f"{self.lengths_at(T)}" for T in _SHOWN)
            padding = {"nan": "NaN and any numbers"}.get(self.padding, self.padding)
            over += [f"lengths {shown}, ... at T = 2, 3, 4, ...", f"padded with {padding}"]
        over += ["tokens"] * self.tokens + ["batch first"] * self.batch_first
        fixed = [] if self.weights is None else [f"weights {self.weights[0]}/{self.weights[1]}"]
        return ", ".join([*(over if self.N is not None or self._padded else over[1:]), *fixed]) + f"; {self.network}"

    def chosen(self) -> dict[str, Any]:
        """Return the options that differ from their defaults, by name."""
        fields = [each for each in dataclasses.fields(self) if each.name not in ("network", "weights")]
        return {each.name: getattr(self, each.name) for each in fields if getattr(self, each.name) != each.default}

    # The network: N copies side by side.

    def _of_one(self, sizes: Sizes) -> Sizes:
        """Return the sizes of one sequence; a size that is no multiple of N is that of the next."""
        return Sizes(sizes.T, sizes.I, -(-sizes.D // self.count), -(-sizes.K // self.count))

    def parameter_shapes(self, sizes: Sizes) -> dict[str, tuple[int, ...]]:
        return self.network.parameter_shapes(self._of_one(sizes))  # type: ignore[no-any-return]

    def state_shape(self, sizes: Sizes) -> Any:
        shape = self.network.state_shape(self._of_one(sizes))
        return map_nest(lambda part: (self.count, *part), shape, is_leaf=is_shape)

    def sizes_of(self, parameters: Parameters, T: int) -> Sizes:
        own = base.sizes_of(self.network, parameters, T)
        return Sizes(T, own.I, own.D * self.count, own.K * self.count)

    def _blocks(self, row: Array) -> list[Array]:
        """Return the parts of an input, a readout or a target, one for each sequence."""
        width = row.shape[0] // self.count
        return [row[n * width : (n + 1) * width] for n in range(self.count)]

    def step(self, parameters: Parameters, state: State, x: Array) -> State:
        own = (map_nest(lambda array, n=n: _row(array, n), state) for n in range(self.count))
        after = [base.step(self.network, parameters, a, part) for a, part in zip(own, self._blocks(x), strict=True)]
        return map_nest(lambda *parts: np.stack(parts), *after)

    def readout(self, parameters: Parameters, state: State) -> Array:
        rows = (map_nest(lambda array, n=n: _row(array, n), state) for n in range(self.count))
        return np.concatenate([self.network.readout(parameters, row) for row in rows])

    @property
    def initial_state(self) -> Any:
        """The start of N sequences, as the network of one says it."""
        stated = getattr(self.network, "initial_state", start.GIVEN)
        if stated is None or isinstance(stated, str):
            return stated
        if callable(stated):
            return lambda parameters: self._repeated(start.learned(self.network, parameters))
        return self._repeated(stated)

    def _repeated(self, state: State) -> State:
        return map_nest(lambda part: np.stack([part] * self.count), state)

    # The loss.

    def lengths_at(self, T: int) -> tuple[int, ...]:
        """Return the number of steps of each sequence, the longest T."""
        return _lengths(self.lengths, self.count, T)

    def coefficients(self, T: int, K: int) -> tuple[tuple[tuple[int, ...], ...], int]:
        """Return c(t, n), for t = 1..T, as rows of numerators and the denominator that all have in common.

        Args:
            T: The number of steps.
            K: The number of outputs of one sequence.
        """
        lengths = self.lengths_at(T)
        common = Fraction(self.scale, K if self.outputs == "mean" else 1)
        common /= {"mean": self.count, "sum": 1, "pooled": sum(lengths)}[self.reduction]
        own = [common / length if self.time == "mean" else common for length in lengths]
        den = math.lcm(*(each.denominator for each in own))

        def counts(t: int, n: int) -> bool:
            return t == lengths[n] if self.time == "last" else t <= lengths[n]

        rows = tuple(tuple(int(c * den) if counts(t, n) else 0 for n, c in enumerate(own)) for t in range(1, T + 1))
        return rows, den

    def at_step(self, t: int, T: int) -> Batch:
        if self.weights is not None or not (self._padded or self.time != "sum" or self.reduction == "pooled"):
            return self
        rows, den = self.coefficients(T, 1)
        shared = math.gcd(den, *rows[t - 1])
        return dataclasses.replace(self, weights=(tuple(n // shared for n in rows[t - 1]), den // shared))

    def _weights(self, K: int) -> tuple[tuple[int, ...], int]:
        """Return numerators and denominator of the losses at the step that this network stands for."""
        if self.weights is None:
            alike = dataclasses.replace(self, lengths=EQUAL)
            rows, den = alike.coefficients(1, K)
            return rows[0], den
        return self.weights[0], self.weights[1] * (K if self.outputs == "mean" else 1)

    def loss_value(self, u: Array, y: Array) -> Any:
        weights, den = self._weights(u.shape[0] // self.count)
        total = None
        for weight, own, target in zip(weights, self._blocks(u), self._blocks(y), strict=True):
            if weight:
                term = weight * base.loss_value(self.network, own, target)
                total = term if total is None else total + term
        if total is None:  # no sequence has a loss here
            return u.sum() * 0
        return total if den == 1 else total / den

    @property
    def output_error(self) -> Callable[[Array, Array], Array]:
        """The derivative of `loss_value`, if the network of one sequence has it."""
        if not callable(getattr(self.network, "output_error", None)):
            raise AttributeError(f"the network {self.network.name} has no output_error")
        return self._output_error

    def _output_error(self, u: Array, y: Array) -> Array:
        weights, den = self._weights(u.shape[0] // self.count)
        errors = []
        for weight, own, target in zip(weights, self._blocks(u), self._blocks(y), strict=True):
            if weight:
                error = weight * base.output_error(self.network, own, target)
                errors.append(error if den == 1 else error / den)
            else:
                errors.append(np.zeros_like(own))
        return np.concatenate(errors)

    # What else a network may say: as the network of one sequence says it.

    def output(self, u: Array) -> Array:
        return np.concatenate([ask(self.network, Capabilities.output, own) for own in self._blocks(u)])

    def undefined(self, *, head: bool = True) -> Any:
        made = ask(self.network, Capabilities.undefined, head=head)
        return None if made is None else dataclasses.replace(self, network=made)

    def functions(self) -> Any:
        return self.network

    def sequences(self) -> int:
        return self.count

    def target_domain(self) -> TargetDomain:
        return ask(self.network, Capabilities.target_domain)

    def validate_targets(self, targets: Array) -> None:
        rows = np.reshape(targets, (targets.shape[0] * self.count, -1))
        ask(self.network, Capabilities.validate_targets, rows)

    def domains(self) -> Mapping[str, Any]:
        stated = ask(self.network, Capabilities.domains)
        return {**stated, INPUTS: "one-hot"} if self.tokens else stated

    def has_kinks(self) -> bool:
        return ask(self.network, Capabilities.has_kinks)

    def resting_point(self) -> Rest | None:
        return ask(self.network, Capabilities.resting_point)

    def least_outputs(self) -> int:
        return self.count * ask(self.network, Capabilities.least_outputs)

    # A problem as a rule gets it, and as its user has it.

    @property
    def _padded(self) -> bool:
        return self.lengths != EQUAL

    def mask_at(self, T: int) -> Array:
        """Return the mask (T, N), True for the steps of a sequence."""
        return np.arange(1, T + 1)[:, None] <= np.array(self.lengths_at(T))

    def arrays(self, problem: Any) -> dict[str, Array]:
        """Return inputs (T, N, D), targets (T, N, K) and loss weights (T, N) of a problem of this network, unpadded."""
        T, own = problem.T, self._of_one(problem.sizes)
        rows, den = self.coefficients(T, own.K)
        weights = problem.loss_weights[:, None] * np.array(rows, dtype=float)
        return {
            "inputs": np.reshape(problem.inputs, (T, self.count, own.D)),
            "targets": np.reshape(problem.targets, (T, self.count, own.K)),
            "loss_weights": weights if den == 1 else weights / den,
        }

    def sequence(self, problem: Any, n: int) -> Any:
        """Return the problem of sequence n alone, with the weights that its losses have in the batch."""
        arrays = {name: array[:, n] for name, array in self.arrays(problem).items()}
        state = map_nest(lambda array: _row(array, n), problem.initial_state) if start.is_given(self.network) else None
        return dataclasses.replace(problem, **arrays, initial_state=state, network=self.network)

    def presented(self, problem: Any) -> Presented:
        """Return a problem of this network as a rule gets it.

        Args:
            problem: A `Problem`, on any scalars.

        Raises:
            UnsupportedOperation: Tokens are wanted of inputs that are no plain whole numbers.
        """
        mask = self.mask_at(problem.T)
        floats = problem.inputs.dtype.kind == "f" and type(problem.inputs) is np.ndarray
        arrays = self.arrays(problem)
        tokens = places(arrays["inputs"]) if self.tokens else None
        for name in ("inputs", "targets"):
            arrays[name] = self._filled(arrays[name], mask, floats)
        if tokens is not None:
            arrays["inputs"] = np.where(mask, tokens, 0) if self.padding == "zeros" else tokens
        arrays["mask"] = mask
        state, lengths = problem.initial_state, np.array(self.lengths_at(problem.T))
        if self.N is None:
            arrays = {name: array[:, 0] for name, array in arrays.items()}
            state = map_nest(lambda array: _row(array, 0), state)
        elif self.batch_first:
            arrays = {name: np.swapaxes(array, 0, 1) for name, array in arrays.items()}
        return Presented(
            network=self.network, parameters=problem.parameters, initial_state=state, lengths=lengths,
            sizes=self._of_one(problem.sizes), side_by_side=problem, **arrays,
        )  # fmt: skip

    def _filled(self, array: Array, mask: Array, floats: bool) -> Array:
        """Return inputs or targets (T, N, ...) with padding where the mask is False."""
        if not self._padded or self.padding == "numbers" or mask.all():
            return array
        if self.padding == "zeros":
            return np.where(mask[..., None], array, np.zeros_like(array))
        if not floats:
            return array
        turn = np.add.outer(*map(np.arange, mask.shape)) % 2 == 0
        return np.where((~mask & turn)[..., None], np.nan, array).astype(array.dtype)


def _row(array: Array, n: int) -> Array:
    """Return the part of a sequence, an array even where it is a single number."""
    return array[n] if array.ndim > 1 else np.reshape(array[n : n + 1], ())


@cache
def _lengths(lengths: str | tuple[int, ...], N: int, T: int) -> tuple[int, ...]:
    if isinstance(lengths, tuple):
        return tuple(max(1, T - max(lengths) + length) for length in lengths)
    if lengths == EQUAL or T == 1 or N == 1:
        return (T,) * N
    rng = np.random.default_rng([T, N])
    drawn = [T, *(int(n) for n in rng.integers(1, T, N - 1))]
    return tuple(sorted(drawn, reverse=True)) if lengths == DESCENDING else tuple(map(int, rng.permutation(drawn)))
