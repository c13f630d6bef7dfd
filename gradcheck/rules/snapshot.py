"""Snapshots of state that a call may change: who holds which objects under which names, and random generators.

Two are taken around each call of a rule, thousands in an audit, so they are compared by C alone.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from ..reference.private import key_of_generator

_gather = np.fromiter  # held, since a rule may replace the attribute


class Names:
    """Objects held in a namespace under their names, in order.

    Args:
        space: A namespace, such as that of a module.

    Attributes:
        names: The names.
        values: The objects, in an array of shape (number of names,).
    """

    def __init__(self, space: dict[str, Any]) -> None:
        self.names = list(space)
        self.values = self._gathered(space)
        self._places = self.values.tobytes()

    def same(self, space: dict[str, Any]) -> bool:
        """Return True if a namespace holds the same objects under the same names in the same order.

        An array of objects gives their addresses as bytes, so no code of theirs decides, as their `==` would.
        """
        if len(space) != len(self.names):
            return False
        return bool(self._gathered(space).tobytes() == self._places) and list(space) == self.names

    @staticmethod
    def _gathered(space: dict[str, Any]) -> Any:
        return _gather(space.values(), object, len(space))

    def items(self) -> list[tuple[str, Any]]:
        """Return the names with their objects."""
        return list(zip(self.names, self.values.tolist(), strict=True))


def random_states() -> dict[str, Any]:
    """Return the state of each global generator."""
    return {"random": random.getstate(), "numpy.random": _numpy_state()}


def same_state(now: Any, before: Any) -> bool:
    """Return True if two states of a generator are equal."""
    if now is before:
        return True
    if isinstance(now, tuple):
        return bool(now == before)
    return now.keys() == before.keys() and all(map(_same_part, now.values(), before.values()))


def set_random_state(name: str, state: Any) -> None:
    """Set the state of a global generator, by its name in `random_states`."""
    _LAST.clear()
    (random.setstate if name == "random" else np.random.set_state)(state)


_LAST: list[tuple[bytes, dict[str, Any]]] = []
"""The key of NumPy's generator when its state was last read, and that state: reading takes long."""


def _numpy_state() -> dict[str, Any]:
    key = key_of_generator()
    if key is None:
        return _read()
    if not _LAST or _LAST[0][0] != key:
        state = _read()
        # A normal number that is left over can be used up without a change of the key.
        _LAST[:] = [] if state.get("has_gauss", 1) else [(key, state)]
        return state
    return _LAST[0][1]


def _read() -> dict[str, Any]:
    return dict(np.random.get_state(legacy=False))


def _same_part(now: Any, before: Any) -> bool:
    if isinstance(now, dict):
        return same_state(now, before)
    return now.tobytes() == before.tobytes() if isinstance(now, np.ndarray) else bool(now == before)
