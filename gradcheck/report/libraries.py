"""Libraries that only a rendering needs, imported when it does."""

from __future__ import annotations

import importlib
from typing import Any

from ..reference.errors import GradcheckError


def need(module: str, purpose: str) -> Any:
    """Import a library.

    Raises:
        GradcheckError: It is not installed; the message has the install line.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        raise GradcheckError(f"{purpose} needs {name}, which is not installed; try: pip install {name}") from error
