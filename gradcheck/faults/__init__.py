"""A gallery of wrong gradients: shipped rules with one mistake each, for testing what can tell them from right ones."""

from __future__ import annotations

import difflib

from ..reference.errors import GradcheckError
from . import conditions, influences, losses, memory, orientation, scales, slopes, timing, truncation
from .fault import Fault
from .patched import Change

FAULTS: tuple[Fault, ...] = (
    orientation.FAULTS
    + timing.FAULTS
    + slopes.FAULTS
    + truncation.FAULTS
    + losses.FAULTS
    + scales.FAULTS
    + influences.FAULTS
    + memory.FAULTS
    + conditions.FAULTS
)


def fault_named(id: str) -> Fault:
    """The fault of that id. Raises `GradcheckError` for an id that is not in the gallery, with the closest one."""
    for fault in FAULTS:
        if fault.id == id:
            return fault
    close = difflib.get_close_matches(id, [fault.id for fault in FAULTS], 1)
    meant = f"did you mean {close[0]}?" if close else "gradcheck faults lists them"
    raise GradcheckError(f"there is no fault {id!r}; {meant}")


__all__ = ["FAULTS", "Change", "Fault", "fault_named"]
