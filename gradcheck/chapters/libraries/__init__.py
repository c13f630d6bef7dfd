"""Audits of recurrent layers of the libraries that are installed: whose gradients, on which version, how strongly.

Each module beside this one has the rules of a library by name, under `RULES`, and needs that library.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence

from ...reference.errors import GradcheckError

TITLE = "Recurrent layers of other libraries"
LIBRARIES = {"torch": "layers_of_torch", "jax": "cells_in_jax"}
"""Package to the module here that has its rules."""


def names(wanted: Sequence[str] | None = None) -> list[str]:
    """Return the rules of libraries, each as "module:name".

    Args:
        wanted: Names of packages; those that are installed if None.

    Raises:
        GradcheckError: A package is not known here or not installed, or none is installed.
    """
    installed = [package for package in LIBRARIES if importlib.util.find_spec(package) is not None]
    for package in wanted or ():
        if package not in LIBRARIES:
            raise GradcheckError(f"there are no rules of {package!r:.40}; choose {' or '.join(LIBRARIES)}")
        if package not in installed:
            raise GradcheckError(f"{package} is not installed; pip install 'rnn-gradcheck[{package}]'")
    if not installed:
        raise GradcheckError(f"none of {', '.join(LIBRARIES)} is installed; pip install 'rnn-gradcheck[torch,jax]'")
    found = []
    for package in dict.fromkeys(wanted or installed):
        module = f"{__name__}.{LIBRARIES[package]}"
        found += [f"{module}:{name}" for name in importlib.import_module(module).RULES]
    return found
