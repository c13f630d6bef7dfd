"""The record of a printed statement, and the type of an equation's side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

Sides: TypeAlias = dict[str, Any]
"""Name, such as dL/dR, to array."""


@dataclass(frozen=True)
class Printed:
    """One formula or sentence of the lecture; formulas are LaTeX without dollar signs.

    section: the slide's title. printed: what stands there, with what its typesetting garbled repaired and
    nothing else. corrected: what is to hold where that does not. comment: why, in a sentence or two.
    """

    id: str
    section: str
    title: str
    printed: str
    comment: str
    corrected: str = ""
