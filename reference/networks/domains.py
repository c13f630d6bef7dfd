"""Numbers that a network is defined on: of a parameter, of inputs, of targets.

A network says them by `domains()`: {"tau": "positive", "decay": (0, 1), "inputs": "one-hot"}. Problems are drawn,
varied and shrunk inside, and a number outside is refused with the name of its array.

A parameter may have a pattern: entries that are 0 in every problem, such as those off the diagonal. They are parameters
still, whose gradient is asked for, and rules that depend on structure read it by `mask_of`, never from values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import GradcheckError, Inadmissible
from ..typing import Array
from .base import Capabilities, RecurrentNetwork, ask

INPUTS = "inputs"
_APART = ("integers", "one-hot")
PATTERNS = ("zeros", "diagonal", "ring")
"""Entries that may differ from 0: none, those on the diagonal, and in a ring those from each unit to the next too."""
WORDS = ("real", "positive", "nonnegative", *_APART, *PATTERNS)
_INWARDS = 1 / 16
"""Share of an interval's width by which a number on its end is moved inwards."""


@dataclass(frozen=True)
class Domain:
    """A set of arrays.

    Attributes:
        kind: "interval", "integers", "one-hot" or one of `PATTERNS`. One-hot rows have a single 1, and zeros.
        low: The lower end of an interval.
        high: The upper end of an interval.
        closed: Whether the lower end belongs to it.
    """

    kind: str = "interval"
    low: float = -math.inf
    high: float = math.inf
    closed: bool = False

    @classmethod
    def read(cls, stated: Any, what: str) -> Domain:
        """Read a domain as a network says it.

        Args:
            stated: A `Domain`, one of `WORDS`, or (low, high), an open interval.
            what: Whose it is, for the message.

        Raises:
            GradcheckError: It is something else.
        """
        named = {
            "real": cls(),
            "positive": cls(low=0.0),
            "nonnegative": cls(low=0.0, closed=True),
            **{kind: cls(kind) for kind in (*_APART, *PATTERNS)},
        }
        if isinstance(stated, Domain):
            return stated
        if isinstance(stated, str) and stated in named:
            return named[stated]
        if isinstance(stated, tuple) and len(stated) == 2 and all(isinstance(end, int | float) for end in stated):
            if stated[0] < stated[1]:
                return cls(low=float(stated[0]), high=float(stated[1]))
        raise GradcheckError(
            f"the domain of {what} is {stated!r:.60}; wanted {', '.join(map(repr, WORDS))}, or (low, high), low < high"
        )

    @property
    def real(self) -> bool:
        """True if it holds all real numbers."""
        return self == Domain()

    @property
    def above(self) -> bool:
        """True for an interval with a lower end only, such as positive numbers."""
        return self.kind == "interval" and math.isinf(self.high) and not math.isinf(self.low)

    @property
    def discrete(self) -> bool:
        """True if its numbers lie apart, so that no identity in them is meant."""
        return self.kind in _APART

    def mask(self, shape: tuple[int, ...]) -> Array:
        """Return where an array of this shape may differ from 0, as booleans.

        Raises:
            GradcheckError: The pattern is one of square matrices, and the shape is another.
        """
        if self.kind not in PATTERNS:
            return np.ones(shape, dtype=bool)
        if self.kind == "zeros":
            return np.zeros(shape, dtype=bool)
        if len(shape) != 2 or shape[0] != shape[1]:
            raise GradcheckError(f"{self.kind} is a pattern of square matrices; got the shape {shape}; use 'zeros'")
        own = np.eye(shape[0], dtype=bool)
        return own if self.kind == "diagonal" else own | np.roll(own, 1, axis=1)

    def contains(self, array: Array) -> bool:
        """Return whether a float array lies inside."""
        if self.kind == "integers":
            return bool((array == np.round(array)).all())
        if self.kind == "one-hot":
            return bool((((array == 0) | (array == 1)).all(axis=-1) & (array.sum(axis=-1) == 1)).all())
        if self.kind in PATTERNS:
            return bool((array[~self.mask(array.shape)] == 0).all())
        above = array >= self.low if self.closed else array > self.low
        return bool((above & (array < self.high)).all())

    def nearest(self, array: Array) -> Array:
        """Return an array inside, with what was inside kept; numbers beyond an end are reflected at it.

        Args:
            array: A float array.
        """
        if self.real or self.contains(array):
            return array
        if self.kind == "integers":
            return np.asarray(np.round(array), dtype=array.dtype)
        if self.kind == "one-hot":
            return np.asarray(np.eye(array.shape[-1], dtype=array.dtype)[np.argmax(array, axis=-1)])
        if self.kind in PATTERNS:
            return np.asarray(np.where(self.mask(array.shape), array, 0), dtype=array.dtype)
        if math.isinf(self.high):
            away = np.abs(array - self.low)
            inside = self.low + (away if self.closed else np.where(away == 0, 1.0, away))
        elif math.isinf(self.low):
            away = np.abs(self.high - array)
            inside = self.high - np.where(away == 0, 1.0, away)
        else:
            width = self.high - self.low
            away = np.mod(array - self.low, 2 * width)
            away = np.where(away > width, 2 * width - away, away)
            away = np.where(away == 0, _INWARDS * width, np.where(away == width, (1 - _INWARDS) * width, away))
            inside = self.low + away
        found = np.asarray(np.where((array > self.low) & (array < self.high), array, inside), dtype=array.dtype)
        return found if self.contains(found) else np.full_like(found, self._middle())

    def _middle(self) -> float:
        """Return a number well inside an interval."""
        if math.isinf(self.low) or math.isinf(self.high):
            return self.low + 1 if math.isinf(self.high) else self.high - 1
        return (self.low + self.high) / 2

    def __str__(self) -> str:
        if self.kind != "interval":
            return _SPOKEN[self.kind]
        if self.real:
            return "real numbers"
        if math.isinf(self.high):
            return f"numbers {'from' if self.closed else 'above'} {self.low:g}{' on' if self.closed else ''}"
        if math.isinf(self.low):
            return f"numbers below {self.high:g}"
        return f"numbers strictly between {self.low:g} and {self.high:g}"


_SPOKEN = {
    "integers": "whole numbers",
    "one-hot": "rows with a single 1 and zeros",
    "zeros": "zeros",
    "diagonal": "zeros off the diagonal",
    "ring": "zeros but on the diagonal and from each unit to the next",
}


def all_of(network: RecurrentNetwork) -> Mapping[str, Any]:
    """Return what a network states of its domains, by name.

    Args:
        network: Any network.

    Raises:
        GradcheckError: It is no dict.
    """
    stated = ask(network, Capabilities.domains)
    if not isinstance(stated, Mapping):
        raise GradcheckError(
            f"domains of the network {network.name} is {stated!r:.60}; wanted a dict, such as {{'tau': 'positive'}}"
        )
    return stated


def domain_of(network: RecurrentNetwork, name: str) -> Domain:
    """Return the domain of a parameter, or of "inputs"; all real numbers where the network says nothing.

    Args:
        network: Any network.
        name: The name of a parameter, or "inputs".

    Raises:
        GradcheckError: What the network says is no domain.
    """
    stated = all_of(network)
    return Domain.read(stated[name], f"{name} of the network {network.name}") if name in stated else Domain()


def mask_of(network: RecurrentNetwork, name: str, shape: tuple[int, ...]) -> Array:
    """Return where a parameter may differ from 0 in any problem of a network, as booleans.

    Args:
        network: Any network.
        name: The name of the parameter.
        shape: Its shape.
    """
    return domain_of(network, name).mask(shape)


def lying_apart(network: RecurrentNetwork) -> list[str]:
    """Return the names of what has a discrete domain: no identity of polynomials covers all of its values."""
    return [name for name in all_of(network) if domain_of(network, name).discrete]


def inside(network: RecurrentNetwork, name: str, array: Array) -> Array:
    """Return the nearest float array in the domain of a parameter or of the inputs; other scalars as they are.

    Args:
        network: Any network.
        name: The name of a parameter, or "inputs".
        array: The array.
    """
    if not _judged(array) or not all_of(network):
        return array
    return np.reshape(domain_of(network, name).nearest(_in_blocks(network, name, array)), array.shape)


def check(network: RecurrentNetwork, name: str, array: Array) -> None:
    """Refuse floats outside the domain of a parameter or of the inputs.

    Args:
        network: Any network.
        name: The name of a parameter, or "inputs".
        array: The array.

    Raises:
        Inadmissible: Some number lies outside.
    """
    domain = domain_of(network, name)
    if _judged(array) and not domain.contains(_in_blocks(network, name, array)):
        least, most = float(array.min()), float(array.max())
        raise Inadmissible(
            f"{name} holds numbers from {least:g} to {most:g}; the network {network.name} wants {domain}"
        )


def _in_blocks(network: RecurrentNetwork, name: str, array: Array) -> Array:
    """Return inputs with an axis of their own for the sequences of a batch; anything else as it is."""
    blocks = ask(network, Capabilities.sequences) if name == INPUTS else 1
    return array if blocks == 1 else np.reshape(array, (*array.shape[:-1], blocks, -1))


def _judged(array: Any) -> bool:
    """Return whether an array holds plain floats, which lie somewhere; residues and polynomials do not."""
    return (
        isinstance(array, np.ndarray)
        and array.dtype.kind == "f"
        and not hasattr(array, "apply_function")
        and array.size > 0
    )
