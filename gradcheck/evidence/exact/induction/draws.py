"""Noise as a step of a proof gets it: a rule can draw from it, and neither read nor keep anything else there.

A run has one noise object for all steps, so that a rule could count them by what was drawn, or by an attribute of its
own. Noise of a proof notes the names that are asked for.
"""

from __future__ import annotations

from typing import Any

from ....reference.noise import Draw, Noise
from ....reference.scalars.base import Field
from ....reference.scalars.formal import FormalField
from ....reference.typing import Array

LAWS = ("signs", "bernoulli", "normal", "uniform")


class OnlyDraws:
    """Noise with the names of `LAWS` alone.

    Args:
        inner: What is drawn from.
    """

    __slots__ = ("_inner", "_more")

    def __init__(self, inner: Noise) -> None:
        object.__setattr__(self, "_inner", inner)
        object.__setattr__(self, "_more", {})

    def __getattribute__(self, name: str) -> Any:
        if name in LAWS:
            return getattr(object.__getattribute__(self, "_inner"), name)
        object.__getattribute__(self, "_more")[name] = None
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__getattribute__(self, "_more")[name] = None


def taken_from(given: OnlyDraws) -> tuple[str, ...]:
    """Return the names other than those of laws that code has used of noise."""
    return tuple(object.__getattribute__(given, "_more"))


class AnyNoise(Noise):
    """Noise of arbitrary numbers, the same for one key: what depends on noise at all depends on it.

    Args:
        field: A number system that has random numbers, see `ModularField.random`.
        like: An array of it.
        key: The key.
    """

    def __init__(self, field: Any, like: Array, *key: Any) -> None:
        super().__init__(like, recording=False)
        self.field, self.key, self.number = field, key, 0

    def values(self, draw: Draw) -> Array:
        """Return arbitrary numbers; see `Noise.values`."""
        made = [self.field.random("noise", *self.key, self.number + n) for n in range(draw.size)]
        self.number += draw.size
        return _array(self.field, made, draw)


class SymbolicNoise(Noise):
    """Noise of generators that stand for any numbers, where no expectation is taken.

    Args:
        field: The ring.
        like: An array of it.
    """

    def __init__(self, field: FormalField, like: Array) -> None:
        super().__init__(like, recording=False)
        self.field, self.number = field, 0

    def values(self, draw: Draw) -> Array:
        """Return generators; see `Noise.values`."""
        made = [self.field.symbol(f"noise {self.number + n}") for n in range(draw.size)]
        self.number += draw.size
        return _array(self.field, made, draw)


def _array(field: Field, made: list[Any], draw: Draw) -> Array:
    return field.array(made, draw.shape)
