"""Axes written with the letters of `Sizes`: "I", "4*I", "D+I", 3; and the sizes that shapes imply."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..errors import GradcheckError
from .base import Sizes

LETTERS = "IDK"
Axis = int | str
_TERM = re.compile(r"(?:(\d+)\s*\*?\s*)?([IDK])|(\d+)")


@dataclass(frozen=True)
class Length:
    """The length of an axis: a sum of multiples of I, D and K, and a constant."""

    terms: tuple[tuple[str, int], ...]
    constant: int

    @classmethod
    def read(cls, axis: Axis, what: str) -> Length:
        """Read an axis.

        Args:
            axis: A letter, a number, or a sum such as "D+I" or "4*I".
            what: Whose axis it is, for the message.

        Raises:
            GradcheckError: It is something else.
        """
        counts, constant = dict.fromkeys(LETTERS, 0), 0
        for part in str(axis).split("+"):
            found = _TERM.fullmatch(part.strip())
            if isinstance(axis, bool) or not isinstance(axis, int | str) or found is None:
                raise GradcheckError(
                    f"{what} has the axis {axis!r:.40}; wanted a number, or a sum of I, D and K such as 'I', '4*I' or "
                    "'D+I'"
                )
            if found[2]:
                counts[found[2]] += int(found[1] or 1)
            else:
                constant += int(found[3])
        return cls(tuple((letter, n) for letter, n in counts.items() if n), constant)

    def at(self, sizes: Sizes) -> int:
        """Return the length at these sizes."""
        return sum(n * int(getattr(sizes, letter)) for letter, n in self.terms) + self.constant


def solved(equations: Iterable[tuple[Length, int]]) -> dict[str, int]:
    """Return the letters that some lengths settle.

    Args:
        equations: Lengths, and the numbers that they are.

    Returns:
        Letter to size, rounded down where a length does not fit; letters that stay open are left out.
    """
    found: dict[str, int] = {}
    left = list(equations)
    while left:
        for number, (length, value) in enumerate(left):
            unknown = [(letter, n) for letter, n in length.terms if letter not in found]
            if len(unknown) <= 1:
                for letter, n in unknown:
                    known = sum(m * found[each] for each, m in length.terms if each in found)
                    found[letter] = max((value - length.constant - known) // n, 0)
                del left[number]
                break
        else:
            break
    return found


def tied(ties: Mapping[str, Axis], found: dict[str, int]) -> dict[str, int]:
    """Return the letters with those that ties add: {"K": "I"} is K = I.

    Args:
        ties: Letter to an axis in other letters.
        found: Letter to size.
    """
    found = dict(found)
    for letter, axis in ties.items():
        length = Length.read(axis, f"the tie of {letter}")
        if all(each in found for each, _ in length.terms):
            found[letter] = sum(n * found[each] for each, n in length.terms) + length.constant
    return found
