"""Sizes and ranges of numbers of the problems on which a rule is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...records import Extent
from ...reference.errors import GradcheckError
from ...reference.problem import Problem

LETTERS = ("T", "I", "D", "K")
_LEFT_OUT = {"loss_weights"}


class Tried:
    """Collects the sizes of problems, and the decades of their floats; see `rules.call.Calls`.

    Attributes:
        sizes: Each size that was tried, by letter.
        decades: The decades of absolute values that were tried, by array; n stands for 10^n up to 10^(n+1).
    """

    def __init__(self) -> None:
        self.sizes: dict[str, set[int]] = {}
        self.decades: dict[str, set[int]] = {}

    def began(self, place: str, problem: Problem) -> None:
        """Add a problem."""
        try:
            sizes = problem.sizes
        except GradcheckError:  # of an author's network
            return
        for letter in LETTERS:
            self.sizes.setdefault(letter, set()).add(int(getattr(sizes, letter)))
        for name, array in problem.arrays().items():
            if type(array) is np.ndarray and array.dtype.kind == "f" and name not in _LEFT_OUT:
                magnitudes = np.abs(array[array != 0])
                found = np.unique(np.floor(np.log10(magnitudes)))
                self.decades.setdefault(name, set()).update(int(n) for n in found if np.isfinite(n))

    def ended(self, error: BaseException | None) -> None:
        """Add nothing at the end of a call."""

    def include(self, data: Mapping[str, Mapping[str, Sequence[int]]]) -> None:
        """Add what `as_data` says of other problems."""
        for mine, others in ((self.sizes, data["sizes"]), (self.decades, data["decades"])):
            for name, values in others.items():
                mine.setdefault(name, set()).update(values)

    def as_data(self) -> dict[str, Any]:
        """Return plain data for `include`."""
        return {
            "sizes": {letter: sorted(values) for letter, values in self.sizes.items()},
            "decades": {name: sorted(values) for name, values in self.decades.items()},
        }

    def extent(self) -> Extent | None:
        """Return the record; None where nothing was tried."""
        if not self.sizes:
            return None
        data = self.as_data()
        return Extent(*({name: tuple(values) for name, values in data[part].items()} for part in ("sizes", "decades")))
