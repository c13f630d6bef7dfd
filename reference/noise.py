"""Noise of stochastic rules: the only source from which they may draw.

A rule whose second parameter is named `noise` draws from it, and from nothing else. Whoever runs the rule chooses the
noise: drawn at random from a seed, replayed, or each outcome in turn. Arrays come back in the number system of the run.
The laws:
    signs(shape)         +1 or -1, with probability 1/2 each
    bernoulli(p, shape)  1 with probability p, else 0
    normal(shape)        N(0, 1)
    uniform(shape)       U[0, 1)
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Any, TypeAlias

import flint
import numpy as np

from .errors import GradcheckError, UnsupportedOperation
from .scalars.float_ball import FloatBallArray, FloatBallField
from .scalars.scalar import Scalar, system_of
from .typing import Array


class Law(Enum):
    """The distribution of a draw."""

    SIGNS = "signs"
    BERNOULLI = "bernoulli"
    NORMAL = "normal"
    UNIFORM = "uniform"


@dataclass(frozen=True)
class Draw:
    """A request of a rule to its noise.

    Attributes:
        law: The distribution of each entry; entries are independent.
        shape: The shape of the array.
        p: The probability of 1 for each entry in C order, empty for other laws than Bernoulli's.
    """

    law: Law
    shape: tuple[int, ...]
    p: tuple[Fraction, ...] = ()

    @property
    def size(self) -> int:
        """The number of entries."""
        return int(np.prod(self.shape))

    def __str__(self) -> str:
        return f"{self.law.value}{self.shape}"


Outcome: TypeAlias = tuple[Draw, Array]
"""A draw with its values, an array of plain numbers of the draw's shape."""


class WrongDraw(GradcheckError):
    """A rule asked something of its noise that noise does not have."""


class Noise(abc.ABC):
    """Abstract base of all noise.

    Args:
        like: An array of the run, such as `problem.inputs`: draws come back in its number system. float64 if None.
        recording: False to forget what is drawn.

    Attributes:
        drawn: What the rule has drawn so far, in order; empty where that is forgotten.
    """

    def __init__(self, like: Array | None = None, *, recording: bool = True) -> None:
        self.like, self.recording = like, recording
        self.drawn: list[Outcome] = []

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"noise has no {name}; draw by {', '.join(f'noise.{law.value}' for law in Law)}")

    def signs(self, shape: int | tuple[int, ...] = ()) -> Array:
        """Draw independent signs.

        Args:
            shape: The shape of the result, an int or a tuple.

        Returns:
            Entries +1 or -1, with probability 1/2 each.

        Raises:
            WrongDraw: `shape` is no shape.
        """
        return self._array(Draw(Law.SIGNS, _shape(shape)))

    def bernoulli(self, p: Any, shape: int | tuple[int, ...] = ()) -> Array:
        """Draw independent zeros and ones.

        Args:
            p: The probability of 1: a number in [0, 1], or an array of them that broadcasts to `shape`.
            shape: The shape of the result, an int or a tuple.

        Returns:
            Entries 1 with probability p, else 0.

        Raises:
            WrongDraw: `shape` is no shape, or p is no probability.
            UnsupportedOperation: p depends on numbers of the run that are no real numbers, such as residues.
        """
        wanted = _shape(shape)
        return self._array(Draw(Law.BERNOULLI, wanted, _probabilities(p, wanted)))

    def normal(self, shape: int | tuple[int, ...] = ()) -> Array:
        """Draw independent numbers of mean 0 and variance 1 from the normal distribution.

        Args:
            shape: The shape of the result, an int or a tuple.

        Returns:
            Entries N(0, 1).

        Raises:
            WrongDraw: `shape` is no shape.
        """
        return self._array(Draw(Law.NORMAL, _shape(shape)))

    def uniform(self, shape: int | tuple[int, ...] = ()) -> Array:
        """Draw independent numbers, uniform from 0 to 1: mean 1/2, variance 1/12.

        Args:
            shape: The shape of the result, an int or a tuple.

        Returns:
            Entries U[0, 1).

        Raises:
            WrongDraw: `shape` is no shape.
        """
        return self._array(Draw(Law.UNIFORM, _shape(shape)))

    @abc.abstractmethod
    def values(self, draw: Draw) -> Array:
        """Return the values of a draw: plain numbers, or scalars of the run, of the draw's shape."""

    def _array(self, draw: Draw) -> Array:
        values = self.values(draw)
        if self.recording:
            self.drawn.append((draw, values))
        return carried(values, self.like)[()]


class SampledNoise(Noise):
    """Noise drawn at random by NumPy's default generator.

    Args:
        seed: The seed, of which the same one gives the same noise; or a generator to draw from.
        like: An array of the run, see `Noise`.
        recording: True to keep what is drawn, so that it can be replayed; it takes memory at each draw.
    """

    def __init__(
        self, seed: int | Sequence[int] | np.random.Generator = 0, like: Array | None = None, *, recording: bool = True
    ) -> None:
        super().__init__(like, recording=recording)
        self.rng = np.random.default_rng(seed)

    def values(self, draw: Draw) -> Array:
        """Return random values; see `Noise.values`."""
        if draw.law is Law.SIGNS:
            return 2.0 * self.rng.integers(0, 2, draw.shape) - 1.0
        if draw.law is Law.NORMAL:
            return np.asarray(self.rng.normal(size=draw.shape))
        uniform = np.asarray(self.rng.random(draw.shape))
        if draw.law is Law.UNIFORM:
            return uniform
        return (uniform < np.array(draw.p, dtype=float).reshape(draw.shape)).astype(float)


class ReplayedNoise(Noise):
    """Noise that repeats what was drawn before.

    Args:
        outcomes: What to repeat, `drawn` of other noise.
        like: An array of the run, see `Noise`.
    """

    def __init__(self, outcomes: Iterable[Outcome], like: Array | None = None) -> None:
        super().__init__(like)
        self._left = list(outcomes)

    def values(self, draw: Draw) -> Array:
        """Return the next values; see `Noise.values`. Raises `WrongDraw` for a draw that is not the next one."""
        if not self._left:
            raise WrongDraw(f"the rule draws {draw} after the last of the {len(self.drawn)} draws that are replayed")
        known, values = self._left.pop(0)
        if (known.law, known.shape) != (draw.law, draw.shape):
            raise WrongDraw(f"draw {len(self.drawn)} of the rule is {draw}; replayed is {known}, of another run")
        return values


def carried(values: Array, like: Array | None) -> Array:
    """Return an array of numbers in the number system of another array.

    Args:
        values: Plain numbers, or scalars of that number system.
        like: An array of the number system; float64 if None.
    """
    if like is None:
        return np.array(values, dtype=float)
    field = FloatBallField() if isinstance(like, FloatBallArray) else system_of(like)
    if field is not None:
        return field.lift(values)
    return np.array(values, dtype=like.dtype)


def _shape(given: Any) -> tuple[int, ...]:
    sizes = given if isinstance(given, (tuple, list)) else (given,)
    if not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n >= 0 for n in sizes):
        raise WrongDraw(f"noise has no shape {given!r:.60}; give a whole number or a tuple of them, such as (2, 3)")
    return tuple(map(int, sizes))


def _probabilities(given: Any, shape: tuple[int, ...]) -> tuple[Fraction, ...]:
    if isinstance(given, np.ndarray) and given.ndim and getattr(given, "field", None) is None:
        try:
            each = np.broadcast_to(given, shape)
        except ValueError:
            raise WrongDraw(f"p has the shape {given.shape}, which does not broadcast to {shape}") from None
        return tuple(map(_probability, each.reshape(-1).tolist()))
    return (_probability(given),) * int(np.prod(shape))


def _probability(given: Any) -> Fraction:
    field = FloatBallField if isinstance(given, FloatBallArray) else getattr(given, "field", None)
    value = given.value if isinstance(given, Scalar) else given
    if isinstance(value, flint.fmpq):
        value = Fraction(int(value.p), int(value.q))
    elif field is not None:
        raise UnsupportedOperation(
            "a probability that depends on the rule's numbers", field.name, "give p as a float or a Fraction"
        )
    elif isinstance(value, np.ndarray) and not value.ndim:
        value = value[()]
    if not isinstance(value, (int, float, np.integer, np.floating, Fraction)):
        raise WrongDraw(f"p is a {type(value).__name__}; wanted a number in [0, 1]")
    if not 0 <= value <= 1:  # true of NaN as well
        raise WrongDraw(f"p is {value}; wanted a number in [0, 1]")
    return value if isinstance(value, Fraction) else Fraction(value.item() if isinstance(value, np.generic) else value)
