"""Exit statuses."""

from __future__ import annotations

USAGE = 2
INTERRUPTED = 130
UNSETTLED = 3
