"""The one place where records reach for a room above their own."""

from __future__ import annotations

import importlib
from typing import Any


def renderer(name: str) -> Any:
    """Return a function of `gradcheck.report`."""
    return getattr(importlib.import_module("gradcheck.report"), name)
