"""Records of an audit: plain data, from a piece of evidence to the whole correctness report.

Records lie below the rooms that render and store them. `to_json`, `write`, `check` and `print` are conveniences that
find their renderer by name, in `rendering`, and nowhere else.
"""

from __future__ import annotations

from .chapters import Chapter, Figure, Statement
from .outcomes import NO_FUNCTION, TOO_MUCH, Cause, Covers, Evidence, Lengths, Rounding, Status, Strength
from .reports import CheckFailed, Collection, Extent, Provenance, Report, Source, exit_status, reproducible
from .verdicts import Counterexample, Stage, Unseen, Verdict, spoken

__all__ = [
    "NO_FUNCTION",
    "TOO_MUCH",
    "Cause",
    "Chapter",
    "CheckFailed",
    "Collection",
    "Counterexample",
    "Covers",
    "Evidence",
    "Extent",
    "Figure",
    "Lengths",
    "Provenance",
    "Report",
    "Rounding",
    "Source",
    "Stage",
    "Statement",
    "Status",
    "Strength",
    "Unseen",
    "Verdict",
    "exit_status",
    "reproducible",
    "spoken",
]
