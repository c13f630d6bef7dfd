"""A gallery of wrong gradients: rules with one mistake each, for testing what can tell them from right ones."""

from __future__ import annotations

import difflib

from ..reference.errors import GradcheckError
from . import (
    batches,
    blocks,
    conditions,
    costs,
    estimators,
    formats,
    gated,
    histories,
    influences,
    inputs,
    layers,
    local,
    losses,
    lstm,
    memory,
    orientation,
    ranges,
    scales,
    slopes,
    storage,
    structure,
    timing,
    trained,
    truncation,
    units,
)
from .fault import Fault
from .patched import Change

ON_CELLS: tuple[Fault, ...] = gated.FAULTS + lstm.FAULTS + units.FAULTS + layers.FAULTS
"""Faults of backward passes of cells other than the fully recurrent network."""

FAULTS: tuple[Fault, ...] = (
    orientation.FAULTS
    + timing.FAULTS
    + slopes.FAULTS
    + truncation.FAULTS
    + losses.FAULTS
    + scales.FAULTS
    + influences.FAULTS
    + memory.FAULTS
    + inputs.FAULTS
    + conditions.FAULTS
    + ON_CELLS
    + local.FAULTS
    + batches.FAULTS
    + blocks.FAULTS
    + structure.FAULTS
    + ranges.FAULTS
    + formats.FAULTS
    + histories.FAULTS
    + storage.FAULTS
    + trained.FAULTS
    + estimators.FAULTS
    + costs.FAULTS
)

ESTIMATORS: tuple[Fault, ...] = estimators.FAULTS
"""Faults of stochastic rules, which their expectation shows."""

SHOWN = tuple(fault for fault in FAULTS if not fault.found_by)
"""Faults that common problems show; the others are found by searches alone, or in an expectation."""


def fault_named(id: str) -> Fault:
    """Return the fault with this id.

    Raises:
        GradcheckError: The gallery has no such fault; the message names those that come closest.
    """
    for fault in FAULTS:
        if fault.id == id:
            return fault
    ids = [fault.id for fault in FAULTS]
    wanted = id.lower()
    close = [each for each in ids if wanted and wanted in each] or difflib.get_close_matches(wanted, ids, 1)
    meant = f"did you mean {' or '.join(close[:3])}?" if close else "list them with: gradcheck faults"
    raise GradcheckError(f"there is no fault {id!r}; {meant}")


__all__ = ["ESTIMATORS", "FAULTS", "ON_CELLS", "SHOWN", "Change", "Fault", "fault_named"]
